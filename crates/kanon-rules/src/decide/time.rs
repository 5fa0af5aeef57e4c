//! How long evaluations may take (spec/rules 2.11, 4.4): one of admission a quarter of a second and no longer than the request has, any
//! other a second. The clock is the shell's, and is looked at only by what goes on for long.

use std::{sync::Arc, time::Duration};

use kanon_core::Stopwatch;
use kanon_lang::{Limits, TimeLimit};
use kanon_plane::Lookups;

use super::Question;

/// One evaluation of admission.
const IN_ADMISSION: Duration = Duration::from_millis(250);
/// One evaluation of other loops.
const ELSEWHERE: Duration = Duration::from_secs(1);

/// What one evaluation may cost where there is a clock.
pub fn timed_limits(clock: Arc<dyn Stopwatch>) -> Limits {
    Limits { time: Some(TimeLimit { clock, each: ELSEWHERE, until: None }), ..Limits::default() }
}

/// Those of a question, where they are not the settings' own.
pub(super) fn limits_of(question: &Question<'_>, settings: &Limits, lookups: &dyn Lookups) -> Option<Limits> {
    let (Some(time), Some(_)) = (&settings.time, question.request) else { return None };
    let time = TimeLimit { clock: Arc::clone(&time.clock), each: IN_ADMISSION, until: lookups.until() };
    Some(Limits { time: Some(time), ..*settings })
}
