//! OpenAPI v2: one lean document with the schemas of everything that is served and no paths. kubectl up to 1.28 does not write
//! anything without it; later ones, and everybody who wants paths, read v3. Clients of Kubernetes ask for it as protobuf.

use std::collections::BTreeMap;

use kanon_core::Digest;
use kanon_kinds::protobuf_put::{bytes, double, integer};
use serde_json::{Map, Value, json};

use super::{finish_schemas, resource_schemas};
use crate::resource::Registry;

/// What clients ask for when they want protobuf, and the content type that they get: an `@` may not stand in one.
pub const ASKED: [&str; 2] = ["application/com.github.proto-openapi.spec.v2@v1.0+protobuf", PROTOBUF];
/// The content type of the protobuf form.
pub const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const TITLE: &str = "Kubernetes";
const VERSION: &str = "v1.32.0";
/// Schemas within schemas; deeper ones are left out.
const MAX_DEPTH: usize = 64;

/// The document in both of its forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The JSON text.
    pub text: String,
    /// The same as protobuf.
    pub protobuf: Vec<u8>,
    /// Upper-case hex.
    pub hash: String,
}

/// The document of everything that is served.
pub fn document(registry: &Registry) -> Document {
    let mut schemas = BTreeMap::new();
    for resource in registry.resources() {
        resource_schemas(resource, &mut schemas);
    }
    finish_schemas(&mut schemas);
    let definitions: Map<String, Value> = schemas.iter().map(|(name, it)| (name.clone(), schema(it, 0))).collect();
    let protobuf = encode(&definitions);
    let text = json!({"swagger": "2.0", "info": {"title": TITLE, "version": VERSION}, "paths": {}, "definitions": definitions}).to_string();
    let hash = Digest::of(&[text.as_bytes()]).to_string().to_uppercase();
    Document { text, protobuf, hash }
}

/// A schema of v3 as v2 can say it: without alternatives, and with text beside references.
fn schema(v3: &Value, depth: usize) -> Value {
    let Value::Object(members) = v3 else { return v3.clone() };
    let mut out = Map::new();
    for (name, value) in members {
        let value = match (name.as_str(), value) {
            // Alternatives and null are not known here.
            ("anyOf" | "oneOf" | "not" | "nullable", _) => continue,
            ("allOf", Value::Array(parts)) => {
                if let [part] = parts.as_slice() {
                    out.extend(part.get("$ref").and_then(reference).map(|it| ("$ref".to_owned(), it)));
                }
                continue;
            }
            ("$ref", value) => reference(value).unwrap_or_default(),
            ("properties", Value::Object(inner)) if depth < MAX_DEPTH => {
                inner.iter().map(|(name, it)| (name.clone(), schema(it, depth + 1))).collect::<Map<_, _>>().into()
            }
            ("items" | "additionalProperties", value) if depth < MAX_DEPTH => schema(value, depth + 1),
            ("properties" | "items" | "additionalProperties", _) => continue,
            (_, value) => value.clone(),
        };
        out.insert(name.clone(), value);
    }
    // What says less here would refuse more: clients validate by it.
    for (says, more) in [
        ("nullable", &["type", "properties", "items", "required"][..]),
        ("x-kubernetes-preserve-unknown-fields", &["properties", "required"]),
    ] {
        if v3[says] == true {
            out.retain(|name, _| !more.contains(&name.as_str()));
        }
    }
    if out.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        out.insert("type".to_owned(), json!("string"));
        out.insert("format".to_owned(), json!("int-or-string"));
    }
    Value::Object(out)
}

fn reference(v3: &Value) -> Option<Value> {
    let name = v3.as_str()?.strip_prefix("#/components/schemas/")?;
    Some(json!(format!("#/definitions/{name}")))
}

/// The document as message `openapi.v2.Document`.
fn encode(definitions: &Map<String, Value>) -> Vec<u8> {
    let mut info = Vec::new();
    bytes(1, TITLE.as_bytes(), &mut info);
    bytes(2, VERSION.as_bytes(), &mut info);
    let mut out = Vec::new();
    bytes(1, b"2.0", &mut out);
    bytes(2, &info, &mut out);
    bytes(8, b"", &mut out);
    bytes(9, &named(definitions), &mut out);
    out
}

/// A message of named schemas.
fn named(schemas: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in schemas {
        let mut entry = Vec::new();
        bytes(1, name.as_bytes(), &mut entry);
        bytes(2, &encode_schema(value), &mut entry);
        bytes(1, &entry, &mut out);
    }
    out
}

/// Fields of message `Schema` that are text, numbers and flags.
const TEXTS: [(u32, &str); 5] = [(1, "$ref"), (2, "format"), (3, "title"), (4, "description"), (13, "pattern")];
const DOUBLES: [(u32, &str); 3] = [(6, "multipleOf"), (7, "maximum"), (9, "minimum")];
const INTEGERS: [(u32, &str); 6] = [
    (11, "maxLength"),
    (12, "minLength"),
    (14, "maxItems"),
    (15, "minItems"),
    (17, "maxProperties"),
    (18, "minProperties"),
];
const FLAGS: [(u32, &str); 3] = [(8, "exclusiveMaximum"), (10, "exclusiveMinimum"), (16, "uniqueItems")];

