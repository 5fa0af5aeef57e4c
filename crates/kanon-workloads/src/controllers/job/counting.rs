//! Which pods of a job are still to be counted, and how many were.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::policy::{self, Failure};
use crate::{
    Kind,
    cluster::{Known, Phase},
    pods::untracked,
    step::Step,
    value::{count, int, list, number, text},
};

/// How often an index failed before this pod, where that is limited.
pub(super) const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// A pod's number among those of an indexed job.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

#[derive(Default)]
pub(super) struct Counts {
    pub(super) is_indexed: bool,
    /// Counted for good.
    pub(super) base_succeeded: i64,
    pub(super) base_failed: i64,
    /// Uids still to be counted.
    pub(super) succeeded: BTreeSet<String>,
    pub(super) failed: BTreeSet<String>,
    /// Numbers that are done.
    pub(super) indexes: BTreeSet<i64>,
    /// How often one number may fail, where each has a limit of its own.
    pub(super) limit_per_index: Option<i64>,
    /// Numbers that are given up.
    pub(super) failed_indexes: BTreeSet<i64>,
    /// Why the policy says that the job has failed.
    pub(super) verdict: Option<String>,
    pub(super) active: Vec<Arc<Known>>,
    pub(super) terminating: i64,
    /// Pods that failed, counted or not.
    pub(super) failures: Vec<Arc<Known>>,
    /// Pods that are written down, or count for nothing, and may go.
    free: Vec<Arc<Known>>,
    /// Whether a pod is left that holds its finalizer though it ended.
    held: bool,
}

impl Counts {
    pub(super) fn new(job: &Value, pods: &[Arc<Known>]) -> Counts {
        let status = &job["status"];
        let uids = |name: &str| {
            list(&status["uncountedTerminatedPods"][name]).map(|it| text(it).to_owned()).collect::<BTreeSet<String>>()
        };
        let is_indexed = text(&job["spec"]["completionMode"]) == "Indexed";
        let mut counts = Counts {
            is_indexed,
            base_succeeded: if is_indexed { 0 } else { int(&status["succeeded"]) },
            base_failed: int(&status["failed"]),
            indexes: parse_ranges(text(&status["completedIndexes"])),
            limit_per_index: number(&job["spec"]["backoffLimitPerIndex"]).filter(|_| is_indexed),
            failed_indexes: parse_ranges(text(&status["failedIndexes"])),
            ..Counts::default()
        };
        let by_uid: BTreeMap<&str, &Arc<Known>> = pods.iter().map(|it| (it.uid.as_str(), it)).collect();
        for (name, is_success) in [("succeeded", true), ("failed", false)] {
            for uid in uids(name) {
                counts.recount(uid, is_success, &by_uid);
            }
        }
        for pod in pods {
            counts.look_at(pod, &job["spec"]["podFailurePolicy"]);
        }
        counts
    }

    /// What was written down before: counted once its pod is free of the finalizer.
    fn recount(&mut self, uid: String, is_success: bool, pods: &BTreeMap<&str, &Arc<Known>>) {
        let holder = pods.get(uid.as_str()).filter(|it| it.pod.as_ref().is_some_and(|it| it.tracked));
        let (list, base) = if is_success {
            (&mut self.succeeded, &mut self.base_succeeded)
        } else {
            (&mut self.failed, &mut self.base_failed)
        };
        match holder {
            Some(pod) => {
                list.insert(uid);
                self.free.push(Arc::clone(pod));
            }
            None => *base += 1,
        }
    }

