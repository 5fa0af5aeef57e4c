//! Label selectors: as lookups take them, and as objects carry them in `spec`.

use kanon_core::{Node, NodeKind, Object};
use kanon_lang::{Arena, Value};

/// All of these must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Selector(Vec<Requirement>);

/// One condition on a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Requirement {
    key: String,
    /// Whether the label has to be there with one of `values` (any, when there is none), or must not.
    holds: bool,
    values: Vec<String>,
}

impl Requirement {
    fn new(key: &str, holds: bool, values: &[&str]) -> Requirement {
        Requirement { key: key.to_owned(), holds, values: values.iter().map(|it| (*it).to_owned()).collect() }
    }

    fn matches(&self, labels: Option<Node<'_>>) -> bool {
        let label = labels.and_then(|it| it.get(&self.key)).and_then(Node::as_str);
        let found = label.is_some_and(|it| self.values.is_empty() || self.values.iter().any(|value| **value == *it));
        found == self.holds
    }
}

impl Selector {
    /// Whether an object's own labels match.
    pub(crate) fn matches(&self, object: &Object) -> bool {
        self.matches_labels(object.at(&["metadata", "labels"]))
    }

    /// Whether labels match.
    pub(crate) fn matches_labels(&self, labels: Option<Node<'_>>) -> bool {
        self.0.iter().all(|it| it.matches(labels))
    }

