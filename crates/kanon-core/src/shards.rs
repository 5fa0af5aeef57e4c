//! Which namespaces a replica looks after. The namespaces are spread over a fixed number of shards by the digest of their name;
//! each shard is held by one replica at a time. What stands in no namespace belongs to shard 0, whose holder leads: it writes
//! what is about policies and not about objects. Pure; who holds what is the shell's to find out.

use std::fmt;

use crate::Digest;

/// The shards that this process holds, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards {
    count: u32,
    /// One bit each.
    held: u64,
}

impl Shards {
    /// Most shards there may be.
    pub const MAX: u32 = u64::BITS;

    /// None of so many.
    pub fn none_of(count: u32) -> Shards {
        Shards { count: count.clamp(1, Shards::MAX), held: 0 }
    }

    /// The one shard of a process that leads alone.
    pub fn all() -> Shards {
        Shards::none_of(1).with(0)
    }

    /// No shard.
    pub fn none() -> Shards {
        Shards::none_of(1)
    }

    /// All of them, or none.
    pub fn lead(leads: bool) -> Shards {
        if leads { Shards::all() } else { Shards::none() }
    }

    /// The same and one more; a number that is none of the shards changes nothing.
    #[must_use]
    pub fn with(mut self, shard: u32) -> Shards {
        if shard < self.count {
            self.held |= 1 << shard;
        }
        self
    }

    /// The same without one.
    #[must_use]
    pub fn without(mut self, shard: u32) -> Shards {
        if shard < self.count {
            self.held &= !(1 << shard);
        }
        self
    }

    /// Those that both have.
    #[must_use]
    pub fn and(self, other: Shards) -> Shards {
        let held = if self.count == other.count { self.held & other.held } else { 0 };
        Shards { held, ..self }
    }

    /// Those that the other has not; all of these where there is another number of shards.
    #[must_use]
    pub fn minus(self, other: Shards) -> Shards {
        let held = if self.count == other.count { self.held & !other.held } else { self.held };
        Shards { held, ..self }
    }

    /// These and those of the other that are shards of as many.
    #[must_use]
    pub fn or(self, other: Shards) -> Shards {
        let held = if self.count == other.count { self.held | other.held } else { self.held };
        Shards { held, ..self }
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether it is one of those held.
    pub fn has(self, shard: u32) -> bool {
        shard < self.count && self.held & (1 << shard) != 0
    }

    /// How many are held.
    pub fn len(self) -> u32 {
        self.held.count_ones()
    }

    /// Whether none is held.
    pub fn is_empty(self) -> bool {
        self.held == 0
    }

    /// Whether all are held.
    pub fn is_all(self) -> bool {
        self.len() == self.count
    }

    /// Whether this process leads: it holds shard 0.
    pub fn leads(self) -> bool {
        self.has(0)
    }

    /// Whether a namespace is looked after here; the empty name stands for what is in none.
    pub fn holds(self, namespace: &str) -> bool {
        // No digest where the answer is the same for all.
        !self.is_empty() && (self.is_all() || self.has(self.of(namespace)))
    }

    /// The shard of a namespace.
    pub fn of(self, namespace: &str) -> u32 {
        if namespace.is_empty() || self.count == 1 {
            return 0;
        }
        let digest = Digest::of(&[namespace.as_bytes()]).short();
        let number = u64::from_str_radix(&digest, 16).unwrap_or_default();
        u32::try_from(number % u64::from(self.count)).unwrap_or_default()
    }
}

impl fmt::Display for Shards {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held: Vec<_> = (0..self.count).filter(|it| self.has(*it)).map(|it| it.to_string()).collect();
        write!(out, "[{}] of {}", held.join(", "), self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_namespace_has_one_shard_and_what_is_in_none_has_the_first() {
        let each: Vec<_> = (0..4).map(|it| Shards::none_of(4).with(it)).collect();
        let mut sizes = [0; 4];
        for number in 0..400 {
            let name = format!("team-{number}");
            let holders: Vec<_> = each.iter().filter(|it| it.holds(&name)).collect();
            assert_eq!(holders.len(), 1, "{name}");
            sizes[each[0].of(&name) as usize] += 1;
        }
        assert!(sizes.iter().all(|it| *it > 60), "{sizes:?}");
        assert_eq!(each.iter().map(|it| it.holds("")).collect::<Vec<_>>(), [true, false, false, false]);
        // An agreement between replicas of any version.
        assert_eq!(["shop", "kube-system", "default"].map(|it| each[0].of(it)), [2, 1, 1]);
    }

    #[test]
    fn shards_are_taken_and_given_back() {
        assert!(Shards::all().holds("shop") && Shards::all().leads());
        assert!(!Shards::none().holds("") && Shards::none().is_empty());
        let two = Shards::none_of(3).with(2).with(0).with(3);
        assert_eq!((two.to_string(), two.len(), two.is_all()), ("[0, 2] of 3".into(), 2, false));
        assert!(two.with(1).is_all() && two.with(1).holds("anything"));
        assert!(!two.without(0).leads());
        let other = Shards::none_of(3).with(1).with(2);
        let sets = [two.and(other), two.minus(other), two.or(other), two.minus(Shards::all()), two.and(Shards::all())];
        assert_eq!(sets.map(Shards::len), [1, 1, 3, 2, 0]);
        assert_eq!(Shards::none_of(0), Shards::none());
        assert_eq!(Shards::none_of(1000).count(), Shards::MAX);
        assert!(Shards::none_of(Shards::MAX).with(63).has(63));
    }
}
