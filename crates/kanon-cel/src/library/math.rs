//! The math extension.

use std::cmp::Ordering;

use kanon_lang::{Context, Function, Native, Stop, Type, Value};

use super::arguments as arg;
use crate::values::{Num, compare, no_overload};

pub(super) fn functions() -> Vec<Function> {
    use Type::{Bool, Double, Int, UInt};
    let mut out = Vec::new();
    for (name, body) in [("math.greatest", greatest as Native), ("math.least", least)] {
        for of in [Int, UInt, Double] {
            out.push(Function::free(name, [of.clone()], of.clone(), |cx, args| arg::value(cx, args, 0)));
            out.push(Function::free(name, [Type::list(of.clone())], of.clone(), body));
            for other in [Int, UInt, Double] {
                let result = if of == other { of.clone() } else { Type::Dyn };
                out.push(Function::free(name, [of.clone(), other], result, body));
            }
        }
    }
    let of_double: [(&'static str, Native, Type); 8] = [
        ("math.ceil", |cx, args| rounded(cx, args, f64::ceil), Double),
        ("math.floor", |cx, args| rounded(cx, args, f64::floor), Double),
        ("math.round", |cx, args| rounded(cx, args, f64::round), Double),
        ("math.trunc", |cx, args| rounded(cx, args, f64::trunc), Double),
        ("math.isInf", |cx, args| tested(cx, args, f64::is_infinite), Bool),
        ("math.isNaN", |cx, args| tested(cx, args, f64::is_nan), Bool),
        ("math.isFinite", |cx, args| tested(cx, args, f64::is_finite), Bool),
        ("math.sqrt", |cx, args| root(cx, args), Double),
    ];
    out.extend(of_double.map(|(name, body, result)| Function::free(name, [Double], result, body)));
    for of in [Int, UInt] {
        out.push(Function::free("math.sqrt", [of], Double, root));
    }
    for of in [Double, Int, UInt] {
        out.push(Function::free("math.abs", [of.clone()], of.clone(), abs));
        out.push(Function::free("math.sign", [of.clone()], of, sign));
    }
    let of_pair: [(&'static str, Native); 3] = [
        ("math.bitAnd", |cx, args| bits(cx, args, |a, b| a & b)),
        ("math.bitOr", |cx, args| bits(cx, args, |a, b| a | b)),
        ("math.bitXor", |cx, args| bits(cx, args, |a, b| a ^ b)),
    ];
    for of in [Int, UInt] {
        for (name, body) in of_pair {
            out.push(Function::free(name, [of.clone(), of.clone()], of.clone(), body));
        }
        out.push(Function::free("math.bitNot", [of.clone()], of.clone(), |cx, args| match arg::value(cx, args, 0)? {
            Value::Int(int) => Ok(Value::Int(!int)),
            Value::UInt(uint) => Ok(Value::UInt(!uint)),
            _ => no_overload(cx),
        }));
        out.push(Function::free("math.bitShiftLeft", [of.clone(), Int], of.clone(), |cx, args| {
            shift(cx, args, "math.bitShiftLeft", u64::checked_shl)
        }));
        out.push(Function::free("math.bitShiftRight", [of.clone(), Int], of, |cx, args| {
            shift(cx, args, "math.bitShiftRight", u64::checked_shr)
        }));
    }
    out
}

fn greatest<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    extreme(cx, args, Ordering::Less, "math.greatest")
}

fn least<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    extreme(cx, args, Ordering::Greater, "math.least")
}

/// The first of several numbers, unless a later one stands to it so that it is in `order` relative to that.
fn extreme<'a>(cx: &mut Context<'a>, args: &[Value<'a>], order: Ordering, name: &str) -> Result<Value<'a>, Stop> {
    let list;
    let numbers = if args.len() == 1 {
        list = arg::slice(cx, args, 0)?;
        list
    } else {
        args
    };
    let Some(first) = numbers.first() else {
        return cx.fail(format!("{name}(list) argument must not be empty"));
    };
    if numbers.iter().any(|it| Num::of(*it).is_none()) {
        return no_overload(cx);
    }
    let mut best = *first;
    for number in &numbers[1..] {
        if compare(cx, best, *number)? == order {
            best = *number;
        }
    }
    Ok(best)
}

fn rounded<'a>(cx: &mut Context<'a>, args: &[Value<'a>], round: fn(f64) -> f64) -> Result<Value<'a>, Stop> {
    Ok(Value::Float(round(arg::double(cx, args, 0)?)))
}

fn tested<'a>(cx: &mut Context<'a>, args: &[Value<'a>], test: fn(f64) -> bool) -> Result<Value<'a>, Stop> {
    Ok(Value::Bool(test(arg::double(cx, args, 0)?)))
}

fn root<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match arg::value(cx, args, 0)? {
        Value::Float(float) => Ok(Value::Float(float.sqrt())),
        Value::Int(int) => Ok(Value::Float((int as f64).sqrt())),
        Value::UInt(uint) => Ok(Value::Float((uint as f64).sqrt())),
        _ => no_overload(cx),
    }
}

fn abs<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match arg::value(cx, args, 0)? {
        Value::Float(float) => Ok(Value::Float(float.abs())),
        value @ Value::UInt(_) => Ok(value),
        Value::Int(int) => match int.checked_abs() {
            Some(int) => Ok(Value::Int(int)),
            None => cx.fail("integer overflow"),
        },
        _ => no_overload(cx),
    }
}

fn sign<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match arg::value(cx, args, 0)? {
        value @ Value::Float(float) if float.is_nan() => Ok(value),
        Value::Float(0.0) => Ok(Value::Float(0.0)),
        Value::Float(float) => Ok(Value::Float(float.signum())),
        Value::Int(int) => Ok(Value::Int(int.signum())),
        Value::UInt(uint) => Ok(Value::UInt(uint.min(1))),
        _ => no_overload(cx),
    }
}

fn bits<'a>(cx: &mut Context<'a>, args: &[Value<'a>], join: fn(u64, u64) -> u64) -> Result<Value<'a>, Stop> {
    match (arg::value(cx, args, 0)?, arg::value(cx, args, 1)?) {
        // The same 64 bits, with and without a sign.
        (Value::Int(a), Value::Int(b)) => Ok(Value::Int(join(a as u64, b as u64) as i64)),
        (Value::UInt(a), Value::UInt(b)) => Ok(Value::UInt(join(a, b))),
        _ => no_overload(cx),
    }
}

/// Shifts bits in from nothing: a right shift of a negative number fills with zeros, as the specification's suite has it.
fn shift<'a>(
    cx: &mut Context<'a>,
    args: &[Value<'a>],
    name: &str,
    by: fn(u64, u32) -> Option<u64>,
) -> Result<Value<'a>, Stop> {
    let count = arg::int(cx, args, 1)?;
    if count < 0 {
        return cx.fail(format!("{name}() negative offset: {count}"));
    }
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    match arg::value(cx, args, 0)? {
        Value::Int(int) => Ok(Value::Int(by(int as u64, count).unwrap_or(0) as i64)),
        Value::UInt(uint) => Ok(Value::UInt(by(uint, count).unwrap_or(0))),
        _ => no_overload(cx),
    }
}
