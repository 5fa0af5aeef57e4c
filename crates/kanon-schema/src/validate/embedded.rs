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

/// A kind is a DNS-1035 label but for its case.
fn kind(text: &str, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    const LABEL: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and \
                         end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
                         '[a-z]([-a-z0-9]*[a-z0-9])?')";
    let letters = text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
    let ends = text.starts_with(|it: char| it.is_ascii_alphabetic()) && !text.ends_with('-');
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 characters");
    }
    if !letters || !ends {
        problems.push(LABEL);
    }
    if !problems.is_empty() {
        let detail = format!("may have mixed case, but should otherwise match: {}", problems.join(","));
        errors.push(FieldError::invalid(path, text, detail));
    }
}

fn resource(members: &serde_json::Map<String, Value>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    for name in ["apiVersion", "kind"] {
        match members.get(name) {
            None => errors.push(FieldError::required(&path.child(name), "")),
            Some(Value::String(text)) if text.is_empty() => errors.push(FieldError::required(&path.child(name), "")),
            Some(Value::String(text)) if name == "kind" => kind(text, &path.child(name), errors),
            Some(Value::String(text)) if text.matches('/').count() > 1 => {
                let detail = format!("unexpected GroupVersion string: {text}");
                errors.push(FieldError::invalid(&path.child(name), text.as_str(), detail));
            }
            Some(Value::String(_)) => {}
            Some(other) => errors.push(FieldError::invalid(&path.child(name), other.clone(), "must be a string")),
        }
    }
    if let Some(metadata) = members.get("metadata") {
        let validator = Validator::new(object_meta().clone());
        errors.extend(validator.check_at(metadata, &path.child("metadata")));
    }
}
