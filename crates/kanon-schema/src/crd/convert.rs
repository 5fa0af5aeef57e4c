//! JSON (`openAPIV3Schema`) to [`Schema`]. Lenient: what has the wrong form is left out; `check` complains about it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use crate::schema::{ListType, MapType, PatchStrategy, Rule, Schema, Type, ValueRules};

/// The schema that a JSON schema object describes; anything but an object is the empty schema.
pub fn from_json(json: &Value) -> Schema {
    let Some(fields) = json.as_object() else { return Schema::default() };
    Schema {
        name: None,
        kind: kind(fields),
        description: text(fields, "description"),
        format: text(fields, "format"),
        nullable: flag(fields, "nullable"),
        default: fields.get("default").filter(|it| !it.is_null()).cloned(),
        properties: properties(fields),
        required: texts(fields, "required"),
        additional: additional(fields),
        items: fields.get("items").filter(|it| it.is_object()).map(|it| Arc::new(from_json(it))),
        list_type: list_type(fields),
        map_type: if text(fields, "x-kubernetes-map-type") == "atomic" { MapType::Atomic } else { MapType::Granular },
        patch: patch(fields),
        preserve_unknown: flag(fields, "x-kubernetes-preserve-unknown-fields"),
        embedded_resource: flag(fields, "x-kubernetes-embedded-resource"),
        rules: value_rules(fields).into(),
        validations: list(fields, "x-kubernetes-validations").iter().map(rule).collect(),
        proto: None,
    }
}

fn text(fields: &Map<String, Value>, key: &str) -> String {
    fields.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn flag(fields: &Map<String, Value>, key: &str) -> bool {
    fields.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn count(fields: &Map<String, Value>, key: &str) -> Option<u64> {
    fields.get(key).and_then(Value::as_u64)
}

fn number(fields: &Map<String, Value>, key: &str) -> Option<f64> {
    fields.get(key).and_then(Value::as_f64)
}

fn list<'v>(fields: &'v Map<String, Value>, key: &str) -> &'v [Value] {
    fields.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn texts(fields: &Map<String, Value>, key: &str) -> Vec<String> {
    list(fields, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn schemas(fields: &Map<String, Value>, key: &str) -> Vec<Schema> {
    list(fields, key).iter().map(from_json).collect()
}

fn kind(fields: &Map<String, Value>) -> Type {
    if flag(fields, "x-kubernetes-int-or-string") {
        return Type::IntOrString;
    }
    match text(fields, "type").as_str() {
        "object" => Type::Object,
        "array" => Type::Array,
        "string" => Type::String,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "boolean" => Type::Boolean,
        _ => Type::Any,
    }
}

fn properties(fields: &Map<String, Value>) -> BTreeMap<String, Arc<Schema>> {
    let members = fields.get("properties").and_then(Value::as_object);
    members.into_iter().flatten().map(|(name, it)| (name.clone(), Arc::new(from_json(it)))).collect()
}

/// `additionalProperties: true` lets any value stand, so what is in it is not pruned.
fn additional(fields: &Map<String, Value>) -> Option<Arc<Schema>> {
    match fields.get("additionalProperties")? {
        Value::Bool(true) => Some(Arc::new(Schema { preserve_unknown: true, ..Schema::default() })),
        it @ Value::Object(_) => Some(Arc::new(from_json(it))),
        Value::Null | Value::Bool(false) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

fn list_type(fields: &Map<String, Value>) -> ListType {
    match text(fields, "x-kubernetes-list-type").as_str() {
        "set" => ListType::Set,
        "map" => ListType::Map(texts(fields, "x-kubernetes-list-map-keys")),
        _ => ListType::Atomic,
    }
}

/// Published for built-in kinds only.
fn patch(fields: &Map<String, Value>) -> PatchStrategy {
    let strategy = text(fields, "x-kubernetes-patch-strategy");
    let mut words = strategy.split(',');
    PatchStrategy {
        merge: words.clone().any(|it| it == "merge"),
        retain_keys: words.any(|it| it == "retainKeys"),
        merge_key: Some(text(fields, "x-kubernetes-patch-merge-key")).filter(|it| !it.is_empty()),
    }
}

fn value_rules(fields: &Map<String, Value>) -> ValueRules {
    ValueRules {
        one_of_values: list(fields, "enum").to_vec(),
        minimum: number(fields, "minimum"),
        exclusive_minimum: flag(fields, "exclusiveMinimum"),
        maximum: number(fields, "maximum"),
        exclusive_maximum: flag(fields, "exclusiveMaximum"),
        multiple_of: number(fields, "multipleOf"),
        min_length: count(fields, "minLength"),
        max_length: count(fields, "maxLength"),
        pattern: Some(text(fields, "pattern")).filter(|it| !it.is_empty()),
        min_items: count(fields, "minItems"),
        max_items: count(fields, "maxItems"),
        unique_items: flag(fields, "uniqueItems"),
        min_properties: count(fields, "minProperties"),
        max_properties: count(fields, "maxProperties"),
        all_of: schemas(fields, "allOf"),
        any_of: schemas(fields, "anyOf"),
        one_of: schemas(fields, "oneOf"),
        not: fields.get("not").filter(|it| it.is_object()).map(|it| Box::new(from_json(it))),
    }
}

fn rule(json: &Value) -> Rule {
    let empty = Map::new();
    let fields = json.as_object().unwrap_or(&empty);
    let optional = |key: &str| Some(text(fields, key)).filter(|it| !it.is_empty());
    Rule {
        rule: text(fields, "rule"),
        message: optional("message"),
        message_expression: optional("messageExpression"),
        reason: optional("reason"),
        field_path: optional("fieldPath"),
        optional_old_self: flag(fields, "optionalOldSelf"),
    }
}
