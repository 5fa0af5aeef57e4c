//! Rates (`5/min`) and token buckets under a clock that is passed in.
//!
//! Grammar (seed "Rule schema", `rateLimit`): `<N>/<unit>`, unit `s|sec`, `m|min`, `h|hr`; N is at least 1.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use crate::time::Mono;

/// So many in a second, minute or hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

/// Why a text is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rate: write a number, a slash and `s`, `min` or `hr`, such as `5/min`")]
pub struct ParseRateError(pub String);

impl Rate {
    /// `count` in every second.
    pub const fn per_second(count: NonZeroU32) -> Rate {
        Rate { count, unit: Unit::Second }
    }

    /// How many in one period.
    pub fn count(self) -> u32 {
        self.count.get()
    }

    /// The period.
    pub fn period(self) -> Duration {
        Duration::from_secs(match self.unit {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 3600,
        })
    }
}

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Rate, ParseRateError> {
        let wrong = || ParseRateError(text.to_owned());
        let (count, unit) = text.trim().split_once('/').ok_or_else(wrong)?;
        let count = count.trim().parse().map_err(|_| wrong())?;
        let unit = match unit.trim() {
            "s" | "sec" => Unit::Second,
            "m" | "min" => Unit::Minute,
            "h" | "hr" => Unit::Hour,
            _ => return Err(wrong()),
        };
        Ok(Rate { count, unit })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Second => "s",
            Unit::Minute => "min",
            Unit::Hour => "hr",
        };
        write!(out, "{}/{unit}", self.count)
    }
}

/// A token bucket: `burst` at once, refilled evenly at `rate`. Whole nanoseconds inside, so that replays agree.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Time it takes to earn one token.
    interval: Duration,
    /// Credit of a full bucket.
    full: Duration,
    /// What is left, in time, as of `updated`.
    credit: Duration,
    updated: Mono,
}

impl TokenBucket {
    /// A full bucket. `burst` of 0 is taken as 1: a bucket that never gives is a different thing.
    pub fn new(rate: Rate, burst: u32) -> TokenBucket {
        let interval = rate.period() / rate.count();
        let full = interval.saturating_mul(burst.max(1));
        TokenBucket { interval, full, credit: full, updated: Mono::default() }
    }

    /// Takes one token, or says when the next one will be there.
    pub fn take(&mut self, now: Mono) -> Result<(), Mono> {
        self.credit = self.credit.saturating_add(now.since(self.updated)).min(self.full);
        self.updated = self.updated.max(now);
        match self.credit.checked_sub(self.interval) {
            Some(left) => {
                self.credit = left;
                Ok(())
            }
            None => Err(self.updated.after(self.interval - self.credit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Mono {
        Mono(Duration::from_millis(100_000 + millis))
    }

    #[test]
    fn rates_read_as_the_seed_writes_them() {
        for (text, count, secs) in [("5/min", 5, 60), ("1/s", 1, 1), ("2/sec", 2, 1), ("7/m", 7, 60), ("3/hr", 3, 3600)]
        {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.count(), rate.period().as_secs()), (count, secs), "{text}");
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
        for text in ["", "5", "0/s", "-1/s", "5/day", "x/min", "5/ min x"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn bucket_gives_its_burst_then_its_rate() {
        let mut bucket = TokenBucket::new("10/s".parse().unwrap(), 3);
        assert_eq!((0..3).filter(|_| bucket.take(at(0)).is_ok()).count(), 3);
        assert_eq!(bucket.take(at(0)), Err(at(100)));
        assert_eq!(bucket.take(at(100)), Ok(()));
        assert_eq!(bucket.take(at(150)), Err(at(200)));
        // A long rest fills it to the burst and no further.
        assert_eq!((0..9).filter(|_| bucket.take(at(60_000)).is_ok()).count(), 3);
    }
}
