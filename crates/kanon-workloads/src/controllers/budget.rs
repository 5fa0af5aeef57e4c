//! Pod disruption budgets: how many of their pods may be missed now.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::{
    Actor, Kind,
    cluster::Known,
    step::Step,
    value::{count, int, int_or_percent, later, near, replace_condition, rfc3339, set_or_unset, time},
};

/// Seconds that an evicted pod may take to begin to go; after that it counts as there again.
const EVICTION: i64 = 120;
const ALLOWED: &str = "DisruptionAllowed";

/// What a budget asks for.
struct Need {
    expected: i64,
    healthy: i64,
}

pub(super) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    if item.deleting {
        return;
    }
    step.actor = Actor::Controller { account: "disruption-controller", component: "controllermanager" };
    let value = item.value();
    let pods: Vec<Arc<Known>> = match &item.selector {
        Some(selector) => step.cluster.selected(&item.namespace, selector).into_iter().cloned().collect(),
        None => Vec::new(),
    };
    let counted: Vec<&Arc<Known>> = pods.iter().filter(|it| it.pod.as_ref().is_some_and(|it| !it.is_over())).collect();
    let mut status = value["status"].clone();
    if !status.is_object() {
        status = json!({});
    }
    let need = match need(step, &value, &counted) {
        Ok(need) => need,
        // Somebody is asked, and there is another turn.
        Err(Unknown::Yet) => return,
        Err(Unknown::Why(problem)) => return fail(step, &value, status, &problem),
    };
    let disrupted = disrupted(step, &value, &pods);
    let is_healthy =
        |it: &&&Arc<Known>| !it.deleting && it.ready_since().is_some() && !disrupted.contains_key(&it.name);
    let healthy = count(counted.iter().filter(is_healthy).count());
    let allowed = if need.expected <= 0 { 0 } else { (healthy - need.healthy).max(0) };
    let entries: serde_json::Map<String, Value> = disrupted.into_iter().map(|(name, at)| (name, at.into())).collect();
    set_or_unset(&mut status, "disruptedPods", Value::Object(entries));
    for (name, number) in [
        ("currentHealthy", healthy),
        ("desiredHealthy", need.healthy),
        ("expectedPods", need.expected),
        ("disruptionsAllowed", allowed),
    ] {
        status[name] = number.into();
    }
    status["observedGeneration"] = value["metadata"]["generation"].clone();
    let (holds, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    tell(step, &value, &mut status, holds, reason, "");
    step.status(item, value, status);
}

/// Without knowing what to expect nothing may be missed.
fn fail(step: &mut Step<'_>, budget: &Value, mut status: Value, problem: &str) {
    status["disruptionsAllowed"] = 0.into();
    status["observedGeneration"] = budget["metadata"]["generation"].clone();
    for name in ["currentHealthy", "desiredHealthy", "expectedPods"] {
        status[name] = int(&status[name]).into();
    }
    let before = crate::value::condition(&status, ALLOWED).is_some_and(|it| it["reason"] == "SyncFailed");
    tell(step, budget, &mut status, "False", "SyncFailed", problem);
    step.status(step.item, budget.clone(), status);
    if !before {
        step.warning(
            step.item,
            "CalculateExpectedPodCountFailed",
            &format!("Failed to calculate the number of expected pods: {problem}"),
        );
    }
}

fn tell(step: &Step<'_>, budget: &Value, status: &mut Value, holds: &str, reason: &str, message: &str) {
    let before = crate::value::condition(status, ALLOWED);
    let since = before.filter(|it| it["status"] == holds).and_then(|it| it["lastTransitionTime"].as_str());
    let since = since.map_or_else(|| step.stamp(), str::to_owned);
    let condition = json!({"type": ALLOWED, "status": holds, "reason": reason, "message": message,
        "lastTransitionTime": since, "observedGeneration": budget["metadata"]["generation"]});
    replace_condition(status, condition);
}

/// Why it is not known how many pods there should be.
enum Unknown {
    Yet,
    Why(String),
}

/// How many pods there should be, and how many of them well.
fn need(step: &mut Step<'_>, budget: &Value, pods: &[&Arc<Known>]) -> Result<Need, Unknown> {
    let odd = |what: &str| Unknown::Why(format!("`{what}` is neither a number nor a percentage"));
    let spec = &budget["spec"];
    let most = &spec["maxUnavailable"];
    if !most.is_null() {
        let expected = scale_of(step, pods)?;
        let most = int_or_percent(most, expected, true).ok_or_else(|| odd("maxUnavailable"))?;
        return Ok(Need { expected, healthy: (expected - most).max(0) });
    }
    let least = &spec["minAvailable"];
    if least.is_string() {
        let expected = scale_of(step, pods)?;
        let healthy = int_or_percent(least, expected, true).ok_or_else(|| odd("minAvailable"))?;
        return Ok(Need { expected, healthy });
    }
    Ok(Need { expected: count(pods.len()), healthy: int(least) })
}

/// How many pods the controllers of these want. Pods without one are wanted by nobody; pods whose controller has no scale
/// make it unknown.
fn scale_of(step: &mut Step<'_>, pods: &[&Arc<Known>]) -> Result<i64, Unknown> {
    let cluster = step.cluster;
    let mut scales: BTreeMap<&str, i64> = BTreeMap::new();
    for pod in pods {
        let Some(owner) = &pod.owner else { continue };
        if scales.contains_key(owner.uid.as_str()) {
            continue;
        }
        let known = cluster.owner(&pod.namespace, owner);
        let Some(known) = known else {
            if owner.kind.is_none() {
                let replicas = step.foreign_scale(owner).ok_or(Unknown::Yet)?.ok_or_else(|| {
                    let (api_version, kind) = &owner.written;
                    Unknown::Why(format!("{kind}.{api_version} does not implement the scale subresource"))
                })?;
                scales.insert(&owner.uid, near(replicas));
            }
            continue;
        };
        let above = known.owner.as_ref().and_then(|it| cluster.owner(&known.namespace, it));
        let scaled = above.filter(|it| known.kind == Kind::ReplicaSet && it.kind == Kind::Deployment).unwrap_or(known);
        let wants = matches!(
            scaled.kind,
            Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::ReplicationController
        );
        if !wants {
            let (kind, group) = (scaled.kind.name().to_lowercase(), scaled.kind.group());
            return Err(Unknown::Why(format!("{kind}.{group} does not implement the scale subresource")));
        }
        let replicas = scaled.object.at(&["spec", "replicas"]).and_then(|it| it.as_i64()).map_or(1, near);
        scales.insert(&owner.uid, 0);
        // Pods of two replica sets of one deployment share its number.
        scales.insert(&scaled.uid, replicas);
    }
    Ok(scales.values().sum())
}

/// Pods that were evicted and do not go yet: they count as missed for a while.
fn disrupted(step: &mut Step<'_>, budget: &Value, pods: &[Arc<Known>]) -> BTreeMap<String, String> {
    let mut left = BTreeMap::new();
    for (name, at) in budget["status"]["disruptedPods"].as_object().into_iter().flatten() {
        let Some(since) = time(at) else { continue };
        let end = later(since, EVICTION);
        let waits = pods.iter().any(|it| it.name == *name && !it.deleting);
        if waits && step.now < end {
            step.wake_at(end);
            left.insert(name.clone(), rfc3339(since));
        } else if waits {
            let message = format!("Pod was expected by PDB {} to be deleted but it wasn't", step.item.name);
            if let Some(pod) = pods.iter().find(|it| it.name == *name) {
                step.warning(pod, "NotDeleted", &message);
            }
        }
    }
    left
}