    fn look_at(&mut self, it: &Arc<Known>, policy: &Value) {
        let Some(pod) = &it.pod else { return };
        let succeeded = pod.phase == Phase::Succeeded;
        // A pod on its way out will not succeed any more; a policy waits for how it ends.
        let lost = it.deleting && !succeeded && (!policy.is_object() || pod.is_over());
        let failed = pod.phase == Phase::Failed || lost;
        if !succeeded && !failed {
            self.active.push(Arc::clone(it));
            return;
        }
        if it.deleting && !pod.is_over() {
            self.terminating += 1;
        }
        let meaning = if failed { policy::failure(policy, it) } else { Failure::Counts };
        if failed && pod.phase == Phase::Failed && meaning != Failure::Ignored {
            self.failures.push(Arc::clone(it));
        }
        if !pod.tracked {
            return;
        }
        if failed {
            match &meaning {
                Failure::Ignored => {
                    self.held = true;
                    self.free.push(Arc::clone(it));
                    return;
                }
                Failure::FailsJob(why) => self.verdict = self.verdict.take().or_else(|| Some(why.clone())),
                Failure::FailsIndex | Failure::Counts => {}
            }
            let is_over = self
                .limit_per_index
                .is_some_and(|it_may| meaning == Failure::FailsIndex || failures_before(it) >= it_may);
            if let (true, Ok(index)) = (is_over, it.annotation(INDEX).parse()) {
                self.failed_indexes.insert(index);
            }
        }
        self.held = true;
        if succeeded {
            if let Ok(index) = it.annotation(INDEX).parse()
                && self.is_indexed
            {
                self.indexes.insert(index);
            }
            self.succeeded.insert(it.uid.clone());
        } else {
            self.failed.insert(it.uid.clone());
        }
    }

    /// Lets pods go that are written down.
    pub(super) fn release(&mut self, step: &mut Step<'_>) {
        for pod in std::mem::take(&mut self.free) {
            let value = untracked(&pod);
            step.update(Kind::Pod, value);
        }
    }

    /// Whether every pod that ended is counted.
    pub(super) fn is_settled(&self) -> bool {
        !self.held && self.succeeded.is_empty() && self.failed.is_empty()
    }

    /// All that succeeded, counted or not.
    pub(super) fn all_succeeded(&self) -> i64 {
        if self.is_indexed { count(self.indexes.len()) } else { self.base_succeeded + count(self.succeeded.len()) }
    }

    /// How often a number failed so far, and its last pod that did.
    pub(super) fn failures_of(&self, index: i64) -> (i64, Option<&Arc<Known>>) {
        let of_it = self.failures.iter().filter(|it| it.annotation(INDEX).parse() == Ok(index));
        let last = of_it.max_by_key(|it| failures_before(it));
        (last.map_or(0, |it| failures_before(it) + 1), last)
    }

    /// All that failed, counted or not.
    pub(super) fn all_failed(&self) -> i64 {
        self.base_failed + count(self.failed.len())
    }
}

/// How often a pod's number had failed before it.
fn failures_before(pod: &Known) -> i64 {
    pod.annotation(INDEX_FAILURES).parse().unwrap_or_default()
}

/// `0-2,4` out of numbers.
pub(super) fn ranges(numbers: &BTreeSet<i64>) -> String {
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for number in numbers {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => parts.push((*number, *number)),
        }
    }
    let one = |(first, last): (i64, i64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    };
    parts.into_iter().map(one).collect::<Vec<_>>().join(",")
}

pub(super) fn parse_ranges(text: &str) -> BTreeSet<i64> {
    /// More numbers than a job may have: a status that says so was not written here.
    const MOST: i64 = 100_000;
    let mut numbers = BTreeSet::new();
    let mut left = MOST;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) {
            let last = last.min(first.saturating_add(left));
            left -= last.saturating_sub(first).clamp(0, left);
            numbers.extend(first..=last);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completed_numbers_are_written_as_ranges() {
        for (text, numbers) in [
            ("", vec![]),
            ("0", vec![0]),
            ("0,1", vec![0, 1]),
            ("0-2,4", vec![0, 1, 2, 4]),
            ("1,3-5,7,8", vec![1, 3, 4, 5, 7, 8]),
        ] {
            let numbers: BTreeSet<i64> = numbers.into_iter().collect();
            assert_eq!(ranges(&numbers), text);
            assert_eq!(parse_ranges(text), numbers);
        }
    }
}
