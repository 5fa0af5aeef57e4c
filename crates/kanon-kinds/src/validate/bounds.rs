//! Resource quotas and limit ranges: which names they may bound, and that what they say fits together.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    field::{Errors, Field},
    shown,
};
use crate::{
    amount_names::{is_extended, is_huge_pages, is_native, is_of_containers, is_of_quotas, is_standard, is_whole},
    names::qualified_name_problems,
    quantity::{self, Quantity},
};

const SCOPES: [&str; 6] =
    ["Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"];
/// Scopes that no object is in both of.
const CONFLICTS: [[&str; 2]; 2] = [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];
/// What is known of pods in any scope but `BestEffort`, in which only their number is.
const OF_PODS: [&str; 7] = ["pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];

pub(super) fn quota(root: &Field<'_>, errors: &mut Errors) {
    let spec = &root.get("spec");
    amounts(&spec.get("hard"), errors);
    let status = root.get("status");
    amounts(&status.get("hard"), errors);
    amounts(&status.get("used"), errors);
    scopes(spec, errors);
    if !spec.get("scopeSelector").is_absent() {
        selector(spec, errors);
    }
}

pub(super) fn quota_update(spec: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    let scopes = spec.get("scopes");
    let set = |it: &Field<'_>| -> BTreeSet<String> { texts(it.value()).map(str::to_owned).collect() };
    if set(&scopes) != set(&old.get("scopes")) {
        scopes.invalid_shown(errors, shown::quota_scopes(scopes.value()), "field is immutable");
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Names and amounts of a quota.
fn amounts(amounts: &Field<'_>, errors: &mut Errors) {
    for (name, amount) in amounts.entries() {
        let at = amounts.key(name);
        known(&at, name, errors);
        if !name.contains('/') && !is_of_quotas(name) {
            at.invalid_value(errors, name, "must be a standard resource for quota");
        }
        let Some(parsed) = quantity::parse(amount) else { continue };
        if parsed.nanos() < 0 {
            at.invalid(errors, "must be greater than or equal to 0");
        }
        if is_whole(name) && !parsed.is_whole() {
            at.invalid_shown(errors, shown::quantity(amount, false), "must be an integer");
        }
    }
}

/// A name that is qualified, or one of Kubernetes' own.
fn known(at: &Field<'_>, name: &str, errors: &mut Errors) {
    let problems = qualified_name_problems(name);
    let is_qualified = problems.is_empty();
    for problem in problems {
        at.invalid_value(errors, name, problem);
    }
    if is_qualified && !name.contains('/') && !is_standard(name) {
        at.invalid_value(errors, name, "must be a standard resource type or fully qualified");
    }
}

/// Whether a scope can tell objects apart by what a quota bounds.
fn fits(scope: &str, name: &str) -> bool {
    match scope {
        "BestEffort" => name == "pods",
        _ if SCOPES.contains(&scope) => OF_PODS.contains(&name),
        _ => true,
    }
}

/// Names that do not fit a scope; those of other domains are not judged.
fn misfits(spec: &Field<'_>, scope: &str) -> usize {
    let hard = spec.get("hard");
    hard.entries().filter(|(name, _)| is_of_quotas(name) && !fits(scope, name)).count()
}

fn scopes(spec: &Field<'_>, errors: &mut Errors) {
    let scopes = spec.get("scopes");
    let mut blame = |detail: &str| scopes.invalid_shown(errors, shown::quota_scopes(scopes.value()), detail);
    for scope in texts(scopes.value()) {
        if !SCOPES.contains(&scope) {
            blame("unsupported scope");
        }
        for _ in 0..misfits(spec, scope) {
            blame("unsupported scope applied to resource");
        }
    }
    let given: Vec<&str> = texts(scopes.value()).collect();
    for pair in CONFLICTS {
        if pair.iter().all(|it| given.contains(it)) {
            blame("conflicting scopes");
        }
    }
}

fn selector(spec: &Field<'_>, errors: &mut Errors) {
    const ALONE: &str = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
    let selector = spec.get("scopeSelector");
    let list = selector.get("matchExpressions");
    let mut given = Vec::new();
    list.each(|it| {
        let (scope, operator, values) = (it.get("scopeName"), it.get("operator"), it.get("values"));
        let (scope_at, operator_at, values_at) = (list.get("scopeName"), list.get("operator"), list.get("values"));
        if !SCOPES.contains(&scope.text()) {
            scope_at.invalid_value(errors, scope.text(), "unsupported scope");
        }
        for _ in 0..misfits(spec, scope.text()) {
            let shown = shown::scope_selector(selector.value());
            list.invalid_shown(errors, shown, "unsupported scope applied to resource");
        }
        if SCOPES.contains(&scope.text()) && scope.text() != "PriorityClass" && operator.text() != "Exists" {
            operator_at.invalid_value(errors, operator.text(), ALONE);
        }
        match operator.text() {
            "In" | "NotIn" if values.is_empty() => values_at
                .required(errors, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"),
            "Exists" | "DoesNotExist" if !values.is_empty() => values_at.invalid_value(
                errors,
                values.value().clone(),
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => operator_at.invalid_value(errors, other, "not a valid selector operator"),
        }
        given.push(scope.text().to_owned());
    });
    for pair in CONFLICTS {
        if pair.iter().all(|it| given.iter().any(|given| given == it)) {
            let scopes = spec.get("scopes");
            list.invalid_shown(errors, shown::quota_scopes(scopes.value()), "conflicting scopes");
        }
    }
}

pub(super) fn limit_range(spec: &Field<'_>, errors: &mut Errors) {
    let mut types = BTreeSet::new();
    spec.get("limits").each(|item| {
        let kind = item.get("type");
        limit_type(&kind, errors);
        if !types.insert(kind.text().to_owned()) {
            kind.duplicate(errors);
        }
        limits(item, errors);
    });
}

fn limit_type(kind: &Field<'_>, errors: &mut Errors) {
    let problems = qualified_name_problems(kind.text());
    let known = ["Pod", "Container", "PersistentVolumeClaim"];
    if problems.is_empty() && !kind.text().contains('/') && !known.contains(&kind.text()) {
        kind.invalid(errors, "must be a standard limit type or fully qualified");
    }
    kind.problems(errors, problems);
}

const MEMBERS: [&str; 5] = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];

fn limits(item: &Field<'_>, errors: &mut Errors) {
    let kind = item.get("type");
    let mut names = BTreeSet::new();
    for member in MEMBERS {
        let amounts = item.get(member);
        if kind.text() == "Pod" && member.starts_with("default") {
            if !amounts.is_empty() {
                amounts.forbidden(errors, "may not be specified when `type` is 'Pod'");
            }
            continue;
        }
        if member == "maxLimitRequestRatio" && kind.text() == "PersistentVolumeClaim" {
            let storage = ["min", "max"].map(|it| item.value()[it].get("storage").is_some());
            if storage == [false, false] {
                let detail = "either minimum or maximum storage value is required, but neither was provided";
                item.get("limits").required(errors, detail);
            }
        }
        for (name, _) in amounts.entries() {
            let at = amounts.key(name);
            known(&at, name, errors);
            if let "Pod" | "Container" = kind.text() {
                of_containers(&at, name, errors);
            }
            names.insert(name);
        }
    }
    for name in names {
        agreement(item, name, errors);
    }
}

fn of_containers(at: &Field<'_>, name: &str, errors: &mut Errors) {
    if !name.contains('/') {
        if !is_of_containers(name) {
            at.invalid_value(errors, name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        at.invalid_value(errors, name, "doesn't follow extended resource name standard");
    }
}

/// The bounds of one name agree with each other.
fn agreement(item: &Field<'_>, name: &str, errors: &mut Errors) {
    let is_pod = item.get("type").text() == "Pod";
    let value = |member: &str| -> &Value { &item.value()[member][name] };
    let given = |member: &str| -> Option<Quantity> {
        (!is_pod || !member.starts_with("default")).then(|| quantity::parse(value(member))).flatten()
    };
    let text = |member: &str| quantity::text(value(member)).unwrap_or_default();
    // The first is to be at most the second; blamed is `at`, and shown what is in `shows`.
    let mut ordered = |less: (&str, &str), more: (&str, &str), at: &str, shows: &str| {
        if let (Some(a), Some(b)) = (given(less.0), given(more.0))
            && a.nanos() > b.nanos()
        {
            let detail = format!("{} value {} is greater than {} value {}", less.1, text(less.0), more.1, text(more.0));
            item.get(at).key(name).invalid_shown(errors, shown::quantity(value(shows), true), detail);
        }
    };
    let (min, max) = (("min", "min"), ("max", "max"));
    let request = ("defaultRequest", "default request");
    ordered(min, max, "min", "min");
    ordered(min, request, "defaultRequest", "defaultRequest");
    ordered(request, max, "defaultRequest", "defaultRequest");
    ordered(request, ("default", "default limit"), "defaultRequest", "defaultRequest");
    ordered(min, ("default", "default"), "default", "min");
    ordered(("default", "default"), max, "default", "max");
    if let Some(ratio) = given("maxLimitRequestRatio") {
        let shown = || shown::quantity(value("maxLimitRequestRatio"), true);
        let members = item.get("maxLimitRequestRatio");
        let at = members.key(name);
        if ratio.nanos() < Quantity::ONE {
            at.invalid_shown(errors, shown(), format!("ratio {} is less than 1", text("maxLimitRequestRatio")));
        }
        if let (Some(min), Some(max)) = (given("min"), given("max")) {
            let most = max.to_float() / min.to_float();
            if ratio.to_float() > most {
                let detail = format!("ratio {} is greater than max/min = {most:.6}", text("maxLimitRequestRatio"));
                at.invalid_shown(errors, shown(), detail);
            }
        }
    }
    // What cannot be shared out twice has one figure.
    let shares = is_native(name) && !is_huge_pages(name);
    if let (false, Some(limit), Some(request)) = (shares, given("default"), given("defaultRequest"))
        && limit.nanos() != request.nanos()
    {
        let detail = format!(
            "default value {} must equal to defaultRequest value {} in {name}",
            text("default"),
            text("defaultRequest")
        );
        item.get("defaultRequest").key(name).invalid_shown(
            errors,
            shown::quantity(value("defaultRequest"), true),
            detail,
        );
    }
}
