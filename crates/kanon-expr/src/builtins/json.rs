//! `toJSON` and `fromJSON`.

use kanon_core::Object;
use kanon_lang::{Arena, Context, Stop, Value};

use super::{Builtin, Call, convert};
use crate::value::{MAX_VALUE_DEPTH, elements, sorted_members};

pub(super) fn call<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    if call.builtin == Builtin::FromJson {
        return from_json(cx, call);
    }
    let mut out = String::new();
    let written = write(&mut out, call.arg(0), cx.arena, 0, cx.memory_left());
    // Charged first: what was too long to write is a matter of the budget.
    let text = cx.text(&out)?;
    written.map_or_else(|problem| cx.fail(problem), |()| Ok(text))
}

fn from_json<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let text = call.text(cx, 0)?;
    cx.grow(text.len())?;
    match Object::parse(text.as_bytes().to_vec()) {
        Ok(object) => {
            let tree = object.to_value();
            Ok(from_tree(&tree, cx.arena))
        }
        Err(error) => cx.fail(error.to_string()),
    }
}

/// A parsed tree as values; Go reads every number as a double.
fn from_tree<'a>(tree: &serde_json::Value, arena: &'a Arena) -> Value<'a> {
    match tree {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::Str(arena.alloc_str(text)),
        serde_json::Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| from_tree(item, arena)).collect();
            Value::List(arena.alloc_slice_copy(&items))
        }
        serde_json::Value::Object(members) => {
            let member = |(key, item): (&String, &serde_json::Value)| {
                let key: &'a str = arena.alloc_str(key);
                (Value::Str(key), from_tree(item, arena))
            };
            let members: Vec<_> = members.iter().map(member).collect();
            Value::Map(arena.alloc_slice_copy(&members))
        }
    }
}

/// Two blanks a level, keys sorted, as the original's `toJSON` lays it out.
fn write<'a>(out: &mut String, value: Value<'a>, arena: &'a Arena, depth: usize, max: usize) -> Result<(), String> {
    if depth > MAX_VALUE_DEPTH || out.len() > max {
        return Err("json: the value is nested too deep".to_owned());
    }
    match value {
        Value::Float(float) if !float.is_finite() => {
            return Err(format!("json: unsupported value: {}", convert::go_float(float, 21)));
        }
        Value::Float(float) => out.push_str(&number(float)),
        Value::Str(text) => quote(out, text),
        Value::Opaque(opaque) => quote(out, &opaque.text()),
        Value::Duration(duration) => out.push_str(&duration.as_nanos().to_string()),
        Value::List(_) | Value::Node(_) | Value::Map(_) | Value::Record(_) => {
            return container(out, value, arena, depth, max);
        }
        Value::Null
        | Value::Optional(_)
        | Value::Type(_)
        | Value::NilList
        | Value::NilMap
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Bytes(_)
        | Value::Time(_) => out.push_str(&value.to_json(arena).to_string()),
    }
    Ok(())
}

fn container<'a>(out: &mut String, value: Value<'a>, arena: &'a Arena, depth: usize, max: usize) -> Result<(), String> {
    let line = |out: &mut String, at: usize, depth: usize| {
        out.push_str(if at == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth));
    };
    let (open, close, empty) = if let Some(items) = elements(value, arena) {
        out.push('[');
        for (at, item) in items.iter().enumerate() {
            line(out, at, depth + 1);
            write(out, *item, arena, depth + 1, max)?;
        }
        ('[', ']', items.is_empty())
    } else {
        let mut members = sorted_members(value, arena).unwrap_or_default();
        for (key, _) in &mut members {
            match key {
                Value::Str(_) => {}
                Value::Int(_) | Value::UInt(_) => *key = Value::Str(arena.alloc_str(&convert::shown(*key, arena))),
                _ => return Err("json: unsupported type: map[interface {}]interface {}".to_owned()),
            }
        }
        out.push('{');
        for (at, (key, item)) in members.iter().enumerate() {
            line(out, at, depth + 1);
            if let Value::Str(key) = key {
                quote(out, key);
            }
            out.push_str(": ");
            write(out, *item, arena, depth + 1, max)?;
        }
        ('{', '}', members.is_empty())
    };
    debug_assert!(out.contains(open));
    if !empty {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push(close);
    Ok(())
}

/// Go's JSON text of a double: an exponent below 1e-6 and from 1e21 on, without a leading zero.
fn number(float: f64) -> String {
    let size = float.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return format!("{float}");
    }
    let text = format!("{float:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

/// Go also escapes what HTML gives a meaning.
fn quote(out: &mut String, text: &str) {
    let quoted = serde_json::Value::from(text).to_string();
    for c in quoted.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}
