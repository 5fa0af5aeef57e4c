use serde_json::json;

use super::*;
use crate::resource::Registry;

fn problems(metadata: Value) -> Vec<String> {
    validate_create(&crate::testing::gates(), &json!({"metadata": metadata})).iter().map(ToString::to_string).collect()
}

#[test]
fn names_are_required_and_checked() {
    assert_eq!(problems(json!({})), ["metadata.name: Required value: name or generateName is required"]);
    assert_eq!(problems(json!({"name": "a-1.b"})), Vec::<String>::new());
    let bad = problems(json!({"name": "A"}));
    assert!(bad[0].starts_with(r#"metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of"#));
    let prefix = problems(json!({"name": "a", "generateName": "A-"}));
    assert!(prefix[0].starts_with(r#"metadata.generateName: Invalid value: "A-": "#), "{prefix:?}");
}

#[test]
fn members_are_checked() {
    let bad = problems(json!({"name": "a", "labels": {"x": "a b"}, "annotations": {"a b": ""}, "finalizers": ["/"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]}));
    let fields: Vec<&str> = bad.iter().filter_map(|it| it.split(':').next()).collect();
    assert_eq!(
        fields,
        [
            "metadata.labels",
            "metadata.annotations",
            "metadata.finalizers",
            "metadata.finalizers",
            "metadata.finalizers",
            "metadata.ownerReferences.uid"
        ]
    );
}

#[test]
fn deleted_objects_get_no_new_finalizers() {
    let old = json!({"metadata": {"name": "a", "deletionTimestamp": "t", "finalizers": ["x.io/a"]}});
    let mut new = old.clone();
    new["metadata"]["finalizers"] = json!(["x.io/a", "x.io/b"]);
    let causes = validate_update(&new, &old);
    assert_eq!(
        causes[0].to_string(),
        r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x.io/b"}"#
    );
}

#[test]
fn namespace_comes_from_the_request() {
    let registry = Registry::builtin();
    let (pods, nodes) = (registry.resource("", "v1", "pods").unwrap(), registry.resource("", "v1", "nodes").unwrap());
    let mut pod = json!({"metadata": {"name": "a"}});
    assert_eq!(fill_namespace(pods, &mut pod, "shop"), Ok(()));
    assert_eq!(pod["metadata"]["namespace"], "shop");
    assert_eq!(fill_namespace(pods, &mut pod, "other").unwrap_err().code, 400);
    assert_eq!(fill_namespace(nodes, &mut pod, "").unwrap_err().code, 400);
}

#[test]
fn repeated_owners_go() {
    let owner = json!({"uid": "u"});
    let mut object = json!({"metadata": {"ownerReferences": [owner, owner]}});
    assert!(dedup_owners(&mut object).is_some());
    assert_eq!(object["metadata"]["ownerReferences"], json!([owner]));
    assert_eq!(dedup_owners(&mut object), None);
}
