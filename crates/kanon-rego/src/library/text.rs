//! Text: templates' values, counting, identifiers, YAML.

use std::fmt::Write as _;

use regorus::Value;
use serde_json::Value as Json;

use super::{State, operand, text, type_name, wrong};

/// The parts of a template: text, and sets of the values of its expressions.
pub(super) fn template_string(_: &State, args: &[Value]) -> Result<Value, String> {
    let Value::Array(parts) = operand(args, 0) else { return Err(wrong(0, "array", operand(args, 0))) };
    let mut out = String::new();
    for part in parts.iter() {
        match part {
            Value::String(text) => out.push_str(text),
            Value::Set(values) => {
                let mut values = values.iter();
                match (values.next(), values.next()) {
                    (None, _) => out.push_str("<undefined>"),
                    (Some(value), None) => show(value, &mut out, true),
                    (Some(_), Some(_)) => return Err("template-strings must not produce multiple outputs".to_owned()),
                }
            }
            other => return Err(format!("template parts must be text or sets, not {}", type_name(other))),
        }
    }
    Ok(Value::from(out))
}

/// A value as `print` and templates show it: text at the top without quotes.
pub(super) fn show(value: &Value, out: &mut String, top: bool) {
    let separated = |out: &mut String, open: &str, items: &mut dyn Iterator<Item = &Value>, close: &str| {
        out.push_str(open);
        for (at, item) in items.enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            show(item, out, false);
        }
        out.push_str(close);
    };
    match value {
        Value::String(text) if top => out.push_str(text),
        Value::String(text) => out.push_str(&Json::from(text.as_ref()).to_string()),
        Value::Array(items) => separated(out, "[", &mut items.iter(), "]"),
        Value::Set(items) if items.is_empty() => out.push_str("set()"),
        Value::Set(items) => separated(out, "{", &mut items.iter(), "}"),
        Value::Object(members) => {
            out.push('{');
            for (at, (key, item)) in members.iter_sorted().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                show(key, out, false);
                out.push_str(": ");
                show(item, out, false);
            }
            out.push('}');
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// False for what is not text, which the interpreter's own takes for an error.
pub(super) fn json_is_valid(_: &State, args: &[Value]) -> Result<Value, String> {
    let valid = |text: &str| serde_json::from_str::<Json>(text).is_ok();
    Ok(Value::from(matches!(operand(args, 0), Value::String(text) if valid(text))))
}

/// The interpreter's own panics on an empty needle.
pub(super) fn count(_: &State, args: &[Value]) -> Result<Value, String> {
    let (hay, needle) = (text(args, 0)?, text(args, 1)?);
    let count = if needle.is_empty() { hay.chars().count() + 1 } else { hay.matches(needle).count() };
    Ok(Value::from(count))
}

/// A UUID's fields.
pub(super) fn uuid_parse(_: &State, args: &[Value]) -> Result<Value, String> {
    let given = text(args, 0)?;
    let inner = given.strip_prefix("urn:uuid:").unwrap_or(given);
    let inner = inner.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(inner);
    let digits: String = inner.chars().filter(|c| *c != '-').collect();
    let dashed = inner.len() == 36 && [8, 13, 18, 23].iter().all(|at| inner.as_bytes().get(*at) == Some(&b'-'));
    if digits.len() != 32 || !(dashed || inner.len() == 32) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("invalid UUID".to_owned());
    }
    let number =
        |from: usize, to: usize| u64::from_str_radix(digits.get(from..to).unwrap_or_default(), 16).unwrap_or(0);
    let version = number(12, 13);
    let variant = match number(16, 17) {
        0..8 => "Reserved",
        8..12 => "RFC4122",
        12..14 => "Microsoft",
        _ => "Future",
    };
    let mut out = serde_json::Map::new();
    out.insert("version".to_owned(), version.into());
    out.insert("variant".to_owned(), variant.into());
    if matches!(version, 1 | 2) {
        let octets: Vec<String> =
            (0..6).map(|at| digits.get(20 + at * 2..22 + at * 2).unwrap_or_default().to_lowercase()).collect();
        let bits = |value: u64| (1 - (value & 1) as i64, value);
        let first = number(20, 22);
        let local = if first & 2 == 2 { "local" } else { "global" };
        let cast = if bits(first).0 == 0 { "multicast" } else { "unicast" };
        out.insert("nodeid".to_owned(), octets.join("-").into());
        out.insert("macvariables".to_owned(), format!("{local}:{cast}").into());
        out.insert("clocksequence".to_owned(), (number(16, 20) & 0x3fff).into());
        if version == 1 {
            // 100 ns since 1582-10-15; the epoch is 122192928000000000 of them later.
            let ticks = (i128::from(number(12, 16) & 0x0fff) << 48)
                | i128::from(number(8, 12)) << 32
                | i128::from(number(0, 8));
            let nanos = (ticks - 122_192_928_000_000_000) * 100;
            out.insert("time".to_owned(), i64::try_from(nanos).unwrap_or(i64::MAX).into());
        } else {
            out.insert("id".to_owned(), number(0, 8).into());
            let domain = match number(18, 20) {
                0 => "Person".to_owned(),
                1 => "Group".to_owned(),
                2 => "Org".to_owned(),
                other => format!("Domain{other}"),
            };
            out.insert("domain".to_owned(), domain.into());
        }
    }
    Ok(Value::from(Json::Object(out)))
}

pub(super) fn yaml_is_valid(_: &State, args: &[Value]) -> Result<Value, String> {
    let valid = |text: &str| serde_saphyr::from_str::<Json>(text).is_ok();
    Ok(Value::from(matches!(operand(args, 0), Value::String(text) if valid(text))))
}

pub(super) fn yaml_unmarshal(_: &State, args: &[Value]) -> Result<Value, String> {
    let value: Json = serde_saphyr::from_str(text(args, 0)?).map_err(|error| error.to_string())?;
    Ok(Value::from(value))
}

pub(super) fn yaml_marshal(_: &State, args: &[Value]) -> Result<Value, String> {
    let json = operand(args, 0).to_json_str().map_err(|error| error.to_string())?;
    let json: Json = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    serde_saphyr::to_string(&json).map(Value::from).map_err(|error| error.to_string())
}
