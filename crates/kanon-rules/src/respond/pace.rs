//! How often and how fast: sliding windows (spec/rules 8.3) and what was done a short while ago (8.2).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use kanon_core::{Digest, Mono, Rate};

/// What was done at most so often in any period, however it is laid.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// When it was done, oldest first.
    done: VecDeque<Mono>,
}

impl Window {
    /// When the next one may be done: `None` for now.
    pub(crate) fn free_at(&mut self, rate: Rate, now: Mono) -> Option<Mono> {
        while self.done.front().is_some_and(|it| it.after(rate.period()) <= now) {
            self.done.pop_front();
        }
        // As many as are allowed ago, so that a rate that was lowered counts too.
        let at = self.done.len().checked_sub(rate.count() as usize)?;
        self.done.get(at).map(|it| it.after(rate.period()))
    }

    /// Notes that one was done.
    pub(crate) fn note(&mut self, now: Mono) {
        self.done.push_back(now);
    }

    /// Whether it can hold nothing back any more: no unit is longer than an hour.
    pub(crate) fn is_over(&self, now: Mono) -> bool {
        self.done.back().is_none_or(|it| it.after(Duration::from_hours(1)) <= now)
    }
}

/// Successes that are remembered for a while, so that they are not repeated. Of too many, the first to expire are forgotten.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    until: BTreeMap<Digest, Mono>,
    order: BTreeSet<(Mono, Digest)>,
}

impl Recent {
    /// Most entries (spec/rules 8.2).
    const MAX: usize = 100_000;

    /// Remembers until then; a moment that has passed remembers nothing.
    pub(crate) fn note(&mut self, key: Digest, until: Mono, now: Mono) {
        self.expire(now);
        if until <= now || self.until.contains_key(&key) {
            return;
        }
        self.until.insert(key, until);
        self.order.insert((until, key));
        if self.until.len() > Recent::MAX
            && let Some((_, first)) = self.order.pop_first()
        {
            self.until.remove(&first);
        }
    }

    pub(crate) fn holds(&mut self, key: &Digest, now: Mono) -> bool {
        self.expire(now);
        self.until.contains_key(key)
    }

    pub(crate) fn forget(&mut self, key: &Digest) {
        if let Some(until) = self.until.remove(key) {
            self.order.remove(&(until, *key));
        }
    }

    fn expire(&mut self, now: Mono) {
        while self.order.first().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, key)) = self.order.pop_first() {
                self.until.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Mono {
        Mono(Duration::from_secs(secs))
    }

    #[test]
    fn no_period_holds_more_than_the_rate_allows() {
        let rate = "2/min".parse().unwrap();
        let mut window = Window::default();
        let mut done = Vec::new();
        for secs in (0..300).step_by(7) {
            match window.free_at(rate, at(secs)) {
                None => {
                    window.note(at(secs));
                    done.push(secs);
                }
                Some(free) => assert!(free > at(secs)),
            }
        }
        assert!(done.windows(3).all(|it| it[2] - it[0] >= 60), "{done:?}");
        assert_eq!(done[..4], [0, 7, 63, 70]);
    }

    #[test]
    fn a_success_is_remembered_until_its_time_or_until_it_is_forgotten() {
        let key = |it: &str| Digest::of(&[it.as_bytes()]);
        let mut recent = Recent::default();
        recent.note(key("a"), at(10), at(0));
        recent.note(key("b"), at(10), at(0));
        recent.note(key("c"), at(0), at(0));
        recent.forget(&key("b"));
        assert!(recent.holds(&key("a"), at(9)));
        assert!(!recent.holds(&key("b"), at(9)));
        assert!(!recent.holds(&key("c"), at(0)));
        assert!(!recent.holds(&key("a"), at(10)));
    }
}
