//! What a version's printed columns and scale paths must be like.

use serde_json::Value;

use super::validate::text;
use crate::status::Cause;

/// Types that a column may have, and formats, as messages list them.
const TYPES: &str = "boolean,date,integer,number,string";
const FORMATS: &str = "byte,date,date-time,double,float,int32,int64,password";

/// Judges the columns at `place`.
pub(super) fn columns(place: &str, columns: &Value, causes: &mut Vec<Cause>) {
    for (at, column) in columns.as_array().into_iter().flatten().enumerate() {
        let field = |name: &str| format!("{place}[{at}].{name}");
        if text(column, "name").is_empty() {
            causes.push(Cause::required(&field("name"), ""));
        }
        let must = |list: &str| format!("must be one of {list}");
        let (kind, format) = (text(column, "type"), text(column, "format"));
        if kind.is_empty() {
            causes.push(Cause::required(&field("type"), &must(TYPES)));
        } else if !TYPES.split(',').any(|it| it == kind) {
            causes.push(Cause::invalid(&field("type"), &kind.into(), &must(TYPES)));
        }
        if !format.is_empty() && !FORMATS.split(',').any(|it| it == format) {
            causes.push(Cause::invalid(&field("format"), &format.into(), &must(FORMATS)));
        }
        let path = text(column, "jsonPath");
        if path.is_empty() {
            causes.push(Cause::required(&field("JSONPath"), ""));
        } else {
            simple_path(&field("JSONPath"), path, causes);
        }
    }
}

/// Judges the paths of the scale subresource at `place`.
pub(super) fn scale(place: &str, scale: &Value, causes: &mut Vec<Cause>) {
    if !scale.is_object() {
        return;
    }
    for (name, parents, required) in [
        ("specReplicasPath", &[".spec."][..], true),
        ("statusReplicasPath", &[".status."], true),
        ("labelSelectorPath", &[".status.", ".spec."], false),
    ] {
        let (field, path) = (format!("{place}.{name}"), text(scale, name));
        if path.is_empty() {
            if required {
                causes.push(Cause::required(&field, ""));
            }
        } else if simple_path(&field, path, causes) && !parents.iter().any(|it| path.starts_with(it)) {
            let detail = match parents {
                [one] => format!("should be a json path under {}", one.trim_end_matches('.')),
                _ => "should be a json path under either .spec or .status".to_owned(),
            };
            causes.push(Cause::invalid(&field, &path.into(), &detail));
        }
    }
}

/// Paths in dot notation begin with a dot.
fn simple_path(field: &str, path: &str, causes: &mut Vec<Cause>) -> bool {
    if !path.starts_with('.') {
        causes.push(Cause::invalid(field, &path.into(), "must be a simple json path starting with ."));
    }
    path.starts_with('.')
}
