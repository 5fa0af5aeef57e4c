//! What clients of a deprecated version are told (`Warning: 299`).

use std::cmp::Reverse;

use serde_json::Value;

use super::versions;
use crate::resource::version_priority;

/// The warning of a version, if it is deprecated: the definition's own text, or upstream's with the version to go to.
pub(super) fn warning(crd: &Value, version: &Value) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    if let Some(text) = version["deprecationWarning"].as_str() {
        return Some(text.to_owned());
    }
    let spec = &crd["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, kind, name) = (text(&spec["group"]), text(&spec["names"]["kind"]), text(&version["name"]));
    let newer = versions(crd)
        .filter(|it| it["served"] == true && it["deprecated"] != true)
        .filter_map(|it| it["name"].as_str())
        .filter(|it| version_priority(it) > version_priority(&name))
        .min_by_key(|it| Reverse(version_priority(it)));
    let advice = newer.map(|it| format!("; use {group}/{it} {kind}")).unwrap_or_default();
    Some(format!("{group}/{name} {kind} is deprecated{advice}"))
}
