//! Lists as sets: `sets.contains`, `sets.equivalent`, `sets.intersects`.

use kanon_lang::{Context, Function, Stop, Type, Value};

use super::arguments as arg;
use crate::values::equal;

pub(super) fn functions() -> Vec<Function> {
    let lists = || [Type::list(Type::Param("T")), Type::list(Type::Param("T"))];
    vec![
        Function::free("sets.contains", lists(), Type::Bool, |cx, args| {
            let (all, some) = (arg::slice(cx, args, 0)?, arg::slice(cx, args, 1)?);
            Ok(Value::Bool(holds(cx, all, some)?))
        }),
        Function::free("sets.equivalent", lists(), Type::Bool, |cx, args| {
            let (a, b) = (arg::slice(cx, args, 0)?, arg::slice(cx, args, 1)?);
            Ok(Value::Bool(holds(cx, a, b)? && holds(cx, b, a)?))
        }),
        Function::free("sets.intersects", lists(), Type::Bool, |cx, args| {
            let (a, b) = (arg::slice(cx, args, 0)?, arg::slice(cx, args, 1)?);
            for item in b {
                if has(cx, a, *item)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }),
    ]
}

fn has<'a>(cx: &mut Context<'a>, items: &[Value<'a>], value: Value<'a>) -> Result<bool, Stop> {
    for item in items {
        cx.spend(1)?;
        if equal(cx, *item, value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn holds<'a>(cx: &mut Context<'a>, all: &[Value<'a>], some: &[Value<'a>]) -> Result<bool, Stop> {
    for item in some {
        if !has(cx, all, *item)? {
            return Ok(false);
        }
    }
    Ok(true)
}
