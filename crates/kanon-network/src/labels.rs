//! Labels and label selectors, parsed when an object comes and matched afterwards without looking at its text again.

use std::{collections::BTreeMap, fmt};

use kanon_core::{Node, NodeKind};

/// An object's labels.
pub type Labels = BTreeMap<String, String>;

/// Labels of a member such as `metadata.labels`; values that are no text are left out.
pub(crate) fn labels(node: Option<Node<'_>>) -> Labels {
    let members = node.into_iter().flat_map(Node::members);
    members.filter_map(|(key, value)| Some((key.into_owned(), value.as_str()?.into_owned()))).collect()
}

/// A label selector: all requirements hold. Without requirements it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Reads a `LabelSelector`; an absent one selects everything.
    ///
    /// # Errors
    /// What the API server refuses: an unknown operator, `In` without values, `Exists` with some.
    pub(crate) fn of(node: Option<Node<'_>>) -> Result<Selector, String> {
        let Some(node) = node.filter(|it| !it.is_null()) else { return Ok(Selector::default()) };
        if node.kind() != NodeKind::Object {
            return Err("is no label selector".to_owned());
        }
        let text = |node: Node<'_>| node.as_str().map(std::borrow::Cow::into_owned);
        let mut requirements = Vec::new();
        for (key, value) in node.get("matchLabels").into_iter().flat_map(Node::members) {
            let value = text(value).ok_or_else(|| format!("`matchLabels.{key}` is no text"))?;
            requirements.push(Requirement { key: key.into_owned(), test: Test::In(vec![value]) });
        }
        for (at, it) in node.get("matchExpressions").into_iter().flat_map(Node::elements).enumerate() {
            let place = format!("`matchExpressions[{at}]");
            let key = it.get("key").and_then(text).filter(|it| !it.is_empty());
            let key = key.ok_or_else(|| format!("{place}.key` is required"))?;
            let values: Vec<_> = it.get("values").into_iter().flat_map(Node::elements).filter_map(text).collect();
            let operator = it.get("operator").and_then(text).unwrap_or_default();
            let test = match (operator.as_str(), values.is_empty()) {
                ("In", false) => Test::In(values),
                ("NotIn", false) => Test::NotIn(values),
                ("Exists", true) => Test::Exists,
                ("DoesNotExist", true) => Test::DoesNotExist,
                ("In" | "NotIn", true) => return Err(format!("{place}.values` is required for `{operator}`")),
                ("Exists" | "DoesNotExist", false) => {
                    return Err(format!("{place}.values` must be empty for `{operator}`"));
                }
                _ => {
                    return Err(format!(
                        "{place}.operator`: `{operator}` is not one of In, NotIn, Exists, DoesNotExist"
                    ));
                }
            };
            requirements.push(Requirement { key, test });
        }
        Ok(Selector(requirements))
    }

    /// Whether it has no requirement, and so selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether labels fit.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|it| {
            let value = labels.get(&it.key);
            match &it.test {
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
            }
        })
    }
}

/// As kubectl takes a selector after `-l`; `<all>` for the empty one.
impl fmt::Display for Selector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return out.write_str("<all>");
        }
        for (at, Requirement { key, test }) in self.0.iter().enumerate() {
            if at > 0 {
                out.write_str(",")?;
            }
            match test {
                Test::In(values) if values.len() == 1 => write!(out, "{key}={}", values[0])?,
                Test::In(values) => write!(out, "{key} in ({})", values.join(","))?,
                Test::NotIn(values) => write!(out, "{key} notin ({})", values.join(","))?,
                Test::Exists => out.write_str(key)?,
                Test::DoesNotExist => write!(out, "!{key}")?,
            }
        }
        Ok(())
    }
}
