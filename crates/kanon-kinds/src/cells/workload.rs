//! Rows of the kinds that make pods.

use kanon_core::Node;
use serde_json::Value;

use super::{NONE, Row, UNSET, human_duration, joined, labels, or_none, selector, text};

/// Names and images of the containers of a pod template at a path, then its selector.
fn wide(row: Row<'_>, template: &[&str], selector: Value) -> [Value; 3] {
    [containers(row, template, "name"), containers(row, template, "image"), selector]
}

fn containers(row: Row<'_>, template: &[&str], member: &str) -> Value {
    let path = [template, &["spec", "containers"]].concat();
    joined(row.list(&path).map(|it| text(it, &[member])), ",").into()
}

const TEMPLATE: &[&str] = &["spec", "template"];

/// Wanted pods; one where not said.
fn wanted(row: Row<'_>) -> i64 {
    row.node(&["spec", "replicas"]).and_then(Node::as_i64).unwrap_or(1)
}

fn ready_of_wanted(row: Row<'_>) -> Value {
    format!("{}/{}", row.int(&["status", "readyReplicas"]), wanted(row)).into()
}

/// The selector of a workload: a label selector, or plain labels in the oldest kind.
fn pods_of(row: Row<'_>) -> Value {
    let node = row.node(&["spec", "selector"]);
    let structured = node.is_some_and(|it| it.get("matchLabels").is_some() || it.get("matchExpressions").is_some());
    if structured { selector(node) } else { labels(node) }
}

pub(super) fn replica_set(row: Row<'_>) -> Vec<Value> {
    let mut cells = vec![
        row.name(),
        wanted(row).into(),
        row.int(&["status", "replicas"]).into(),
        row.int(&["status", "readyReplicas"]).into(),
        row.age(),
    ];
    cells.extend(wide(row, TEMPLATE, pods_of(row)));
    cells
}

pub(super) fn deployment(row: Row<'_>) -> Vec<Value> {
    let mut cells = vec![
        row.name(),
        ready_of_wanted(row),
        row.int(&["status", "updatedReplicas"]).into(),
        row.int(&["status", "availableReplicas"]).into(),
        row.age(),
    ];
    cells.extend(wide(row, TEMPLATE, pods_of(row)));
    cells
}

pub(super) fn stateful_set(row: Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        ready_of_wanted(row),
        row.age(),
        containers(row, TEMPLATE, "name"),
        containers(row, TEMPLATE, "image"),
    ]
}

pub(super) fn daemon_set(row: Row<'_>) -> Vec<Value> {
    let figures = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ];
    let mut cells = vec![row.name()];
    cells.extend(figures.iter().map(|it| Value::from(row.int(&["status", it]))));
    cells.push(labels(row.node(&["spec", "template", "spec", "nodeSelector"])));
    cells.push(row.age());
    cells.extend(wide(row, TEMPLATE, pods_of(row)));
    cells
}

pub(super) fn revision(row: Row<'_>) -> Vec<Value> {
    let mut owners = row.list(&["metadata", "ownerReferences"]);
    let owner = owners.find(|it| super::flag(*it, &["controller"]));
    let controller = owner.map(|it| {
        let group = text(it, &["apiVersion"]);
        let group = group.split_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
        format!("{}{group}/{}", text(it, &["kind"]).to_lowercase(), text(it, &["name"]))
    });
    vec![row.name(), or_none(controller.unwrap_or_default()), row.int(&["revision"]).into(), row.age()]
}

pub(super) fn pod_template(row: Row<'_>) -> Vec<Value> {
    let path = &["template"];
    let pod_labels = labels(row.node(&["template", "metadata", "labels"]));
    vec![row.name(), containers(row, path, "name"), containers(row, path, "image"), pod_labels]
}

pub(super) fn job(row: Row<'_>) -> Vec<Value> {
    let mut cells =
        vec![row.name(), job_status(row).into(), completions(row).into(), job_duration(row).into(), row.age()];
    cells.extend(wide(row, TEMPLATE, selector(row.node(&["spec", "selector"]))));
    cells
}

fn job_status(row: Row<'_>) -> &'static str {
    let is = |kind: &str| row.condition(kind).as_deref() == Some("True");
    match () {
        () if is("Complete") => "Complete",
        () if is("Failed") => "Failed",
        () if row.is_deleted() => "Terminating",
        () if is("Suspended") => "Suspended",
        () if is("FailureTarget") => "FailureTarget",
        () if is("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

/// Done of wanted; of a work queue, one success is enough and the number of workers is said.
fn completions(row: Row<'_>) -> String {
    let done = row.int(&["status", "succeeded"]);
    let workers = row.int(&["spec", "parallelism"]);
    match row.node(&["spec", "completions"]).and_then(Node::as_i64) {
        Some(wanted) => format!("{done}/{wanted}"),
        None if workers > 1 => format!("{done}/1 of {workers}"),
        None => format!("{done}/1"),
    }
}

fn job_duration(row: Row<'_>) -> String {
    let Some(start) = row.time(&["status", "startTime"]) else { return String::new() };
    let end = row.time(&["status", "completionTime"]).unwrap_or(row.now);
    human_duration(end.as_second().saturating_sub(start.as_second()))
}

pub(super) fn cron_job(row: Row<'_>) -> Vec<Value> {
    const JOB: &[&str] = &["spec", "jobTemplate", "spec", "template"];
    let suspended = match row.node(&["spec", "suspend"]).and_then(Node::as_bool) {
        None => UNSET,
        Some(true) => "True",
        Some(false) => "False",
    };
    let last = row.time(&["status", "lastScheduleTime"]).map_or_else(|| NONE.to_owned(), |it| row.ago(it));
    let mut cells = vec![
        row.name(),
        row.text(&["spec", "schedule"]).into(),
        or_none(row.text(&["spec", "timeZone"])),
        suspended.into(),
        row.list(&["status", "active"]).count().into(),
        last.into(),
        row.age(),
    ];
    cells.extend(wide(row, JOB, selector(row.node(&["spec", "jobTemplate", "spec", "selector"]))));
    cells
}
