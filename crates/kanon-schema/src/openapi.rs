//! Schemas as OpenAPI v3 JSON, as kubectl reads them for validation and `explain`.
//!
//! A named shared type becomes a reference and is described once; where text, default or extensions stand beside a
//! reference it is wrapped in `allOf`, because JSON Schema of OpenAPI 3.0 ignores what stands beside `$ref`.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use crate::schema::{ListType, MapType, PatchStrategy, Rule, Schema, Type, ValueRules};

/// The JSON of a schema. Named types below it are collected in `refs` by name, each with its own JSON; the outermost schema
/// is written out even when it has a name.
pub fn to_openapi(schema: &Schema, refs: &mut BTreeMap<String, Value>) -> Value {
    let mut out = Map::new();
    describe(schema, &mut out);
    let set = |out: &mut Map<String, Value>, name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    match schema.kind {
        Type::Any => {}
        Type::IntOrString => set(&mut out, "x-kubernetes-int-or-string", json!(true)),
        Type::Object => set(&mut out, "type", json!("object")),
        Type::Array => set(&mut out, "type", json!("array")),
        Type::String => set(&mut out, "type", json!("string")),
        Type::Integer => set(&mut out, "type", json!("integer")),
        Type::Number => set(&mut out, "type", json!("number")),
        Type::Boolean => set(&mut out, "type", json!("boolean")),
    }
    if !schema.format.is_empty() {
        set(&mut out, "format", json!(schema.format));
    }
    if schema.nullable {
        set(&mut out, "nullable", json!(true));
    }
    if !schema.properties.is_empty() {
        let members = schema.properties.iter().map(|(name, it)| (name.clone(), member(it, refs)));
        let members = members.collect::<Map<_, _>>();
        set(&mut out, "properties", Value::Object(members));
    }
    if !schema.required.is_empty() {
        set(&mut out, "required", json!(schema.required));
    }
    if let Some(additional) = &schema.additional {
        set(&mut out, "additionalProperties", member(additional, refs));
    }
    if let Some(items) = &schema.items {
        set(&mut out, "items", member(items, refs));
    }
    rules(&schema.rules, &mut out, refs);
    Value::Object(out)
}

/// A schema below another: a reference where it has a name.
fn member(schema: &Arc<Schema>, refs: &mut BTreeMap<String, Value>) -> Value {
    let Some(name) = &schema.name else { return to_openapi(schema, refs) };
    if !refs.contains_key(name) {
        // The place is taken first, so that a type that contains itself ends here.
        refs.insert(name.clone(), Value::Null);
        // Text, default and merge rules here are the field's, not the type's.
        let shared = Schema {
            description: String::new(),
            default: None,
            list_type: ListType::Atomic,
            patch: PatchStrategy::default(),
            ..(**schema).clone()
        };
        let value = to_openapi(&shared, refs);
        refs.insert(name.clone(), value);
    }
    let reference = json!({"$ref": format!("#/components/schemas/{name}")});
    let mut beside = Map::new();
    describe(schema, &mut beside);
    if beside.is_empty() {
        return reference;
    }
    beside.insert("allOf".into(), json!([reference]));
    Value::Object(beside)
}

/// What may stand beside a reference.
fn describe(schema: &Schema, out: &mut Map<String, Value>) {
    let mut set = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    if !schema.description.is_empty() {
        set("description", json!(schema.description));
    }
    if let Some(default) = &schema.default {
        set("default", default.clone());
    }
    match &schema.list_type {
        ListType::Atomic if schema.kind == Type::Array => set("x-kubernetes-list-type", json!("atomic")),
        ListType::Atomic => {}
        ListType::Set => set("x-kubernetes-list-type", json!("set")),
        ListType::Map(keys) => {
            set("x-kubernetes-list-type", json!("map"));
            set("x-kubernetes-list-map-keys", json!(keys));
        }
    }
    if schema.map_type == MapType::Atomic {
        set("x-kubernetes-map-type", json!("atomic"));
    }
    let patch = &schema.patch;
    let strategies = [(patch.merge, "merge"), (patch.retain_keys, "retainKeys")];
    let strategies: Vec<_> = strategies.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect();
    if !strategies.is_empty() {
        set("x-kubernetes-patch-strategy", json!(strategies.join(",")));
    }
    if let Some(key) = &patch.merge_key {
        set("x-kubernetes-patch-merge-key", json!(key));
    }
    if schema.preserve_unknown {
        set("x-kubernetes-preserve-unknown-fields", json!(true));
    }
    if schema.embedded_resource {
        set("x-kubernetes-embedded-resource", json!(true));
    }
    if !schema.validations.is_empty() {
        set("x-kubernetes-validations", schema.validations.iter().map(validation).collect());
    }
}

