//! Label selectors: as lookups take them, and as objects carry them in `spec`.

use kanon_core::{Node, NodeKind, Object, Selector};
use kanon_lang::{Arena, Value};

/// What a lookup was given: nothing or nil for everything, a map of labels, a label selector, or text as kubectl takes it.
///
/// # Errors
/// What makes no selector: a fragment for people. A value that is no text never widens what is found.
pub(crate) fn of_value<'a>(value: Value<'a>, arena: &'a Arena) -> Result<Selector, String> {
    match value {
        _ if value.is_nil() => Ok(Selector::default()),
        Value::Str(text) => text.parse(),
        Value::Node(node) => of_node(node),
        Value::Map(_) | Value::Record(_) => of_node(Object::from_value(&value.to_json(arena)).root()),
        _ => Err("a selector is a map of labels, a label selector or a text such as `app=web`".to_owned()),
    }
}

fn of_node(node: Node<'_>) -> Result<Selector, String> {
    if node.kind() != NodeKind::Object {
        return Err("a selector is no list".to_owned());
    }
    if ["matchLabels", "matchExpressions"].iter().any(|it| node.get(it).is_some()) {
        return Selector::of(Some(node)).map_err(|it| format!("in a selector {it}"));
    }
    Selector::of_labels(node).map_err(|key| format!("the value of label `{key}` in a selector is no text"))
}

/// The selector in an object's `spec`; `None` where it selects nothing.
pub(crate) fn of_object(object: &Object) -> Option<Selector> {
    let spec = object.at(&["spec"])?;
    if let Some(pods) = spec.get("podSelector") {
        // A NetworkPolicy's empty selector means every pod.
        return of_node(pods).ok();
    }
    let selector = spec.get("selector").filter(|it| it.kind() == NodeKind::Object)?;
    let is_service = matches!(object.str_at(&["kind"]), "Service" | "ReplicationController");
    if is_service && selector.is_empty() {
        return None;
    }
    of_node(selector).ok()
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
            assert_eq!(of_value(Value::from_node(selector.root(), &arena), &arena), Err(why.to_owned()));
        }
        let near = object(json!({"matchExpressions": [{"key": "a", "operator": "Near"}]}));
        assert!(of_node(near.root()).is_err_and(|it| it.contains("`Near` is not one of")));
    }

    #[test]
    fn objects_carry_selectors_in_three_forms() {
        let labels = object(json!({"l": {"app": "web"}}));
        let labels = labels.at(&["l"]);
        let selects = |value| of_object(&object(value)).map(|it| it.matches_node(labels));
        let web = json!({"matchLabels": {"app": "web"}});
        assert_eq!(selects(json!({"kind": "PodDisruptionBudget", "spec": {"selector": web}})), Some(true));
        assert_eq!(selects(json!({"kind": "Service", "spec": {"selector": {"app": "web"}}})), Some(true));
        assert_eq!(selects(json!({"kind": "Service", "spec": {"selector": {"app": "db"}}})), Some(false));
        assert_eq!(selects(json!({"kind": "Service", "spec": {"selector": {}}})), None);
        assert_eq!(selects(json!({"kind": "NetworkPolicy", "spec": {"podSelector": {}}})), Some(true));
        assert_eq!(selects(json!({"kind": "ConfigMap"})), None);
    }
}
