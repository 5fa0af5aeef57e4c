//! What is expected beside what came: says every difference with its place.
//!
//! A text that begins with `~` is a regular expression, one that begins with `*` must be contained, `<any>` is any value and
//! `<absent>` none. A list that begins with `<some>` names elements that must be there, in any order and among others.

use regex::Regex;
use serde_json::Value;

/// Compares; `whole` asks for no other members.
///
/// # Errors
/// Every difference.
pub(super) fn check(want: &Value, got: &Value, whole: bool) -> Result<(), String> {
    let mut differences = Vec::new();
    compare("", want, Some(got), whole, &mut differences);
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n  ")) }
}

/// Whether a text is as expected: equal, or as its prefix says.
pub(super) fn text(want: &str, got: &str) -> Result<bool, String> {
    if let Some(pattern) = want.strip_prefix('~') {
        return Regex::new(pattern).map(|it| it.is_match(got)).map_err(|it| it.to_string());
    }
    Ok(match want.strip_prefix('*') {
        Some(part) => got.contains(part),
        None => want == got,
    })
}

/// Whether a text is contained, or matches where it begins with `~`.
pub(super) fn contained(want: &str, got: &str) -> Result<bool, String> {
    if want.starts_with('~') { text(want, got) } else { Ok(got.contains(want)) }
}

fn compare(place: &str, want: &Value, got: Option<&Value>, whole: bool, out: &mut Vec<String>) {
    let shown = || got.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let mut differ = |want: &Value| out.push(format!("{place}: wanted {want}, got {}", shown()));
    match (want, got) {
        (Value::String(mark), None) if mark == "<absent>" => {}
        (Value::String(mark), Some(_)) if mark == "<any>" => {}
        (Value::String(want_text), Some(Value::String(got_text))) => match text(want_text, got_text) {
            Ok(true) => {}
            Ok(false) => differ(want),
            Err(problem) => out.push(format!("{place}: {problem}")),
        },
        (Value::Object(members), Some(Value::Object(found))) => {
            for (name, member) in members {
                compare(&format!("{place}.{name}"), member, found.get(name), whole, out);
            }
            for name in found.keys().filter(|it| whole && !members.contains_key(*it)) {
                out.push(format!("{place}.{name}: not expected"));
            }
        }
        (Value::Array(items), Some(Value::Array(found))) if items.first().is_some_and(|it| it == "<some>") => {
            for item in &items[1..] {
                let fits = |it: &Value| {
                    let mut differences = Vec::new();
                    compare(place, item, Some(it), whole, &mut differences);
                    differences.is_empty()
                };
                if !found.iter().any(fits) {
                    out.push(format!("{place}: none is {item} among {}", shown()));
                }
            }
        }
        (Value::Array(items), Some(Value::Array(found))) if items.len() == found.len() => {
            for (index, (item, found)) in items.iter().zip(found).enumerate() {
                compare(&format!("{place}[{index}]"), item, Some(found), whole, out);
            }
        }
        (want, Some(got)) if want == got => {}
        (want, _) => differ(want),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_have_places_and_marks_their_meaning() {
        let got = json!({"a": {"b": "text", "c": [1, {"d": 2}]}, "e": null});
        for (want, whole, fits) in [
            (json!({"a": {"b": "text"}}), false, true),
            (json!({"a": {"b": "text"}}), true, false),
            (json!({"a": {"b": "~^t.xt$"}}), false, true),
            (json!({"a": {"b": "*ex"}}), false, true),
            (json!({"a": {"b": "*xy"}}), false, false),
            (json!({"a": {"b": "<any>", "x": "<absent>"}}), false, true),
            (json!({"a": {"b": "<absent>"}}), false, false),
            (json!({"a": {"c": [1]}}), false, false),
            (json!({"a": {"c": ["<some>", {"d": 2}]}}), false, true),
            (json!({"a": {"c": ["<some>", {"d": 3}]}}), false, false),
            (json!({"e": null}), false, true),
            (json!({"f": "<any>"}), false, false),
        ] {
            assert_eq!(check(&want, &got, whole).is_ok(), fits, "{want}");
        }
        let differences = check(&json!({"a": {"c": [2, "<any>"]}}), &got, false).unwrap_err();
        assert_eq!(differences, ".a.c[0]: wanted 2, got 1");
    }
}
