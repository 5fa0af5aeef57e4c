//! Embedded resources: apiVersion and kind are required, metadata has the types every object's has.

use serde_json::Value;

use crate::{error::FieldError, meta::object_meta, path::FieldPath, schema::Schema, validate::Validator};

/// What is wrong with the type and metadata of resources inside `value`. Parts equal to the old value are let pass.
pub(super) fn check(schema: &Schema, value: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    node(schema, value, old, &FieldPath::root(), &mut errors);
    errors
}

fn node(schema: &Schema, value: &Value, old: Option<&Value>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    if old == Some(value) {
        return;
    }
    match value {
        Value::Object(members) => {
            if schema.embedded_resource && !path.is_root() {
                resource(members, path, errors);
            }
            for (key, value) in members {
                let old = old.and_then(|it| it.get(key));
                if let Some(inner) = schema.properties.get(key) {
                    node(inner, value, old, &path.child(key), errors);
                } else if let Some(inner) = &schema.additional {
                    node(inner, value, old, &path.key(key), errors);
                }
            }
        }
        Value::Array(items) => {
            let Some(inner) = &schema.items else { return };
            for (index, item) in items.iter().enumerate() {
                node(inner, item, None, &path.index(index), errors);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn resource(members: &serde_json::Map<String, Value>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    for name in ["apiVersion", "kind"] {
        match members.get(name) {
            None => errors.push(FieldError::required(&path.child(name), "")),
            Some(Value::String(text)) if text.is_empty() => errors.push(FieldError::required(&path.child(name), "")),
            Some(Value::String(_)) => {}
            Some(other) => errors.push(FieldError::invalid(&path.child(name), other.clone(), "must be a string")),
        }
    }
    if let Some(metadata) = members.get("metadata") {
        let validator = Validator::new(object_meta().clone());
        errors.extend(validator.check_at(metadata, &path.child("metadata")));
    }
}
