//! Lists: `isSorted`, `sum`, `min`, `max`, `indexOf`, `lastIndexOf`.

use std::cmp::Ordering;

use jiff::SignedDuration;
use kanon_lang::{Context, Function, Stop, Type, Value};

use crate::{
    library::{arguments as arg, lists::ordered},
    values::{Operator, arith, compare, equal},
};

pub(in crate::library) fn functions() -> Vec<Function> {
    let any = || Type::Param("T");
    let mut out = vec![
        Function::method("indexOf", [Type::list(any()), any()], Type::Int, |cx, args| {
            let (items, wanted) = (arg::slice(cx, args, 0)?, arg::any(cx, args, 1)?);
            position(cx, items.iter().enumerate(), wanted)
        }),
        Function::method("lastIndexOf", [Type::list(any()), any()], Type::Int, |cx, args| {
            let (items, wanted) = (arg::slice(cx, args, 0)?, arg::any(cx, args, 1)?);
            position(cx, items.iter().enumerate().rev(), wanted)
        }),
    ];
    for of in ordered() {
        out.push(Function::method("isSorted", [Type::list(of.clone())], Type::Bool, is_sorted));
        out.push(Function::method("min", [Type::list(of.clone())], of.clone(), |cx, args| {
            extreme(cx, args, Ordering::Greater, "min")
        }));
        out.push(Function::method("max", [Type::list(of.clone())], of, |cx, args| {
            extreme(cx, args, Ordering::Less, "max")
        }));
    }
    out.extend([
        Function::method("sum", [Type::list(Type::Int)], Type::Int, |cx, args| sum(cx, args, Value::Int(0))),
        Function::method("sum", [Type::list(Type::UInt)], Type::UInt, |cx, args| sum(cx, args, Value::UInt(0))),
        Function::method("sum", [Type::list(Type::Double)], Type::Double, |cx, args| sum(cx, args, Value::Float(0.0))),
        Function::method("sum", [Type::list(Type::Duration)], Type::Duration, |cx, args| {
            sum(cx, args, Value::Duration(SignedDuration::ZERO))
        }),
    ]);
    out
}

fn position<'a, 'v: 'a>(
    cx: &mut Context<'a>,
    items: impl Iterator<Item = (usize, &'v Value<'a>)>,
    wanted: Value<'a>,
) -> Result<Value<'a>, Stop>
where
    'a: 'v,
{
    for (at, item) in items {
        if equal(cx, *item, wanted)? {
            return Ok(Value::Int(at as i64));
        }
    }
    Ok(Value::Int(-1))
}

fn is_sorted<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    for pair in arg::slice(cx, args, 0)?.windows(2) {
        if compare(cx, pair[0], pair[1])?.is_gt() {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn extreme<'a>(cx: &mut Context<'a>, args: &[Value<'a>], order: Ordering, name: &str) -> Result<Value<'a>, Stop> {
    let Some((first, rest)) = arg::slice(cx, args, 0)?.split_first() else {
        return cx.fail(format!("{name} called on empty list"));
    };
    let mut best = *first;
    for item in rest {
        if compare(cx, best, *item)? == order {
            best = *item;
        }
    }
    Ok(best)
}

fn sum<'a>(cx: &mut Context<'a>, args: &[Value<'a>], zero: Value<'a>) -> Result<Value<'a>, Stop> {
    let mut sum = zero;
    for item in arg::list(cx, args, 0)? {
        sum = arith(cx, Operator::Add, sum, item)?;
    }
    Ok(sum)
}
