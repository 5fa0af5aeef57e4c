//! How many calls a process makes of the API server (spec/rules 10): a token bucket for all of them, as client-go has it.
//!
//! Calls leave in the order in which they ask. What cannot wait (the lease, what an admission request waits for) leaves at once and is
//! paid for by the calls after it, so that a sweep's writes never cost the lead. Watches are not counted: one lasts for minutes.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use kanon_core::{Mono, Rate, TokenBucket};
use tokio::time::Instant;

/// A wait of this length is worth a line in the log.
const LONG: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Budget {
    begun: Instant,
    bucket: Mutex<TokenBucket>,
}

impl Budget {
    /// So many calls, and so many at once after a pause.
    pub fn new(rate: Rate, burst: u32) -> Budget {
        Budget { begun: Instant::now(), bucket: Mutex::new(TokenBucket::new(rate, burst)) }
    }

    /// Takes a call from the budget; waits for its turn unless it is urgent.
    pub(crate) async fn spend(&self, urgent: bool) {
        let now = Mono(self.begun.elapsed());
        let at = self.turn(urgent, now);
        if at > now {
            let wait = at.since(now);
            if wait >= LONG {
                tracing::info!(wait_ms = wait.as_millis() as u64, "a call waits: the API server is asked too often");
            }
            tokio::time::sleep_until(self.begun + at.0).await;
        }
    }

    /// When a call may go out. Pure but for the bucket.
    fn turn(&self, urgent: bool, now: Mono) -> Mono {
        let at = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).reserve(now);
        if urgent { now } else { at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_wait_for_their_turn_and_urgent_ones_do_not() {
        let budget = Budget::new("10/s".parse().unwrap(), 3);
        let turn = |urgent, millis| budget.turn(urgent, Mono(Duration::from_millis(millis))).0.as_millis();
        assert_eq!([turn(false, 0), turn(false, 0), turn(false, 0)], [0, 0, 0]);
        assert_eq!(turn(false, 0), 100);
        // Two urgent ones pass, and the next one pays for them.
        assert_eq!([turn(true, 100), turn(true, 100), turn(false, 100)], [100, 100, 400]);
        // A rest fills the budget, and no more.
        let late = 60_000;
        assert_eq!(
            [turn(false, late), turn(false, late), turn(false, late), turn(false, late)],
            [60_000, 60_000, 60_000, 60_100]
        );
        // Really waiting.
        let begun = Instant::now();
        let quick = Budget::new("1000/s".parse().unwrap(), 1);
        quick.spend(false).await;
        quick.spend(false).await;
        assert!(begun.elapsed() >= Duration::from_millis(1));
    }
}
