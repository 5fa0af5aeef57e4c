//! `--time`: `Saturday 3pm`, `Fri 23:30 Europe/Berlin`, RFC 3339, `+3h`, `now`.

use jiff::{Timestamp, ToSpan, civil, tz::TimeZone};

use crate::{duration, window::zone};

/// The instant that `text` means at `now`. A weekday is the next one, today included.
///
/// # Errors
/// What is expected instead.
pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong = || {
        format!("`{text}` is no time: write `Saturday 3pm`, `Fri 23:30 Europe/Berlin`, `2026-04-11T15:00:00Z` or `+3h`")
    };
    if text == "now" {
        return Ok(now);
    }
    if let Some(ahead) = text.strip_prefix('+') {
        let ahead = duration::parse(ahead).ok_or_else(wrong)?;
        return now.checked_add(ahead).map_err(|_| wrong());
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let words: Vec<_> = text.split_whitespace().collect();
    let (day, rest) = words.split_first().ok_or_else(wrong)?;
    let day = weekday(day).ok_or_else(wrong)?;
    // `3 pm` is two words.
    let (time, name) = match rest {
        [time] => ((*time).to_owned(), ""),
        [time, half] if is_half(half) => (format!("{time}{half}"), ""),
        [time, name] => ((*time).to_owned(), *name),
        [time, half, name] if is_half(half) => (format!("{time}{half}"), *name),
        _ => return Err(wrong()),
    };
    let time = clock_time(&time).ok_or_else(wrong)?;
    let zone: TimeZone = zone(name).map_err(|problem| format!("the zone {problem}"))?;
    let mut date = zone.to_datetime(now).date();
    while date.weekday() != day {
        date = date.checked_add(1.day()).map_err(|_| wrong())?;
    }
    date.to_datetime(time).to_zoned(zone).map(|it| it.timestamp()).map_err(|_| wrong())
}

fn is_half(word: &str) -> bool {
    word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm")
}

/// `Saturday`, `sat`.
fn weekday(word: &str) -> Option<civil::Weekday> {
    const DAYS: [(&str, civil::Weekday); 7] = [
        ("monday", civil::Weekday::Monday),
        ("tuesday", civil::Weekday::Tuesday),
        ("wednesday", civil::Weekday::Wednesday),
        ("thursday", civil::Weekday::Thursday),
        ("friday", civil::Weekday::Friday),
        ("saturday", civil::Weekday::Saturday),
        ("sunday", civil::Weekday::Sunday),
    ];
    let word = word.trim_end_matches(',').to_ascii_lowercase();
    DAYS.iter().find(|(name, _)| *name == word || word.len() == 3 && name.starts_with(&word)).map(|(_, day)| *day)
}

/// `3pm`, `3:30pm`, `12am`, `15:00`, `15`.
fn clock_time(word: &str) -> Option<civil::Time> {
    let lower = word.to_ascii_lowercase();
    let (digits, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(0)),
        (_, Some(digits)) => (digits, Some(12)),
        _ => (lower.as_str(), None),
    };
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
    let number = |text: &str| (text.len() <= 2).then(|| text.parse::<i8>().ok())?.filter(|it| *it >= 0);
    let (hour, minute) = (number(hour)?, number(minute)?);
    let hour = match half {
        // Twelve is the hour before one: 12am is midnight.
        Some(offset) if (1..=12).contains(&hour) => hour % 12 + offset,
        Some(_) => return None,
        None => hour,
    };
    civil::Time::new(hour, minute, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        // A Tuesday.
        let now: Timestamp = "2026-04-07T10:00:00Z".parse().unwrap();
        assert_eq!(parse(text, now).map(|it| it.to_string()).as_deref(), Ok(want), "{text}");
    }

    #[test]
    fn times_read_as_people_write_them() {
        check("Saturday 3pm", "2026-04-11T15:00:00Z");
        check("saturday 3 PM", "2026-04-11T15:00:00Z");
        check("Sat 12am", "2026-04-11T00:00:00Z");
        check("Sat 12pm", "2026-04-11T12:00:00Z");
        check("Sat 12:30am", "2026-04-11T00:30:00Z");
        check("Tuesday 09:15", "2026-04-07T09:15:00Z");
        check("Sat 3pm Europe/Berlin", "2026-04-11T13:00:00Z");
        check("Sat 3 pm Europe/Berlin", "2026-04-11T13:00:00Z");
        check("2026-04-11T15:00:00+02:00", "2026-04-11T13:00:00Z");
        check("+3h", "2026-04-07T13:00:00Z");
        check("now", "2026-04-07T10:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let now = Timestamp::UNIX_EPOCH;
        for text in ["", "Saturday", "Caturday 3pm", "Sat 13pm", "Sat 0am", "Sat 25:00", "Sat 3pm Mars", "+3d", "3pm"] {
            assert!(parse(text, now).is_err(), "{text}");
        }
    }
}
