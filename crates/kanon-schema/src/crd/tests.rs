//! Findings about schemas, as kube-apiserver 1.32 prints them.

use serde_json::{Value, json};

use super::*;

const BASE: &str = "spec.validation.openAPIV3Schema";

fn check(json: Value, want: &[&str]) {
    let found = match structural_schema(&json, &FieldPath::of(BASE)) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|it| it.to_string().replace(BASE, "S")).collect(),
    };
    assert_eq!(found, want, "{json}");
}

fn spec(schema: Value) -> Value {
    json!({"type": "object", "properties": {"spec": schema}})
}

#[test]
fn every_node_needs_a_type() {
    check(json!({}), &["S.type: Required value: must not be empty at the root"]);
    check(json!({"type": "string"}), &[r#"S.type: Invalid value: "string": must be object at the root"#]);
    check(spec(json!({})), &["S.properties[spec].type: Required value: must not be empty for specified object fields"]);
    check(
        spec(json!({"type": "array", "items": {}})),
        &["S.properties[spec].items.type: Required value: must not be empty for specified array items"],
    );
    check(spec(json!({"type": "array"})), &["S.properties[spec].items: Required value: must be specified"]);
    check(
        spec(json!({"type": "text"})),
        &[
            r#"S.properties[spec].type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string""#,
        ],
    );
    check(spec(json!({"x-kubernetes-preserve-unknown-fields": true})), &[]);
    check(spec(json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]})), &[]);
    check(
        spec(
            json!({"x-kubernetes-int-or-string": true, "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}]}),
        ),
        &[],
    );
}

#[test]
fn combinators_only_constrain_values() {
    check(
        spec(
            json!({"type": "object", "anyOf": [{"type": "object", "description": "x", "properties": {"a": {"minimum": 1}}}]}),
        ),
        &[
            "S.properties[spec].anyOf[0].description: Forbidden: must be empty to be structural",
            "S.properties[spec].anyOf[0].type: Forbidden: must be empty to be structural",
            "S.properties[spec].properties[a]: Required value: because it is defined in S.properties[spec].anyOf[0].properties[a]",
        ],
    );
    check(
        spec(
            json!({"type": "object", "not": {"properties": {"metadata": {}}}, "properties": {"metadata": {"type": "object"}}}),
        ),
        &["S.properties[spec].not.properties[metadata]: Forbidden: must not be specified in a nested context"],
    );
}

#[test]
fn metadata_may_only_restrict_names() {
    let meta = |metadata: Value| json!({"type": "object", "properties": {"metadata": metadata}});
    check(meta(json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}})), &[]);
    check(
        meta(json!({"type": "object", "properties": {"labels": {"type": "object"}}})),
        &[
            "S.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
        ],
    );
    check(
        meta(json!({"type": "string"})),
        &[r#"S.properties[metadata].type: Invalid value: "string": must be object"#],
    );
    check(
        json!({"type": "object", "properties": {"kind": {"type": "string", "default": "x"}}}),
        &["S.properties[kind].default: Forbidden: must not be set in top-level kind"],
    );
}

