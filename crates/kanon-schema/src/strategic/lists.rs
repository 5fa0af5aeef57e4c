//! Lists that merge: of objects by their merge key, of scalars as sets; and the order that `$setElementOrder` asks for.

use serde_json::{Map, Value};

use super::{PATCH, StrategicError, is_only_directive, merge_object, without_directives};
use crate::schema::Schema;

/// The list after the patch.
pub(super) fn merge(
    schema: &Schema,
    mut current: Vec<Value>,
    patch: &[Value],
    path: &str,
) -> Result<Vec<Value>, StrategicError> {
    // `- $patch: replace` anywhere in the list makes the rest of it the whole new list.
    let replaces = |it: &Value| it.as_object().is_some_and(|it| is_only_directive(it) && it[PATCH] == "replace");
    if patch.iter().any(replaces) {
        let rest = patch.iter().filter(|it| !replaces(it));
        return Ok(rest
            .map(|it| it.as_object().map_or_else(|| it.clone(), |it| Value::Object(without_directives(it))))
            .collect());
    }
    let Some(key) = schema.patch.merge_key.as_deref() else {
        for item in patch {
            if !current.contains(item) {
                current.push(item.clone());
            }
        }
        return Ok(current);
    };
    let any = Schema::default();
    let element = schema.items.as_deref().unwrap_or(&any);
    for item in patch {
        let Value::Object(change) = item else {
            return Err(StrategicError::NoMergeKey { element: item.to_string(), key: key.to_owned() });
        };
        let Some(id) = change.get(key) else {
            return Err(StrategicError::NoMergeKey { element: item.to_string(), key: key.to_owned() });
        };
        let at = current.iter().position(|it| it.get(key) == Some(id));
        let empty = Map::new();
        let before = at.and_then(|at| current[at].as_object()).unwrap_or(&empty);
        match (merge_object(element, before, change, &format!("{path}[{id}]"))?, at) {
            (Some(object), Some(at)) => current[at] = Value::Object(object),
            (Some(object), None) => current.push(Value::Object(object)),
            (None, Some(at)) => drop(current.remove(at)),
            (None, None) => {}
        }
    }
    Ok(current)
}

/// Puts the elements that `order` names into that order. The others, which the patch's author did not know of, keep their
/// place relative to the named element that they followed.
pub(super) fn reorder(items: &mut Vec<Value>, order: &[Value], key: Option<&str>) {
    let id = |it: &Value| match key {
        Some(key) => it.get(key).cloned().unwrap_or(Value::Null),
        None => it.clone(),
    };
    let order: Vec<Value> = order.iter().map(id).collect();
    let rank = |it: &Value| order.iter().position(|named| *named == id(it));
    let mut named: Vec<(usize, Vec<Value>)> = Vec::new();
    let mut leading = Vec::new();
    for item in items.drain(..) {
        match rank(&item) {
            Some(rank) => named.push((rank, vec![item])),
            None => named.last_mut().map_or(&mut leading, |(_, group)| group).push(item),
        }
    }
    named.sort_by_key(|(rank, _)| *rank);
    items.extend(leading);
    items.extend(named.into_iter().flat_map(|(_, group)| group));
}
