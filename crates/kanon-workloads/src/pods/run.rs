//! The kubelet: moves the containers of a bound pod on, and tells its status.

use serde_json::{Value, json};

use super::{
    behaviour::Behaviour,
    containers::{Containers, End, State, back_off, read},
};
use crate::{
    Actor,
    cluster::Known,
    step::Step,
    value::{Condition, condition, is_true, later, list, set_condition, set_or_unset, text, time},
};

/// The containers as they are to be, and what is to be said of it.
struct Next {
    state: State,
    last: Option<End>,
    restarts: i64,
    /// Whether they start with this step.
    starts: bool,
}

pub(super) fn plan(step: &mut Step<'_>, node: &Known) {
    let item = step.item;
    step.actor = Actor::Kubelet(node.name.clone());
    let value = item.value();
    let (behaviour, problems) = Behaviour::of(item);
    let is_new = !value["status"]["startTime"].is_string();
    let before = read(&value["status"]);
    let next = next(step, &behaviour, &value, before.clone());
    let status = status(step, &value, node, &next);
    step.status(item, value.clone(), status);
    if step.is_idle() {
        return;
    }
    if is_new {
        for problem in problems {
            step.warning(item, "SimulationNotUnderstood", &problem);
        }
    }
    if next.starts || next.state != before.0 {
        say(step, &value, &next);
    }
}

/// Where the containers are at this time. One change at a time; the turn after the next is asked for.
fn next(step: &mut Step<'_>, behaviour: &Behaviour, pod: &Value, before: (State, Option<End>, i64)) -> Next {
    let (state, last, restarts) = before;
    let now = step.stamp();
    match state {
        State::Creating | State::NoImage => {
            let bound = time(&pod["status"]["startTime"]).unwrap_or(step.now);
            let at = later(bound, behaviour.start);
            if behaviour.pull_fails {
                return Next { state: State::NoImage, last, restarts, starts: false };
            }
            if step.now < at {
                step.wake_at(at);
                return Next { state: State::Creating, last, restarts, starts: false };
            }
            start(step, behaviour, last, restarts)
        }
        State::Running { since, .. } => {
            let started = time(&json!(since)).unwrap_or(step.now);
            if let Some(run) = behaviour.run {
                let end = later(started, run.max(1));
                if step.now >= end {
                    let end = End { started: since, finished: now, code: behaviour.exit };
                    return ended(step, behaviour, pod, end, restarts);
                }
                step.wake_at(end);
            }
            let ready = is_ready(step, behaviour, started);
            Next { state: State::Running { since, ready }, last, restarts, starts: false }
        }
        State::BackOff(end) => {
            let at = later(time(&json!(end.finished)).unwrap_or(step.now), back_off(restarts));
            if step.now < at {
                step.wake_at(at);
                return Next { state: State::BackOff(end), last, restarts, starts: false };
            }
            start(step, behaviour, Some(end), restarts + 1)
        }
        State::Ended(end) => ended(step, behaviour, pod, end, restarts),
    }
}

fn start(step: &mut Step<'_>, behaviour: &Behaviour, last: Option<End>, restarts: i64) -> Next {
    let since = step.stamp();
    let started = time(&json!(since)).unwrap_or(step.now);
    if let Some(run) = behaviour.run {
        step.wake_at(later(started, run.max(1)));
    }
    let ready = is_ready(step, behaviour, started);
    Next { state: State::Running { since, ready }, last, restarts, starts: true }
}

fn is_ready(step: &mut Step<'_>, behaviour: &Behaviour, started: jiff::Timestamp) -> bool {
    let Some(delay) = behaviour.ready else { return false };
    let at = later(started, delay);
    if step.now < at {
        step.wake_at(at);
    }
    step.now >= at
}

/// After an end: over, or started again, at once the first time.
fn ended(step: &mut Step<'_>, behaviour: &Behaviour, pod: &Value, end: End, restarts: i64) -> Next {
    let again = match text(&pod["spec"]["restartPolicy"]) {
        "Never" => false,
        "OnFailure" => end.code != 0,
        _ => true,
    };
    if !again {
        return Next { state: State::Ended(end), last: None, restarts, starts: false };
    }
    let delay = back_off(restarts);
    if delay == 0 {
        return start(step, behaviour, Some(end), restarts + 1);
    }
    step.wake_at(later(step.now, delay));
    Next { state: State::BackOff(end), last: None, restarts, starts: false }
}

