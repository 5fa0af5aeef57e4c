//! The level `baseline`: nothing that is known to lead out of a container.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Violation, added_capabilities, bad, containers, containers_called, counted, loose_seccomp, name, named, quoted,
    security, setters, violate,
};
use crate::pod_security::policy::{Level, Policy};

/// Capabilities of a container that asks for none; adding one of them adds nothing.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// Kernel parameters that are a pod's own, with the minor version since which they may be set.
const SYSCTLS: [(&str, u32); 12] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];
/// SELinux types of containers, likewise.
const SELINUX_TYPES: [(&str, u32); 5] =
    [("", 0), ("container_t", 0), ("container_init_t", 0), ("container_kvm_t", 0), ("container_engine_t", 31)];
const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Checks in the order of their names, as upstream. Where `restricted` has a stricter one of the same thing, that alone tells.
pub(super) fn check(pod: &Value, policy: &Policy, list: &mut Vec<Violation>) {
    let (spec, is_last) = (&pod["spec"], policy.level == Level::Baseline);
    apparmor(pod, list);
    // `restricted` has its own since 1.22.
    let added = added_capabilities(pod, |it| CAPABILITIES.contains(&it));
    if let Some(detail) = added.filter(|_| is_last || !policy.is_since(22)) {
        violate(list, "non-default capabilities", detail);
    }
    let shared: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|it| spec[*it] == true)
        .map(|it| format!("{it}=true"))
        .collect();
    if !shared.is_empty() {
        violate(list, "host namespaces", shared.join(", "));
    }
    if is_last {
        host_paths(spec, list);
    }
    host_ports(pod, list);
    let privileged = named(pod, |it| security(it)["privileged"] == true);
    if !privileged.is_empty() {
        let who = containers_called(&privileged);
        violate(list, "privileged", format!("{who} must not set securityContext.privileged=true"));
    }
    let (_, names, values) = bad(pod, |it| &it["procMount"], |it| it != "Default");
    if !names.is_empty() {
        let who = containers_called(&names);
        violate(list, "procMount", format!("{who} must not set securityContext.procMount to {}", quoted(values)));
    }
    selinux(pod, policy, list);
    // `restricted` has its own; before 1.19 there was no such field.
    if is_last && policy.is_since(19) {
        list.extend(loose_seccomp(pod));
    }
    let names = security(spec)["sysctls"].as_array().into_iter().flatten().map(name);
    let unsafe_ones: Vec<&str> =
        names.filter(|name| !SYSCTLS.iter().any(|(it, since)| it == name && policy.is_since(*since))).collect();
    if !unsafe_ones.is_empty() {
        violate(list, "forbidden sysctls", unsafe_ones.join(", "));
    }
    let is_host = |it: &Value| security(it)["windowsOptions"]["hostProcess"] == true;
    if let Some(who) = setters(is_host(spec), &named(pod, is_host)) {
        violate(list, "hostProcess", format!("{who} must not set securityContext.windowsOptions.hostProcess=true"));
    }
}

fn apparmor(pod: &Value, list: &mut Vec<Violation>) {
    let is_bad = |it: &str| !matches!(it, "RuntimeDefault" | "Localhost");
    let (pod_did, names, values) = bad(pod, |it| &it["appArmorProfile"]["type"], is_bad);
    let mut values: Vec<String> = values.into_iter().map(str::to_owned).collect();
    let is_loose = |it: &str| !it.is_empty() && it != "runtime/default" && !it.starts_with("localhost/");
    let annotations: BTreeSet<String> = pod["metadata"]["annotations"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with(APPARMOR))
        .filter_map(|(key, value)| value.as_str().filter(|it| is_loose(it)).map(|it| format!("{key}={it:?}")))
        .collect();
    let by_annotation = (!annotations.is_empty()).then(|| counted("annotation", annotations.len()));
    let who: Vec<String> = setters(pod_did, &names).into_iter().chain(by_annotation).collect();
    if who.is_empty() {
        return;
    }
    values.extend(annotations);
    let detail = format!("{} must not set AppArmor profile type to {}", who.join(" and "), quoted(&values));
    violate(list, counted("forbidden AppArmor profile", values.len()), detail);
}

fn host_paths(spec: &Value, list: &mut Vec<Violation>) {
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    let names: Vec<&str> = volumes.filter(|it| it["hostPath"].is_object()).map(name).collect();
    if !names.is_empty() {
        violate(list, "hostPath volumes", format!("{} {}", counted("volume", names.len()), quoted(&names)));
    }
}

fn host_ports(pod: &Value, list: &mut Vec<Violation>) {
    let of = |it: &Value| -> Vec<i64> {
        let ports = it["ports"].as_array().into_iter().flatten();
        ports.filter_map(|it| it["hostPort"].as_i64()).filter(|it| *it != 0).collect()
    };
    let names = named(pod, |it| !of(it).is_empty());
    if names.is_empty() {
        return;
    }
    // Sorted as texts, as upstream.
    let ports: BTreeSet<String> = containers(pod).flat_map(of).map(|it| it.to_string()).collect();
    let verb = if names.len() == 1 { "uses" } else { "use" };
    let (noun, ports) = (counted("hostPort", ports.len()), ports.into_iter().collect::<Vec<_>>().join(", "));
    violate(list, "hostPort", format!("{} {verb} {noun} {ports}", containers_called(&names)));
}

fn selinux(pod: &Value, policy: &Policy, list: &mut Vec<Violation>) {
    let options = |it: &Value| security(it)["seLinuxOptions"].clone();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    let is_type = |it: &str| SELINUX_TYPES.iter().any(|(known, since)| *known == it && policy.is_since(*since));
    let is_bad =
        |it: &Value| !is_type(&text(it, "type")) || !text(it, "user").is_empty() || !text(it, "role").is_empty();
    let names = named(pod, |it| is_bad(&options(it)));
    let spec = &pod["spec"];
    let Some(who) = setters(is_bad(&options(spec)), &names) else { return };
    let all: Vec<Value> = std::iter::once(options(spec)).chain(containers(pod).map(options)).collect();
    let types: BTreeSet<String> = all.iter().map(|it| text(it, "type")).filter(|it| !is_type(it)).collect();
    let mut told = Vec::new();
    if !types.is_empty() {
        told.push(format!("{} {}", counted("type", types.len()), quoted(&types)));
    }
    for member in ["user", "role"] {
        if all.iter().any(|it| !text(it, member).is_empty()) {
            told.push(format!("{member} may not be set"));
        }
    }
    violate(list, "seLinuxOptions", format!("{who} set forbidden securityContext.seLinuxOptions: {}", told.join("; ")));
}
