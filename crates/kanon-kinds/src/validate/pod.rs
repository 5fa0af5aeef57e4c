//! Pods and pod templates.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    container,
    field::{Errors, Field},
    metadata, service, volume,
};
use crate::names::{label_problems, subdomain_problems};

/// Who makes pods of a template: decides which restart policies make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody in particular.
    Any,
    /// A kind, called so in messages, that keeps pods running.
    Keeper(&'static str),
    /// Runs pods to their end.
    Job,
}

/// What an update may change; the message names the fields.
const UPDATE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// A `PodTemplateSpec`.
pub(super) fn template(template: &Field<'_>, owner: Owner, errors: &mut Errors) {
    metadata::labels(&template.get("metadata").get("labels"), errors);
    metadata::annotations(&template.get("metadata").get("annotations"), errors);
    let spec = &template.get("spec");
    pod(spec, errors);
    let policy = spec.get("restartPolicy");
    match owner {
        Owner::Any => {}
        Owner::Keeper(kind) => {
            policy.one_of(errors, &["Always"]);
            if !spec.get("activeDeadlineSeconds").is_absent() {
                let detail = format!("activeDeadlineSeconds in {kind} is not Supported");
                spec.get("activeDeadlineSeconds").forbidden(errors, &detail);
            }
        }
        // `Always` is the default: most likely nothing was said.
        Owner::Job if policy.text() == "Always" => {
            policy.required(errors, "valid values: \"OnFailure\", \"Never\"");
        }
        Owner::Job => policy.one_of(errors, &["OnFailure", "Never"]),
    }
}

/// A `PodSpec`.
pub(super) fn pod(spec: &Field<'_>, errors: &mut Errors) {
    let volumes = volume::volumes(&spec.get("volumes"), errors);
    let context = container::Context { volumes, host_network: spec.get("hostNetwork").is_true() };
    // In upstream's order, which is not the alphabet's.
    let policies: [(&str, &[&str]); 2] = [
        ("restartPolicy", &["Always", "OnFailure", "Never"]),
        ("dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]),
    ];
    for (member, allowed) in policies {
        if spec.get(member).present(errors, "") {
            spec.get(member).one_of(errors, allowed);
        }
    }
    let containers = &spec.get("containers");
    containers.present(errors, "");
    let mut names = BTreeSet::new();
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        spec.get(list).each(|it| {
            let name = it.get("name");
            if !name.is_empty() && !names.insert(name.text().to_owned()) {
                name.duplicate(errors);
            }
            container::container(&context, list, it, errors);
        });
    }
    let mut host_ports = BTreeSet::new();
    containers.each(|it| {
        it.get("ports").each(|port| {
            let (host, protocol, ip) = (port.get("hostPort"), port.get("protocol"), port.get("hostIP"));
            let Some(number) = host.int().filter(|it| *it != 0) else { return };
            let address = format!("{}/{}/{number}", protocol.text(), ip.text());
            if !host_ports.insert(address.clone()) {
                host.duplicate_shown(errors, format!("{address:?}"));
            }
        });
    });
    spec.get("activeDeadlineSeconds").within(errors, 1, i64::from(i32::MAX));
    spec.get("terminationGracePeriodSeconds").not_negative(errors);
    for (member, label) in [
        ("serviceAccountName", false),
        ("nodeName", false),
        ("priorityClassName", false),
        ("runtimeClassName", false),
        ("hostname", true),
        ("subdomain", true),
    ] {
        let at = spec.get(member);
        if !at.is_empty() {
            at.problems(errors, if label { label_problems(at.text()) } else { subdomain_problems(at.text()) });
        }
    }
    metadata::labels(&spec.get("nodeSelector"), errors);
    security(&spec.get("securityContext"), errors);
    spec.get("tolerations").each(|it| toleration(it, errors));
    spec.get("hostAliases").each(|it| service::address(&it.get("ip"), errors));
    spec.get("topologySpreadConstraints").each(|it| {
        let skew = it.get("maxSkew");
        if skew.int().is_none_or(|it| it <= 0) {
            skew.invalid_value(errors, skew.int().unwrap_or_default(), "must be greater than zero");
        }
    });
    if !spec.get("schedulingGates").is_empty() && !spec.get("nodeName").is_empty() {
        spec.get("nodeName").forbidden(errors, "cannot be set until all schedulingGates have been cleared");
    }
}

