//! Containers of a pod.

use std::collections::BTreeSet;

use super::field::{Errors, Field, port_name_problems};
use crate::{names::label_problems, names::qualified_name_problems, quantity};

/// What the pod says that its containers must agree with.
pub(super) struct Context {
    /// Names of the pod's volumes.
    pub(super) volumes: BTreeSet<String>,
    pub(super) host_network: bool,
}

/// Resources that need no domain in their name.
const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

pub(super) fn container(context: &Context, list: &str, it: &Field<'_>, errors: &mut Errors) {
    let (name, image) = (it.get("name"), it.get("image"));
    if name.present(errors, "") {
        name.problems(errors, label_problems(name.text()));
    }
    if image.present(errors, "") && image.text().trim() != image.text() {
        image.invalid(errors, "must not have leading or trailing whitespace");
    }
    ports(context, &it.get("ports"), errors);
    it.get("env").each(|env| environment(env, errors));
    mounts(context, &it.get("volumeMounts"), errors);
    resources(&it.get("resources"), errors);
    // A container that is not meant to keep running cannot be probed.
    let ends = list == "initContainers" && it.get("restartPolicy").text() != "Always";
    for member in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        let at = it.get(member);
        if at.is_absent() {
            continue;
        }
        if ends {
            at.forbidden(errors, "may not be set for init containers without restartPolicy=Always");
        } else if member != "lifecycle" {
            probe(&at, member != "readinessProbe", errors);
        }
    }
    security(&it.get("securityContext"), errors);
}

fn ports(context: &Context, ports: &Field<'_>, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    ports.each(|port| {
        let name = port.get("name");
        if !name.is_empty() {
            let problems = port_name_problems(name.text());
            if problems.is_empty() && !names.insert(name.text().to_owned()) {
                name.duplicate(errors);
            }
            name.problems(errors, problems);
        }
        let number = port.get("containerPort");
        match number.int() {
            None | Some(0) => number.required(errors, ""),
            Some(_) => number.port_number(errors),
        }
        let host = port.get("hostPort");
        host.port_number(errors);
        if context.host_network && host.int() != number.int() {
            host.invalid(errors, "must match `containerPort` when `hostNetwork` is true");
        }
        if !port.get("protocol").is_absent() && port.get("protocol").is_empty() {
            port.get("protocol").required(errors, "");
        }
    });
}

fn environment(env: &Field<'_>, errors: &mut Errors) {
    let (name, source) = (env.get("name"), env.get("valueFrom"));
    if name.present(errors, "") && !name.text().bytes().all(|it| (b' '..=b'~').contains(&it) && it != b'=') {
        name.invalid(
            errors,
            "a valid environment variable name must consist only of printable ASCII characters other than '='",
        );
    }
    if source.is_absent() {
        return;
    }
    if source.is_empty() {
        let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
        source.invalid_value(errors, "", detail);
    } else if !env.get("value").is_empty() {
        source.invalid_value(errors, "", "may not be specified when `value` is not empty");
    } else if source.len() > 1 {
        source.invalid_value(errors, "", "may not have more than one field specified at a time");
    }
    let place = source.get("fieldRef");
    let path = place.get("fieldPath");
    if !path.is_empty() && !is_field_of_pod(path.text()) {
        let problem = format!("error converting fieldPath: field label not supported: {}", path.text());
        path.invalid(errors, problem);
    }
}

/// Whether a variable may hold what stands there in a pod.
fn is_field_of_pod(path: &str) -> bool {
    const PLACES: [&str; 9] = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    let keyed = ["metadata.annotations", "metadata.labels"];
    PLACES.contains(&path) || keyed.iter().any(|it| path.strip_prefix(it).is_some_and(|it| it.starts_with("['")))
}

fn mounts(context: &Context, mounts: &Field<'_>, errors: &mut Errors) {
    let mut paths = BTreeSet::new();
    mounts.each(|mount| {
        let (name, path) = (mount.get("name"), mount.get("mountPath"));
        if name.present(errors, "") && !context.volumes.contains(name.text()) {
            name.not_found(errors);
        }
        if path.present(errors, "") && !paths.insert(path.text().to_owned()) {
            path.invalid(errors, "must be unique");
        }
        let (sub, expression) = (mount.get("subPath"), mount.get("subPathExpr"));
        if !sub.is_empty() && !expression.is_empty() {
            expression.invalid(errors, "subPathExpr and subPath are mutually exclusive");
        }
        for part in [sub, expression].iter().filter(|it| !it.is_empty()) {
            relative(part, errors);
        }
    });
}

