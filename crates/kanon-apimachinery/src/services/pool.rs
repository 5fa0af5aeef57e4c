//! A range of numbers, each of which one service may have.

use std::collections::BTreeMap;

/// What became of asking for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was free, and is the asker's.
    Now,
    /// Somebody has it.
    Before,
    /// There is no such number.
    OutOfRange,
}

/// The numbers from `first` on, and how often each is held: a write and the stored service that it led to both hold it for a
/// moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pool {
    first: u128,
    size: u128,
    /// Numbers at the beginning that are given last.
    reserved: u128,
    held: BTreeMap<u128, u32>,
}

impl Pool {
    /// Of no range, however small, are all reserved.
    pub(super) fn new(first: u128, size: u128, reserved: u128) -> Pool {
        Pool { first, size, reserved: reserved.min(size.saturating_sub(1)), held: BTreeMap::new() }
    }

    /// Holds a number, whoever has it; also one out of range, which costs nothing.
    pub(super) fn take(&mut self, number: u128) {
        *self.held.entry(number).or_default() += 1;
    }

    /// Holds a number if it is free.
    pub(super) fn claim(&mut self, number: u128) -> Taken {
        if number.checked_sub(self.first).is_none_or(|it| it >= self.size) {
            return Taken::OutOfRange;
        }
        if self.held.contains_key(&number) {
            return Taken::Before;
        }
        self.take(number);
        Taken::Now
    }

    pub(super) fn give_back(&mut self, number: u128) {
        if let Some(count) = self.held.get_mut(&number) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&number);
            }
        }
    }

    /// A free number: the first from where the seed points on, those that are kept for people last.
    pub(super) fn pick(&self, seed: &str) -> Option<u128> {
        let free = |it: &u128| !self.held.contains_key(it);
        let (begin, end) = (self.first + self.reserved, self.first + self.size);
        let start = begin + u128::from(hash(seed)) % (self.size - self.reserved);
        (start..end).chain(begin..start).chain(self.first..begin).find(free)
    }
}

/// FNV-1a with 32 bits.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_given_once_and_the_reserved_ones_last() {
        let mut pool = Pool::new(100, 10, 3);
        let mut given = Vec::new();
        while let Some(number) = pool.pick(&given.len().to_string()) {
            pool.take(number);
            given.push(number);
        }
        assert_eq!(given[7..], [100, 101, 102]);
        given.sort_unstable();
        assert_eq!(given, (100..110).collect::<Vec<_>>());
        assert_eq!([99, 100, 110].map(|it| pool.claim(it)), [Taken::OutOfRange, Taken::Before, Taken::OutOfRange]);
        pool.give_back(105);
        assert_eq!(pool.pick("any"), Some(105));
    }

    #[test]
    fn a_number_that_two_hold_is_free_after_both() {
        let mut pool = Pool::new(0, 4, 0);
        assert_eq!(pool.claim(2), Taken::Now);
        pool.take(2);
        pool.give_back(2);
        assert_eq!(pool.claim(2), Taken::Before);
        pool.give_back(2);
        pool.give_back(2);
        assert_eq!(pool.claim(2), Taken::Now);
    }
}