/// Users and groups are 31-bit numbers.
fn security(context: &Field<'_>, errors: &mut Errors) {
    for member in ["runAsUser", "runAsGroup", "fsGroup"] {
        context.get(member).within(errors, 0, i64::from(i32::MAX));
    }
    container::seccomp(&context.get("seccompProfile"), errors);
}

fn toleration(it: &Field<'_>, errors: &mut Errors) {
    let (key, operator, value) = (it.get("key"), it.get("operator"), it.get("value"));
    if key.is_empty() && operator.text() != "Exists" {
        operator.invalid_value(
            errors,
            operator.text(),
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        );
    }
    if operator.text() == "Exists" && !value.is_empty() {
        value.invalid(errors, "value must be empty when `operator` is 'Exists'");
    }
    if !it.get("tolerationSeconds").is_absent() && it.get("effect").text() != "NoExecute" {
        let effect = it.get("effect");
        effect.invalid_value(errors, effect.text(), "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
}

/// A pod's spec is fixed, but for images and a few figures.
pub(super) fn update(spec: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    for list in ["containers", "initContainers"] {
        if spec.get(list).len() != old.get(list).len() {
            spec.get(list).forbidden(errors, "pod updates may not add or remove containers");
            return;
        }
    }
    deadline(&spec.get("activeDeadlineSeconds"), &old.get("activeDeadlineSeconds"), errors);
    tolerations(&spec.get("tolerations"), &old.get("tolerations"), errors);
    if fixed(spec.value(), old.value()) != *old.value() {
        spec.forbidden(errors, UPDATE);
    }
}

/// A deadline may come and come nearer.
fn deadline(new: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    let Some(before) = old.int() else { return };
    match new.int() {
        None => new.invalid_value(errors, Value::Null, "must not update from a positive integer to nil value"),
        Some(after) if after > before => new.invalid(errors, "must be less than or equal to previous value"),
        Some(_) => {}
    }
}

/// Tolerations may be added; of those that were there only the time may change.
fn tolerations(new: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    let timeless = |it: &Value| {
        let mut it = it.clone();
        if let Value::Object(members) = &mut it {
            members.remove("tolerationSeconds");
        }
        it
    };
    let list = |it: &Field<'_>| it.value().as_array().into_iter().flatten().map(timeless).collect::<Vec<_>>();
    let (after, before) = (list(new), list(old));
    if before.iter().any(|it| !after.contains(it)) {
        new.forbidden(errors, "existing toleration can not be modified except its tolerationSeconds");
    }
}

/// The new spec with everything that may change set back, or is judged elsewhere.
fn fixed(spec: &Value, old: &Value) -> Value {
    let mut fixed = spec.clone();
    let Value::Object(members) = &mut fixed else { return fixed };
    let grace = old["terminationGracePeriodSeconds"].as_i64().unwrap_or_default() < 0;
    let mut free = vec!["activeDeadlineSeconds", "schedulingGates", "ephemeralContainers", "tolerations"];
    if grace && spec["terminationGracePeriodSeconds"] == 1 {
        free.push("terminationGracePeriodSeconds");
    }
    for member in free {
        match old.get(member) {
            Some(before) => members.insert(member.to_owned(), before.clone()),
            None => members.remove(member),
        };
    }
    for list in ["containers", "initContainers"] {
        let containers = members.get_mut(list).and_then(Value::as_array_mut);
        for (index, container) in containers.into_iter().flatten().enumerate() {
            if let (Value::Object(container), Some(image)) = (container, old[list][index].get("image")) {
                container.insert("image".to_owned(), image.clone());
            }
        }
    }
    fixed
}
