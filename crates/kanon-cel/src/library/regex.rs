//! The regex extension: `regex.extract`, `regex.extractAll`, `regex.replace`.

use kanon_lang::{Context, Function, Stop, Type, Value};
use regex::Regex;

use super::{arguments as arg, pattern};

pub(super) fn functions() -> Vec<Function> {
    use Type::{Int, String as Text};
    vec![
        Function::free("regex.extract", [Text, Text], Type::optional(Text), extract),
        Function::free("regex.extractAll", [Text, Text], Type::list(Text), extract_all),
        Function::free("regex.replace", [Text, Text, Text], Text, replace),
        Function::free("regex.replace", [Text, Text, Text, Int], Text, replace),
    ]
}

/// The pattern, which has at most one group, and the number of the group that is wanted.
fn one_group(cx: &mut Context<'_>, text: &str, pattern: &str) -> Result<(Regex, usize), Stop> {
    let regex = pattern::compiled(cx, pattern, text)?;
    match regex.captures_len() - 1 {
        groups @ (0 | 1) => Ok((regex, groups)),
        _ => cx.fail(format!("regular expression has more than one capturing group: {pattern:?}")),
    }
}

fn extract<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, pattern) = (arg::text(cx, args, 0)?, arg::text(cx, args, 1)?);
    let (regex, group) = one_group(cx, text, pattern)?;
    let found = regex.captures(text).and_then(|it| it.get(group)).map(|it| it.as_str());
    match found {
        // A group that took no part is not there.
        Some(found) if group == 0 || !found.is_empty() => arg::some(cx, Value::Str(found)),
        _ => Ok(Value::Optional(None)),
    }
}

fn extract_all<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, pattern) = (arg::text(cx, args, 0)?, arg::text(cx, args, 1)?);
    let (regex, group) = one_group(cx, text, pattern)?;
    let mut out = Vec::new();
    for found in regex.captures_iter(text) {
        cx.spend(4)?;
        let found = found.get(group).map_or("", |it| it.as_str());
        if group == 0 || !found.is_empty() {
            out.push(Value::Str(found));
        }
    }
    cx.list(&out)
}

/// A piece of a replacement.
enum Piece<'r> {
    Text(&'r str),
    Group(usize),
}

fn replace<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, pattern) = (arg::text(cx, args, 0)?, arg::text(cx, args, 1)?);
    let replacement = arg::read(cx, args, 2)?;
    let count = if args.len() > 3 { arg::int(cx, args, 3)? } else { -1 };
    let regex = pattern::compiled(cx, pattern, text)?;
    let pieces = match pieces(replacement, regex.captures_len() - 1) {
        Ok(pieces) => pieces,
        Err(problem) => return cx.fail(format!("invalid replacement string: {replacement:?} {problem}")),
    };
    let mut out = String::new();
    let mut last = 0;
    for found in regex.captures_iter(text).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let Some(whole) = found.get(0) else { break };
        let before = out.len();
        out.push_str(&text[last..whole.start()]);
        for piece in &pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(group) => out.push_str(found.get(*group).map_or("", |it| it.as_str())),
            }
        }
        last = whole.end();
        cx.spend(4 + pieces.len() as u64)?;
        cx.grow(out.len() - before)?;
    }
    out.push_str(&text[last..]);
    cx.text(&out)
}

/// `\1` is a group, `\\` a backslash, anything else behind a backslash a mistake.
fn pieces(replacement: &str, groups: usize) -> Result<Vec<Piece<'_>>, &'static str> {
    let mut out = Vec::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        out.push(Piece::Text(&rest[..at]));
        let after = &rest[at + 1..];
        match after.bytes().next() {
            Some(digit @ b'0'..=b'9') => {
                let group = usize::from(digit - b'0');
                if group > groups {
                    return Err("references a group that the pattern does not have");
                }
                out.push(Piece::Group(group));
            }
            Some(b'\\') => out.push(Piece::Text(&after[..1])),
            Some(_) => return Err("\\ must be followed by a digit or \\"),
            None => return Err("\\ not allowed at end"),
        }
        rest = &after[1..];
    }
    out.push(Piece::Text(rest));
    Ok(out)
}
