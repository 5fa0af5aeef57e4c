//! Denials that are taken back (spec/rules 4.5, 4.7): of updates that say nothing new, of objects that violated the rule before where
//! the rule tolerates that, of rules that deny too much, and all of them while the switch says so. The violation is recorded all the same.

use kanon_core::{Mono, Now, Operation, Outcome, Review, Verdict};
use kanon_plane::Lookups;

use super::{Question, Room};
use crate::{
    index::{EnforcementSwitch, Rules},
    rule::Preexisting,
};

/// Reasons of such verdicts.
const BOOKKEEPING: &str = "BookkeepingUpdate";
const PREEXISTING: &str = "PreexistingViolation";
const BROKEN: &str = "CircuitOpen";
const SWITCHED: &str = "EnforcementSwitched";

impl Rules {
    /// Takes back what is to be taken back, in the order in which more is forgiven.
    pub(super) fn soften(&self, question: &Question<'_>, lookups: &dyn Lookups, found: &mut [(usize, Verdict)]) {
        let Some(request) = question.request.filter(|_| !question.is_old) else { return };
        let denies = |it: &(usize, Verdict)| it.1.outcome == Outcome::Deny;
        if found.iter().any(denies) && question.is_bookkeeping() {
            found.iter_mut().filter(|it| denies(it)).for_each(|it| put(&mut it.1, Outcome::DryRun, BOOKKEEPING));
        }
        let tolerant: Vec<usize> =
            found.iter().filter(|it| denies(it) && self.tolerates(it.0)).map(|it| it.0).collect();
        if !tolerant.is_empty() {
            let before = self.violated_before(&tolerant, question, request, lookups);
            for (at, verdict) in found.iter_mut().filter(|it| denies(it)) {
                if before.contains(at) {
                    put(verdict, Outcome::Warn, PREEXISTING);
                }
            }
        }
        for (at, verdict) in found.iter_mut().filter(|it| denies(it)) {
            if self.entries().get(*at).is_some_and(|it| it.broken) {
                put(verdict, Outcome::Warn, BROKEN);
            }
        }
        for (_, verdict) in found.iter_mut() {
            match (self.settings.enforcement, verdict.outcome) {
                (EnforcementSwitch::Warn, Outcome::Deny) => put(verdict, Outcome::Warn, SWITCHED),
                (EnforcementSwitch::Off, Outcome::Deny | Outcome::Warn) => put(verdict, Outcome::DryRun, SWITCHED),
                _ => {}
            }
        }
        found.sort_by_key(|it| std::cmp::Reverse(it.1.outcome));
    }

    /// Whether no rule's denial of the request would stand.
    pub(crate) fn spares(&self, review: &Review) -> bool {
        let Some(object) = review.subject_object() else { return self.settings.enforcement != EnforcementSwitch::On };
        // It depends on no time.
        let now = Now::new(jiff::Timestamp::UNIX_EPOCH, Mono::default());
        let question = Question { request: Some(review), ..Question::new(&review.kind, object, &[], now) };
        self.settings.enforcement != EnforcementSwitch::On
            || question.is_bookkeeping()
            || question.is_passed_over(self, question.namespace(self))
    }

    fn tolerates(&self, at: usize) -> bool {
        let rule = self.entries().get(at).and_then(|it| it.rule.as_ref());
        rule.is_some_and(|it| it.preexisting == Preexisting::Tolerate)
    }

    /// Those of the rules that the object violated before the update.
    fn violated_before(
        &self,
        rules: &[usize],
        question: &Question<'_>,
        request: &Review,
        lookups: &dyn Lookups,
    ) -> Vec<usize> {
        let (Operation::Update, Some(old)) = (request.operation, &request.old_object) else { return Vec::new() };
        let mut among = vec![false; self.entries().len()];
        for at in rules {
            if let Some(it) = among.get_mut(*at) {
                *it = true;
            }
        }
        let old = Question { object: old, among: Some(&among), is_old: true, ..*question };
        let answer = self.ask(&old, &self.plan(&old), lookups, &mut Room::default());
        answer.found.into_iter().filter(|it| it.1.outcome == Outcome::Deny).map(|it| it.0).collect()
    }
}

fn put(verdict: &mut Verdict, outcome: Outcome, reason: &'static str) {
    verdict.outcome = outcome;
    verdict.reason = reason;
}
