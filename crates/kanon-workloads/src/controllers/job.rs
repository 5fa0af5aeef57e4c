//! Jobs: pods until enough of them succeeded, or too many failed.
//!
//! Every pod is counted once: it is written down as uncounted, then loses the finalizer that kept it, then joins the count. So a
//! count survives the pod.

mod counting;
mod pods;
mod policy;

use serde_json::{Value, json};

use super::claim::claim;
use crate::{
    Actor, Kind,
    step::Step,
    value::{Condition, condition, count, int, is_true, later, number, set_condition, set_or_unset, text, time, unset},
};
use counting::Counts;

/// Conditions that say an end has begun, and the end itself.
const FAILING: &str = "FailureTarget";
const SUCCEEDING: &str = "SuccessCriteriaMet";
const FAILED: &str = "Failed";
const COMPLETE: &str = "Complete";
const SUSPENDED: &str = "Suspended";

/// Whether and how a job has ended.
pub(super) fn end_of(status: &Value) -> Option<&'static str> {
    [COMPLETE, FAILED].into_iter().find(|it| is_true(status, it))
}

pub(super) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    step.actor = Actor::Controller { account: "job-controller", component: "job-controller" };
    let value = item.value();
    if let Some(end) = end_of(&value["status"]) {
        return expire(step, &value, end);
    }
    let all = claim(step, Kind::Pod);
    let mut status = value["status"].clone();
    if !status.is_object() {
        status = json!({});
    }
    let mut counts = Counts::new(&value, &all);
    counts.release(step);
    suspend(step, &value, &mut status);
    let suspended = value["spec"]["suspend"] == true;
    if !item.deleting {
        judge(step, &value, &mut status, &counts);
        if is_true(&status, FAILING) || is_true(&status, SUCCEEDING) {
            pods::end(step, &counts);
        } else if suspended {
            let all = counts.active.len();
            pods::withdraw(step, &counts, all);
        } else {
            pods::manage(step, &value, &counts);
        }
    }
    counts.write(&mut status);
    if counts.is_settled() && counts.active.is_empty() && counts.terminating == 0 {
        finish(step, &mut status);
    }
    let ended = end_of(&status);
    step.status(item, value, status.clone());
    announce(step, &status, ended);
}

/// Starts the clock, or stops it while the job is suspended.
fn suspend(step: &mut Step<'_>, job: &Value, status: &mut Value) {
    let now = step.stamp();
    if job["spec"]["suspend"] == true {
        if !is_true(status, SUSPENDED) {
            let message = "Job suspended";
            let new = Condition { kind: SUSPENDED, status: "True", reason: "JobSuspended", message };
            set_condition(status, &new, &["lastProbeTime"], &now);
            step.event(step.item, "Suspended", message);
        }
        unset(status, "startTime");
        return;
    }
    if is_true(status, SUSPENDED) {
        let message = "Job resumed";
        let new = Condition { kind: SUSPENDED, status: "False", reason: "JobResumed", message };
        set_condition(status, &new, &["lastProbeTime"], &now);
        step.event(step.item, "Resumed", message);
    }
    if !status["startTime"].is_string() {
        status["startTime"] = now.into();
    }
}

