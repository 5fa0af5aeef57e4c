//! Values to the crate's own and back. JSON integers become `int`: the crate's own conversion would make them `uint`,
//! which compares with nothing that rules write.

use std::{collections::HashMap, sync::Arc};

use cel::{
    Value as Cel,
    objects::{Key, Map, OptionalValue},
};
use jiff::{SignedDuration, Timestamp};
use kanon_core::{Node, NodeKind};
use kanon_lang::{Arena, Value};

/// Counts what conversions make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Elements, members, and bytes of text.
    pub(crate) units: u64,
    /// The longest list or map.
    pub(crate) longest: u64,
}

/// A value as the crate's own; it is copied whole.
pub(crate) fn to_cel<'a>(value: Value<'a>, arena: &'a Arena, size: &mut Size) -> Cel {
    size.units += 1;
    match value {
        Value::Null | Value::NilList | Value::NilMap => Cel::Null,
        Value::Bool(bool) => Cel::Bool(bool),
        Value::Int(int) => Cel::Int(int),
        Value::UInt(uint) => i64::try_from(uint).map_or(Cel::UInt(uint), Cel::Int),
        Value::Float(float) => Cel::Float(float),
        Value::Str(text) => {
            size.units += text.len() as u64 / 8;
            Cel::String(Arc::new(text.to_owned()))
        }
        Value::Bytes(bytes) => Cel::Bytes(Arc::new(bytes.to_vec())),
        Value::Time(time) => to_time(time),
        Value::Duration(duration) => to_duration(duration),
        Value::Node(node) => to_container(node, arena, size),
        Value::List(items) => to_list(items.iter().copied(), arena, size),
        Value::Map(members) => to_map(members.iter().map(|(key, item)| (key_of(*key), *item)), arena, size),
        Value::Optional(value) => value.map_or(Cel::Null, |value| to_cel(*value, arena, size)),
        Value::Type(text) => Cel::String(Arc::new(text.to_owned())),
        Value::Opaque(opaque) => Cel::String(Arc::new(opaque.text().into_owned())),
        Value::Record(record) => {
            let member = |name: &&str| (string_key(name), record.get(name, arena).unwrap_or(Value::Null));
            to_map(record.names().iter().map(member), arena, size)
        }
    }
}

fn to_container<'a>(node: Node<'a>, arena: &'a Arena, size: &mut Size) -> Cel {
    if node.kind() == NodeKind::List {
        return to_list(node.elements().map(|item| Value::from_node(item, arena)), arena, size);
    }
    to_map(node.members().map(|(key, item)| (string_key(&key), Value::from_node(item, arena))), arena, size)
}

fn to_list<'a>(items: impl Iterator<Item = Value<'a>>, arena: &'a Arena, size: &mut Size) -> Cel {
    let items: Vec<Cel> = items.map(|item| to_cel(item, arena, size)).collect();
    size.longest = size.longest.max(items.len() as u64);
    Cel::List(Arc::new(items))
}

fn to_map<'a>(members: impl Iterator<Item = (Key, Value<'a>)>, arena: &'a Arena, size: &mut Size) -> Cel {
    let mut map = HashMap::new();
    for (key, item) in members {
        let item = to_cel(item, arena, size);
        // Of duplicate keys the first counts, as everywhere.
        map.entry(key).or_insert(item);
    }
    size.longest = size.longest.max(map.len() as u64);
    Cel::Map(Map { map: Arc::new(map) })
}

fn string_key(key: &str) -> Key {
    Key::String(Arc::new(key.to_owned()))
}

fn key_of(key: Value<'_>) -> Key {
    match key {
        Value::Str(text) => string_key(text),
        Value::Int(int) => Key::Int(int),
        Value::UInt(uint) => Key::Uint(uint),
        Value::Bool(bool) => Key::Bool(bool),
        // CEL has no other keys; none of our maps that reach it has either.
        _ => string_key(""),
    }
}

fn to_time(time: Timestamp) -> Cel {
    let (second, nanosecond) = (time.as_second(), time.subsec_nanosecond());
    let utc = chrono::DateTime::from_timestamp(second, u32::try_from(nanosecond).unwrap_or(0));
    utc.map_or(Cel::Null, |utc| Cel::Timestamp(utc.fixed_offset()))
}

fn to_duration(duration: SignedDuration) -> Cel {
    let whole = chrono::Duration::try_seconds(duration.as_secs());
    let rest = chrono::Duration::nanoseconds(duration.subsec_nanos().into());
    whole.and_then(|whole| whole.checked_add(&rest)).map_or(Cel::Null, Cel::Duration)
}

/// The crate's value as ours, in the arena.
pub(crate) fn from_cel<'a>(value: &Cel, arena: &'a Arena, size: &mut Size) -> Value<'a> {
    size.units += 1;
    match value {
        Cel::Null => Value::Null,
        Cel::Bool(bool) => Value::Bool(*bool),
        Cel::Int(int) => Value::Int(*int),
        Cel::UInt(uint) => Value::UInt(*uint),
        Cel::Float(float) => Value::Float(*float),
        Cel::String(text) => {
            size.units += text.len() as u64 / 8;
            Value::Str(arena.alloc_str(text))
        }
        Cel::Bytes(bytes) => Value::Bytes(arena.alloc_slice_copy(bytes)),
        Cel::Timestamp(time) => {
            let nanosecond = i32::try_from(time.timestamp_subsec_nanos()).unwrap_or(0);
            Timestamp::new(time.timestamp(), nanosecond).map_or(Value::Null, Value::Time)
        }
        Cel::Duration(duration) => {
            Value::Duration(SignedDuration::new(duration.num_seconds(), duration.subsec_nanos()))
        }
        Cel::List(items) => {
            let items: Vec<Value<'a>> = items.iter().map(|item| from_cel(item, arena, size)).collect();
            Value::List(arena.alloc_slice_copy(&items))
        }
        Cel::Map(map) => from_map(map, arena, size),
        Cel::Opaque(_) => match <&OptionalValue>::try_from(value) {
            // An optional shows as what it holds, an empty one as null.
            Ok(optional) => optional.value().map_or(Value::Null, |it| from_cel(it, arena, size)),
            Err(_) => Value::Str(arena.alloc_str(&format!("{value:?}"))),
        },
        Cel::Function(name, _) => Value::Str(arena.alloc_str(name)),
        Cel::Struct(message) => Value::Str(arena.alloc_str(message.name())),
    }
}

fn from_map<'a>(map: &Map, arena: &'a Arena, size: &mut Size) -> Value<'a> {
    #[expect(clippy::disallowed_methods, reason = "sorted before anyone sees them")]
    let mut members: Vec<(&Key, &Cel)> = map.map.iter().collect();
    members.sort_by(|a, b| a.0.cmp(b.0));
    let member = |(key, item): (&Key, &Cel)| {
        let key = match key {
            Key::Int(int) => Value::Int(*int),
            Key::Uint(uint) => Value::UInt(*uint),
            Key::Bool(bool) => Value::Bool(*bool),
            Key::String(text) => Value::Str(arena.alloc_str(text)),
        };
        (key, from_cel(item, arena, size))
    };
    let members: Vec<(Value<'a>, Value<'a>)> = members.into_iter().map(member).collect();
    Value::Map(arena.alloc_slice_copy(&members))
}
