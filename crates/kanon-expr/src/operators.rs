//! What operators do to values: one function for each, used by every evaluator of this crate, so that none of them can have a
//! meaning of its own. Control flow (`&&`, `??`, chains) is not here.

use jiff::SignedDuration;
use kanon_core::NodeKind;
use kanon_lang::{Context, Stop, Value, kubernetes::Quantity};

use crate::{
    access::{integer, not_integer},
    ast::BinaryOp,
    builtins::time::zoned,
    check::sign,
    power::power,
    value::{self, Number, equal, number, order, ordered, type_name},
};

/// `a op b`, where both operands are evaluated.
pub(crate) fn binary<'a>(cx: &mut Context<'a>, op: BinaryOp, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
    Ok(match op {
        BinaryOp::Equal => Value::Bool(try_equal(cx, a, b)?),
        BinaryOp::NotEqual => Value::Bool(!try_equal(cx, a, b)?),
        BinaryOp::Less | BinaryOp::Greater | BinaryOp::LessEqual | BinaryOp::GreaterEqual => {
            Value::Bool(compare(cx, op, a, b)?)
        }
        BinaryOp::In => Value::Bool(contains(cx, a, b)?),
        BinaryOp::Matches => matches(cx, a, b)?,
        BinaryOp::Contains | BinaryOp::StartsWith | BinaryOp::EndsWith => Value::Bool(text_test(cx, op, a, b)?),
        BinaryOp::Range => range(cx, a, b)?,
        BinaryOp::Add => match (a, b) {
            (Value::Str(a), Value::Str(b)) => concat(cx, a, b)?,
            _ => arithmetic(cx, op, a, b)?,
        },
        BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo | BinaryOp::Power => {
            arithmetic(cx, op, a, b)?
        }
        // What these two do with values that are there already.
        BinaryOp::Coalesce => {
            if a.is_nil() {
                b
            } else {
                a
            }
        }
        BinaryOp::And | BinaryOp::Or => match truth(cx, a)? {
            decided if decided == (op == BinaryOp::Or) => a,
            _ => b,
        },
    })
}

/// A condition, which must be a boolean.
pub(crate) fn truth<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<bool, Stop> {
    match value {
        Value::Bool(bool) => Ok(bool),
        other => not_bool(cx, other),
    }
}

#[cold]
fn not_bool<'a, T>(cx: &mut Context<'a>, value: Value<'a>) -> Result<T, Stop> {
    cx.fail(format!("expected bool, but got {}", type_name(value)))
}

pub(crate) fn try_equal<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop> {
    // Elements of lists and maps cost steps; there are few where the budget is nearly used up.
    let before = cx.steps_left() / STEPS_COMPARED;
    let mut fuel = before;
    match value::try_equal(a, b, &mut fuel) {
        Ok(equal) => cx.spend((before - fuel) * STEPS_COMPARED).map(|()| equal),
        Err(value::TooLarge) => cx.spend(u64::MAX).map(|()| false),
    }
}

/// What looking at one element of a list or map costs.
const STEPS_COMPARED: u64 = 4;

fn concat<'a>(cx: &mut Context<'a>, a: &str, b: &str) -> Result<Value<'a>, Stop> {
    cx.grow(a.len() + b.len())?;
    let out = cx.arena.alloc_slice_fill_copy(a.len() + b.len(), 0u8);
    out[..a.len()].copy_from_slice(a.as_bytes());
    out[a.len()..].copy_from_slice(b.as_bytes());
    // Two texts one after the other are text.
    Ok(Value::Str(std::str::from_utf8(out).unwrap_or_default()))
}

