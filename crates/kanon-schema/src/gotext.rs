//! Values as Go's `fmt` prints them: failures quote bad values in that form, and clients compare the text.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// A text as Go quotes it (`%q`): double quotes, Go's escapes.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_ascii_control() => escape(&mut out, "\\x", 2, c),
            c if c.is_control()
                || matches!(c, '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{feff}') =>
            {
                escape(&mut out, "\\u", 4, c);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn escape(out: &mut String, prefix: &str, width: usize, c: char) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{prefix}{:0width$x}", c as u32);
}

/// `%v` of a number: integers in full, floats in their shortest form, with an exponent where Go uses one.
pub(crate) fn number(number: &Number) -> String {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(int), _, _) => int.to_string(),
        (_, Some(uint), _) => uint.to_string(),
        (_, _, Some(value)) => float(value),
        (None, None, None) => number.to_string(),
    }
}

/// `%v` of a double.
pub(crate) fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..21).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        Ok(_) | Err(_) => format!("{value}"),
    }
}

/// `%#v` of a value decoded from JSON: how Go prints lists and objects that have no text form of their own.
pub(crate) fn syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => number(value),
        Value::String(text) => quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(members) => {
            // Go prints keys sorted; whether our map is sorted depends on a feature of `serde_json`.
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let members: Vec<String> =
                members.into_iter().map(|(key, value)| format!("{}:{}", quote(key), syntax(value))).collect();
            format!("map[string]interface {{}}{{{}}}", members.join(", "))
        }
    }
}

/// `%v` of a value decoded from JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => number(value),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let members: Vec<String> =
                members.into_iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("map[{}]", members.join(" "))
        }
    }
}

/// A value decoded from JSON as `%v` and `%T` print it.
pub fn go_value(value: &Value) -> (String, &'static str) {
    (plain(value), type_name(value))
}

/// `%T` of a value decoded from JSON.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_print_as_in_go() {
        assert_eq!(quote("a\"\\\n\u{1}é\u{85}"), r#""a\"\\\n\x01é\u0085""#);
        for (value, text) in
            [(1e21, "1e+21"), (1e20, "100000000000000000000"), (0.00001, "1e-05"), (1.5, "1.5"), (2.0, "2")]
        {
            assert_eq!(float(value), text);
        }
        assert_eq!(
            syntax(&json!({"b": [1, null, "x"], "a": {}})),
            r#"map[string]interface {}{"a":map[string]interface {}{}, "b":[]interface {}{1, interface {}(nil), "x"}}"#
        );
        assert_eq!(plain(&json!({"b": [1, null, "x"], "a": {}})), "map[a:map[] b:[1 <nil> x]]");
    }
}
