//! Apply as observed on kube-apiserver 1.32.

use serde_json::json;

use super::*;
use crate::test_support::schema;

/// The kind of the worked example: `expr`, and targets by name with a default weight.
pub(super) fn gate() -> Schema {
    schema(&json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {
            "expr": {"type": "string"},
            "count": {"type": "integer"},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "args": {"type": "array", "items": {"type": "string"}},
            "ref": {"type": "object", "x-kubernetes-map-type": "atomic",
                "properties": {"kind": {"type": "string"}, "name": {"type": "string"}}},
            "env": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "targets": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {
                    "name": {"type": "string"}, "weight": {"type": "integer", "default": 5}, "note": {"type": "string"}}}},
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": {"type": "object", "properties": {
                    "port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}}}},
        }},
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    }}))
}

fn writer<'a>(manager: &'a str, now: &'a str) -> Writer<'a> {
    Writer { manager, api_version: "example.io/v1", subresource: "", now }
}

fn object(spec: Value) -> Value {
    json!({"apiVersion": "example.io/v1", "kind": "Gate", "metadata": {"name": "g"}, "spec": spec})
}

/// Applies and fills in defaults, as the server does.
fn run(live: Option<&Value>, spec: Value, manager: &str, now: &str, force: bool) -> Result<Value, String> {
    let schema = gate();
    let mut out =
        apply(&schema, live, &object(spec), &writer(manager, now), force).map_err(|error| error.to_string())?;
    crate::default::default(&schema, &mut out);
    Ok(out)
}

fn patch(live: &Value, spec: &Value, manager: &str, now: &str) -> Value {
    let mut new = live.clone();
    for (key, value) in spec.as_object().unwrap() {
        if value.is_null() {
            new["spec"].as_object_mut().unwrap().remove(key);
        } else {
            new["spec"][key] = value.clone();
        }
    }
    update_managed_fields(&gate(), Some(live), &mut new, &writer(manager, now));
    new
}

/// `manager operation time: paths`, one an entry.
fn owners(object: &Value) -> Vec<String> {
    let line = |it: &ManagerEntry| {
        format!(
            "{} {} {}: {}",
            it.manager,
            it.operation.name(),
            it.time.as_deref().unwrap_or("-"),
            it.fields.paths().join(" ")
        )
    };
    managers(object).unwrap().iter().map(line).collect()
}

