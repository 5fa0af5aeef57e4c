//! Walks over values by their schema: to the set of a configuration's fields, to the changes between two objects, to the
//! merge of a configuration into an object, and to an object without fields that nobody wants any more.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    element::Element,
    set::{FieldNode, FieldSet},
    typed::{Member, Place, Shape},
};
use crate::validate::equal;

/// The fields that a configuration sets: leaves, list elements, entries of maps, and members that are null or `{}`.
pub(super) fn to_set(place: Place<'_>, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    collect(place, value, &mut Vec::new(), &mut set);
    set
}

fn collect(place: Place<'_>, value: &Value, path: &mut Vec<Element>, set: &mut FieldSet) {
    match (place.shape(value), value) {
        (Shape::Map, Value::Object(members)) => {
            for (key, value) in members {
                let entry = matches!(place.member(key), Member::Entry(_));
                path.push(Element::Field(key.clone()));
                if entry || is_blank(value) {
                    set.insert(path);
                }
                collect(place.child(key), value, path, set);
                path.pop();
            }
        }
        (Shape::List(keys), Value::Array(items)) => {
            for item in items {
                let Ok(element) = place.element(keys, item) else { continue };
                path.push(element);
                set.insert(path);
                collect(place.items(), item, path, set);
                path.pop();
            }
        }
        _ => set.insert(path),
    }
}

/// Null or `{}`: nothing below it can stand for it.
fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// What changed from one object to another.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Fields that were not there, with those above them that were not there either.
    pub(super) added: FieldSet,
    /// Leaves with another value.
    pub(super) modified: FieldSet,
    /// Fields that are not there any more.
    pub(super) removed: FieldSet,
}

impl Changes {
    pub(super) fn between(place: Place<'_>, old: &Value, new: &Value) -> Changes {
        let mut changes = Changes::default();
        changes.node(place, Some(old), Some(new), &mut Vec::new());
        changes
    }

    /// Fields that have a new value.
    pub(super) fn set(&self) -> FieldSet {
        self.added.union(&self.modified)
    }

    /// The same, without those that are also gone.
    pub(super) fn into_taken(self) -> FieldSet {
        // New objects have additions alone.
        let set = if self.modified.is_empty() { self.added } else { self.added.union(&self.modified) };
        if self.removed.is_empty() { set } else { set.difference(&self.removed) }
    }

    fn node(&mut self, place: Place<'_>, old: Option<&Value>, new: Option<&Value>, path: &mut Vec<Element>) {
        // `1` and `1.0` are the same value.
        if old.zip(new).is_some_and(|(old, new)| equal(old, new)) {
            return;
        }
        match (old, new) {
            (None, Some(_)) => self.added.insert(path),
            (Some(_), None) => self.removed.insert(path),
            _ => {}
        }
        match place.common_shape(old, new) {
            Shape::Map => self.members(place, old, new, path),
            Shape::List(keys) => self.elements(place, keys, old, new, path),
            Shape::Leaf if old.is_some() && new.is_some() => self.modified.insert(path),
            Shape::Leaf => {}
        }
    }

    fn members<'v>(
        &mut self,
        place: Place<'_>,
        old: Option<&'v Value>,
        new: Option<&'v Value>,
        path: &mut Vec<Element>,
    ) {
        let members = |it: Option<&'v Value>| it.and_then(Value::as_object).into_iter().flatten();
        let only_new = members(new).filter(|(key, _)| old.is_none_or(|it| it.get(key.as_str()).is_none()));
        for (key, _) in members(old).chain(only_new) {
            path.push(Element::Field(key.clone()));
            self.node(place.child(key), old.and_then(|it| it.get(key)), new.and_then(|it| it.get(key)), path);
            path.pop();
        }
    }

    fn elements(
        &mut self,
        place: Place<'_>,
        keys: &[String],
        old: Option<&Value>,
        new: Option<&Value>,
        path: &mut Vec<Element>,
    ) {
        let (old, new) = (Indexed::new(place, keys, old), Indexed::new(place, keys, new));
        let mut all: Vec<&Element> = old.order.iter().collect();
        all.extend(new.order.iter().filter(|it| !old.items.contains_key(*it)));
        for element in all {
            path.push(element.clone());
            self.node(place.items(), old.items.get(element).copied(), new.items.get(element).copied(), path);
            path.pop();
        }
    }
}

/// A list's elements by what names them; of elements with one name the first counts.
struct Indexed<'v> {
    order: Vec<Element>,
    items: BTreeMap<Element, &'v Value>,
}

impl<'v> Indexed<'v> {
    fn new(place: Place<'_>, keys: &[String], list: Option<&'v Value>) -> Indexed<'v> {
        let mut index = Indexed { order: Vec::new(), items: BTreeMap::new() };
        for item in list.and_then(Value::as_array).into_iter().flatten() {
            let Ok(element) = place.element(keys, item) else { continue };
            if !index.items.contains_key(&element) {
                index.items.insert(element.clone(), item);
                index.order.push(element);
            }
        }
        index
    }
}

