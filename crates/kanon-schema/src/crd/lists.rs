//! `x-kubernetes-list-type`, `-list-map-keys` and `-map-type` of a CRD's schema.

use std::collections::BTreeSet;

use super::node::JsonNode;
use crate::{error::FieldError, path::FieldPath};

const LIST_TYPE: &str = "x-kubernetes-list-type";
const LIST_KEYS: &str = "x-kubernetes-list-map-keys";
const MAP_TYPE: &str = "x-kubernetes-map-type";

pub(super) fn check(node: JsonNode<'_>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    map_type(node, path, errors);
    if node.get(LIST_TYPE).is_some() {
        list_type(node, path, errors);
    }
    let list_type = node.text(LIST_TYPE);
    if !node.list(LIST_KEYS).is_empty() && list_type != "map" {
        let path = path.child(LIST_TYPE);
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        errors.push(match node.get(LIST_TYPE) {
            None => FieldError::required(&path, why),
            Some(_) => FieldError::invalid(&path, list_type, why),
        });
    }
    match list_type {
        "map" => map_list(node, path, errors),
        "set" => set_items(node, path, errors),
        _ => {}
    }
    if matches!(list_type, "map" | "set") && node.child("items").is_some_and(|it| it.flag("nullable")) {
        let why = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.push(FieldError::forbidden(&path.child("items").child("nullable"), why));
    }
}

/// `Required` when nothing is said, `Invalid` when something else is.
fn must_be(node: JsonNode<'_>, path: &FieldPath<'_>, why: &str) -> FieldError {
    let path = path.child("type");
    match node.text("type") {
        "" => FieldError::required(&path, why),
        other => FieldError::invalid(&path, other, why),
    }
}

fn map_type(node: JsonNode<'_>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    if node.get(MAP_TYPE).is_none() {
        return;
    }
    if node.text("type") != "object" {
        errors.push(must_be(node, path, "must be object if x-kubernetes-map-type is specified"));
    }
    let kind = node.text(MAP_TYPE);
    if !matches!(kind, "atomic" | "granular") {
        errors.push(FieldError::not_supported(&path.child(MAP_TYPE), kind, ["atomic", "granular"]));
    }
}

fn list_type(node: JsonNode<'_>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    if node.text("type") != "array" {
        errors.push(must_be(node, path, "must be array if x-kubernetes-list-type is specified"));
    }
    let kind = node.text(LIST_TYPE);
    if !matches!(kind, "atomic" | "set" | "map") {
        errors.push(FieldError::not_supported(&path.child(LIST_TYPE), kind, ["atomic", "set", "map"]));
    }
}

/// Elements of sets are compared as a whole, so they merge as a whole.
fn set_items(node: JsonNode<'_>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let Some(items) = node.child("items") else { return };
    let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let keyword = match items.text("type") {
        "array" if items.get(LIST_TYPE).is_some() && items.text(LIST_TYPE) != "atomic" => LIST_TYPE,
        "object" if items.text(MAP_TYPE) != "atomic" => MAP_TYPE,
        _ => return,
    };
    let value = items.get(keyword).cloned().unwrap_or_default();
    errors.push(FieldError::invalid(&path.child("items").child(keyword), value, why));
}

fn map_list(node: JsonNode<'_>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let keys = node.texts(LIST_KEYS);
    if keys.is_empty() {
        let why = "must not be empty if x-kubernetes-list-type is map";
        errors.push(FieldError::required(&path.child(LIST_KEYS), why));
    }
    let items_path = path.child("items");
    let Some(items) = node.child("items") else {
        errors.push(FieldError::required(&items_path, "must have a schema if x-kubernetes-list-type is map"));
        return;
    };
    if items.text("type") != "object" {
        let why = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(FieldError::invalid(&items_path.child("type"), items.text("type"), why));
        return;
    }
    let mut seen = BTreeSet::new();
    for key in &keys {
        match items.property(key) {
            Some(property) => map_key(items, key, property, &items_path, errors),
            None => {
                let why = "entries must all be names of item properties";
                errors.push(FieldError::invalid(&path.child(LIST_KEYS), keys.clone(), why));
            }
        }
        if !seen.insert(*key) {
            errors.push(FieldError::invalid(
                &path.child(LIST_KEYS),
                keys.clone(),
                "must not contain duplicate entries",
            ));
        }
    }
}

fn map_key(items: JsonNode<'_>, key: &str, property: JsonNode<'_>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let properties = path.child("properties");
    let path = properties.key(key);
    let kind = property.text("type");
    if matches!(kind, "array" | "object") {
        let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
        errors.push(FieldError::invalid(&path.child("type"), kind, why));
    }
    if !items.texts("required").contains(&key) && property.get("default").is_none() {
        let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
        errors.push(FieldError::required(&path.child("default"), why));
    }
    if property.flag("nullable") {
        let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
        errors.push(FieldError::forbidden(&path.child("nullable"), why));
    }
}
