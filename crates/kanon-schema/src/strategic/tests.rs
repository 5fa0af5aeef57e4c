use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::schema::{PatchStrategy, Type};

fn object(members: impl IntoIterator<Item = (&'static str, Schema)>) -> Schema {
    let properties = members.into_iter().map(|(name, schema)| (name.to_owned(), Arc::new(schema))).collect();
    Schema { kind: Type::Object, properties, ..Schema::default() }
}

fn merged_list(items: Schema, key: Option<&str>) -> Schema {
    let patch = PatchStrategy { merge: true, retain_keys: false, merge_key: key.map(str::to_owned) };
    Schema { kind: Type::Array, items: Some(Arc::new(items)), patch, ..Schema::default() }
}

/// A deployment in miniature.
pub(super) fn schema() -> Schema {
    let port = object([]);
    let container = object([("ports", merged_list(port, Some("containerPort"))), ("args", Schema::default())]);
    object([
        ("containers", merged_list(container, Some("name"))),
        ("finalizers", merged_list(Schema::default(), None)),
        ("labels", object([])),
        ("strategy", object([])),
    ])
}

#[track_caller]
fn check(current: Value, patch: Value, want: Value) {
    assert_eq!(strategic_merge(&schema(), &current, &patch), Ok(want));
}

#[test]
fn maps_merge_and_null_deletes() {
    check(
        json!({"labels": {"a": "1", "b": "2"}, "x": 1}),
        json!({"labels": {"b": null, "c": "3"}}),
        json!({"labels": {"a": "1", "c": "3"}, "x": 1}),
    );
    check(
        json!({"labels": {"a": "1"}}),
        json!({"labels": {"$patch": "replace", "b": "2"}}),
        json!({"labels": {"b": "2"}}),
    );
    check(json!({"labels": {"a": "1"}, "x": 1}), json!({"labels": {"$patch": "delete"}}), json!({"x": 1}));
}

#[test]
fn lists_merge_by_key() {
    let current = json!({"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"}]});
    check(
        current.clone(),
        json!({"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}, {"name": "a", "args": ["y"]}]}),
        json!({"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}, {"name": "a", "image": "1", "args": ["y"]}]}),
    );
    check(
        current.clone(),
        json!({"containers": [{"name": "a", "$patch": "delete"}]}),
        json!({"containers": [{"name": "b", "image": "1"}]}),
    );
    check(
        current.clone(),
        json!({"containers": [{"$patch": "replace"}, {"name": "z"}]}),
        json!({"containers": [{"name": "z"}]}),
    );
    check(
        current,
        json!({"containers": [{"name": "b", "ports": [{"containerPort": 80}]}], "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
        json!({"containers": [{"name": "b", "image": "1", "ports": [{"containerPort": 80}]}, {"name": "a", "image": "1", "args": ["x"]}]}),
    );
}

#[test]
fn what_a_patch_adds_comes_before_what_it_does_not_name() {
    let named = |names: &[&str]| json!({"containers": names.iter().map(|it| json!({"name": it})).collect::<Vec<_>>()});
    check(named(&["a", "b"]), named(&["n"]), named(&["n", "a", "b"]));
    check(named(&["a", "b", "c"]), named(&["b", "n"]), named(&["a", "b", "n", "c"]));
    check(named(&["a", "b", "c"]), named(&["c", "a"]), named(&["b", "c", "a"]));
}

#[test]
fn lists_of_scalars_merge_as_sets() {
    let current = json!({"finalizers": ["a", "b"]});
    check(current.clone(), json!({"finalizers": ["b", "c"]}), json!({"finalizers": ["a", "b", "c"]}));
    check(current.clone(), json!({"$deleteFromPrimitiveList/finalizers": ["a"]}), json!({"finalizers": ["b"]}));
    check(
        current,
        json!({"finalizers": ["c"], "$setElementOrder/finalizers": ["c", "a"]}),
        json!({"finalizers": ["c", "a", "b"]}),
    );
    check(json!({"finalizers": ["a"]}), json!({"finalizers": ["b"]}), json!({"finalizers": ["b", "a"]}));
}

#[test]
fn retained_keys_are_the_only_ones_that_stay() {
    check(
        json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
        json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
        json!({"strategy": {"type": "Recreate"}}),
    );
}

#[test]
fn elements_below_elements_merge_by_their_own_keys() {
    let ports = |list: Value| json!({"containers": [{"name": "a", "ports": list}]});
    let two = || json!([{"containerPort": 80, "protocol": "TCP", "name": "web"}, {"containerPort": 81}]);
    check(
        ports(two()),
        ports(json!([{"containerPort": 80, "protocol": "UDP"}])),
        ports(json!([{"containerPort": 80, "protocol": "UDP", "name": "web"}, {"containerPort": 81}])),
    );
    check(
        ports(two()),
        ports(json!([{"containerPort": 81, "$patch": "delete"}])),
        ports(json!([{"containerPort": 80, "protocol": "TCP", "name": "web"}])),
    );
    check(
        ports(two()),
        ports(json!([{"containerPort": 82, "name": null}, {"$patch": "replace"}])),
        ports(json!([{"containerPort": 82}])),
    );
    let reordered = json!({"containers": [{"name": "a",
        "$setElementOrder/ports": [{"containerPort": 81}, {"containerPort": 80}], "ports": [{"containerPort": 81, "name": "b"}]}]});
    check(
        ports(two()),
        reordered,
        ports(json!([{"containerPort": 81, "name": "b"}, {"containerPort": 80, "protocol": "TCP", "name": "web"}])),
    );
    // A list without a merge key is replaced.
    check(
        json!({"containers": [{"name": "a", "args": ["x", "y"]}]}),
        json!({"containers": [{"name": "a", "args": ["z"]}]}),
        json!({"containers": [{"name": "a", "args": ["z"]}]}),
    );
}

#[test]
fn unmergeable_patches_say_why() {
    let error = |patch| strategic_merge(&schema(), &json!({}), &patch).unwrap_err().to_string();
    assert_eq!(
        error(json!({"containers": [{"image": "x"}]})),
        r#"map: {"image":"x"} does not contain declared merge key: name"#
    );
    assert_eq!(
        error(json!({"labels": {"$patch": "explode"}})),
        "`.labels`: unknown patch type `explode`: `$patch` is replace, delete or merge"
    );
    assert_eq!(
        error(json!({"strategy": {"$retainKeys": ["type"], "rollingUpdate": {}}})),
        "`.strategy.$retainKeys`: `rollingUpdate` is in the patch, but not among the members to retain"
    );
    assert_eq!(error(json!([])), "``: expected an object in the patch");
}

#[test]
fn an_object_patched_with_itself_or_nothing_stays_as_it_is() {
    let current = json!({"containers": [{"name": "a", "ports": [{"containerPort": 1}]}], "finalizers": ["f"], "n": 1});
    check(current.clone(), json!({}), current.clone());
    check(current.clone(), current.clone(), current);
}
