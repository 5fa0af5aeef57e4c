//! Built-ins on text.

use kanon_lang::{Context, Stop, Value};

use super::{Builtin, Call};
use crate::value::type_name;

pub(super) fn call<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    if call.builtin == Builtin::Join {
        return join(cx, call);
    }
    let text = call.text(cx, 0)?;
    cx.spend(text.len() as u64 / 16)?;
    Ok(match call.builtin {
        Builtin::HasPrefix => Value::Bool(text.starts_with(call.text(cx, 1)?)),
        Builtin::HasSuffix => Value::Bool(text.ends_with(call.text(cx, 1)?)),
        Builtin::IndexOf => position(text.find(call.text(cx, 1)?)),
        Builtin::LastIndexOf => position(text.rfind(call.text(cx, 1)?)),
        Builtin::Lower => return cx.text(&text.to_lowercase()),
        Builtin::Upper => return cx.text(&text.to_uppercase()),
        Builtin::Trim => match call.args.len() {
            1 => Value::Str(text.trim()),
            _ => {
                let chars = call.text(cx, 1)?;
                Value::Str(text.trim_matches(|c| chars.contains(c)))
            }
        },
        Builtin::TrimPrefix => {
            let prefix = optional(cx, call, " ")?;
            Value::Str(text.strip_prefix(prefix).unwrap_or(text))
        }
        Builtin::TrimSuffix => {
            let suffix = optional(cx, call, " ")?;
            Value::Str(text.strip_suffix(suffix).unwrap_or(text))
        }
        Builtin::Repeat => return repeat(cx, call, text),
        Builtin::Replace => return replace(cx, call, text),
        _ => return split(cx, call, text),
    })
}

fn position<'a>(found: Option<usize>) -> Value<'a> {
    Value::Int(found.map_or(-1, |at| at as i64))
}

fn optional<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>, default: &'static str) -> Result<&'a str, Stop> {
    if call.args.len() < 2 { Ok(default) } else { call.text(cx, 1) }
}

fn join<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let items = call.list(cx, 0)?;
    let separator = optional(cx, call, "")?;
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        let Value::Str(text) = item else {
            let message = format!("invalid argument for join (type {})", type_name(*item));
            return cx.fail(message);
        };
        let separator = if at == 0 { "" } else { separator };
        cx.grow(separator.len() + text.len())?;
        out.push_str(separator);
        out.push_str(text);
    }
    Ok(Value::Str(cx.arena.alloc_str(&out)))
}

fn repeat<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>, text: &str) -> Result<Value<'a>, Stop> {
    let count = call.integer(cx, 1)?;
    let Ok(count) = usize::try_from(count) else {
        return cx.fail(format!("invalid argument for repeat (expected positive integer, got {count})"));
    };
    cx.grow(text.len().saturating_mul(count).max(count))?;
    Ok(Value::Str(cx.arena.alloc_str(&text.repeat(count))))
}

fn replace<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>, text: &str) -> Result<Value<'a>, Stop> {
    let (old, new) = (call.text(cx, 1)?, call.text(cx, 2)?);
    let limit = if call.args.len() > 3 { call.integer(cx, 3)? } else { -1 };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let hits = text.matches(old).take(limit).count();
    cx.grow(text.len().saturating_add(hits.saturating_mul(new.len())))?;
    let out = text.replacen(old, new, limit);
    Ok(Value::Str(cx.arena.alloc_str(&out)))
}

fn split<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>, text: &'a str) -> Result<Value<'a>, Stop> {
    let separator = call.text(cx, 1)?;
    let limit = if call.args.len() > 2 { call.integer(cx, 2)? } else { -1 };
    if limit == 0 {
        return Ok(Value::NilList);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let keep = if call.builtin == Builtin::SplitAfter { separator.len() } else { 0 };
    let mut parts = Vec::new();
    let mut rest = text;
    while parts.len() + 1 < limit {
        // An empty separator cuts between characters, and not at the ends.
        let (at, width) = match separator.is_empty() {
            true => (rest.chars().next().map_or(0, char::len_utf8), 0),
            false => match rest.find(separator) {
                Some(at) => (at, separator.len()),
                None => break,
            },
        };
        if separator.is_empty() && at >= rest.len() {
            break;
        }
        parts.push(Value::Str(&rest[..at + keep]));
        rest = &rest[at + width..];
    }
    if !(separator.is_empty() && text.is_empty()) {
        parts.push(Value::Str(rest));
    }
    cx.list(&parts)
}