/// `needle in haystack`
pub(crate) fn contains<'a>(cx: &mut Context<'a>, needle: Value<'a>, haystack: Value<'a>) -> Result<bool, Stop> {
    if haystack.is_nil() {
        return Ok(false);
    }
    match haystack {
        Value::Record(_) | Value::Map(_) => {}
        Value::Node(node) if node.kind() == NodeKind::Object => {
            if let Value::Str(name) = needle {
                return Ok(node.get(name).is_some());
            }
        }
        Value::Node(node) => {
            for item in node.elements() {
                cx.spend(1)?;
                if equal(Value::from_node(item, cx.arena), needle) {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        Value::List(items) => {
            cx.spend(items.len() as u64)?;
            return Ok(items.iter().any(|item| equal(*item, needle)));
        }
        other => return cx.fail(format!("operator \"in\" not defined on {}", type_name(other))),
    }
    if let (Value::Record(record), Value::Str(name)) = (haystack, needle) {
        return Ok(record.get(name, cx.arena).is_some());
    }
    let members = value::members(haystack, cx.arena).unwrap_or_default();
    if value::has_key(members, needle) {
        return Ok(true);
    }
    if needle.is_nil() {
        return Ok(value::has_key(members, Value::Str("")));
    }
    // Maps have string keys, but for those that `groupBy` makes.
    if !matches!(needle, Value::Str(_)) && members.iter().all(|(key, _)| matches!(key, Value::Str(_))) {
        return cx.fail(format!("cannot use {} as type string in map key", type_name(needle)));
    }
    Ok(false)
}

/// `needle in ["a", "b"]` where the needle is no text: the original makes a set of string literals, which takes strings, and
/// nil for the empty one.
pub(crate) fn among<'a>(cx: &mut Context<'a>, needle: Value<'a>, empty: bool) -> Result<bool, Stop> {
    match needle {
        other if other.is_nil() => Ok(empty),
        other => cx.fail(format!("cannot use {} as type string in array", type_name(other))),
    }
}

/// `a matches b`
pub(crate) fn matches<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
    if a.is_nil() || b.is_nil() {
        return Ok(Value::Bool(false));
    }
    match (a, b) {
        (Value::Str(text), Value::Str(pattern)) => {
            // Compiling is dear; patterns that come from data pay for it in steps.
            cx.spend(1_000 + pattern.len() as u64 * 20)?;
            match crate::patterns::compile(pattern) {
                Ok(regex) => Ok(Value::Bool(regex.is_match(text))),
                Err(message) => cx.fail(message),
            }
        }
        (Value::Str(_), other) | (other, _) => not_text(cx, BinaryOp::Matches, other),
    }
}

/// `a matches b` where `a` is no text.
pub(crate) fn matches_other<'a>(cx: &mut Context<'a>, a: Value<'a>) -> Result<bool, Stop> {
    if a.is_nil() { Ok(false) } else { not_text(cx, BinaryOp::Matches, a) }
}

/// `regexMatch(text, pattern)`: unlike `matches`, it takes no nil.
pub(crate) fn regex_match<'a>(cx: &mut Context<'a>, text: Value<'a>, pattern: Value<'a>) -> Result<Value<'a>, Stop> {
    regex_text(cx, text)?;
    regex_text(cx, pattern)?;
    matches(cx, text, pattern)
}

/// What `regexMatch` takes.
pub(crate) fn regex_text<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Value<'a>, Stop> {
    match value {
        Value::Str(_) => Ok(value),
        other => cx.fail(format!("regexMatch takes strings, but got {}", type_name(other))),
    }
}

/// `a..b`
pub(crate) fn range<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
    let mut bound = |value| match integer(value) {
        Some(int) => Ok(int),
        None => cx.fail(not_integer(value)),
    };
    let (from, to) = (bound(a)?, bound(b)?);
    if from > to {
        return Ok(Value::List(&[]));
    }
    let len = usize::try_from(i128::from(to) - i128::from(from) + 1).unwrap_or(usize::MAX);
    cx.grow(len)?;
    Ok(Value::List(cx.arena.alloc_slice_fill_iter((0..len).map(|at| Value::Int(from + at as i64)))))
}

/// `-value`
pub(crate) fn negate<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Value<'a>, Stop> {
    match value {
        Value::Duration(duration) => Ok(wrapped(-duration.as_nanos())),
        _ => match number(value) {
            Some(Number::Int(int)) => Ok(Value::Int(int.wrapping_neg())),
            Some(Number::Float(float)) => Ok(Value::Float(-float)),
            None => cx.fail(format!("invalid operation: - {}", type_name(value))),
        },
    }
}

#[cold]
fn not_text<'a, T>(cx: &mut Context<'a>, op: BinaryOp, value: Value<'a>) -> Result<T, Stop> {
    cx.fail(format!("invalid operation: {} (expected string, but got {})", sign(op), type_name(value)))
}

#[cold]
fn undefined<'a, T>(cx: &mut Context<'a>, op: BinaryOp, a: Value<'a>, b: Value<'a>) -> Result<T, Stop> {
    cx.fail(format!("invalid operation: {} {} {}", type_name(a), sign(op), type_name(b)))
}

pub(crate) fn compare<'a>(cx: &mut Context<'a>, op: BinaryOp, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop> {
    if !ordered(a, b) {
        return undefined(cx, op, a, b);
    }
    let order = order(a, b);
    Ok(match op {
        BinaryOp::Less => order.is_some_and(|it| it.is_lt()),
        BinaryOp::Greater => order.is_some_and(|it| it.is_gt()),
        BinaryOp::LessEqual => order.is_some_and(|it| it.is_le()),
        _ => order.is_some_and(|it| it.is_ge()),
    })
}

pub(crate) fn text_test<'a>(cx: &mut Context<'a>, op: BinaryOp, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop> {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => Ok(match op {
            BinaryOp::Contains => a.contains(b),
            BinaryOp::StartsWith => a.starts_with(b),
            _ => a.ends_with(b),
        }),
        _ if a.is_nil() || b.is_nil() => Ok(false),
        (Value::Str(_), other) | (other, _) => not_text(cx, op, other),
    }
}

