//! The values of literals.

use crate::ast::Constant;

/// The value of a string or bytes literal with its prefix and quotes; the message says what it has that it may not.
pub(crate) fn text(literal: &str) -> Result<Constant, String> {
    let open = literal.find(['"', '\'']).unwrap_or(0);
    let (prefix, rest) = literal.split_at(open);
    let is_bytes = prefix.contains(['b', 'B']);
    let is_raw = prefix.contains(['r', 'R']);
    let quotes = if rest.len() >= 6 && (rest.starts_with("\"\"\"") || rest.starts_with("'''")) { 3 } else { 1 };
    let body = rest.get(quotes..rest.len().saturating_sub(quotes)).unwrap_or_default();
    // Lines of a text end alike, wherever it was written.
    let body = if body.contains('\r') { body.replace("\r\n", "\n").replace('\r', "\n") } else { body.to_owned() };
    if is_raw || !body.contains('\\') {
        return Ok(if is_bytes { Constant::Bytes(body.into_bytes()) } else { Constant::String(body) });
    }
    let mut out = Vec::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(char) = chars.next() {
        if char == '\\' {
            escape(&mut chars, is_bytes, &mut out)?;
        } else {
            push(char, &mut out);
        }
    }
    if is_bytes {
        return Ok(Constant::Bytes(out));
    }
    String::from_utf8(out).map(Constant::String).map_err(|_| "the text is not UTF-8".to_owned())
}

fn push(char: char, out: &mut Vec<u8>) {
    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

/// What follows a backslash.
fn escape(chars: &mut std::str::Chars<'_>, is_bytes: bool, out: &mut Vec<u8>) -> Result<(), String> {
    let Some(sign) = chars.next() else {
        return Err("unable to unescape string, found '\\' as last character".to_owned());
    };
    let mut number = |first: u32, radix: u32, count: usize| {
        chars.by_ref().take(count).try_fold((first, count), |(value, left), it| {
            Some((value.checked_mul(radix)?.checked_add(it.to_digit(radix)?)?, left - 1))
        })
    };
    let simple = match sign {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '\'' => b'\'',
        '"' => b'"',
        '`' => b'`',
        '?' => b'?',
        'x' | 'X' => return code(number(0, 16, 2), sign, is_bytes, out),
        'u' | 'U' if is_bytes => return Err(format!("invalid unicode escape sequence: \\{sign} (bytes take \\x)")),
        'u' => return code(number(0, 16, 4), sign, false, out),
        'U' => return code(number(0, 16, 8), sign, false, out),
        '0'..='3' => return code(number(sign as u32 - '0' as u32, 8, 2), sign, is_bytes, out),
        _ => return Err(format!("unable to unescape string: unknown escape sequence \\{sign}")),
    };
    out.push(simple);
    Ok(())
}

/// The code of an escape: a byte in bytes, else a character. `left` of it says how many digits are missing.
fn code(number: Option<(u32, usize)>, sign: char, is_byte: bool, out: &mut Vec<u8>) -> Result<(), String> {
    let Some((value, 0)) = number else {
        return Err(format!("unable to unescape string: the escape \\{sign} has too few digits"));
    };
    match (u8::try_from(value), char::from_u32(value)) {
        (Ok(byte), _) if is_byte => out.push(byte),
        (_, Some(char)) if !is_byte => push(char, out),
        _ => return Err(format!("invalid unicode code point {value:#x}")),
    }
    Ok(())
}

/// The value of an int literal with its sign.
pub(crate) fn int(text: &str) -> Option<Constant> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    match digits.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(&format!("{sign}{hex}"), 16).ok(),
        None => text.parse().ok(),
    }
    .map(Constant::Int)
}

/// The value of a uint literal with its suffix.
pub(crate) fn uint(text: &str) -> Option<Constant> {
    let digits = text.trim_end_matches(['u', 'U']);
    match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
    .map(Constant::UInt)
}

/// The value of a double literal with its sign; those beyond the range are none.
pub(crate) fn double(text: &str) -> Option<Constant> {
    text.parse().ok().filter(|it: &f64| it.is_finite()).map(Constant::Double)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_have_their_values() {
        let cases: [(&str, Result<&[u8], &str>); 12] = [
            (r"'a\n\x41\u00e9'", Ok("a\nA\u{e9}".as_bytes())),
            (r"b'\xff\377é'", Ok(&[0xff, 0xff, 0xc3, 0xa9])),
            (r"'\xff'", Ok("\u{ff}".as_bytes())),
            (r"r'\n'", Ok(br"\n")),
            (r#"'''a'b''c'''"#, Ok(b"a'b''c")),
            ("'''a\r\nb\rc'''", Ok(b"a\nb\nc")),
            (r"''", Ok(b"")),
            (r"'\U0001F431'", Ok("🐱".as_bytes())),
            (r"'\ud800'", Err("invalid unicode code point 0xd800")),
            (r"b'\u0041'", Err("invalid unicode escape sequence: \\u (bytes take \\x)")),
            (r"'\x4'", Err("unable to unescape string: the escape \\x has too few digits")),
            (r"'\q'", Err("unable to unescape string: unknown escape sequence \\q")),
        ];
        for (literal, want) in cases {
            let got = text(literal).map(|it| match it {
                Constant::String(text) => text.into_bytes(),
                Constant::Bytes(bytes) => bytes,
                other => panic!("{other:?}"),
            });
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{literal}");
        }
    }

    #[test]
    fn numbers_end_at_their_range() {
        assert_eq!(int("-9223372036854775808"), Some(Constant::Int(i64::MIN)));
        assert_eq!(int("9223372036854775808"), None);
        assert_eq!(int("-0x8000000000000000"), Some(Constant::Int(i64::MIN)));
        assert_eq!(uint("0xFFFFFFFFFFFFFFFFu"), Some(Constant::UInt(u64::MAX)));
        assert_eq!(double("1e999"), None);
    }
}
