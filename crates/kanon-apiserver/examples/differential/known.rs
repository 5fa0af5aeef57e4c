//! Differences that may be, each with its reason. Docs/kubernetes-api.md names them for readers.

use crate::compare::Difference;

/// A place (its end), what one of the sides says there (a part of it; empty for anything), and why it may.
const KNOWN: &[(&str, &str, &str)] = &[(".description", "Name must be unique", "descriptions of columns are our own")];

/// Why a difference may be; none where it may not.
pub(crate) fn reason(difference: &Difference) -> Option<&'static str> {
    let fits = |(place, part, why): &(&str, &str, &'static str)| {
        let all = difference.places.iter().all(|(at, ours, other)| {
            at.ends_with(place) && (ours.to_string().contains(part) || other.to_string().contains(part))
        });
        all.then_some(*why)
    };
    KNOWN.iter().find_map(fits)
}
