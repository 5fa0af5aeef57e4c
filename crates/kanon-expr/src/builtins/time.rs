//! Times and durations: `now`, `date`, `duration`, `timezone`, and the methods of their values.
//!
//! A time is a point in time without a zone of its own: fields and formats are those of UTC.

mod layout;

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use kanon_lang::{Context, Stop, Value};

use super::{Builtin, Call};
use crate::value::{shift, type_name};

pub(super) fn call<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    match call.builtin {
        Builtin::Now => match cx.now {
            Some(now) => Ok(Value::Time(now)),
            None => cx.fail("now() is not available here"),
        },
        Builtin::Duration => {
            let text = call.text(cx, 0)?;
            match duration(text) {
                Some(duration) => Ok(Value::Duration(duration)),
                None => cx.fail(format!("time: invalid duration {text:?}")),
            }
        }
        Builtin::Timezone => {
            let name = call.text(cx, 0)?;
            zone(name).map(|_| Value::Str(name)).map_or_else(|message| cx.fail(message), Ok)
        }
        _ => date(cx, call),
    }
}

fn zone(name: &str) -> Result<TimeZone, String> {
    match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        _ => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}")),
    }
}

/// What `date(text)` tries without a layout, in this order.
const LAYOUTS: &[&str] = &[
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
];

fn date<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let text = call.text(cx, 0)?;
    let given = if call.args.len() > 1 { Some(call.text(cx, 1)?) } else { None };
    let zone = if call.args.len() > 2 { zone(call.text(cx, 2)?) } else { Ok(TimeZone::UTC) };
    let zone = match zone {
        Ok(zone) => zone,
        Err(message) => return cx.fail(message),
    };
    let parsed = match given {
        Some(layout) => layout::parse(layout, text, &zone),
        None => LAYOUTS.iter().find_map(|layout| layout::parse(layout, text, &zone)),
    };
    match (parsed, given) {
        (Some(time), _) => Ok(Value::Time(time)),
        (None, Some(layout)) => cx.fail(format!("parsing time {text:?} as {layout:?}: cannot parse")),
        (None, None) => cx.fail(format!("invalid date {text}")),
    }
}

/// Go's `time.ParseDuration`: `1h30m`, `-1.5s`, `0`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut nanos: f64 = 0.0;
    let mut whole: i128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)?;
        let (number, after) = rest.split_at(digits);
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (int, fraction) = number.split_once('.').unwrap_or((number, ""));
        if int.is_empty() && fraction.is_empty() {
            return None;
        }
        whole = whole.checked_add(if int.is_empty() { 0 } else { int.parse::<i64>().ok()?.into() } * scale)?;
        if !fraction.is_empty() {
            nanos += format!("0.{fraction}").parse::<f64>().ok()? * scale as f64;
        }
        rest = after;
    }
    let total = i64::try_from(whole + nanos as i128).ok()?;
    Some(SignedDuration::from_nanos(if negative { -total } else { total }))
}

/// A time as Go prints it.
pub(crate) fn shown(time: Timestamp) -> String {
    let text = time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string();
    // No fraction, no point.
    text.replace(". ", " ")
}

/// `time.Year()`, `duration.Hours()` and the like.
pub(crate) fn method<'a>(
    cx: &mut Context<'a>,
    value: Value<'a>,
    name: &str,
    args: &[Value<'a>],
) -> Result<Value<'a>, Stop> {
    let found = match (value, args) {
        (Value::Time(time), _) => of_time(cx, time, name, args)?,
        (Value::Duration(duration), []) => of_duration(cx, duration, name)?,
        (Value::Duration(duration), [Value::Duration(unit)]) => round(duration, *unit, name),
        _ => None,
    };
    match found {
        Some(value) => Ok(value),
        None => cx.fail(format!("cannot call {name} of {}", type_name(value))),
    }
}

fn of_time<'a>(
    cx: &mut Context<'a>,
    time: Timestamp,
    name: &str,
    args: &[Value<'a>],
) -> Result<Option<Value<'a>>, Stop> {
    let utc: civil::DateTime = TimeZone::UTC.to_datetime(time);
    let int = |number: i64| Some(Value::Int(number));
    Ok(match (name, args) {
        ("Year", []) => int(utc.year().into()),
        ("Month", []) => int(utc.month().into()),
        ("Day", []) => int(utc.day().into()),
        ("Hour", []) => int(utc.hour().into()),
        ("Minute", []) => int(utc.minute().into()),
        ("Second", []) => int(utc.second().into()),
        ("Nanosecond", []) => int(utc.subsec_nanosecond().into()),
        ("Weekday", []) => int(utc.weekday().to_sunday_zero_offset().into()),
        ("YearDay", []) => int(utc.day_of_year().into()),
        ("Unix", []) => int(time.as_second()),
        ("UnixMilli", []) => int(time.as_millisecond()),
        ("UnixMicro", []) => int(time.as_microsecond()),
        ("UnixNano", []) => i64::try_from(time.as_nanosecond()).ok().map(Value::Int),
        ("UTC" | "Local", []) | ("In", [Value::Str(_)]) => Some(Value::Time(time)),
        // Go's zero time is the first instant of year 1.
        ("IsZero", []) => Some(Value::Bool(time.as_second() == -62_135_596_800)),
        ("String", []) => Some(cx.text(&shown(time))?),
        ("Format", [Value::Str(layout)]) => Some(cx.text(&layout::format(layout, time))?),
        ("Add", [Value::Duration(by)]) => Some(Value::Time(shift(time, *by))),
        ("Sub", [Value::Time(other)]) => Some(Value::Duration(time.duration_since(*other))),
        ("Before", [Value::Time(other)]) => Some(Value::Bool(time < *other)),
        ("After", [Value::Time(other)]) => Some(Value::Bool(time > *other)),
        ("Equal", [Value::Time(other)]) => Some(Value::Bool(time == *other)),
        _ => None,
    })
}

fn of_duration<'a>(cx: &mut Context<'a>, duration: SignedDuration, name: &str) -> Result<Option<Value<'a>>, Stop> {
    let nanos = duration.as_nanos();
    let seconds = duration.as_secs_f64();
    let int = |number: i128| i64::try_from(number).ok().map(Value::Int);
    Ok(match name {
        "Hours" => Some(Value::Float(seconds / 3600.0)),
        "Minutes" => Some(Value::Float(seconds / 60.0)),
        "Seconds" => Some(Value::Float(seconds)),
        "Milliseconds" => int(nanos / 1_000_000),
        "Microseconds" => int(nanos / 1_000),
        "Nanoseconds" => int(nanos),
        "Abs" => Some(Value::Duration(duration.abs())),
        "String" => {
            let text = super::convert::shown(Value::Duration(duration), cx.arena);
            Some(cx.text(&text)?)
        }
        _ => None,
    })
}

fn round<'a>(duration: SignedDuration, unit: SignedDuration, name: &str) -> Option<Value<'a>> {
    let (nanos, unit) = (duration.as_nanos(), unit.as_nanos());
    if unit <= 0 {
        return Some(Value::Duration(duration));
    }
    let cut = nanos - nanos % unit;
    let nanos = match name {
        "Truncate" => cut,
        // Halves go away from zero.
        "Round" if (nanos % unit).abs() * 2 >= unit => cut + unit * nanos.signum(),
        "Round" => cut,
        _ => return None,
    };
    i64::try_from(nanos).ok().map(|nanos| Value::Duration(SignedDuration::from_nanos(nanos)))
}
