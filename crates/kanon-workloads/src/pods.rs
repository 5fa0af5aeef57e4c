//! A pod's life: a node is found for it, its containers start, become ready, end or crash, and stop when it is deleted.

pub(crate) mod address;
pub(crate) mod behaviour;
mod containers;
pub(crate) mod fit;
mod run;
mod schedule;

use serde_json::Value;

use crate::{
    Actor, Kind,
    cluster::Known,
    step::Step,
    value::{int, later, list, rfc3339, time},
};
use behaviour::Behaviour;

/// Decides about a pod.
pub(crate) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    let Some(pod) = &item.pod else { return };
    if pod.tracked && is_forsaken(step) {
        return release(step);
    }
    if item.deleting {
        return stop(step);
    }
    if pod.is_over() {
        return;
    }
    if pod.node.is_empty() {
        return schedule::plan(step);
    }
    let Some(node) = step.cluster.get(Kind::Node, "", &pod.node).cloned() else {
        // What never ran waits: its node may come.
        if item.object.at(&["status", "startTime"]).is_some_and(|it| !it.is_null()) {
            step.actor = Actor::Controller { account: "pod-garbage-collector", component: "pod-garbage-collector" };
            step.delete(item, Some(0));
        }
        return;
    };
    if is_driven_out(step, &node) {
        step.actor = Actor::Controller { account: "node-controller", component: "taint-eviction-controller" };
        step.delete(item, None);
        let message = format!("Marking for deletion Pod {}/{}", item.namespace, item.name);
        return step.event(item, "TaintManagerEviction", &message);
    }
    run::plan(step, &node);
}

/// Whether the job that should count a pod is gone.
fn is_forsaken(step: &Step<'_>) -> bool {
    let owner = step.item.owner.as_ref().filter(|it| it.kind == Some(Kind::Job));
    owner.and_then(|it| step.cluster.owner(&step.item.namespace, it)).is_none()
}

/// Takes the job's finalizer off.
fn release(step: &mut Step<'_>) {
    step.actor = Actor::Controller { account: "job-controller", component: "job-controller" };
    let pod = untracked(step.item);
    step.update(Kind::Pod, pod);
}

/// A pod without the finalizer of its job.
pub(crate) fn untracked(pod: &Known) -> Value {
    let mut value = pod.value();
    if let Some(finalizers) = value["metadata"]["finalizers"].as_array_mut() {
        finalizers.retain(|it| it != crate::cluster::TRACKING);
    }
    value
}

/// Whether a taint of the node drives the pod out. One that is tolerated for a while counts as tolerated.
fn is_driven_out(step: &mut Step<'_>, node: &Known) -> bool {
    let machines = step.machines();
    let Some(machine) = machines.iter().find(|it| it.name == node.name) else { return false };
    if !machine.has_effect("NoExecute") {
        return false;
    }
    let spec = step.item.object.at(&["spec"]).map(|it| it.to_value()).unwrap_or_default();
    machine.untolerated(&spec, &["NoExecute"]).is_some()
}

/// Stops what runs, as fast as it is told to, and removes the pod.
fn stop(step: &mut Step<'_>) {
    let item = step.item;
    let Some(pod) = item.pod.as_ref().filter(|it| !it.node.is_empty()) else { return };
    let value = item.value();
    let grace = int(&value["metadata"]["deletionGracePeriodSeconds"]);
    let Some(deadline) = time(&value["metadata"]["deletionTimestamp"]).filter(|_| grace > 0) else { return };
    step.actor = Actor::Kubelet(pod.node.clone());
    let begun = later(deadline, -grace);
    let (behaviour, _) = Behaviour::of(item);
    let end = later(begun, behaviour.stop.unwrap_or_default().min(grace));
    if !pod.is_over() && item.object.at(&["status", "startTime"]).is_some_and(|it| !it.is_null()) {
        let since = rfc3339(begun);
        for container in list(&value["spec"]["containers"]) {
            let name = container["name"].as_str().unwrap_or_default();
            let message = format!("Stopping container {name}");
            step.note_once(item, "Killing", &message, &format!("spec.containers{{{name}}}"), &since);
        }
    }
    if step.now >= end {
        step.delete(item, Some(0));
    } else {
        step.wake_at(end);
    }
}
