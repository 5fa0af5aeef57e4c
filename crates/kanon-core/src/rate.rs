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
    /// Time it takes to fill an empty bucket.
    full: Duration,
    /// When the bucket is full again, if nothing more is taken.
    full_at: Duration,
}

impl TokenBucket {
    /// A full bucket. `burst` of 0 is taken as 1: a bucket that never gives is a different thing.
    pub fn new(rate: Rate, burst: u32) -> TokenBucket {
        let interval = rate.period() / rate.count();
        TokenBucket { interval, full: interval.saturating_mul(burst.max(1)), full_at: Duration::ZERO }
    }

    /// Takes one token, or says when the next one will be there.
    pub fn take(&mut self, now: Mono) -> Result<(), Mono> {
        self.take_many(1, now)
    }

    /// Takes so many tokens at once, or says when they will be there. More than the bucket holds are as many as it holds.
    pub fn take_many(&mut self, count: u32, now: Mono) -> Result<(), Mono> {
        let price = self.interval.saturating_mul(count).min(self.full);
        let full_at = self.full_at.max(now.0).saturating_add(price);
        let free_at = Mono(full_at.saturating_sub(self.full));
        if free_at > now {
            return Err(free_at);
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Takes one token, on credit where there is none: when it may be used, `now` at the earliest. Whoever comes later pays it
    /// back by waiting longer.
    pub fn reserve(&mut self, now: Mono) -> Mono {
        self.full_at = self.full_at.max(now.0).saturating_add(self.interval);
        Mono(self.full_at.saturating_sub(self.full)).max(now)
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

    #[test]
    fn many_are_taken_at_once_or_not_at_all() {
        let mut bucket = TokenBucket::new("10/s".parse().unwrap(), 5);
        assert_eq!(bucket.take_many(3, at(0)), Ok(()));
        assert_eq!(bucket.take_many(3, at(0)), Err(at(100)));
        assert_eq!(bucket.take_many(3, at(100)), Ok(()));
        // What never fits waits for a full bucket.
        assert_eq!(bucket.take_many(9, at(100)), Err(at(600)));
        assert_eq!(bucket.take_many(9, at(600)), Ok(()));
    }

    #[test]
    fn what_is_reserved_on_credit_is_paid_back() {
        let mut bucket = TokenBucket::new("10/s".parse().unwrap(), 2);
        let reserved: Vec<_> = (0..4).map(|_| bucket.reserve(at(0))).collect();
        assert_eq!(reserved, [at(0), at(0), at(100), at(200)]);
        assert_eq!(bucket.take(at(250)), Err(at(300)));
        assert_eq!(bucket.take(at(300)), Ok(()));
    }
}
