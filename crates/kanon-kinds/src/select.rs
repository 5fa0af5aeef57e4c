//! Values of field selectors: what `--field-selector` compares.

use kanon_core::{Node, NodeKind, Object};

use crate::BuiltinKind;

/// The value of a selectable field as text: absent text is empty, absent booleans are `false`, absent numbers `0`, as Go's empty
/// values print. `None` when the kind cannot be selected by that field.
pub fn selectable_value(kind: &BuiltinKind, object: &Object, field: &str) -> Option<String> {
    if !matches!(field, "metadata.name" | "metadata.namespace") && !kind.selectable_fields.contains(&field) {
        return None;
    }
    let path: Vec<&str> = match (kind.gvk.kind.as_str(), field) {
        // Selected by a name of its own.
        ("Job", "status.successful") => vec!["status", "succeeded"],
        ("Event", "source") => return Some(source(object)),
        _ => field.split('.').collect(),
    };
    let absent = match field {
        "spec.hostNetwork" | "spec.unschedulable" => "false",
        "status.replicas" | "status.successful" => "0",
        _ => "",
    };
    Some(object.at(&path).and_then(text).unwrap_or_else(|| absent.to_owned()))
}

fn text(node: Node<'_>) -> Option<String> {
    match node.kind() {
        NodeKind::Null | NodeKind::List | NodeKind::Object => None,
        NodeKind::String => node.as_str().map(std::borrow::Cow::into_owned),
        NodeKind::Bool | NodeKind::Number => Some(node.raw().to_owned()),
    }
}

/// Who reported an event, in the older or the newer member.
fn source(event: &Object) -> String {
    let older = event.str_at(&["source", "component"]);
    if older.is_empty() { event.str_at(&["reportingComponent"]).to_owned() } else { older.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_compare_as_text() {
        let check = |group: &str, plural: &str, object: serde_json::Value, field: &str, want: Option<&str>| {
            let kind = crate::find(group, "v1", plural).unwrap();
            assert_eq!(
                selectable_value(kind, &Object::from_value(&object), field).as_deref(),
                want,
                "{plural} {field}"
            );
        };
        let pod = json!({"metadata": {"name": "p"}, "spec": {"hostNetwork": true}, "status": {"phase": "Running"}});
        check("", "pods", pod.clone(), "metadata.name", Some("p"));
        check("", "pods", pod.clone(), "spec.hostNetwork", Some("true"));
        check("", "pods", pod.clone(), "status.phase", Some("Running"));
        check("", "pods", pod.clone(), "spec.nodeName", Some(""));
        check("", "pods", pod, "spec.containers", None);
        check("", "pods", json!({}), "spec.hostNetwork", Some("false"));
        check("batch", "jobs", json!({"status": {"succeeded": 2}}), "status.successful", Some("2"));
        check("apps", "replicasets", json!({}), "status.replicas", Some("0"));
        check("", "events", json!({"source": {"component": "kubelet"}}), "source", Some("kubelet"));
    }
}
