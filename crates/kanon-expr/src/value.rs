//! What values are to expr: types, equality, order, members.

use std::cmp::Ordering;

use jiff::Timestamp;
use kanon_core::NodeKind;
use kanon_lang::{Arena, Context, Source, Stop, Value};

/// A number in arithmetic.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    pub(crate) fn float(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::Float(float) => float,
        }
    }
}

pub(crate) fn number(value: Value<'_>) -> Option<Number> {
    match value {
        Value::Int(int) => Some(Number::Int(int)),
        Value::UInt(uint) => Some(i64::try_from(uint).map_or(Number::Float(uint as f64), Number::Int)),
        Value::Float(float) => Some(Number::Float(float)),
        _ => None,
    }
}

/// Go's name of a value's type, as messages show it.
pub(crate) fn type_name(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::UInt(_) => "uint64",
        Value::Float(_) => "float64",
        Value::Str(_) => "string",
        Value::Bytes(_) => "[]uint8",
        Value::Time(_) => "time.Time",
        Value::Duration(_) => "time.Duration",
        Value::NilList | Value::List(_) => "[]interface {}",
        Value::Node(node) if node.kind() == NodeKind::List => "[]interface {}",
        Value::NilMap | Value::Map(_) | Value::Record(_) | Value::Node(_) => "map[string]interface {}",
        Value::Opaque(opaque) => opaque.type_name(),
        // No value of expr is one of these.
        Value::Optional(_) | Value::Type(_) => "interface {}",
    }
}

/// What `type()` gives.
pub(crate) fn kind_name(value: Value<'_>) -> &'static str {
    match value {
        Value::Opaque(opaque) => opaque.type_name().trim_start_matches('*'),
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::UInt(_) => "uint",
        Value::Float(_) => "float",
        Value::Str(_) => "string",
        Value::Time(_) => "time.Time",
        Value::Duration(_) => "time.Duration",
        Value::Bytes(_) | Value::NilList | Value::List(_) => "array",
        Value::Node(node) if node.kind() == NodeKind::List => "array",
        Value::NilMap | Value::Map(_) | Value::Record(_) | Value::Node(_) => "map",
        Value::Optional(_) | Value::Type(_) => "any",
    }
}

/// A list's elements, in the arena where they were not; `None` for values that are no lists.
pub(crate) fn elements<'a>(value: Value<'a>, arena: &'a Arena) -> Option<&'a [Value<'a>]> {
    match value {
        Value::List(items) => Some(items),
        Value::NilList => Some(&[]),
        Value::Bytes(bytes) => {
            Some(arena.alloc_slice_fill_iter(bytes.iter().map(|byte| Value::UInt(u64::from(*byte)))))
        }
        Value::Node(node) if node.kind() == NodeKind::List => {
            let items = arena.alloc_slice_fill_copy(node.len(), Value::Null);
            for (slot, item) in items.iter_mut().zip(node.elements()) {
                *slot = Value::from_node(item, arena);
            }
            Some(items)
        }
        _ => None,
    }
}

/// A map's members, sorted by key where the document or the record gives them; `None` for values that are no maps.
pub(crate) fn members<'a>(value: Value<'a>, arena: &'a Arena) -> Option<&'a [(Value<'a>, Value<'a>)]> {
    match value {
        Value::Map(members) => Some(members),
        Value::NilMap => Some(&[]),
        Value::Record(record) => {
            let member = |name: &&'a str| (Value::Str(name), record.get(name, arena).unwrap_or(Value::Null));
            Some(arena.alloc_slice_fill_iter(record.names().iter().map(member)))
        }
        Value::Node(node) if node.kind() == NodeKind::Object => {
            let out = arena.alloc_slice_fill_copy(node.len(), (Value::Null, Value::Null));
            for (slot, (key, item)) in out.iter_mut().zip(node.members()) {
                let key: &'a str = match key {
                    std::borrow::Cow::Borrowed(key) => key,
                    std::borrow::Cow::Owned(key) => arena.alloc_str(&key),
                };
                *slot = (Value::Str(key), Value::from_node(item, arena));
            }
            Some(out)
        }
        _ => None,
    }
}

