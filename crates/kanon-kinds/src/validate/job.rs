//! Jobs and cron jobs: counts, what failed pods mean, when an indexed job has succeeded early.

use std::collections::BTreeSet;

use super::{
    cron,
    field::{Errors, Field},
    pod::{self, Owner},
    workload::selected,
};

/// Longest name of a cron job: its jobs add eleven characters.
const CRON_NAME_MAX: usize = 52;
/// Rules, patterns of a rule, and exit codes of a rule, at most.
const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
/// What an indexed job may count to where failures are counted by index.
const INDEXED_MAX: i64 = 100_000;
/// Indexes that a job may give up where it has more than [`INDEXED_MAX`].
const FAILED_OF_MANY_MAX: i64 = 10_000;
/// Longest list of indexes, in bytes.
const INDEXES_LEN: usize = 65_536;
/// Longest name of a job's controller.
const MANAGER_LEN: usize = 63;

/// A job's spec, also within a cron job. The server makes the selector, unless it is said to be the user's.
pub(super) fn job(spec: &Field<'_>, errors: &mut Errors) {
    for member in ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"] {
        spec.get(member).not_negative(errors);
    }
    indexes(spec, errors);
    manager(&spec.get("managedBy"), errors);
    let failures = spec.get("podFailurePolicy");
    if !failures.is_absent() {
        failure_policy(spec, &failures, errors);
    }
    let success = spec.get("successPolicy");
    if !success.is_absent() {
        success_policy(spec, &success, errors);
    }
    if spec.get("manualSelector").is_true() {
        selected(spec, "job", errors);
    }
    pod::template(&spec.get("template"), Owner::Job, errors);
}

pub(super) fn job_update(spec: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    let suspended = old.get("suspend").is_true();
    for member in
        ["completionMode", "selector", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        spec.get(member).unchanged(&old.get(member), errors);
    }
    let completions = spec.get("completions");
    // An indexed job can grow and shrink together with its parallelism.
    let elastic =
        spec.get("completionMode").text() == "Indexed" && completions.value() == spec.get("parallelism").value();
    if !elastic {
        completions.unchanged(&old.get("completions"), errors);
    }
    if !suspended {
        spec.get("template").unchanged(&old.get("template"), errors);
    }
}

pub(super) fn cron_job(root: &Field<'_>, errors: &mut Errors) {
    let metadata = root.get("metadata");
    let name = metadata.get("name");
    if name.text().len() > CRON_NAME_MAX {
        name.invalid(errors, crate::names::too_long(CRON_NAME_MAX));
    }
    let spec = root.get("spec");
    let schedule = spec.get("schedule");
    if schedule.present(errors, "") {
        schedule.problems(errors, cron::problem(schedule.text()).into_iter().collect());
    }
    for member in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        spec.get(member).not_negative(errors);
    }
    let template = spec.get("jobTemplate");
    job(&template.get("spec"), errors);
}

