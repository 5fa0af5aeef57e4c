//! Go's durations as text: `1h30m`, `-1.5s`, `0`.

/// `time.ParseDuration`, in nanoseconds.
///
/// # Errors
/// The original's message.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    // One more than the greatest is the least, negated.
    const LIMIT: u64 = 1 << 63;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = leading(rest);
        let whole = number(whole).ok_or_else(invalid)?;
        let mut given = after.len() != rest.len();
        rest = after;
        let (mut fraction, mut scale) = (0u64, 1f64);
        if let Some(after) = rest.strip_prefix('.') {
            let (digits, after) = leading(after);
            given |= !digits.is_empty();
            (fraction, scale) = leading_fraction(digits);
            rest = after;
        }
        if !given {
            return Err(invalid());
        }
        let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, after) = rest.split_at(end);
        rest = after;
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let Some(unit) = unit_nanos(unit) else {
            return Err(format!("time: unknown unit {unit:?} in duration {text:?}"));
        };
        let mut value = whole.checked_mul(unit).filter(|it| *it <= LIMIT).ok_or_else(invalid)?;
        if fraction > 0 {
            value += (fraction as f64 * (unit as f64 / scale)) as u64;
        }
        total = total.checked_add(value).filter(|it| *it <= LIMIT).ok_or_else(invalid)?;
    }
    match (negative, i64::try_from(total)) {
        (true, Ok(total)) => Ok(-total),
        (true, Err(_)) => Ok(i64::MIN),
        (false, total) => total.map_err(|_| invalid()),
    }
}

fn leading(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() { Some(0) } else { digits.parse().ok().filter(|it| *it <= 1 << 63) }
}

/// Digits behind a point, as many as fit, and what they are divided by.
fn leading_fraction(digits: &str) -> (u64, f64) {
    let (mut value, mut scale) = (0u64, 1f64);
    for digit in digits.bytes() {
        let next = value.checked_mul(10).and_then(|it| it.checked_add(u64::from(digit - b'0')));
        match next.filter(|it| *it <= i64::MAX as u64) {
            Some(next) => (value, scale) = (next, scale * 10.0),
            None => break,
        }
    }
    (value, scale)
}

fn unit_nanos(unit: &str) -> Option<u64> {
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
