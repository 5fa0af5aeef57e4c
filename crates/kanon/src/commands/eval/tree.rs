//! `kanon eval --explain` for people: every part of an expression on a line of its own, below what it is part of, with its
//! value. Works on places in the text and values alone, so it serves every language.

use std::{cmp::Reverse, fmt::Write as _};

use anstyle::{AnsiColor, Style};
use kanon_core::EvidenceValue;
use serde_json::Value as Json;

/// Longer texts and values are cut in the middle, in letters.
const TEXT_MAX: usize = 72;
const VALUE_MAX: usize = 60;

const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// A part of the expression.
struct Part<'v> {
    span: (usize, usize),
    depth: usize,
    /// `None` for what was not evaluated because other parts had decided.
    value: Option<&'v Json>,
    /// Parts directly in this one.
    children: Vec<usize>,
}

/// The values as an indented tree. `failed` says that the evaluation ended with an error: then values of the form
/// `{"error": …}` are that error. The part on which the result rests is marked where the result is `false` or an error.
pub(super) fn render(source: &str, values: &[EvidenceValue], failed: bool) -> String {
    let parts = parts(source, values, failed);
    // A module as a single part says nothing that its value does not.
    if parts.len() == 1 && source.contains('\n') && !failed {
        return String::new();
    }
    let blamed = blamed(&parts, failed);
    let texts: Vec<String> =
        parts.iter().map(|it| format!("{}{}", "  ".repeat(it.depth), shown(source, it.span))).collect();
    let width = texts.iter().map(|it| it.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (at, (part, text)) in parts.iter().zip(&texts).enumerate() {
        let pad = width - text.chars().count();
        // Writing to a string does not fail.
        let _ = match part.value {
            None => writeln!(out, "{DIM}{text}{:pad$}   not evaluated{DIM:#}", ""),
            Some(value) => {
                let value = match error_of(value, failed) {
                    Some(message) => format!("error: {message}"),
                    None => cut(&value.to_string(), VALUE_MAX),
                };
                match blamed.contains(&at) {
                    true => writeln!(out, "{BAD}{text}{:pad$}   {value}   <--{BAD:#}", ""),
                    false => writeln!(out, "{text}{:pad$}   {value}", ""),
                }
            }
        };
    }
    out
}

/// The parts in order of place, outer before inner, with what was left out where a decision needed no more.
fn parts<'v>(source: &str, values: &'v [EvidenceValue], failed: bool) -> Vec<Part<'v>> {
    let mut parts: Vec<Part<'v>> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let worth = values.iter().filter(|it| !is_literal(&it.text, &it.value) && !is_way(source, values, it));
    let mut placed: Vec<((usize, usize), &Json)> =
        worth.filter_map(|it| Some((place(source, it, failed)?, &it.value))).collect();
    placed.sort_by_key(|((start, end), _)| (*start, Reverse(*end)));
    placed.dedup_by_key(|it| it.0);
    for (span, value) in placed {
        while open.last().is_some_and(|at| parts[*at].span.1 < span.1 || parts[*at].span.1 <= span.0) {
            open.pop();
        }
        let at = parts.len();
        if let Some(parent) = open.last() {
            parts[*parent].children.push(at);
        }
        parts.push(Part { span, depth: open.len(), value: Some(value), children: Vec::new() });
        open.push(at);
    }
    with_gaps(source, parts)
}

