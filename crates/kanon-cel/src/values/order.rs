//! The order of values: `<`, `<=`, `>`, `>=`, and what sorts lists.

use std::cmp::Ordering;

use kanon_lang::{Context, Stop, Value};

use super::{Num, no_overload, readable, time};

/// The order of `a` relative to `b`.
///
/// # Errors
/// Where the two have no order: values of different types other than numbers, lists, maps, null; and NaN, as in cel-go.
#[inline]
pub fn compare<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<Ordering, Stop> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(a.cmp(&b)),
        (Value::Str(a), Value::Str(b)) => {
            cx.spend(a.len().min(b.len()) as u64 / 64)?;
            Ok(a.cmp(b))
        }
        (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(&b)),
        (Value::Bytes(a), Value::Bytes(b)) => {
            cx.spend(a.len().min(b.len()) as u64 / 64)?;
            Ok(a.cmp(b))
        }
        (Value::Duration(a), Value::Duration(b)) => Ok(a.cmp(&b)),
        (Value::Time(a), Value::Time(b)) => Ok(a.cmp(&b)),
        _ => match (Num::of(a), Num::of(b)) {
            (Some(a), Some(b)) => match a.compare(b) {
                Some(order) => Ok(order),
                None => cx.fail("NaN values cannot be ordered"),
            },
            _ => foreign(cx, a, b),
        },
    }
}

fn foreign<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<Ordering, Stop> {
    if let (Some(a), Some(b)) = (time::nanoseconds(a), time::nanoseconds(b)) {
        return Ok(a.cmp(&b));
    }
    readable(cx, a)?;
    readable(cx, b)?;
    let order = match (a, b) {
        (Value::Opaque(opaque), other) => opaque.compare(other),
        (other, Value::Opaque(opaque)) => opaque.compare(other).map(Ordering::reverse),
        _ => None,
    };
    match order {
        Some(order) => Ok(order),
        None => no_overload(cx),
    }
}
