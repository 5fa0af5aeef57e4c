//! `schedule`: one reading of the clock, in UTC and in the gate's zone (spec/promotion-gates 2.4.2, 7.2).

use jiff::{Timestamp, civil, tz::TimeZone};
use kanon_lang::{Arena, Record, Value};

/// `schedule`, `schedule.local`, and what `schedule.inZone("…")` gives. It holds no zone: only what a zone made of the time.
pub(crate) struct Schedule {
    now: Timestamp,
    at: civil::DateTime,
    /// In the gate's zone; the record itself has none.
    local: Option<civil::DateTime>,
}

impl Schedule {
    /// UTC, with `zone` as the local one.
    pub(crate) fn new(now: Timestamp, zone: &TimeZone) -> Schedule {
        Schedule { now, at: TimeZone::UTC.to_datetime(now), local: Some(zone.to_datetime(now)) }
    }

    /// The same instant in another zone.
    pub(crate) fn elsewhere(now: Timestamp, zone: &TimeZone) -> Schedule {
        Schedule { now, at: zone.to_datetime(now), local: None }
    }
}

impl Record for Schedule {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let at = self.at;
        let weekday = at.weekday();
        let weekend = matches!(weekday, civil::Weekday::Saturday | civil::Weekday::Sunday);
        Some(match name {
            "isWeekend" => Value::Bool(weekend),
            "hour" => Value::Int(at.hour().into()),
            "minute" => Value::Int(at.minute().into()),
            "dayOfWeek" => Value::Str(match weekday {
                civil::Weekday::Monday => "Monday",
                civil::Weekday::Tuesday => "Tuesday",
                civil::Weekday::Wednesday => "Wednesday",
                civil::Weekday::Thursday => "Thursday",
                civil::Weekday::Friday => "Friday",
                civil::Weekday::Saturday => "Saturday",
                civil::Weekday::Sunday => "Sunday",
            }),
            "date" => Value::Str(arena.alloc_str(&at.date().to_string())),
            "dayOfMonth" => Value::Int(at.day().into()),
            "month" => Value::Int(at.month().into()),
            "week" => Value::Int(at.date().iso_week_date().week().into()),
            "now" => Value::Time(self.now),
            "local" => {
                let at = self.local?;
                Value::Record(arena.alloc(Schedule { now: self.now, at, local: None }))
            }
            _ => return None,
        })
    }

    fn names(&self) -> &[&str] {
        const NAMES: &[&str] =
            &["date", "dayOfMonth", "dayOfWeek", "hour", "isWeekend", "local", "minute", "month", "now", "week"];
        match self.local {
            Some(_) => NAMES,
            None => &NAMES_ELSEWHERE,
        }
    }
}

const NAMES_ELSEWHERE: [&str; 9] =
    ["date", "dayOfMonth", "dayOfWeek", "hour", "isWeekend", "minute", "month", "now", "week"];
