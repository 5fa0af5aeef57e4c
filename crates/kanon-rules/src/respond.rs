//! What follows from violations, whichever loop found them: actions run, sinks are told.
//!
//! The loops call [`Responder::fired`] for a violation that is new and [`Responder::resolved`] for one that has ended;
//! how often and how fast anything leaves is decided here and nowhere else.

use std::collections::BTreeMap;

use kanon_core::{Input, Mono, Now, Outcome, Review, TokenBucket, Verdict};
use kanon_plane::{Outbox, PolicyKey};

use crate::{
    decide::Tally,
    index::Entry,
    rule::{Mode, Response},
};

/// Paces and runs actions.
#[derive(Default)]
pub(crate) struct Responder {
    /// What is left of each rule's `rateLimit`, by action in order.
    buckets: BTreeMap<(PolicyKey, usize), TokenBucket>,
}

impl Responder {
    /// What follows from one admission request.
    pub(crate) fn admission(
        &mut self,
        review: &Review,
        verdicts: &[Verdict],
        tally: &Tally,
        now: Now,
        out: &mut Outbox,
    ) {
        let is_denied = verdicts.iter().any(|it| it.outcome == Outcome::Deny);
        if review.dry_run || is_denied {
            return;
        }
        for row in tally.rows.iter().filter(|it| it.violations > 0) {
            let Some(entry) = tally.rules.entries().get(row.entry()) else { continue };
            // One run a rule and object, however many containers violate it.
            let verdict = verdicts.iter().find(|it| it.policy == entry.policy && it.outcome != Outcome::Error);
            let Some(verdict) = verdict else { continue };
            self.fired(entry, verdict, Mode::Admission, now, out);
        }
    }

    /// A violation that is new: let through by admission, or found by audit, network or runtime. Its actions run, its sinks
    /// are told. A loop that knows containers calls it once for each that violates (`verdict.evidence.part`).
    pub(crate) fn fired(&mut self, entry: &Entry, verdict: &Verdict, mode: Mode, now: Now, out: &mut Outbox) {
        let Some(rule) = &entry.rule else { return };
        for (at, Response { on, rate, prepared }) in rule.responses.iter().enumerate() {
            if !on.is_empty() && !on.contains(&mode) {
                continue;
            }
            let bucket = rate.map(|rate| {
                let new = || TokenBucket::new(rate, rate.count());
                self.buckets.entry((entry.key.clone(), at)).or_insert_with(new)
            });
            if bucket.is_none_or(|it| it.take(now.mono).is_ok()) {
                prepared.run(verdict, out);
            }
        }
    }

    /// A finding ended: the object was fixed or deleted, or the rule is gone. `verdict` is the one it was fired with, or any
    /// later one of the same policy, subject and part. Sinks hear it; actions do not run.
    #[allow(dead_code, reason = "the audit loop calls it")]
    pub(crate) fn resolved(&mut self, _verdict: &Verdict, _mode: Mode, _now: Now, _out: &mut Outbox) {}

    /// Deliveries, the lead and deadlines: what waits may go on. The family calls it with every input, after it has handled
    /// the input itself.
    pub(crate) fn handle(&mut self, _input: &Input, _now: Now, _out: &mut Outbox) {}

    /// When something that waits is due.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        None
    }
}
