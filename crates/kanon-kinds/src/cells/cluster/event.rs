//! An event's row. The core and the events group spell the same facts differently.

use serde_json::Value;

use super::{Row, joined};

pub(super) fn event(row: Row<'_>) -> Vec<Value> {
    let first = row.time(&["firstTimestamp"]).or_else(|| row.time(&["deprecatedFirstTimestamp"]));
    let last = row.time(&["lastTimestamp"]).or_else(|| row.time(&["deprecatedLastTimestamp"]));
    let first = first.or_else(|| row.time(&["eventTime"]));
    let series = row.node(&["series"]);
    let last = if series.is_some() { row.time(&["series", "lastObservedTime"]) } else { last.or(first) };
    let written =
        |time: Option<jiff::Timestamp>| time.map_or_else(|| super::super::UNKNOWN.to_owned(), |it| row.ago(it));
    let count = match series {
        Some(_) => row.int(&["series", "count"]),
        None => row.int(&["count"]).max(row.int(&["deprecatedCount"])).max(1),
    };
    let about = if row.node(&["regarding"]).is_some() { "regarding" } else { "involvedObject" };
    vec![
        written(last).into(),
        row.text(&["type"]).into(),
        row.text(&["reason"]).into(),
        target(row, about).into(),
        row.text(&[about, "fieldPath"]).into(),
        source(row).into(),
        either(row, "message", "note").trim().into(),
        written(first).into(),
        count.into(),
        row.name(),
    ]
}

fn target(row: Row<'_>, about: &str) -> String {
    let kind = row.text(&[about, "kind"]).to_lowercase();
    let name = row.text(&[about, "name"]);
    if name.is_empty() { kind } else { format!("{kind}/{name}") }
}

/// Component and host.
fn source(row: Row<'_>) -> String {
    let of = |member: &str, new: &[&str]| {
        let old = [["source", member], ["deprecatedSource", member]].map(|it| row.text(&it));
        old.into_iter().chain(new.iter().map(|it| row.text(&[it]))).find(|it| !it.is_empty())
    };
    let component = of("component", &["reportingComponent", "reportingController"]);
    joined(component.into_iter().chain(of("host", &["reportingInstance"])), ", ")
}

fn either(row: Row<'_>, one: &str, other: &str) -> String {
    let text = row.text(&[one]);
    if text.is_empty() { row.text(&[other]) } else { text }
}
