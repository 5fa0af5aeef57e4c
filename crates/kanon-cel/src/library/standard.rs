//! The standard library without conversions and time: `size`, `type`, `dyn`, and the tests of text.

use kanon_lang::{Context, Function, Stop, Type, Value};

use super::{arguments as arg, pattern};
use crate::values;

pub(super) fn functions() -> Vec<Function> {
    let any = || Type::Param("A");
    let sized = [Type::String, Type::Bytes, Type::list(any()), Type::map(any(), Type::Param("B"))];
    let mut out = Vec::new();
    for of in sized {
        out.push(Function::free("size", [of.clone()], Type::Int, size));
        out.push(Function::method("size", [of], Type::Int, size));
    }
    out.extend([
        Function::free("type", [any()], Type::Type(any().into()), |cx, args| {
            Ok(Value::Type(values::type_of(arg::value(cx, args, 0)?)))
        }),
        Function::free("dyn", [any()], Type::Dyn, |cx, args| arg::any(cx, args, 0)),
        Function::method("contains", [Type::String, Type::String], Type::Bool, |cx, args| {
            Ok(Value::Bool(arg::read(cx, args, 0)?.contains(arg::text(cx, args, 1)?)))
        }),
        Function::method("startsWith", [Type::String, Type::String], Type::Bool, |cx, args| {
            Ok(Value::Bool(arg::text(cx, args, 0)?.starts_with(arg::read(cx, args, 1)?)))
        }),
        Function::method("endsWith", [Type::String, Type::String], Type::Bool, |cx, args| {
            Ok(Value::Bool(arg::text(cx, args, 0)?.ends_with(arg::read(cx, args, 1)?)))
        }),
        Function::free("matches", [Type::String, Type::String], Type::Bool, matches),
        Function::method("matches", [Type::String, Type::String], Type::Bool, matches),
    ]);
    out
}

fn size<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let size = match arg::value(cx, args, 0)? {
        Value::Str(_) => arg::read(cx, args, 0)?.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        value => {
            values::readable(cx, value)?;
            let Some(length) = values::length(value) else {
                return values::no_overload(cx);
            };
            // What lies in an object is counted by walking it.
            cx.spend(length as u64 / 16)?;
            length
        }
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn matches<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, pattern) = (arg::text(cx, args, 0)?, arg::text(cx, args, 1)?);
    let regex = pattern::compiled(cx, pattern, text)?;
    Ok(Value::Bool(regex.is_match(text)))
}
