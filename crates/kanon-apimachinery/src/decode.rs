//! From a body's bytes to a value, with everything that can be wrong with it short of the kind's rules
//! (spec/kubernetes-api.md 4.1): syntax, kind and version, wrong types, duplicate fields.

mod texts;
mod tree;
mod types;

use kanon_core::GroupVersionKind;
use serde_json::{Map, Value};

pub use tree::Tree;
pub(crate) use types::json_type;

use crate::{
    negotiate::{self, BodyType},
    resource::Resource,
    status::{ApiError, Cause, Result},
};

/// Largest body, in bytes (spec 4.5).
pub const BODY_MAX: usize = 3 * 1024 * 1024;

/// What upstream reads of any body first, as Go prints the type.
const TYPE_META: &str =
    r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;

/// A decoded body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// What it holds.
    pub value: Value,
    /// Paths of fields given twice; the last value counts.
    pub duplicates: Vec<String>,
}

/// Reads a body as JSON, YAML or protobuf. `kind` is what it should be, for messages.
///
/// # Errors
/// 415 for other media types; 413 above [`BODY_MAX`]; 400 for syntax.
pub fn read(content_type: &str, body: &[u8], kind: &str) -> Result<Body> {
    if body.len() > BODY_MAX {
        return Err(ApiError::too_large(BODY_MAX));
    }
    match negotiate::body(content_type)? {
        BodyType::Json => json(body, kind),
        BodyType::Yaml => yaml(body, kind),
        BodyType::Protobuf => protobuf(body, kind),
    }
}

/// Reads JSON.
///
/// # Errors
/// 400 for syntax and for nesting too deep.
pub fn json(body: &[u8], kind: &str) -> Result<Body> {
    let tree: Tree = serde_json::from_slice(body).map_err(|error| unparsable(kind, &json_problem(&error), body))?;
    Ok(Body { value: tree.value, duplicates: tree.duplicates })
}

fn unparsable(kind: &str, problem: &str, body: &[u8]) -> ApiError {
    ApiError::unrecognized(kind, &format!("couldn't get version/kind; json parse error: {problem}"), body)
}

/// What is wrong with a JSON text, as far as we say it in Go's words.
pub(crate) fn json_problem(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => "unexpected end of JSON input".to_owned(),
        _ => error.to_string(),
    }
}

/// Reads YAML, or JSON where the text begins like it.
///
/// # Errors
/// 400 for syntax; duplicate keys are a mistake in YAML.
pub fn yaml(body: &[u8], kind: &str) -> Result<Body> {
    if body.trim_ascii_start().first() == Some(&b'{') {
        return json(body, kind);
    }
    let tree: Tree = serde_saphyr::from_slice(body).map_err(|error| {
        let problem = error.to_string();
        let line = problem.lines().next().unwrap_or_default().to_owned();
        ApiError::bad_request(format!("error decoding YAML: {line}"))
    })?;
    Ok(Body { value: tree.value, duplicates: tree.duplicates })
}

fn protobuf(body: &[u8], kind: &str) -> Result<Body> {
    let (gvk, mut value) =
        kanon_kinds::decode_protobuf(body).map_err(|error| ApiError::unrecognized(kind, &error.to_string(), body))?;
    if let Value::Object(members) = &mut value {
        members.insert("apiVersion".to_owned(), gvk.api_version().into());
        members.insert("kind".to_owned(), gvk.kind.into());
    }
    Ok(Body { value, duplicates: Vec::new() })
}

/// Reads the DeleteOptions of a DELETE; `None` for an empty body.
///
/// # Errors
/// As of [`read`]; 400 for another kind.
pub fn delete_options(content_type: &str, body: &[u8]) -> Result<Option<Value>> {
    if body.is_empty() {
        return Ok(None);
    }
    let value = read(content_type, body, "DeleteOptions")?.value;
    match value["kind"].as_str() {
        None | Some("DeleteOptions") if value.is_object() => Ok(Some(value)),
        _ => Err(ApiError::unrecognized("DeleteOptions", "the body holds another kind", body)),
    }
}

