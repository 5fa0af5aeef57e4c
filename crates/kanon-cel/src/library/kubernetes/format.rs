//! Named formats of Kubernetes' names and of strings in schemas: `format.dns1123Label().validate(text)`.

use std::{any::Any, borrow::Cow};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::civil::Date;
use kanon_lang::{Context, Function, Native, Opaque, Stop, Type, Value};

use super::url;
use crate::library::arguments as arg;

const FORMAT: Type = Type::Opaque("kubernetes.NamedFormat");

/// A format, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format(&'static str);

impl Opaque for Format {
    fn type_name(&self) -> &'static str {
        "kubernetes.NamedFormat"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        match other {
            Value::Opaque(other) => other.as_any()?.downcast_ref::<Format>().map(|it| it == self),
            _ => None,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// What is wrong with a text, by a format's rule.
type Rule = fn(&str) -> Vec<String>;

/// Each format: its name, the function that gives it, and the rule.
const FORMATS: [(&str, &str, Native, Rule); 13] = [
    ("dns1123Label", "format.dns1123Label", |cx, _| arg::make(cx, Format("dns1123Label")), dns1123_label),
    ("dns1123Subdomain", "format.dns1123Subdomain", |cx, _| arg::make(cx, Format("dns1123Subdomain")), subdomain),
    ("dns1035Label", "format.dns1035Label", |cx, _| arg::make(cx, Format("dns1035Label")), dns1035_label),
    ("qualifiedName", "format.qualifiedName", |cx, _| arg::make(cx, Format("qualifiedName")), qualified_name),
    (
        "dns1123LabelPrefix",
        "format.dns1123LabelPrefix",
        |cx, _| arg::make(cx, Format("dns1123LabelPrefix")),
        |text| dns1123_label(&prefix(text)),
    ),
    (
        "dns1123SubdomainPrefix",
        "format.dns1123SubdomainPrefix",
        |cx, _| arg::make(cx, Format("dns1123SubdomainPrefix")),
        |text| subdomain(&prefix(text)),
    ),
    (
        "dns1035LabelPrefix",
        "format.dns1035LabelPrefix",
        |cx, _| arg::make(cx, Format("dns1035LabelPrefix")),
        |text| dns1035_label(&prefix(text)),
    ),
    ("labelValue", "format.labelValue", |cx, _| arg::make(cx, Format("labelValue")), label_value),
    (
        "uri",
        "format.uri",
        |cx, _| arg::make(cx, Format("uri")),
        |text| match url::check(text) {
            Ok(()) => Vec::new(),
            Err(problem) => vec![format!("parse {text:?}: {problem}")],
        },
    ),
    (
        "uuid",
        "format.uuid",
        |cx, _| arg::make(cx, Format("uuid")),
        |text| unless(is_uuid(text), "does not match the UUID format"),
    ),
    (
        "byte",
        "format.byte",
        |cx, _| arg::make(cx, Format("byte")),
        |text| unless(!text.is_empty() && STANDARD.decode(text).is_ok(), "invalid base64"),
    ),
    ("date", "format.date", |cx, _| arg::make(cx, Format("date")), |text| unless(is_date(text), "invalid date")),
    (
        "datetime",
        "format.datetime",
        |cx, _| arg::make(cx, Format("datetime")),
        |text| unless(is_datetime(text), "invalid datetime"),
    ),
];

pub(in crate::library) fn functions() -> Vec<Function> {
    let mut out: Vec<Function> =
        FORMATS.iter().map(|(_, function, make, _)| Function::free(function, [], FORMAT, *make)).collect();
    out.push(Function::free("format.named", [Type::String], Type::optional(FORMAT), |cx, args| {
        let name = arg::text(cx, args, 0)?;
        match FORMATS.iter().find(|it| it.0 == name) {
            Some((name, ..)) => {
                let format = arg::make(cx, Format(name))?;
                arg::some(cx, format)
            }
            None => Ok(Value::Optional(None)),
        }
    }));
    let problems = Type::optional(Type::list(Type::String));
    out.push(Function::method("validate", [FORMAT, Type::String], problems, validate));
    out
}

fn validate<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (format, text) = (arg::opaque::<Format>(cx, args, 0)?, arg::read(cx, args, 1)?);
    let problems = FORMATS.iter().find(|it| it.0 == format.0).map(|it| (it.3)(text)).unwrap_or_default();
    if problems.is_empty() {
        return Ok(Value::Optional(None));
    }
    let mut out = Vec::with_capacity(problems.len());
    for problem in problems {
        out.push(cx.text(&problem)?);
    }
    let list = cx.list(&out)?;
    arg::some(cx, list)
}

fn unless(holds: bool, problem: &str) -> Vec<String> {
    if holds { Vec::new() } else { vec![problem.to_owned()] }
}

const ALPHANUMERIC_1123: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const ALPHANUMERIC_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// `[first]([-inner]*[last])?`: what all these names are made of.
fn shaped(text: &str, first: fn(u8) -> bool, inner: fn(u8) -> bool, last: fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match bytes {
        [] => false,
        [only] => first(*only),
        [head, middle @ .., tail] => first(*head) && last(*tail) && middle.iter().all(|it| inner(*it)),
    }
}

fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_1123(text: &str) -> bool {
    shaped(text, lower, |it| lower(it) || it == b'-', lower)
}

fn length(text: &str, most: usize) -> Option<String> {
    (text.len() > most).then(|| format!("must be no more than {most} characters"))
}

/// A name that may be completed: a hyphen at its end may be followed by something.
fn prefix(text: &str) -> String {
    match text.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{rest}a"),
        _ => text.to_owned(),
    }
}

