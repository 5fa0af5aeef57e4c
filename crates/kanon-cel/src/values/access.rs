//! Looking into lists and maps: `a.b`, `a[b]`, `has(a.b)`, `a in b`, and their forms on optional values.

use std::cmp::Ordering;

use kanon_core::NodeKind;
use kanon_lang::{Context, Stop, Value};

use super::{Num, elements, equal, no_overload, plain, readable};

/// `base.name`. On an optional value the result is optional.
///
/// # Errors
/// `no such key` where the map does not have it; a record's problem; values that have no members.
#[inline]
pub fn member<'a>(cx: &mut Context<'a>, base: Value<'a>, name: &'a str) -> Result<Value<'a>, Stop> {
    if let Value::Node(node) = base
        && node.kind() == NodeKind::Object
    {
        return match node.get(name) {
            Some(found) => Ok(Value::from_node(found, cx.arena)),
            None => cx.fail_named("no such key: ", name),
        };
    }
    index(cx, base, Value::Str(name))
}

/// `base[key]`. On an optional value the result is optional.
///
/// # Errors
/// `no such key`, `index out of bounds`, and keys and values of types that do not go together.
pub fn index<'a>(cx: &mut Context<'a>, base: Value<'a>, key: Value<'a>) -> Result<Value<'a>, Stop> {
    if let Value::Optional(_) = base {
        return optional_index(cx, base, key);
    }
    match find(cx, base, key)? {
        Some(value) => Ok(value),
        None => missing(cx, base, key),
    }
}

/// `base.?name` and `base[?key]`: an optional value, without one where `base` has no such member or is itself without value.
///
/// # Errors
/// As [`index`], except for what is merely not there.
pub fn optional_index<'a>(cx: &mut Context<'a>, base: Value<'a>, key: Value<'a>) -> Result<Value<'a>, Stop> {
    let base = match base {
        Value::Optional(None) => return Ok(Value::Optional(None)),
        Value::Optional(Some(base)) => *base,
        base => base,
    };
    let found = find(cx, base, key)?;
    Ok(Value::Optional(match found {
        Some(value) => {
            cx.grow(1)?;
            Some(cx.arena.alloc(value))
        }
        None => None,
    }))
}

/// `has(base.name)`. An optional value without one has no members.
///
/// # Errors
/// A record's problem; values that have no members.
pub fn has<'a>(cx: &mut Context<'a>, base: Value<'a>, name: &'a str) -> Result<bool, Stop> {
    match base {
        Value::Optional(None) => Ok(false),
        Value::Optional(Some(base)) => has(cx, *base, name),
        base if super::is_list(base) => cx.fail_named("no such key: ", name),
        // A record may have defaults for names that are not members.
        Value::Record(record) => {
            readable(cx, base)?;
            Ok(record.has(name))
        }
        Value::Opaque(opaque) if opaque.plain().is_none() => {
            readable(cx, base)?;
            Ok(opaque.member(name, cx.arena).is_some())
        }
        base => Ok(find(cx, base, Value::Str(name))?.is_some()),
    }
}

/// The element or member of `base` at `key`, if it is there.
///
/// # Errors
/// Where `base` is neither list nor map, a list's key is no index, or a record has a problem.
pub fn find<'a>(cx: &mut Context<'a>, base: Value<'a>, key: Value<'a>) -> Result<Option<Value<'a>>, Stop> {
    let key = plain(cx, key)?;
    match base {
        Value::Node(node) if node.kind() == NodeKind::List => {
            let Some(at) = position(cx, key)? else { return Ok(None) };
            // Elements are found one after the other.
            cx.spend(at as u64 / 16)?;
            Ok(node.elements().nth(at).map(|it| Value::from_node(it, cx.arena)))
        }
        Value::Node(node) => match key {
            Value::Str(name) => Ok(node.get(name).map(|it| Value::from_node(it, cx.arena))),
            _ => Ok(None),
        },
        Value::List(items) => Ok(position(cx, key)?.and_then(|at| items.get(at).copied())),
        Value::NilList => position(cx, key).map(|_| None),
        Value::Map(members) => find_key(cx, members, key),
        Value::NilMap => Ok(None),
        Value::Record(record) => {
            readable(cx, base)?;
            match key {
                Value::Str(name) => Ok(record.get(name, cx.arena)),
                _ => Ok(None),
            }
        }
        Value::Opaque(opaque) => {
            if let Value::Str(name) = key
                && let Some(member) = opaque.member(name, cx.arena)
            {
                return Ok(Some(member));
            }
            match plain(cx, base)? {
                Value::Opaque(_) => missing(cx, base, key),
                other => find(cx, other, key),
            }
        }
        _ => missing(cx, base, key),
    }
}

