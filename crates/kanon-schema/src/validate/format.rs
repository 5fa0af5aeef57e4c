//! String formats that kube-apiserver checks (it ignores others).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `text` has the format called `format`; `None` when no such format is checked.
pub(crate) fn matches_format(format: &str, text: &str) -> Option<bool> {
    // Upstream compares names without hyphens.
    let name: String = format.chars().filter(|it| *it != '-').collect();
    Some(match name.as_str() {
        "datetime" => is_date_time(text),
        "date" => is_date(text),
        "duration" => duration(text).is_some(),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "uri" => is_request_uri(text),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "mac" => is_mac(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some('3')),
        "uuid4" => is_uuid(text, Some('4')),
        "uuid5" => is_uuid(text, Some('5')),
        "byte" => is_base64(text),
        "bsonobjectid" => text.len() == 24 && is_hex(text),
        "hexcolor" => is_hex_color(text),
        "rgbcolor" => is_rgb_color(text),
        "ssn" => is_ssn(text),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "creditcard" => is_credit_card(text),
        "password" => true,
        _ => return None,
    })
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_hexdigit())
}

fn digits(text: &str, width: usize) -> Option<u32> {
    (text.len() == width && text.bytes().all(|it| it.is_ascii_digit())).then(|| text.parse().ok())?
}

/// `2006-01-02`, a day that exists.
pub(crate) fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// RFC 3339: date, `T`, time, optional fraction, `Z` or offset.
pub(crate) fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't']) else { return false };
    let Some(zone) = time.find(['Z', 'z', '+', '-']) else { return false };
    let (clock, zone) = time.split_at(zone);
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let fraction_fine = fraction.is_none_or(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()));
    is_date(date) && is_clock(clock, 3) && fraction_fine && is_zone(zone)
}

fn is_zone(zone: &str) -> bool {
    match zone {
        "Z" | "z" => true,
        _ => zone.strip_prefix(['+', '-']).is_some_and(|it| is_clock(it, 2)),
    }
}

/// `15:04` or `15:04:05` (a leap second may be 60).
fn is_clock(text: &str, parts: usize) -> bool {
    let limits = [24, 60, 61];
    let fields: Vec<&str> = text.split(':').collect();
    fields.len() == parts
        && fields.iter().zip(limits).all(|(field, limit)| digits(field, 2).is_some_and(|it| it < limit))
}

/// Go's durations (`1h30m`), and the loose form upstream also takes: a number and a unit word (`2 days`). Nanoseconds.
pub(crate) fn duration(text: &str) -> Option<i128> {
    const SECOND: i128 = 1_000_000_000;
    const UNITS: [(&[&str], i128); 8] = [
        (&["ns", "nano"], 1),
        (&["us", "µs", "μs", "micro"], 1_000),
        (&["ms", "milli"], 1_000_000),
        (&["s", "sec"], SECOND),
        (&["m", "min"], 60 * SECOND),
        (&["h", "hr", "hour"], 3_600 * SECOND),
        (&["d", "day"], 86_400 * SECOND),
        (&["w", "wk", "week"], 604_800 * SECOND),
    ];
    let text = text.trim();
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0i128;
    while !rest.is_empty() {
        let number = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
        let (value, after) = rest.split_at(number);
        let after = after.trim_start();
        let unit = after.find(|it: char| it.is_ascii_digit() || it == '.' || it == ' ').unwrap_or(after.len());
        let (word, after) = after.split_at(unit);
        let word = word.to_lowercase();
        let known = |words: &[&str]| {
            words.contains(&word.as_str()) || word.strip_suffix('s').is_some_and(|it| words.contains(&it))
        };
        let nanos = UNITS.iter().find(|(words, _)| known(words))?.1;
        // Whole numbers stay exact.
        let part = match value.parse::<i64>() {
            Ok(whole) => i128::from(whole) * nanos,
            Err(_) => (value.parse::<f64>().ok()? * nanos as f64) as i128,
        };
        total = total.saturating_add(part);
        rest = after.trim_start();
    }
    Some(sign * total)
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let plain = length.bytes().all(|it| it.is_ascii_digit()) && (length == "0" || !length.starts_with('0'));
    plain && length.parse::<u8>().is_ok_and(|it| it <= most)
}

