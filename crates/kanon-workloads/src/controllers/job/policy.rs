//! What a job's policies make of pods that failed and of indexes that are done.

use std::collections::BTreeSet;

use serde_json::Value;

use super::counting;
use crate::{
    cluster::Known,
    value::{int, list, number, text},
};

/// What a failed pod means for its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It counts towards the limit.
    Counts,
    /// It is made again, and does not count.
    Ignored,
    /// Its index is not tried again.
    FailsIndex,
    /// The job has failed; this is why.
    FailsJob(String),
}

/// Judges a failed pod by `podFailurePolicy`: the first rule that matches counts.
pub(super) fn failure(policy: &Value, pod: &Known) -> Failure {
    if !policy.is_object() {
        return Failure::Counts;
    }
    let status = pod.object.at(&["status"]).map(|it| it.to_value()).unwrap_or_default();
    for (index, rule) in list(&policy["rules"]).enumerate() {
        let Some(why) = matches(rule, pod, &status) else { continue };
        let action = text(&rule["action"]);
        return match action {
            "FailJob" => Failure::FailsJob(format!("{why} matching {action} rule at index {index}")),
            "FailIndex" => Failure::FailsIndex,
            "Ignore" => Failure::Ignored,
            _ => Failure::Counts,
        };
    }
    Failure::Counts
}

/// What matched, in upstream's words.
fn matches(rule: &Value, pod: &Known, status: &Value) -> Option<String> {
    let full = format!("{}/{}", pod.namespace, pod.name);
    let codes = &rule["onExitCodes"];
    if codes.is_object() {
        let wanted: BTreeSet<i64> = list(&codes["values"]).map(int).collect();
        let is_in = text(&codes["operator"]) == "In";
        let container = text(&codes["containerName"]);
        let all = list(&status["containerStatuses"]).chain(list(&status["initContainerStatuses"]));
        for it in all.filter(|it| container.is_empty() || text(&it["name"]) == container) {
            let Some(code) = number(&it["state"]["terminated"]["exitCode"]).filter(|it| *it != 0) else { continue };
            if wanted.contains(&code) == is_in {
                let name = text(&it["name"]);
                return Some(format!("Container {name} for pod {full} failed with exit code {code}"));
            }
        }
        return None;
    }
    for pattern in list(&rule["onPodConditions"]) {
        let (kind, wanted) = (text(&pattern["type"]), text(&pattern["status"]));
        let fits = |it: &Value| text(&it["type"]) == kind && text(&it["status"]) == wanted;
        if list(&status["conditions"]).any(fits) {
            return Some(format!("Pod {full} has condition {kind}"));
        }
    }
    None
}

/// The rule of `successPolicy` by which the job has succeeded already.
pub(super) fn success(policy: &Value, done: &BTreeSet<i64>) -> Option<usize> {
    list(&policy["rules"]).position(|rule| {
        let wanted_count = number(&rule["succeededCount"]).and_then(|it| usize::try_from(it).ok());
        match rule["succeededIndexes"].as_str() {
            Some(indexes) => {
                let wanted = counting::parse_ranges(indexes);
                let have = wanted.intersection(done).count();
                wanted_count.map_or(have == wanted.len(), |it| have >= it)
            }
            None => wanted_count.is_some_and(|it| done.len() >= it),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_of_success_count_indexes() {
        let check = |rule: Value, done: &[i64], want: bool| {
            let policy = json!({"rules": [{"succeededIndexes": "90"}, rule]});
            let got = success(&policy, &done.iter().copied().collect());
            assert_eq!(got, want.then_some(1), "{policy} {done:?}");
        };
        check(json!({"succeededIndexes": "0,2-3"}), &[0, 2, 3], true);
        check(json!({"succeededIndexes": "0,2-3"}), &[0, 1, 2], false);
        check(json!({"succeededIndexes": "0,2-3", "succeededCount": 1}), &[3], true);
        check(json!({"succeededIndexes": "0,2-3", "succeededCount": 1}), &[1], false);
        check(json!({"succeededCount": 2}), &[1, 5], true);
        check(json!({"succeededCount": 2}), &[1], false);
        assert_eq!(success(&Value::Null, &[1].into()), None);
    }
}
