//! What field selectors compare.

use kanon_core::Object;

use super::Resource;
use crate::selector::scalar_text;

/// How Go prints the zero value of fields that may be absent.
const ZEROES: [(&str, &str); 4] = [
    ("spec.hostNetwork", "false"),
    ("spec.unschedulable", "false"),
    ("status.replicas", "0"),
    ("status.successful", "0"),
];

/// The text of `field` in an object in its stored form.
pub(super) fn value(resource: &Resource, object: &Object, field: &str) -> String {
    if resource.builtin_kind().is_none() {
        let path: Vec<&str> = field.trim_start_matches('.').split('.').collect();
        return scalar_text(object.at(&path));
    }
    let renamed = match field {
        "source" => "source.component".to_owned(),
        "status.successful" => "status.succeeded".to_owned(),
        // The new event API's names for what is stored in the old one's form.
        "reportingController" => "reportingComponent".to_owned(),
        other => other.replacen("regarding.", "involvedObject.", 1),
    };
    let path: Vec<&str> = renamed.split('.').collect();
    let text = scalar_text(object.at(&path));
    if !text.is_empty() {
        return text;
    }
    if field == "source" {
        return scalar_text(object.at(&["reportingComponent"]));
    }
    ZEROES.iter().find(|(it, _)| *it == field).map(|(_, zero)| (*zero).to_owned()).unwrap_or_default()
}
