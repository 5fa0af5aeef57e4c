//! Casts, aggregates that OPA keeps for old policies, and ranges, which are bounded here.

use std::collections::BTreeSet;

use regorus::Value;

use super::{State, operand, wrong};

/// Elements of a range.
const MAX_RANGE: i64 = 20_000;

fn elements(args: &[Value]) -> Result<Vec<&Value>, String> {
    match operand(args, 0) {
        Value::Array(items) => Ok(items.iter().collect()),
        Value::Set(items) => Ok(items.iter().collect()),
        other => Err(wrong(0, "one of {array, set}", other)),
    }
}

pub(super) fn all(_: &State, args: &[Value]) -> Result<Value, String> {
    Ok(elements(args)?.iter().all(|it| **it == Value::Bool(true)).into())
}

pub(super) fn any(_: &State, args: &[Value]) -> Result<Value, String> {
    Ok(elements(args)?.iter().any(|it| **it == Value::Bool(true)).into())
}

/// One level of nested arrays.
pub(super) fn flatten(_: &State, args: &[Value]) -> Result<Value, String> {
    let Value::Array(items) = operand(args, 0) else { return Err(wrong(0, "array", operand(args, 0))) };
    let mut out = Vec::new();
    for item in items.iter() {
        match item {
            Value::Array(inner) => out.extend(inner.iter().cloned()),
            other => out.push(other.clone()),
        }
    }
    Ok(Value::from(out))
}

pub(super) fn array(_: &State, args: &[Value]) -> Result<Value, String> {
    Ok(Value::from(elements(args)?.into_iter().cloned().collect::<Vec<_>>()))
}

pub(super) fn set(_: &State, args: &[Value]) -> Result<Value, String> {
    Ok(Value::from(elements(args)?.into_iter().cloned().collect::<BTreeSet<_>>()))
}

macro_rules! only {
    ($name:ident, $wanted:literal, $pattern:pat) => {
        pub(super) fn $name(_: &State, args: &[Value]) -> Result<Value, String> {
            match operand(args, 0) {
                value @ $pattern => Ok(value.clone()),
                other => Err(wrong(0, $wanted, other)),
            }
        }
    };
}

only!(boolean, "boolean", Value::Bool(_));
only!(null, "null", Value::Null);
only!(object, "object", Value::Object(_));
only!(string, "string", Value::String(_));

fn integer(args: &[Value], at: usize) -> Result<i64, String> {
    let found = operand(args, at);
    let Value::Number(number) = found else { return Err(wrong(at, "number", found)) };
    number.as_i64().ok_or_else(|| format!("operand {} must be integer number but got floating-point number", at + 1))
}

/// `numbers.range` and `numbers.range_step`: from the first to the second, either way.
pub(super) fn range(_: &State, args: &[Value]) -> Result<Value, String> {
    let (from, to) = (integer(args, 0)?, integer(args, 1)?);
    let step = if args.len() > 2 { integer(args, 2)? } else { 1 };
    if step <= 0 {
        return Err("step must be a positive number above zero".to_owned());
    }
    let span = i128::from(to) - i128::from(from);
    let count = span.abs() / i128::from(step) + 1;
    if count > i128::from(MAX_RANGE) {
        return Err(format!("the range has more than {MAX_RANGE} elements"));
    }
    let step = if span < 0 { -step } else { step };
    // In bounds: no element lies beyond `to`.
    let items = (0..count as i64).map(|at| Value::from(from.wrapping_add(step.wrapping_mul(at))));
    Ok(Value::from(items.collect::<Vec<_>>()))
}
