//! Cells of printed tables, as users of kubectl know them. One file a family of kinds; [`Row`] reads the object.

mod cluster;
mod duration;
mod pod;
mod workload;

use jiff::Timestamp;
use kanon_core::{Node, NodeKind, Object};
use serde_json::Value;

pub use duration::human_duration;

use crate::BuiltinKind;

/// What an absent value prints as.
const NONE: &str = "<none>";
/// What an unknown value prints as.
const UNKNOWN: &str = "<unknown>";
/// What an unset value prints as.
const UNSET: &str = "<unset>";

/// The cells of one object, one a column of [`crate::columns()`], in their order.
pub fn cells(kind: &BuiltinKind, object: &Object, now: Timestamp) -> Vec<Value> {
    let row = Row { root: object.root(), now };
    match (kind.gvk.group.as_str(), kind.gvk.kind.as_str()) {
        ("", "Pod") => pod::pod(row),
        ("", "ReplicationController") | ("apps", "ReplicaSet") => workload::replica_set(row),
        ("apps", "Deployment") => workload::deployment(row),
        ("apps", "StatefulSet") => workload::stateful_set(row),
        ("apps", "DaemonSet") => workload::daemon_set(row),
        ("apps", "ControllerRevision") => workload::revision(row),
        ("batch", "Job") => workload::job(row),
        ("batch", "CronJob") => workload::cron_job(row),
        ("", "PodTemplate") => workload::pod_template(row),
        _ => cluster::cells(kind, row),
    }
}

/// An object to print, at a moment.
#[derive(Clone, Copy)]
struct Row<'a> {
    root: Node<'a>,
    now: Timestamp,
}

impl<'a> Row<'a> {
    fn node(self, path: &[&str]) -> Option<Node<'a>> {
        self.root.at(path)
    }

    /// Text at a path; empty when absent.
    fn text(self, path: &[&str]) -> String {
        text(self.root, path)
    }

    /// Text at a path, or what stands for its absence.
    fn text_or(self, path: &[&str], absent: &str) -> Value {
        let text = self.text(path);
        if text.is_empty() { absent.into() } else { text.into() }
    }

    fn int(self, path: &[&str]) -> i64 {
        int(self.root, path)
    }

    fn list(self, path: &[&str]) -> impl Iterator<Item = Node<'a>> + use<'a> {
        list(self.root, path)
    }

    fn name(self) -> Value {
        self.text(&["metadata", "name"]).into()
    }

    /// Time since the object was created.
    fn age(self) -> Value {
        self.since(&["metadata", "creationTimestamp"]).into()
    }

    /// Time since the moment at a path, as kubectl writes it.
    fn since(self, path: &[&str]) -> String {
        self.time(path).map_or_else(|| UNKNOWN.to_owned(), |it| self.ago(it))
    }

    fn ago(self, then: Timestamp) -> String {
        human_duration(self.now.as_second().saturating_sub(then.as_second()))
    }

    fn time(self, path: &[&str]) -> Option<Timestamp> {
        time(self.root, path)
    }

    /// Type, with its status, of a condition that is there.
    fn condition(self, kind: &str) -> Option<String> {
        let mut all = self.list(&["status", "conditions"]);
        all.find(|it| text(*it, &["type"]) == kind).map(|it| text(it, &["status"]))
    }

    fn is_deleted(self) -> bool {
        self.node(&["metadata", "deletionTimestamp"]).is_some_and(|it| !it.is_null())
    }
}

/// Text at a path below `node`; empty when absent or something else.
fn text(node: Node<'_>, path: &[&str]) -> String {
    node.at(path).and_then(Node::as_str).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

fn int(node: Node<'_>, path: &[&str]) -> i64 {
    node.at(path).and_then(Node::as_i64).unwrap_or_default()
}

fn flag(node: Node<'_>, path: &[&str]) -> bool {
    node.at(path).and_then(Node::as_bool).unwrap_or_default()
}

fn list<'a>(node: Node<'a>, path: &[&str]) -> impl Iterator<Item = Node<'a>> + use<'a> {
    node.at(path).into_iter().flat_map(Node::elements)
}

fn time(node: Node<'_>, path: &[&str]) -> Option<Timestamp> {
    text(node, path).parse().ok()
}

/// Text of a value that may be a number or a string (`25%`, `1`).
fn plain(node: Node<'_>) -> String {
    match node.kind() {
        NodeKind::String => text(node, &[]),
        NodeKind::Null => String::new(),
        NodeKind::Bool | NodeKind::Number | NodeKind::List | NodeKind::Object => node.raw().to_owned(),
    }
}

fn or_none(text: String) -> Value {
    if text.is_empty() { NONE.into() } else { text.into() }
}

fn joined(parts: impl Iterator<Item = String>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}

/// `a=1,b=2`, by key.
fn labels(node: Option<Node<'_>>) -> Value {
    let mut pairs: Vec<String> =
        node.into_iter().flat_map(Node::members).map(|(key, value)| format!("{key}={}", text(value, &[]))).collect();
    pairs.sort();
    or_none(pairs.join(","))
}

/// A label selector as text: `app=web,tier in (a,b),!legacy`.
fn selector(node: Option<Node<'_>>) -> Value {
    let Some(node) = node else { return NONE.into() };
    let matched = node.get("matchLabels").into_iter().flat_map(Node::members);
    let mut parts: Vec<(String, String)> =
        matched.map(|(key, value)| (key.to_string(), format!("{key}={}", text(value, &[])))).collect();
    for it in list(node, &["matchExpressions"]) {
        let key = text(it, &["key"]);
        let mut values: Vec<String> = list(it, &["values"]).map(|value| text(value, &[])).collect();
        values.sort();
        let values = values.join(",");
        let part = match text(it, &["operator"]).as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.clone(),
        };
        parts.push((key, part));
    }
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    or_none(joined(parts.into_iter().map(|it| it.1), ","))
}

#[cfg(test)]
mod tests;
