//! Values as plain JSON.

use std::cell::Cell;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value as Json, json};

use super::Value;
use crate::language::Arena;

/// How deep values are followed: what an expression wraps again and again is cut to null beyond. JSON texts, which
/// nest to 127, are not concerned.
const MAX_DEPTH: usize = 256;

/// How many values are rendered at most: one list may stand in a value many times over.
const MAX_VALUES: u32 = 200_000;

/// See [`Value::to_json`].
pub(super) fn render<'a>(value: Value<'a>, arena: &'a Arena) -> Json {
    render_at(value, arena, 0, &Cell::new(MAX_VALUES))
}

fn render_at<'a>(value: Value<'a>, arena: &'a Arena, depth: usize, left: &Cell<u32>) -> Json {
    left.set(left.get().saturating_sub(1));
    match value {
        _ if depth > MAX_DEPTH || left.get() == 0 => Json::Null,
        Value::Null | Value::NilList | Value::NilMap => Json::Null,
        Value::Bool(bool) => json!(bool),
        Value::Int(int) => json!(int),
        Value::UInt(uint) => json!(uint),
        Value::Float(float) if float.is_nan() => json!("NaN"),
        Value::Float(float) if float.is_infinite() => json!(if float > 0.0 { "+Inf" } else { "-Inf" }),
        Value::Float(float) => json!(float),
        Value::Str(text) => json!(text),
        Value::Bytes(bytes) => json!(STANDARD.encode(bytes)),
        Value::Time(time) => json!(time.to_string()),
        Value::Duration(duration) => json!(go_duration(duration.as_nanos())),
        Value::Node(node) => node.to_value(),
        Value::List(items) => items.iter().map(|item| render_at(*item, arena, depth + 1, left)).collect(),
        Value::Map(members) => Json::Object(
            members.iter().map(|(key, value)| (key_text(*key), render_at(*value, arena, depth + 1, left))).collect(),
        ),
        Value::Record(record) => {
            let member = |name: &&str| {
                let value = record.get(name, arena).unwrap_or(Value::Null);
                ((*name).to_owned(), render_at(value, arena, depth + 1, left))
            };
            Json::Object(record.names().iter().map(member).collect::<Map<_, _>>())
        }
        Value::Optional(value) => value.map_or(Json::Null, |value| render_at(*value, arena, depth + 1, left)),
        Value::Type(name) => json!(name),
        Value::Opaque(opaque) => match opaque.plain() {
            Some(Value::Float(float)) if opaque.problem().is_none() && float.is_finite() => json!(float),
            _ => json!(opaque.text()),
        },
    }
}

fn key_text(key: Value<'_>) -> String {
    match key {
        Value::Str(text) => text.to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::UInt(uint) => uint.to_string(),
        Value::Float(float) => float.to_string(),
        Value::Null
        | Value::NilList
        | Value::NilMap
        | Value::Bytes(_)
        | Value::Time(_)
        | Value::Duration(_)
        | Value::Node(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Record(_)
        | Value::Optional(_)
        | Value::Type(_)
        | Value::Opaque(_) => render(key, &Arena::new()).to_string(),
    }
}

/// Go's `time.Duration.String`: `1h2m3.5s`, `1.5ms`, `0s`.
fn go_duration(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let decimal = |unit: u128| {
        let (whole, rest) = (nanos / unit, nanos % unit);
        let digits = unit.ilog10() as usize;
        let rest = format!("{rest:0digits$}");
        let rest = rest.trim_end_matches('0');
        if rest.is_empty() || unit == 1 { whole.to_string() } else { format!("{whole}.{rest}") }
    };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{}ns", decimal(1)),
        1_000..1_000_000 => format!("{sign}{}µs", decimal(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(1_000_000)),
        _ => {
            let seconds = nanos / 1_000_000_000;
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let below = decimal(1_000_000_000);
            let rest = below.split_once('.').map_or(String::new(), |(_, rest)| format!(".{rest}"));
            let mut out = sign.to_owned();
            if hours > 0 {
                out += &format!("{hours}h");
            }
            if seconds >= 60 {
                out += &format!("{minutes}m");
            }
            out + &format!("{}{rest}s", seconds % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_render_as_plain_json() {
        let arena = Arena::new();
        let cases = [
            (Value::Float(f64::NEG_INFINITY), json!("-Inf")),
            (Value::UInt(u64::MAX), json!(u64::MAX)),
            (Value::Bytes(b"ab"), json!("YWI=")),
            (Value::Bytes(b"abcd"), json!("YWJjZA==")),
            (Value::Duration(jiff::SignedDuration::from_millis(5_400_500)), json!("1h30m0.5s")),
            (Value::Duration(jiff::SignedDuration::from_micros(1_500)), json!("1.5ms")),
            (Value::Map(&[(Value::Int(1), Value::List(&[Value::NilMap]))]), json!({"1": [null]})),
        ];
        for (value, want) in cases {
            assert_eq!(value.to_json(&arena), want);
        }
    }
}