#[test]
fn the_worked_example_of_the_specification_holds() {
    let one = run(None, json!({"expr": "a", "targets": [{"name": "x"}]}), "A", "t1", false).unwrap();
    assert_eq!(one["spec"]["targets"], json!([{"name": "x", "weight": 5}]));
    let two = run(Some(&one), json!({"expr": "a", "targets": [{"name": "y"}]}), "B", "t2", false).unwrap();
    assert_eq!(two["spec"]["targets"], json!([{"name": "x", "weight": 5}, {"name": "y", "weight": 5}]));
    assert_eq!(
        owners(&two),
        [
            r#"A Apply t1: .spec.expr .spec.targets[name="x"] .spec.targets[name="x"].name"#,
            r#"B Apply t2: .spec.expr .spec.targets[name="y"] .spec.targets[name="y"].name"#,
        ]
    );

    let three = run(Some(&two), json!({"expr": "a"}), "A", "t3", false).unwrap();
    assert_eq!(three["spec"]["targets"], json!([{"name": "y", "weight": 5}]));
    let again = run(Some(&three), json!({"expr": "a"}), "A", "t4", false).unwrap();
    assert_eq!(again, three, "the same body changes nothing, times included");

    let four = patch(&three, &json!({"expr": "c"}), "C", "t5");
    assert_eq!(
        owners(&four),
        [r#"B Apply t2: .spec.targets[name="y"] .spec.targets[name="y"].name"#, "C Update t5: .spec.expr",]
    );
    let refused = run(Some(&four), json!({"expr": "a"}), "A", "t6", false);
    assert_eq!(
        refused.unwrap_err(),
        r#"Apply failed with 1 conflict: conflict with "C" using example.io/v1: .spec.expr"#
    );
    let five = run(Some(&four), json!({"expr": "a"}), "A", "t7", true).unwrap();
    assert_eq!(five["spec"]["expr"], json!("a"));
    assert_eq!(
        owners(&five),
        [r#"B Apply t2: .spec.targets[name="y"] .spec.targets[name="y"].name"#, "A Apply t7: .spec.expr",]
    );
}

#[test]
fn conflicts_name_managers_and_paths() {
    let live =
        run(None, json!({"expr": "a", "count": 1, "targets": [{"name": "x", "weight": 1}]}), "A", "t1", false).unwrap();
    let refused = run(Some(&live), json!({"expr": "b", "targets": [{"name": "x", "weight": 2}]}), "B", "t2", false);
    assert_eq!(
        refused.unwrap_err(),
        "Apply failed with 2 conflicts: conflicts with \"A\":\n- .spec.expr\n- .spec.targets[name=\"x\"].weight"
    );
    let shared = run(Some(&live), json!({"expr": "a"}), "B", "t2", false).unwrap();
    assert_eq!(shared["spec"], live["spec"], "equal values never conflict");
    assert_eq!(owners(&shared).len(), 2);
}

#[test]
fn what_others_own_too_stays() {
    let live = run(None, json!({"expr": "a", "env": {"k": "1"}, "tags": ["x", "y"]}), "A", "t1", false).unwrap();
    let live = run(Some(&live), json!({"expr": "a", "tags": ["y", "z"]}), "B", "t2", false).unwrap();
    assert_eq!(live["spec"]["tags"], json!(["x", "y", "z"]));
    let live = patch(&live, &json!({"env": {"k": "1", "other": "2"}}), "C", "t3");
    let live = run(Some(&live), json!({}), "A", "t4", false).unwrap();
    assert_eq!(live["spec"], json!({"expr": "a", "tags": ["y", "z"], "env": {"other": "2"}}));
    assert_eq!(
        owners(&live),
        [
            r#"B Apply t2: .spec.expr .spec.tags[="y"] .spec.tags[="z"]"#,
            "A Apply t4: .spec",
            "C Update t3: .spec.env.other",
        ]
    );
}

#[test]
fn the_only_owner_takes_away_all_it_applied() {
    let live = run(
        None,
        json!({"expr": "a", "ref": {"kind": "K", "name": "n"}, "args": ["1"], "env": {"k": "v"}}),
        "A",
        "t1",
        false,
    );
    let schema = gate();
    let bare = json!({"apiVersion": "example.io/v1", "kind": "Gate", "metadata": {"name": "g"}});
    let after = apply(&schema, Some(&live.unwrap()), &bare, &writer("A", "t2"), false).unwrap();
    assert_eq!(after, bare, "no field and no entry remains");
}

#[test]
fn atomic_parts_are_owned_as_a_whole() {
    let live = run(None, json!({"ref": {"kind": "K", "name": "n"}, "args": ["1", "2"]}), "A", "t1", false).unwrap();
    assert_eq!(owners(&live), ["A Apply t1: .spec.args .spec.ref"]);
    let refused = run(Some(&live), json!({"args": ["1"]}), "B", "t2", false).unwrap_err();
    assert!(refused.ends_with(".spec.args"), "{refused}");
    let taken = run(Some(&live), json!({"args": ["3"]}), "B", "t2", true).unwrap();
    assert_eq!(taken["spec"], json!({"args": ["3"], "ref": {"kind": "K", "name": "n"}}));
}

#[test]
fn an_element_that_stays_keeps_its_name() {
    let mut live = run(None, json!({"targets": [{"name": "x", "note": "n"}]}), "A", "t1", false).unwrap();
    let other = json!({"manager": "C", "operation": "Update", "apiVersion": "example.io/v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:targets": {"k:{\"name\":\"x\"}": {}}}}});
    live["metadata"]["managedFields"].as_array_mut().unwrap().push(other);
    let after = run(Some(&live), json!({"expr": "e"}), "A", "t2", false).unwrap();
    assert_eq!(after["spec"]["targets"], json!([{"name": "x", "weight": 5}]));
}

