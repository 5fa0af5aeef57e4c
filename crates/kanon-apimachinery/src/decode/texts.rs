//! Texts that must read as something: times, quantities, base64; in the words of the Go types that upstream decodes them into.

use kanon_schema::{Schema, Type};
use serde_json::Value;

/// How a server words that a text is no quantity.
const QUANTITY: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const TIME: &str = "2006-01-02T15:04:05Z07:00";
const MICRO_TIME: &str = "2006-01-02T15:04:05.000000Z07:00";

/// What is wrong with a value whose JSON type is right.
pub(super) fn problem(schema: &Schema, value: &Value) -> Option<String> {
    match (schema.kind, schema.format.as_str(), value) {
        (Type::Any, "quantity", value) if !kanon_kinds::is_quantity(value) => Some(QUANTITY.to_owned()),
        (Type::String, "byte", Value::String(text)) => base64(text.as_bytes()),
        (Type::String, "date-time", Value::String(text)) => {
            let is_micro = schema.name.as_deref().is_some_and(|it| it.ends_with(".MicroTime"));
            time(text, if is_micro { MICRO_TIME } else { TIME })
        }
        _ => None,
    }
}

/// Where standard base64 with padding breaks off; line ends do not count.
fn base64(text: &[u8]) -> Option<String> {
    let at = |position: usize| Some(format!("illegal base64 data at input byte {position}"));
    let mut letters = text.iter().enumerate().filter(|(_, it)| !matches!(it, b'\n' | b'\r'));
    let mut filled = 0;
    while let Some((position, letter)) = letters.next() {
        match letter {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => filled = (filled + 1) % 4,
            b'=' if filled >= 2 => {
                if filled == 2 {
                    match letters.next() {
                        None => return at(text.len()),
                        Some((_, b'=')) => {}
                        Some((second, _)) => return at(second),
                    }
                }
                return letters.next().and_then(|(trailing, _)| at(trailing));
            }
            _ => return at(position),
        }
    }
    // Go blames the beginning of what is no whole group.
    (filled != 0).then(|| at(text.len() - filled)).flatten()
}

/// Go's complaint about a text that is not in RFC 3339, as `layout` writes it.
fn time(text: &str, layout: &str) -> Option<String> {
    let fine = text.parse::<jiff::Timestamp>().is_ok() && text.as_bytes().get(10) == Some(&b'T');
    if fine && layout == TIME {
        return None;
    }
    let about = |problem: &str| Some(format!("parsing time {text:?}{problem}"));
    let mut rest = text;
    let mut at = layout;
    while !at.is_empty() {
        let element = &at[..element_len(at)];
        at = &at[element.len()..];
        let Some(taken) = taken(element, rest) else {
            return about(&format!(" as {layout:?}: cannot parse {rest:?} as {element:?}"));
        };
        let number = rest[..taken].parse::<u32>().ok();
        rest = &rest[taken..];
        let (unit, most) = match element {
            "01" => ("month", 12),
            "15" => ("hour", 23),
            "04" => ("minute", 59),
            "05" => ("second", 59),
            _ => continue,
        };
        if number.is_some_and(|it| it > most || (unit == "month" && it == 0)) {
            return about(&format!(": {unit} out of range"));
        }
        if unit == "second" && layout == TIME && rest.starts_with('.') {
            // A fraction is read where the layout has none.
            rest = rest[1..].trim_start_matches(|it: char| it.is_ascii_digit());
        }
    }
    if !rest.is_empty() {
        return about(&format!(": extra text: {rest:?}"));
    }
    if fine { None } else { about(": day out of range") }
}

/// The length of a layout's first element: a literal, or what stands for a part of the time.
fn element_len(layout: &str) -> usize {
    const LONG: [&str; 3] = ["2006", "Z07:00", ".000000"];
    match LONG.iter().find(|it| layout.starts_with(**it)) {
        Some(element) => element.len(),
        None if layout.starts_with(|it: char| it.is_ascii_digit()) => 2,
        None => 1,
    }
}

/// How much of `text` an element takes, if it fits.
fn taken(element: &str, text: &str) -> Option<usize> {
    let digits = |text: &str, count: usize| {
        let head = text.as_bytes().get(..count)?;
        head.iter().all(u8::is_ascii_digit).then_some(count)
    };
    match element {
        "2006" => digits(text, 4),
        ".000000" => digits(text.strip_prefix('.')?, 6).map(|it| it + 1),
        "Z07:00" if text.starts_with('Z') => Some(1),
        "Z07:00" => {
            let zone = text.strip_prefix(['+', '-'])?;
            digits(zone, 2)?;
            digits(zone.get(2..)?.strip_prefix(':')?, 2)?;
            Some(element.len())
        }
        literal if !literal.starts_with(|it: char| it.is_ascii_digit()) => text.starts_with(literal).then_some(1),
        _ => digits(text, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_refused_in_gos_words() {
        let plain = |text: &str| time(text, TIME);
        for (text, want) in [
            ("2026-11-27T12:00:00Z", None),
            ("2026-11-27T12:00:00.25+01:00", None),
            ("x", Some(r#" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006""#)),
            ("", Some(r#" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006""#)),
            ("2026-11-27", Some(r#" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#)),
            ("2026-11-27 12:00:00Z", Some(r#" as "2006-01-02T15:04:05Z07:00": cannot parse " 12:00:00Z" as "T""#)),
            ("2026-11-27T12:00:00", Some(r#" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00""#)),
            ("2026-13-27T12:00:00Z", Some(": month out of range")),
            ("2026-02-30T12:00:00Z", Some(": day out of range")),
            ("2026-11-27T12:00:00Zx", Some(r#": extra text: "x""#)),
            ("2026-11-27Tä", Some(r#" as "2006-01-02T15:04:05Z07:00": cannot parse "ä" as "15""#)),
        ] {
            assert_eq!(plain(text), want.map(|it| format!("parsing time {text:?}{it}")));
        }
        assert_eq!(time("2026-11-27T12:00:00.000001Z", MICRO_TIME), None);
        assert_eq!(
            time("2026-11-27T12:00:00Z", MICRO_TIME).as_deref(),
            Some(
                r#"parsing time "2026-11-27T12:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000""#
            )
        );
    }

    #[test]
    fn base64_breaks_off_where_go_says() {
        for (text, want) in [
            ("", None),
            ("eA==", None),
            ("eHl6\n", None),
            ("%%", Some(0)),
            ("eHl6%", Some(4)),
            ("eA=", Some(3)),
            ("eA=x", Some(3)),
            ("eA==x", Some(4)),
            ("eHl6eA", Some(4)),
            ("e===", Some(1)),
        ] {
            let want = want.map(|it| format!("illegal base64 data at input byte {it}"));
            assert_eq!(base64(text.as_bytes()), want, "{text:?}");
        }
    }
}