/// An absolute URI or an absolute path.
fn is_request_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|it| it.is_ascii_control() || it == b' ') {
        return false;
    }
    if text.starts_with('/') {
        return escapes_are_fine(text);
    }
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let mut letters = scheme.chars();
    letters.next().is_some_and(|it| it.is_ascii_alphabetic())
        && letters.all(|it| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.'))
        && rest.starts_with('/')
        && escapes_are_fine(rest)
}

fn escapes_are_fine(text: &str) -> bool {
    text.split('%').skip(1).all(|it| it.get(..2).is_some_and(is_hex))
}

/// `user@host`, with or without a display name.
fn is_email(text: &str) -> bool {
    let address = match (text.find('<'), text.strip_suffix('>')) {
        (Some(at), Some(open)) => &open[at + 1..],
        (None, None) => text,
        (Some(_), None) | (None, Some(_)) => return false,
    };
    let Some((user, host)) = address.rsplit_once('@') else { return false };
    let user_fine = |it: char| it.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(it);
    !user.is_empty()
        && user.chars().all(user_fine)
        && !user.starts_with('.')
        && !user.ends_with('.')
        && !user.contains("..")
        && !host.is_empty()
        && host.split('.').all(|it| !it.is_empty() && it.chars().all(|c| c.is_alphanumeric() || c == '-'))
}

fn is_hostname(text: &str) -> bool {
    let label = |it: &str| {
        !it.is_empty()
            && it.len() <= 63
            && !it.starts_with('-')
            && !it.ends_with('-')
            && it.chars().all(|c| c == '-' || c.is_ascii_alphanumeric() || (!c.is_ascii() && !c.is_control()))
    };
    let last_fine = match text.rsplit_once('.') {
        Some((_, last)) => last.chars().count() >= 2,
        None => true,
    };
    text.len() <= 255 && text.split('.').all(label) && last_fine
}

fn is_mac(text: &str) -> bool {
    let groups = |separator: char, width: usize, counts: &[usize]| {
        let parts: Vec<&str> = text.split(separator).collect();
        counts.contains(&parts.len()) && parts.iter().all(|it| it.len() == width && is_hex(it))
    };
    groups(':', 2, &[6, 8, 20]) || groups('-', 2, &[6, 8, 20]) || groups('.', 4, &[3, 4, 10])
}

/// 8-4-4-4-12 hexadecimal digits, each hyphen optional; versions 4 and 5 also fix the variant.
fn is_uuid(text: &str, version: Option<char>) -> bool {
    let mut rest = text;
    let mut hex = String::with_capacity(32);
    for width in [8, 4, 4, 4, 12] {
        if !hex.is_empty() {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let Some(group) = rest.get(..width).filter(|it| is_hex(it)) else { return false };
        hex.push_str(group);
        rest = &rest[width..];
    }
    let at = |index: usize| hex.chars().nth(index).map(|it| it.to_ascii_lowercase());
    let variant_fine = !matches!(version, Some('4' | '5')) || matches!(at(16), Some('8' | '9' | 'a' | 'b'));
    rest.is_empty() && variant_fine && version.is_none_or(|it| at(12) == Some(it))
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && padding <= 2
        && body.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/'))
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && is_hex(digits)
}

fn is_rgb_color(text: &str) -> bool {
    let Some(inner) = text.strip_prefix("rgb(").and_then(|it| it.strip_suffix(')')) else { return false };
    let parts: Vec<&str> = inner.split(',').map(str::trim).collect();
    parts.len() == 3 && parts.iter().all(|it| it.parse::<u8>().is_ok())
}

fn is_ssn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', ' ']).collect();
    parts.len() == 3 && parts.iter().zip([3, 2, 4]).all(|(part, width)| digits(part, width).is_some())
}

/// Digits without hyphens and spaces.
fn bare(text: &str) -> Vec<char> {
    text.chars().filter(|it| !matches!(it, '-' | ' ')).collect()
}

