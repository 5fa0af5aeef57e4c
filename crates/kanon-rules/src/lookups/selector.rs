//! Label selectors as objects carry them in `spec`.

use kanon_core::{NodeKind, Object, Selector};
use kanon_lang::kubernetes::selector_of_node;

/// The selector in an object's `spec`; `None` where it selects nothing.
pub(crate) fn of_object(object: &Object) -> Option<Selector> {
    let spec = object.at(&["spec"])?;
    if let Some(pods) = spec.get("podSelector") {
        // A NetworkPolicy's empty selector means every pod.
        return selector_of_node(pods).ok();
    }
    let selector = spec.get("selector").filter(|it| it.kind() == NodeKind::Object)?;
    let is_service = matches!(object.str_at(&["kind"]), "Service" | "ReplicationController");
    if is_service && selector.is_empty() {
        return None;
    }
    selector_of_node(selector).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: serde_json::Value) -> Object {
        Object::from_value(&value)
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
