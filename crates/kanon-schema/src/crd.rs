//! CustomResourceDefinition schemas: from JSON to [`Schema`], and whether they are structural (spec/kubernetes-api.md 4.8).
//!
//! Findings come in upstream's words and with its paths, below a base such as `spec.validation.openAPIV3Schema` (one
//! version) or `spec.versions[1].schema.openAPIV3Schema`.

mod convert;
mod defaults;
mod field_path;
mod form;
mod lists;
mod node;
mod rules;
mod structural;

use std::sync::Arc;

use serde_json::Value;

pub use convert::from_json;
pub(crate) use field_path::rule_field;

use crate::{error::FieldError, path::FieldPath, schema::Schema};
use node::JsonNode;

/// The schema of a custom resource from `openAPIV3Schema`, whose place is `path`.
///
/// # Errors
/// Everything that keeps it from being structural; when it is, every default that does not fit its own schema.
pub fn structural_schema(json: &Value, path: &FieldPath<'_>) -> Result<Arc<Schema>, Vec<FieldError>> {
    let Some(node) = JsonNode::new(json) else {
        return Err(vec![FieldError::required(path, "schemas are required")]);
    };
    let mut errors = form::check(node, path);
    let mut shape = structural::check(node, path);
    // Upstream's order, which does not depend on that of the members.
    shape.sort_by_key(ToString::to_string);
    errors.append(&mut shape);
    let schema = Arc::new(from_json(json));
    if errors.is_empty() {
        errors = defaults::check(&schema, path);
    }
    if errors.is_empty() { Ok(schema) } else { Err(errors) }
}

#[cfg(test)]
mod tests;
