//! Kinds that make pods: selectors agree with templates and stay as they are.

use super::{
    field::{Errors, Field},
    pod::{self, Owner},
    selector, shown,
};

/// Selector and template of replica sets, daemon sets and what is like them. `named`: how the message about an empty
/// selector calls the kind.
pub(super) fn set(spec: &Field<'_>, named: &str, owner: Owner, errors: &mut Errors) {
    spec.get("replicas").not_negative(errors);
    spec.get("minReadySeconds").not_negative(errors);
    selected(spec, named, errors);
    pod::template(&spec.get("template"), owner, errors);
}

pub(super) fn selected(spec: &Field<'_>, named: &str, errors: &mut Errors) {
    let at = spec.get("selector");
    if at.is_absent() {
        at.required(errors, "");
        return;
    }
    let before = errors.len();
    selector::validate(&at, errors);
    if selector::is_empty(&at) {
        let detail = format!("empty selector is invalid for {named}");
        at.invalid_shown(errors, shown::label_selector(at.value()), detail);
        return;
    }
    if errors.len() > before {
        at.invalid_shown(errors, shown::label_selector(at.value()), "invalid label selector");
        return;
    }
    let labels = &spec.get("template");
    let metadata = labels.get("metadata");
    let labels = metadata.get("labels");
    if !selector::matches(at.value(), labels.value()) {
        labels.invalid(errors, "`selector` does not match template `labels`");
    }
}

pub(super) fn deployment(spec: &Field<'_>, errors: &mut Errors) {
    set(spec, "deployment", Owner::Keeper("ReplicaSet"), errors);
    spec.get("revisionHistoryLimit").not_negative(errors);
    let deadline = spec.get("progressDeadlineSeconds");
    deadline.not_negative(errors);
    if deadline.int().is_some_and(|it| it <= spec.get("minReadySeconds").int().unwrap_or_default()) {
        deadline.invalid(errors, "must be greater than minReadySeconds");
    }
    let strategy = spec.get("strategy");
    let rolling = strategy.get("rollingUpdate");
    if strategy.get("type").text() == "Recreate" && !rolling.is_absent() {
        rolling.forbidden(errors, "may not be specified when strategy `type` is 'Recreate'");
    }
    let (away, extra) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
    share(&away, errors);
    share(&extra, errors);
    at_most_all(&away, errors);
    if is_zero(&away) && is_zero(&extra) && !rolling.is_absent() {
        away.invalid_shown(errors, shown::int_or_string(away.value()), "may not be 0 when `maxSurge` is 0");
    }
}

pub(super) fn daemon_set(spec: &Field<'_>, errors: &mut Errors) {
    set(spec, "daemonset", Owner::Keeper("DaemonSet"), errors);
    let strategy = spec.get("updateStrategy");
    let rolling = strategy.get("rollingUpdate");
    let (away, extra) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
    match (is_zero(&away) || away.is_absent(), is_zero(&extra) || extra.is_absent()) {
        _ if rolling.is_absent() => {}
        (true, true) => away.required(errors, "cannot be 0 when maxSurge is 0"),
        (false, false) => extra.invalid_shown(
            errors,
            shown::int_or_string(extra.value()),
            "may not be set when maxUnavailable is non-zero",
        ),
        _ => {}
    }
}

fn is_zero(share: &Field<'_>) -> bool {
    share.int() == Some(0) || share.text() == "0%"
}

/// A number of pods or a percentage of them.
pub(super) fn share(share: &Field<'_>, errors: &mut Errors) {
    if share.value().is_string() {
        let digits = share.text().strip_suffix('%').unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
            share.invalid_shown(
                errors,
                shown::int_or_string(share.value()),
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            );
        }
    } else {
        share.not_negative(errors);
    }
}

/// A percentage of at most 100.
pub(super) fn at_most_all(share: &Field<'_>, errors: &mut Errors) {
    let percent = share.text().strip_suffix('%').and_then(|it| it.parse::<u64>().ok());
    if percent.is_some_and(|it| it > 100) {
        share.invalid_shown(errors, shown::int_or_string(share.value()), "must not be greater than 100%");
    }
}

pub(super) fn stateful_set(spec: &Field<'_>, errors: &mut Errors) {
    spec.get("replicas").not_negative(errors);
    spec.get("minReadySeconds").not_negative(errors);
    selected(spec, "statefulset", errors);
    pod::template(&spec.get("template"), Owner::Keeper("StatefulSet"), errors);
}

pub(super) fn stateful_set_update(spec: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    const FREE: [&str; 6] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let changed = |one: &Field<'_>, other: &Field<'_>| {
        one.entries().any(|(member, value)| !FREE.contains(&member) && other.value().get(member) != Some(value))
    };
    if changed(spec, old) || changed(old, spec) {
        spec.forbidden(
            errors,
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        );
    }
}

/// Its selector is plain labels.
pub(super) fn replication_controller(spec: &Field<'_>, errors: &mut Errors) {
    spec.get("replicas").not_negative(errors);
    let at = spec.get("selector");
    at.present(errors, "");
    let template = spec.get("template");
    if template.is_absent() {
        template.required(errors, "");
        return;
    }
    let metadata = template.get("metadata");
    let labels = metadata.get("labels");
    if at.entries().any(|(key, value)| labels.value().get(key) != Some(value)) {
        labels.invalid(errors, "`selector` does not match template `labels`");
    }
    pod::template(&template, Owner::Keeper("ReplicationController"), errors);
}
