//! The string extension. Positions count characters, not bytes.

use kanon_lang::{Context, Function, Stop, Type, Value};

use super::arguments as arg;
use crate::values::no_overload;

pub(super) fn functions() -> Vec<Function> {
    use Type::{Int, String as Text};
    let texts = || Type::list(Text);
    vec![
        Function::method("charAt", [Text, Int], Text, char_at),
        Function::method("indexOf", [Text, Text], Int, index_of),
        Function::method("indexOf", [Text, Text, Int], Int, index_of),
        Function::method("lastIndexOf", [Text, Text], Int, last_index_of),
        Function::method("lastIndexOf", [Text, Text, Int], Int, last_index_of),
        Function::method("lowerAscii", [Text], Text, |cx, args| {
            let text = arg::read(cx, args, 0)?;
            cx.text(&text.to_ascii_lowercase())
        }),
        Function::method("upperAscii", [Text], Text, |cx, args| {
            let text = arg::read(cx, args, 0)?;
            cx.text(&text.to_ascii_uppercase())
        }),
        Function::method("replace", [Text, Text, Text], Text, replace),
        Function::method("replace", [Text, Text, Text, Int], Text, replace),
        Function::method("split", [Text, Text], texts(), split),
        Function::method("split", [Text, Text, Int], texts(), split),
        Function::method("substring", [Text, Int], Text, substring),
        Function::method("substring", [Text, Int, Int], Text, substring),
        Function::method("trim", [Text], Text, |cx, args| Ok(Value::Str(arg::read(cx, args, 0)?.trim()))),
        Function::method("join", [texts()], Text, join),
        Function::method("join", [texts(), Text], Text, join),
        Function::method("reverse", [Text], Text, |cx, args| {
            let text = arg::read(cx, args, 0)?;
            cx.text(&text.chars().rev().collect::<String>())
        }),
        Function::free("strings.quote", [Text], Text, |cx, args| {
            let text = arg::read(cx, args, 0)?;
            cx.text(&quote(text))
        }),
    ]
}

#[cold]
fn out_of_range<T>(cx: &mut Context<'_>, at: i64) -> Result<T, Stop> {
    cx.fail(format!("index out of range: {at}"))
}

/// The byte at which character `at` begins; the end of the text where `at` is their number.
fn byte_of(text: &str, at: i64) -> Option<usize> {
    let at = usize::try_from(at).ok()?;
    if text.is_ascii() {
        return (at <= text.len()).then_some(at);
    }
    text.char_indices().map(|(byte, _)| byte).chain([text.len()]).nth(at)
}

/// How many characters lie before a byte.
fn chars_before(text: &str, byte: usize) -> i64 {
    text[..byte].chars().count() as i64
}

fn char_at<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, at) = (arg::read(cx, args, 0)?, arg::int(cx, args, 1)?);
    match byte_of(text, at) {
        Some(start) => {
            let len = text[start..].chars().next().map_or(0, char::len_utf8);
            Ok(Value::Str(&text[start..start + len]))
        }
        None => out_of_range(cx, at),
    }
}

fn index_of<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, part) = (arg::read(cx, args, 0)?, arg::read(cx, args, 1)?);
    let from = if args.len() > 2 { arg::int(cx, args, 2)? } else { 0 };
    let Some(start) = byte_of(text, from) else {
        return out_of_range(cx, from);
    };
    let found = text[start..].find(part);
    Ok(Value::Int(found.map_or(-1, |at| chars_before(text, start + at))))
}

fn last_index_of<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, part) = (arg::read(cx, args, 0)?, arg::read(cx, args, 1)?);
    let end = if args.len() > 2 {
        let last = arg::int(cx, args, 2)?;
        let Some(start) = byte_of(text, last) else {
            return out_of_range(cx, last);
        };
        // What is found must begin at `last` or before: it ends `part` later at most.
        let end = start.saturating_add(part.len()).min(text.len());
        (0..=end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
    } else {
        text.len()
    };
    Ok(Value::Int(text[..end].rfind(part).map_or(-1, |at| chars_before(text, at))))
}

fn replace<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, old, new) = (arg::read(cx, args, 0)?, arg::text(cx, args, 1)?, arg::text(cx, args, 2)?);
    let count = if args.len() > 3 { arg::int(cx, args, 3)? } else { -1 };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    // The result's size is known before it is made.
    let found = text.matches(old).count().min(count);
    cx.spend(found as u64)?;
    cx.grow((text.len() + found.saturating_mul(new.len())).saturating_sub(found.saturating_mul(old.len())))?;
    Ok(Value::Str(cx.arena.alloc_str(&text.replacen(old, new, count))))
}

fn split<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, separator) = (arg::read(cx, args, 0)?, arg::text(cx, args, 1)?);
    let count = if args.len() > 2 { arg::int(cx, args, 2)? } else { -1 };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut parts: Vec<Value<'a>> = Vec::new();
    if count == 0 {
        return cx.list(&parts);
    }
    if separator.is_empty() {
        // Every character is a part; the last one keeps the rest.
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let len = if parts.len() + 1 == count { rest.len() } else { first.len_utf8() };
            parts.push(Value::Str(&rest[..len]));
            rest = &rest[len..];
        }
    } else {
        parts.extend(text.splitn(count, separator).map(Value::Str));
    }
    cx.spend(parts.len() as u64)?;
    cx.list(&parts)
}

fn substring<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, start) = (arg::read(cx, args, 0)?, arg::int(cx, args, 1)?);
    let end = if args.len() > 2 { Some(arg::int(cx, args, 2)?) } else { None };
    if let Some(end) = end
        && start > end
    {
        return cx.fail(format!("invalid substring range. start: {start}, end: {end}"));
    }
    let Some(from) = byte_of(text, start) else {
        return out_of_range(cx, start);
    };
    let to = match end {
        Some(end) => match byte_of(text, end) {
            Some(to) => to,
            None => return out_of_range(cx, end),
        },
        None => text.len(),
    };
    Ok(Value::Str(&text[from..to]))
}

fn join<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let separator = if args.len() > 1 { arg::text(cx, args, 1)? } else { "" };
    let mut out = String::new();
    for (at, item) in arg::list(cx, args, 0)?.enumerate() {
        let Value::Str(item) = item else {
            return no_overload(cx);
        };
        let separator = if at == 0 { "" } else { separator };
        cx.grow(separator.len() + item.len())?;
        out.push_str(separator);
        out.push_str(item);
    }
    cx.spend(out.len() as u64 / 16)?;
    Ok(Value::Str(cx.arena.alloc_str(&out)))
}

/// The text as a literal of CEL, with the escapes that CEL has by name.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}
