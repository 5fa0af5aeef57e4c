//! Runs the actions of violated rules. Admission only, so far: of requests that were let through and are no dry runs, because
//! the object of a denied one does not exist (spec/rules 4.3).

use std::collections::BTreeMap;

use kanon_core::{Now, Outcome, Review, TokenBucket, Verdict};
use kanon_plane::{Outbox, PolicyKey};

use crate::{
    decide::Tally,
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
            let Some(rule) = &entry.rule else { continue };
            // One run a rule and object, however many containers violate it.
            let verdict = verdicts.iter().find(|it| it.policy == entry.policy && it.outcome != Outcome::Error);
            let Some(verdict) = verdict else { continue };
            for (at, Response { on, rate, prepared }) in rule.responses.iter().enumerate() {
                if !on.is_empty() && !on.contains(&Mode::Admission) {
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
    }
}
