//! Times and durations: `now`, `date`, `duration`, `timezone`, and the methods of their values.

mod duration;
mod layout;
pub(crate) mod zoned;

use jiff::{SignedDuration, Timestamp};
use kanon_lang::{Context, Stop, Value};

use self::zoned::{Location, Zone};
use super::{Builtin, Call};
use crate::value::{between, shift, type_name};

pub(super) fn call<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    match call.builtin {
        Builtin::Now => match (cx.now, zoned::location(call.arg(0))) {
            (Some(now), zone) => Ok(zoned::value(now, zone.unwrap_or(Zone::UTC), cx.arena)),
            (None, _) => cx.fail("now() is not available here"),
        },
        Builtin::Duration => match duration::parse(call.text(cx, 0)?) {
            Ok(nanos) => Ok(Value::Duration(SignedDuration::from_nanos(nanos))),
            Err(message) => cx.fail(message),
        },
        Builtin::Timezone => {
            let name = call.text(cx, 0)?;
            let zone = load(cx, name)?;
            Ok(Value::Opaque(cx.arena.alloc(Location(zone))))
        }
        _ => date(cx, call),
    }
}

fn load<'a>(cx: &mut Context<'a>, name: &str) -> Result<Zone, Stop> {
    match Zone::load(name) {
        Some(zone) => Ok(zone),
        None => cx.fail(format!("unknown time zone {name}")),
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

/// `date(text)`, `date(text, layout)`, `date(text, layout, zone)`; a zone may stand before the text.
fn date<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let first = zoned::location(call.arg(0));
    let call = Call { args: &call.args[usize::from(first.is_some()).min(call.args.len())..], ..call };
    let text = call.text(cx, 0)?;
    let layout = if call.args.len() > 1 { Some(call.text(cx, 1)?) } else { None };
    let zone = match call.args.len() {
        3.. => {
            let name = call.text(cx, 2)?;
            load(cx, name)?
        }
        _ => first.unwrap_or(Zone::UTC),
    };
    let parsed = match layout {
        Some(layout) => layout::parse(layout, text, &zone),
        None => LAYOUTS.iter().find_map(|layout| layout::parse(layout, text, &zone)),
    };
    match (parsed, layout) {
        (Some((at, zone)), _) => Ok(zoned::value(at, zone, cx.arena)),
        (None, Some(layout)) => cx.fail(format!("parsing time {text:?} as {layout:?}: cannot parse")),
        (None, None) => cx.fail(format!("invalid date {text}")),
    }
}

/// A time as Go prints it.
pub(crate) fn shown(at: Timestamp, zone: &Zone) -> String {
    layout::format("2006-01-02 15:04:05.999999999 -0700 MST", at, zone)
}

/// `time.Year()`, `duration.Hours()` and the like; `None` for values that have no methods.
pub(crate) fn method<'a>(
    cx: &mut Context<'a>,
    value: Value<'a>,
    name: &str,
    args: &[Value<'a>],
) -> Option<Result<Value<'a>, Stop>> {
    let found = match (zoned::instant(value), zoned::location(value), value) {
        (Some((at, zone)), ..) => of_time(cx, at, zone, name, args),
        (_, Some(zone), _) => match (name, args) {
            ("String", []) => cx.text(Location(zone).shown()).map(Some),
            _ => Ok(None),
        },
        (_, _, Value::Duration(duration)) => match args {
            [] => of_duration(cx, duration, name),
            [Value::Duration(unit)] => Ok(rounded(duration, *unit, name)),
            _ => Ok(None),
        },
        _ => return None,
    };
    Some(match found {
        Ok(Some(value)) => Ok(value),
        Ok(None) => cx.fail(format!("cannot call {name} of {}", type_name(value))),
        Err(stop) => Err(stop),
    })
}

