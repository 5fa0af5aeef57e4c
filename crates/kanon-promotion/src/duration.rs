//! Durations as Go writes them: `5m`, `1h30m`, `500ms`. No days.

use jiff::SignedDuration;

/// The duration in `text`; nothing when it is none, or does not fit.
pub fn parse(text: &str) -> Option<SignedDuration> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        nanos = nanos.checked_add(part(number, unit_nanos(unit)?)?)?;
        rest = after;
    }
    SignedDuration::try_from_nanos_i128(sign * nanos)
}

/// A positive duration, or `default` for everything else: how an interval of a policy is read (spec/promotion-gates B2).
pub fn positive(text: &str, default: SignedDuration) -> SignedDuration {
    parse(text).filter(|it| it.is_positive()).unwrap_or(default)
}

/// `1h30m`, `5m`, `45s`: as Go prints it, without parts that are zero.
pub fn show(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 {
        return if duration.is_zero() { "0s".to_owned() } else { format!("{}ms", duration.as_millis()) };
    }
    let (sign, seconds) = (if seconds < 0 { "-" } else { "" }, seconds.unsigned_abs());
    let parts = [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}"));
    format!("{sign}{}", parts.collect::<String>())
}

fn unit_nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `number` of `unit` in nanoseconds; digits beyond a nanosecond are dropped, as Go drops them.
fn part(number: &str, unit: i128) -> Option<i128> {
    /// Digits after the point that can still count: an hour has 3.6e12 nanoseconds.
    const FRACTION_MAX: usize = 13;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = &fraction[..fraction.len().min(FRACTION_MAX)];
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole.checked_mul(unit)?.checked_add(fraction * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go_and_print_back() {
        let check = |text: &str, want: Option<i128>| assert_eq!(parse(text).map(|it| it.as_nanos()), want, "{text}");
        check("5m", Some(300_000_000_000));
        check("1h30m", Some(5_400_000_000_000));
        check("1.5h", Some(5_400_000_000_000));
        check("-1m", Some(-60_000_000_000));
        check("1us", Some(1_000));
        check("0", Some(0));
        for text in ["", "5", "m", "1d", "banana", "1..5m", ".m", "99999999999999999999999999h", "-"] {
            check(text, None);
        }
        for text in ["5m", "1h30m", "45s", "72h", "250ms", "0s", "-1m30s"] {
            assert_eq!(parse(text).map(show).as_deref(), Some(text));
        }
        assert_eq!(positive("-1m", SignedDuration::from_mins(5)), SignedDuration::from_mins(5));
    }
}
