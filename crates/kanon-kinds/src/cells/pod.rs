//! A pod's row. STATUS is the phase, or the first thing that holds the pod up; READY and RESTARTS count over all containers
//! that run as long as the pod.

use jiff::Timestamp;
use kanon_core::Node;
use serde_json::Value;

use super::{Row, flag, int, or_none, text};

pub(super) fn pod(row: Row<'_>) -> Vec<Value> {
    let summary = Summary::of(row);
    let address = row.list(&["status", "podIPs"]).next().map(|it| text(it, &["ip"]));
    let address = address.unwrap_or_else(|| row.text(&["status", "podIP"]));
    vec![
        row.name(),
        format!("{}/{}", summary.ready, summary.containers).into(),
        summary.reason.clone().into(),
        summary.restarts_text(row).into(),
        row.age(),
        or_none(address),
        or_none(row.text(&["spec", "nodeName"])),
        or_none(row.text(&["status", "nominatedNodeName"])),
        readiness_gates(row),
    ]
}

#[derive(Default)]
struct Summary {
    containers: usize,
    ready: usize,
    restarts: i64,
    last_restart: Option<Timestamp>,
    /// Restarts of init containers that keep running; they count even when the pod is up.
    sidecar_restarts: i64,
    last_sidecar_restart: Option<Timestamp>,
    reason: String,
}

impl Summary {
    fn of(row: Row<'_>) -> Summary {
        let mut summary = Summary { reason: phase(row), ..Summary::default() };
        summary.containers = row.list(&["spec", "containers"]).count()
            + row.list(&["spec", "initContainers"]).filter(|it| is_sidecar(*it)).count();
        let initializing = summary.init_containers(row);
        if !initializing || row.condition("Initialized").as_deref() == Some("True") {
            summary.main_containers(row);
        }
        if row.is_deleted() {
            summary.deleted(row);
        }
        summary
    }

    /// Reads the init containers up to the first that is not done; true when there is one.
    fn init_containers(&mut self, row: Row<'_>) -> bool {
        let specs: Vec<Node<'_>> = row.list(&["spec", "initContainers"]).collect();
        for (index, status) in row.list(&["status", "initContainerStatuses"]).enumerate() {
            let name = text(status, &["name"]);
            let sidecar = specs.iter().any(|it| text(*it, &["name"]) == name && is_sidecar(*it));
            self.restarts += int(status, &["restartCount"]);
            self.last_restart = self.last_restart.max(last_end(status));
            if sidecar {
                self.sidecar_restarts += int(status, &["restartCount"]);
                self.last_sidecar_restart = self.last_sidecar_restart.max(last_end(status));
            }
            let ended = status.at(&["state", "terminated"]);
            let waiting = text(status, &["state", "waiting", "reason"]);
            if ended.is_some_and(|it| int(it, &["exitCode"]) == 0) {
                continue;
            }
            if sidecar && flag(status, &["started"]) {
                self.ready += usize::from(flag(status, &["ready"]));
                continue;
            }
            self.reason = match ended {
                Some(ended) => format!("Init:{}", end_reason(ended)),
                None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
                None => format!("Init:{index}/{}", specs.len()),
            };
            return true;
        }
        false
    }

    fn main_containers(&mut self, row: Row<'_>) {
        self.restarts = self.sidecar_restarts;
        self.last_restart = self.last_sidecar_restart;
        let mut running = false;
        let statuses: Vec<Node<'_>> = row.list(&["status", "containerStatuses"]).collect();
        // The first container has the last word.
        for status in statuses.into_iter().rev() {
            self.restarts += int(status, &["restartCount"]);
            self.last_restart = self.last_restart.max(last_end(status));
            let waiting = text(status, &["state", "waiting", "reason"]);
            if !waiting.is_empty() {
                self.reason = waiting;
            } else if let Some(ended) = status.at(&["state", "terminated"]) {
                self.reason = end_reason(ended);
            } else if flag(status, &["ready"]) && status.at(&["state", "running"]).is_some() {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && running {
            let ready = row.condition("Ready").as_deref() == Some("True");
            self.reason = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }

    fn deleted(&mut self, row: Row<'_>) {
        if row.text(&["status", "reason"]) == "NodeLost" {
            "Unknown".clone_into(&mut self.reason);
        } else if !matches!(row.text(&["status", "phase"]).as_str(), "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut self.reason);
        }
    }

    fn restarts_text(&self, row: Row<'_>) -> String {
        match self.last_restart {
            Some(last) if self.restarts != 0 => format!("{} ({} ago)", self.restarts, row.ago(last)),
            _ => self.restarts.to_string(),
        }
    }
}

fn phase(row: Row<'_>) -> String {
    let gated = |it: Node<'_>| text(it, &["type"]) == "PodScheduled" && text(it, &["reason"]) == "SchedulingGated";
    if row.list(&["status", "conditions"]).any(gated) {
        return "SchedulingGated".to_owned();
    }
    let reason = row.text(&["status", "reason"]);
    if reason.is_empty() { row.text(&["status", "phase"]) } else { reason }
}

fn is_sidecar(container: Node<'_>) -> bool {
    text(container, &["restartPolicy"]) == "Always"
}

fn last_end(status: Node<'_>) -> Option<Timestamp> {
    super::time(status, &["lastState", "terminated", "finishedAt"])
}

fn end_reason(ended: Node<'_>) -> String {
    let reason = text(ended, &["reason"]);
    match (reason.is_empty(), int(ended, &["signal"])) {
        (false, _) => reason,
        (true, 0) => format!("ExitCode:{}", int(ended, &["exitCode"])),
        (true, signal) => format!("Signal:{signal}"),
    }
}

fn readiness_gates(row: Row<'_>) -> Value {
    let gates: Vec<Node<'_>> = row.list(&["spec", "readinessGates"]).collect();
    if gates.is_empty() {
        return super::NONE.into();
    }
    let met = |it: &&Node<'_>| row.condition(&text(**it, &["conditionType"])).as_deref() == Some("True");
    format!("{}/{}", gates.iter().filter(met).count(), gates.len()).into()
}