fn arithmetic<'a>(cx: &mut Context<'a>, op: BinaryOp, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
    if let (Some(a_number), Some(b_number)) = (number(a), number(b)) {
        return match numbers(op, a_number, b_number) {
            Some(value) => Ok(value),
            None if matches!((op, b), (BinaryOp::Modulo, Value::Int(0) | Value::UInt(0))) => {
                cx.fail("integer divide by zero")
            }
            None => undefined(cx, op, a, b),
        };
    }
    if let Some(result) = times(cx, op, a, b) {
        return Ok(result);
    }
    if let Some(result) = quantities(cx, op, a, b) {
        return result;
    }
    let nanos = |duration: SignedDuration| duration.as_nanos() as f64;
    let scaled = |float: f64| Value::Duration(SignedDuration::from_nanos(value::float_to_int(float)));
    Ok(match (op, a, b) {
        (BinaryOp::Add, Value::Duration(a), Value::Duration(b)) => wrapped(a.as_nanos() + b.as_nanos()),
        (BinaryOp::Subtract, Value::Duration(a), Value::Duration(b)) => wrapped(a.as_nanos() - b.as_nanos()),
        (BinaryOp::Multiply, Value::Duration(a), Value::Duration(b)) => scaled(nanos(a) * nanos(b)),
        (BinaryOp::Multiply, Value::Duration(duration), other)
        | (BinaryOp::Multiply, other, Value::Duration(duration)) => match number(other) {
            Some(by) => scaled(nanos(duration) * by.float()),
            None => return undefined(cx, op, a, b),
        },
        (BinaryOp::Divide, Value::Duration(a), Value::Duration(b)) => Value::Float(nanos(a) / nanos(b)),
        _ => return undefined(cx, op, a, b),
    })
}

/// What a quantity gives with another, or with a whole number.
fn quantities<'a>(cx: &mut Context<'a>, op: BinaryOp, a: Value<'a>, b: Value<'a>) -> Option<Result<Value<'a>, Stop>> {
    let whole = |value, other: Option<Quantity>| match value {
        Value::Int(int) if other.is_some() => Some(Quantity::of_int(int)),
        _ => None,
    };
    let (left, right) = (Quantity::of(a), Quantity::of(b));
    let (left, right) = (left.or(whole(a, right))?, right.or(whole(b, left))?);
    let sum = match op {
        BinaryOp::Add => left.plus(right),
        BinaryOp::Subtract => left.plus(right.negated()),
        _ => return None,
    };
    Some(match sum {
        Some(sum) => cx.grow(1).map(|()| Value::Opaque(cx.arena.alloc(sum))),
        None => cx.fail("quantity out of range"),
    })
}

/// What a time gives with a duration or another time; it keeps its zone.
fn times<'a>(cx: &Context<'a>, op: BinaryOp, a: Value<'a>, b: Value<'a>) -> Option<Value<'a>> {
    Some(match (op, zoned::instant(a), zoned::instant(b), a, b) {
        (BinaryOp::Add, Some((time, zone)), None, _, Value::Duration(by))
        | (BinaryOp::Add, None, Some((time, zone)), Value::Duration(by), _) => {
            zoned::value(value::shift(time, by), zone, cx.arena)
        }
        (BinaryOp::Subtract, Some((time, zone)), None, _, Value::Duration(by)) => {
            zoned::value(value::shift(time, by.checked_neg().unwrap_or(SignedDuration::MAX)), zone, cx.arena)
        }
        (BinaryOp::Subtract, Some((a, _)), Some((b, _)), ..) => Value::Duration(value::between(a, b)),
        _ => return None,
    })
}

/// Go's durations are 64-bit numbers of nanoseconds, and wrap.
fn wrapped<'a>(nanos: i128) -> Value<'a> {
    Value::Duration(SignedDuration::from_nanos(nanos as i64))
}

fn numbers<'a>(op: BinaryOp, a: Number, b: Number) -> Option<Value<'a>> {
    Some(match (op, a, b) {
        (BinaryOp::Add, Number::Int(a), Number::Int(b)) => Value::Int(a.wrapping_add(b)),
        (BinaryOp::Subtract, Number::Int(a), Number::Int(b)) => Value::Int(a.wrapping_sub(b)),
        (BinaryOp::Multiply, Number::Int(a), Number::Int(b)) => Value::Int(a.wrapping_mul(b)),
        (BinaryOp::Modulo, Number::Int(a), Number::Int(b)) if b != 0 => Value::Int(a.wrapping_rem(b)),
        (BinaryOp::Add, a, b) => Value::Float(a.float() + b.float()),
        (BinaryOp::Subtract, a, b) => Value::Float(a.float() - b.float()),
        (BinaryOp::Multiply, a, b) => Value::Float(a.float() * b.float()),
        (BinaryOp::Divide, a, b) => Value::Float(a.float() / b.float()),
        (BinaryOp::Power, a, b) => Value::Float(power(a.float(), b.float())),
        _ => return None,
    })
}
