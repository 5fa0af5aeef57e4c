//! Jobs: indexes, failures, successes.

use serde_json::{Value, json};

use super::check;

const JOBS: &str = "batch/v1/jobs";

fn spec(change: Value, wanted: &[&str]) {
    check(JOBS, json!({"spec": change}), wanted);
}

#[test]
fn only_indexed_jobs_count_by_index() {
    spec(
        json!({"backoffLimitPerIndex": 1}),
        &["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"],
    );
    spec(
        json!({"completionMode": "Indexed", "completions": 3, "maxFailedIndexes": 1}),
        &["spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"],
    );
    spec(
        json!({"completionMode": "Indexed", "completions": 3, "backoffLimitPerIndex": 1, "maxFailedIndexes": 4}),
        &["spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions"],
    );
    spec(
        json!({"completionMode": "Indexed", "completions": 100_001, "backoffLimitPerIndex": 1}),
        &["spec.maxFailedIndexes: Required value: must be specified when completions is above 100000"],
    );
    spec(json!({"completionMode": "Indexed", "completions": 3, "backoffLimitPerIndex": 1, "maxFailedIndexes": 3}), &[]);
}

#[test]
fn what_failures_mean_is_said_in_one_way() {
    let rules = |rules: Value| json!({"podFailurePolicy": {"rules": rules}});
    spec(rules(json!([{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1, 42]}}])), &[]);
    spec(
        rules(json!([{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}])),
        &[],
    );
    spec(
        rules(json!([{"action": "FailJob"}])),
        &[
            "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
        ],
    );
    spec(
        rules(json!([{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [0]}}])),
        &["spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"],
    );
    spec(
        rules(
            json!([{"action": "FailJob", "onExitCodes": {"containerName": "d", "operator": "NotIn", "values": [0]}}]),
        ),
        &[
            "spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \"d\": must be one of the container or initContainer names in the pod template",
        ],
    );
    spec(
        rules(json!([{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [1]}}])),
        &[
            "spec.podFailurePolicy.rules[0].action: Invalid value: \"FailIndex\": requires the backoffLimitPerIndex to be set",
        ],
    );
    spec(
        json!({"podFailurePolicy": {"rules": []}, "template": {"spec": {"restartPolicy": "OnFailure"}}}),
        &[
            "spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is supported when podFailurePolicy is specified",
        ],
    );
}

#[test]
fn success_may_come_early_for_indexes_that_there_are() {
    let rules =
        |rules: Value| json!({"completionMode": "Indexed", "completions": 10, "successPolicy": {"rules": rules}});
    spec(rules(json!([{"succeededIndexes": "0,2-4", "succeededCount": 3}])), &[]);
    spec(
        rules(json!([])),
        &[
            "spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified",
        ],
    );
    spec(
        rules(json!([{}])),
        &[
            "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified",
        ],
    );
    spec(
        rules(json!([{"succeededIndexes": "0,2-4", "succeededCount": 5}])),
        &[
            "spec.successPolicy.rules[0].succeededCount: Invalid value: 5: must be less than or equal to 4 (the number of indexes in the specified succeededIndexes field)",
        ],
    );
    for (text, problem) in [
        ("10", "too large index: 10"),
        ("3,1", "non-increasing order, previous: 3, current: 1"),
        ("3-3", "non-increasing order, previous: 3, current: 3"),
        (
            "1-2-3",
            "the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'",
        ),
        ("x", "cannot convert string to integer for index: \"x\""),
    ] {
        let wanted = format!(
            "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"{text}\": error parsing succeededIndexes: {problem}"
        );
        spec(rules(json!([{"succeededIndexes": text}])), &[&wanted]);
    }
}

#[test]
fn somebody_elses_controller_has_a_domain() {
    spec(json!({"managedBy": "example.com/runner"}), &[]);
    spec(
        json!({"managedBy": "runner"}),
        &["spec.managedBy: Invalid value: \"runner\": must be a domain-prefixed path (such as \"acme.io/foo\")"],
    );
}