#[test]
fn keywords_that_do_not_exist_here_are_refused() {
    check(
        spec(json!({"type": "string", "$ref": "#/x", "pattern": "("})),
        &[
            "S.properties[spec].$ref: Forbidden: $ref is not supported",
            r#"S.properties[spec].pattern: Invalid value: "(": must be a valid regular expression, but isn't: unclosed group"#,
        ],
    );
    check(
        spec(json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true})),
        &[
            "S.properties[spec].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ],
    );
    check(
        spec(
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
        ),
        &[
            "S.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ],
    );
    check(
        json!({"type": "object", "additionalProperties": true}),
        &["S.additionalProperties: Forbidden: must not be used at the root"],
    );
    check(
        spec(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": false})),
        &["S.properties[spec].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"],
    );
    check(
        spec(json!({"type": "object", "x-kubernetes-embedded-resource": true})),
        &[
            "S.properties[spec].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        ],
    );
}

#[test]
fn lists_that_merge_are_well_formed() {
    let item = json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "o": {"type": "object"}}});
    let list = |keys: Value, items: &Value| {
        spec(
            json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys, "items": items}),
        )
    };
    check(list(json!(["name"]), &item), &[]);
    check(
        list(json!([]), &item),
        &[
            "S.properties[spec].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
        ],
    );
    check(
        list(json!(["nope"]), &item),
        &[
            r#"S.properties[spec].x-kubernetes-list-map-keys: Invalid value: []interface {}{"nope"}: entries must all be names of item properties"#,
        ],
    );
    check(
        list(json!(["o"]), &item),
        &[
            r#"S.properties[spec].items.properties[o].type: Invalid value: "object": must be a scalar type if parent array's x-kubernetes-list-type is map"#,
            "S.properties[spec].items.properties[o].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ],
    );
    check(
        list(json!(["name"]), &json!({"type": "string"})),
        &[
            r#"S.properties[spec].items.type: Invalid value: "string": must be object if parent array's x-kubernetes-list-type is map"#,
        ],
    );
    check(
        spec(json!({"type": "array", "x-kubernetes-list-type": "bag", "items": {"type": "string"}})),
        &[
            r#"S.properties[spec].x-kubernetes-list-type: Unsupported value: "bag": supported values: "atomic", "set", "map""#,
        ],
    );
    check(
        spec(json!({"type": "object", "x-kubernetes-list-type": "atomic"})),
        &[r#"S.properties[spec].type: Invalid value: "object": must be array if x-kubernetes-list-type is specified"#],
    );
    check(
        spec(json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object"}})),
        &[
            r#"S.properties[spec].items.x-kubernetes-map-type: Invalid value: "null": must be atomic as item of a list with x-kubernetes-list-type=set"#,
        ],
    );
}

#[test]
fn defaults_fit_their_schema() {
    check(
        spec(json!({"type": "object", "default": {"a": 1, "b": 1}, "properties": {"a": {"type": "string"}}})),
        &[
            r#"S.properties[spec].default: Invalid value: map[string]interface {}{"a":1, "b":1}: must not have unknown fields"#,
            r#"S.properties[spec].default.a: Invalid value: "integer": a in body must be of type string: "integer""#,
        ],
    );
    check(spec(json!({"type": "integer", "default": 3, "maximum": 5})), &[]);
}

#[test]
fn rules_are_well_formed() {
    let rule = |rule: Value| {
        spec(
            json!({"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}},
            "x-kubernetes-validations": [rule]}),
        )
    };
    check(rule(json!({"rule": "true", "fieldPath": ".a['b.c']", "reason": "FieldValueForbidden"})), &[]);
    check(
        rule(json!({"rule": " "})),
        &["S.properties[spec].x-kubernetes-validations[0].rule: Required value: rule is not specified"],
    );
    check(
        rule(json!({"rule": "a\n&& b"})),
        &[
            "S.properties[spec].x-kubernetes-validations[0].message: Required value: message must be specified if rule contains line breaks",
        ],
    );
    check(
        rule(json!({"rule": "true", "fieldPath": ".nope", "reason": "Because"})),
        &[
            r#"S.properties[spec].x-kubernetes-validations[0].reason: Unsupported value: "Because": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired""#,
            r#"S.properties[spec].x-kubernetes-validations[0].fieldPath: Invalid value: ".nope": fieldPath must be a valid path"#,
        ],
    );
}

#[test]
fn no_json_breaks_the_checks() {
    for json in [
        json!(null),
        json!([]),
        json!("x"),
        json!({"type": 1, "properties": [], "items": [], "anyOf": {}, "required": 3}),
    ] {
        assert!(structural_schema(&json, &FieldPath::of(BASE)).is_err());
    }
}
