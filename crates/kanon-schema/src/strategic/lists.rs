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
    let before = current.clone();
    let Some(key) = schema.patch.merge_key.as_deref() else {
        for item in patch {
            if !current.contains(item) {
                current.push(item.clone());
            }
        }
        reorder(&mut current, patch, &before, None);
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
        let old = at.and_then(|at| current[at].as_object()).unwrap_or(&empty);
        match (merge_object(element, old, change, &format!("{path}[{id}]"))?, at) {
            (Some(object), Some(at)) => current[at] = Value::Object(object),
            (Some(object), None) => current.push(Value::Object(object)),
            (None, Some(at)) => drop(current.remove(at)),
            (None, None) => {}
        }
    }
    reorder(&mut current, patch, &before, Some(key));
    Ok(current)
}

/// Puts the elements that `order` names into that order. The others, which the patch's author did not know of, come before
/// the first named one that they preceded in `before`; so what is new in the patch comes before them (upstream's rule: a
/// container that a patch adds becomes the first).
pub(super) fn reorder(items: &mut Vec<Value>, order: &[Value], before: &[Value], key: Option<&str>) {
    let id = |it: &Value| match key {
        Some(key) => it.get(key).cloned().unwrap_or(Value::Null),
        None => it.clone(),
    };
    let rank = |list: &[Value], it: &Value| {
        let wanted = id(it);
        list.iter().position(|other| id(other) == wanted)
    };
    let (mut named, mut others): (Vec<Value>, Vec<Value>) = items.drain(..).partition(|it| rank(order, it).is_some());
    named.sort_by_cached_key(|it| rank(order, it));
    others.sort_by_cached_key(|it| rank(before, it));
    let mut others = others.into_iter().peekable();
    for item in named {
        if let Some(at) = rank(before, &item) {
            while let Some(other) = others.next_if(|it| rank(before, it).is_some_and(|it| it < at)) {
                items.push(other);
            }
        }
        items.push(item);
    }
    items.extend(others);
}
