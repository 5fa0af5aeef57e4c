//! Taking arguments apart. Overloads are chosen by type before a body runs, so what is refused here is a fault of a caller
//! that did not choose, or an element of a list beyond the first.

use kanon_lang::{Context, Stop, Value};

use crate::values::{self, Elements, Entries, no_overload};

/// Text.
pub(super) fn text<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<&'a str, Stop> {
    match value(cx, args, at)? {
        Value::Str(text) => Ok(text),
        _ => no_overload(cx),
    }
}

/// Text that will be read through once: paid for.
pub(super) fn read<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<&'a str, Stop> {
    let text = text(cx, args, at)?;
    cx.spend(text.len() as u64 / 16)?;
    Ok(text)
}

/// An int.
pub(super) fn int<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<i64, Stop> {
    match value(cx, args, at)? {
        Value::Int(int) => Ok(int),
        _ => no_overload(cx),
    }
}

/// A double.
pub(super) fn double<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<f64, Stop> {
    match value(cx, args, at)? {
        Value::Float(float) => Ok(float),
        _ => no_overload(cx),
    }
}

/// A bool.
pub(super) fn bool<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<bool, Stop> {
    match value(cx, args, at)? {
        Value::Bool(bool) => Ok(bool),
        _ => no_overload(cx),
    }
}

/// Bytes.
pub(super) fn bytes<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<&'a [u8], Stop> {
    match value(cx, args, at)? {
        Value::Bytes(bytes) => Ok(bytes),
        _ => no_overload(cx),
    }
}

/// Anything; what a foreign value stands for, if it does.
pub(super) fn value<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<Value<'a>, Stop> {
    match args.get(at) {
        Some(value @ Value::Opaque(_)) => values::plain(cx, *value),
        Some(value) => Ok(*value),
        None => no_overload(cx),
    }
}

/// Anything, a foreign value as itself: where it is handed on or compared.
pub(super) fn any<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<Value<'a>, Stop> {
    match args.get(at) {
        Some(value) => Ok(*value),
        None => no_overload(cx),
    }
}

/// A list's elements; going through them once is paid for.
pub(super) fn list<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<Elements<'a>, Stop> {
    let value = value(cx, args, at)?;
    match values::elements(value, cx.arena) {
        Some(items) => {
            cx.spend(values::length(value).unwrap_or_default() as u64)?;
            Ok(items)
        }
        None => no_overload(cx),
    }
}

/// A list's elements beside each other. Those that lie in an object are gathered in the arena.
pub(super) fn slice<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<&'a [Value<'a>], Stop> {
    if let Some(Value::List(items)) = args.get(at) {
        cx.spend(items.len() as u64)?;
        return Ok(items);
    }
    let items: Vec<Value<'a>> = list(cx, args, at)?.collect();
    cx.grow(items.len())?;
    Ok(cx.arena.alloc_slice_copy(&items))
}

/// A map's members; going through them once is paid for.
pub(super) fn map<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<Entries<'a>, Stop> {
    let value = value(cx, args, at)?;
    values::readable(cx, value)?;
    match values::entries(value, cx.arena) {
        Some(members) => {
            cx.spend(values::length(value).unwrap_or_default() as u64)?;
            Ok(members)
        }
        None => no_overload(cx),
    }
}

/// A value of a library's own type.
pub(super) fn opaque<'a, T: 'static>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<&'a T, Stop> {
    let found = match args.get(at) {
        Some(Value::Opaque(opaque)) => opaque.as_any().and_then(|it| it.downcast_ref::<T>()),
        _ => None,
    };
    match found {
        Some(found) => Ok(found),
        None => no_overload(cx),
    }
}

/// A value of a library's own type, made in the arena.
pub(super) fn make<'a, T: kanon_lang::Opaque + 'a>(cx: &mut Context<'a>, value: T) -> Result<Value<'a>, Stop> {
    cx.grow(1)?;
    Ok(Value::Opaque(cx.arena.alloc(value)))
}

/// An optional value.
pub(super) fn some<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Value<'a>, Stop> {
    cx.grow(1)?;
    Ok(Value::Optional(Some(cx.arena.alloc(value))))
}