/// Decides whether the job is about to end, and how.
fn judge(step: &mut Step<'_>, job: &Value, status: &mut Value, counts: &Counts) {
    if is_true(status, FAILING) || is_true(status, SUCCEEDING) {
        return;
    }
    let spec = &job["spec"];
    let now = step.stamp();
    let fail = |status: &mut Value, reason: &str, message: &str| {
        set_condition(status, &Condition { kind: FAILING, status: "True", reason, message }, &["lastProbeTime"], &now);
    };
    if let Some(why) = &counts.verdict {
        return fail(status, "PodFailurePolicy", why);
    }
    let succeeded = count(counts.succeeded.len()) + counts.base_succeeded;
    if let Some(rule) = policy::success(&spec["successPolicy"], &counts.indexes).filter(|_| counts.is_indexed) {
        let message = format!("Matched rules at index {rule}");
        let new = Condition { kind: SUCCEEDING, status: "True", reason: "SuccessPolicy", message: &message };
        return set_condition(status, &new, &["lastProbeTime"], &now);
    }
    let done = match number(&spec["completions"]) {
        Some(wanted) if counts.is_indexed => counts.indexes.len() >= usize::try_from(wanted).unwrap_or_default(),
        Some(wanted) => succeeded >= wanted,
        // Any success means that the work is done, once the others end too.
        None => succeeded > 0 && counts.active.is_empty(),
    };
    if done {
        let message = "Reached expected number of succeeded pods";
        let new = Condition { kind: SUCCEEDING, status: "True", reason: "CompletionsReached", message };
        return set_condition(status, &new, &["lastProbeTime"], &now);
    }
    let limit = int(&spec["backoffLimit"]);
    let failed = count(counts.failed.len()) + counts.base_failed;
    let restarts: i64 = counts.active.iter().filter_map(|it| it.pod.as_ref()).map(|it| it.restarts).sum();
    let restarts_count = text(&spec["template"]["spec"]["restartPolicy"]) == "OnFailure";
    if failed > limit || (restarts_count && restarts > 0 && restarts >= limit) {
        return fail(status, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    }
    let (given_up, done) = (count(counts.failed_indexes.len()), count(counts.indexes.len()));
    if number(&spec["maxFailedIndexes"]).is_some_and(|most| given_up > most) {
        let message = "Job has exceeded the specified maximal number of failed indexes";
        return fail(status, "MaxFailedIndexesExceeded", message);
    }
    if given_up > 0 && given_up + done >= int(&spec["completions"]) {
        return fail(status, "FailedIndexes", "Job has failed indexes");
    }
    let (deadline, started) = (number(&spec["activeDeadlineSeconds"]), time(&status["startTime"]));
    if let (Some(deadline), Some(started)) = (deadline, started) {
        let end = later(started, deadline);
        if step.now >= end {
            return fail(status, "DeadlineExceeded", "Job was active longer than specified deadline");
        }
        step.wake_at(end);
    }
}

/// Says that it is over, once every pod is counted.
fn finish(step: &mut Step<'_>, status: &mut Value) {
    let now = step.stamp();
    for (about, end) in [(SUCCEEDING, COMPLETE), (FAILING, FAILED)] {
        let Some(told) = condition(status, about).filter(|it| it["status"] == "True").cloned() else { continue };
        let (reason, message) = (text(&told["reason"]), text(&told["message"]));
        let new = Condition { kind: end, status: "True", reason, message };
        set_condition(status, &new, &["lastProbeTime"], &now);
        if end == COMPLETE {
            status["completionTime"] = now.as_str().into();
        }
        return;
    }
}

fn announce(step: &mut Step<'_>, status: &Value, ended: Option<&str>) {
    match ended {
        Some(COMPLETE) => step.event(step.item, "Completed", "Job completed"),
        Some(_) => {
            let told = condition(status, FAILED).cloned().unwrap_or_default();
            step.warning(step.item, text(&told["reason"]), text(&told["message"]));
        }
        None => {}
    }
}

/// Deletes a job that ended long enough ago.
fn expire(step: &mut Step<'_>, job: &Value, end: &str) {
    let Some(keep) = number(&job["spec"]["ttlSecondsAfterFinished"]) else { return };
    let ended = condition(&job["status"], end).and_then(|it| time(&it["lastTransitionTime"]));
    let at = later(ended.unwrap_or(step.now), keep);
    if step.item.deleting {
        return;
    }
    if step.now >= at {
        step.actor = Actor::Controller { account: "ttl-after-finished-controller", component: "ttlafterfinished" };
        step.delete(step.item, None);
    } else {
        step.wake_at(at);
    }
}

impl Counts {
    /// Writes the counts down.
    fn write(&self, status: &mut Value) {
        let succeeded = if self.is_indexed { count(self.indexes.len()) } else { self.base_succeeded };
        let ready = self.active.iter().filter(|it| it.ready_since().is_some()).count();
        for (name, number) in
            [("active", count(self.active.len())), ("succeeded", succeeded), ("failed", self.base_failed)]
        {
            set_or_unset(status, name, number.into());
        }
        status["ready"] = count(ready).into();
        status["terminating"] = self.terminating.into();
        let mut uncounted = json!({});
        set_or_unset(&mut uncounted, "succeeded", json!(self.succeeded));
        set_or_unset(&mut uncounted, "failed", json!(self.failed));
        status["uncountedTerminatedPods"] = uncounted;
        if self.is_indexed {
            set_or_unset(status, "completedIndexes", counting::ranges(&self.indexes).into());
            if self.limit_per_index.is_some() {
                status["failedIndexes"] = counting::ranges(&self.failed_indexes).into();
            }
        }
    }
}
