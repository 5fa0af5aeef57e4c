//! Structurality: types and members are stated once, outside of `allOf` and its kin, which only constrain values.

use serde_json::Value;

use super::node::{JUNCTORS, JsonNode};
use crate::{error::FieldError, path::FieldPath, pattern::compile_pattern};

const INT_OR_STRING: &str = "x-kubernetes-int-or-string";
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const EMBEDDED: &str = "x-kubernetes-embedded-resource";

/// Where a schema stands: the message about a missing type depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

pub(super) fn check(node: JsonNode<'_>, path: &FieldPath<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(node, path, Level::Root, &mut errors);
    complete(node, node, path, path, &mut errors);
    errors
}

fn walk(node: JsonNode<'_>, path: &FieldPath<'_>, level: Level, errors: &mut Vec<FieldError>) {
    match node.child("items") {
        Some(items) => walk(items, &path.child("items"), Level::Item, errors),
        None if node.text("type") == "array" => {
            errors.push(FieldError::required(&path.child("items"), "must be specified"));
        }
        None => {}
    }
    for (name, property) in node.properties() {
        walk(property, &path.child("properties").key(name), Level::Field, errors);
    }
    if let Some(additional) = node.get("additionalProperties") {
        let path = path.child("additionalProperties");
        if level == Level::Root {
            errors.push(FieldError::forbidden(&path, "must not be used at the root"));
        }
        if let Some(additional) = JsonNode::new(additional) {
            walk(additional, &path, Level::Field, errors);
        }
    }
    kind(node, path, level, errors);
    extensions(node, path, errors);
    resource(node, path, level, errors);
    values(node, path, skip_first(node), errors);
}

fn kind(node: JsonNode<'_>, path: &FieldPath<'_>, level: Level, errors: &mut Vec<FieldError>) {
    let (path, kind) = (path.child("type"), node.text("type"));
    if node.flag(EMBEDDED) && kind != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(match kind {
            "" => FieldError::required(&path, why),
            other => FieldError::invalid(&path, other, why),
        });
    } else if kind.is_empty() && !node.flag(INT_OR_STRING) && !node.flag(PRESERVE) {
        errors.push(FieldError::required(
            &path,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            },
        ));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(FieldError::invalid(&path, kind, "must be object at the root"));
    }
}

fn extensions(node: JsonNode<'_>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    for keyword in [PRESERVE, EMBEDDED] {
        if node.flag(INT_OR_STRING) && node.flag(keyword) {
            let why = "must be false if x-kubernetes-int-or-string is true";
            errors.push(FieldError::invalid(&path.child(keyword), true, why));
        }
    }
    if !node.flag(EMBEDDED) {
        return;
    }
    if node.get("additionalProperties").is_some() {
        let why = "must not be used if x-kubernetes-embedded-resource is set";
        errors.push(FieldError::forbidden(&path.child("additionalProperties"), why));
    }
    if !node.flag(PRESERVE) && node.properties().next().is_none() {
        let why = "must not be empty if x-kubernetes-embedded-resource is true without \
                   x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(&path.child("properties"), why));
    }
}

/// apiVersion and kind are text, metadata is an object whose schema the server knows: only names may be restricted.
fn resource(node: JsonNode<'_>, path: &FieldPath<'_>, level: Level, errors: &mut Vec<FieldError>) {
    if level != Level::Root && !node.flag(EMBEDDED) {
        return;
    }
    let properties = path.child("properties");
    for (name, wanted) in [("kind", "string"), ("apiVersion", "string"), ("metadata", "object")] {
        let Some(property) = node.property(name) else { continue };
        let kind = property.text("type");
        if kind != wanted {
            let why = format!("must be {wanted}");
            errors.push(FieldError::invalid(&properties.key(name).child("type"), kind, why));
        }
    }
    let restricts_more = |metadata: JsonNode<'_>| {
        let Value::Object(members) = metadata.to_value() else { return false };
        let other_keyword = members.keys().any(|key| !matches!(key.as_str(), "type" | "properties" | "default"));
        other_keyword || metadata.properties().any(|(name, _)| !matches!(name.as_str(), "name" | "generateName"))
    };
    if level == Level::Root && node.property("metadata").is_some_and(restricts_more) {
        let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.push(FieldError::forbidden(&properties.key("metadata"), why));
    }
}

/// The combinators in which types are allowed, as the written form of int-or-string: `anyOf`, or the first of `allOf`.
#[derive(Clone, Copy, Default)]
struct Skip {
    any_of: bool,
    first_all_of: bool,
}

fn skip_first(node: JsonNode<'_>) -> Skip {
    let first = node.listed("allOf").next();
    Skip { any_of: is_either(node), first_all_of: first.is_some_and(|(_, it)| is_either(it)) }
}

/// `anyOf: [{type: integer}, {type: string}]`, and nothing else in it.
fn is_either(node: JsonNode<'_>) -> bool {
    let is_only = |it: &Value, kind: &str| it.as_object().is_some_and(|it| it.len() == 1) && it["type"] == kind;
    matches!(node.list("anyOf"), [first, second] if is_only(first, "integer") && is_only(second, "string"))
}

