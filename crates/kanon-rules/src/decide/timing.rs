//! How long rules take by themselves (`portal_rule_eval_seconds`, spec/rules 9.3). Decisions ask rules together, and what they share is
//! read once, so no rule has a time of its own there. Where somebody wants to know, one question in so many is put to its rules once
//! more, singly and by the shell's clock: after the decision, of which it is no part.

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use kanon_core::{Now, Review};
use kanon_lang::{ErrorKind, Limits, TimeLimit};
use kanon_plane::Lookups;

use super::{Question, time};
use crate::{index::Rules, rule::Mode};

/// How often rules are timed.
#[derive(Debug)]
pub struct Timing {
    one_in: NonZeroU64,
    /// Questions so far, by loop.
    asked: [AtomicU64; 4],
}

/// What evaluations took, with the position of their rule's entry.
pub(crate) type Times = Vec<(usize, Duration)>;

/// What evaluations of the object of an answered request took.
pub(crate) struct Timed {
    /// The snapshot that was asked.
    pub rules: Arc<Rules>,
    pub times: Times,
}

impl Timing {
    /// Times the rules after one question in so many of each loop, beginning with the first.
    pub fn one_in(one_in: NonZeroU64) -> Timing {
        Timing { one_in, asked: Default::default() }
    }

    fn is_due(&self, mode: Mode) -> bool {
        let slot = match mode {
            Mode::Admission => 0,
            Mode::Audit => 1,
            Mode::Network => 2,
            Mode::Runtime => 3,
        };
        self.asked.get(slot).is_some_and(|it| it.fetch_add(1, Relaxed).is_multiple_of(self.one_in.get()))
    }
}

impl Rules {
    /// Whether the question that a loop has just put to rules is one of those whose rules are timed.
    pub(crate) fn is_timed(&self, mode: Mode) -> bool {
        self.settings.timing.as_ref().is_some_and(|it| it.is_due(mode))
    }

    /// Puts a question once more, and says what each evaluation took that gave a value or took too long: others ended early.
    pub(crate) fn times(&self, question: &Question<'_>, lookups: &dyn Lookups) -> Times {
        let Some(TimeLimit { clock, .. }) = &self.settings.limits.time else { return Times::new() };
        if question.is_exempt(self, question.namespace(self), lookups) {
            return Times::new();
        }
        let own: Option<Limits> = time::limits_of(question, &self.settings.limits, lookups);
        let limits = own.as_ref().unwrap_or(&self.settings.limits);
        let mut times = Times::new();
        self.one_by_one(question, lookups, limits, |it| {
            let begun = clock.mono();
            let result = it.evaluate();
            let took = clock.mono().since(begun);
            if result.is_ok() || result.is_err_and(|it| it.kind == ErrorKind::Budget) {
                times.push((it.at, took));
            }
        });
        times
    }

    /// The same for the question that a request was.
    pub(crate) fn times_of_review(self: &Arc<Self>, review: &Review, lookups: &dyn Lookups, now: Now) -> Timed {
        let times = self.put(review, lookups, now, |question| self.times(question, lookups));
        Timed { rules: Arc::clone(self), times }
    }
}
