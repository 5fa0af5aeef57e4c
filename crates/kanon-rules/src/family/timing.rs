//! The family's part in timing rules of admission: the answer is out when it hears of a request, so that rules may be asked again where
//! scans run. One request is timed at a time; those that come meanwhile are not.

use std::{any::Any, sync::Arc};

use kanon_core::Review;
use kanon_plane::{Area, BrokenScan, Outbox, Which, Work};

use super::{RulesFamily, figures::show_times};
use crate::{
    decide::{Tally, Timed},
    rule::Mode,
};

impl RulesFamily {
    /// Has the rules of an answered request timed, if it is one of those.
    pub(super) fn time_review(&mut self, review: &Arc<Review>, tally: &Tally, out: &mut Outbox) {
        if tally.rows.is_empty() || !self.rules.is_timed(Mode::Admission) || self.times_review {
            return;
        }
        self.times_review = true;
        let (occasion, kind) = (Mode::Admission.as_str(), review.kind.clone());
        let which = Which::Answered(Arc::clone(review));
        out.scan(Work { occasion, kind, which, policies: None, area: Area::default() });
    }

    /// What a scan brings, if it is that one.
    pub(super) fn timed(&mut self, result: &(dyn Any + Send + Sync)) {
        let broke_off = || {
            let broken = result.downcast_ref::<BrokenScan>();
            broken.is_some_and(|it| matches!(it.work.which, Which::Answered(_)))
        };
        if let Some(Timed { rules, times }) = result.downcast_ref() {
            show_times(&self.figures, rules, times, Mode::Admission);
            self.times_review = false;
        } else if broke_off() {
            self.times_review = false;
        }
    }
}