fn status(step: &mut Step<'_>, pod: &Value, node: &Known, next: &Next) -> Value {
    let item = step.item;
    let now = step.stamp();
    let spec = &pod["spec"];
    let mut status = pod["status"].clone();
    if !status["startTime"].is_string() {
        status["startTime"] = now.as_str().into();
    }
    let phase = match &next.state {
        State::Creating | State::NoImage => "Pending",
        State::Running { .. } | State::BackOff(_) => "Running",
        State::Ended(end) if end.code == 0 => "Succeeded",
        State::Ended(_) => "Failed",
    };
    status["phase"] = phase.into();
    addresses(step, pod, node, next, &mut status);
    let containers = Containers {
        uid: &item.uid,
        name: &item.name,
        namespace: &item.namespace,
        state: &next.state,
        last: next.last.as_ref(),
        restarts: next.restarts,
    };
    status["containerStatuses"] = containers.main(spec);
    set_or_unset(&mut status, "initContainerStatuses", containers.init(spec));
    conditions(pod, next, phase, &mut status, &now);
    status
}

fn addresses(step: &mut Step<'_>, pod: &Value, node: &Known, next: &Next, status: &mut Value) {
    let host = node_address(node);
    if !host.is_empty() {
        status["hostIP"] = host.as_str().into();
        status["hostIPs"] = json!([{"ip": host}]);
    }
    let runs = !matches!(next.state, State::Creating | State::NoImage);
    if runs && text(&status["podIP"]).is_empty() {
        let own = pod["spec"]["hostNetwork"] != true || host.is_empty();
        let ip = if own { step.round.addresses.next() } else { host };
        status["podIPs"] = json!([{"ip": ip}]);
        status["podIP"] = ip.into();
    }
}

fn node_address(node: &Known) -> String {
    let value = node.object.at(&["status", "addresses"]).map(|it| it.to_value()).unwrap_or_default();
    list(&value).find(|it| it["type"] == "InternalIP").map(|it| text(&it["address"]).to_owned()).unwrap_or_default()
}

fn conditions(pod: &Value, next: &Next, phase: &str, status: &mut Value, now: &str) {
    let running = matches!(next.state, State::Running { .. } | State::BackOff(_));
    let begun = running || matches!(next.state, State::Ended(_));
    let ready = matches!(next.state, State::Running { ready: true, .. });
    let gates_open = list(&pod["spec"]["readinessGates"]).all(|it| is_true(status, text(&it["conditionType"])));
    let names: Vec<&str> = list(&pod["spec"]["containers"]).map(|it| text(&it["name"])).collect();
    let unready = format!("containers with unready status: [{}]", names.join(" "));
    let why = match phase {
        "Succeeded" => ("PodCompleted", ""),
        "Failed" => ("PodFailed", ""),
        _ if ready && !gates_open => ("ReadinessGatesNotReady", "the status of pod readiness gates is not \"True\""),
        _ => ("ContainersNotReady", unready.as_str()),
    };
    let init_why = if phase == "Succeeded" { "PodCompleted" } else { "" };
    let mut set = |kind, holds: bool, (reason, message): (&str, &str)| {
        let status_text = if holds { "True" } else { "False" };
        let (reason, message) = if holds && kind != "Initialized" { ("", "") } else { (reason, message) };
        set_condition(status, &Condition { kind, status: status_text, reason, message }, &[], now);
    };
    set("PodReadyToStartContainers", running, ("", ""));
    set("Initialized", begun || list(&pod["spec"]["initContainers"]).next().is_none(), (init_why, ""));
    set("Ready", ready && gates_open, why);
    set("ContainersReady", ready, if ready { ("", "") } else { why });
    if condition(status, "PodScheduled").is_none_or(|it| it["status"] != "True") {
        let scheduled = Condition { kind: "PodScheduled", status: "True", reason: "", message: "" };
        set_condition(status, &scheduled, &[], now);
    }
}

/// The Events of a change.
fn say(step: &mut Step<'_>, pod: &Value, next: &Next) {
    let item = step.item;
    for container in list(&pod["spec"]["containers"]) {
        let (name, image) = (text(&container["name"]), text(&container["image"]));
        let part = format!("spec.containers{{{name}}}");
        let mut note = |kind: &str, reason: &str, message: &str| step.note(item, kind, reason, message, &part);
        if next.starts {
            note("Normal", "Pulled", &format!("Container image \"{image}\" already present on machine"));
            note("Normal", "Created", &format!("Created container: {name}"));
            note("Normal", "Started", &format!("Started container {name}"));
        }
        match &next.state {
            State::NoImage => {
                note("Normal", "Pulling", &format!("Pulling image \"{image}\""));
                note("Warning", "Failed", &format!("Failed to pull image \"{image}\": simulated failure"));
                note("Normal", "BackOff", &format!("Back-off pulling image \"{image}\""));
                note("Warning", "Failed", "Error: ImagePullBackOff");
            }
            State::BackOff(_) => {
                let (pod, namespace, uid) = (&item.name, &item.namespace, &item.uid);
                let message = format!("Back-off restarting failed container {name} in pod {pod}_{namespace}({uid})");
                note("Warning", "BackOff", &message);
            }
            State::Creating | State::Running { .. } | State::Ended(_) => {}
        }
    }
}
