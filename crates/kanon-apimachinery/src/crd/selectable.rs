//! `selectableFields`: which fields of a version field selectors may name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::validate::text;
use crate::status::Cause;

/// Most fields of a version.
const MOST: usize = 8;

/// Judges the fields at `place`; `schema` is the version's.
pub(super) fn validate(place: &str, fields: &Value, schema: &Value, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (at, field) in fields.as_array().into_iter().flatten().enumerate() {
        let (at_path, path) = (format!("{place}[{at}].jsonPath"), text(field, "jsonPath"));
        if path.is_empty() {
            causes.push(Cause::required(&at_path, ""));
            continue;
        }
        let found = match find(path, schema) {
            Ok(found) => found,
            Err(why) => {
                causes.push(Cause::invalid(&at_path, &path.into(), &format!("is an invalid path: {why}")));
                continue;
            }
        };
        if path.split('.').nth(1) == Some("metadata") {
            causes.push(Cause::invalid(&at_path, &path.into(), "must not point to fields in metadata"));
        }
        if !matches!(text(found, "type"), "string" | "boolean" | "integer") {
            let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are \
                          allowed.";
            causes.push(Cause::invalid(&at_path, &path.into(), detail));
        }
        if !seen.insert(path) {
            causes.push(Cause::new("FieldValueDuplicate", at_path, format!("Duplicate value: {path:?}")));
        }
    }
    if seen.len() > MOST {
        let text = format!("Too many: {}: must have at most {MOST} items", seen.len());
        causes.push(Cause::new("FieldValueTooMany", place, text));
    }
}

/// The schema at a path such as `.spec.colour`; lists and maps cannot be entered by index.
fn find<'s>(path: &str, schema: &'s Value) -> Result<&'s Value, String> {
    if path.contains('[') {
        return Err("array notation is not allowed".to_owned());
    }
    let Some(steps) = path.strip_prefix('.') else {
        let first = path.split('.').next().unwrap_or_default();
        return Err(format!("expected [ or . but got: {first}"));
    };
    let mut schema = schema;
    for step in steps.split('.') {
        if step.is_empty() {
            return Err("unexpected end of JSON path".to_owned());
        }
        let (members, values) = (&schema["properties"], &schema["additionalProperties"]);
        schema = match members.get(step) {
            Some(found) => found,
            None if members.is_null() && values.is_object() => values,
            None => return Err("does not refer to a valid field".to_owned()),
        };
    }
    Ok(schema)
}
