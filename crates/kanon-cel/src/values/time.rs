//! Points in time and lengths of time: ranges, texts, fields in a time zone.
//!
//! CEL's time goes from year 1 to the end of year 9999; durations are 64 bits of nanoseconds, as in cel-go. The time type of
//! [`Value`] ends about a day earlier than year 9999 does, so that it fits every zone: what lies between is a value of its own.

use std::{any::Any, borrow::Cow, cmp::Ordering};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::{Offset, TimeZone},
};
use kanon_lang::{Context, Opaque, Stop, Value};

use super::TIMESTAMP_TYPE;

const SECOND: i128 = 1_000_000_000;

/// `0001-01-01T00:00:00Z` and the last nanosecond of year 9999, from the epoch.
const FIRST: i128 = -62_135_596_800 * SECOND;
const LAST: i128 = 253_402_300_800 * SECOND - 1;

/// A point in the last hours of year 9999.
#[derive(Clone, Copy, Debug)]
struct LateTime(i128);

impl Opaque for LateTime {
    fn type_name(&self) -> &'static str {
        TIMESTAMP_TYPE
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        nanoseconds(other).map(|it| it == self.0)
    }

    fn compare(&self, other: Value<'_>) -> Option<Ordering> {
        nanoseconds(other).map(|it| self.0.cmp(&it))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(render_timestamp(self.0))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// Nanoseconds from the epoch of a point in time; `None` for other values.
#[inline]
pub fn nanoseconds(value: Value<'_>) -> Option<i128> {
    match value {
        Value::Time(time) => Some(time.as_nanosecond()),
        Value::Opaque(opaque) => opaque.as_any()?.downcast_ref::<LateTime>().map(|it| it.0),
        _ => None,
    }
}

/// The point in time `nanos` from the epoch.
///
/// # Errors
/// Outside of the years 1 to 9999.
pub fn timestamp<'a>(cx: &mut Context<'a>, nanos: i128) -> Result<Value<'a>, Stop> {
    if !(FIRST..=LAST).contains(&nanos) {
        return cx.fail("timestamp overflow");
    }
    match Timestamp::from_nanosecond(nanos) {
        Ok(time) => Ok(Value::Time(time)),
        Err(_) => {
            cx.grow(1)?;
            Ok(Value::Opaque(cx.arena.alloc(LateTime(nanos))))
        }
    }
}

/// The length of time of `nanos` nanoseconds.
///
/// # Errors
/// Beyond 64 bits.
pub fn duration<'a>(cx: &mut Context<'a>, nanos: i128) -> Result<Value<'a>, Stop> {
    match i64::try_from(nanos) {
        Ok(nanos) => Ok(Value::Duration(SignedDuration::from_nanos(nanos))),
        Err(_) => cx.fail("duration overflow"),
    }
}

/// Reads RFC 3339 with an upper-case `T` and `Z` or `±hh:mm`, any number of decimals; nanoseconds from the epoch.
pub fn parse_timestamp(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits.iter().all(u8::is_ascii_digit).then(|| digits.iter().fold(0, |sum, it| sum * 10 + i64::from(it - b'0')))
    };
    let literal = |at: usize, byte: u8| (bytes.get(at) == Some(&byte)).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    for (at, byte) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        literal(at, byte)?;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut at = 19;
    let mut fraction = 0i128;
    if let Some(b'.' | b',') = bytes.get(at) {
        let digits = bytes[at + 1..].iter().take_while(|it| it.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        // Beyond nanoseconds decimals are cut.
        let mut unit = SECOND / 10;
        for digit in &bytes[at + 1..at + 1 + digits] {
            fraction += unit * i128::from(digit - b'0');
            unit /= 10;
        }
        at += 1 + digits;
    }
    let offset = match bytes.get(at)? {
        b'Z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 => {
            literal(at + 3, b':')?;
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            if hours > 24 || minutes > 60 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let date = Date::new(year as i16, month as i8, day as i8).ok()?;
    let seconds = days_from_epoch(date) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some(i128::from(seconds) * SECOND + fraction)
}

/// RFC 3339 in UTC with as many decimals as needed.
pub fn render_timestamp(nanos: i128) -> String {
    let Some(civil) = civil_utc(nanos) else {
        return String::new();
    };
    let mut out = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second()
    );
    if civil.subsec_nanosecond() != 0 {
        out += format!(".{:09}", civil.subsec_nanosecond()).trim_end_matches('0');
    }
    out.push('Z');
    out
}