fn is_isbn10(text: &str) -> bool {
    let code = bare(text);
    let value = |at: usize, it: &char| match it {
        'X' if at == 9 => Some(10),
        other => other.to_digit(10),
    };
    let values: Option<Vec<u32>> = code.iter().enumerate().map(|(at, it)| value(at, it)).collect();
    let sum = |values: Vec<u32>| values.iter().zip(1..).map(|(value, weight)| value * weight).sum::<u32>();
    code.len() == 10 && values.is_some_and(|it| sum(it).is_multiple_of(11))
}

fn is_isbn13(text: &str) -> bool {
    let code = bare(text);
    let values: Option<Vec<u32>> = code.iter().map(|it| it.to_digit(10)).collect();
    let sum = |values: Vec<u32>| {
        values.iter().enumerate().map(|(at, it)| if at % 2 == 0 { *it } else { it * 3 }).sum::<u32>()
    };
    code.len() == 13 && values.is_some_and(|it| sum(it).is_multiple_of(10))
}

/// 13 to 19 digits whose Luhn sum is right.
fn is_credit_card(text: &str) -> bool {
    let code = bare(text);
    let values: Option<Vec<u32>> = code.iter().map(|it| it.to_digit(10)).collect();
    let luhn = |values: Vec<u32>| {
        let doubled = |it: u32| if it > 4 { it * 2 - 9 } else { it * 2 };
        values.iter().rev().enumerate().map(|(at, it)| if at % 2 == 0 { *it } else { doubled(*it) }).sum::<u32>()
    };
    (13..=19).contains(&code.len()) && values.is_some_and(|it| luhn(it).is_multiple_of(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_tell_good_from_bad() {
        for (format, good, bad) in [
            (
                "date-time",
                &["2026-11-21T10:00:00Z", "2024-02-29T10:00:00.123+02:00"][..],
                &["2023-02-29T10:00:00Z", "x", "2026-11-21", "2026-11-21T25:00:00Z"][..],
            ),
            ("date", &["2026-11-21"], &["2026-13-01", "2026-1-1"]),
            ("duration", &["1h30m", "5s", "1.5h", "2 days", "0"], &["", "5", "1y", "h"]),
            ("ipv4", &["10.0.0.1"], &["::1", "10.0.0.256"]),
            ("ipv6", &["::1"], &["10.0.0.1"]),
            ("cidr", &["10.0.0.0/8", "fd00::/8"], &["10.0.0.0", "10.0.0.0/33", "10.0.0.0/08"]),
            ("uri", &["https://a.b/c?d=%20", "/path"], &["a b", "x", "http:opaque", "/%zz"]),
            ("email", &["a@b.c", "Ann <a@b.c>"], &["a", "@b", "a@", ".a@b"]),
            ("hostname", &["my-host", "a.example.com"], &["-a", "a..b", ""]),
            ("mac", &["00:1b:63:84:45:e6", "001b.6384.45e6"], &["00:1b", "zz:1b:63:84:45:e6"]),
            ("uuid", &["0A98C1F8-6F2A-4C7E-9B1C-000000000000"], &["0A98C1F8", ""]),
            ("uuid4", &["0a98c1f8-6f2a-4c7e-9b1c-000000000000"], &["0a98c1f8-6f2a-3c7e-9b1c-000000000000"]),
            ("byte", &["aGVsbG8="], &["a", "", "????"]),
            ("hexcolor", &["#fff", "00ff00"], &["#ff"]),
            ("rgbcolor", &["rgb(1, 2, 255)"], &["rgb(1,2,256)"]),
            ("ssn", &["111-11-1111"], &["1-1-1"]),
            ("isbn", &["978-3-16-148410-0", "3-16-148410-X"], &["978-3-16-148410-1"]),
            ("creditcard", &["4111 1111 1111 1111"], &["4111 1111 1111 1112"]),
            ("password", &["anything"], &[]),
        ] {
            for text in good {
                assert_eq!(matches_format(format, text), Some(true), "{format}: {text}");
            }
            for text in bad {
                assert_eq!(matches_format(format, text), Some(false), "{format}: {text}");
            }
        }
        assert_eq!(matches_format("int-or-string", "x"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_a_format(text in ".{0,40}") {
            for format in ["date-time", "duration", "cidr", "uri", "email", "hostname", "uuid", "byte", "isbn", "mac", "creditcard"] {
                proptest::prop_assert!(matches_format(format, &text).is_some());
            }
        }
    }
}
