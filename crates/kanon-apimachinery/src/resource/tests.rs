use serde_json::json;

use super::*;

#[test]
fn builtin_resources_have_their_place() {
    let registry = Registry::builtin();
    let pods = registry.resource("", "v1", "pods").unwrap();
    assert_eq!(pods.key("shop", "web").as_str(), "core/pods/shop/web");
    assert_eq!(
        (pods.list_prefix(""), pods.list_prefix("shop")),
        ("core/pods/".to_owned(), "core/pods/shop/".to_owned())
    );
    assert_eq!(pods.path(), "/api/v1/pods");
    let nodes = registry.resource("", "v1", "nodes").unwrap();
    assert_eq!(nodes.key("ignored", "a").as_str(), "core/nodes/a");
    assert_eq!(registry.by_api_version("apps/v1", "Deployment").unwrap().prefix, "apps/deployments");
    assert!(registry.resource("apps", "v1", "pods").is_none());
    let events = registry.resource("events.k8s.io", "v1", "events").unwrap();
    assert_eq!((events.prefix.as_str(), events.serves_stored_form()), ("core/events", false));
    assert_eq!(registry.collections()["core/events"].gvk.group, "");
}

#[test]
fn selectable_fields_read_zero_values() {
    let registry = Registry::builtin();
    let pods = registry.resource("", "v1", "pods").unwrap();
    let pod = Object::from_value(&json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}}));
    for (field, want) in
        [("metadata.name", "a"), ("spec.nodeName", "n1"), ("spec.hostNetwork", "false"), ("status.phase", "")]
    {
        assert_eq!(pods.selectable_value(&pod, field), want, "{field}");
    }
    let events = registry.resource("events.k8s.io", "v1", "events").unwrap();
    let event = Object::from_value(&json!({"involvedObject": {"kind": "Pod"}, "source": {"component": "c"}}));
    assert_eq!(events.selectable_value(&event, "regarding.kind"), "Pod");
    let core = registry.resource("", "v1", "events").unwrap();
    assert_eq!(core.selectable_value(&event, "source"), "c");
}
