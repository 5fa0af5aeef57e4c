//! Values that may be there or not. The macros `optMap` and `optFlatMap` and the optional forms of selection are the front end's.

use kanon_lang::{Context, Function, Stop, Type, Value};

use super::arguments as arg;
use crate::values::{length, no_overload, time};

pub(super) fn functions() -> Vec<Function> {
    let any = || Type::Param("T");
    let optional = || Type::optional(Type::Param("T"));
    vec![
        Function::free("optional.of", [any()], optional(), |cx, args| {
            let value = arg::any(cx, args, 0)?;
            arg::some(cx, value)
        }),
        Function::free("optional.none", [], optional(), |_, _| Ok(Value::Optional(None))),
        Function::free("optional.ofNonZeroValue", [any()], optional(), |cx, args| {
            let value = arg::value(cx, args, 0)?;
            if zero(value) { Ok(Value::Optional(None)) } else { arg::some(cx, value) }
        }),
        Function::method("hasValue", [optional()], Type::Bool, |cx, args| Ok(Value::Bool(inner(cx, args)?.is_some()))),
        Function::method("value", [optional()], any(), |cx, args| match inner(cx, args)? {
            Some(value) => Ok(value),
            None => cx.fail("optional.none() dereference"),
        }),
        Function::method("or", [optional(), optional()], optional(), |cx, args| match inner(cx, args)? {
            Some(_) => arg::value(cx, args, 0),
            None => arg::any(cx, args, 1),
        }),
        Function::method("orValue", [optional(), any()], any(), |cx, args| match inner(cx, args)? {
            Some(value) => Ok(value),
            None => arg::any(cx, args, 1),
        }),
        Function::free("optional.unwrap", [Type::list(optional())], Type::list(any()), unwrap),
        Function::method("unwrapOpt", [Type::list(optional())], Type::list(any()), unwrap),
        Function::method("first", [Type::list(any())], optional(), |cx, args| {
            let first = arg::list(cx, args, 0)?.next();
            first.map_or(Ok(Value::Optional(None)), |it| arg::some(cx, it))
        }),
        Function::method("last", [Type::list(any())], optional(), |cx, args| {
            let last = arg::list(cx, args, 0)?.last();
            last.map_or(Ok(Value::Optional(None)), |it| arg::some(cx, it))
        }),
    ]
}

fn inner<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Option<Value<'a>>, Stop> {
    match arg::value(cx, args, 0)? {
        Value::Optional(value) => Ok(value.copied()),
        _ => no_overload(cx),
    }
}

fn unwrap<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let mut out = Vec::new();
    for item in arg::list(cx, args, 0)? {
        match item {
            Value::Optional(value) => out.extend(value.copied()),
            item => {
                return cx.fail(format!("value of type '{}' is not optional", crate::values::type_of(item)));
            }
        }
    }
    cx.list(&out)
}

/// Whether a value is its type's zero: what a message field without a value would read as.
fn zero(value: Value<'_>) -> bool {
    match value {
        Value::Null | Value::NilList | Value::NilMap => true,
        Value::Bool(bool) => !bool,
        Value::Int(int) => int == 0,
        Value::UInt(uint) => uint == 0,
        Value::Float(float) => float == 0.0,
        Value::Str(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Duration(duration) => duration.is_zero(),
        Value::Optional(inner) => inner.is_none(),
        Value::Time(_) => time::nanoseconds(value) == time::parse_timestamp("0001-01-01T00:00:00Z"),
        Value::Type(_) | Value::Opaque(_) => false,
        Value::Node(_) | Value::List(_) | Value::Map(_) | Value::Record(_) => length(value) == Some(0),
    }
}
