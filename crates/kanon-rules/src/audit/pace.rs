//! How fast everything is looked at when a process begins to lead (spec/rules 5.1): a token bucket, so that a restart in a large
//! cluster takes a share of a processor for a while, and not all of one. What changed, and what a new rule asks for, never waits for it.

use kanon_core::{Mono, Rate, TokenBucket};

/// The bucket holds what this many periods of the rate earn: clusters of ordinary size are looked at without a pause.
const BURST_PERIODS: u32 = 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Objects; nothing waits where there is none.
    bucket: Option<TokenBucket>,
    /// When what waits may go on.
    wake: Option<Mono>,
}

impl Pace {
    pub(crate) fn new(rate: Option<Rate>) -> Pace {
        let bucket = rate.map(|it| TokenBucket::new(it, it.count().saturating_mul(BURST_PERIODS)));
        Pace { bucket, wake: None }
    }

    /// Whether so many objects may be looked at now; otherwise [`Pace::wake`] says when.
    pub(crate) fn admits(&mut self, objects: usize, now: Mono) -> bool {
        let count = u32::try_from(objects).unwrap_or(u32::MAX);
        let taken = self.bucket.as_mut().map_or(Ok(()), |it| it.take_many(count, now));
        self.wake = taken.err();
        taken.is_ok()
    }

    /// When what was not admitted may be asked about again.
    pub(crate) fn wake(&self) -> Option<Mono> {
        self.wake
    }

    /// Nothing waits any more.
    pub(crate) fn rest(&mut self) {
        self.wake = None;
    }
}
