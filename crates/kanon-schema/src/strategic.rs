//! Strategic merge patch (spec/kubernetes-api.md 4.5): JSON merge patch with lists that merge by key and directives beside
//! the data. What merges, and by which key, is in the schema ([`crate::PatchStrategy`]).
//!
//! Directives: `$patch: replace|delete|merge`, `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`, `$retainKeys`.

mod lists;

use serde_json::{Map, Value};

use crate::schema::Schema;

/// Why a patch cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategicError {
    /// A patch of an object is no object.
    #[error("`{path}`: expected an object in the patch")]
    NotAnObject {
        /// Where.
        path: String,
    },
    /// A list's element has no merge key.
    #[error("map: {element} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The element as JSON.
        element: String,
        /// The key it lacks.
        key: String,
    },
    /// A directive is not one of those that exist, or has the wrong form.
    #[error("`{path}`: {problem}")]
    Directive {
        /// Where.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// The object after the patch. `schema` is the whole object's.
///
/// # Errors
/// See [`StrategicError`]; nothing is changed then.
pub fn strategic_merge(schema: &Schema, current: &Value, patch: &Value) -> Result<Value, StrategicError> {
    let Value::Object(patch) = patch else { return Err(StrategicError::NotAnObject { path: String::new() }) };
    let empty = Map::new();
    let current = current.as_object().unwrap_or(&empty);
    Ok(Value::Object(merge_object(schema, current, patch, "")?.unwrap_or_default()))
}

/// `None` when the patch deletes the object itself.
fn merge_object(
    schema: &Schema,
    current: &Map<String, Value>,
    patch: &Map<String, Value>,
    path: &str,
) -> Result<Option<Map<String, Value>>, StrategicError> {
    match patch.get(PATCH).map(|it| it.as_str().unwrap_or_default()) {
        Some("replace") => return Ok(Some(without_directives(patch))),
        Some("delete") => return Ok(None),
        Some("merge") | None => {}
        Some(other) => {
            let problem = format!("unknown patch type `{other}`: `$patch` is replace, delete or merge");
            return Err(StrategicError::Directive { path: path.to_owned(), problem });
        }
    }
    let mut merged = current.clone();
    if let Some(retained) = patch.get(RETAIN_KEYS) {
        let Value::Array(retained) = retained else {
            return Err(directive(path, RETAIN_KEYS, "expected a list of member names"));
        };
        let is_data = |name: &str| !name.starts_with('$');
        let named = |name: &str| retained.iter().any(|it| it == name);
        if let Some((name, _)) = patch.iter().find(|(name, value)| is_data(name) && !value.is_null() && !named(name)) {
            let problem = format!("`{name}` is in the patch, but not among the members to retain");
            return Err(directive(path, RETAIN_KEYS, &problem));
        }
        merged.retain(|name, _| named(name));
    }
    for (name, value) in patch {
        if name == PATCH || name == RETAIN_KEYS || name.starts_with(SET_ORDER) {
            continue;
        }
        if let Some(list) = name.strip_prefix(DELETE_FROM) {
            let Value::Array(gone) = value else { return Err(directive(path, name, "expected a list")) };
            if let Some(Value::Array(items)) = merged.get_mut(list) {
                items.retain(|it| !gone.contains(it));
            }
            continue;
        }
        merge_member(schema, &mut merged, name, value, path)?;
    }
    // An order may be given for a list that the patch does not change otherwise.
    for (name, order) in patch {
        let Some(list) = name.strip_prefix(SET_ORDER) else { continue };
        let Value::Array(order) = order else { return Err(directive(path, name, "expected a list")) };
        if let Some(Value::Array(items)) = merged.get_mut(list) {
            let key = member_schema(schema, list).and_then(|it| it.patch.merge_key.as_deref());
            let before = current.get(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            lists::reorder(items, order, before, key);
        }
    }
    Ok(Some(merged))
}

fn merge_member(
    schema: &Schema,
    merged: &mut Map<String, Value>,
    name: &str,
    value: &Value,
    path: &str,
) -> Result<(), StrategicError> {
    let path = format!("{path}.{name}");
    let any = Schema::default();
    let member = member_schema(schema, name).unwrap_or(&any);
    match value {
        Value::Null => {
            merged.remove(name);
        }
        Value::Object(change) => {
            let empty = Map::new();
            let current = merged.get(name).and_then(Value::as_object).unwrap_or(&empty);
            match merge_object(member, current, change, &path)? {
                Some(object) => merged.insert(name.to_owned(), Value::Object(object)),
                None => merged.remove(name),
            };
        }
        Value::Array(change) if member.patch.merge => {
            let current = merged.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            let list = lists::merge(member, current, change, &path)?;
            merged.insert(name.to_owned(), Value::Array(list));
        }
        Value::Array(change) => {
            let plain = change.iter().filter_map(|it| match it {
                Value::Object(map) if is_only_directive(map) => None,
                Value::Object(map) => Some(Value::Object(without_directives(map))),
                other => Some(other.clone()),
            });
            let list = plain.collect();
            merged.insert(name.to_owned(), Value::Array(list));
        }
        scalar => {
            merged.insert(name.to_owned(), scalar.clone());
        }
    }
    Ok(())
}

/// What a member of an object holds: declared, or a map's value.
fn member_schema<'s>(schema: &'s Schema, name: &str) -> Option<&'s Schema> {
    schema.properties.get(name).or(schema.additional.as_ref()).map(|it| &**it)
}

fn is_only_directive(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.contains_key(PATCH)
}

/// New content as it is meant: without directives, and without members that are null.
fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    let is_directive = |name: &str| {
        name == PATCH || name == RETAIN_KEYS || name.starts_with(SET_ORDER) || name.starts_with(DELETE_FROM)
    };
    let clean = |value: &Value| match value {
        Value::Object(map) => Value::Object(without_directives(map)),
        other => other.clone(),
    };
    let kept = map.iter().filter(|(name, value)| !is_directive(name) && !value.is_null());
    kept.map(|(name, value)| (name.clone(), clean(value))).collect()
}

fn directive(path: &str, name: &str, problem: &str) -> StrategicError {
    StrategicError::Directive { path: format!("{path}.{name}"), problem: problem.to_owned() }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
