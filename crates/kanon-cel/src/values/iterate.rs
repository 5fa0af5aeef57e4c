//! Going through lists and maps, wherever they come from: an object's text, the evaluation, a family's record.

use std::{borrow::Cow, slice};

use kanon_core::{Elements as NodeElements, Members as NodeMembers, NodeKind};
use kanon_lang::{Arena, Record, Value};

/// Whether `value` is a list.
pub fn is_list(value: Value<'_>) -> bool {
    match value {
        Value::List(_) | Value::NilList => true,
        Value::Node(node) => node.kind() == NodeKind::List,
        _ => false,
    }
}

/// Whether `value` is a map.
pub fn is_map(value: Value<'_>) -> bool {
    match value {
        Value::Map(_) | Value::Record(_) | Value::NilMap => true,
        Value::Node(node) => node.kind() == NodeKind::Object,
        _ => false,
    }
}

/// The number of elements of a list or of members of a map; `None` for other values.
pub fn length(value: Value<'_>) -> Option<usize> {
    match value {
        Value::List(items) => Some(items.len()),
        Value::Map(items) => Some(items.len()),
        Value::Record(record) => Some(record.names().len()),
        Value::NilList | Value::NilMap => Some(0),
        Value::Node(node) => Some(node.len()),
        _ => None,
    }
}

/// The elements of a list; `None` for other values.
pub fn elements<'a>(value: Value<'a>, arena: &'a Arena) -> Option<Elements<'a>> {
    let inner = match value {
        Value::List(items) => ElementsOf::Slice(items.iter()),
        Value::NilList => ElementsOf::Slice([].iter()),
        Value::Node(node) if node.kind() == NodeKind::List => ElementsOf::Node(node.elements()),
        _ => return None,
    };
    Some(Elements { inner, arena })
}

/// The members of a map, key and value; `None` for other values.
pub fn entries<'a>(value: Value<'a>, arena: &'a Arena) -> Option<Entries<'a>> {
    let inner = match value {
        Value::Map(items) => EntriesOf::Slice(items.iter()),
        Value::NilMap => EntriesOf::Slice([].iter()),
        Value::Record(record) => EntriesOf::Record(record, 0),
        Value::Node(node) if node.kind() == NodeKind::Object => EntriesOf::Node(node.members()),
        _ => return None,
    };
    Some(Entries { inner, arena })
}

/// Iterates over the elements of a list.
#[derive(Clone)]
pub struct Elements<'a> {
    inner: ElementsOf<'a>,
    arena: &'a Arena,
}

#[derive(Clone)]
enum ElementsOf<'a> {
    Slice(slice::Iter<'a, Value<'a>>),
    Node(NodeElements<'a>),
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        match &mut self.inner {
            ElementsOf::Slice(items) => items.next().copied(),
            ElementsOf::Node(items) => items.next().map(|it| Value::from_node(it, self.arena)),
        }
    }
}

/// Iterates over the members of a map.
#[derive(Clone)]
pub struct Entries<'a> {
    inner: EntriesOf<'a>,
    arena: &'a Arena,
}

#[derive(Clone)]
enum EntriesOf<'a> {
    Slice(slice::Iter<'a, (Value<'a>, Value<'a>)>),
    Node(NodeMembers<'a>),
    Record(&'a dyn Record, usize),
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Value<'a>, Value<'a>);

    fn next(&mut self) -> Option<(Value<'a>, Value<'a>)> {
        match &mut self.inner {
            EntriesOf::Slice(items) => items.next().copied(),
            EntriesOf::Node(items) => items.next().map(|(key, node)| {
                let key = match key {
                    Cow::Borrowed(key) => key,
                    Cow::Owned(key) => self.arena.alloc_str(&key),
                };
                (Value::Str(key), Value::from_node(node, self.arena))
            }),
            EntriesOf::Record(record, at) => {
                let record: &'a dyn Record = *record;
                let name: &'a str = record.names().get(*at)?;
                *at += 1;
                Some((Value::Str(name), record.get(name, self.arena).unwrap_or(Value::Null)))
            }
        }
    }
}