/// Members in the order of their keys: what `keys`, `values`, `toPairs`, `string` and `toJSON` show.
pub(crate) fn sorted_members<'a>(value: Value<'a>, arena: &'a Arena) -> Option<Vec<(Value<'a>, Value<'a>)>> {
    let mut members = members(value, arena)?.to_vec();
    members.sort_by(|a, b| key_order(a.0, b.0));
    Some(members)
}

/// Go's order of keys of mixed types: nil, then numbers, booleans, text, the rest.
fn key_order(a: Value<'_>, b: Value<'_>) -> Ordering {
    let rank = |value: Value<'_>| match value {
        Value::Null => 0,
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => 1,
        Value::Bool(_) => 2,
        Value::Str(_) => 3,
        _ => 4,
    };
    let by_value = match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(&b),
        _ => total_order(a, b),
    };
    rank(a).cmp(&rank(b)).then(by_value)
}

/// The order of two values of types that have one; NaN is neither less nor greater than anything.
pub(crate) fn order(a: Value<'_>, b: Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(&b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(&b)),
        (Value::Opaque(a), b) => a.compare(b),
        (a, Value::Opaque(b)) => b.compare(a).map(Ordering::reverse),
        _ => match (number(a)?, number(b)?) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
            (a, b) => a.float().partial_cmp(&b.float()),
        },
    }
}

/// An order for sorting, total where [`order`] is not: NaN comes first, and among numbers too large for doubles to tell
/// apart, doubles come before integers.
pub(crate) fn total_order(a: Value<'_>, b: Value<'_>) -> Ordering {
    /// 2^53: beyond it, several integers are one double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let (Some(x), Some(y)) = (number(a), number(b)) else { return order(a, b).unwrap_or(Ordering::Equal) };
    let (nan_x, nan_y) = (x.float().is_nan(), y.float().is_nan());
    let by_float = x.float().partial_cmp(&y.float()).unwrap_or_else(|| nan_y.cmp(&nan_x));
    by_float.then_with(|| match (x, y) {
        (Number::Int(x), Number::Int(y)) => x.cmp(&y),
        (Number::Int(_), Number::Float(float)) if float.abs() >= EXACT => Ordering::Greater,
        (Number::Float(float), Number::Int(_)) if float.abs() >= EXACT => Ordering::Less,
        _ => Ordering::Equal,
    })
}

/// Whether two values have types that can be ordered.
pub(crate) fn ordered(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Str(_), Value::Str(_))
        | (Value::Time(_), Value::Time(_))
        | (Value::Duration(_), Value::Duration(_)) => true,
        (Value::Opaque(_), _) | (_, Value::Opaque(_)) => order(a, b).is_some(),
        _ => number(a).is_some() && number(b).is_some(),
    }
}

/// A comparison was given up: the values are too large.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLarge;

/// How deep values are followed when they are compared, flattened or printed. Objects nest to 127; only an expression that
/// wraps its own result again and again gets beyond.
pub(crate) const MAX_VALUE_DEPTH: usize = 256;

/// How many elements one comparison may look at. One list may stand in a value many times over, so that this can be far
/// more than was ever made.
const MAX_COMPARED: u64 = 100_000;

/// `a == b`; values too large to compare are not equal.
pub(crate) fn equal(a: Value<'_>, b: Value<'_>) -> bool {
    try_equal(a, b, &mut MAX_COMPARED.clone()).unwrap_or(false)
}

/// `a == b`; `fuel` is how many elements may be looked at, and is used up.
pub(crate) fn try_equal(a: Value<'_>, b: Value<'_>, fuel: &mut u64) -> Result<bool, TooLarge> {
    match equal_scalars(a, b) {
        Some(equal) => Ok(equal),
        None => equal_containers(a, b, false, 0, fuel),
    }
}

