//! Which segments of the decision log may go. Whole segments only, oldest first, never the one being written.

use std::time::Duration;

use jiff::Timestamp;

/// How much of the log to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// All segments together, in bytes.
    pub max_bytes: u64,
    /// A segment whose last record is older goes.
    pub max_age: Duration,
}

/// 1 GiB and 90 days.
impl Default for Retention {
    fn default() -> Retention {
        Retention { max_bytes: 1 << 30, max_age: Duration::from_secs(90 * 24 * 3600) }
    }
}

/// A closed or open segment, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its size.
    pub bytes: u64,
    /// When its last record was written.
    pub last: Timestamp,
}

/// How many of the oldest segments to drop.
pub fn surplus(segments: &[Segment], retention: Retention, now: Timestamp) -> usize {
    let mut total: u64 = segments.iter().map(|it| it.bytes).sum();
    let closed = segments.len().saturating_sub(1);
    let mut dropped = 0;
    for segment in &segments[..closed] {
        let age = now.duration_since(segment.last);
        let too_old = Duration::try_from(age).is_ok_and(|age| age > retention.max_age);
        if total <= retention.max_bytes && !too_old {
            break;
        }
        total -= segment.bytes;
        dropped += 1;
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_segments_go_by_size_and_age_but_never_the_last() {
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let segments: Vec<_> = (0..4).map(|n| Segment { bytes: 10, last: at(n * 100) }).collect();
        let keep = |max_bytes, secs| Retention { max_bytes, max_age: Duration::from_secs(secs) };
        assert_eq!(surplus(&segments, keep(40, 1000), at(400)), 0);
        assert_eq!(surplus(&segments, keep(25, 1000), at(400)), 2);
        assert_eq!(surplus(&segments, keep(40, 250), at(400)), 2);
        assert_eq!(surplus(&segments, keep(0, 0), at(9999)), 3);
        assert_eq!(surplus(&[], keep(0, 0), at(9999)), 0);
    }
}
