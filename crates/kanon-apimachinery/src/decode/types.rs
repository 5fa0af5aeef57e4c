//! Wrong types in built-in kinds, in the words of Go's JSON decoder:
//! `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`; and texts that do not read as
//! what their type says ([`super::texts`]).

use kanon_schema::{Schema, Type};
use serde_json::Value;

use super::texts;

/// The first value whose type the schema does not allow, if any.
pub(super) fn mismatch(schema: &Schema, value: &Value) -> Option<String> {
    Walk { owner: local_name(schema), path: Vec::new() }.check(schema, value)
}

/// The first value of a wrong type in the metadata of any object, if any.
pub(super) fn metadata_mismatch(object: &Value) -> Option<String> {
    let metadata = object.get("metadata")?;
    // Upstream decodes it by itself, so that paths begin inside of it.
    let mut walk = Walk { owner: "ObjectMeta", path: Vec::new() };
    walk.check(kanon_schema::object_meta(), metadata)
}

struct Walk<'w> {
    /// The innermost Go type.
    owner: &'w str,
    path: Vec<&'w str>,
}

impl<'w> Walk<'w> {
    fn check(&mut self, schema: &'w Schema, value: &'w Value) -> Option<String> {
        match (schema.kind, value) {
            (_, Value::Null) => None,
            (Type::Any, value) => texts::problem(schema, value),
            (Type::Object, Value::Object(members)) => {
                let owner = if schema.properties.is_empty() { self.owner } else { local_name(schema) };
                let owner = std::mem::replace(&mut self.owner, owner);
                let found = members.iter().find_map(|(name, member)| {
                    let Some(inner) = schema.properties.get(name) else {
                        // Go names the map and not its key.
                        return self.check(schema.additional.as_ref()?, member);
                    };
                    self.path.push(name);
                    let found = self.check(inner, member);
                    self.path.pop();
                    found
                });
                self.owner = owner;
                found
            }
            (Type::Array, Value::Array(elements)) => {
                let items = schema.items.as_ref()?;
                elements.iter().find_map(|element| self.check(items, element))
            }
            (Type::String, Value::String(_)) => texts::problem(schema, value),
            (Type::Boolean, Value::Bool(_))
            | (Type::Number, Value::Number(_))
            | (Type::IntOrString, Value::String(_) | Value::Number(_)) => None,
            (Type::Integer, Value::Number(number)) => {
                let whole = number.as_i64().is_some_and(|it| schema.format != "int32" || i32::try_from(it).is_ok());
                if whole { None } else { Some(self.problem(&format!("number {number}"), schema)) }
            }
            (_, other) => Some(self.problem(json_type(other), schema)),
        }
    }

    fn problem(&self, found: &str, schema: &Schema) -> String {
        let (owner, path, wanted) = (self.owner, self.path.join("."), go_type(schema));
        if path.is_empty() {
            return format!("json: cannot unmarshal {found} into Go value of type {wanted}");
        }
        format!("json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}")
    }
}

/// What Go calls a value in JSON.
pub(crate) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The last part of a type's published name.
fn local_name(schema: &Schema) -> &str {
    schema.name.as_deref().and_then(|it| it.rsplit('.').next()).unwrap_or_default()
}

fn go_type(schema: &Schema) -> String {
    match schema.kind {
        Type::Object if schema.name.is_some() => qualified(schema),
        Type::Object => match &schema.additional {
            Some(inner) => format!("map[string]{}", go_type(inner)),
            None => "map[string]interface {}".to_owned(),
        },
        Type::Array => format!("[]{}", schema.items.as_ref().map(|it| go_type(it)).unwrap_or_default()),
        Type::String => match schema.format.as_str() {
            "byte" => "[]uint8".to_owned(),
            _ => "string".to_owned(),
        },
        Type::Integer if schema.format == "int32" => "int32".to_owned(),
        Type::Integer => "int64".to_owned(),
        Type::Number => "float64".to_owned(),
        Type::Boolean => "bool".to_owned(),
        Type::IntOrString => "intstr.IntOrString".to_owned(),
        Type::Any => "interface {}".to_owned(),
    }
}

/// `v1.PodSpec` from `io.k8s.api.core.v1.PodSpec`.
fn qualified(schema: &Schema) -> String {
    let parts: Vec<&str> = schema.name.as_deref().unwrap_or_default().rsplit('.').take(2).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(".")
}