fn rules(rules: &ValueRules, out: &mut Map<String, Value>, refs: &mut BTreeMap<String, Value>) {
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    set("enum", (!rules.one_of_values.is_empty()).then(|| json!(rules.one_of_values)));
    set("minimum", rules.minimum.map(number));
    set("maximum", rules.maximum.map(number));
    set("exclusiveMinimum", rules.exclusive_minimum.then_some(json!(true)));
    set("exclusiveMaximum", rules.exclusive_maximum.then_some(json!(true)));
    set("multipleOf", rules.multiple_of.map(number));
    set("minLength", rules.min_length.map(Value::from));
    set("maxLength", rules.max_length.map(Value::from));
    set("pattern", rules.pattern.as_ref().map(|it| json!(it)));
    set("minItems", rules.min_items.map(Value::from));
    set("maxItems", rules.max_items.map(Value::from));
    set("uniqueItems", rules.unique_items.then_some(json!(true)));
    set("minProperties", rules.min_properties.map(Value::from));
    set("maxProperties", rules.max_properties.map(Value::from));
    let mut all = |them: &[Schema]| -> Option<Value> {
        (!them.is_empty()).then(|| them.iter().map(|it| to_openapi(it, refs)).collect())
    };
    set("allOf", all(&rules.all_of));
    set("anyOf", all(&rules.any_of));
    set("oneOf", all(&rules.one_of));
    set("not", rules.not.as_ref().map(|it| to_openapi(it, refs)));
}

/// Whole numbers without a fraction, as they were written.
fn number(value: f64) -> Value {
    // Beyond 2^53 a double no longer holds every integer.
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

fn validation(rule: &Rule) -> Value {
    let Rule { rule, message, message_expression, reason, field_path, optional_old_self } = rule;
    let mut out = json!({"rule": rule});
    for (name, value) in
        [("message", message), ("messageExpression", message_expression), ("reason", reason), ("fieldPath", field_path)]
    {
        if let Some(value) = value {
            out[name] = json!(value);
        }
    }
    if *optional_old_self {
        out["optionalOldSelf"] = json!(true);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_types_are_references_and_described_once() {
        let shared = |description: &str| {
            let text = Schema { kind: Type::String, ..Schema::default() };
            Arc::new(Schema {
                name: Some("io.example.Spec".into()),
                kind: Type::Object,
                description: description.into(),
                properties: [("mode".to_owned(), Arc::new(text))].into(),
                ..Schema::default()
            })
        };
        let list = Schema {
            kind: Type::Array,
            items: Some(shared("")),
            list_type: ListType::Map(vec!["mode".into()]),
            ..Schema::default()
        };
        let root = Schema {
            kind: Type::Object,
            properties: [("list".to_owned(), Arc::new(list)), ("one".to_owned(), shared("The one."))].into(),
            ..Schema::default()
        };
        let mut refs = BTreeMap::new();
        let reference = json!({"$ref": "#/components/schemas/io.example.Spec"});
        assert_eq!(
            to_openapi(&root, &mut refs),
            json!({"type": "object", "properties": {
                "list": {"type": "array", "items": reference, "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["mode"]},
                "one": {"description": "The one.", "allOf": [reference]},
            }})
        );
        let spec = json!({"type": "object", "properties": {"mode": {"type": "string"}}});
        assert_eq!(refs, [("io.example.Spec".to_owned(), spec)].into());
    }

    #[test]
    fn a_crds_schema_comes_back_as_it_was_written() {
        let written = json!({
            "type": "object", "description": "A gate.", "required": ["spec"],
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "mode": {"type": "string", "enum": ["Audit", "Block"], "default": "Audit"},
                        "weight": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 10},
                        "ratio": {"type": "number", "maximum": 0.5, "exclusiveMaximum": true},
                        "port": {"x-kubernetes-int-or-string": true},
                        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}},
                        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}, "maxItems": 3},
                        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    },
                    "x-kubernetes-validations": [{"rule": "self.weight > 0", "message": "no"}],
                },
            },
        });
        assert_eq!(to_openapi(&crate::from_json(&written), &mut BTreeMap::new()), written);
    }
}
