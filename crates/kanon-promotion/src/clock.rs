//! ScheduleClocks: when the next tick is (spec/promotion-gates 1.8).

use jiff::{SignedDuration, Timestamp};

use crate::duration;

const DEFAULT: SignedDuration = SignedDuration::from_mins(1);
const LEAST: SignedDuration = SignedDuration::from_secs(5);

/// The interval that `spec.interval` means: a minute when it is none, never below five seconds.
pub fn interval(text: &str) -> SignedDuration {
    duration::positive(text, DEFAULT).max(LEAST)
}

/// The next tick after `last`, which may lie in the past or, after a jump of the clock, in the future.
pub fn next_tick(last: Option<Timestamp>, interval: SignedDuration, now: Timestamp) -> Timestamp {
    let next = last.filter(|it| *it <= now).and_then(|it| it.checked_add(interval).ok());
    next.map_or(now, |it| it.max(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_default_and_a_least() {
        for (text, want) in [("", 60), ("banana", 60), ("-1m", 60), ("1s", 5), ("90s", 90), ("1h", 3600)] {
            assert_eq!(interval(text), SignedDuration::from_secs(want), "{text}");
        }
    }

    #[test]
    fn a_tick_is_never_in_the_past() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let minute = SignedDuration::from_mins(1);
        assert_eq!(next_tick(None, minute, at(100)), at(100));
        assert_eq!(next_tick(Some(at(90)), minute, at(100)), at(150));
        assert_eq!(next_tick(Some(at(10)), minute, at(100)), at(100));
        assert_eq!(next_tick(Some(at(500)), minute, at(100)), at(100));
    }
}
