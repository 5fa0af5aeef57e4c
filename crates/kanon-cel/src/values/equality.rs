//! `==` and `!=`: between any two values, never an error of types.

use std::cmp::Ordering;

use kanon_lang::{Context, Stop, Value};

use super::{MAX_DEPTH, Num, elements, entries, find, is_list, is_map, length, readable, time};

/// Whether `a` equals `b`: numbers by value across their types, lists and maps by content, NaN nothing; values of types that
/// have nothing in common are not equal.
///
/// # Errors
/// A record that cannot be read; a budget; values that nest too deep.
#[inline]
pub fn equal<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop> {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => Ok(a == b),
        (Value::Int(a), Value::Int(b)) => Ok(a == b),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        _ => deep(cx, a, b, 0),
    }
}

fn deep<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>, depth: u32) -> Result<bool, Stop> {
    cx.spend(1)?;
    if depth > MAX_DEPTH {
        return cx.fail("values nest too deep to be compared");
    }
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => {
            cx.spend(a.len().min(b.len()) as u64 / 64)?;
            Ok(a == b)
        }
        (Value::Bytes(a), Value::Bytes(b)) => Ok(a == b),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Time(a), Value::Time(b)) => Ok(a == b),
        (Value::Duration(a), Value::Duration(b)) => Ok(a == b),
        (Value::Type(a), Value::Type(b)) => Ok(a == b),
        (Value::Optional(a), Value::Optional(b)) => match (a, b) {
            (Some(a), Some(b)) => deep(cx, *a, *b, depth + 1),
            (a, b) => Ok(a.is_none() && b.is_none()),
        },
        (Value::Opaque(opaque), other) | (other, Value::Opaque(opaque)) => {
            readable(cx, a)?;
            readable(cx, b)?;
            Ok(opaque.equals(other).unwrap_or(false))
        }
        // A list or map that is nil elsewhere equals null and what is empty.
        (a, b) if a.is_nil() && b.is_nil() => {
            Ok(matches!((a, b), (Value::Null, _) | (_, Value::Null)) || is_list(a) == is_list(b))
        }
        _ => match (Num::of(a), Num::of(b)) {
            (Some(a), Some(b)) => Ok(a.compare(b) == Some(Ordering::Equal)),
            (None, None) if is_list(a) && is_list(b) => lists(cx, a, b, depth),
            (None, None) if is_map(a) && is_map(b) => maps(cx, a, b, depth),
            _ => Ok(time::nanoseconds(a).is_some_and(|a| time::nanoseconds(b) == Some(a))),
        },
    }
}

fn lists<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>, depth: u32) -> Result<bool, Stop> {
    if length(a) != length(b) {
        return Ok(false);
    }
    let (Some(a), Some(b)) = (elements(a, cx.arena), elements(b, cx.arena)) else {
        return Ok(false);
    };
    for (a, b) in a.zip(b) {
        if !deep(cx, a, b, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>, depth: u32) -> Result<bool, Stop> {
    readable(cx, a)?;
    readable(cx, b)?;
    if length(a) != length(b) {
        return Ok(false);
    }
    let Some(members) = entries(a, cx.arena) else {
        return Ok(false);
    };
    for (key, value) in members {
        let same = match find(cx, b, key)? {
            Some(other) => deep(cx, value, other, depth + 1)?,
            None => false,
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}
