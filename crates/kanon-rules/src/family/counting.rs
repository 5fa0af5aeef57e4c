//! Counts of evaluations: from what a loop or a request did to what `.status` says.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use kanon_core::{Now, ObjectRef, Review};
use kanon_plane::Outbox;

use super::{RulesFamily, figures};
use crate::{
    decide::{RuleTally, Tally},
    index::{Counts, Rules},
    plan::World,
    rule::Mode,
};

impl RulesFamily {
    pub(super) fn handle_reviewed(&mut self, review: &Review, tally: &Tally, now: Now, out: &mut Outbox) {
        let subject = review.subject();
        self.count_rows(&tally.rules, &tally.rows, Mode::Admission, |_| Some(&subject), now, out);
    }

    /// Adds what rules of a snapshot did to their counts; `failed` says on which object one failed.
    pub(super) fn count_rows<'o>(
        &mut self,
        rules: &Rules,
        rows: &[RuleTally],
        mode: Mode,
        failed: impl Fn(usize) -> Option<&'o ObjectRef>,
        now: Now,
        out: &mut Outbox,
    ) {
        for row in rows {
            let Some(entry) = rules.entries().get(row.entry()) else { continue };
            let counts = &entry.counts;
            count(counts, row);
            figures::count_errors(&self.figures, &entry.policy.name, row, mode);
            let is_news = !counts.unreported.swap(true, Relaxed) || row.last_error.is_some();
            let recovers = row.errors == 0 && counts.errors_in_a_row.swap(0, Relaxed) > 0;
            if !is_news && !recovers {
                continue;
            }
            let Some(resource) = self.resources.get_mut(&entry.key) else { continue };
            if !Arc::ptr_eq(resource.counts(), counts) {
                continue;
            }
            if let (Some(error), Some(object)) = (&row.last_error, failed(row.entry())) {
                resource.failed(error, object, now);
            }
            let Some(entry) = self.positions.get(&entry.key).and_then(|at| self.rules.entries().get(*at)) else {
                continue;
            };
            let world = World { rules: &self.rules, sight: &self.audit.sight, denied: &self.respond.denied };
            if (row.last_error.is_some() || recovers) && resource.must_report(entry, world, now) {
                resource.plan(entry, world, false, now, out);
            } else {
                self.due.insert((resource.counts_due(now.mono), entry.key.clone()));
            }
        }
    }

    /// Writes counts whose time has come.
    pub(super) fn flush(&mut self, now: Now, out: &mut Outbox) {
        while self.due.first().is_some_and(|(at, _)| *at <= now.mono) {
            let Some((_, key)) = self.due.pop_first() else { return };
            let entry = self.positions.get(&key).and_then(|at| self.rules.entries().get(*at));
            if let (Some(resource), Some(entry)) = (self.resources.get_mut(&key), entry) {
                let world = World { rules: &self.rules, sight: &self.audit.sight, denied: &self.respond.denied };
                resource.plan(entry, world, true, now, out);
            }
        }
    }
}

fn count(counts: &Counts, row: &RuleTally) {
    counts.evaluations.fetch_add(row.evaluations.into(), Relaxed);
    counts.violations.fetch_add(row.violations.into(), Relaxed);
    if row.errors > 0 {
        counts.errors.fetch_add(row.errors.into(), Relaxed);
        if row.errors < row.evaluations {
            counts.errors_in_a_row.store(row.errors_at_end.into(), Relaxed);
        } else {
            counts.errors_in_a_row.fetch_add(row.errors_at_end.into(), Relaxed);
        }
    }
}