/// Checks that a body is an object of `expected`, and fills in what a built-in kind may leave out.
///
/// # Errors
/// 400 and 422 as of spec 4.1.
pub fn check_kind(value: &mut Value, expected: &GroupVersionKind, builtin: bool) -> Result<()> {
    let kind = &expected.kind;
    if !value.is_object() {
        let text = value.to_string();
        let problem = format!("json: cannot unmarshal {} into Go value of type {TYPE_META}", types::json_type(value));
        return Err(unparsable(kind, &problem, text.as_bytes()));
    }
    if value["kind"].as_str().unwrap_or_default().is_empty() && !builtin {
        let text = value.to_string();
        return Err(ApiError::unrecognized(kind, &format!("Object 'Kind' is missing in '{text}'"), text.as_bytes()));
    }
    let Value::Object(members) = value else { return Ok(()) };
    let (found_version, found_kind) = (text(members, "apiVersion"), text(members, "kind"));
    let wanted_version = expected.api_version();
    if !(found_version.is_empty() && builtin) && found_version != wanted_version {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({found_version}) does not match the expected API version ({wanted_version})"
        )));
    }
    if !found_kind.is_empty() && found_kind != *kind {
        let name = members.get("metadata").and_then(|it| it["name"].as_str()).unwrap_or_default().to_owned();
        let cause = Cause::invalid("kind", &found_kind.into(), &format!("must be {kind}"));
        // The object is named as what it says it is.
        let claimed = GroupVersionKind { kind: found_kind.to_owned(), ..expected.clone() };
        return Err(ApiError::invalid(&claimed, &name, vec![cause]));
    }
    let (lacks_version, lacks_kind) = (found_version.is_empty(), found_kind.is_empty());
    if lacks_version {
        members.insert("apiVersion".to_owned(), wanted_version.into());
    }
    if lacks_kind {
        members.insert("kind".to_owned(), kind.as_str().into());
    }
    Ok(())
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> &'m str {
    members.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Refuses values of a wrong type in a built-in kind, as Go's decoder does. Custom kinds are validated later.
///
/// # Errors
/// 400 `… cannot be handled as a …: json: cannot unmarshal …`.
pub fn check_types(value: &Value, expected: &GroupVersionKind) -> Result<()> {
    let Some(schema) = kanon_kinds::body_schema(expected) else { return Ok(()) };
    match types::mismatch(&schema, value) {
        Some(problem) => Err(ApiError::cannot_be_handled(&expected.kind, &expected.version, &problem)),
        None => Ok(()),
    }
}

/// The same for an object of `resource`, built-in or custom.
///
/// # Errors
/// As of [`check_types`].
pub fn check_types_of(resource: &Resource, value: &Value) -> Result<()> {
    let (problem, gvk) = match resource.builtin_kind() {
        Some(_) => return check_types(value, &resource.gvk),
        // The rest is for the schema to judge.
        None => (types::metadata_mismatch(value), &resource.gvk),
    };
    problem.map_or(Ok(()), |problem| Err(ApiError::cannot_be_handled(&gvk.kind, &gvk.version, &problem)))
}

/// Reads the body of a create or update of `resource` itself: syntax, kind, types.
///
/// # Errors
/// As of [`read`], [`check_kind`] and [`check_types`].
pub fn object(resource: &Resource, content_type: &str, body: &[u8]) -> Result<Body> {
    let body = sent(&resource.gvk, resource.builtin_kind().is_some(), content_type, body)?;
    check_types_of(resource, &body.value)?;
    Ok(body)
}

/// Reads the body of a subresource whose kind is built in: `Scale`, `Eviction`, `Binding`, `TokenRequest`.
///
/// # Errors
/// As of [`object`].
pub fn part(gvk: &GroupVersionKind, content_type: &str, body: &[u8]) -> Result<Body> {
    let body = sent(gvk, true, content_type, body)?;
    check_types(&body.value, gvk)?;
    Ok(body)
}

fn sent(gvk: &GroupVersionKind, builtin: bool, content_type: &str, body: &[u8]) -> Result<Body> {
    if !builtin && matches!(negotiate::body(content_type), Ok(BodyType::Protobuf)) {
        return Err(ApiError::unsupported_media_type(&["application/json", "application/yaml"]));
    }
    let mut read = read(content_type, body, &gvk.kind)?;
    if let (false, Value::Object(members)) = (builtin, &read.value)
        && text(members, "kind").is_empty()
    {
        let text = String::from_utf8_lossy(body);
        return Err(ApiError::unrecognized(&gvk.kind, &format!("Object 'Kind' is missing in '{text}'"), body));
    }
    check_kind(&mut read.value, gvk, builtin)?;
    Ok(read)
}

#[cfg(test)]
mod tests;