fn encode_schema(schema: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, name) in TEXTS {
        schema[name].as_str().into_iter().for_each(|it| bytes(number, it.as_bytes(), &mut out));
    }
    for (number, name) in DOUBLES {
        schema[name].as_f64().into_iter().for_each(|it| double(number, it, &mut out));
    }
    for (number, name) in INTEGERS {
        schema[name].as_i64().into_iter().for_each(|it| integer(number, it, &mut out));
    }
    for (number, name) in FLAGS {
        schema[name].as_bool().into_iter().for_each(|it| integer(number, i64::from(it), &mut out));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        bytes(19, name.as_bytes(), &mut out);
    }
    if let Some(default) = schema.get("default") {
        bytes(5, &any(default), &mut out);
    }
    for value in schema["enum"].as_array().into_iter().flatten() {
        bytes(20, &any(value), &mut out);
    }
    match &schema["additionalProperties"] {
        Value::Bool(flag) => {
            let mut item = Vec::new();
            integer(2, i64::from(*flag), &mut item);
            bytes(21, &item, &mut out);
        }
        Value::Object(_) => {
            let mut item = Vec::new();
            bytes(1, &encode_schema(&schema["additionalProperties"]), &mut item);
            bytes(21, &item, &mut out);
        }
        _ => {}
    }
    if let Some(kind) = schema["type"].as_str() {
        let mut item = Vec::new();
        bytes(1, kind.as_bytes(), &mut item);
        bytes(22, &item, &mut out);
    }
    if schema["items"].is_object() {
        let mut item = Vec::new();
        bytes(1, &encode_schema(&schema["items"]), &mut item);
        bytes(23, &item, &mut out);
    }
    if let Some(properties) = schema["properties"].as_object() {
        bytes(25, &named(properties), &mut out);
    }
    for (name, value) in schema.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("x-")) {
        let mut entry = Vec::new();
        bytes(1, name.as_bytes(), &mut entry);
        bytes(2, &any(value), &mut entry);
        bytes(31, &entry, &mut out);
    }
    out
}

/// Any value, as YAML; JSON is that too.
fn any(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(2, value.to_string().as_bytes(), &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::gates;

    #[test]
    fn every_reference_leads_somewhere_and_nothing_is_said_that_v2_does_not_know() {
        let document = document(&Registry::builtin().with_crds([gates()]));
        let parsed: Value = serde_json::from_str(&document.text).unwrap();
        for part in document.text.split("#/definitions/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(parsed["definitions"][name].is_object(), "{name}");
        }
        assert!(!document.text.contains("#/components"));
        for kind in ["io.k8s.api.core.v1.Pod", "io.example.policy.v1.Gate", "io.k8s.api.apps.v1.DeploymentList"] {
            assert!(parsed["definitions"][kind]["x-kubernetes-group-version-kind"].is_array(), "{kind}");
        }
        let port = &parsed["definitions"]["io.k8s.api.core.v1.ServicePort"]["properties"]["targetPort"];
        assert!(port["$ref"].is_string() || port["format"] == "int-or-string", "{port}");
        assert_eq!(&document.protobuf[..5], b"\x0a\x032.0");
    }

    #[test]
    fn schemas_lose_alternatives_and_keep_the_rest() {
        let v3 = json!({"type": "object", "oneOf": [], "properties": {
            "a": {"allOf": [{"$ref": "#/components/schemas/X"}], "description": "d", "default": {}},
            "b": {"x-kubernetes-int-or-string": true},
            "c": {"type": "array", "items": {"type": "integer", "maximum": 3}},
            "d": {"type": "array", "nullable": true, "items": {"type": "integer"}, "description": "d"},
            "e": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "required": ["f"],
                "properties": {"f": {"type": "string"}}}}});
        let v2 = schema(&v3, 0);
        assert_eq!(
            v2,
            json!({"type": "object", "properties": {
                "a": {"$ref": "#/definitions/X", "description": "d", "default": {}},
                "b": {"x-kubernetes-int-or-string": true, "type": "string", "format": "int-or-string"},
                "c": {"type": "array", "items": {"type": "integer", "maximum": 3}},
                "d": {"description": "d"},
                "e": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
        );
        // `type` and `items` of the last member: {22: {1: "array"}}, {23: {1: {7: 3.0, 22: {1: "integer"}}}}
        let array = encode_schema(&v2["properties"]["c"]);
        assert_eq!(&array[..10], b"\xb2\x01\x07\x0a\x05array");
        assert_eq!(&array[10..16], b"\xba\x01\x17\x0a\x15\x39");
    }
}
