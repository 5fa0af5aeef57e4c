//! `text.format(list)`: clauses `%s %d %f %e %b %x %X %o`, `%.3f`, `%%`.

use std::fmt::Write as _;

use kanon_lang::{Context, Function, Stop, Type, Value};

use super::arguments as arg;
use crate::values::{MAX_DEPTH, elements, entries, readable, time, type_of};

/// Digits after the point where a clause does not say how many, and the most it may say.
const PRECISION: usize = 6;
const MAX_PRECISION: usize = 1000;

pub(super) fn functions() -> Vec<Function> {
    vec![Function::method("format", [Type::String, Type::list(Type::Dyn)], Type::String, format)]
}

fn format<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let mut rest = arg::read(cx, args, 0)?;
    let values = arg::slice(cx, args, 1)?;
    let mut out = String::new();
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        push(cx, &mut out, &rest[..at])?;
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            push(cx, &mut out, "%")?;
            rest = after;
            continue;
        }
        let Some(value) = values.get(next) else {
            return cx.fail(format!("index {next} out of range"));
        };
        next += 1;
        let precision = match rest.strip_prefix('.') {
            Some(after) => {
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                rest = &after[digits..];
                if rest.is_empty() {
                    return cx.fail(
                        "could not parse formatting clause: error while parsing precision: could not find end of precision \
                         specifier",
                    );
                }
                match after[..digits].parse::<usize>() {
                    Ok(precision) if precision <= MAX_PRECISION => precision,
                    _ => {
                        return cx.fail(format!(
                            "could not parse formatting clause: error while parsing precision: precision `{}` is not a \
                             number up to {MAX_PRECISION}",
                            &after[..digits]
                        ));
                    }
                }
            }
            None => PRECISION,
        };
        let Some(clause) = rest.chars().next() else {
            return cx.fail("unexpected end of string");
        };
        rest = &rest[clause.len_utf8()..];
        one(cx, &mut out, clause, precision, *value)?;
    }
    push(cx, &mut out, rest)?;
    Ok(Value::Str(cx.arena.alloc_str(&out)))
}

/// All text goes through here, so that none is made that the budget does not have.
fn push(cx: &mut Context<'_>, out: &mut String, text: &str) -> Result<(), Stop> {
    cx.spend(1 + text.len() as u64 / 16)?;
    cx.grow(text.len())?;
    out.push_str(text);
    Ok(())
}

fn one<'a>(
    cx: &mut Context<'a>,
    out: &mut String,
    clause: char,
    precision: usize,
    value: Value<'a>,
) -> Result<(), Stop> {
    let text = match (clause, value) {
        ('s', value) => return text_of(cx, out, value, 0),
        ('d' | 'f' | 'e', Value::Float(float)) if !float.is_finite() => special(float).to_owned(),
        ('d', Value::Int(int)) => int.to_string(),
        ('d', Value::UInt(uint)) => uint.to_string(),
        ('d', Value::Float(float)) => float.to_string(),
        ('f', Value::Int(int)) => format!("{:.precision$}", int as f64),
        ('f', Value::UInt(uint)) => format!("{:.precision$}", uint as f64),
        ('f', Value::Float(float)) => format!("{float:.precision$}"),
        ('e', Value::Int(int)) => scientific(int as f64, precision),
        ('e', Value::UInt(uint)) => scientific(uint as f64, precision),
        ('e', Value::Float(float)) => scientific(float, precision),
        ('b', Value::Bool(bool)) => u8::from(bool).to_string(),
        ('b', Value::Int(int)) => signed(int, |it| format!("{it:b}")),
        ('b', Value::UInt(uint)) => format!("{uint:b}"),
        ('x', Value::Int(int)) => signed(int, |it| format!("{it:x}")),
        ('X', Value::Int(int)) => signed(int, |it| format!("{it:X}")),
        ('x', Value::UInt(uint)) => format!("{uint:x}"),
        ('X', Value::UInt(uint)) => format!("{uint:X}"),
        ('x', Value::Str(text)) => hex(cx, text.as_bytes(), false)?,
        ('X', Value::Str(text)) => hex(cx, text.as_bytes(), true)?,
        ('x', Value::Bytes(bytes)) => hex(cx, bytes, false)?,
        ('X', Value::Bytes(bytes)) => hex(cx, bytes, true)?,
        ('o', Value::Int(int)) => signed(int, |it| format!("{it:o}")),
        ('o', Value::UInt(uint)) => format!("{uint:o}"),
        (clause, value) => return refused(cx, clause, value),
    };
    push(cx, out, &text)
}

