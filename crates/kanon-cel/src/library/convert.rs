//! Conversions between types: `int`, `uint`, `double`, `string`, `bytes`, `bool`, `timestamp`, `duration`.

use kanon_lang::{Context, Function, Stop, Type, Value};

use super::arguments as arg;
use crate::values::{no_overload, time, type_of};

pub(super) fn functions() -> Vec<Function> {
    let table: [(&'static str, Type, kanon_lang::Native, &[Type]); 8] = [
        (
            "int",
            Type::Int,
            to_int,
            &[Type::Int, Type::UInt, Type::Double, Type::String, Type::Timestamp, Type::Duration],
        ),
        ("uint", Type::UInt, to_uint, &[Type::UInt, Type::Int, Type::Double, Type::String]),
        ("double", Type::Double, to_double, &[Type::Double, Type::Int, Type::UInt, Type::String]),
        (
            "string",
            Type::String,
            to_string,
            &[
                Type::String,
                Type::Bool,
                Type::Int,
                Type::UInt,
                Type::Double,
                Type::Bytes,
                Type::Timestamp,
                Type::Duration,
                Type::Opaque("net.IP"),
                Type::Opaque("net.CIDR"),
            ],
        ),
        ("bytes", Type::Bytes, to_bytes, &[Type::Bytes, Type::String]),
        ("bool", Type::Bool, to_bool, &[Type::Bool, Type::String]),
        ("timestamp", Type::Timestamp, to_timestamp, &[Type::Timestamp, Type::Int, Type::String]),
        ("duration", Type::Duration, to_duration, &[Type::Duration, Type::Int, Type::String]),
    ];
    let mut out = Vec::new();
    for (name, result, body, from) in table {
        out.extend(from.iter().map(|of| Function::free(name, [of.clone()], result.clone(), body)));
    }
    out
}

#[cold]
fn fails<'a>(cx: &mut Context<'a>, from: Value<'a>, to: &str) -> Result<Value<'a>, Stop> {
    cx.fail(format!("type conversion error from '{}' to '{to}'", type_of(from)))
}

fn to_int<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let value = arg::value(cx, args, 0)?;
    let int = match value {
        Value::Int(int) => Some(int),
        Value::UInt(uint) => i64::try_from(uint).ok(),
        // Both ends of the range are refused: what lies there may have been rounded.
        Value::Float(float) if float > i64::MIN as f64 && float < i64::MAX as f64 => Some(float as i64),
        Value::Float(_) => None,
        Value::Str(text) => match text.parse::<i64>() {
            Ok(int) => Some(int),
            Err(_) => return fails(cx, value, "int"),
        },
        Value::Duration(duration) => i64::try_from(duration.as_nanos()).ok(),
        value => match time::nanoseconds(value) {
            Some(nanos) => i64::try_from(nanos.div_euclid(1_000_000_000)).ok(),
            None => return no_overload(cx),
        },
    };
    match int {
        Some(int) => Ok(Value::Int(int)),
        None => cx.fail("integer overflow"),
    }
}

fn to_uint<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let value = arg::value(cx, args, 0)?;
    let uint = match value {
        Value::UInt(uint) => Some(uint),
        Value::Int(int) => u64::try_from(int).ok(),
        Value::Float(float) if float >= 0.0 && float < u64::MAX as f64 => Some(float as u64),
        Value::Float(_) => None,
        Value::Str(text) => match text.parse::<u64>() {
            Ok(uint) if !text.starts_with('+') => Some(uint),
            _ => return fails(cx, value, "uint"),
        },
        _ => return no_overload(cx),
    };
    match uint {
        Some(uint) => Ok(Value::UInt(uint)),
        None => cx.fail("unsigned integer overflow"),
    }
}

fn to_double<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let value = arg::value(cx, args, 0)?;
    match value {
        Value::Float(_) => Ok(value),
        Value::Int(int) => Ok(Value::Float(int as f64)),
        Value::UInt(uint) => Ok(Value::Float(uint as f64)),
        Value::Str(text) => match parse_double(text) {
            Some(float) => Ok(Value::Float(float)),
            None => fails(cx, value, "double"),
        },
        _ => no_overload(cx),
    }
}

/// As Go reads decimal floating-point numbers: what is too large is refused, not infinite.
fn parse_double(text: &str) -> Option<f64> {
    let float: f64 = text.parse().ok()?;
    let unsigned = text.trim_start_matches(['+', '-']);
    let named = unsigned.starts_with(['i', 'I', 'n', 'N']);
    if float.is_nan() {
        return (unsigned.len() == text.len()).then_some(float);
    }
    (named || float.is_finite()).then_some(float)
}

fn to_string<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let value = arg::value(cx, args, 0)?;
    match value {
        Value::Str(_) => Ok(value),
        Value::Bool(bool) => Ok(Value::Str(if bool { "true" } else { "false" })),
        Value::Int(int) => cx.text(&int.to_string()),
        Value::UInt(uint) => cx.text(&uint.to_string()),
        Value::Float(float) => cx.text(&render_double(float)),
        Value::Duration(duration) => cx.text(&time::render_duration(duration)),
        Value::Bytes(bytes) => {
            cx.spend(bytes.len() as u64 / 16)?;
            match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Value::Str(text)),
                Err(_) => cx.fail("invalid UTF-8 in bytes, cannot convert to string"),
            }
        }
        value => match (time::nanoseconds(value), value) {
            (Some(nanos), _) => cx.text(&time::render_timestamp(nanos)),
            (None, Value::Opaque(opaque)) => cx.text(&opaque.text()),
            _ => no_overload(cx),
        },
    }
}

/// As Go's `%g`: the shortest text that reads back, with an exponent below 1e-4 and from 1e6 on.
pub(super) fn render_double(float: f64) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if float != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{float}")
}

fn to_bytes<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match arg::value(cx, args, 0)? {
        Value::Str(text) => Ok(Value::Bytes(text.as_bytes())),
        value @ Value::Bytes(_) => Ok(value),
        _ => no_overload(cx),
    }
}

fn to_bool<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let value = arg::value(cx, args, 0)?;
    match value {
        Value::Bool(_) => Ok(value),
        Value::Str("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(Value::Bool(true)),
        Value::Str("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(Value::Bool(false)),
        Value::Str(_) => fails(cx, value, "bool"),
        _ => no_overload(cx),
    }
}

fn to_timestamp<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let value = arg::value(cx, args, 0)?;
    match value {
        Value::Int(seconds) => time::timestamp(cx, i128::from(seconds) * 1_000_000_000),
        Value::Str(text) => match time::parse_timestamp(text) {
            Some(nanos) => time::timestamp(cx, nanos),
            None => fails(cx, value, "google.protobuf.Timestamp"),
        },
        value if time::nanoseconds(value).is_some() => Ok(value),
        _ => no_overload(cx),
    }
}

fn to_duration<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let value = arg::value(cx, args, 0)?;
    match value {
        Value::Duration(_) => Ok(value),
        Value::Int(nanos) => time::duration(cx, i128::from(nanos)),
        Value::Str(text) => match time::parse_duration(text) {
            Some(nanos) => time::duration(cx, i128::from(nanos)),
            None => fails(cx, value, "google.protobuf.Duration"),
        },
        _ => no_overload(cx),
    }
}
