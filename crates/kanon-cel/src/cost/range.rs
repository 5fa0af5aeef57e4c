//! Costs and sizes as ranges that stop at their end instead of overflowing.

/// From at least to at most: a cost, or a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
}

impl Range {
    /// Nothing.
    pub const ZERO: Range = Range::fixed(0);
    /// Nothing is known.
    pub(super) const UNKNOWN: Range = Range { min: 0, max: u64::MAX };

    pub(super) const fn fixed(value: u64) -> Range {
        Range { min: value, max: value }
    }

    pub(super) fn up_to(max: u64) -> Range {
        Range { min: 0, max }
    }

    /// One after the other.
    pub(super) fn plus(self, other: Range) -> Range {
        Range { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    /// So many times the other.
    pub(super) fn times(self, other: Range) -> Range {
        Range { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    /// A part of it, rounded up.
    pub(super) fn scaled(self, factor: f64) -> Range {
        // Beyond 64 bits the conversion stays at the end.
        let scale = |value: u64| (value as f64 * factor).ceil() as u64;
        Range { min: scale(self.min), max: scale(self.max) }
    }

    /// One or the other.
    pub(super) fn or(self, other: Range) -> Range {
        Range { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    /// The range of several alternatives; nothing for none.
    pub(super) fn of_any(alternatives: impl IntoIterator<Item = Range>) -> Range {
        alternatives.into_iter().reduce(Range::or).unwrap_or(Range::ZERO)
    }
}
