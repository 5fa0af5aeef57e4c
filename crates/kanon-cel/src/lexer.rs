//! Text to tokens, all at once. Literals are not decoded here: see `literal`.

use kanon_lang::{Diagnostic, Span};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Name,
    /// A name in backticks.
    Quoted,
    Int,
    UInt,
    Double,
    String,
    Bytes,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
    /// `in`
    In,
    /// An operator or bracket, by its text.
    Sign(&'static str),
    End,
}

/// Two signs before one: the longest that fits is taken.
const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}",
];

/// The tokens of `source`, an [`Token::End`] last.
pub(crate) fn tokens(source: &str) -> Result<Vec<(Token, Span)>, Diagnostic> {
    let mut out = Vec::with_capacity(source.len() / 3 + 1);
    let mut at = 0;
    let bytes = source.as_bytes();
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c) {
            at += 1;
            continue;
        }
        if bytes[at..].starts_with(b"//") {
            at = bytes[at..].iter().position(|it| *it == b'\n').map_or(bytes.len(), |len| at + len);
            continue;
        }
        let (token, len) = token(source, at)?;
        out.push((token, Span::new(at, at + len)));
        at += len;
    }
    out.push((Token::End, Span::new(source.len(), source.len())));
    Ok(out)
}

/// Whether a text that has tokens has comments too: they are not part of the tree.
pub(crate) fn has_comment(source: &str) -> bool {
    let end = |tokens: &[(Token, Span)], at: usize| tokens.get(at).map_or(source.len(), |it| it.1.start as usize);
    let Ok(tokens) = tokens(source) else { return false };
    let mut from = 0;
    (0..tokens.len()).any(|at| {
        let gap = source.get(from..end(&tokens, at)).unwrap_or_default();
        from = tokens[at].1.end as usize;
        gap.contains("//")
    })
}

/// The token that begins at `at`, and its length.
fn token(source: &str, at: usize) -> Result<(Token, usize), Diagnostic> {
    let rest = &source.as_bytes()[at..];
    match rest[0] {
        b'0'..=b'9' => Ok(number(rest)),
        b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => Ok(number(rest)),
        b'"' | b'\'' => text(source, at, 0, Token::String),
        b'`' => quoted(source, at),
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
            let prefix = rest.iter().take_while(|it| matches!(it, b'b' | b'B' | b'r' | b'R')).take(2).count();
            if matches!(rest.get(prefix), Some(b'"' | b'\'')) {
                match &rest[..prefix] {
                    [b'r' | b'R'] => return text(source, at, prefix, Token::String),
                    [b'b' | b'B'] | [b'b' | b'B', b'r' | b'R'] => return text(source, at, prefix, Token::Bytes),
                    _ => {}
                }
            }
            let len = rest.iter().take_while(|it| it.is_ascii_alphanumeric() || **it == b'_').count();
            let token = match &rest[..len] {
                b"true" => Token::True,
                b"false" => Token::False,
                b"null" => Token::Null,
                b"in" => Token::In,
                _ => Token::Name,
            };
            Ok((token, len))
        }
        _ => match SIGNS.iter().find(|it| rest.starts_with(it.as_bytes())) {
            Some(sign) => Ok((Token::Sign(sign), sign.len())),
            None => Err(unknown(source, at)),
        },
    }
}

/// The message about what is no token.
fn unknown(source: &str, at: usize) -> Diagnostic {
    let first = source[at..].chars().next().unwrap_or_default();
    let (message, help) = match first {
        '&' | '|' => (first.to_string(), Some(format!("write `{first}{first}`"))),
        '=' => (first.to_string(), Some("write `==` to compare".to_owned())),
        '\'' | '"' => (source[at..].lines().next().unwrap_or_default().to_owned(), Some("close the string".to_owned())),
        _ => (first.to_string(), None),
    };
    Diagnostic {
        message: format!("Syntax error: token recognition error at: '{message}'"),
        span: Span::new(at, at + first.len_utf8()),
        help,
    }
}

fn number(rest: &[u8]) -> (Token, usize) {
    let digits = |from: usize| rest[from.min(rest.len())..].iter().take_while(|it| it.is_ascii_digit()).count();
    let suffix = |len: usize| match rest.get(len) {
        Some(b'u' | b'U') => (Token::UInt, len + 1),
        _ => (Token::Int, len),
    };
    if rest[0] == b'0' && rest.get(1) == Some(&b'x') {
        let len = rest[2..].iter().take_while(|it| it.is_ascii_hexdigit()).count();
        if len > 0 {
            return suffix(2 + len);
        }
    }
    let whole = digits(0);
    let mut len = whole;
    let mut is_double = false;
    if rest.get(len) == Some(&b'.') && digits(len + 1) > 0 {
        len += 1 + digits(len + 1);
        is_double = true;
    }
    if matches!(rest.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(rest.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len + 1 + sign);
        if exponent > 0 {
            len += 1 + sign + exponent;
            is_double = true;
        }
    }
    if is_double { (Token::Double, len) } else { suffix(whole) }
}

/// A string whose quotes begin after `prefix` letters.
fn text(source: &str, start: usize, prefix: usize, token: Token) -> Result<(Token, usize), Diagnostic> {
    let bytes = &source.as_bytes()[start..];
    let is_raw = bytes[..prefix].iter().any(|it| matches!(it, b'r' | b'R'));
    let quote = bytes[prefix];
    let is_triple = bytes[prefix..].starts_with(&[quote; 3]);
    let quotes = if is_triple { 3 } else { 1 };
    let mut at = prefix + quotes;
    while let Some(byte) = bytes.get(at) {
        if bytes[at..].starts_with(&[quote; 3][..quotes]) {
            return Ok((token, at + quotes));
        }
        match byte {
            b'\\' if !is_raw => at += 2,
            b'\n' | b'\r' if !is_triple => break,
            _ => at += 1,
        }
    }
    let mut mistake = unknown(source, start + prefix);
    mistake.span = Span::new(start, start + prefix + quotes);
    Err(mistake)
}

/// A name in backticks, which takes a few more characters.
fn quoted(source: &str, start: usize) -> Result<(Token, usize), Diagnostic> {
    let bytes = &source.as_bytes()[start + 1..];
    let len = bytes.iter().take_while(|it| it.is_ascii_alphanumeric() || b"_.-/ ".contains(it)).count();
    if len > 0 && bytes.get(len) == Some(&b'`') { Ok((Token::Quoted, len + 2)) } else { Err(unknown(source, start)) }
}