/// `live` with the configuration's values in it.
pub(super) fn merge(place: Place<'_>, live: &Value, config: &Value) -> Value {
    match (place.common_shape(Some(live), Some(config)), live, config) {
        (Shape::Map, Value::Object(live), Value::Object(config)) => {
            let mut out = live.clone();
            for (key, value) in config {
                let merged = live.get(key).map_or_else(|| value.clone(), |old| merge(place.child(key), old, value));
                out.insert(key.clone(), merged);
            }
            Value::Object(out)
        }
        (Shape::List(keys), Value::Array(_), Value::Array(_)) => merge_lists(place, keys, live, config),
        // Null takes nothing away from what merges by member: others may own what is in it.
        (Shape::Map | Shape::List(_), live, Value::Null) if !is_blank(live) => live.clone(),
        (Shape::Map | Shape::List(_) | Shape::Leaf, _, config) => config.clone(),
    }
}

/// The configuration's order rules; elements it does not name stay after those they followed.
fn merge_lists(place: Place<'_>, keys: &[String], live: &Value, config: &Value) -> Value {
    let (live, config) = (Indexed::new(place, keys, Some(live)), Indexed::new(place, keys, Some(config)));
    let mut out = Vec::with_capacity(live.order.len() + config.order.len());
    let mut wanted = config.order.iter().peekable();
    let mut emit = |element: &Element| {
        let merged = match (live.items.get(element), config.items.get(element)) {
            (Some(old), Some(new)) => merge(place.items(), old, new),
            (Some(only), None) | (None, Some(only)) => (*only).clone(),
            (None, None) => return,
        };
        out.push(merged);
    };
    let next_shared = |it: &mut std::iter::Peekable<std::slice::Iter<'_, Element>>| {
        it.clone().find(|element| live.items.contains_key(*element)).cloned()
    };
    for element in &live.order {
        if !config.items.contains_key(element) {
            emit(element);
        } else if next_shared(&mut wanted).as_ref() == Some(element) {
            // New elements that the configuration puts before this one, then this one.
            for new in wanted.by_ref() {
                emit(new);
                if new == element {
                    break;
                }
            }
        }
        // Else the configuration has it at another place: before (it is out already) or later.
    }
    wanted.for_each(emit);
    Value::Array(out)
}

/// `value` without the fields in `last` that are not in `keep`: what a manager applied before, applies no more, and nobody
/// else owns. What others put beside them stays; objects that become empty by it go, unless they are in `keep`.
pub(super) fn remove(place: Place<'_>, value: Value, last: &FieldSet, keep: &FieldSet) -> Value {
    match (place.shape(&value), value) {
        (Shape::Map, Value::Object(members)) => {
            let kept = members.into_iter().filter_map(|(key, value)| {
                let value = remove_member(place, &key, value, last, keep)?;
                Some((key, value))
            });
            Value::Object(kept.collect())
        }
        (Shape::List(keys), Value::Array(items)) => {
            let kept = items.into_iter().filter_map(|item| remove_element(place, keys, item, last, keep));
            Value::Array(kept.collect())
        }
        (_, value) => value,
    }
}

fn remove_member(place: Place<'_>, key: &str, value: Value, last: &FieldSet, keep: &FieldSet) -> Option<Value> {
    let element = Element::Field(key.to_owned());
    let Some(was) = last.get(&element) else { return Some(value) };
    let kept = keep.get(&element);
    let inner = place.child(key);
    if inner.shape(&value) == Shape::Leaf || is_empty(&value) {
        return (kept.is_some() || !was.member).then_some(value);
    }
    // An entry of a map that the manager made goes with all that is in it, unless others own some of that.
    if was.member && kept.is_none() && matches!(place.member(key), Member::Entry(_)) {
        return None;
    }
    let value = remove(inner, value, &was.below, below(kept));
    (!is_empty(&value) || kept.is_some_and(|it| it.member)).then_some(value)
}

fn remove_element(place: Place<'_>, keys: &[String], item: Value, last: &FieldSet, keep: &FieldSet) -> Option<Value> {
    let Ok(element) = place.element(keys, &item) else { return Some(item) };
    let Some(was) = last.get(&element) else { return Some(item) };
    let kept = keep.get(&element);
    if was.member && !kept.is_some_and(|it| it.member) {
        return None;
    }
    let names: Map<String, Value> =
        keys.iter().filter_map(|key| item.get(key).map(|value| (key.clone(), value.clone()))).collect();
    let mut item = remove(place.items(), item, &was.below, below(kept));
    if let Value::Object(members) = &mut item {
        // An element that stays keeps its name.
        members.extend(names);
    }
    Some(item)
}

fn below(node: Option<&FieldNode>) -> &FieldSet {
    static EMPTY: std::sync::OnceLock<FieldSet> = std::sync::OnceLock::new();
    node.map_or_else(|| EMPTY.get_or_init(FieldSet::default), |it| &it.below)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
