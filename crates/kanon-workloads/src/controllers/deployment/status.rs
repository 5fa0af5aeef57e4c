//! The status of a deployment: counts, `Available`, `Progressing` with its deadline, `ReplicaFailure`.

use serde_json::{Value, json};

use super::{
    Deployment, REVISION_HISTORY,
    history::{is_complete, progress_reason},
    sets::{Sets, name},
};
use crate::{
    step::Step,
    value::{
        Condition, condition, int, later, number, remove_condition, replace_condition, set_condition, set_or_unset,
        text, time,
    },
};

const PROGRESSING: &str = "Progressing";
/// Updates of this time mean progress; the deadline counts from it.
const UPDATED: [&str; 1] = ["lastUpdateTime"];
/// "No deadline", as upstream spells it.
const NEVER: i64 = i32::MAX as i64;
const AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";

/// Writes the status where it changed.
pub(super) fn sync(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &Sets) {
    let mut status = of(step, deployment, sets);
    progress(step, deployment, sets, &mut status);
    failure(sets, &mut status);
    step.status(step.item, deployment.value.clone(), status);
}

/// The counts, and whether enough is available.
pub(super) fn of(step: &Step<'_>, deployment: &Deployment<'_>, sets: &Sets) -> Value {
    let mut status = deployment.value["status"].clone();
    if !status.is_object() {
        status = json!({});
    }
    let (total, available) = (sets.sum(|it| it.current), sets.sum(|it| it.available));
    let numbers = [
        ("replicas", total),
        ("updatedReplicas", sets.new.as_ref().map_or(0, |it| it.current)),
        ("readyReplicas", sets.sum(|it| it.ready)),
        ("availableReplicas", available),
        // Not yet created ones count too.
        ("unavailableReplicas", (sets.wanted() - available).max(0)),
    ];
    for (name, number) in numbers {
        set_or_unset(&mut status, name, number.into());
    }
    status["observedGeneration"] = deployment.value["metadata"]["generation"].clone();
    let enough = available >= deployment.replicas - deployment.max_unavailable;
    let new = if enough {
        let message = "Deployment has minimum availability.";
        Condition { kind: "Available", status: "True", reason: "MinimumReplicasAvailable", message }
    } else {
        let message = "Deployment does not have minimum availability.";
        Condition { kind: "Available", status: "False", reason: "MinimumReplicasUnavailable", message }
    };
    set_condition(&mut status, &new, &UPDATED, &step.stamp());
    status
}

fn progress(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &Sets, status: &mut Value) {
    let deadline = number(&deployment.value["spec"]["progressDeadlineSeconds"]).filter(|it| *it != NEVER);
    let Some(deadline) = deadline else {
        return remove_condition(status, PROGRESSING);
    };
    let now = step.stamp();
    let put = |status: &mut Value, value: &str, reason: &str, message: &str| {
        set_condition(status, &Condition { kind: PROGRESSING, status: value, reason, message }, &UPDATED, &now);
    };
    let reason = progress_reason(status).to_owned();
    if deployment.paused {
        if reason != "DeploymentPaused" && reason != TIMED_OUT {
            put(status, "Unknown", "DeploymentPaused", "Deployment is paused");
        }
        return;
    }
    if reason == "DeploymentPaused" {
        return put(status, "Unknown", "DeploymentResumed", "Deployment is resumed");
    }
    if let (Some(refusal), None) = (step.trouble, &sets.new) {
        let message = format!("Failed to create new replica set: {}", refusal.message);
        return put(status, "False", "ReplicaSetCreateError", &message);
    }
    let item_name = format!("Deployment \"{}\"", step.item.name);
    let what = sets.new.as_ref().map_or(item_name, |it| format!("ReplicaSet \"{}\"", name(it)));
    let before = &deployment.value["status"];
    // Each message names the replica set it is about: another one means another rollout.
    let said = condition(before, PROGRESSING).map(|it| text(&it["message"]).to_owned()).unwrap_or_default();
    let is_known = sets.new.as_ref().is_none_or(|it| said.contains(&format!("\"{}\"", name(it))));
    if is_known && int(&status["replicas"]) == int(&status["updatedReplicas"]) && reason == AVAILABLE {
        return;
    }
    if is_complete(deployment, status) {
        return put(status, "True", AVAILABLE, &format!("{what} has successfully progressed."));
    }
    let begins = sets.new.as_ref().filter(|_| !is_known && reason != "DeploymentResumed");
    if begins.is_some() || has_progressed(before, status) || reason.is_empty() {
        let (reason, message) = match begins {
            Some(new) if new.annotation(REVISION_HISTORY).is_some() => {
                ("FoundNewReplicaSet", format!("Found new replica set \"{}\"", name(new)))
            }
            Some(new) => ("NewReplicaSetCreated", format!("Created new replica set \"{}\"", name(new))),
            None => ("ReplicaSetUpdated", format!("{what} is progressing.")),
        };
        let since = condition(before, PROGRESSING).filter(|it| it["status"] == "True");
        let since = since.and_then(|it| it["lastTransitionTime"].as_str()).unwrap_or(&now).to_owned();
        let condition = json!({"type": PROGRESSING, "status": "True", "reason": reason, "message": message,
            "lastUpdateTime": now, "lastTransitionTime": since});
        replace_condition(status, condition);
        step.wake_at(later(step.now, deadline + 1));
        return;
    }
    if reason == AVAILABLE || reason == TIMED_OUT {
        return;
    }
    let last = condition(status, PROGRESSING).and_then(|it| time(&it["lastUpdateTime"])).unwrap_or(step.now);
    let end = later(last, deadline);
    if step.now > end {
        put(status, "False", TIMED_OUT, &format!("{what} has timed out progressing."));
    } else {
        step.wake_at(later(end, 1));
    }
}

/// Whether more is new, less is old, or more is ready than the last status said.
fn has_progressed(before: &Value, now: &Value) -> bool {
    let [old, new] = [before, now].map(|it| {
        let number = |name: &str| int(&it[name]);
        let updated = number("updatedReplicas");
        (updated, number("replicas") - updated, number("readyReplicas"), number("availableReplicas"))
    });
    new.0 > old.0 || new.1 < old.1 || new.2 > old.2 || new.3 > old.3
}

/// A replica set that cannot make its pods is the deployment's trouble too.
fn failure(sets: &Sets, status: &mut Value) {
    const KIND: &str = "ReplicaFailure";
    let failing = sets.new.iter().chain(&sets.old).find_map(|it| condition(&it.value["status"], KIND));
    match failing {
        Some(failing) => {
            let mut new = failing.clone();
            let since = text(&failing["lastTransitionTime"]).to_owned();
            new["lastUpdateTime"] = since.into();
            replace_condition(status, new);
        }
        None => remove_condition(status, KIND),
    }
}