#[cold]
fn refused<T>(cx: &mut Context<'_>, clause: char, value: Value<'_>) -> Result<T, Stop> {
    let rule = match clause {
        'd' => "decimal clause can only be used on ints, uints, and doubles",
        'f' => "fixed-point clause can only be used on ints, uints, and doubles",
        'e' => "scientific clause can only be used on ints, uints, and doubles",
        'b' => "only ints, uints, and bools can be formatted as binary",
        'x' | 'X' => "only ints, uints, bytes, and strings can be formatted as hex",
        'o' => "octal clause can only be used on ints and uints",
        's' => {
            "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and \
             timestamps"
        }
        clause => {
            return cx.fail(format!("could not parse formatting clause: unrecognized formatting clause \"{clause}\""));
        }
    };
    cx.fail(format!("error during formatting: {rule}, was given {}", type_of(value)))
}

fn text_of<'a>(cx: &mut Context<'a>, out: &mut String, value: Value<'a>, depth: u32) -> Result<(), Stop> {
    if depth > MAX_DEPTH {
        return cx.fail("error during formatting: the value nests too deep");
    }
    let text = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::UInt(uint) => uint.to_string(),
        Value::Float(float) if !float.is_finite() => special(float).to_owned(),
        Value::Float(float) => float.to_string(),
        Value::Str(text) => return push(cx, out, text),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Duration(duration) => time::render_duration(duration),
        Value::Type(name) => name.to_owned(),
        value => match (time::nanoseconds(value), elements(value, cx.arena), entries(value, cx.arena)) {
            (Some(nanos), _, _) => time::render_timestamp(nanos),
            (_, Some(items), _) => {
                push(cx, out, "[")?;
                for (at, item) in items.enumerate() {
                    push(cx, out, if at == 0 { "" } else { ", " })?;
                    text_of(cx, out, item, depth + 1)?;
                }
                "]".to_owned()
            }
            (_, _, Some(members)) => {
                readable(cx, value)?;
                let mut lines = Vec::new();
                for (key, value) in members {
                    let (mut name, mut text) = (String::new(), String::new());
                    text_of(cx, &mut name, key, depth + 1)?;
                    text_of(cx, &mut text, value, depth + 1)?;
                    lines.push((name, text));
                }
                lines.sort_by(|a, b| a.0.cmp(&b.0));
                let lines: Vec<String> = lines.iter().map(|(name, text)| format!("{name}: {text}")).collect();
                format!("{{{}}}", lines.join(", "))
            }
            _ => return refused(cx, 's', value),
        },
    };
    push(cx, out, &text)
}

fn special(float: f64) -> &'static str {
    if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// Two digits of exponent at least, always with a sign.
fn scientific(float: f64, precision: usize) -> String {
    let text = format!("{float:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |it| ('-', it));
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn signed(int: i64, render: fn(u64) -> String) -> String {
    let sign = if int < 0 { "-" } else { "" };
    format!("{sign}{}", render(int.unsigned_abs()))
}

fn hex(cx: &mut Context<'_>, bytes: &[u8], upper: bool) -> Result<String, Stop> {
    cx.grow(bytes.len())?;
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = if upper { write!(out, "{byte:02X}") } else { write!(out, "{byte:02x}") };
    }
    Ok(out)
}
