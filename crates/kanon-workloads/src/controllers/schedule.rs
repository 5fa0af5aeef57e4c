//! Schedules of cron jobs: five fields or a word, in a time zone.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

/// When something is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    /// At minutes that all fields allow.
    Fields(Fields),
    /// That many seconds after the last time.
    Every(i64),
}

/// Allowed values as bits, and whether the days of month and week are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Years that are searched: the 29th of February comes at least every eighth.
const YEARS: i16 = 9;

impl Schedule {
    /// Reads `*/5 * * * *`, `@hourly`, `@every 1h30m`.
    pub(super) fn parse(text: &str) -> Option<Schedule> {
        let text = text.trim();
        if let Some(every) = text.strip_prefix("@every ") {
            let every: SignedDuration = every.trim().parse().ok()?;
            return (every.as_secs() > 0).then(|| Schedule::Every(every.as_secs()));
        }
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            _ => text,
        };
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = parts.as_slice() else { return None };
        Some(Schedule::Fields(Fields {
            minutes: field(minutes, 0..=59, &[])?,
            hours: field(hours, 0..=23, &[])?,
            days: field(days, 1..=31, &[])?,
            months: field(months, 1..=12, &MONTHS)?,
            weekdays: field(weekdays, 0..=6, &WEEKDAYS)?,
            any_day: days.starts_with(['*', '?']),
            any_weekday: weekdays.starts_with(['*', '?']),
        }))
    }

    /// The first time after a moment.
    pub(super) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Schedule::Every(seconds) => after.checked_add(SignedDuration::from_secs(*seconds)).ok(),
            Schedule::Fields(fields) => fields.next(after, zone),
        }
    }

    /// The last time after `since` that is not later than `now`.
    pub(super) fn last(&self, since: Timestamp, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if let Schedule::Every(seconds) = self {
            let times = (now.as_second() - since.as_second()).div_euclid(*seconds);
            return (times > 0).then(|| since + SignedDuration::from_secs(times * seconds));
        }
        // Looks further and further back: the last one is mostly near.
        let mut window = 120;
        loop {
            let from = since.max(now.checked_sub(SignedDuration::from_secs(window)).unwrap_or(since));
            let mut found = None;
            let mut at = from;
            while let Some(next) = self.next(at, zone).filter(|it| *it <= now) {
                found = Some(next);
                at = next;
            }
            if found.is_some() || from == since {
                return found;
            }
            window *= 4;
        }
    }
}

impl Fields {
    fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = after.to_zoned(zone.clone()).datetime();
        let mut at = local.date().at(local.hour(), local.minute(), 0, 0);
        let last = local.year().checked_add(YEARS)?;
        loop {
            at = at.checked_add(SignedDuration::from_mins(1)).ok()?;
            at = self.fit(at, last)?;
            let found = zone.to_ambiguous_timestamp(at).compatible().ok()?;
            // A time that the clocks skip or repeat may come out before the moment asked for.
            if found > after {
                return Some(found);
            }
        }
    }

    /// The first minute from `at` on that all fields allow.
    fn fit(&self, mut at: DateTime, last: i16) -> Option<DateTime> {
        let has = |bits: u64, value: i8| u32::try_from(value).is_ok_and(|it| bits & (1 << it) != 0);
        loop {
            let date = at.date();
            if date.year() > last {
                return None;
            }
            if !has(self.months, date.month()) {
                at = date.last_of_month().tomorrow().ok()?.at(0, 0, 0, 0);
            } else if !self.has_day(at) {
                at = date.tomorrow().ok()?.at(0, 0, 0, 0);
            } else if !has(self.hours, at.hour()) {
                at = date.at(at.hour(), 0, 0, 0).checked_add(SignedDuration::from_hours(1)).ok()?;
            } else if !has(self.minutes, at.minute()) {
                at = at.checked_add(SignedDuration::from_mins(1)).ok()?;
            } else {
                return Some(at);
            }
        }
    }

    /// Where both day fields say something, either will do.
    fn has_day(&self, at: DateTime) -> bool {
        let day = self.days & (1 << at.day()) != 0;
        let weekday = self.weekdays & (1 << at.weekday().to_sunday_zero_offset()) != 0;
        if self.any_day || self.any_weekday { day && weekday } else { day || weekday }
    }
}