/// Equality where not both are containers.
fn equal_scalars(a: Value<'_>, b: Value<'_>) -> Option<bool> {
    Some(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Opaque(a), b) => a.equals(b).unwrap_or(false),
        (a, Value::Opaque(b)) => b.equals(a).unwrap_or(false),
        _ if a.is_nil() && b.is_nil() => true,
        (Value::Int(_) | Value::UInt(_) | Value::Float(_), Value::Int(_) | Value::UInt(_) | Value::Float(_)) => {
            order(a, b) == Some(Ordering::Equal)
        }
        _ if is_container(a) && is_container(b) => return None,
        _ => false,
    })
}

fn is_container(value: Value<'_>) -> bool {
    use Value::{List, Map, NilList, NilMap, Node, Record};
    matches!(value, List(_) | NilList | Map(_) | NilMap | Node(_) | Record(_))
}

/// Lists are equal where their elements are; maps, and all inside them, must also agree in the type of numbers.
fn equal_containers(a: Value<'_>, b: Value<'_>, strict: bool, depth: usize, fuel: &mut u64) -> Result<bool, TooLarge> {
    if depth > MAX_VALUE_DEPTH {
        return Err(TooLarge);
    }
    if let (Value::Node(a), Value::Node(b)) = (a, b)
        && a.raw() == b.raw()
    {
        return Ok(true);
    }
    // Cold enough for an arena of its own; it lives as long as the comparison.
    let arena = Arena::new();
    let mut same = |a: Value<'_>, b: Value<'_>, strict: bool| {
        *fuel = fuel.checked_sub(1).ok_or(TooLarge)?;
        match equal_scalars(a, b) {
            Some(equal) => Ok(equal && !(strict && differ_in_type(a, b))),
            None => equal_containers(a, b, strict, depth + 1, fuel),
        }
    };
    if let (Some(a), Some(b)) = (elements(shorten(a), &arena), elements(shorten(b), &arena)) {
        return Ok(a.len() == b.len() && all(a.iter().zip(b), |(a, b)| same(*a, *b, strict))?);
    }
    // A nil map equals nil only.
    if a.is_nil() != b.is_nil() {
        return Ok(false);
    }
    let (Some(a), Some(b)) = (members(shorten(a), &arena), members(shorten(b), &arena)) else { return Ok(false) };
    Ok(a.len() == b.len()
        && all(a.iter(), |(key, value)| match b.iter().find(|(other, _)| identical(*key, *other)) {
            Some((_, other)) => same(*value, *other, true),
            None => Ok(false),
        })?)
}

fn all<T>(
    mut items: impl Iterator<Item = T>,
    mut test: impl FnMut(T) -> Result<bool, TooLarge>,
) -> Result<bool, TooLarge> {
    items.try_fold(true, |so_far, item| Ok(so_far && test(item)?))
}

/// Go's `int` and `float64` are different types to `reflect.DeepEqual`.
fn differ_in_type(a: Value<'_>, b: Value<'_>) -> bool {
    matches!(a, Value::Float(_)) != matches!(b, Value::Float(_))
}

/// Lets a value stand for a shorter lifetime.
fn shorten<'b, 'a: 'b>(value: Value<'a>) -> Value<'b> {
    value
}

/// Equality of type and value, as `reflect.DeepEqual` has it; values too large to compare are not identical.
pub(crate) fn identical(a: Value<'_>, b: Value<'_>) -> bool {
    match equal_scalars(a, b) {
        Some(equal) => equal && !differ_in_type(a, b),
        None => equal_containers(a, b, true, 0, &mut MAX_COMPARED.clone()).unwrap_or(false),
    }
}