fn of_time<'a>(
    cx: &mut Context<'a>,
    at: Timestamp,
    zone: Zone,
    name: &str,
    args: &[Value<'a>],
) -> Result<Option<Value<'a>>, Stop> {
    let civil = zone.civil(at);
    let int = |number: i64| Some(Value::Int(number));
    let arena = cx.arena;
    let same_zone = |at: Timestamp| Some(zoned::value(at, zone, arena));
    let other = |value: &Value<'a>| zoned::instant(*value).map(|it| it.0);
    Ok(match (name, args) {
        // Of several results, the first counts.
        ("Year" | "Date", []) => int(civil.year().into()),
        ("Month", []) => int(civil.month().into()),
        ("Day", []) => int(civil.day().into()),
        ("Hour" | "Clock", []) => int(civil.hour().into()),
        ("Minute", []) => int(civil.minute().into()),
        ("Second", []) => int(civil.second().into()),
        ("Nanosecond", []) => int(civil.subsec_nanosecond().into()),
        ("Weekday", []) => int(layout::weekday_number(civil.weekday())),
        ("YearDay", []) => int(civil.day_of_year().into()),
        ("ISOWeek", []) => int(civil.date().iso_week_date().year().into()),
        ("Unix", []) => int(at.as_second()),
        ("UnixMilli", []) => int(at.as_millisecond()),
        ("UnixMicro", []) => int(at.as_microsecond()),
        // Go's 64-bit numbers wrap.
        ("UnixNano", []) => int(at.as_nanosecond() as i64),
        ("UTC" | "Local", []) => Some(Value::Time(at)),
        ("In", [place]) => zoned::location(*place).map(|zone| zoned::value(at, zone, cx.arena)),
        ("Location", []) => Some(Value::Opaque(cx.arena.alloc(Location(zone)))),
        ("Zone", []) => Some(cx.text(&zone.offset(at).1)?),
        // Go's zero time is the first instant of year 1.
        ("IsZero", []) => Some(Value::Bool(at.as_second() == -62_135_596_800 && at.subsec_nanosecond() == 0)),
        ("String", []) => Some(cx.text(&shown(at, &zone))?),
        ("Format", [Value::Str(layout)]) => Some(cx.text(&layout::format(layout, at, &zone))?),
        ("Add", [Value::Duration(by)]) => same_zone(shift(at, *by)),
        ("AddDate", [Value::Int(years), Value::Int(months), Value::Int(days)]) => {
            add_date(civil, *years, *months, *days).and_then(|civil| zone.instant(civil)).and_then(same_zone)
        }
        ("Truncate", [Value::Duration(unit)]) => same_zone(cut(at, *unit, false)),
        ("Round", [Value::Duration(unit)]) => same_zone(cut(at, *unit, true)),
        ("Sub", [time]) => other(time).map(|other| Value::Duration(between(at, other))),
        ("Before", [time]) => other(time).map(|other| Value::Bool(at < other)),
        ("After", [time]) => other(time).map(|other| Value::Bool(at > other)),
        ("Equal", [time]) => other(time).map(|other| Value::Bool(at == other)),
        ("Compare", [time]) => other(time).map(|other| Value::Int(at.cmp(&other) as i64)),
        _ => None,
    })
}

/// Go adds to each part and then counts on: the 31st of a month of 30 days is the first of the next.
fn add_date(at: jiff::civil::DateTime, years: i64, months: i64, days: i64) -> Option<jiff::civil::DateTime> {
    let month = i64::from(at.month()) - 1 + months;
    let year = i16::try_from(i64::from(at.year()).checked_add(years)?.checked_add(month.div_euclid(12))?).ok()?;
    let first = jiff::civil::Date::new(year, i8::try_from(month.rem_euclid(12) + 1).ok()?, 1).ok()?;
    let days = i64::from(at.day()) - 1 + days;
    let date = first.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    Some(date.to_datetime(at.time()))
}

/// A multiple of `unit` since Go's zero time; halves go up.
fn cut(at: Timestamp, unit: SignedDuration, round: bool) -> Timestamp {
    let unit = unit.as_nanos();
    if unit <= 0 {
        return at;
    }
    /// From Go's zero time to 1970.
    const ZERO: i128 = 62_135_596_800_000_000_000;
    let rest = (at.as_nanosecond() + ZERO).rem_euclid(unit);
    let nanos = at.as_nanosecond() - rest + if round && rest * 2 >= unit { unit } else { 0 };
    Timestamp::from_nanosecond(nanos).unwrap_or(at)
}

fn of_duration<'a>(cx: &mut Context<'a>, duration: SignedDuration, name: &str) -> Result<Option<Value<'a>>, Stop> {
    let nanos = duration.as_nanos();
    // As Go divides: whole units and the rest apart.
    let parts = |unit: i128| Value::Float((nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64);
    let int = |number: i128| Some(Value::Int(number as i64));
    Ok(match name {
        "Hours" => Some(parts(3_600_000_000_000)),
        "Minutes" => Some(parts(60_000_000_000)),
        "Seconds" => Some(parts(1_000_000_000)),
        "Milliseconds" => int(nanos / 1_000_000),
        "Microseconds" => int(nanos / 1_000),
        "Nanoseconds" => int(nanos),
        "Abs" => Some(Value::Duration(SignedDuration::from_nanos(nanos.abs().min(i64::MAX.into()) as i64))),
        "String" => {
            let text = super::convert::shown(Value::Duration(duration), cx.arena);
            Some(cx.text(&text)?)
        }
        _ => None,
    })
}

fn rounded<'a>(duration: SignedDuration, unit: SignedDuration, name: &str) -> Option<Value<'a>> {
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
    let nanos = nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    Some(Value::Duration(SignedDuration::from_nanos(nanos)))
}

#[cfg(test)]
mod tests;
