//! Time as an argument. A shell reads both clocks once per input and passes [`Now`] down; nothing below reads a clock.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Monotonic time since the process (or the simulation) began. Never goes back; knows no date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mono(pub Duration);

impl Mono {
    /// This moment plus `duration`; the far end of time where that overflows.
    pub fn after(self, duration: Duration) -> Mono {
        Mono(self.0.saturating_add(duration))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Mono) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A steady clock that the shells lend: for bounds on work under way, which an argument cannot hold. What is decided never depends
/// on it, but for whether there is a decision in time.
pub trait Stopwatch: Send + Sync {
    /// This moment.
    fn mono(&self) -> Mono;
}

/// The moment an input is handled: policies compare `wall`, deadlines and rates use `mono`.
/// It is recorded with every decision, so that a replay sees the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// The date, UTC.
    pub wall: Timestamp,
    /// The steady clock.
    pub mono: Mono,
}

impl Now {
    /// A moment given by its parts: what shells and simulations call.
    pub fn new(wall: Timestamp, mono: Mono) -> Now {
        Now { wall, mono }
    }

    /// The wall time in whole seconds, as Kubernetes writes it: `2026-11-21T09:00:00Z`.
    pub fn rfc3339(&self) -> String {
        self.wall.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}
