//! Members, indexes, slices, and calls of what they find: the meaning, used by every evaluator of this crate.

use kanon_lang::{Context, Stop, Value};

use crate::{
    builtins,
    value::{self, Number, number, type_name},
};

/// `value[key]` and `value.key`
pub(crate) fn fetch<'a>(cx: &mut Context<'a>, value: Value<'a>, key: Value<'a>) -> Result<Value<'a>, Stop> {
    if let Value::Str(name) = key {
        return member(cx, value, name);
    }
    if let Some(members) = value::members(value, cx.arena) {
        return fetch_key(cx, value, members, key);
    }
    let found = match value {
        Value::Str(text) => {
            let at = index(cx, key, text.len())?;
            text.as_bytes().get(at).map(|byte| Value::UInt(u64::from(*byte)))
        }
        Value::Bytes(bytes) => {
            let at = index(cx, key, bytes.len())?;
            bytes.get(at).map(|byte| Value::UInt(u64::from(*byte)))
        }
        Value::List(items) => {
            let at = index(cx, key, items.len())?;
            items.get(at).copied()
        }
        Value::NilList => index(cx, key, 0).map(|_| None)?,
        Value::Node(node) => {
            let at = index(cx, key, node.len())?;
            Some(Value::from_option(node.elements().nth(at), cx.arena))
        }
        _ => {
            let shown = builtins::convert::shown(key, cx.arena);
            return cx.fail(format!("cannot fetch {shown} from {}", type_name(value)));
        }
    };
    Ok(found.unwrap_or(Value::Null))
}

/// `value.name`
pub(crate) fn member<'a>(cx: &mut Context<'a>, value: Value<'a>, name: &str) -> Result<Value<'a>, Stop> {
    match value::member(value, name, cx.arena) {
        Ok(found) => Ok(found),
        Err(()) => no_member(cx, value, name),
    }
}

/// Maps made by `groupBy` may have keys of any type; all others have strings.
fn fetch_key<'a>(
    cx: &mut Context<'a>,
    map: Value<'a>,
    members: &'a [(Value<'a>, Value<'a>)],
    key: Value<'a>,
) -> Result<Value<'a>, Stop> {
    if let Some((_, value)) = members.iter().find(|(it, _)| value::identical(*it, key)) {
        return Ok(*value);
    }
    if key.is_nil() {
        return Ok(value::member(map, "", cx.arena).unwrap_or(Value::Null));
    }
    match members.iter().all(|(it, _)| matches!(it, Value::Str(_))) {
        true => cx.fail(format!("cannot use {} as a key of a map", type_name(key))),
        false => Ok(Value::Null),
    }
}

/// `groupBy(…)[key]`: keys of any comparable type; what has no group has a nil list.
pub(crate) fn fetch_group<'a>(cx: &mut Context<'a>, groups: Value<'a>, key: Value<'a>) -> Result<Value<'a>, Stop> {
    if !is_comparable(key) {
        return cx.fail(format!("runtime error: hash of unhashable type {}", type_name(key)));
    }
    let members = value::members(groups, cx.arena).unwrap_or_default();
    Ok(members.iter().find(|(it, _)| value::identical(*it, key)).map_or(Value::NilList, |it| it.1))
}

/// Whether a value can be a key: lists and maps cannot.
pub(crate) fn is_comparable(value: Value<'_>) -> bool {
    use Value::{Bytes, List, Map, NilList, NilMap, Node, Record};
    !matches!(value, List(_) | NilList | Bytes(_) | Map(_) | NilMap | Record(_) | Node(_))
}

/// `base[from:to]`, where the bounds are evaluated; `to` before `from`, as the original does.
pub(crate) fn slice<'a>(
    cx: &mut Context<'a>,
    value: Value<'a>,
    from: Option<Value<'a>>,
    to: Option<Value<'a>>,
) -> Result<Value<'a>, Stop> {
    let len = match value {
        Value::Str(text) => text.len(),
        _ => match (to, value::len(value)) {
            (None, None) => return cx.fail(format!("invalid argument for len (type {})", type_name(value))),
            (_, len) => len.unwrap_or(0),
        },
    };
    let mut bound = |bound: Option<Value<'a>>, default: usize| -> Result<usize, Stop> {
        let Some(value) = bound else { return Ok(default) };
        let Some(at) = integer(value) else { return cx.fail(not_integer(value)) };
        let at = if at < 0 { at.saturating_add_unsigned(len as u64).max(0) } else { at };
        Ok(usize::try_from(at).unwrap_or(len).min(len))
    };
    let to = bound(to, len)?;
    let from = bound(from, 0)?.min(to);
    Ok(match value {
        // The original cuts bytes; text that is cut inside a character is repaired, since objects hold UTF-8.
        Value::Str(text) => match text.get(from..to) {
            Some(text) => Value::Str(text),
            None => {
                let text = String::from_utf8_lossy(&text.as_bytes()[from..to]).into_owned();
                return cx.text(&text);
            }
        },
        Value::Bytes(bytes) => Value::Bytes(&bytes[from..to]),
        _ => match value::elements(value, cx.arena) {
            Some(items) => Value::List(&items[from..to]),
            None => {
                let shown = builtins::convert::shown(value, cx.arena);
                return cx.fail(format!("cannot slice {shown}"));
            }
        },
    })
}

/// `value.name(args)`
pub(crate) fn method<'a>(
    cx: &mut Context<'a>,
    value: Value<'a>,
    name: &str,
    args: &[Value<'a>],
) -> Result<Value<'a>, Stop> {
    if let Value::Time(_) | Value::Duration(_) | Value::Opaque(_) = value
        && let Some(result) = builtins::time::method(cx, value, name, args)
    {
        return result;
    }
    let callee = member(cx, value, name)?;
    call(cx, callee, args)
}

/// `callee(args)`
pub(crate) fn call<'a>(cx: &mut Context<'a>, callee: Value<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let called = match callee {
        Value::Record(record) => {
            // It may look through as many objects as there are.
            cx.look_soon();
            record.call(args, cx.arena)
        }
        _ => None,
    };
    match called {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => cx.fail(error.message),
        None if callee.is_nil() => cx.fail("invalid operation: cannot call nil"),
        None => cx.fail(format!("invalid operation: cannot call non-function of type {}", type_name(callee))),
    }
}

#[cold]
fn no_member<'a>(cx: &mut Context<'a>, value: Value<'a>, name: &str) -> Result<Value<'a>, Stop> {
    let message = match value {
        Value::Str(_) | Value::Bytes(_) | Value::List(_) | Value::NilList | Value::Node(_) => {
            format!("invalid operation: int(string): cannot fetch {name} from {}", type_name(value))
        }
        _ => format!("cannot fetch {name} from {}", type_name(value)),
    };
    cx.fail(message)
}

/// A number as a position, cut towards zero.
pub(crate) fn integer(value: Value<'_>) -> Option<i64> {
    match number(value)? {
        Number::Int(int) => Some(int),
        Number::Float(float) => Some(value::float_to_int(float)),
    }
}

pub(crate) fn not_integer(value: Value<'_>) -> String {
    format!("invalid operation: int({})", type_name(value))
}

fn index<'a>(cx: &mut Context<'a>, key: Value<'a>, len: usize) -> Result<usize, Stop> {
    let Some(at) = integer(key) else { return cx.fail(not_integer(key)) };
    let from_start = if at < 0 { at.saturating_add_unsigned(len as u64) } else { at };
    match usize::try_from(from_start) {
        Ok(position) if position < len => Ok(position),
        _ => cx.fail(format!("index out of range: {from_start} (array length is {len})")),
    }
}