fn values(node: JsonNode<'_>, path: &FieldPath<'_>, skip: Skip, errors: &mut Vec<FieldError>) {
    for junctor in JUNCTORS {
        if junctor == "anyOf" && skip.any_of {
            continue;
        }
        for (index, schema) in node.listed(junctor) {
            let inner = Skip { any_of: junctor == "allOf" && index == 0 && skip.first_all_of, first_all_of: false };
            nested(schema, &path.child(junctor).index(index), inner, errors);
        }
    }
    if let Some(not) = node.child("not") {
        nested(not, &path.child("not"), Skip::default(), errors);
    }
    let pattern = node.text("pattern");
    if !pattern.is_empty()
        && let Err(why) = compile_pattern(pattern)
    {
        let why = format!("must be a valid regular expression, but isn't: {why}");
        errors.push(FieldError::invalid(&path.child("pattern"), pattern, why));
    }
}

/// A schema below a combinator: values only.
fn nested(node: JsonNode<'_>, path: &FieldPath<'_>, skip: Skip, errors: &mut Vec<FieldError>) {
    const EMPTY: &str = "must be empty to be structural";
    const UNDEFINED: &str = "must be undefined to be structural";
    const FALSE: &str = "must be false to be structural";
    const REFUSED: [(&str, &str); 13] = [
        ("type", EMPTY),
        ("additionalProperties", UNDEFINED),
        ("default", UNDEFINED),
        ("title", EMPTY),
        ("description", EMPTY),
        ("nullable", FALSE),
        ("externalDocs", UNDEFINED),
        (PRESERVE, FALSE),
        (EMBEDDED, FALSE),
        (INT_OR_STRING, FALSE),
        ("x-kubernetes-list-map-keys", EMPTY),
        ("x-kubernetes-list-type", UNDEFINED),
        ("x-kubernetes-map-type", UNDEFINED),
    ];
    values(node, path, skip, errors);
    if let Some(items) = node.child("items") {
        nested(items, &path.child("items"), Skip::default(), errors);
    }
    let properties = path.child("properties");
    for (name, property) in node.properties() {
        nested(property, &properties.key(name), Skip::default(), errors);
    }
    let is_set = |value: &Value| !matches!(value, Value::Bool(false)) && value.as_str() != Some("");
    for (keyword, why) in REFUSED {
        if node.get(keyword).is_some_and(is_set) {
            errors.push(FieldError::forbidden(&path.child(keyword), why));
        }
    }
    if !node.list("x-kubernetes-validations").is_empty() {
        errors.push(FieldError::forbidden(&path.child("x-kubernetes-validations"), EMPTY));
    }
    if node.property("metadata").is_some() {
        errors.push(FieldError::forbidden(&properties.key("metadata"), "must not be specified in a nested context"));
    }
}

/// What a combinator speaks of must be stated outside of combinators, too.
fn complete(
    node: JsonNode<'_>,
    outside: JsonNode<'_>,
    path: &FieldPath<'_>,
    outside_path: &FieldPath<'_>,
    errors: &mut Vec<FieldError>,
) {
    for junctor in JUNCTORS {
        for (index, schema) in node.listed(junctor) {
            mentioned(schema, outside, &path.child(junctor).index(index), outside_path, errors);
        }
    }
    if let Some(not) = node.child("not") {
        mentioned(not, outside, &path.child("not"), outside_path, errors);
    }
    if let Some(items) = node.child("items") {
        let path = path.child("items");
        complete(items, items, &path, &path, errors);
    }
    for (name, property) in node.properties() {
        let properties = path.child("properties");
        let path = properties.key(name);
        complete(property, property, &path, &path, errors);
    }
    if let Some(additional) = node.child("additionalProperties") {
        let path = path.child("additionalProperties");
        complete(additional, additional, &path, &path, errors);
    }
}

fn mentioned(
    node: JsonNode<'_>,
    outside: JsonNode<'_>,
    path: &FieldPath<'_>,
    outside_path: &FieldPath<'_>,
    errors: &mut Vec<FieldError>,
) {
    let (properties, outside_properties) = (path.child("properties"), outside_path.child("properties"));
    for (name, property) in node.properties() {
        let (path, outside_path) = (properties.key(name), outside_properties.key(name));
        match outside.property(name) {
            Some(outside) => mentioned(property, outside, &path, &outside_path, errors),
            None => errors.push(FieldError::required(&outside_path, format!("because it is defined in {path}"))),
        }
    }
    if let Some(items) = node.child("items") {
        let (path, outside_path) = (path.child("items"), outside_path.child("items"));
        match outside.child("items") {
            Some(outside) => mentioned(items, outside, &path, &outside_path, errors),
            None => errors.push(FieldError::required(&outside_path, format!("because it is defined in {path}"))),
        }
    }
    for junctor in JUNCTORS {
        for (index, schema) in node.listed(junctor) {
            mentioned(schema, outside, &path.child(junctor).index(index), outside_path, errors);
        }
    }
    if let Some(not) = node.child("not") {
        mentioned(not, outside, &path.child("not"), outside_path, errors);
    }
}
