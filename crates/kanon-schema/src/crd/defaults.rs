//! Defaults must fit their own schema and hold nothing it does not know.

use std::sync::Arc;

use crate::{error::FieldError, path::FieldPath, prune::prune_value, schema::Schema, validate::Validator};

pub(super) fn check(schema: &Arc<Schema>, path: &FieldPath<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(schema, path, &mut errors);
    errors
}

/// Defaults inside additionalProperties are upstream's blind spot; they are not checked there either.
fn walk(schema: &Arc<Schema>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    if let Some(default) = &schema.default {
        let path = path.child("default");
        let mut pruned = default.clone();
        if !prune_value(schema, &mut pruned).is_empty() {
            errors.push(FieldError::invalid(&path, default.clone(), "must not have unknown fields"));
        }
        let found = Validator::new(schema.clone()).validate(default);
        errors.extend(found.into_iter().map(|error| below(&path, error)));
    }
    if let Some(items) = &schema.items {
        walk(items, &path.child("items"), errors);
    }
    let properties = path.child("properties");
    for (name, property) in &schema.properties {
        walk(property, &properties.key(name), errors);
    }
}

/// An error of the default's own, told at the place of the default; the message keeps the inner place.
fn below(path: &FieldPath<'_>, error: FieldError) -> FieldError {
    let root = FieldPath::root().to_string();
    let field = if error.field == root { path.to_string() } else { format!("{path}.{}", error.field) };
    FieldError { field, ..error }
}
