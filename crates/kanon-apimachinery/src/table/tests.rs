use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{
    crd,
    request::ListOptions,
    testing::{Cluster, GATES, established, gate, gates},
};

fn columned() -> Arc<Resource> {
    let mut crd = established();
    crd["spec"]["versions"][0]["additionalPrinterColumns"] = json!([
        {"name": "Expr", "type": "string", "jsonPath": ".spec.expr"},
        {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status", "priority": 1},
        {"name": "Weight", "type": "integer", "jsonPath": ".spec.weight"},
        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]);
    crd::resources(&crd, None).remove(0)
}

#[test]
fn custom_cells_come_from_paths() {
    let object = Object::from_value(&json!({"metadata": {"name": "a", "creationTimestamp": "2026-11-21T09:00:00Z"},
        "spec": {"expr": "true", "weight": 5}, "status": {"conditions": [{"type": "Other", "status": "x"}, {"type": "Ready", "status": "True"}]}}));
    let now = "2026-11-21T09:04:42Z".parse().unwrap();
    let resource = columned();
    let rows = Rows { resource: &resource, include: IncludeObject::None, version: MetaVersion::V1, now };
    assert_eq!(rows.cells(&object), [json!("a"), json!("true"), json!("True"), json!(5), json!("4m42s")]);
    let bare = Object::from_value(&json!({"metadata": {"name": "b"}}));
    assert_eq!(rows.cells(&bare), [json!("b"), json!(null), json!(null), json!(null), json!(null)]);
    let definitions = columns(&resource);
    assert_eq!(
        definitions[2],
        json!({"name": "Ready", "type": "string", "format": "", "priority": 1,
            "description": "Custom resource definition column (in JSONPath format): .status.conditions[?(@.type==\"Ready\")].status"})
    );
    let plain = columns(&gates());
    assert_eq!((&plain[0]["name"], &plain[1]["name"]), (&json!("Name"), &json!("Age")));
}

#[test]
fn lists_become_tables() {
    let mut cluster = Cluster::new();
    cluster.post(GATES, &gate("a"));
    let resource = cluster.registry.resource("policy.example.io", "v1", "gates").unwrap();
    let listing = crate::list::read(&cluster.memory, resource, "shop", &ListOptions::default()).unwrap();
    let table = |include| {
        let rows = Rows { resource, include, version: MetaVersion::V1, now: cluster.now };
        serde_json::from_slice::<Value>(&rows.list(&listing).concat()).unwrap()
    };
    let with_metadata = table(IncludeObject::Metadata);
    assert_eq!((&with_metadata["kind"], &with_metadata["metadata"]["resourceVersion"]), (&json!("Table"), &json!("3")));
    let row = &with_metadata["rows"][0];
    assert_eq!(
        (&row["object"]["kind"], row["object"]["metadata"].get("managedFields")),
        (&json!("PartialObjectMetadata"), None)
    );
    assert_eq!(table(IncludeObject::Object)["rows"][0]["object"]["kind"], "Gate");
    assert!(table(IncludeObject::None)["rows"][0]["object"].is_null());
}

#[test]
fn every_builtin_kind_has_columns_and_as_many_cells() {
    let object = Object::from_value(&json!({"metadata": {"name": "a"}}));
    for resource in crate::resource::Registry::builtin().resources().filter(|it| it.allows("list")) {
        let rows =
            Rows { resource, include: IncludeObject::None, version: MetaVersion::V1, now: Timestamp::UNIX_EPOCH };
        assert_eq!(rows.cells(&object).len(), columns(resource).as_array().map_or(0, Vec::len), "{}", resource.plural);
    }
}
