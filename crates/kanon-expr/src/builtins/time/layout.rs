//! Go's time layouts: written as the reference time `Mon Jan 2 15:04:05 MST 2006` would be.

use jiff::{
    Timestamp,
    civil::{self, Weekday},
};

use super::zoned::Zone;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// One element of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Year,
    ShortYear,
    /// The name of the month, in full or three letters of it.
    MonthName(bool),
    /// With a leading zero or without.
    Month(bool),
    WeekdayName(bool),
    Day(Pad),
    YearDay(Pad),
    Hour,
    Hour12(bool),
    Minute(bool),
    Second(bool),
    /// In capitals or not.
    HalfDay(bool),
    /// How many pairs of digits, with colons between, and whether `Z` stands for none.
    Offset {
        pairs: u8,
        colons: bool,
        z: bool,
    },
    Abbreviation,
    /// So many digits; with trailing zeros or as many as needed.
    Fraction {
        digits: usize,
        exact: bool,
        sign: char,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pad {
    None,
    Zero,
    Blank,
}

/// Spellings that begin with one letter, longest first.
const ELEMENTS: &[(&str, Element)] = {
    use Element::{
        Abbreviation, Day, HalfDay, Hour, Hour12, Minute, Month, MonthName, Offset, Second, ShortYear, WeekdayName,
        Year, YearDay,
    };
    const fn offset(pairs: u8, colons: bool, z: bool) -> Element {
        Offset { pairs, colons, z }
    }
    &[
        ("January", MonthName(true)),
        ("Monday", WeekdayName(true)),
        ("-07:00:00", offset(3, true, false)),
        ("Z07:00:00", offset(3, true, true)),
        ("-070000", offset(3, false, false)),
        ("Z070000", offset(3, false, true)),
        ("-07:00", offset(2, true, false)),
        ("Z07:00", offset(2, true, true)),
        ("-0700", offset(2, false, false)),
        ("Z0700", offset(2, false, true)),
        ("2006", Year),
        ("Jan", MonthName(false)),
        ("Mon", WeekdayName(false)),
        ("MST", Abbreviation),
        ("002", YearDay(Pad::Zero)),
        ("__2", YearDay(Pad::Blank)),
        ("-07", offset(1, false, false)),
        ("Z07", offset(1, false, true)),
        ("01", Month(true)),
        ("02", Day(Pad::Zero)),
        ("03", Hour12(true)),
        ("04", Minute(true)),
        ("05", Second(true)),
        ("06", ShortYear),
        ("15", Hour),
        ("_2", Day(Pad::Blank)),
        ("PM", HalfDay(true)),
        ("pm", HalfDay(false)),
        ("1", Month(false)),
        ("2", Day(Pad::None)),
        ("3", Hour12(false)),
        ("4", Minute(false)),
        ("5", Second(false)),
    ]
};

/// The text before the first element, the element, and what follows; `None` where the rest is all text.
fn next(layout: &str) -> Option<(&str, Element, &str)> {
    for (at, first) in layout.char_indices() {
        let rest = &layout[at..];
        if matches!(first, '.' | ',')
            && let Some(digits) = fraction(&rest[1..])
        {
            let element = Element::Fraction { digits, exact: rest[1..].starts_with('0'), sign: first };
            return Some((&layout[..at], element, &rest[1 + digits..]));
        }
        let Some((spelling, element)) = ELEMENTS.iter().find(|(spelling, _)| rest.starts_with(spelling)) else {
            continue;
        };
        let after = &rest[spelling.len()..];
        // `Janet` is no month, and `_2006` is a year behind a line.
        let word = matches!(element, Element::MonthName(false) | Element::WeekdayName(false));
        if word && after.starts_with(|c: char| c.is_ascii_lowercase()) {
            continue;
        }
        if *spelling == "_2" && after.starts_with("006") {
            return Some((&layout[..=at], Element::Year, &after[3..]));
        }
        return Some((&layout[..at], *element, after));
    }
    None
}

/// How many digits a fraction has: a run of zeros or of nines that no other digit follows.
fn fraction(rest: &str) -> Option<usize> {
    let digit = rest.chars().next().filter(|c| *c == '0' || *c == '9')?;
    let after = rest.trim_start_matches(digit);
    let ends = !after.starts_with(|c: char| c.is_ascii_digit());
    ends.then_some(rest.len() - after.len())
}

/// Writes a time.
pub(crate) fn format(layout: &str, at: Timestamp, zone: &Zone) -> String {
    let civil = zone.civil(at);
    let (offset, abbreviation) = zone.offset(at);
    let mut out = String::with_capacity(layout.len() + 8);
    let mut rest = layout;
    while let Some((text, element, after)) = next(rest) {
        out.push_str(text);
        out.push_str(&written(element, civil, offset, &abbreviation));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn padded(number: i64, pad: Pad, width: usize) -> String {
    match pad {
        Pad::None => number.to_string(),
        Pad::Zero => format!("{number:0width$}"),
        Pad::Blank => format!("{number:width$}"),
    }
}

fn written(element: Element, at: civil::DateTime, offset: i32, abbreviation: &str) -> String {
    let zero = |zero: bool, number: i8| padded(number.into(), if zero { Pad::Zero } else { Pad::None }, 2);
    let named = |names: &[&str], at: usize, full: bool| {
        let name = names.get(at).copied().unwrap_or_default();
        if full { name.to_owned() } else { name[..3.min(name.len())].to_owned() }
    };
    match element {
        Element::Year if at.year() < 0 => format!("-{:04}", -i32::from(at.year())),
        Element::Year => format!("{:04}", at.year()),
        Element::ShortYear => format!("{:02}", at.year().rem_euclid(100)),
        Element::MonthName(full) => named(&MONTHS, at.month() as usize - 1, full),
        Element::Month(pad) => zero(pad, at.month()),
        Element::WeekdayName(full) => named(&DAYS, at.weekday().to_sunday_zero_offset() as usize, full),
        Element::Day(pad) => padded(at.day().into(), pad, 2),
        Element::YearDay(pad) => padded(at.day_of_year().into(), pad, 3),
        Element::Hour => zero(true, at.hour()),
        Element::Hour12(pad) => zero(pad, if at.hour() % 12 == 0 { 12 } else { at.hour() % 12 }),
        Element::Minute(pad) => zero(pad, at.minute()),
        Element::Second(pad) => zero(pad, at.second()),
        Element::HalfDay(capitals) => match (at.hour() >= 12, capitals) {
            (true, true) => "PM".to_owned(),
            (false, true) => "AM".to_owned(),
            (true, false) => "pm".to_owned(),
            (false, false) => "am".to_owned(),
        },
        Element::Offset { z: true, .. } if offset == 0 => "Z".to_owned(),
        Element::Offset { pairs, colons, .. } => offset_text(offset, pairs, colons),
        Element::Abbreviation if abbreviation.is_empty() => offset_text(offset, 2, false),
        Element::Abbreviation => abbreviation.to_owned(),
        Element::Fraction { digits, exact, sign } => {
            let all = format!("{:09}", at.subsec_nanosecond());
            let cut = &all[..digits.min(9)];
            let cut = if exact { cut } else { cut.trim_end_matches('0') };
            let more = if exact { "0".repeat(digits.saturating_sub(9)) } else { String::new() };
            if cut.is_empty() { String::new() } else { format!("{sign}{cut}{more}") }
        }
    }
}

fn offset_text(offset: i32, pairs: u8, colons: bool) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let seconds = offset.unsigned_abs();
    let parts = [seconds / 3600, seconds / 60 % 60, seconds % 60];
    let parts: Vec<String> = parts.iter().take(pairs.into()).map(|part| format!("{part:02}")).collect();
    format!("{sign}{}", parts.join(if colons { ":" } else { "" }))
}

/// What a text says of a time.
#[derive(Default)]
struct Read {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i32,
    half: Option<bool>,
    utc: bool,
    offset: Option<i32>,
    abbreviation: Option<String>,
}

/// Reads `text`; times that say nothing of a zone are in `zone`. `None` where the text is not of the layout.
pub(crate) fn parse(layout: &str, text: &str, zone: &Zone) -> Option<(Timestamp, Zone)> {
    let mut read = Read::default();
    let (mut layout, mut text) = (layout, text);
    while let Some((before, element, after)) = next(layout) {
        text = skip(text, before)?;
        text = read.element(element, text, after)?;
        layout = after;
    }
    skip(text, layout).filter(|rest| rest.is_empty())?;
    read.finish(zone)
}

/// Goes past the text of a layout: blanks stand for any number of blanks.
fn skip<'t>(text: &'t str, layout: &str) -> Option<&'t str> {
    let (mut text, mut layout) = (text, layout);
    while let Some(first) = layout.chars().next() {
        if first == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return None;
            }
            (text, layout) = (text.trim_start_matches(' '), layout.trim_start_matches(' '));
            continue;
        }
        (text, layout) = (text.strip_prefix(first)?, &layout[first.len_utf8()..]);
    }
    Some(text)
}

fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let number = text.get(..count).filter(|it| it.bytes().all(|b| b.is_ascii_digit()))?;
    Some((number.parse().ok()?, &text[count..]))
}

/// Two digits, or where the layout has no leading zero, one or two.
fn number(text: &str, fixed: bool) -> Option<(i64, &str)> {
    digits(text, 2).or_else(|| if fixed { None } else { digits(text, 1) })
}

fn name<'t>(names: &[&str], text: &'t str, full: bool) -> Option<(usize, &'t str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let name = if full { name } else { &name[..3] };
        let found = text.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name));
        found.then(|| (at, &text[name.len()..]))
    })
}

fn within(value: (i64, &str), least: i64, most: i64) -> Option<(i64, &str)> {
    (least..=most).contains(&value.0).then_some(value)
}

impl Read {
    /// Reads one element; what is left of the text.
    fn element<'t>(&mut self, element: Element, text: &'t str, after: &str) -> Option<&'t str> {
        let text = match element {
            Element::Day(Pad::Blank) => text.strip_prefix(' ').unwrap_or(text),
            Element::YearDay(Pad::Blank) => text.trim_start_matches(' '),
            _ => text,
        };
        let (value, rest) = match element {
            Element::Year => {
                text.get(..4)?.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
                let (year, rest) = digits(text, 4)?;
                self.year = year;
                return Some(rest);
            }
            Element::ShortYear => {
                let (year, rest) = digits(text, 2)?;
                self.year = if year >= 69 { 1900 + year } else { 2000 + year };
                return Some(rest);
            }
            Element::MonthName(full) => {
                let (month, rest) = name(&MONTHS, text, full)?;
                self.month = Some(month as i64 + 1);
                return Some(rest);
            }
            // Not compared with the date, as in the original.
            Element::WeekdayName(full) => return name(&DAYS, text, full).map(|it| it.1),
            Element::Offset { pairs, colons, z } => return self.offset(text, pairs, colons, z),
            Element::Abbreviation => return self.abbreviation(text),
            Element::HalfDay(capitals) => {
                let (am, pm) = if capitals { ("AM", "PM") } else { ("am", "pm") };
                self.half = Some(text.starts_with(pm));
                return text.strip_prefix(pm).or_else(|| text.strip_prefix(am));
            }
            Element::Fraction { digits: count, exact: true, .. } => {
                let (sign, rest) = text.split_at_checked(1)?;
                (sign == "." || sign == ",").then_some(())?;
                let (_, after) = digits(rest, count)?;
                self.nanosecond = nanoseconds(&rest[..count]);
                return Some(after);
            }
            Element::Fraction { exact: false, .. } => return Some(self.loose_fraction(text, 9)),
            Element::Month(fixed) => within(number(text, fixed)?, 1, 12)?,
            Element::Day(pad) => number(text, pad == Pad::Zero)?,
            Element::YearDay(pad) => match pad {
                Pad::Blank => {
                    let len = text.bytes().take(3).take_while(u8::is_ascii_digit).count();
                    digits(text, len).filter(|_| len > 0)?
                }
                Pad::Zero | Pad::None => digits(text, 3)?,
            },
            Element::Hour => within(number(text, false)?, 0, 23)?,
            Element::Hour12(fixed) => within(number(text, fixed)?, 0, 12)?,
            Element::Minute(fixed) | Element::Second(fixed) => within(number(text, fixed)?, 0, 59)?,
        };
        match element {
            Element::Month(_) => self.month = Some(value),
            Element::Day(_) => self.day = Some(value),
            Element::YearDay(_) => self.year_day = Some(value),
            Element::Minute(_) => self.minute = value,
            Element::Second(_) => {
                self.second = value;
                // A fraction may follow the seconds even where the layout has none.
                if !matches!(next(after), Some(("", Element::Fraction { .. }, _))) {
                    return Some(self.loose_fraction(rest, usize::MAX));
                }
            }
            _ => self.hour = value,
        }
        Some(rest)
    }

    /// A fraction, if there is one.
    fn loose_fraction<'t>(&mut self, text: &'t str, most: usize) -> &'t str {
        let Some(rest) = text.strip_prefix(['.', ',']) else { return text };
        let len = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if len == 0 {
            return text;
        }
        self.nanosecond = nanoseconds(&rest[..len]);
        &rest[len..]
    }

    fn offset<'t>(&mut self, text: &'t str, pairs: u8, colons: bool, z: bool) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix('Z').filter(|_| z) {
            self.utc = true;
            return Some(rest);
        }
        let negative = text.starts_with('-');
        let mut rest = text.strip_prefix(['+', '-'])?;
        let mut seconds = 0;
        for (at, scale) in [3600, 60, 1].into_iter().take(pairs.into()).enumerate() {
            if colons && at > 0 {
                rest = rest.strip_prefix(':')?;
            }
            let (part, after) = within(digits(rest, 2)?, 0, if at == 0 { 24 } else { 60 })?;
            seconds += part as i32 * scale;
            rest = after;
        }
        self.offset = Some(if negative { -seconds } else { seconds });
        Some(rest)
    }

    fn abbreviation<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix("UTC") {
            self.utc = true;
            return Some(rest);
        }
        let len = abbreviation_len(text)?;
        self.abbreviation = Some(text[..len].to_owned());
        Some(&text[len..])
    }

    fn finish(self, zone: &Zone) -> Option<(Timestamp, Zone)> {
        let hour = match self.half {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let year = i16::try_from(self.year).ok()?;
        let date = match self.year_day {
            Some(day) => {
                let day = i16::try_from(day).ok()?;
                let date = civil::Date::new(year, 1, 1).ok()?.with().day_of_year(day).build().ok()?;
                let agrees = |given: Option<i64>, found: i8| given.is_none_or(|it| it == i64::from(found));
                (agrees(self.month, date.month()) && agrees(self.day, date.day())).then_some(date)?
            }
            None => {
                let part = |given: Option<i64>| i8::try_from(given.unwrap_or(1)).ok();
                civil::Date::new(year, part(self.month)?, part(self.day)?).ok()?
            }
        };
        let time = civil::Time::new(hour as i8, self.minute as i8, self.second as i8, self.nanosecond).ok()?;
        let civil = date.to_datetime(time);
        let utc = Zone::UTC.instant(civil);
        if self.utc {
            return utc.map(|at| (at, Zone::UTC));
        }
        let earlier = |seconds: i32| utc?.checked_sub(jiff::SignedDuration::from_secs(seconds.into())).ok();
        let abbreviation = self.abbreviation.unwrap_or_default();
        if let Some(offset) = self.offset {
            let at = earlier(offset)?;
            let (own, name) = zone.offset(at);
            let same = own == offset && (abbreviation.is_empty() || abbreviation == name);
            return Some((at, if same { *zone } else { Zone::fixed(offset, &abbreviation) }));
        }
        if !abbreviation.is_empty() {
            // One that the zone has, at that time or else in winter or summer, is its own; others say nothing of an offset.
            let half = |month: i8| Zone::UTC.instant(civil::Date::new(year, month, 1).ok()?.to_datetime(time));
            let own = [utc, half(1), half(7)].into_iter().flatten().find_map(|probe| {
                let (offset, name) = zone.offset(probe);
                (name == abbreviation).then_some(offset)
            });
            if let Some(offset) = own {
                return Some((earlier(offset)?, *zone));
            }
            let hours: i32 = abbreviation.strip_prefix("GMT").and_then(|it| it.parse().ok()).unwrap_or(0);
            return Some((earlier(hours * 3600)?, Zone::fixed(hours * 3600, &abbreviation)));
        }
        zone.instant(civil).map(|at| (at, *zone))
    }
}

/// The first nine digits behind the point.
fn nanoseconds(digits: &str) -> i32 {
    format!("{:0<9.9}", digits).parse().unwrap_or(0)
}

/// How long the abbreviation of a zone at the start of a text is.
fn abbreviation_len(text: &str) -> Option<usize> {
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    let signed = |text: &str| -> Option<usize> {
        let rest = text.strip_prefix(['+', '-'])?;
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let hours: u32 = rest[..len].parse().ok()?;
        (hours <= 23).then_some(len + 1)
    };
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed(rest).unwrap_or(0));
    }
    if text.starts_with(['+', '-']) {
        return signed(text);
    }
    let len = text.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    match len {
        3 => Some(3),
        4 if text.as_bytes()[3] == b'T' || text.starts_with("WITA") => Some(4),
        5 if text.as_bytes()[4] == b'T' => Some(5),
        _ => None,
    }
}

/// Days of the week in Go's numbering.
pub(crate) fn weekday_number(day: Weekday) -> i64 {
    day.to_sunday_zero_offset().into()
}
