//! What field selectors compare.

use kanon_core::Object;

use super::Resource;
use crate::selector::scalar_text;

/// Fields whose absence means something: how Go prints their zero value.
const ZEROES: [(&str, &str); 5] = [
    ("spec.hostNetwork", "false"),
    ("spec.unschedulable", "false"),
    ("status.replicas", "0"),
    ("status.successful", "0"),
    ("status.phase", ""),
];

/// The text of `field` in an object in its stored form.
pub(super) fn value(resource: &Resource, object: &Object, field: &str) -> String {
    let path: Vec<&str> = match (resource.builtin_kind().is_some(), field) {
        (true, "source") => vec!["source", "component"],
        (true, "status.successful") => vec!["status", "succeeded"],
        // The new event API's names for what is stored in the old one's form.
        (true, "reportingController") => vec!["reportingComponent"],
        (true, field) if field.starts_with("regarding.") => {
            std::iter::once("involvedObject").chain(field.split('.').skip(1)).collect()
        }
        (_, field) => field.trim_start_matches('.').split('.').collect(),
    };
    let text = scalar_text(object.at(&path));
    if text.is_empty() && resource.builtin_kind().is_some() {
        let zero = ZEROES.iter().find(|(it, _)| *it == field);
        return zero.map(|(_, zero)| (*zero).to_owned()).unwrap_or_default();
    }
    text
}
