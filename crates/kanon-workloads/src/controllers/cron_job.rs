//! Cron jobs: a job at each time of a schedule.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{job, schedule::Schedule};
use crate::{
    Actor, Kind,
    cluster::Known,
    step::{Step, controlled_by},
    value::{later, list, number, rfc3339, set_or_unset, text, time},
};

const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// A job of the cron job, read.
struct Run {
    known: Arc<Known>,
    value: Value,
    end: Option<&'static str>,
}

pub(super) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    step.actor = Actor::Controller { account: "cronjob-controller", component: "cronjob-controller" };
    let value = item.value();
    let of = |known: &Arc<Known>| {
        let value = known.value();
        Run { known: Arc::clone(known), end: job::end_of(&value["status"]), value }
    };
    let mut runs: Vec<Run> = step.cluster.children(&item.uid, Kind::Job).map(of).collect();
    runs.sort_by(|a, b| (&a.known.created, &a.known.name).cmp(&(&b.known.created, &b.known.name)));
    let mut status = value["status"].clone();
    if !status.is_object() {
        status = json!({});
    }
    record(step, &mut status, &runs);
    if !item.deleting {
        clean(step, &value, &runs);
        if value["spec"]["suspend"] != true {
            run_due(step, &value, &mut status, &runs);
        }
    }
    step.status(item, value, status);
}

/// Writes down what runs and what succeeded.
fn record(step: &mut Step<'_>, status: &mut Value, runs: &[Run]) {
    let was_active = |run: &Run| list(&status["active"]).any(|it| it["uid"] == run.known.uid.as_str());
    let mut last = time(&status["lastSuccessfulTime"]);
    for run in runs {
        if let Some(end) = run.end.filter(|_| was_active(run)) {
            let message = format!("Saw completed job: {}, condition: {end}", run.known.name);
            step.event(step.item, "SawCompletedJob", &message);
        }
        last = last.max(time(&run.value["status"]["completionTime"]));
    }
    let active = runs.iter().filter(|it| it.end.is_none() && !it.known.deleting).map(|run| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "name": run.known.name, "namespace": run.known.namespace,
            "uid": run.known.uid, "resourceVersion": run.known.object.str_at(&["metadata", "resourceVersion"])})
    });
    // The version is that of the time when it was written down.
    let before: Vec<Value> = list(&status["active"]).cloned().collect();
    let active: Vec<Value> =
        active.map(|it| before.iter().find(|old| old["uid"] == it["uid"]).cloned().unwrap_or(it)).collect();
    set_or_unset(status, "active", json!(active));
    if let Some(last) = last {
        status["lastSuccessfulTime"] = rfc3339(last).into();
    }
}

/// Deletes ended jobs beyond those that are kept.
fn clean(step: &mut Step<'_>, cron: &Value, runs: &[Run]) {
    for (name, end) in [("successfulJobsHistoryLimit", "Complete"), ("failedJobsHistoryLimit", "Failed")] {
        let Some(limit) = number(&cron["spec"][name]) else { continue };
        let ended: Vec<&Run> = runs.iter().filter(|it| it.end == Some(end) && !it.known.deleting).collect();
        let surplus = ended.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
        for run in ended.into_iter().take(surplus) {
            step.delete(&run.known, None);
            step.event(step.item, "SuccessfulDelete", &format!("Deleted job {}", run.known.name));
        }
    }
}

/// Makes the job of the last time that has come, and asks for a turn at the next.
fn run_due(step: &mut Step<'_>, cron: &Value, status: &mut Value, runs: &[Run]) {
    let item = step.item;
    let spec = &cron["spec"];
    let zone = text(&spec["timeZone"]);
    let zone = if zone.is_empty() { Ok(TimeZone::UTC) } else { TimeZone::get(zone) };
    let parsed = Schedule::parse(text(&spec["schedule"])).zip(zone.ok());
    let Some((schedule, zone)) = parsed else {
        let message = format!("unparseable schedule: {:?}", text(&spec["schedule"]));
        return step.note_once(item, "UnparseableSchedule", &message, "", &item.created);
    };
    let created = time(&json!(item.created)).unwrap_or(step.now);
    let mut since = time(&status["lastScheduleTime"]).unwrap_or(created);
    let patience = number(&spec["startingDeadlineSeconds"]);
    if let Some(patience) = patience {
        since = since.max(later(step.now, -patience));
    }
    if let Some(next) = schedule.next(step.now, &zone) {
        step.wake_at(next);
    }
    let Some(at) = schedule.last(since, step.now, &zone) else { return };
    let name = format!("{}-{}", item.name, at.as_second() / 60);
    if runs.iter().any(|it| it.known.name == name) {
        status["lastScheduleTime"] = rfc3339(at).into();
        return;
    }
    let active: Vec<&Run> = runs.iter().filter(|it| it.end.is_none() && !it.known.deleting).collect();
    if !active.is_empty() && spec["concurrencyPolicy"] == "Forbid" {
        let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
        return step.note_once(item, "JobAlreadyActive", message, "", &rfc3339(at));
    }
    if spec["concurrencyPolicy"] == "Replace" {
        for run in active {
            step.delete(&run.known, None);
            step.event(item, "SuccessfulDelete", &format!("Deleted job {}", run.known.name));
        }
    }
    create(step, cron, &name, at, &zone);
}

fn create(step: &mut Step<'_>, cron: &Value, name: &str, at: Timestamp, zone: &TimeZone) {
    let item = step.item;
    let template = &cron["spec"]["jobTemplate"];
    let mut metadata = json!({"name": name, "namespace": item.namespace, "ownerReferences": [controlled_by(item)]});
    set_or_unset(&mut metadata, "labels", template["metadata"]["labels"].clone());
    set_or_unset(&mut metadata, "annotations", template["metadata"]["annotations"].clone());
    let local = at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let local = local.strip_suffix("+00:00").map_or(local.clone(), |it| format!("{it}Z"));
    metadata["annotations"][SCHEDULED_AT] = local.into();
    step.create(Kind::Job, json!({"metadata": metadata, "spec": template["spec"]}));
    step.event(item, "SuccessfulCreate", &format!("Created job {name}"));
}
