//! The scheduler: of the nodes that a pod fits, the one with the fewest pods.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    Actor,
    step::Step,
    value::{Condition, condition, set_condition, text},
};

const SCHEDULED: &str = "PodScheduled";

pub(super) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    step.actor = Actor::Scheduler;
    let value = item.value();
    let spec = &value["spec"];
    if !matches!(text(&spec["schedulerName"]), "" | "default-scheduler") {
        return;
    }
    if spec["schedulingGates"].as_array().is_some_and(|it| !it.is_empty()) {
        let message = "Scheduling is blocked due to non-empty scheduling gates";
        return wait(step, &value, "SchedulingGated", message);
    }
    let machines = step.machines();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut best: Option<(usize, &str)> = None;
    for machine in machines.iter() {
        let placed = step.round.placed.get(&machine.name).copied().unwrap_or_default();
        let used = step.cluster.pods_on(&machine.name) + placed;
        match machine.refuses(spec, used) {
            Some(why) => *reasons.entry(why).or_default() += 1,
            None if best.is_none_or(|(fewest, _)| used < fewest) => best = Some((used, &machine.name)),
            None => {}
        }
    }
    match best {
        Some((_, node)) => {
            step.bind(node);
            let message = format!("Successfully assigned {}/{} to {node}", item.namespace, item.name);
            step.event(item, "Scheduled", &message);
        }
        None => wait(step, &value, "Unschedulable", &unavailable(machines.len(), &reasons)),
    }
}

/// Why no node will do, in upstream's words.
fn unavailable(nodes: usize, reasons: &BTreeMap<String, usize>) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut parts: Vec<String> = reasons.iter().map(|(why, count)| format!("{count} {why}")).collect();
    parts.sort();
    let parts = parts.join(", ");
    format!(
        "0/{nodes} nodes are available: {parts}. preemption: 0/{nodes} nodes are available: {nodes} Preemption is not helpful for scheduling."
    )
}

/// Says why the pod has no node; again only when the reason changes.
fn wait(step: &mut Step<'_>, value: &Value, reason: &str, message: &str) {
    let item = step.item;
    let said = condition(&value["status"], SCHEDULED);
    if said.is_some_and(|it| it["reason"] == reason && it["message"] == message) {
        return;
    }
    let mut status = value["status"].clone();
    let now = step.stamp();
    set_condition(&mut status, &Condition { kind: SCHEDULED, status: "False", reason, message }, &[], &now);
    step.status(item, value.clone(), status);
    if reason == "Unschedulable" {
        step.warning(item, "FailedScheduling", message);
    }
}