    /// What a lookup was given: nothing or nil for everything, a map of labels, a label selector, or text as kubectl takes it.
    ///
    /// # Errors
    /// What makes no selector: a fragment for people. A value that is no text never widens what is found.
    pub(crate) fn of_value<'a>(value: Value<'a>, arena: &'a Arena) -> Result<Selector, String> {
        match value {
            _ if value.is_nil() => Ok(Selector::default()),
            Value::Str(text) => Selector::parse(text),
            Value::Map(_) | Value::Node(_) | Value::Record(_) => Selector::of_json(&value.to_json(arena)),
            _ => Err("a selector is a map of labels, a label selector or a text such as `app=web`".to_owned()),
        }
    }

    fn of_json(value: &serde_json::Value) -> Result<Selector, String> {
        let Some(members) = value.as_object() else { return Err("a selector is no list".to_owned()) };
        let is_label_selector = members.contains_key("matchLabels") || members.contains_key("matchExpressions");
        let whole = serde_json::Value::Object(members.clone());
        let labels = if is_label_selector { &value["matchLabels"] } else { &whole };
        let mut all = Vec::new();
        for (key, value) in labels.as_object().into_iter().flatten() {
            let Some(text) = value.as_str() else {
                return Err(format!("the value of label `{key}` in a selector is no text"));
            };
            all.push(Requirement::new(key, true, &[text]));
        }
        let expressions = value["matchExpressions"].as_array().filter(|_| is_label_selector);
        for it in expressions.into_iter().flatten() {
            let key = it["key"].as_str().unwrap_or_default();
            let values: Vec<_> = it["values"].as_array().into_iter().flatten().filter_map(|it| it.as_str()).collect();
            all.push(match it["operator"].as_str() {
                Some("In") if values.is_empty() => return Err(format!("`In` for label `{key}` without values")),
                Some("In") => Requirement::new(key, true, &values),
                Some("NotIn") if values.is_empty() => return Err(format!("`NotIn` for label `{key}` without values")),
                Some("NotIn") => Requirement::new(key, false, &values),
                Some("Exists") => Requirement::new(key, true, &[]),
                Some("DoesNotExist") => Requirement::new(key, false, &[]),
                _ => return Err(format!("label `{key}`: an operator is In, NotIn, Exists or DoesNotExist")),
            });
        }
        Ok(Selector(all))
    }

    /// As kubectl takes them: `a=b,c!=d,e in (f, g),h notin (i),j,!k`.
    fn parse(text: &str) -> Result<Selector, String> {
        let mut all = Vec::new();
        for part in split(text) {
            let part = part.trim();
            let set = |word: &str| {
                let (key, rest) = part.split_once(word)?;
                let values = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
                Some((key.trim().to_owned(), values.split(',').map(|it| it.trim().to_owned()).collect::<Vec<_>>()))
            };
            let of = |key: &str, holds, value: &str| Requirement::new(key.trim(), holds, &[value.trim()]);
            let requirement = if let Some((key, values)) = set(" notin ") {
                Requirement { key, holds: false, values }
            } else if let Some((key, values)) = set(" in ") {
                Requirement { key, holds: true, values }
            } else if let Some((key, value)) = part.split_once("!=") {
                of(key, false, value)
            } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                of(key, true, value)
            } else if let Some(key) = part.strip_prefix('!') {
                Requirement::new(key.trim(), false, &[])
            } else {
                Requirement::new(part, true, &[])
            };
            if requirement.key.is_empty()
                || requirement.key.contains(|it: char| it.is_whitespace() || "()".contains(it))
            {
                return Err(format!("`{text}` is no selector: write `app=web,tier in (a, b),!legacy`"));
            }
            all.push(requirement);
        }
        Ok(Selector(all))
    }

    /// The selector in an object's `spec`; `None` where it selects nothing.
    pub(crate) fn of_object(object: &Object) -> Option<Selector> {
        let spec = object.at(&["spec"])?;
        if let Some(pods) = spec.get("podSelector") {
            // A NetworkPolicy's empty selector means every pod.
            return Selector::of_json(&pods.to_value()).ok();
        }
        let selector = spec.get("selector").filter(|it| it.kind() == NodeKind::Object)?;
        let is_service = matches!(object.str_at(&["kind"]), "Service" | "ReplicationController");
        if is_service && selector.is_empty() {
            return None;
        }
        Selector::of_json(&selector.to_value()).ok()
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: serde_json::Value) -> Object {
        Object::from_value(&value)
    }

    #[test]
    fn selectors_match_labels() {
        let web = object(json!({"metadata": {"labels": {"app": "web", "tier": "a"}}}));
        let bare = object(json!({"metadata": {}}));
        for (selector, on_web, on_bare) in [
            (json!({}), true, true),
            (json!({"app": "web"}), true, false),
            (json!({"app": "web", "tier": "b"}), false, false),
            (json!({"matchLabels": {"app": "web"}}), true, false),
            (json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}), false, true),
            (json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]}), true, false),
            (json!({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}), true, true),
        ] {
            let it = Selector::of_json(&selector).unwrap();
            assert_eq!((it.matches(&web), it.matches(&bare)), (on_web, on_bare), "{selector}");
        }
        for (text, on_web, on_bare) in [
            ("", true, true),
            ("app=web", true, false),
            ("app==web, tier!=b", true, false),
            ("tier in (a, c)", true, false),
            ("tier notin (a,c)", false, true),
            ("app,!legacy", true, false),
        ] {
            let it = Selector::parse(text).unwrap();
            assert_eq!((it.matches(&web), it.matches(&bare)), (on_web, on_bare), "{text}");
        }
        for text in [",", "a b=c", "=x", "in (a)"] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
        assert!(Selector::of_json(&json!({"app": 1})).is_err());
        assert!(Selector::of_json(&json!({"matchExpressions": [{"key": "a", "operator": "Near"}]})).is_err());
    }

    #[test]
    fn objects_carry_selectors_in_three_forms() {
        let labels = object(json!({"l": {"app": "web"}}));
        let labels = labels.at(&["l"]);
        let selects = |value| Selector::of_object(&object(value)).map(|it| it.matches_labels(labels));
        let web = json!({"matchLabels": {"app": "web"}});
        assert_eq!(selects(json!({"kind": "PodDisruptionBudget", "spec": {"selector": web}})), Some(true));
        assert_eq!(selects(json!({"kind": "Service", "spec": {"selector": {"app": "web"}}})), Some(true));
        assert_eq!(selects(json!({"kind": "Service", "spec": {"selector": {"app": "db"}}})), Some(false));
        assert_eq!(selects(json!({"kind": "Service", "spec": {"selector": {}}})), None);
        assert_eq!(selects(json!({"kind": "NetworkPolicy", "spec": {"podSelector": {}}})), Some(true));
        assert_eq!(selects(json!({"kind": "ConfigMap"})), None);
    }
}
