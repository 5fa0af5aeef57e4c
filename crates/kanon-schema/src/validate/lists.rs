//! Uniqueness: elements of sets, keys of map lists, `uniqueItems`.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use crate::{
    error::FieldError,
    path::FieldPath,
    schema::{ListType, Schema},
};

/// Elements that appear twice where the schema says each appears once.
pub(super) fn check(schema: &Schema, value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    node(schema, value, &FieldPath::root(), &mut errors);
    errors
}

/// The values of an element's key members, null where absent; null also for elements that are no objects.
pub(crate) fn element_key<'v>(keys: &[String], item: &'v Value) -> Vec<&'v Value> {
    keys.iter().map(|key| item.get(key).unwrap_or(&Value::Null)).collect()
}

/// Whether two elements are equal.
pub(super) fn has_duplicates(items: &[Value]) -> bool {
    let mut seen = HashSet::new();
    items.iter().any(|it| !seen.insert(it))
}

fn node(schema: &Schema, value: &Value, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::Array(items) => {
            match &schema.list_type {
                ListType::Set => set(items, path, errors),
                ListType::Map(keys) => map(keys, items, path, errors),
                ListType::Atomic => {}
            }
            let Some(inner) = &schema.items else { return };
            for (index, item) in items.iter().enumerate() {
                node(inner, item, &path.index(index), errors);
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                if let Some(inner) = schema.properties.get(key) {
                    node(inner, value, &path.child(key), errors);
                } else if let Some(inner) = &schema.additional {
                    node(inner, value, &path.key(key), errors);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Positions at which a value stands for the second time; later repeats are not told again.
fn second_times(values: impl Iterator<Item = String>) -> Vec<usize> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (index, value) in values.enumerate() {
        let times = times.entry(value).or_default();
        *times += 1;
        if *times == 2 {
            found.push(index);
        }
    }
    found
}

fn set(items: &[Value], path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    for index in second_times(items.iter().map(Value::to_string)) {
        errors.extend(items.get(index).map(|it| FieldError::duplicate(&path.index(index), it.clone())));
    }
}

fn map(keys: &[String], items: &[Value], path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    if let Some((index, item)) = items.iter().enumerate().find(|(_, it)| !it.is_object() && !it.is_null()) {
        let detail = "must be an object for an array of list-type map";
        errors.push(FieldError::invalid(&path.index(index), item.clone(), detail));
        return;
    }
    let keys_of = |item: &Value| -> Value {
        let found = keys.iter().filter_map(|key| item.get(key).map(|value| (key.clone(), value.clone())));
        Value::Object(found.collect::<Map<_, _>>())
    };
    let found: Vec<Value> = items.iter().map(keys_of).collect();
    for index in second_times(found.iter().map(Value::to_string)) {
        errors.extend(found.get(index).map(|it| FieldError::duplicate(&path.index(index), it.clone())));
    }
}