#[test]
fn default_keys_name_elements() {
    let live = run(None, json!({"ports": [{"port": 80}]}), "A", "t1", false).unwrap();
    assert_eq!(live["spec"]["ports"], json!([{"port": 80, "protocol": "TCP"}]));
    assert_eq!(
        owners(&live),
        [r#"A Apply t1: .spec.ports[port=80,protocol="TCP"] .spec.ports[port=80,protocol="TCP"].port"#]
    );
    let same = run(Some(&live), json!({"ports": [{"port": 80, "protocol": "TCP"}]}), "B", "t2", false).unwrap();
    assert_eq!(same["spec"]["ports"].as_array().unwrap().len(), 1);
}

#[test]
fn lists_keep_the_configurations_order() {
    let check = |live: &[&str], config: &[&str], want: &[&str]| {
        let list = |names: &[&str]| json!({"tags": names});
        let live = object(list(live));
        let out = run(Some(&live), list(config), "A", "t1", true).unwrap();
        assert_eq!(out["spec"]["tags"], json!(want), "{config:?} into {live}");
    };
    check(&["a", "b"], &["a", "b"], &["a", "b"]);
    check(&["a", "b"], &["b", "a"], &["b", "a"]);
    check(&["a", "b", "c"], &["c", "x", "a"], &["b", "c", "x", "a"]);
    check(&["a"], &["x", "a", "y"], &["x", "a", "y"]);
    check(&["a", "b"], &["x"], &["a", "b", "x"]);
    check(&[], &["x"], &["x"]);
}

#[test]
fn configurations_must_fit_the_schema() {
    let refuse = |spec: Value, want: &str| {
        assert_eq!(run(None, spec, "A", "t1", false).unwrap_err(), want);
    };
    refuse(json!({"x": 1}), ".spec.x: field not declared in schema");
    refuse(
        json!({"targets": [{"name": "y"}, {"name": "y"}]}),
        r#".spec.targets: duplicate entries for key [name="y"]"#,
    );
    refuse(json!({"tags": ["y", "y"]}), r#".spec.tags: duplicate entries for key [="y"]"#);
    refuse(
        json!({"targets": [{"name": "y", "nope": 1}]}),
        r#".spec.targets[name="y"].nope: field not declared in schema"#,
    );
    refuse(
        json!({"targets": [{}]}),
        r#".spec.targets: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn't have default values for any key fields)"#,
    );
    refuse(
        json!({"count": "a", "expr": 1}),
        "errors:\n  .spec.count: expected numeric (int or float), got string\n  .spec.expr: expected string, got &value.valueUnstructured{Value:1}",
    );
    refuse(
        json!({"env": ["a"], "args": {"b": 1}}),
        "errors:\n  .spec.args: expected list, got &{map[b:1]}\n  .spec.env: expected map, got &{[a]}",
    );
    let mut config = object(json!({}));
    config["metadata"]["managedFields"] = json!([]);
    let refused = apply(&gate(), None, &config, &writer("A", "t1"), false);
    assert_eq!(refused, Err(ApplyError::ManagedFields));
}

#[test]
fn updates_take_what_they_change() {
    let mut created = object(json!({"expr": "a", "env": {"k": "v"}, "targets": [{"name": "x"}]}));
    created["metadata"]["labels"] = json!({"l": "1"});
    update_managed_fields(&gate(), None, &mut created, &writer("C", "t1"));
    assert_eq!(
        created["metadata"]["managedFields"],
        json!([{"manager": "C", "operation": "Update", "apiVersion": "example.io/v1", "time": "t1", "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
                "f:spec": {".": {}, "f:expr": {}, "f:env": {".": {}, "f:k": {}},
                    "f:targets": {".": {}, "k:{\"name\":\"x\"}": {".": {}, "f:name": {}}}}}}])
    );
    let same = patch(&created, &json!({}), "D", "t2");
    assert_eq!(same, created, "a write that changes nothing changes no entry");
    let changed = patch(&created, &json!({"expr": "b", "env": null}), "D", "t3");
    assert_eq!(
        owners(&changed),
        [
            r#"C Update t1: .metadata.labels .metadata.labels.l .spec .spec.targets .spec.targets[name="x"] .spec.targets[name="x"].name"#,
            "D Update t3: .spec.expr",
        ]
    );
    for (list, kept) in [(json!([]), 2), (json!([{}]), 0)] {
        let mut new = changed.clone();
        new["metadata"]["managedFields"] = list;
        update_managed_fields(&gate(), Some(&changed), &mut new, &writer("E", "t4"));
        assert_eq!(owners(&new).len(), kept);
    }
    let status = Writer { subresource: "status", ..writer("S", "t5") };
    let mut new = changed.clone();
    new["status"] = json!({"phase": "Ready"});
    new["metadata"]["managedFields"] = json!([]);
    update_managed_fields(&gate(), Some(&changed), &mut new, &status);
    assert_eq!(owners(&new).len(), 3, "through a subresource nobody resets entries");
    assert_eq!(new["metadata"]["managedFields"][2]["subresource"], json!("status"));
    let taken = run(Some(&new), json!({}), "A", "t6", false).unwrap();
    assert_eq!(taken["status"], new["status"]);
}

#[test]
fn old_update_entries_are_folded() {
    let mut live = object(json!({}));
    for number in 0..14 {
        let name = format!("m{number:02}");
        live = patch(&live, &json!({"free": {}, "env": {name.as_str(): "1"}}), &name, &format!("t{number:02}"));
        live = patch(&live, &json!({"args": [name.as_str()]}), &name, &format!("t{number:02}"));
    }
    let names: Vec<String> = managers(&live).unwrap().into_iter().map(|it| it.manager).collect();
    assert!(names.len() <= 10, "{names:?}");
}

#[test]
fn kubectl_moves_from_client_side_to_server_side() {
    let mut live = object(json!({"expr": "a"}));
    let last = object(json!({"expr": "a"})).to_string();
    live["metadata"]["annotations"] = json!({LAST_APPLIED: last});
    update_managed_fields(&gate(), None, &mut live, &writer("kubectl-client-side-apply", "t1"));
    let moved = apply(&gate(), Some(&live), &object(json!({"expr": "b"})), &writer("kubectl", "t2"), false).unwrap();
    assert_eq!(moved["spec"]["expr"], json!("b"));
    let kept: Value = serde_json::from_str(moved["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap()).unwrap();
    assert_eq!(kept["spec"], json!({"expr": "b"}));
    let other = apply(&gate(), Some(&live), &object(json!({"expr": "b"})), &writer("flux", "t2"), false);
    assert!(matches!(other, Err(ApplyError::Conflicts(_))));
}

#[test]
fn field_sets_read_back_as_written() {
    let json = json!({"f:spec": {".": {}, "f:a": {}, "k:{\"b\":1,\"a\":\"x\"}": {".": {}, "f:c": {}}, "v:\"s\"": {}, "i:3": {}}});
    let set = FieldSet::from_fields_v1(&json).unwrap();
    assert_eq!(
        set.paths(),
        [".spec", ".spec.a", r#".spec[a="x",b=1]"#, r#".spec[a="x",b=1].c"#, r#".spec[="s"]"#, ".spec[3]"]
    );
    assert_eq!(FieldSet::from_fields_v1(&set.to_fields_v1()).unwrap(), set);
    assert!(FieldSet::from_fields_v1(&json!({"x:y": {}})).is_err());
}
