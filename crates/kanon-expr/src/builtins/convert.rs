//! Conversions between types, and values as Go prints them.

use base64::{Engine, engine::general_purpose::STANDARD};
use kanon_lang::{Arena, Context, Stop, Value};

use super::{
    Builtin, Call,
    time::zoned::{Zone, instant},
};
use crate::value::{MAX_VALUE_DEPTH, Number, elements, float_to_int, kind_name, number, sorted_members, type_name};

pub(super) fn call<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    match call.builtin {
        Builtin::Type => Ok(Value::Str(kind(call.arg(0)))),
        Builtin::String => {
            if let Value::Str(_) = call.arg(0) {
                return Ok(call.arg(0));
            }
            let mut text = String::new();
            write(&mut text, call.arg(0), cx.arena, 0, cx.memory_left());
            cx.text(&text)
        }
        Builtin::Int => int(cx, call),
        Builtin::Float => float(cx, call),
        Builtin::ToBase64 => {
            let text = STANDARD.encode(call.text(cx, 0)?);
            cx.text(&text)
        }
        _ => from_base64(cx, call),
    }
}

fn kind(value: Value<'_>) -> &'static str {
    kind_name(value)
}

fn int<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    match (number(call.arg(0)), call.arg(0)) {
        (Some(Number::Int(int)), _) => Ok(Value::Int(int)),
        (Some(Number::Float(float)), _) => Ok(Value::Int(float_to_int(float))),
        (None, Value::Str(text)) => match text.parse() {
            Ok(int) => Ok(Value::Int(int)),
            Err(_) => cx.fail(format!("invalid operation: int({text})")),
        },
        (None, other) => cx.fail(format!("invalid operation: int({})", type_name(other))),
    }
}

fn float<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    match (number(call.arg(0)), call.arg(0)) {
        (Some(number), _) => Ok(Value::Float(number.float())),
        (None, Value::Str(text)) => match text.parse() {
            Ok(float) => Ok(Value::Float(float)),
            Err(_) => cx.fail(format!("invalid operation: float({text})")),
        },
        (None, other) => cx.fail(format!("invalid operation: float({})", type_name(other))),
    }
}

fn from_base64<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let text = call.text(cx, 0)?;
    match STANDARD.decode(text) {
        Ok(bytes) => cx.text(&String::from_utf8_lossy(&bytes)),
        Err(error) => cx.fail(format!("illegal base64 data: {error}")),
    }
}

/// Bytes after which a value is cut in a message.
const MAX_SHOWN: usize = 1_000;

/// A value as Go's `%v` prints it, for messages.
pub(crate) fn shown<'a>(value: Value<'a>, arena: &'a Arena) -> String {
    let mut out = String::new();
    write(&mut out, value, arena, 0, MAX_SHOWN);
    out
}

fn write<'a>(out: &mut String, value: Value<'a>, arena: &'a Arena, depth: usize, max: usize) {
    // One list may stand in a value many times over: what is written can be far more than what was made.
    if depth > MAX_VALUE_DEPTH || out.len() > max {
        out.push('…');
        return;
    }
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(bool) => out.push_str(if bool { "true" } else { "false" }),
        Value::Int(int) => out.push_str(&int.to_string()),
        Value::UInt(uint) => out.push_str(&uint.to_string()),
        Value::Float(float) => out.push_str(&go_float(float, 21)),
        Value::Str(text) => out.push_str(text),
        Value::Time(time) => out.push_str(&super::time::shown(time, &Zone::UTC)),
        Value::Duration(_) => {
            if let serde_json::Value::String(text) = value.to_json(arena) {
                out.push_str(&text);
            }
        }
        Value::Bytes(_) | Value::NilList | Value::NilMap | Value::List(_) | Value::Map(_) | Value::Record(_) => {
            container(out, value, arena, depth, max);
        }
        Value::Node(_) => container(out, value, arena, depth, max),
        Value::Opaque(opaque) => match instant(value) {
            Some((at, zone)) => out.push_str(&super::time::shown(at, &zone)),
            None => out.push_str(&opaque.text()),
        },
        Value::Optional(_) | Value::Type(_) => {}
    }
}

fn container<'a>(out: &mut String, value: Value<'a>, arena: &'a Arena, depth: usize, max: usize) {
    if let Some(items) = elements(value, arena) {
        out.push('[');
        for (at, item) in items.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { " " });
            write(out, *item, arena, depth + 1, max);
        }
        out.push(']');
    } else {
        out.push_str("map[");
        for (at, (key, item)) in sorted_members(value, arena).unwrap_or_default().into_iter().enumerate() {
            out.push_str(if at == 0 { "" } else { " " });
            write(out, key, arena, depth + 1, max);
            out.push(':');
            write(out, item, arena, depth + 1, max);
        }
        out.push(']');
    }
}

/// The shortest text of a double as Go writes it: with an exponent below 1e-4 and from 1e`large` on.
pub(super) fn go_float(float: f64, large: i32) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let power: i32 = exponent.parse().unwrap_or(0);
    if float == 0.0 || (-4..large).contains(&power) {
        return format!("{float}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}