fn field(text: &str, bounds: std::ops::RangeInclusive<u32>, names: &[&str]) -> Option<u64> {
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|it| *it > 0)?),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (value(first, &bounds, names)?, value(last, &bounds, names)?),
            None if range == "*" || range == "?" => (*bounds.start(), *bounds.end()),
            None => {
                let first = value(range, &bounds, names)?;
                // `3/10` means from 3 on.
                (first, if part.contains('/') { *bounds.end() } else { first })
            }
        };
        if first > last {
            return None;
        }
        let mut at = first;
        while at <= last {
            bits |= 1_u64 << at;
            at = at.checked_add(step)?;
        }
    }
    Some(bits)
}

fn value(text: &str, bounds: &std::ops::RangeInclusive<u32>, names: &[&str]) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let named = names.iter().position(|it| *it == lower).and_then(|it| u32::try_from(it).ok());
    let value = named.map(|it| it + bounds.start()).or_else(|| text.parse().ok())?;
    bounds.contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_time_is_the_first_that_all_fields_allow() {
        let berlin = || TimeZone::get("Europe/Berlin").unwrap();
        for (schedule, zone, after, want) in [
            ("*/5 * * * *", TimeZone::UTC, "2026-01-01T00:02:30Z", "2026-01-01T00:05:00Z"),
            ("0 9 * * mon-fri", TimeZone::UTC, "2026-11-20T09:00:00Z", "2026-11-23T09:00:00Z"),
            ("30 2 * * *", berlin(), "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),
            ("0 0 29 2 *", TimeZone::UTC, "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 13 * fri", TimeZone::UTC, "2026-11-12T00:00:00Z", "2026-11-13T00:00:00Z"),
            ("0 0 1 jan,JUL *", TimeZone::UTC, "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"),
            ("@hourly", TimeZone::UTC, "2026-01-01T00:59:59Z", "2026-01-01T01:00:00Z"),
            ("@every 90s", TimeZone::UTC, "2026-01-01T00:00:00Z", "2026-01-01T00:01:30Z"),
            ("50/5 * * * *", TimeZone::UTC, "2026-01-01T00:51:00Z", "2026-01-01T00:55:00Z"),
        ] {
            let parsed = Schedule::parse(schedule).expect(schedule);
            assert_eq!(parsed.next(at(after), &zone), Some(at(want)), "{schedule}");
        }
    }

    #[test]
    fn the_last_time_is_found_however_far_back() {
        for (schedule, since, want) in [
            ("* * * * *", "2020-01-01T00:00:00Z", Some("2026-01-10T00:00:00Z")),
            ("0 0 1 1 *", "2020-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
            ("0 0 1 1 *", "2026-01-05T00:00:00Z", None),
            ("@every 7h", "2026-01-09T00:00:00Z", Some("2026-01-09T21:00:00Z")),
        ] {
            let parsed = Schedule::parse(schedule).expect(schedule);
            let now = at("2026-01-10T00:00:00Z");
            assert_eq!(parsed.last(at(since), now, &TimeZone::UTC), want.map(at), "{schedule}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in
            ["", "* * * *", "60 * * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "@soon", "@every 0s", "x * * * *"]
        {
            assert_eq!(Schedule::parse(text), None, "{text}");
        }
        // A day that never comes is one, but never due.
        let never = Schedule::parse("0 0 30 2 *").unwrap();
        assert_eq!(never.next(at("2026-01-01T00:00:00Z"), &TimeZone::UTC), None);
    }
}