fn dns1123_label(text: &str) -> Vec<String> {
    let mut out: Vec<String> = length(text, 63).into_iter().collect();
    if is_1123(text) {
        return out;
    }
    if text.split('.').all(is_1123) {
        out.push("must not contain dots".to_owned());
    } else {
        out.push(format!(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with \
             an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{ALPHANUMERIC_1123}')"
        ));
    }
    out
}

fn subdomain(text: &str) -> Vec<String> {
    let mut out: Vec<String> = length(text, 253).into_iter().collect();
    if !text.split('.').all(is_1123) {
        out.push(format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and \
             end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '{ALPHANUMERIC_1123}(\\.{ALPHANUMERIC_1123})*')"
        ));
    }
    out
}

fn dns1035_label(text: &str) -> Vec<String> {
    let mut out: Vec<String> = length(text, 63).into_iter().collect();
    if !shaped(text, |it| it.is_ascii_lowercase(), |it| lower(it) || it == b'-', lower) {
        out.push(format!(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, \
             and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
             '{ALPHANUMERIC_1035}')"
        ));
    }
    out
}

fn is_qualified(text: &str) -> bool {
    let end = |it: u8| it.is_ascii_alphanumeric();
    shaped(text, end, |it| it.is_ascii_alphanumeric() || b"-_.".contains(&it), end)
}

fn qualified_name(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let examples = format!("(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{QUALIFIED}')");
    let rule = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    let name = match text.split('/').collect::<Vec<_>>()[..] {
        [name] => name,
        [domain, name] => {
            if domain.is_empty() {
                out.push("prefix part must be non-empty".to_owned());
            } else {
                out.extend(subdomain(domain).into_iter().map(|it| format!("prefix part {it}")));
            }
            name
        }
        _ => {
            return vec![format!(
                "a qualified name {rule} {examples} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        out.push("name part must be non-empty".to_owned());
    } else if let Some(problem) = length(name, 63) {
        out.push(format!("name part {problem}"));
    }
    if !is_qualified(name) {
        out.push(format!("name part {rule} {examples}"));
    }
    out
}

fn label_value(text: &str) -> Vec<String> {
    let mut out: Vec<String> = length(text, 63).into_iter().collect();
    if !text.is_empty() && !is_qualified(text) {
        out.push(format!(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and \
             end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
             '({QUALIFIED})?')"
        ));
    }
    out
}

/// 32 hex digits; each of the four hyphens may be left out.
fn is_uuid(text: &str) -> bool {
    let mut rest = text;
    for (at, digits) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        match rest.get(..digits) {
            Some(group) if group.bytes().all(|it| it.is_ascii_hexdigit()) => rest = &rest[digits..],
            _ => return false,
        }
    }
    rest.is_empty()
}

fn is_date(text: &str) -> bool {
    let number = |from: usize, to: usize| -> Option<i16> {
        text.get(from..to).filter(|it| it.bytes().all(|it| it.is_ascii_digit()))?.parse().ok()
    };
    let parts = (number(0, 4), number(5, 7), number(8, 10));
    let (Some(year), Some(month), Some(day)) = parts else { return false };
    let bytes = text.as_bytes();
    bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' && Date::new(year, month as i8, day as i8).is_ok()
}

/// A date, `t`, a time with optional decimals, and a zone; in either case.
fn is_datetime(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let Some((date, time)) = text.split_once('t') else { return false };
    let two = |at: usize, most: u8| {
        time.get(at..at + 2)
            .filter(|it| it.bytes().all(|it| it.is_ascii_digit()))
            .and_then(|it| it.parse::<u8>().ok())
            .is_some_and(|it| it <= most)
    };
    let colons = time.as_bytes().get(2) == Some(&b':') && time.as_bytes().get(5) == Some(&b':');
    if !is_date(date) || !colons || !two(0, 23) || !two(3, 59) || !two(6, 59) {
        return false;
    }
    let rest = time.get(8..).unwrap_or_default();
    let zone = match rest.strip_prefix('.') {
        Some(decimals) => {
            let digits = decimals.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return false;
            }
            &decimals[digits..]
        }
        None => rest,
    };
    let digit = |at: usize| zone.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let offset = zone.len() == 6
        && zone.starts_with(['+', '-'])
        && zone.as_bytes()[3] == b':'
        && [1, 2, 4, 5].into_iter().all(digit);
    zone == "z" || offset
}