/// Adds the operands of `&&`, `||`, `and`, `or` that have no value: others had decided.
fn with_gaps<'v>(source: &str, parts: Vec<Part<'v>>) -> Vec<Part<'v>> {
    let mut gaps = Vec::new();
    for part in parts.iter().filter(|it| it.value.is_some_and(Json::is_boolean)) {
        let mut from = part.span.0;
        let ends = part.children.iter().map(|it| parts[*it].span).chain([(part.span.1, part.span.1)]);
        for (start, end) in ends {
            let is_first = from == part.span.0;
            if let Some(span) = skipped(source, (from, start), is_first, end == part.span.1 && start == end) {
                gaps.push(Part { span, depth: part.depth + 1, value: None, children: Vec::new() });
            }
            from = end.max(from);
        }
    }
    if gaps.is_empty() {
        return parts;
    }
    // Indices of children hold for the list as it was: they are found again by place.
    let mut all: Vec<Part<'v>> = parts.into_iter().map(|it| Part { children: Vec::new(), ..it }).chain(gaps).collect();
    all.sort_by_key(|it| (it.span.0, Reverse(it.span.1), it.depth));
    let mut open: Vec<usize> = Vec::new();
    for at in 0..all.len() {
        open.truncate(all[at].depth);
        if let Some(parent) = open.last().copied() {
            all[parent].children.push(at);
        }
        open.push(at);
    }
    all
}

/// The operand in a gap between two parts: what stands behind a logical operator, or before one at the beginning.
fn skipped(source: &str, gap: (usize, usize), is_first: bool, is_last: bool) -> Option<(usize, usize)> {
    const OPERATORS: [&str; 4] = ["&&", "||", "and", "or"];
    let is_outside = |it: char| it.is_whitespace() || it == '(' || it == ')';
    let mut text = source.get(gap.0..gap.1)?;
    if !is_first {
        let behind = text.trim_start_matches(is_outside);
        text = OPERATORS.iter().find_map(|it| behind.strip_prefix(it))?;
    }
    // Where the operand ends, from the gap's end.
    let from = gap.1 - text.len();
    if !is_last {
        // A gap with one operator is the one between two neighbours, and holds nothing.
        let ahead = text.trim_end_matches(is_outside);
        text = OPERATORS.iter().find_map(|it| ahead.strip_suffix(it))?;
    }
    let operand = text.trim();
    let start = from + (text.len() - text.trim_start().len());
    let says_something = operand.contains(|it: char| it.is_alphanumeric());
    (says_something && !(is_first && is_last)).then_some((start, start + operand.len()))
}

