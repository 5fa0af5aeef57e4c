//! Holds rules that chase each other (spec/rules 5.3): a rule is asked again about one object, because of others, so many times in a
//! while; what is more waits for the end of it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use kanon_core::Mono;

use super::dependencies::Dependent;

/// Times that a rule is asked again about an object in one window.
const TIMES: usize = 3;
/// The window.
const WINDOW: Duration = Duration::from_secs(10);

/// Accounts that are kept without a look at them.
const LATELY_MIN: usize = 1024;

/// See the module.
#[derive(Default)]
pub(crate) struct Guard {
    /// When each was let through lately.
    lately: BTreeMap<Arc<Dependent>, VecDeque<Mono>>,
    /// How many of those there may be before the quiet ones are forgotten.
    full_at: usize,
    waiting: BTreeSet<(Mono, Arc<Dependent>)>,
    /// When each of those that wait is due.
    due: BTreeMap<Arc<Dependent>, Mono>,
}

/// What becomes of a wish to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Now.
    Now,
    /// Later; this one is new among those that wait.
    Later,
    /// It waits already.
    Waits,
}

impl Guard {
    pub(crate) fn pass(&mut self, dependent: &Arc<Dependent>, now: Mono) -> Pass {
        if self.due.contains_key(dependent) {
            return Pass::Waits;
        }
        if self.lately.len() >= self.full_at.max(LATELY_MIN) {
            self.forget_quiet(now);
            self.full_at = self.lately.len() * 2;
        }
        let lately = self.lately.entry(Arc::clone(dependent)).or_default();
        while lately.front().is_some_and(|at| now.since(*at) >= WINDOW) {
            lately.pop_front();
        }
        if let Some(first) = lately.front().copied().filter(|_| lately.len() >= TIMES) {
            let at = first.after(WINDOW);
            self.waiting.insert((at, Arc::clone(dependent)));
            self.due.insert(Arc::clone(dependent), at);
            return Pass::Later;
        }
        lately.push_back(now);
        Pass::Now
    }

    /// Those whose time has come.
    pub(crate) fn due(&mut self, now: Mono) -> Vec<Arc<Dependent>> {
        let mut over = Vec::new();
        while self.waiting.first().is_some_and(|it| it.0 <= now) {
            let Some((_, dependent)) = self.waiting.pop_first() else { break };
            self.due.remove(&dependent);
            self.lately.entry(Arc::clone(&dependent)).or_default().push_back(now);
            over.push(dependent);
        }
        over
    }

    /// Who was quiet for a window has a new account.
    fn forget_quiet(&mut self, now: Mono) {
        self.lately.retain(|_, times| times.back().is_some_and(|at| now.since(*at) < WINDOW));
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.waiting.first().map(|it| it.0)
    }

    pub(crate) fn clear(&mut self) {
        *self = Guard::default();
    }
}

#[cfg(test)]
mod tests {
    use kanon_core::GroupVersionKind;
    use kanon_plane::PolicyKey;

    use super::*;

    fn dependent(name: &str) -> Arc<Dependent> {
        let kind = GroupVersionKind::new("", "v1", "Pod");
        Arc::new(Dependent { kind, name: ("shop".into(), name.into()), rule: PolicyKey::default() })
    }

    #[test]
    fn the_fourth_time_waits_for_the_end_of_the_window() {
        let at = |secs| Mono(Duration::from_secs(secs));
        let (mut guard, web) = (Guard::default(), dependent("web"));
        for secs in [0, 1, 2] {
            assert_eq!(guard.pass(&web, at(secs)), Pass::Now);
        }
        assert_eq!(guard.pass(&web, at(3)), Pass::Later);
        assert_eq!(guard.pass(&web, at(4)), Pass::Waits);
        assert_eq!(guard.pass(&dependent("db"), at(4)), Pass::Now);
        assert_eq!(guard.next_deadline(), Some(at(10)));
        assert_eq!(guard.due(at(9)), []);
        assert_eq!(guard.due(at(10)), std::slice::from_ref(&web));
        assert_eq!(guard.pass(&web, at(11)), Pass::Now);
        assert_eq!(guard.pass(&web, at(11)), Pass::Later);
        assert_eq!(guard.next_deadline(), Some(at(12)));
    }
}