/// Keys are equal as values are: `1`, `1u` and `1.0` are one key.
fn find_key<'a>(
    cx: &mut Context<'a>,
    members: &'a [(Value<'a>, Value<'a>)],
    key: Value<'a>,
) -> Result<Option<Value<'a>>, Stop> {
    cx.spend(members.len() as u64 / 16)?;
    let found = match key {
        Value::Str(name) => members.iter().find(|(it, _)| matches!(it, Value::Str(it) if *it == name)),
        Value::Bool(bool) => members.iter().find(|(it, _)| matches!(it, Value::Bool(it) if *it == bool)),
        key => match Num::of(key) {
            Some(number) => members
                .iter()
                .find(|(it, _)| Num::of(*it).is_some_and(|it| it.compare(number) == Some(Ordering::Equal))),
            None => None,
        },
    };
    Ok(found.map(|(_, value)| *value))
}

/// A list's index; `None` for one that no list has.
fn position<'a>(cx: &mut Context<'a>, key: Value<'a>) -> Result<Option<usize>, Stop> {
    match key {
        Value::Int(at) => Ok(usize::try_from(at).ok()),
        key => match Num::of(key) {
            Some(Num::Float(float)) if float.fract() != 0.0 || !float.is_finite() => {
                cx.fail(format!("unsupported index value {float} in list"))
            }
            Some(number) => Ok(number.to_int().and_then(|it| usize::try_from(it).ok())),
            None => cx.fail(format!("unsupported index type '{}' in list", super::type_of(key))),
        },
    }
}

/// The error of what is not there.
#[cold]
fn missing<'a, T>(cx: &mut Context<'a>, base: Value<'a>, key: Value<'a>) -> Result<T, Stop> {
    match (super::is_list(base), key) {
        (true, Value::Int(at)) => cx.fail(format!("index out of bounds: {at}")),
        (true, Value::UInt(at)) => cx.fail(format!("index out of bounds: {at}")),
        (true, Value::Float(at)) => cx.fail(format!("index out of bounds: {at}")),
        (_, Value::Str(name)) => cx.fail_named("no such key: ", name),
        (_, Value::Bool(bool)) => cx.fail(format!("no such key: {bool}")),
        (_, Value::Int(int)) => cx.fail(format!("no such key: {int}")),
        (_, Value::UInt(uint)) => cx.fail(format!("no such key: {uint}")),
        (_, Value::Float(float)) => cx.fail(format!("no such key: {float}")),
        (_, key) => cx.fail(format!("no such key: a value of type '{}'", super::type_of(key))),
    }
}

/// `needle in haystack`: an element of a list, or a key of a map.
///
/// # Errors
/// Where `haystack` is neither.
pub fn contains<'a>(cx: &mut Context<'a>, needle: Value<'a>, haystack: Value<'a>) -> Result<bool, Stop> {
    let haystack = plain(cx, haystack)?;
    if let Some(items) = elements(haystack, cx.arena) {
        for item in items {
            cx.spend(1)?;
            if equal(cx, needle, item)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let needle = plain(cx, needle)?;
    if let (Value::Record(record), Value::Str(name)) = (haystack, needle) {
        readable(cx, haystack)?;
        return Ok(record.has(name));
    }
    if super::is_map(haystack) { Ok(find(cx, haystack, needle)?.is_some()) } else { no_overload(cx) }
}
