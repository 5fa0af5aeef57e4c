//! An autoscaler's row: each metric as `name: current/target`.

use kanon_core::Node;
use serde_json::Value;

use super::{NONE, Row, UNSET, int, plain, text};

/// Metrics shown before `+ N more...`.
const SHOWN: usize = 2;

pub(super) fn autoscaler(row: Row<'_>) -> Vec<Value> {
    let target = &["spec", "scaleTargetRef"];
    let reference =
        format!("{}/{}", row.text(&[target[0], target[1], "kind"]), row.text(&[target[0], target[1], "name"]));
    let least = row.node(&["spec", "minReplicas"]).map_or_else(|| UNSET.to_owned(), plain);
    vec![
        row.name(),
        reference.into(),
        targets(row).into(),
        least.into(),
        row.int(&["spec", "maxReplicas"]).into(),
        row.int(&["status", "currentReplicas"]).into(),
        row.age(),
    ]
}

fn targets(row: Row<'_>) -> String {
    let current: Vec<Node<'_>> = row.list(&["status", "currentMetrics"]).collect();
    let all: Vec<String> =
        row.list(&["spec", "metrics"]).enumerate().map(|(index, it)| metric(it, current.get(index).copied())).collect();
    match all.len() {
        0 => NONE.to_owned(),
        count if count > SHOWN => format!("{} + {} more...", all[..SHOWN].join(", "), count - SHOWN),
        _ => all.join(", "),
    }
}

/// A metric's source is a member named like its type, first letter small.
fn metric(metric: Node<'_>, current: Option<Node<'_>>) -> String {
    let kind = text(metric, &["type"]);
    let Some(source) = member_of(metric, &kind) else { return "<unknown type>".to_owned() };
    let current = current.and_then(|it| member_of(it, &kind));
    let name = text(source, &["name"]);
    let prefix = if name.is_empty() { String::new() } else { format!("{name}: ") };
    format!("{prefix}{}", amounts(source, current))
}

fn member_of<'a>(metric: Node<'a>, kind: &str) -> Option<Node<'a>> {
    let mut letters = kind.chars();
    let member: String = letters.next()?.to_lowercase().chain(letters).collect();
    metric.get(&member)
}

fn amounts(source: Node<'_>, current: Option<Node<'_>>) -> String {
    let unknown = || super::super::UNKNOWN.to_owned();
    let now = |member: &str| current.and_then(|it| it.at(&["current", member])).map(plain);
    if source.at(&["target", "averageUtilization"]).is_some() {
        let now = now("averageUtilization").map_or_else(unknown, |it| format!("{it}%"));
        return format!("{now}/{}%", int(source, &["target", "averageUtilization"]));
    }
    if let Some(average) = source.at(&["target", "averageValue"]) {
        return format!("{}/{} (avg)", now("averageValue").unwrap_or_else(unknown), plain(average));
    }
    let value = source.at(&["target", "value"]).map(plain).unwrap_or_default();
    format!("{}/{value}", now("value").unwrap_or_else(unknown))
}
