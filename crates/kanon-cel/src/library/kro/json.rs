//! JSON text from values and back.

use base64::{Engine, engine::general_purpose::STANDARD};
use kanon_lang::{Context, Stop, Value};
use serde_json::Value as Json;

use crate::{
    library::arguments as arg,
    values::{MAX_DEPTH, elements, entries, readable, time, type_of},
};

/// Compact, members sorted by name.
pub(super) fn marshal<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let value = arg::value(cx, args, 0)?;
    let json = to_json(cx, value, 0)?;
    cx.text(&json.to_string())
}

fn to_json<'a>(cx: &mut Context<'a>, value: Value<'a>, depth: u32) -> Result<Json, Stop> {
    cx.spend(1)?;
    if depth > MAX_DEPTH {
        return cx.fail("json.marshal: the value nests too deep");
    }
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => Json::Bool(bool),
        Value::Int(int) => Json::from(int),
        Value::UInt(uint) => Json::from(uint),
        // Whole doubles are written without a point, as Go writes them.
        Value::Float(float) if float.fract() == 0.0 && float.abs() < 1e15 => Json::from(float as i64),
        Value::Float(float) => match serde_json::Number::from_f64(float) {
            Some(number) => Json::Number(number),
            None => return cx.fail(format!("json.marshal: {float} has no JSON form")),
        },
        Value::Str(text) => {
            cx.grow(text.len())?;
            Json::from(text)
        }
        Value::Bytes(bytes) => {
            cx.grow(bytes.len())?;
            Json::from(STANDARD.encode(bytes))
        }
        Value::Duration(duration) => Json::from(time::render_duration(duration)),
        value => {
            readable(cx, value)?;
            match (time::nanoseconds(value), elements(value, cx.arena), entries(value, cx.arena), value) {
                (Some(nanos), ..) => Json::from(time::render_timestamp(nanos)),
                (_, Some(items), ..) => {
                    let mut out = Vec::new();
                    for item in items {
                        cx.grow(1)?;
                        out.push(to_json(cx, item, depth + 1)?);
                    }
                    Json::Array(out)
                }
                (_, _, Some(members), _) => {
                    let mut out = std::collections::BTreeMap::new();
                    for (key, value) in members {
                        cx.grow(2)?;
                        let Value::Str(key) = key else {
                            return cx.fail(format!("json.marshal: a key of type '{}' has no JSON form", type_of(key)));
                        };
                        out.insert(key.to_owned(), to_json(cx, value, depth + 1)?);
                    }
                    Json::Object(out.into_iter().collect())
                }
                (.., Value::Opaque(opaque)) => Json::from(opaque.text()),
                _ => return cx.fail(format!("json.marshal: a value of type '{}' has no JSON form", type_of(value))),
            }
        }
    })
}

/// Numbers are doubles, as in everything that CEL takes from JSON without a schema.
pub(super) fn unmarshal<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let text = arg::read(cx, args, 0)?;
    // The parsed tree is larger than its text.
    cx.grow(text.len())?;
    match serde_json::from_str::<Json>(text) {
        Ok(json) => from_json(cx, &json),
        Err(error) => cx.fail(format!("json.unmarshal: {error}")),
    }
}

fn from_json<'a>(cx: &mut Context<'a>, json: &Json) -> Result<Value<'a>, Stop> {
    cx.spend(1)?;
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::Str(cx.arena.alloc_str(text)),
        Json::Array(items) => {
            let mut out = Vec::with_capacity(items.len());
            for item in items {
                out.push(from_json(cx, item)?);
            }
            cx.list(&out)?
        }
        Json::Object(members) => {
            let mut out = Vec::with_capacity(members.len());
            for (key, value) in members {
                out.push((Value::Str(cx.arena.alloc_str(key)), from_json(cx, value)?));
            }
            cx.map(&out)?
        }
    })
}