/// What only jobs with indexes may have, and how much of it.
fn indexes(spec: &Field<'_>, errors: &mut Errors) {
    let (completions, most_failed) = (spec.get("completions"), spec.get("maxFailedIndexes"));
    let by_index = spec.get("backoffLimitPerIndex");
    by_index.not_negative(errors);
    most_failed.not_negative(errors);
    if !most_failed.is_absent() && by_index.is_absent() {
        by_index.required(errors, "when maxFailedIndexes is specified");
    }
    if spec.get("completionMode").text() != "Indexed" {
        for only in [by_index, most_failed] {
            if !only.is_absent() {
                only.invalid(errors, "requires indexed completion mode");
            }
        }
        return;
    }
    if completions.is_absent() {
        completions.required(errors, "when completion mode is Indexed");
    }
    let parallelism = spec.get("parallelism");
    if parallelism.int().is_some_and(|it| it > INDEXED_MAX) {
        let detail = format!("must be less than or equal to {INDEXED_MAX} when completion mode is Indexed");
        parallelism.invalid(errors, detail);
    }
    let (count, failed) = (completions.int().unwrap_or_default(), most_failed.int());
    if failed.is_some_and(|it| it > count) && !completions.is_absent() {
        most_failed.invalid(errors, "must be less than or equal to completions");
    }
    if failed.is_some_and(|it| it > INDEXED_MAX) {
        most_failed.invalid(errors, format!("must be less than or equal to {INDEXED_MAX}"));
    }
    if count > INDEXED_MAX && !by_index.is_absent() {
        match failed {
            None => most_failed.required(errors, &format!("must be specified when completions is above {INDEXED_MAX}")),
            Some(failed) if failed > FAILED_OF_MANY_MAX => {
                let detail = format!(
                    "must be less than or equal to {FAILED_OF_MANY_MAX} when completions are above {INDEXED_MAX} and used with backoff limit per index"
                );
                most_failed.invalid(errors, detail);
            }
            Some(_) => {}
        }
        if parallelism.int().is_some_and(|it| it > FAILED_OF_MANY_MAX) {
            let detail = format!(
                "must be less than or equal to {FAILED_OF_MANY_MAX} when completions are above {INDEXED_MAX} and used with backoff limit per index"
            );
            parallelism.invalid(errors, detail);
        }
    }
}

