//! Replica sets and replication controllers: as many pods as wanted.

use std::sync::Arc;

use serde_json::Value;

use super::{
    claim::claim,
    template::{self, Namer},
};
use crate::{
    Actor, Kind,
    cluster::{Known, Phase},
    step::Step,
    value::{Condition, count, int, later, remove_condition, set_condition, set_or_unset},
};

/// Pods made or deleted in one turn (upstream's burst).
pub(super) const BURST: usize = 500;
const FAILURE: &str = "ReplicaFailure";

pub(super) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    step.actor = match item.kind {
        Kind::ReplicaSet => Actor::Controller { account: "replicaset-controller", component: "replicaset-controller" },
        _ => Actor::Controller { account: "replication-controller", component: "replication-controller" },
    };
    let value = item.value();
    let all = claim(step, Kind::Pod);
    let active: Vec<Arc<Known>> = all.into_iter().filter(|it| it.is_active()).collect();
    let wanted = usize::try_from(int(&value["spec"]["replicas"])).unwrap_or_default();
    let mut failure = None;
    if !item.deleting {
        if active.len() < wanted {
            failure = step.trouble.map(|it| ("FailedCreate", it.message.clone()));
            if step.refusal.is_none() {
                create(step, &value, (wanted - active.len()).min(BURST));
            }
        } else if active.len() > wanted {
            remove(step, &active, (active.len() - wanted).min(BURST));
        }
    }
    let status = status(step, &value, &active, failure);
    step.status(item, value, status);
}

fn create(step: &mut Step<'_>, set: &Value, how_many: usize) {
    let item = step.item;
    let template = &set["spec"]["template"];
    let mut namer = Namer::new();
    for _ in 0..how_many {
        let mut pod = template::pod(step, template);
        let name = namer.name(step, &mut pod, &format!("{}-", item.name));
        step.create(Kind::Pod, pod);
        step.event(item, "SuccessfulCreate", &format!("Created pod: {name}"));
    }
}

fn remove(step: &mut Step<'_>, active: &[Arc<Known>], how_many: usize) {
    let item = step.item;
    for pod in first_to_go(active).into_iter().take(how_many) {
        step.delete(&pod, None);
        step.event(item, "SuccessfulDelete", &format!("Deleted pod: {}", pod.name));
    }
}

/// Pods in the order in which upstream would rather lose them: without a node, not running, not ready, cheap, crowded, young in
/// readiness, restarted, young.
fn first_to_go(active: &[Arc<Known>]) -> Vec<Arc<Known>> {
    let mut on_node: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for pod in active.iter().filter_map(|it| it.pod.as_ref()) {
        *on_node.entry(&pod.node).or_default() += 1;
    }
    let mut sorted = active.to_vec();
    sorted.sort_by_cached_key(|it| {
        let pod = it.pod.as_ref();
        let node = pod.map(|it| it.node.as_str()).unwrap_or_default();
        let phase = pod.map_or(Phase::Pending, |it| it.phase);
        let cost = pod.map_or(0, |it| it.cost);
        let crowd = on_node.get(node).copied().unwrap_or_default();
        let ready = it.ready_since().map(|since| since.as_second());
        let restarts = pod.map_or(0, |it| it.restarts);
        let youth = std::cmp::Reverse(it.created.clone());
        (
            !node.is_empty(),
            phase,
            ready.is_some(),
            cost,
            std::cmp::Reverse(crowd),
            std::cmp::Reverse(ready),
            std::cmp::Reverse(restarts),
            youth,
            it.name.clone(),
        )
    });
    sorted
}

fn status(step: &mut Step<'_>, set: &Value, active: &[Arc<Known>], failure: Option<(&str, String)>) -> Value {
    let spec = &set["spec"];
    let template = crate::selector::Selector::of_map(&spec["template"]["metadata"]["labels"]);
    let labeled = active.iter().filter(|it| template.matches(&it.labels)).count();
    let ready = active.iter().filter(|it| it.ready_since().is_some()).count();
    let available = available(step, active, int(&spec["minReadySeconds"]));
    let mut status = set["status"].clone();
    status["replicas"] = count(active.len()).into();
    let numbers = [("fullyLabeledReplicas", labeled), ("readyReplicas", ready), ("availableReplicas", available)];
    for (name, number) in numbers {
        set_or_unset(&mut status, name, count(number).into());
    }
    status["observedGeneration"] = set["metadata"]["generation"].clone();
    match failure {
        Some((reason, message)) => {
            let now = step.stamp();
            let message = &message;
            let condition = Condition { kind: FAILURE, status: "True", reason, message };
            let is_new = !crate::value::is_true(&status, FAILURE);
            set_condition(&mut status, &condition, &[], &now);
            if is_new {
                step.warning(step.item, "FailedCreate", &format!("Error creating: {message}"));
            }
        }
        None => remove_condition(&mut status, FAILURE),
    }
    status
}

/// How many pods are ready for long enough; asks for a turn when the next one is.
pub(super) fn available(step: &mut Step<'_>, pods: &[Arc<Known>], min_ready: i64) -> usize {
    pods.iter().filter(|it| is_available(step, it, min_ready)).count()
}

/// Whether a pod is ready for long enough; asks for a turn when it will be.
pub(super) fn is_available(step: &mut Step<'_>, pod: &Known, min_ready: i64) -> bool {
    let Some(since) = pod.ready_since() else { return false };
    let at = later(since, min_ready);
    if step.now < at {
        step.wake_at(at);
    }
    step.now >= at
}