/// A path below another.
pub(super) fn relative(path: &Field<'_>, errors: &mut Errors) {
    if path.text().starts_with('/') {
        path.invalid(errors, "must be a relative path");
    }
    if path.text().split('/').any(|it| it == "..") {
        path.invalid(errors, "must not contain '..'");
    }
}

/// Requests stay below limits; amounts are not negative.
pub(super) fn resources(resources: &Field<'_>, errors: &mut Errors) {
    let limits = resources.get("limits");
    for member in ["limits", "requests"] {
        let amounts = resources.get(member);
        for (name, amount) in amounts.entries() {
            let at = amounts.key(name);
            let known = RESOURCES.contains(&name) || name.starts_with("hugepages-") || name.contains('/');
            if !known {
                amounts.invalid_value(errors, name, "must be a standard resource type or fully qualified");
            }
            for problem in qualified_name_problems(name) {
                amounts.invalid_value(errors, name, problem);
            }
            let Some(parsed) = quantity::parse(amount) else { continue };
            if parsed.nanos() < 0 {
                at.invalid(errors, "must be greater than or equal to 0");
            }
            let limit = limits.value().get(name);
            let below = limit.and_then(quantity::parse).is_none_or(|it| parsed.nanos() <= it.nanos());
            // What nodes do not share out twice is asked for as it is limited.
            let is_whole = name.contains('/') && !name.starts_with("kubernetes.io/") || name.starts_with("hugepages-");
            if member == "requests" && is_whole {
                let equal = |it: quantity::Quantity| it.nanos() == parsed.nanos();
                match limit {
                    None => limits.required(errors, "Limit must be set for non overcommitable resources"),
                    Some(limit) if !quantity::parse(limit).is_none_or(equal) => {
                        let limit = quantity::text(limit).unwrap_or_default();
                        amounts.invalid_value(
                            errors,
                            amount.clone(),
                            format!("must be equal to {name} limit of {limit}"),
                        );
                    }
                    Some(_) => {}
                }
            } else if member == "requests" && !below {
                let limit = limit.and_then(quantity::text).unwrap_or_default();
                amounts.invalid_value(
                    errors,
                    amount.clone(),
                    format!("must be less than or equal to {name} limit of {limit}"),
                );
            }
        }
    }
}

/// `once`: success is decided by one answer.
fn probe(probe: &Field<'_>, once: bool, errors: &mut Errors) {
    handler(probe, errors);
    for member in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        probe.get(member).not_negative(errors);
    }
    let threshold = probe.get("successThreshold");
    if once && threshold.int().is_some_and(|it| it != 1) {
        threshold.invalid(errors, "must be 1");
    }
}

fn handler(probe: &Field<'_>, errors: &mut Errors) {
    let mut handlers = 0;
    for member in ["exec", "httpGet", "tcpSocket", "grpc"] {
        let at = probe.get(member);
        if at.is_absent() {
            continue;
        }
        handlers += 1;
        if handlers > 1 {
            at.forbidden(errors, "may not specify more than 1 handler type");
        } else if member == "exec" {
            at.get("command").present(errors, "");
        } else {
            at.get("port").port(errors);
        }
    }
    if handlers == 0 {
        probe.required(errors, "must specify a handler type");
    }
}

fn security(context: &Field<'_>, errors: &mut Errors) {
    for member in ["runAsUser", "runAsGroup"] {
        context.get(member).within(errors, 0, i64::from(i32::MAX));
    }
    let escalation = context.get("allowPrivilegeEscalation");
    if escalation.value() == &serde_json::Value::Bool(false) {
        if context.get("privileged").is_true() {
            context.invalid(errors, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        }
        let mut added = false;
        context.get("capabilities").get("add").each(|it| added |= it.text() == "CAP_SYS_ADMIN");
        if added {
            context
                .invalid(errors, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
        }
    }
    seccomp(&context.get("seccompProfile"), errors);
}

/// A local profile has a path, others have none.
pub(super) fn seccomp(profile: &Field<'_>, errors: &mut Errors) {
    if profile.is_absent() {
        return;
    }
    let (kind, local) = (profile.get("type"), profile.get("localhostProfile"));
    if kind.text() == "Localhost" {
        if local.present(errors, "must be set when seccomp type is Localhost") {
            relative(&local, errors);
        }
    } else if !local.is_absent() {
        local.invalid(errors, "can only be set when seccomp type is Localhost");
    }
}
