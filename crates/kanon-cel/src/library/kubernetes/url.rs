//! URLs as Go's `net/url` reads them, in the strict form that Kubernetes asks for: an absolute URI or an absolute path.

use std::borrow::Cow;

use kanon_lang::{Context, Function, Native, Opaque, Stop, Type, Value};

use crate::{library::arguments as arg, values::no_overload};

const URL: Type = Type::Opaque("kubernetes.URL");

/// A URL, by the text it was read from, which has been checked.
#[derive(Clone, Copy)]
struct Url<'a>(&'a str);

impl Opaque for Url<'_> {
    fn type_name(&self) -> &'static str {
        "kubernetes.URL"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        match other {
            Value::Opaque(other) if other.type_name() == self.type_name() => Some(other.text() == self.0),
            _ => None,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }
}

pub(in crate::library) fn functions() -> Vec<Function> {
    use Type::{Bool, String as Text};
    let mut out = vec![
        Function::free("url", [Text], URL, |cx, args| {
            let text = arg::read(cx, args, 0)?;
            match check(text) {
                Ok(()) => arg::make(cx, Url(text)),
                Err(problem) => {
                    cx.fail(format!("URL parse error during conversion from string: parse {text:?}: {problem}"))
                }
            }
        }),
        Function::free("isURL", [Text], Bool, |cx, args| Ok(Value::Bool(check(arg::read(cx, args, 0)?).is_ok()))),
        Function::method("getQuery", [URL], Type::map(Text, Type::list(Text)), query),
    ];
    let parts: [(&'static str, Native); 5] = [
        ("getScheme", |cx, args| part(cx, args, |it| Cow::Owned(it.scheme))),
        ("getHost", |cx, args| part(cx, args, |it| decoded(it.host, false))),
        ("getHostname", |cx, args| part(cx, args, |it| decoded(hostname(it.host).0, false))),
        ("getPort", |cx, args| part(cx, args, |it| Cow::Borrowed(hostname(it.host).1))),
        ("getEscapedPath", |cx, args| part(cx, args, |it| escaped_path(it.path))),
    ];
    out.extend(parts.map(|(name, body)| Function::method(name, [URL], Text, body)));
    out
}

fn parsed<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Parts<'a>, Stop> {
    let text = match args.first() {
        Some(Value::Opaque(opaque)) if opaque.type_name() == "kubernetes.URL" => opaque.text(),
        _ => return no_overload(cx),
    };
    let text = match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => cx.arena.alloc_str(&text),
    };
    cx.spend(text.len() as u64 / 16)?;
    let (text, _) = text.split_once('#').unwrap_or((text, ""));
    parse(text, false).or_else(|problem| cx.fail(problem))
}

fn part<'a>(cx: &mut Context<'a>, args: &[Value<'a>], read: fn(Parts<'a>) -> Cow<'a, str>) -> Result<Value<'a>, Stop> {
    match read(parsed(cx, args)?) {
        Cow::Borrowed(text) => Ok(Value::Str(text)),
        Cow::Owned(text) => cx.text(&text),
    }
}

fn query<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let mut found: Vec<(String, Vec<Value<'a>>)> = Vec::new();
    for pair in parsed(cx, args)?.query.split('&').filter(|it| !it.is_empty() && !it.contains(';')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        cx.spend(1 + found.len() as u64)?;
        // What cannot be read is left out, as in Go.
        let (Ok(key), Ok(value)) = (unescape(key, true), unescape(value, true)) else { continue };
        let value = cx.text(&String::from_utf8_lossy(&value))?;
        let key = String::from_utf8_lossy(&key).into_owned();
        match found.iter_mut().find(|it| it.0 == key) {
            Some((_, values)) => values.push(value),
            None => found.push((key, vec![value])),
        }
    }
    let mut members = Vec::with_capacity(found.len());
    for (key, values) in found {
        members.push((cx.text(&key)?, cx.list(&values)?));
    }
    cx.map(&members)
}

/// What a URL is made of, still escaped.
struct Parts<'u> {
    scheme: String,
    host: &'u str,
    path: &'u str,
    query: &'u str,
}

