//! How much an evaluation may cost: steps, memory, and time where a shell lends a clock.

use std::{fmt, sync::Arc, time::Duration};

use kanon_core::{Mono, Stopwatch};

/// How much an evaluation may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Steps: nodes evaluated, iterations included.
    pub steps: u64,
    /// Elements and bytes made in the arena.
    pub memory: u64,
    /// Time, where there is a clock.
    pub time: Option<TimeLimit>,
}

/// spec/rules 2.11: one million steps, one million allocation units.
impl Default for Limits {
    fn default() -> Limits {
        Limits { steps: 1_000_000, memory: 1_000_000, time: None }
    }
}

/// How long an evaluation may take. The clock is not read before an evaluation has gone on for a while: small programs, which is
/// nearly all of them, cost nothing more.
#[derive(Clone)]
pub struct TimeLimit {
    /// Whose time counts.
    pub clock: Arc<dyn Stopwatch>,
    /// For one evaluation.
    pub each: Duration,
    /// When all are over; the end of a request's time.
    pub until: Option<Mono>,
}

impl TimeLimit {
    /// The same for what begins now: it ends with its own time, or with that of all.
    #[must_use]
    pub fn begun(&self) -> TimeLimit {
        let end = self.clock.mono().after(self.each);
        TimeLimit { until: Some(self.until.map_or(end, |it| it.min(end))), ..self.clone() }
    }

    /// Whether the time of all is over.
    pub fn is_over(&self) -> bool {
        self.until.is_some_and(|it| it <= self.clock.mono())
    }
}

impl fmt::Debug for TimeLimit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TimeLimit").field("each", &self.each).field("until", &self.until).finish_non_exhaustive()
    }
}
