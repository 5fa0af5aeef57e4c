//! Built-ins on text.

use kanon_lang::Value;

use super::{Builtin, Call};
use crate::{
    eval::{Machine, Outcome},
    value::type_name,
};

pub(super) fn call<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    if call.builtin == Builtin::Join {
        return join(machine, call);
    }
    let text = call.text(machine, 0)?;
    machine.spend(text.len() as u64 / 16)?;
    Ok(match call.builtin {
        Builtin::HasPrefix => Value::Bool(text.starts_with(call.text(machine, 1)?)),
        Builtin::HasSuffix => Value::Bool(text.ends_with(call.text(machine, 1)?)),
        Builtin::IndexOf => position(text.find(call.text(machine, 1)?)),
        Builtin::LastIndexOf => position(text.rfind(call.text(machine, 1)?)),
        Builtin::Lower => return machine.text(&text.to_lowercase()),
        Builtin::Upper => return machine.text(&text.to_uppercase()),
        Builtin::Trim => match call.args.len() {
            1 => Value::Str(text.trim()),
            _ => {
                let chars = call.text(machine, 1)?;
                Value::Str(text.trim_matches(|c| chars.contains(c)))
            }
        },
        Builtin::TrimPrefix => {
            let prefix = optional(machine, call, " ")?;
            Value::Str(text.strip_prefix(prefix).unwrap_or(text))
        }
        Builtin::TrimSuffix => {
            let suffix = optional(machine, call, " ")?;
            Value::Str(text.strip_suffix(suffix).unwrap_or(text))
        }
        Builtin::Repeat => return repeat(machine, call, text),
        Builtin::Replace => return replace(machine, call, text),
        _ => return split(machine, call, text),
    })
}

fn position<'a>(found: Option<usize>) -> Value<'a> {
    Value::Int(found.map_or(-1, |at| at as i64))
}

fn optional<'a>(machine: &Machine<'a>, call: Call<'a>, default: &'static str) -> Outcome<&'a str> {
    if call.args.len() < 2 { Ok(default) } else { call.text(machine, 1) }
}

fn join<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    let items = call.list(machine, 0)?;
    let separator = optional(machine, call, "")?;
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        let Value::Str(text) = item else {
            let message = format!("invalid argument for join (type {})", type_name(*item));
            return call.fail(machine, message);
        };
        let separator = if at == 0 { "" } else { separator };
        machine.grow(separator.len() + text.len())?;
        out.push_str(separator);
        out.push_str(text);
    }
    Ok(Value::Str(machine.arena.alloc_str(&out)))
}

fn repeat<'a>(machine: &mut Machine<'a>, call: Call<'a>, text: &str) -> Outcome<Value<'a>> {
    let count = call.integer(machine, 1)?;
    let Ok(count) = usize::try_from(count) else {
        return call.fail(machine, format!("invalid argument for repeat (expected positive integer, got {count})"));
    };
    machine.grow(text.len().saturating_mul(count).max(count))?;
    Ok(Value::Str(machine.arena.alloc_str(&text.repeat(count))))
}

fn replace<'a>(machine: &mut Machine<'a>, call: Call<'a>, text: &str) -> Outcome<Value<'a>> {
    let (old, new) = (call.text(machine, 1)?, call.text(machine, 2)?);
    let limit = if call.args.len() > 3 { call.integer(machine, 3)? } else { -1 };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let hits = text.matches(old).take(limit).count();
    machine.grow(text.len().saturating_add(hits.saturating_mul(new.len())))?;
    let out = text.replacen(old, new, limit);
    Ok(Value::Str(machine.arena.alloc_str(&out)))
}

fn split<'a>(machine: &mut Machine<'a>, call: Call<'a>, text: &'a str) -> Outcome<Value<'a>> {
    let separator = call.text(machine, 1)?;
    let limit = if call.args.len() > 2 { call.integer(machine, 2)? } else { -1 };
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
    machine.list(&parts)
}
