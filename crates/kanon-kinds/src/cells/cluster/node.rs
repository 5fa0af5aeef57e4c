//! A node's row.

use kanon_core::Node;
use serde_json::Value;

use super::{NONE, Row, or_none, text};

/// Label prefix that names a role.
const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
/// Label whose value names a role.
const ROLE: &str = "kubernetes.io/role";

pub(super) fn node(row: Row<'_>) -> Vec<Value> {
    let info = |name: &str| row.text_or(&["status", "nodeInfo", name], super::super::UNKNOWN);
    let address = |kind: &str| {
        let mut all = row.list(&["status", "addresses"]);
        let found = all.find(|it| text(*it, &["type"]) == kind).map(|it| text(it, &["address"]));
        found.map_or_else(|| NONE.into(), Value::from)
    };
    vec![
        row.name(),
        status(row).into(),
        roles(row),
        row.age(),
        row.text(&["status", "nodeInfo", "kubeletVersion"]).into(),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

fn status(row: Row<'_>) -> String {
    let ready = match row.condition("Ready").as_deref() {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let cordoned = super::super::flag(row.root, &["spec", "unschedulable"]);
    format!("{ready}{}", if cordoned { ",SchedulingDisabled" } else { "" })
}

fn roles(row: Row<'_>) -> Value {
    let labels = row.node(&["metadata", "labels"]).into_iter().flat_map(Node::members);
    let mut roles: Vec<String> = labels
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
            Some(role) => Some(role.to_owned()),
            None => (key == ROLE).then(|| text(value, &[])),
        })
        .filter(|it| !it.is_empty())
        .collect();
    roles.sort();
    roles.dedup();
    or_none(roles.join(","))
}
