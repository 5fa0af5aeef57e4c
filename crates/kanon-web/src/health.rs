//! Whether admission fails by its own fault (spec/rules 4.6): more than half of the last hundred requests. What clients get wrong does
//! not count, or anybody who reaches the port could take the process out of service.

use std::sync::{Mutex, PoisonError};

/// Requests that are remembered.
const LEN: usize = 100;

/// The ends of the last requests.
pub(crate) struct Health(Mutex<Ring>);

struct Ring {
    failed: [bool; LEN],
    next: usize,
    known: usize,
    failures: usize,
}

impl Default for Health {
    fn default() -> Health {
        Health(Mutex::new(Ring { failed: [false; LEN], next: 0, known: 0, failures: 0 }))
    }
}

impl Health {
    /// Notes how a request ended.
    pub(crate) fn note(&self, failed: bool) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Ring { failed: ends, next, known, failures } = &mut *ring;
        if let Some(end) = ends.get_mut(*next) {
            *failures = *failures + usize::from(failed) - usize::from(*end);
            *end = failed;
        }
        *next = (*next + 1) % LEN;
        *known = (*known + 1).min(LEN);
    }

    /// Whether too many failed; never before there were enough.
    pub(crate) fn is_failing(&self) -> bool {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.known == LEN && ring.failures * 2 > LEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_of_a_hundred_is_too_many() {
        let health = Health::default();
        let note = |failed: bool, times: usize| (0..times).for_each(|_| health.note(failed));
        note(true, 99);
        assert!(!health.is_failing(), "too few to tell");
        note(true, 1);
        assert!(health.is_failing());
        note(false, 50);
        assert!(!health.is_failing(), "half is not more than half");
        note(true, 51);
        assert!(health.is_failing());
        note(false, 100);
        assert!(!health.is_failing());
    }
}
