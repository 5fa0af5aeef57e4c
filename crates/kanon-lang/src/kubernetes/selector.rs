//! Label selectors as expressions give them.

use kanon_core::{Node, NodeKind, Object, Selector};

use crate::{Arena, Value};

/// What a lookup was given: nothing or nil for everything, a map of labels, a label selector, or text as kubectl takes it.
///
/// # Errors
/// What makes no selector: a fragment for people. A value that is no text never widens what is found.
pub fn selector_of_value<'a>(value: Value<'a>, arena: &'a Arena) -> Result<Selector, String> {
    match value {
        _ if value.is_nil() => Ok(Selector::default()),
        Value::Str(text) => text.parse(),
        Value::Node(node) => selector_of_node(node),
        Value::Map(_) | Value::Record(_) => selector_of_node(Object::from_value(&value.to_json(arena)).root()),
        _ => Err("a selector is a map of labels, a label selector or a text such as `app=web`".to_owned()),
    }
}

/// A map of labels, or a label selector.
///
/// # Errors
/// What makes no selector.
pub fn selector_of_node(node: Node<'_>) -> Result<Selector, String> {
    if node.kind() != NodeKind::Object {
        return Err("a selector is no list".to_owned());
    }
    if ["matchLabels", "matchExpressions"].iter().any(|it| node.get(it).is_some()) {
        return Selector::of(Some(node)).map_err(|it| format!("in a selector {it}"));
    }
    Selector::of_labels(node).map_err(|key| format!("the value of label `{key}` in a selector is no text"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: serde_json::Value) -> Object {
        Object::from_value(&value)
    }

    #[test]
    fn what_makes_no_selector_says_why() {
        let arena = Arena::new();
        for (selector, why) in [
            (json!({"app": 1}), "the value of label `app` in a selector is no text"),
            (json!({"matchLabels": {"app": 1}}), "in a selector `matchLabels.app` is no text"),
            (json!([]), "a selector is no list"),
        ] {
            let selector = object(selector);
            assert_eq!(selector_of_value(Value::from_node(selector.root(), &arena), &arena), Err(why.to_owned()));
        }
        let near = object(json!({"matchExpressions": [{"key": "a", "operator": "Near"}]}));
        assert!(selector_of_node(near.root()).is_err_and(|it| it.contains("`Near` is not one of")));
    }
}
