//! The pods of a job: how many may run, which go, when one that failed is tried again.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::counting::{Counts, INDEX, INDEX_FAILURES};
use crate::{
    Kind,
    cluster::{Known, TRACKING},
    controllers::template::{self, Namer},
    pods::untracked,
    step::Step,
    value::{count, int, later, list, number, text, time},
};

/// Pods made in one turn.
const BURST: usize = 500;
/// Seconds before the first failed pod is made again, doubled each time; and the most.
const BACKOFF: (i64, i64) = (10, 600);

/// Makes or withdraws pods so that as many run as may.
pub(super) fn manage(step: &mut Step<'_>, job: &Value, counts: &Counts) {
    let spec = &job["spec"];
    let parallelism = int(&spec["parallelism"]);
    let succeeded = counts.all_succeeded();
    let active = count(counts.active.len());
    let wanted = match number(&spec["completions"]) {
        Some(completions) => parallelism.min(completions - succeeded - count(counts.failed_indexes.len())).max(0),
        // Once one succeeded no others are made.
        None if succeeded > 0 => active.min(parallelism),
        None => parallelism,
    };
    // Where only failed pods are replaced, those on their way out keep their place.
    let waits_for_ends = text(&spec["podReplacementPolicy"]) == "Failed";
    let held = if waits_for_ends { counts.terminating } else { 0 };
    if active > wanted {
        return withdraw(step, counts, usize::try_from(active - wanted).unwrap_or_default());
    }
    let missing = usize::try_from(wanted - active - held).unwrap_or_default().min(BURST);
    if missing == 0 || step.refusal.is_some() {
        return;
    }
    // Where each index has its own limit, each waits for itself.
    if let Some(at) = tried_again_at(counts).filter(|_| counts.limit_per_index.is_none())
        && step.now < at
    {
        return step.wake_at(at);
    }
    create(step, job, counts, missing);
}

/// When the next try after a failure is due.
fn tried_again_at(counts: &Counts) -> Option<Timestamp> {
    let last = counts.failures.iter().filter_map(|it| ended_at(it)).max()?;
    Some(pause_after(last, counts.all_failed()))
}

fn pause_after(last: Timestamp, failures: i64) -> Timestamp {
    let (first, most) = BACKOFF;
    let doublings = u32::try_from(failures - 1).unwrap_or_default().min(6);
    later(last, (first << doublings).min(most))
}

fn ended_at(pod: &Known) -> Option<Timestamp> {
    let statuses = pod.object.at(&["status", "containerStatuses"]).map(|it| it.to_value()).unwrap_or_default();
    list(&statuses).filter_map(|it| time(&it["state"]["terminated"]["finishedAt"])).max()
}

fn create(step: &mut Step<'_>, job: &Value, counts: &Counts, how_many: usize) {
    let item = step.item;
    let template = &job["spec"]["template"];
    let mut free = free_indexes(step, job, counts);
    let mut namer = Namer::new();
    for _ in 0..how_many {
        let mut pod = template::pod(step, template);
        let mut prefix = format!("{}-", item.name);
        if counts.is_indexed {
            let Some(index) = free.pop_first() else { return };
            tell(&mut pod, &item.name, index);
            if counts.limit_per_index.is_some() {
                pod["metadata"]["annotations"][INDEX_FAILURES] = counts.failures_of(index).0.to_string().into();
            }
            prefix = format!("{prefix}{index}-");
        }
        if !pod["metadata"]["finalizers"].is_array() {
            pod["metadata"]["finalizers"] = json!([]);
        }
        if let Some(finalizers) = pod["metadata"]["finalizers"].as_array_mut() {
            finalizers.push(TRACKING.into());
        }
        let name = namer.name(step, &mut pod, &prefix);
        step.create(Kind::Pod, pod);
        step.event(item, "SuccessfulCreate", &format!("Created pod: {name}"));
    }
}

/// Numbers that may be tried now; says when the next one may.
fn free_indexes(step: &mut Step<'_>, job: &Value, counts: &Counts) -> BTreeSet<i64> {
    if !counts.is_indexed {
        return BTreeSet::new();
    }
    let busy: BTreeSet<i64> = counts.active.iter().filter_map(|it| it.annotation(INDEX).parse().ok()).collect();
    let all = 0..int(&job["spec"]["completions"]);
    let is_open = |it: &i64| !busy.contains(it) && !counts.indexes.contains(it) && !counts.failed_indexes.contains(it);
    let now = step.now;
    let mut waits = |it: &i64| {
        if counts.limit_per_index.is_none() {
            return false;
        }
        let (failures, last) = counts.failures_of(*it);
        let again = last.and_then(|it| ended_at(it)).map(|it| pause_after(it, failures));
        let Some(again) = again.filter(|it| now < *it) else { return false };
        step.wake_at(again);
        true
    };
    all.filter(is_open).filter(|it| !waits(it)).take(BURST).collect()
}

/// Tells a pod its number, in every way that a container can read it.
fn tell(pod: &mut Value, job: &str, index: i64) {
    let text = index.to_string();
    for place in ["annotations", "labels"] {
        pod["metadata"][place][INDEX] = text.as_str().into();
    }
    pod["spec"]["hostname"] = format!("{job}-{index}").into();
    let source = json!({"fieldRef": {"fieldPath": format!("metadata.labels['{INDEX}']")}});
    let variable = json!({"name": "JOB_COMPLETION_INDEX", "valueFrom": source});
    for containers in ["initContainers", "containers"] {
        for container in pod["spec"][containers].as_array_mut().into_iter().flatten() {
            if !container["env"].is_array() {
                container["env"] = json!([]);
            }
            if let Some(env) = container["env"].as_array_mut()
                && !env.iter().any(|it| it["name"] == variable["name"])
            {
                env.push(variable.clone());
            }
        }
    }
}

/// Takes pods away that are too many: they do not count as failed, so they lose their finalizer first.
pub(super) fn withdraw(step: &mut Step<'_>, counts: &Counts, how_many: usize) {
    let mut sorted: Vec<&Arc<Known>> = counts.active.iter().collect();
    // Those that were freed before, then those that have done least.
    sorted.sort_by_key(|it| {
        let pod = it.pod.as_ref();
        let youth = std::cmp::Reverse((it.created.clone(), it.name.clone()));
        (pod.is_some_and(|it| it.tracked), pod.map(|it| it.phase), it.ready_since().is_some(), youth)
    });
    for pod in sorted.into_iter().take(how_many) {
        if pod.pod.as_ref().is_some_and(|it| it.tracked) {
            let value = untracked(pod);
            step.update(Kind::Pod, value);
        } else {
            remove(step, pod);
        }
    }
}

/// Ends what still runs when the job is decided.
pub(super) fn end(step: &mut Step<'_>, counts: &Counts) {
    counts.active.iter().for_each(|it| remove(step, it));
}

fn remove(step: &mut Step<'_>, pod: &Known) {
    step.delete(pod, None);
    step.event(step.item, "SuccessfulDelete", &format!("Deleted pod: {}", pod.name));
}