/// A controller of somebody else, named by a path below a domain.
fn manager(by: &Field<'_>, errors: &mut Errors) {
    if by.is_absent() {
        return;
    }
    match by.text().split_once('/') {
        None => by.invalid(errors, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
        Some((domain, path)) => {
            by.problems(errors, crate::names::subdomain_problems(domain));
            if path.is_empty() {
                by.invalid(errors, "must be a domain-prefixed path (such as \"acme.io/foo\")");
            }
        }
    }
    if by.text().len() > MANAGER_LEN {
        by.too_long(errors, MANAGER_LEN);
    }
}

/// What failed pods mean: only where the kubelet does not start them again.
fn failure_policy(spec: &Field<'_>, policy: &Field<'_>, errors: &mut Errors) {
    let template = spec.get("template");
    let pod = template.get("spec");
    let restart = pod.get("restartPolicy");
    if restart.text() == "OnFailure" {
        restart.invalid(errors, "only \"Never\" is supported when podFailurePolicy is specified");
    }
    let replacement = spec.get("podReplacementPolicy");
    if !replacement.is_absent() {
        replacement.one_of(errors, &["Failed"]);
    }
    let rules = policy.get("rules");
    if rules.len() > RULES_MAX {
        rules.too_many(errors, RULES_MAX);
    }
    let containers = ["containers", "initContainers"].map(|list| pod.value().get(list).and_then(|it| it.as_array()));
    let names: BTreeSet<_> =
        containers.into_iter().flatten().flatten().filter_map(|it| it.get("name").and_then(|it| it.as_str())).collect();
    rules.each(|rule| {
        let action = rule.get("action");
        if action.text() == "FailIndex" && spec.get("backoffLimitPerIndex").is_absent() {
            action.invalid(errors, "requires the backoffLimitPerIndex to be set");
        }
        let (codes, conditions) = (rule.get("onExitCodes"), rule.get("onPodConditions"));
        if !codes.is_absent() {
            exit_codes(&codes, &names, errors);
        }
        if conditions.len() > RULES_MAX {
            conditions.too_many(errors, RULES_MAX);
        }
        conditions.each(|pattern| {
            let kind = pattern.get("type");
            kind.problems(errors, crate::names::qualified_name_problems(kind.text()));
            pattern.get("status").one_of(errors, &["False", "True", "Unknown"]);
        });
        match (codes.is_absent(), conditions.is_empty()) {
            (false, false) => {
                rule.invalid_alone(errors, "specifying both OnExitCodes and OnPodConditions is not supported");
            }
            (true, true) => {
                rule.invalid_alone(errors, "specifying one of OnExitCodes and OnPodConditions is required");
            }
            _ => {}
        }
    });
}

fn exit_codes(codes: &Field<'_>, containers: &BTreeSet<&str>, errors: &mut Errors) {
    let operator = codes.get("operator");
    operator.one_of(errors, &["In", "NotIn"]);
    let container = codes.get("containerName");
    if !container.is_absent() && !containers.contains(container.text()) {
        container.invalid(errors, "must be one of the container or initContainer names in the pod template");
    }
    let values = codes.get("values");
    if values.is_empty() {
        values.invalid(errors, "at least one value is required");
    }
    if values.len() > EXIT_CODES_MAX {
        values.too_many(errors, EXIT_CODES_MAX);
    }
    let (mut seen, mut last, mut ordered) = (BTreeSet::new(), i64::MIN, true);
    values.each(|value| {
        let code = value.int().unwrap_or_default();
        if code == 0 && operator.text() == "In" {
            value.invalid(errors, "must not be 0 for the In operator");
        }
        if !seen.insert(code) {
            value.duplicate(errors);
        }
        ordered &= last <= code;
        last = code;
    });
    if !ordered {
        values.invalid(errors, "must be ordered");
    }
}

/// When an indexed job has succeeded though not all of its indexes have.
fn success_policy(spec: &Field<'_>, policy: &Field<'_>, errors: &mut Errors) {
    if spec.get("completionMode").text() != "Indexed" {
        policy.invalid(errors, "requires indexed completion mode");
        return;
    }
    let rules = policy.get("rules");
    if rules.is_empty() {
        rules.required(errors, "at least one rules must be specified when the successPolicy is specified");
    }
    if rules.len() > RULES_MAX {
        rules.too_many(errors, RULES_MAX);
    }
    let completions = spec.get("completions").int().unwrap_or_default();
    rules.each(|rule| {
        let (indexes, count) = (rule.get("succeededIndexes"), rule.get("succeededCount"));
        if indexes.is_absent() && count.is_absent() {
            rule.required(errors, "at least one of succeededCount or succeededIndexes must be specified");
        }
        if indexes.text().len() > INDEXES_LEN {
            indexes.too_long(errors, INDEXES_LEN);
        }
        let listed = (!indexes.is_absent()).then(|| listed_indexes(indexes.text(), completions));
        if let Some(Err(problem)) = &listed {
            indexes.invalid(errors, format!("error parsing succeededIndexes: {problem}"));
        }
        count.not_negative(errors);
        if count.int().is_some_and(|it| it > completions) {
            let detail = format!("must be less than or equal to {completions} (the number of specified completions)");
            count.invalid(errors, detail);
        }
        if let (Some(Ok(listed)), Some(wanted)) = (listed, count.int())
            && wanted > listed
        {
            let detail = format!(
                "must be less than or equal to {listed} (the number of indexes in the specified succeededIndexes field)"
            );
            count.invalid(errors, detail);
        }
    });
}

/// How many indexes a text such as `1,3-5` lists: in order, each once, below the number of completions.
fn listed_indexes(text: &str, completions: i64) -> Result<i64, String> {
    let (mut total, mut last) = (0, None);
    if text.is_empty() {
        return Ok(0);
    }
    for part in text.split(',') {
        let bounds: Vec<&str> = part.split('-').collect();
        if bounds.len() > 2 {
            return Err(format!(
                "the fragment {part:?} violates the requirement that an index interval can have at most two parts separated by '-'"
            ));
        }
        let number = |text: &str| {
            let number = text.parse::<i64>().ok().filter(|_| text.bytes().all(|it| it.is_ascii_digit()));
            number.ok_or_else(|| format!("cannot convert string to integer for index: {text:?}"))
        };
        let first = number(bounds[0])?;
        let end = bounds.get(1).map_or(Ok(first), |it| number(it))?;
        for index in [first, end] {
            if index >= completions {
                return Err(format!("too large index: {index:?}"));
            }
        }
        let wrong = match last {
            Some(before) if first <= before => Some((before, first)),
            _ if bounds.len() == 2 && end <= first => Some((first, end)),
            _ => None,
        };
        if let Some((previous, current)) = wrong {
            return Err(format!("non-increasing order, previous: {previous}, current: {current}"));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}