/// Whether a text is an absolute URI or an absolute path. The fragment is not looked at by itself.
///
/// # Errors
/// Why it is not.
pub(super) fn check(text: &str) -> Result<(), String> {
    parse(text, true)?;
    let (text, _) = text.split_once('#').unwrap_or((text, ""));
    parse(text, false).map(|_| ())
}

fn parse(text: &str, request: bool) -> Result<Parts<'_>, String> {
    if text.bytes().any(|it| it < b' ' || it == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    if text.is_empty() && request {
        return Err("empty url".to_owned());
    }
    let (scheme, rest) = scheme(text)?;
    let scheme = scheme.to_ascii_lowercase();
    let (mut rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut host = "";
    if !rest.starts_with('/') && rest != "*" {
        if !scheme.is_empty() {
            // What follows has no structure: `mailto:someone`.
            return Ok(Parts { scheme, host, path: "", query });
        }
        if request {
            return Err("invalid URI for request".to_owned());
        }
        if rest.split('/').next().is_some_and(|it| it.contains(':')) {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if (!scheme.is_empty() || (!request && !rest.starts_with("///")))
        && let Some(after) = rest.strip_prefix("//")
    {
        let end = after.find('/').unwrap_or(after.len());
        host = authority(&after[..end])?;
        rest = &after[end..];
    }
    unescape(rest, false)?;
    Ok(Parts { scheme, host, path: rest, query })
}

fn scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

/// The host with its port.
fn authority(text: &str) -> Result<&str, String> {
    let (user, host) = text.rsplit_once('@').unwrap_or(("", text));
    let user_byte = |it: u8| it.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&it);
    if !user.bytes().all(user_byte) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    unescape(user, false)?;
    let port = if host.starts_with('[') {
        let end = host.rfind(']').ok_or("missing ']' in host")?;
        &host[end + 1..]
    } else {
        host.rfind(':').map_or("", |at| &host[at..])
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    if !digits.bytes().all(|it| it.is_ascii_digit()) || (!port.is_empty() && !port.starts_with(':')) {
        return Err(format!("invalid port {port:?} after host"));
    }
    let name = &host[..host.len() - port.len()];
    for byte in name.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"%".contains(&byte) || byte >= 0x80;
        if !plain {
            return Err(format!("invalid character {:?} in host name", char::from(byte)));
        }
    }
    for byte in unescape(name, false)?.into_iter().zip(name.bytes()).filter(|(a, b)| a != b).map(|it| it.0).take(1) {
        // Only what has no place in a name otherwise may be escaped.
        if byte < 0x80 && byte != b'%' {
            return Err(format!("invalid URL escape in host {name:?}"));
        }
    }
    Ok(host)
}

/// The name without brackets, and the port without its colon.
fn hostname(host: &str) -> (&str, &str) {
    let (name, port) = match host.rfind(':') {
        Some(at) if !host[at..].contains(']') => (&host[..at], &host[at + 1..]),
        _ => (host, ""),
    };
    (name.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(name), port)
}

/// Undoes `%xx`, and `+` where that stands for a space.
fn unescape(text: &str, plus: bool) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let digit = |at: usize| bytes.get(at).and_then(|it| char::from(*it).to_digit(16));
                let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
                    let end = text.char_indices().map(|it| it.0).find(|it| *it >= at + 3).unwrap_or(text.len());
                    return Err(format!("invalid URL escape {:?}", &text[at..end]));
                };
                // Two hex digits make a byte.
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            b'+' if plus => out.push(b' '),
            byte => out.push(byte),
        }
        at += 1;
    }
    Ok(out)
}

fn decoded(text: &str, plus: bool) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    // Checked when the URL was read.
    Cow::Owned(String::from_utf8_lossy(&unescape(text, plus).unwrap_or_default()).into_owned())
}

/// The path as it was written, where that is a valid way to write it, and escaped anew where it is not.
fn escaped_path(path: &str) -> Cow<'_, str> {
    let valid = |it: u8| it.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:@[]%/".contains(&it);
    if path.bytes().all(valid) {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len() + 8);
    for byte in unescape(path, false).unwrap_or_default() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    Cow::Owned(out)
}
