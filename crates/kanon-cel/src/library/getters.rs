//! Fields of points in time, in UTC or a zone, and of lengths of time.

use jiff::civil::DateTime;
use kanon_lang::{Context, Function, Native, Stop, Type, Value};

use super::arguments as arg;
use crate::values::{no_overload, time};

pub(super) fn functions() -> Vec<Function> {
    let of_time: [(&'static str, Native); 10] = [
        ("getFullYear", |cx, args| field(cx, args, |it| i64::from(it.year()))),
        ("getMonth", |cx, args| field(cx, args, |it| i64::from(it.month()) - 1)),
        ("getDate", |cx, args| field(cx, args, |it| i64::from(it.day()))),
        ("getDayOfMonth", |cx, args| field(cx, args, |it| i64::from(it.day()) - 1)),
        ("getDayOfWeek", |cx, args| field(cx, args, |it| i64::from(it.weekday().to_sunday_zero_offset()))),
        ("getDayOfYear", |cx, args| field(cx, args, |it| i64::from(it.day_of_year()) - 1)),
        ("getHours", |cx, args| field(cx, args, |it| i64::from(it.hour()))),
        ("getMinutes", |cx, args| field(cx, args, |it| i64::from(it.minute()))),
        ("getSeconds", |cx, args| field(cx, args, |it| i64::from(it.second()))),
        ("getMilliseconds", |cx, args| field(cx, args, |it| i64::from(it.subsec_nanosecond()) / 1_000_000)),
    ];
    // Whole units of the length, not the field that a clock would show: as in cel-go, for all four.
    let of_length: [(&'static str, Native); 4] = [
        ("getHours", |cx, args| whole(cx, args, 3_600_000_000_000)),
        ("getMinutes", |cx, args| whole(cx, args, 60_000_000_000)),
        ("getSeconds", |cx, args| whole(cx, args, 1_000_000_000)),
        ("getMilliseconds", |cx, args| whole(cx, args, 1_000_000)),
    ];
    let mut out = Vec::new();
    for (name, body) in of_time {
        out.push(Function::method(name, [Type::Timestamp], Type::Int, body));
        out.push(Function::method(name, [Type::Timestamp, Type::String], Type::Int, body));
    }
    out.extend(of_length.map(|(name, body)| Function::method(name, [Type::Duration], Type::Int, body)));
    out
}

fn field<'a>(cx: &mut Context<'a>, args: &[Value<'a>], read: fn(DateTime) -> i64) -> Result<Value<'a>, Stop> {
    let zone = if args.len() > 1 { arg::text(cx, args, 1)? } else { "UTC" };
    let Some(nanos) = time::nanoseconds(arg::value(cx, args, 0)?) else {
        return no_overload(cx);
    };
    let civil = time::civil_in(cx, nanos, zone)?;
    Ok(Value::Int(read(civil)))
}

fn whole<'a>(cx: &mut Context<'a>, args: &[Value<'a>], unit: i128) -> Result<Value<'a>, Stop> {
    match arg::value(cx, args, 0)? {
        // Fits: durations have 64 bits of nanoseconds.
        Value::Duration(duration) => Ok(Value::Int((duration.as_nanos() / unit) as i64)),
        _ => no_overload(cx),
    }
}
