//! What OpenAPI keywords a CRD's schema may use, and how they go together.

use super::{
    lists,
    node::{JUNCTORS, JsonNode},
    rules,
};
use crate::{error::FieldError, path::FieldPath};

/// The types there are.
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
/// Keywords that are refused, in upstream's order, with what it says.
const REFUSED: [(&str, &str); 6] = [
    ("id", "id is not supported"),
    ("additionalItems", "additionalItems is not supported"),
    ("patternProperties", "patternProperties is not supported"),
    ("definitions", "definitions is not supported"),
    ("dependencies", "dependencies is not supported"),
    ("$ref", "$ref is not supported"),
];

/// Where in the object a schema applies.
#[derive(Clone, Default)]
struct Context {
    root: bool,
    /// In apiVersion, kind or metadata of a resource.
    inside_meta: bool,
    /// Why defaults may not be here.
    no_default: Option<String>,
}

pub(super) fn check(node: JsonNode<'_>, path: &FieldPath<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(node, path, &Context { root: true, ..Context::default() }, &mut errors);
    errors
}

fn walk(node: JsonNode<'_>, path: &FieldPath<'_>, context: &Context, errors: &mut Vec<FieldError>) {
    keywords(node, path, context, errors);
    additional(node, path, context, errors);
    for (name, property) in node.properties() {
        walk(property, &path.child("properties").key(name), &of_property(node, name, context), errors);
    }
    let inner = Context { root: false, ..context.clone() };
    if let Some(not) = node.child("not") {
        walk(not, &path.child("not"), &inner, errors);
    }
    for junctor in JUNCTORS {
        for (index, schema) in node.listed(junctor) {
            walk(schema, &path.child(junctor).index(index), &inner, errors);
        }
    }
    if let Some(items) = node.child("items") {
        walk(items, &path.child("items"), &inner, errors);
    }
    if node.get("x-kubernetes-preserve-unknown-fields").is_some_and(|it| it.as_bool() == Some(false)) {
        let path = path.child("x-kubernetes-preserve-unknown-fields");
        errors.push(FieldError::invalid(&path, false, "must be true or undefined"));
    }
    lists::check(node, path, errors);
    rules::check(node, path, errors);
}

fn of_property(node: JsonNode<'_>, name: &str, context: &Context) -> Context {
    let mut inner = Context { root: false, ..context.clone() };
    let resource = context.root || node.flag("x-kubernetes-embedded-resource");
    if resource && matches!(name, "apiVersion" | "kind" | "metadata") {
        inner.inside_meta = true;
        if context.root {
            inner.no_default = Some(format!("in top-level {name}"));
        }
    }
    inner
}

fn keywords(node: JsonNode<'_>, path: &FieldPath<'_>, context: &Context, errors: &mut Vec<FieldError>) {
    let kind = node.text("type");
    if !kind.is_empty() && kind != "null" && !TYPES.contains(&kind) {
        errors.push(FieldError::not_supported(&path.child("type"), kind, TYPES));
    }
    if let (Some(reason), Some(_)) = (&context.no_default, node.get("default")) {
        errors.push(FieldError::forbidden(&path.child("default"), format!("must not be set {reason}")));
    }
    for (keyword, why) in REFUSED {
        if node.get(keyword).is_some() {
            errors.push(FieldError::forbidden(&path.child(keyword), why));
        }
    }
    if kind == "null" {
        let why = "type cannot be set to null, use nullable as an alternative";
        errors.push(FieldError::forbidden(&path.child("type"), why));
    }
    if node.get("items").is_some_and(serde_json::Value::is_array) {
        errors.push(FieldError::forbidden(&path.child("items"), "items must be a schema object and not an array"));
    }
    if context.inside_meta && node.flag("x-kubernetes-embedded-resource") {
        let path = path.child("x-kubernetes-embedded-resource");
        errors.push(FieldError::forbidden(&path, "must not be used inside of resource meta"));
    }
    if node.flag("uniqueItems") {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(FieldError::forbidden(&path.child("uniqueItems"), why));
    }
}

/// Structs have properties, maps have additionalProperties; never both.
fn additional(node: JsonNode<'_>, path: &FieldPath<'_>, context: &Context, errors: &mut Vec<FieldError>) {
    let Some(additional) = node.get("additionalProperties") else { return };
    let path = path.child("additionalProperties");
    if node.properties().next().is_some() && additional.as_bool() != Some(true) {
        errors.push(FieldError::forbidden(&path, "additionalProperties and properties are mutual exclusive"));
    }
    let mut inner = Context { root: false, ..context.clone() };
    if context.inside_meta {
        inner.no_default = Some("inside additionalProperties applying to object metadata".to_owned());
    }
    if let Some(schema) = JsonNode::new(additional) {
        walk(schema, &path, &inner, errors);
    }
}
