//! Go's time layouts: written as the reference time `Mon Jan 2 15:04:05 MST 2006` would be.

use jiff::{
    Timestamp,
    fmt::strtime::{self, BrokenDownTime},
    tz::TimeZone,
};

/// Go's elements, longest first where one begins another, with what they are in strftime.
const ELEMENTS: &[(&str, &str)] = &[
    ("January", "%B"),
    ("Monday", "%A"),
    ("Z07:00", "%:z"),
    ("-07:00", "%:z"),
    ("-0700", "%z"),
    ("2006", "%Y"),
    ("Jan", "%b"),
    ("Mon", "%a"),
    ("MST", "%Z"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("_2", "%e"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
];

fn strftime(layout: &str) -> String {
    let mut out = String::with_capacity(layout.len() * 2);
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if let Some((element, format)) = ELEMENTS.iter().find(|(element, _)| rest.starts_with(element)) {
            out.push_str(format);
            rest = &rest[element.len()..];
            continue;
        }
        // Fractions of a second: `.000` has as many digits as written, `.999` as many as needed.
        if (first == '.' || first == ',')
            && let Some(digits) = fraction(&rest[1..])
        {
            let exact = rest[1..].starts_with('0');
            out.push_str(&if exact { format!("%.{digits}f") } else { "%.f".to_owned() });
            rest = &rest[1 + digits..];
            continue;
        }
        match first {
            '%' => out.push_str("%%"),
            c => out.push(c),
        }
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// How many digits a fraction has: a run of zeros or of nines that no other digit follows.
fn fraction(rest: &str) -> Option<usize> {
    let digit = rest.chars().next().filter(|c| *c == '0' || *c == '9')?;
    let after = rest.trim_start_matches(digit);
    let ends = !after.starts_with(|c: char| c.is_ascii_digit());
    ends.then_some(rest.len() - after.len())
}

/// Reads `text`; times without an offset are in `zone`.
pub(super) fn parse(layout: &str, text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let mut format = strftime(layout);
    let mut text = text.to_owned();
    if layout.contains("Z07:00") && text.ends_with('Z') {
        text.truncate(text.len() - 1);
        text.push_str("+00:00");
    }
    // An abbreviation says nothing reliable: Go reads unknown ones as UTC, and so do we all of them.
    let mut abbreviated = false;
    if format.contains("%Z") {
        let at = text.split_whitespace().last()?;
        if at.len() < 3 || !at.bytes().all(|b| b.is_ascii_uppercase()) {
            return None;
        }
        abbreviated = true;
        text.truncate(text.len() - at.len());
        format = format.replace("%Z", "");
    }
    // Go takes a fraction after the seconds even where the layout has none.
    let fraction = text.find("%S").is_none() && !format.contains(".f");
    let broken = BrokenDownTime::parse(&format, &text).or_else(|error| match fraction {
        true => BrokenDownTime::parse(format.replace("%S", "%S%.f"), &text),
        false => Err(error),
    });
    let broken = broken.ok()?;
    if broken.offset().is_some() {
        return broken.to_timestamp().ok();
    }
    let time = broken.to_time().unwrap_or(jiff::civil::Time::midnight());
    // A time without a date is in Go's year 0.
    let date = match broken.to_date() {
        Ok(date) => date,
        Err(_) if broken.year().is_none() => jiff::civil::Date::new(0, 1, 1).ok()?,
        Err(_) => return None,
    };
    let zone = if abbreviated { &TimeZone::UTC } else { zone };
    zone.to_timestamp(date.to_datetime(time)).ok()
}

/// Writes a time, in UTC.
pub(super) fn format(layout: &str, time: Timestamp) -> String {
    let utc = time.to_zoned(TimeZone::UTC);
    let format = strftime(layout);
    let text = strtime::format(&format, &utc).unwrap_or_default();
    if layout.contains("Z07:00") { text.replace("+00:00", "Z") } else { text }
}
