//! `+ - * / %` and negation, checked: what does not fit its type is an error, never a wrong number.

use kanon_lang::{Context, Stop, Value};

use super::{elements, length, no_overload, plain, time};

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `a + b`
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`
    Divide,
    /// `a % b`
    Modulo,
}

/// `a operator b`
///
/// # Errors
/// Overflow, division by zero, operands whose types the operator does not take.
#[inline]
pub fn arith<'a>(cx: &mut Context<'a>, operator: Operator, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => int(cx, operator, a, b),
        (Value::UInt(a), Value::UInt(b)) => uint(cx, operator, a, b),
        (Value::Float(a), Value::Float(b)) => match operator {
            Operator::Add => Ok(Value::Float(a + b)),
            Operator::Subtract => Ok(Value::Float(a - b)),
            Operator::Multiply => Ok(Value::Float(a * b)),
            Operator::Divide => Ok(Value::Float(a / b)),
            Operator::Modulo => no_overload(cx),
        },
        (Value::Opaque(_), _) | (_, Value::Opaque(_)) => foreign(cx, operator, a, b),
        _ => match operator {
            Operator::Add => add(cx, a, b),
            Operator::Subtract => subtract(cx, a, b),
            Operator::Multiply | Operator::Divide | Operator::Modulo => no_overload(cx),
        },
    }
}

/// With a value that stands for another, where one does.
fn foreign<'a>(cx: &mut Context<'a>, operator: Operator, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
    let (left, right) = (plain(cx, a)?, plain(cx, b)?);
    match (left, right) {
        (Value::Opaque(_), _) | (_, Value::Opaque(_)) => match operator {
            Operator::Add => add(cx, left, right),
            Operator::Subtract => subtract(cx, left, right),
            Operator::Multiply | Operator::Divide | Operator::Modulo => no_overload(cx),
        },
        _ => arith(cx, operator, left, right),
    }
}

/// `-a`
///
/// # Errors
/// Overflow, and operands that are neither int, double nor duration.
pub fn negate<'a>(cx: &mut Context<'a>, a: Value<'a>) -> Result<Value<'a>, Stop> {
    match plain(cx, a)? {
        Value::Int(int) => match int.checked_neg() {
            Some(int) => Ok(Value::Int(int)),
            None => cx.fail("integer overflow"),
        },
        Value::Float(float) => Ok(Value::Float(-float)),
        Value::Duration(duration) => time::duration(cx, -duration.as_nanos()),
        _ => no_overload(cx),
    }
}

fn int<'a>(cx: &mut Context<'a>, operator: Operator, a: i64, b: i64) -> Result<Value<'a>, Stop> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide if b == 0 => return cx.fail("division by zero"),
        Operator::Divide => a.checked_div(b),
        Operator::Modulo if b == 0 => return cx.fail("modulus by zero"),
        Operator::Modulo => a.checked_rem(b),
    };
    match result {
        Some(int) => Ok(Value::Int(int)),
        None => cx.fail("integer overflow"),
    }
}

fn uint<'a>(cx: &mut Context<'a>, operator: Operator, a: u64, b: u64) -> Result<Value<'a>, Stop> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide if b == 0 => return cx.fail("division by zero"),
        Operator::Divide => a.checked_div(b),
        Operator::Modulo if b == 0 => return cx.fail("modulus by zero"),
        Operator::Modulo => a.checked_rem(b),
    };
    match result {
        Some(uint) => Ok(Value::UInt(uint)),
        None => cx.fail("unsigned integer overflow"),
    }
}

fn add<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => {
            cx.spend((a.len() + b.len()) as u64 / 64)?;
            cx.grow(a.len() + b.len())?;
            Ok(Value::Str(cx.arena.alloc_str(&[a, b].concat())))
        }
        (Value::Bytes(a), Value::Bytes(b)) => {
            cx.spend((a.len() + b.len()) as u64 / 64)?;
            cx.grow(a.len() + b.len())?;
            Ok(Value::Bytes(cx.arena.alloc_slice_copy(&[a, b].concat())))
        }
        (Value::Duration(a), Value::Duration(b)) => time::duration(cx, a.as_nanos() + b.as_nanos()),
        (time, Value::Duration(duration)) | (Value::Duration(duration), time) => match time::nanoseconds(time) {
            Some(nanos) => time::timestamp(cx, nanos + duration.as_nanos()),
            None => no_overload(cx),
        },
        _ => match (length(a), elements(a, cx.arena), length(b), elements(b, cx.arena)) {
            (Some(left), Some(head), Some(right), Some(tail)) => {
                cx.spend((left + right) as u64)?;
                cx.grow(left + right)?;
                let items: Vec<Value<'a>> = head.chain(tail).collect();
                Ok(Value::List(cx.arena.alloc_slice_copy(&items)))
            }
            _ => no_overload(cx),
        },
    }
}

fn subtract<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
    if let (Value::Duration(a), Value::Duration(b)) = (a, b) {
        return time::duration(cx, a.as_nanos() - b.as_nanos());
    }
    match (time::nanoseconds(a), b, time::nanoseconds(b)) {
        (Some(a), Value::Duration(b), _) => time::timestamp(cx, a - b.as_nanos()),
        (Some(a), _, Some(b)) => time::duration(cx, a - b),
        _ => no_overload(cx),
    }
}