/// The innermost parts that made the result what it is: an error, or false. None where the result is neither.
fn blamed(parts: &[Part<'_>], failed: bool) -> Vec<usize> {
    let is_bad = |at: &usize| match parts[*at].value {
        Some(value) if failed => error_of(value, true).is_some(),
        Some(value) => value == &Json::Bool(false),
        None => false,
    };
    let Some(first) = parts.first() else {
        return Vec::new();
    };
    if failed {
        // The error stands at the whole and at its own place: the last one is the innermost.
        return (0..parts.len()).rfind(is_bad).into_iter().collect();
    }
    if first.depth > 0 || !is_bad(&0) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut open = vec![0];
    while let Some(at) = open.pop() {
        let bad: Vec<usize> = parts[at].children.iter().copied().filter(|it| is_bad(it)).collect();
        if bad.is_empty() {
            found.push(at);
        }
        open.extend(bad);
    }
    found
}

fn error_of(value: &Json, failed: bool) -> Option<&str> {
    let members = value.as_object().filter(|it| failed && it.len() == 1)?;
    members.get("error")?.as_str()
}

/// Whether a part says nothing that its text does not.
fn is_literal(text: &str, value: &Json) -> bool {
    let text = text.trim();
    let quoted = |quote: char| text.strip_prefix(quote).and_then(|it| it.strip_suffix(quote));
    match value {
        Json::String(value) => ['"', '\'', '`'].into_iter().any(|it| quoted(it) == Some(value)),
        Json::Null => matches!(text, "null" | "nil"),
        Json::Number(_) | Json::Bool(_) => serde_json::from_str(text).is_ok_and(|it: Json| it == *value),
        Json::Array(_) | Json::Object(_) => false,
    }
}

/// Where a part stands: an error at a member is shown with all that leads to the member, and a parenthesis that opens in a
/// part closes in it.
fn place(source: &str, part: &EvidenceValue, failed: bool) -> Option<(usize, usize)> {
    let (mut start, mut end) = (part.span.0 as usize, part.span.1 as usize);
    let text = source.get(start..end)?;
    let is_name = |it: char| it.is_alphanumeric() || it == '_';
    let is_member = text.starts_with(['.', '?']) || source[..start].ends_with('.');
    if is_member && error_of(&part.value, failed).is_some() {
        let rest = source[start..].trim_start_matches(['.', '?']);
        let name_end = rest.find(|it| !is_name(it)).unwrap_or(rest.len());
        end = end.max(source.len() - rest.len() + name_end);
        start = chain_start(source, start);
    }
    let mut open = 0usize;
    let mut quote = None;
    for letter in source[start..end].chars() {
        match (quote, letter) {
            (Some(it), _) if it == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(letter),
            (None, '(') => open += 1,
            (None, ')') => open = open.saturating_sub(1),
            (None, _) => {}
        }
    }
    for _ in 0..open {
        let rest = &source[end..];
        let behind = rest.trim_start();
        if !behind.starts_with(')') {
            break;
        }
        end += rest.len() - behind.len() + 1;
    }
    Some((start, end))
}

/// Where the chain of members begins that leads to `at`: `object` in `object.spec["a"].x`.
pub(super) fn chain_start(source: &str, at: usize) -> usize {
    let mut start = at;
    let mut depth = 0usize;
    for (place, letter) in source[..at].char_indices().rev() {
        match letter {
            ']' => depth += 1,
            '[' if depth > 0 => depth -= 1,
            _ if depth > 0 || letter.is_alphanumeric() || matches!(letter, '_' | '.' | '?') => {}
            _ => break,
        }
        start = place;
    }
    if depth > 0 { at } else { start }
}

/// Whether a part is only the way to a member that has its own line: `object` and `object.spec` in `object.spec.x`.
fn is_way(source: &str, values: &[EvidenceValue], part: &EvidenceValue) -> bool {
    let goes_on = |it: &EvidenceValue| {
        let rest = source.get(part.span.1 as usize..it.span.1 as usize).unwrap_or_default();
        it.span.0 == part.span.0
            && it.span.1 > part.span.1
            && rest.starts_with(['.', '?', '['])
            && rest
                .chars()
                .all(|it| it.is_alphanumeric() || matches!(it, '.' | '?' | '[' | ']' | '"' | '\'' | '_' | '-' | '/'))
            && it.value.get("error").is_none()
    };
    (part.value.is_object() || part.value.is_array()) && values.iter().any(goes_on)
}

/// A part's text on one line.
fn shown(source: &str, (start, end): (usize, usize)) -> String {
    let words: Vec<&str> = source[start..end].split_whitespace().collect();
    cut(&words.join(" "), TEXT_MAX)
}

/// The beginning and the end of a text that is too long.
fn cut(text: &str, max: usize) -> String {
    let len = text.chars().count();
    if len <= max {
        return text.to_owned();
    }
    let head = max * 2 / 3;
    let tail = max - head - 1;
    let head: String = text.chars().take(head).collect();
    let tail: String = text.chars().skip(len - tail).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Values by the texts they belong to, at their first place in the source.
    fn check(source: &str, values: &[(&str, Json)], want: &str) {
        let mut values: Vec<EvidenceValue> = values
            .iter()
            .map(|(text, value)| {
                let start = source.find(text).expect("a part of the source");
                let span = (start as u32, (start + text.len()) as u32);
                EvidenceValue { span, text: (*text).to_owned(), value: value.clone() }
            })
            .collect();
        values.sort_by_key(|it| (it.span.0, Reverse(it.span.1)));
        let failed = values.iter().any(|it| it.value.get("error").is_some());
        let out = render(source, &values, failed);
        assert_eq!(anstream::adapter::strip_str(&out).to_string(), want);
    }

    #[test]
    fn parts_stand_below_what_they_are_part_of_and_the_decisive_one_is_marked() {
        check(
            "!schedule.isWeekend && metrics.rate >= 0.995",
            &[
                ("!schedule.isWeekend && metrics.rate >= 0.995", json!(false)),
                ("!schedule.isWeekend", json!(true)),
                ("schedule.isWeekend", json!(false)),
                ("metrics.rate >= 0.995", json!(false)),
                ("metrics.rate", json!(0.98)),
                ("0.995", json!(0.995)),
            ],
            "!schedule.isWeekend && metrics.rate >= 0.995   false\n  \
               !schedule.isWeekend                          true\n    \
                 schedule.isWeekend                         false\n  \
               metrics.rate >= 0.995                        false   <--\n    \
                 metrics.rate                               0.98\n",
        );
    }

    #[test]
    fn operands_that_nobody_asked_are_named() {
        let tail = "a.b && (c.d || e.f) && g";
        check(
            tail,
            &[(tail, json!(false)), ("a.b", json!(false))],
            "a.b && (c.d || e.f) && g   false\n  a.b                      false   <--\n  (c.d || e.f) && g        not evaluated\n",
        );
        check(
            "a && b && c",
            &[("a && b && c", json!(false)), ("a", json!(true)), ("c", json!(false))],
            "a && b && c   false\n  a           true\n  b           not evaluated\n  c           false   <--\n",
        );
        check(
            "a || b",
            &[("a || b", json!(true)), ("b", json!(true))],
            "a || b   true\n  a      not evaluated\n  b      true\n",
        );
        check(
            "f(a, b) == 2",
            &[("f(a, b) == 2", json!(true)), ("a", json!(1))],
            "f(a, b) == 2   true\n  a            1\n",
        );
    }

    #[test]
    fn objects_on_the_way_to_a_member_are_left_out() {
        check(
            "a.b.c == 1 && a.d.all(x, x)",
            &[
                ("a.b.c == 1 && a.d.all(x, x)", json!(true)),
                ("a.b.c == 1", json!(true)),
                ("a.b.c", json!(1)),
                ("a.b", json!({"c": 1})),
                ("a.d.all(x, x)", json!(true)),
                ("a.d", json!([])),
            ],
            "a.b.c == 1 && a.d.all(x, x)   true\n  a.b.c == 1                  true\n    a.b.c                     1\n  a.d.all(x, x)               true\n    a.d                       []\n",
        );
    }

    #[test]
    fn errors_are_marked_where_they_arose() {
        let source = "a.b + 1 > 2";
        check(
            source,
            &[(source, json!({"error": "no such key: b"})), ("a.b", json!({"error": "no such key: b"}))],
            "a.b + 1 > 2   error: no such key: b\n  a.b         error: no such key: b   <--\n",
        );
    }

    #[test]
    fn errors_at_members_are_shown_with_what_leads_there() {
        let source = "a.b[\"x\"].c > 2";
        let error = json!({"error": "no such key: c"});
        check(
            source,
            &[(source, error.clone()), ("a.b", json!(null)), (".c", error.clone())],
            "a.b[\"x\"].c > 2   error: no such key: c\n  a.b[\"x\"].c     error: no such key: c   <--\n    a.b          null\n",
        );
        assert_eq!((chain_start("f(a.b", 5), chain_start("x]", 2), chain_start("", 0)), (2, 2, 0));
    }

    #[test]
    fn parentheses_are_closed() {
        check(
            "!(a && b)",
            &[("!(a && b", json!(true)), ("a && b", json!(false))],
            "!(a && b)   true\n  a && b    false\n",
        );
    }

    #[test]
    fn long_texts_and_lines_are_shown_on_one_short_line() {
        let source = format!("a\n  {}", "x".repeat(200));
        check(&source, &[(&source, json!("y".repeat(100))), ("a", json!(1))], &{
            let text = format!("a {}…{}", "x".repeat(46), "x".repeat(23));
            let value = format!("\"{}…{}\"", "y".repeat(39), "y".repeat(18));
            format!("{text}   {value}\n  a{:69}   1\n", "")
        });
    }
}
