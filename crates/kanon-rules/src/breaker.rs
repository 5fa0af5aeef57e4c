//! Rules that deny too much (spec/rules 4.5): a rule that refuses more than a share of the requests it is asked about locks people out, most
//! likely by mistake. Its denials are warnings from then on, until somebody edits it. Pure: counts and times go in.

use std::{collections::BTreeMap, time::Duration};

use kanon_core::Mono;
use kanon_plane::PolicyKey;

/// Requests are counted over so long a time.
const WINDOW: Duration = Duration::from_mins(5);
/// The window moves by such steps.
const STEP: Duration = Duration::from_secs(30);
/// Fewer requests than these say nothing.
const LEAST: u32 = 100;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// The share in percent that a rule may deny; nothing is broken where there is none.
    percent: Option<u8>,
    rules: BTreeMap<PolicyKey, Account>,
}

/// One revision of a rule.
#[derive(Debug, Default)]
struct Account {
    revision: String,
    /// By step: requests asked about, and denied.
    steps: BTreeMap<u64, (u32, u32)>,
    open: bool,
}

impl Breaker {
    pub(crate) fn new(percent: Option<u8>) -> Breaker {
        Breaker { percent, rules: BTreeMap::new() }
    }

    /// Takes a request in that a rule with denials was asked about; whether the rule has denied too much now, for the first time.
    pub(crate) fn asked(&mut self, key: &PolicyKey, revision: &str, denied: bool, now: Mono) -> bool {
        let Some(percent) = self.percent else { return false };
        let account = self.rules.entry(key.clone()).or_default();
        if account.revision != revision {
            *account = Account { revision: revision.to_owned(), ..Account::default() };
        }
        if account.open {
            return false;
        }
        let step = now.0.as_secs() / STEP.as_secs();
        let first = step.saturating_sub(WINDOW.as_secs() / STEP.as_secs() - 1);
        account.steps.retain(|it, _| *it >= first);
        let counts = account.steps.entry(step).or_default();
        *counts = (counts.0 + 1, counts.1 + u32::from(denied));
        let (all, denied) = account.steps.values().fold((0, 0), |sum: (u32, u32), it| (sum.0 + it.0, sum.1 + it.1));
        account.open = all >= LEAST && u64::from(denied) * 100 > u64::from(all) * u64::from(percent);
        account.open
    }

    /// Whether the denials of a revision are warnings.
    pub(crate) fn is_open(&self, key: &PolicyKey, revision: &str) -> bool {
        self.rules.get(key).is_some_and(|it| it.open && it.revision == revision)
    }

    /// Forgets rules that are gone.
    pub(crate) fn retain(&mut self, stays: impl Fn(&PolicyKey) -> bool) {
        self.rules.retain(|key, _| stays(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PolicyKey {
        PolicyKey { origin: "PortalClusterRule".into(), namespace: String::new(), name: "r".into() }
    }

    /// So many requests a second from a second on, of which the first `denied` are denied; when it broke.
    fn run(breaker: &mut Breaker, from: u64, requests: u64, denied: u64) -> Option<u64> {
        let at = |second| Mono(Duration::from_secs(second));
        (0..requests).find(|it| breaker.asked(&key(), "1", *it < denied, at(from + it)))
    }

    #[test]
    fn more_than_the_share_of_enough_requests_breaks_until_the_rule_is_edited() {
        let mut breaker = Breaker::new(Some(50));
        assert_eq!(run(&mut breaker, 0, 99, 99), None, "too few");
        assert_eq!(run(&mut breaker, 99, 1, 1), Some(0));
        assert!(breaker.is_open(&key(), "1") && !breaker.is_open(&key(), "2"));
        assert_eq!(run(&mut breaker, 100, 200, 200), None, "it is told once");
        assert!(!breaker.asked(&key(), "2", true, Mono(Duration::from_secs(400))));
        assert!(!breaker.is_open(&key(), "1"));
        breaker.retain(|_| false);
        assert!(breaker.rules.is_empty());
    }

    #[test]
    fn half_is_no_more_than_half_and_what_is_long_ago_does_not_count() {
        let mut breaker = Breaker::new(Some(50));
        assert_eq!(run(&mut breaker, 0, 200, 50), None);
        assert_eq!(run(&mut breaker, 600, 99, 99), None, "the window has moved");
        let mut off = Breaker::new(None);
        assert_eq!(run(&mut off, 0, 200, 200), None);
    }
}
