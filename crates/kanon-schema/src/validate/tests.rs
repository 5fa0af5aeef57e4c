//! Message by message, as kube-apiserver 1.32 prints them.

use serde_json::json;

use super::*;
use crate::test_support::schema;

fn check(node: &Value, value: Value, want: &[&str]) {
    let schema =
        schema(&json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"x": node}}}}));
    let object = json!({"spec": {"x": value}});
    let errors: Vec<String> = validate(&schema, &object).iter().map(ToString::to_string).collect();
    assert_eq!(errors, want, "{node} against {object}");
}

#[test]
fn scalars_are_judged_in_upstreams_words() {
    let text = json!({"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^a"});
    check(&text, json!("ab"), &[]);
    check(&text, json!(""), &[r#"spec.x: Invalid value: "": spec.x in body should be at least 1 chars long"#]);
    check(&text, json!("aééé"), &["spec.x: Too long: may not be more than 3 bytes"]);
    check(&text, json!("b"), &[r#"spec.x: Invalid value: "b": spec.x in body should match '^a'"#]);
    check(&text, json!(1), &[r#"spec.x: Invalid value: "integer": spec.x in body must be of type string: "integer""#]);
    check(&text, json!(null), &[r#"spec.x: Invalid value: "null": spec.x in body must be of type string: "null""#]);
    check(&json!({"type": "string", "nullable": true}), json!(null), &[]);
    let mode = json!({"type": "string", "enum": ["Audit", "Warn", "Block"]});
    check(&mode, json!("Nope"), &[r#"spec.x: Unsupported value: "Nope": supported values: "Audit", "Warn", "Block""#]);
    check(&json!({"type": "integer", "enum": [1, 2]}), json!(2), &[]);
    check(
        &json!({"type": "integer", "enum": [1, 2]}),
        json!(3),
        &[r#"spec.x: Unsupported value: 3: supported values: "1", "2""#],
    );
    check(
        &json!({"type": "string", "format": "date-time"}),
        json!("soon"),
        &[r#"spec.x: Invalid value: "soon": spec.x in body must be of type date-time: "soon""#],
    );
}

#[test]
fn numbers_are_judged_in_upstreams_words() {
    let number = json!({"type": "integer", "minimum": 1, "maximum": 10, "multipleOf": 2});
    check(&number, json!(4), &[]);
    check(&number, json!(4.0), &[]);
    check(&number, json!(98), &["spec.x: Invalid value: 98: spec.x in body should be less than or equal to 10"]);
    check(
        &number,
        json!(-1),
        &[
            "spec.x: Invalid value: -1: spec.x in body should be a multiple of 2",
            "spec.x: Invalid value: -1: spec.x in body should be greater than or equal to 1",
        ],
    );
    check(
        &number,
        json!(1.5),
        &[
            r#"spec.x: Invalid value: "number": spec.x in body must be of type integer: "number""#,
            "spec.x: Invalid value: 1.5: spec.x in body should be a multiple of 2",
        ],
    );
    let open =
        json!({"type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 1.5, "exclusiveMaximum": true});
    check(&open, json!(1), &[]);
    check(&open, json!(0), &["spec.x: Invalid value: 0: spec.x in body should be greater than 0"]);
    check(&open, json!(1.5), &["spec.x: Invalid value: 1.5: spec.x in body should be less than 1.5"]);
    check(
        &json!({"type": "integer", "format": "int32"}),
        json!(3_000_000_000_u64),
        &[r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.x"#],
    );
    let either = json!({"x-kubernetes-int-or-string": true});
    check(&either, json!(1), &[]);
    check(&either, json!("1"), &[]);
    check(
        &either,
        json!(true),
        &[r#"spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean""#],
    );
}

#[test]
fn lists_and_objects_are_judged_in_upstreams_words() {
    let list = json!({"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string"}});
    check(&list, json!([]), &["spec.x: Invalid value: 0: spec.x in body should have at least 1 items"]);
    check(&list, json!(["a", "b", "c"]), &["spec.x: Too many: 3: must have at most 2 items"]);
    check(
        &list,
        json!([1]),
        &[r#"spec.x[0]: Invalid value: "integer": spec.x[0] in body must be of type string: "integer""#],
    );
    let map =
        json!({"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "string"}});
    check(&map, json!({}), &["spec.x: Invalid value: 0: spec.x in body should have at least 1 properties"]);
    check(&map, json!({"a": "", "b": ""}), &["spec.x: Too many: 2: must have at most 1 item"]);
    check(
        &map,
        json!({"a/b": 1}),
        &[r#"spec.x.a/b: Invalid value: "integer": spec.x.a/b in body must be of type string: "integer""#],
    );
    check(
        &json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}),
        json!({}),
        &["spec.x.name: Required value"],
    );
    let set = json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}});
    check(&set, json!(["a", "b", "a", "a"]), &[r#"spec.x[2]: Duplicate value: "a""#]);
    let keyed = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "properties": {"name": {"type": "string"}}}});
    check(
        &keyed,
        json!([{"name": "y"}, {"name": "z"}, {"name": "y"}]),
        &[r#"spec.x[2]: Duplicate value: map[string]interface {}{"name":"y"}"#],
    );
    let unique = json!({"type": "array", "uniqueItems": true, "items": {"type": "integer"}});
    check(&unique, json!([1, 1]), &[r#"spec.x: Invalid value: "": spec.x in body shouldn't contain duplicates"#]);
}

#[test]
fn combinators_are_judged_in_upstreams_words() {
    let any = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}]});
    check(&any, json!({"b": ""}), &[]);
    check(
        &any,
        json!({}),
        &[
            r#"<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)"#,
            "spec.x.a: Required value",
        ],
    );
    let one = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
    check(&one, json!({"a": ""}), &[]);
    check(
        &one,
        json!({"a": "", "b": ""}),
        &[
            r#"<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
        ],
    );
    check(
        &one,
        json!({}),
        &[
            r#"<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid"#,
            "spec.x.a: Required value",
        ],
    );
    check(
        &json!({"type": "integer", "allOf": [{"minimum": 5}, {"maximum": 9}]}),
        json!(1),
        &[
            "spec.x: Invalid value: 1: spec.x in body should be greater than or equal to 5",
            r#"<nil>: Invalid value: "": "spec.x" must validate all the schemas (allOf)"#,
        ],
    );
    check(
        &json!({"type": "string", "not": {"enum": ["a"]}}),
        json!("a"),
        &[r#"<nil>: Invalid value: "": "spec.x" must not validate the schema (not)"#],
    );
}

#[test]
fn embedded_resources_need_a_type() {
    let node =
        json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true});
    check(&node, json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}), &[]);
    check(
        &node,
        json!({"kind": 1, "metadata": {"labels": {"a": 1}}}),
        &[
            "spec.x.apiVersion: Required value",
            "spec.x.kind: Invalid value: 1: must be a string",
            r#"spec.x.metadata.labels.a: Invalid value: "integer": spec.x.metadata.labels.a in body must be of type string: "integer""#,
        ],
    );
}

#[test]
fn types_of_embedded_resources_are_names() {
    let node =
        json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true});
    let told = |api_version: &str, kind: &str| -> Vec<String> {
        let schema = schema(&json!({"type": "object", "properties": {"x": node}}));
        let object = json!({"x": {"apiVersion": api_version, "kind": kind}});
        let found = Validator::new(Arc::new(schema)).validate(&object);
        found.iter().map(|it| format!("{}: {}", it.field, it.detail.split(',').next().unwrap_or_default())).collect()
    };
    assert_eq!(told("apps/v1", "Deployment"), [""; 0]);
    assert_eq!(told("a/b/c", "Pod"), ["x.apiVersion: unexpected GroupVersion string: a/b/c"]);
    assert_eq!(told("", "Pod"), ["x.apiVersion: "]);
    for kind in ["Po d", "-pod", "pod-", "1pod"] {
        let found = told("v1", kind);
        let text = "x.kind: may have mixed case";
        assert_eq!(found, [text], "{kind}");
    }
}

#[test]
fn unchanged_mistakes_do_not_fail_an_update() {
    let schema = schema(&json!({"type": "object", "properties": {
        "a": {"type": "string", "maxLength": 1},
        "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {
            "type": "object", "properties": {"name": {"type": "string"}, "v": {"type": "integer", "maximum": 1}}}},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}},
    }}));
    let validator = Validator::new(Arc::new(schema));
    let check = |old: Value, new: Value, want: &[&str]| {
        let fields: Vec<String> = validator.validate_update(&new, &old).into_iter().map(|it| it.field).collect();
        assert_eq!(fields, want, "{old} -> {new}");
    };
    check(json!({"a": "long"}), json!({"a": "long", "list": []}), &[]);
    check(json!({"a": "long"}), json!({"a": "other"}), &["a"]);
    check(
        json!({"list": [{"name": "x", "v": 9}]}),
        json!({"list": [{"name": "y", "v": 1}, {"name": "x", "v": 9}]}),
        &[],
    );
    check(json!({"list": [{"name": "x", "v": 9}]}), json!({"list": [{"name": "x", "v": 8}]}), &["list[0].v"]);
    check(json!({"set": [1, 1]}), json!({"set": [1, 1, 2]}), &[]);
    check(json!({"set": [1]}), json!({"set": [1, 1]}), &["set[1]"]);
}
