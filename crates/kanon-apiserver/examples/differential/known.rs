//! Differences that may be, each with its reason; docs/kubernetes-api.md tells them to readers.

use crate::compare::Difference;

/// The end of a place, a part of what one of the sides has there (empty for anything), and why it may differ.
const KNOWN: &[(&str, &str, &str)] = &[
    (".description", "", "descriptions of columns are our own"),
    (".object.metadata.managedFields", "", "rows of tables come without managed fields, as on 1.32"),
    (".f:spec..", "", "definitions: managed fields name members that upstream's types always have"),
    (".f:spec.f:names..", "", "definitions: managed fields name members that upstream's types always have"),
    (
        ".fieldsV1.f:status",
        "f:acceptedNames",
        "definitions: managed fields name members that upstream's types always have",
    ),
    (".body.status.conditions", "", "definitions: no conditions yet is an empty list there"),
    (
        ".message",
        "strict decoding error: unknown field",
        "strict patches: the object is quoted with its members in another order",
    ),
    (".message", "x-kubernetes-validations", "definitions: a rule that does not compile is quoted by its text"),
    (".message", "compilation failed", "definitions: a rule that does not compile is quoted by its text"),
    (".message", "regular expression", "regular expressions: what is wrong is told by another library"),
    (".message", "continue key is not valid", "tokens: what is wrong is told by another library"),
];

/// Why a difference may be; none where any part of it may not.
pub(crate) fn reason(difference: &Difference) -> Option<&'static str> {
    let mut reasons = difference.places.iter().map(|(at, ours, other)| {
        let fits = |(place, part, _): &&(&str, &str, &str)| {
            at.ends_with(place) && (ours.to_string().contains(part) || other.to_string().contains(part))
        };
        KNOWN.iter().find(fits).map(|(_, _, why)| *why)
    });
    let first = reasons.next()??;
    reasons.all(|it| it.is_some()).then_some(first)
}
