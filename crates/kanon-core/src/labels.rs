//! Labels and label selectors: as objects carry them, and as kubectl takes them after `-l`.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use crate::object::{Node, NodeKind, Object};

/// An object's labels.
pub type Labels = BTreeMap<String, String>;

/// Labels of a member such as `metadata.labels`; values that are no text are left out.
pub fn labels(node: Option<Node<'_>>) -> Labels {
    let members = node.into_iter().flat_map(Node::members);
    members.filter_map(|(key, value)| Some((key.into_owned(), value.as_str()?.into_owned()))).collect()
}

/// A label selector: all requirements hold. Without requirements it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    pub fn of(node: Option<Node<'_>>) -> Result<Selector, String> {
        let Some(node) = node.filter(|it| !it.is_null()) else { return Ok(Selector::default()) };
        if node.kind() != NodeKind::Object {
            return Err("is no label selector".to_owned());
        }
        let text = |node: Node<'_>| node.as_str().map(Cow::into_owned);
        let Selector(mut requirements) = match node.get("matchLabels") {
            Some(labels) => Selector::of_labels(labels).map_err(|key| format!("`matchLabels.{key}` is no text"))?,
            None => Selector::default(),
        };
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

    /// All of these labels, as a Service names its pods.
    ///
    /// # Errors
    /// The key of a value that is no text: to leave it out would select more.
    pub fn of_labels(node: Node<'_>) -> Result<Selector, String> {
        let requirement = |(key, value): (Cow<'_, str>, Node<'_>)| match value.as_str() {
            Some(value) => Ok(Requirement { key: key.into_owned(), test: Test::In(vec![value.into_owned()]) }),
            None => Err(key.into_owned()),
        };
        node.members().map(requirement).collect::<Result<_, _>>().map(Selector)
    }

    /// Whether it has no requirement, and so selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether labels fit.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.fits(|key| labels.get(key).map(|it| Cow::Borrowed(it.as_str())))
    }

    /// Whether the labels at a place in an object fit: [`labels`] without the map.
    pub fn matches_node(&self, labels: Option<Node<'_>>) -> bool {
        self.fits(|key| labels.and_then(|it| it.get(key)).and_then(Node::as_str))
    }

    /// Whether an object's own labels fit.
    pub fn matches_object(&self, object: &Object) -> bool {
        self.matches_node(object.at(&["metadata", "labels"]))
    }

    fn fits<'l>(&self, label: impl Fn(&str) -> Option<Cow<'l, str>>) -> bool {
        self.0.iter().all(|it| {
            let value = label(&it.key);
            let is_among =
                |values: &[String]| value.as_ref().is_some_and(|value| values.iter().any(|it| *it == **value));
            match &it.test {
                Test::In(values) => is_among(values),
                Test::NotIn(values) => !is_among(values),
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
            }
        })
    }
}

/// As kubectl takes them: `a=b,c!=d,e in (f, g),h notin (i),j,!k`.
impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Selector, String> {
        let parts = split(text).into_iter().map(|part| requirement(part.trim()));
        let all = parts.map(|it| it.filter(|it| is_key(&it.key))).collect::<Option<_>>();
        all.map(Selector).ok_or_else(|| format!("`{text}` is no selector: write `app=web,tier in (a, b),!legacy`"))
    }
}

fn requirement(part: &str) -> Option<Requirement> {
    let of = |key: &str, test| Some(Requirement { key: key.trim().to_owned(), test });
    let one = |value: &str| vec![value.trim().to_owned()];
    let set = |word: &str| {
        let (key, rest) = part.split_once(word)?;
        let values = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some((key, values.split(',').map(|it| it.trim().to_owned()).collect::<Vec<_>>()))
    };
    if let Some((key, values)) = set(" notin ") {
        of(key, Test::NotIn(values))
    } else if let Some((key, values)) = set(" in ") {
        of(key, Test::In(values))
    } else if let Some((key, value)) = part.split_once("!=") {
        of(key, Test::NotIn(one(value)))
    } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        of(key, Test::In(one(value)))
    } else if let Some(key) = part.strip_prefix('!') {
        of(key, Test::DoesNotExist)
    } else {
        of(part, Test::Exists)
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && !key.contains(|it: char| it.is_whitespace() || "()".contains(it))
}

/// The parts between commas outside of brackets; none of an empty text.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut inside) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => inside = true,
            ')' => inside = false,
            ',' if !inside => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !text.trim().is_empty() {
        parts.push(&text[from..]);
    }
    parts
}

/// As kubectl shows it, and takes it back; `<all>` for the empty one.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(selector: &Selector, on_web: bool, on_bare: bool) {
        let web = Object::parse(r#"{"app":"web","tier":"a"}"#).unwrap();
        let web = Some(web.root());
        assert_eq!((selector.matches_node(web), selector.matches_node(None)), (on_web, on_bare), "{selector}");
        let both = (selector.matches(&labels(web)), selector.matches(&Labels::new()));
        assert_eq!(both, (on_web, on_bare), "{selector}");
    }

    #[test]
    fn selectors_of_objects_match_labels() {
        for (text, on_web, on_bare) in [
            ("{}", true, true),
            (r#"{"matchLabels":{"app":"web"}}"#, true, false),
            (r#"{"matchLabels":{"app":"web","tier":"b"}}"#, false, false),
            (r#"{"matchExpressions":[{"key":"app","operator":"NotIn","values":["web"]}]}"#, false, true),
            (r#"{"matchExpressions":[{"key":"app","operator":"Exists"}]}"#, true, false),
            (r#"{"matchExpressions":[{"key":"x","operator":"DoesNotExist"}]}"#, true, true),
        ] {
            check(&Selector::of(Some(Object::parse(text).unwrap().root())).unwrap(), on_web, on_bare);
        }
    }

    #[test]
    fn selectors_of_people_match_labels() {
        for (text, on_web, on_bare) in [
            ("", true, true),
            ("app=web", true, false),
            ("app==web, tier!=b", true, false),
            ("tier in (a, c)", true, false),
            ("tier notin (a,c)", false, true),
            ("app,!legacy", true, false),
        ] {
            check(&text.parse().unwrap(), on_web, on_bare);
        }
        for text in [",", "a b=c", "=x", "in (a)"] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(parts in proptest::collection::vec(
            ("[a-c]", prop_oneof![
                proptest::collection::vec("[x-z]", 1..3).prop_map(Test::In),
                proptest::collection::vec("[x-z]", 1..3).prop_map(Test::NotIn),
                Just(Test::Exists), Just(Test::DoesNotExist),
            ]), 1..4)) {
            let selector = Selector(parts.into_iter().map(|(key, test)| Requirement { key, test }).collect());
            prop_assert_eq!(selector.to_string().parse::<Selector>(), Ok(selector));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<Selector>();
        }
    }
}
