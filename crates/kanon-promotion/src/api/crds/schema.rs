//! Pieces that the schemas are put together from.

use serde_json::{Map, Value, json};

/// The pattern of a Go duration; empty text is the default.
pub(super) const DURATION: &str = "^$|^[-+]?([0-9]*\\.?[0-9]+(ns|us|µs|ms|s|m|h))+$|^0$";
/// A DNS-1123 label, as environments are called.
pub(super) const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// A printer column.
pub(super) fn column(name: &str, kind: &str, path: &str) -> Value {
    json!({"name": name, "type": kind, "jsonPath": path})
}

/// The whole object: `spec` and `status`.
pub(super) fn whole(spec: Value, status: Value) -> Value {
    json!({"type": "object", "required": ["spec"], "properties": {"spec": spec, "status": status}})
}

/// An object with these members, some of them required.
pub(super) fn object<const N: usize>(required: &[&str], members: [(&str, Value); N]) -> Value {
    let members: Map<_, _> = members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let mut object = json!({"type": "object", "properties": members});
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

/// A text.
pub(super) fn text() -> Value {
    json!({"type": "string"})
}

/// A text of at least one character.
pub(super) fn name() -> Value {
    json!({"type": "string", "minLength": 1})
}

/// One of these words.
pub(super) fn one_of(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

/// The schema with a default.
pub(super) fn or(mut schema: Value, default: Value) -> Value {
    schema["default"] = default;
    schema
}

/// A Go duration.
pub(super) fn duration() -> Value {
    json!({"type": "string", "maxLength": 64, "pattern": DURATION})
}

/// A point in time, RFC 3339.
pub(super) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// A whole number, perhaps with a least value.
pub(super) fn int(minimum: Option<i64>) -> Value {
    let mut schema = json!({"type": "integer", "format": "int64"});
    if let Some(minimum) = minimum {
        schema["minimum"] = json!(minimum);
    }
    schema
}

/// `true` or `false`.
pub(super) fn boolean() -> Value {
    json!({"type": "boolean"})
}

/// A list.
pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// A list whose entries have distinct keys.
pub(super) fn list_by(key: &str, items: Value) -> Value {
    json!({"type": "array", "items": items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]})
}

/// A map of text.
pub(super) fn map() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "string"}})
}

/// Standard conditions, one of each type.
pub(super) fn conditions() -> Value {
    let condition = object(
        &["type", "status"],
        [
            ("type", name()),
            ("status", one_of(&["True", "False", "Unknown"])),
            ("reason", text()),
            ("message", text()),
            ("lastTransitionTime", time()),
            ("observedGeneration", int(None)),
        ],
    );
    list_by("type", condition)
}

/// A reference by name.
pub(super) fn reference() -> Value {
    object(&["name"], [("name", name()), ("namespace", text())])
}

/// A rule in CEL with its message.
pub(super) fn rule(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}
