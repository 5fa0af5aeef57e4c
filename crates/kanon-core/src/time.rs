//! Time as an argument. A shell reads both clocks once per input and passes [`Now`] down; nothing below reads a clock.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Monotonic time since the process (or the simulation) began. Never goes back; knows no date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mono(pub Duration);

impl Mono {
    /// This moment plus `duration`; the far end of time where that overflows.
    pub fn after(self, duration: Duration) -> Mono {
        Mono(self.0.saturating_add(duration))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Mono) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A steady clock that the shells lend: for bounds on work under way, which an argument cannot hold. What is decided never depends
/// on it, but for whether there is a decision in time.
pub trait Stopwatch: Send + Sync {
    /// This moment.
    fn mono(&self) -> Mono;
}

/// The moment an input is handled: policies compare `wall`, deadlines and rates use `mono`.
/// It is recorded with every decision, so that a replay sees the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// The date, UTC.
    pub wall: Timestamp,
    /// The steady clock.
    pub mono: Mono,
}

impl Now {
    /// A moment given by its parts: what shells and simulations call.
    pub fn new(wall: Timestamp, mono: Mono) -> Now {
        Now { wall, mono }
    }

    /// The wall time in whole seconds, as Kubernetes writes it: `2026-11-21T09:00:00Z`.
    pub fn rfc3339(&self) -> String {
        rfc3339(self.wall)
    }
}

/// A moment in whole seconds, as Kubernetes writes it: `2026-11-21T09:00:00Z`. What `strftime` gives, in a tenth of its time: every
/// object that is written has two of these.
pub fn rfc3339(at: Timestamp) -> String {
    /// From the first of March of the year 0, where leap days end years, to 1970.
    const EPOCH: i64 = 719_468;
    const DAY: i64 = 86_400;
    const ERA: i64 = 146_097;
    let second = at.as_second() - i64::from(at.subsec_nanosecond() < 0);
    let (days, of_day) = (second.div_euclid(DAY) + EPOCH, second.rem_euclid(DAY));
    // Years of 400 have equally many days; within one, leap days come every 4 years but not every 100.
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / (ERA - 1)) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    if !(0..=9999).contains(&year) {
        return at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    }
    let mut text = String::with_capacity(20);
    let parts = [(year / 100, ""), (year % 100, "-"), (month, "-"), (day, "T")];
    for (number, end) in parts.into_iter().chain([(of_day / 3600, ":"), (of_day / 60 % 60, ":"), (of_day % 60, "Z")]) {
        text.push(digit(number / 10));
        text.push(digit(number % 10));
        text.push_str(end);
    }
    text
}

/// Of a number below ten.
fn digit(number: i64) -> char {
    u8::try_from(number).map_or('0', |it| char::from(b'0' + it))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(second: i64, nanosecond: i32) {
        let Ok(at) = Timestamp::new(second, nanosecond) else { return };
        assert_eq!(rfc3339(at), at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "{second} {nanosecond}");
    }

    #[test]
    fn the_edges_of_days_months_and_years_are_what_strftime_says() {
        for day in -25_567..47_482 {
            check(day * 86_400, 0);
            check(day * 86_400 - 1, 999_999_999);
        }
    }

    proptest! {
        #[test]
        fn every_moment_is_what_strftime_says(second in -400_000_000_000_i64..260_000_000_000, nanosecond in -999_999_999..=999_999_999) {
            check(second, nanosecond);
        }
    }
}