/// Reads Go's durations: `1h30m`, `-1.5s`, `0`. Nanoseconds, within 64 bits.
pub fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let (whole, after, digits) = leading_digits(rest)?;
        rest = after;
        let (mut fraction, mut scale, mut decimals) = (0u64, 1f64, 0);
        if let Some(after) = rest.strip_prefix('.') {
            (fraction, scale, decimals, rest) = leading_fraction(after);
        }
        if digits == 0 && decimals == 0 {
            return None;
        }
        let end = rest.find(|it: char| it == '.' || it.is_ascii_digit()).unwrap_or(rest.len());
        let unit: u64 = match &rest[..end] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        rest = &rest[end..];
        let part = whole.checked_mul(unit).filter(|it| *it <= 1 << 63)?;
        let part = part.checked_add((fraction as f64 * (unit as f64 / scale)) as u64).filter(|it| *it <= 1 << 63)?;
        total = total.checked_add(part).filter(|it| *it <= 1 << 63)?;
    }
    let signed = if negative { -i128::from(total) } else { i128::from(total) };
    i64::try_from(signed).ok()
}

/// A number, what follows it, and how many digits it has; `None` beyond 2^63.
fn leading_digits(text: &str) -> Option<(u64, &str, usize)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut number = 0u64;
    for digit in text[..digits].bytes() {
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|it| *it <= 1 << 63)?;
    }
    Some((number, &text[digits..], digits))
}

/// Decimals as a number, its scale, how many digits were there, and what follows. Digits that no longer matter are dropped.
fn leading_fraction(text: &str) -> (u64, f64, usize, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (mut number, mut scale) = (0u64, 1f64);
    for digit in text[..digits].bytes() {
        match number.checked_mul(10).and_then(|it| it.checked_add(u64::from(digit - b'0'))) {
            Some(next) if next <= 1 << 63 => number = next,
            _ => break,
        }
        scale *= 10.0;
    }
    (number, scale, digits, &text[digits..])
}

/// Seconds with decimals and an `s`, as cel-go writes durations.
pub fn render_duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs() as f64 + f64::from(duration.subsec_nanos()) / 1e9;
    format!("{seconds}s")
}

/// Date and time of a point in a zone: a name of the time zone database, `UTC`, or `±hh:mm`.
///
/// # Errors
/// Unknown zones; zones whose date lies outside the years 1 to 9999 (year 0 is allowed for, as in Go).
pub fn civil_in<'a>(cx: &mut Context<'a>, nanos: i128, zone: &str) -> Result<DateTime, Stop> {
    let offset = match zone.split_once(':') {
        Some((hours, minutes)) => match fixed_offset(hours, minutes) {
            Some(seconds) => seconds,
            None => return cx.fail(format!("`{zone}` is not an offset of the form ±hh:mm")),
        },
        None if zone.is_empty() || zone == "UTC" => 0,
        None => match TimeZone::get(zone) {
            Ok(zone) => i64::from(offset_at(&zone, nanos).seconds()),
            Err(_) => return cx.fail(format!("unknown time zone `{zone}`")),
        },
    };
    match civil_utc(nanos + i128::from(offset) * SECOND) {
        Some(civil) => Ok(civil),
        None => cx.fail("timestamp overflow"),
    }
}

fn offset_at(zone: &TimeZone, nanos: i128) -> Offset {
    let time = Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::MAX);
    zone.to_offset(time)
}

/// As cel-go reads it: hours with an optional sign, minutes that take the sign of the first character.
fn fixed_offset(hours: &str, minutes: &str) -> Option<i64> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|it| it.abs() < 10_000);
    let (hour, minute) = (number(hours)?, number(minutes)?);
    let minutes = if hours.starts_with('-') { hour * 60 - minute } else { hour * 60 + minute };
    Some(minutes * 60)
}

fn civil_utc(nanos: i128) -> Option<DateTime> {
    let seconds = i64::try_from(nanos.div_euclid(SECOND)).ok()?;
    let below = nanos.rem_euclid(SECOND) as i32;
    DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(SignedDuration::new(seconds, below)).ok()
}

/// Days between the epoch and `date`, by the count of days in a 400-year cycle.
fn days_from_epoch(date: Date) -> i64 {
    let (year, month, day) = (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
    // Years begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (cycle, of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    cycle * 146_097 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year - 719_468
}
