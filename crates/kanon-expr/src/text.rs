//! Escapes in string and bytes literals.

use std::{iter::Peekable, str::Chars};

const BAD: &str = "invalid char escape";
const UNABLE: &str = "unable to unescape string";

/// The text that a literal's content stands for.
pub(crate) fn unescape_text(raw: &str) -> Result<String, &'static str> {
    let mut out = Vec::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match escape(&mut chars)? {
                // A byte escape is that byte: several of them may make up one character.
                Escape::Byte(byte) => out.push(byte),
                Escape::Char(c) => push(&mut out, c),
            },
            c => push(&mut out, c),
        }
    }
    // Strings that are not UTF-8 cannot stand in an object; the original would carry the bytes on.
    Ok(String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The bytes that a bytes literal's content stands for: no Unicode escapes here.
pub(crate) fn unescape_bytes(raw: &str) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if matches!(chars.peek(), Some('u' | 'U')) => return Err(UNABLE),
            '\\' => match escape(&mut chars)? {
                Escape::Byte(byte) => out.push(byte),
                Escape::Char(c) => push(&mut out, c),
            },
            c => push(&mut out, c),
        }
    }
    Ok(out)
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

enum Escape {
    Byte(u8),
    Char(char),
}

fn escape(chars: &mut Peekable<Chars<'_>>) -> Result<Escape, &'static str> {
    let c = chars.next().ok_or(BAD)?;
    Ok(Escape::Char(match c {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' | '\'' | '"' | '`' | '?' => c,
        'x' => return digits(chars, 16, 2).map(|code| Escape::Byte(code as u8)),
        'u' if chars.peek() == Some(&'{') => braced(chars)?,
        'u' => char::from_u32(digits(chars, 16, 4)?).ok_or(UNABLE)?,
        'U' => char::from_u32(digits(chars, 16, 8)?).ok_or(UNABLE)?,
        '0'..='3' => {
            let code = c.to_digit(8).unwrap_or(0) * 64 + digits(chars, 8, 2)?;
            return Ok(Escape::Byte(code as u8));
        }
        _ => return Err(BAD),
    }))
}

fn digits(chars: &mut Peekable<Chars<'_>>, base: u32, count: usize) -> Result<u32, &'static str> {
    (0..count).try_fold(0u32, |sum, _| {
        let digit = chars.next().and_then(|c| c.to_digit(base)).ok_or(BAD)?;
        Ok(sum.wrapping_mul(base) + digit)
    })
}

/// `{1F600}`: one to six hex digits.
fn braced(chars: &mut Peekable<Chars<'_>>) -> Result<char, &'static str> {
    chars.next();
    let mut code = 0u32;
    for count in 0..=6 {
        match chars.next() {
            Some('}') if count > 0 => return char::from_u32(code).ok_or(UNABLE),
            Some(c) if count < 6 => code = code * 16 + c.to_digit(16).ok_or(BAD)?,
            _ => break,
        }
    }
    Err(BAD)
}
