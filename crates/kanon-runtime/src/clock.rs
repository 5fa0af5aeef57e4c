//! The real clock, read in one place.

use std::time::Instant;

use jiff::Timestamp;
use kanon_core::{Mono, Now, Stopwatch};

/// Both clocks of this process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Monotonic time begins here.
    pub fn start() -> Clock {
        Clock { started: Instant::now() }
    }

    /// This moment.
    pub fn now(&self) -> Now {
        Now::new(Timestamp::now(), self.mono())
    }
}

impl Stopwatch for Clock {
    fn mono(&self) -> Mono {
        Mono(self.started.elapsed())
    }
}