/// The member called `name`; `Err` where the value has no members.
pub(crate) fn member<'a>(value: Value<'a>, name: &str, arena: &'a Arena) -> Result<Value<'a>, ()> {
    match value {
        Value::Node(node) if node.kind() == NodeKind::Object => Ok(Value::from_option(node.get(name), arena)),
        Value::Record(record) => Ok(record.get(name, arena).unwrap_or(Value::Null)),
        Value::Map(members) => Ok(members
            .iter()
            .find(|(key, _)| matches!(key, Value::Str(key) if *key == name))
            .map_or(Value::Null, |it| it.1)),
        Value::NilMap => Ok(Value::Null),
        Value::Opaque(opaque) => opaque.member(name, arena).ok_or(()),
        _ => Err(()),
    }
}

/// Whether a map has the key.
pub(crate) fn has_key<'a>(map: &[(Value<'a>, Value<'a>)], key: Value<'_>) -> bool {
    map.iter().any(|(it, _)| identical(*it, key))
}

/// A map literal, of keys and values in turn. Keys must be strings; of duplicate keys the first counts. The original looks at
/// the last key first.
pub(crate) fn make_map<'a>(cx: &mut Context<'a>, parts: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let len = parts.len() / 2;
    cx.grow(len)?;
    let text = |at: usize| match parts[at * 2] {
        Value::Str(text) => Some(text),
        _ => None,
    };
    if let Some(at) = (0..len).rev().find(|at| text(*at).is_none()) {
        return cx.fail(format!("a map key must be a string, not {}", type_name(parts[at * 2])));
    }
    let mut first: Vec<usize> = (0..len).collect();
    first.sort_by_key(|at| (text(*at), *at));
    first.dedup_by_key(|at| text(*at));
    first.sort_unstable();
    Ok(Value::Map(cx.arena.alloc_slice_fill_iter(first.into_iter().map(|at| (parts[at * 2], parts[at * 2 + 1])))))
}

/// How many elements, members or characters; `None` for other values.
pub(crate) fn len(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Str(text) => Some(text.chars().count()),
        Value::List(items) => Some(items.len()),
        Value::Bytes(bytes) => Some(bytes.len()),
        Value::Map(members) => Some(members.len()),
        Value::Record(record) => Some(record.names().len()),
        Value::NilList | Value::NilMap => Some(0),
        Value::Node(node) => Some(node.len()),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Time(_)
        | Value::Duration(_)
        | Value::Optional(_)
        | Value::Type(_)
        | Value::Opaque(_) => None,
    }
}

/// What a predicate runs over; maps have elements, but none that can be read.
pub(crate) fn source(value: Value<'_>) -> Option<Source<'_>> {
    Some(match value {
        Value::Node(node) if node.kind() == NodeKind::List => Source::Nodes(node.elements()),
        Value::List(items) => Source::Values(items.iter()),
        Value::NilList => Source::Opaque(0),
        Value::Str(text) => Source::Bytes(text.as_bytes().iter()),
        Value::Bytes(bytes) => Source::Bytes(bytes.iter()),
        Value::Map(_) | Value::NilMap | Value::Record(_) | Value::Node(_) => Source::Opaque(len(value)?),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Time(_)
        | Value::Duration(_)
        | Value::Optional(_)
        | Value::Type(_)
        | Value::Opaque(_) => return None,
    })
}

/// A time plus or minus a duration, at the ends of time where that overflows.
pub(crate) fn shift(time: Timestamp, by: jiff::SignedDuration) -> Timestamp {
    let end = if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    time.checked_add(by).unwrap_or(end)
}

/// `a - b`: Go's durations end where 64-bit nanoseconds do.
pub(crate) fn between(a: Timestamp, b: Timestamp) -> jiff::SignedDuration {
    let nanos = a.as_nanosecond() - b.as_nanosecond();
    jiff::SignedDuration::from_nanos(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

/// Go's conversion of a double to an integer, on the machines it is used on: towards zero, and the least integer for what
/// does not fit.
pub(crate) fn float_to_int(float: f64) -> i64 {
    // 2^63 is the first double beyond.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float) { float as i64 } else { i64::MIN }
}
