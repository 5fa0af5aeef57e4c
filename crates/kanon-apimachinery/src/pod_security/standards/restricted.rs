//! The level `restricted`: what hardening asks for, on top of `baseline`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Violation, added_capabilities, containers_called, counted, is_for_windows, is_sound_seccomp, loose_seccomp, name,
    named, quoted, security, setters, violate,
};
use crate::pod_security::policy::Policy;

/// What a volume may be.
const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Checks in the order of their names, as upstream.
pub(super) fn check(pod: &Value, policy: &Policy, list: &mut Vec<Violation>) {
    let is_windows = is_for_windows(pod, policy);
    if policy.is_since(8) && !is_windows {
        let names = named(pod, |it| security(it)["allowPrivilegeEscalation"] != false);
        if !names.is_empty() {
            let who = containers_called(&names);
            let detail = format!("{who} must set securityContext.allowPrivilegeEscalation=false");
            violate(list, "allowPrivilegeEscalation != false", detail);
        }
    }
    if policy.is_since(22) && !is_windows {
        capabilities(pod, list);
    }
    volumes(pod, list);
    non_root(pod, list);
    if policy.is_since(23) {
        let is_root = |it: &Value| security(it)["runAsUser"] == 0;
        if let Some(who) = setters(is_root(&pod["spec"]), &named(pod, is_root)) {
            violate(list, "runAsUser=0", format!("{who} must not set runAsUser=0"));
        }
    }
    if policy.is_since(19) && !is_windows {
        seccomp(pod, list);
    }
}

fn capabilities(pod: &Value, list: &mut Vec<Violation>) {
    let drops_all =
        |it: &Value| security(it)["capabilities"]["drop"].as_array().into_iter().flatten().any(|it| it == "ALL");
    let names = named(pod, |it| !drops_all(it));
    let mut details = Vec::new();
    if !names.is_empty() {
        details.push(format!(r#"{} must set securityContext.capabilities.drop=["ALL"]"#, containers_called(&names)));
    }
    details.extend(added_capabilities(pod, |it| it == "NET_BIND_SERVICE"));
    if !details.is_empty() {
        violate(list, "unrestricted capabilities", details.join("; "));
    }
}

fn volumes(pod: &Value, list: &mut Vec<Violation>) {
    let (mut names, mut types) = (Vec::new(), BTreeSet::new());
    for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
        let source = volume.as_object().into_iter().flatten().find(|(key, value)| *key != "name" && value.is_object());
        let source = source.map_or("unknown", |(key, _)| key);
        if !VOLUMES.contains(&source) {
            names.push(name(volume));
            types.insert(source);
        }
    }
    if !names.is_empty() {
        let (volumes, verb) = (counted("volume", names.len()), if names.len() == 1 { "uses" } else { "use" });
        let kinds = counted("restricted volume type", types.len());
        let detail = format!("{volumes} {} {verb} {kinds} {}", quoted(&names), quoted(types));
        violate(list, "restricted volume types", detail);
    }
}

fn non_root(pod: &Value, list: &mut Vec<Violation>) {
    const REASON: &str = "runAsNonRoot != true";
    let said = |it: &Value| security(it)["runAsNonRoot"].as_bool();
    let of_pod = said(&pod["spec"]);
    if let Some(who) = setters(of_pod == Some(false), &named(pod, |it| said(it) == Some(false))) {
        violate(list, REASON, format!("{who} must not set securityContext.runAsNonRoot=false"));
        return;
    }
    let silent = named(pod, |it| said(it).is_none());
    if of_pod != Some(true) && !silent.is_empty() {
        let who = containers_called(&silent);
        violate(list, REASON, format!("pod or {who} must set securityContext.runAsNonRoot=true"));
    }
}

fn seccomp(pod: &Value, list: &mut Vec<Violation>) {
    if let Some(loose) = loose_seccomp(pod) {
        list.push(loose);
        return;
    }
    let said = |it: &Value| security(it)["seccompProfile"]["type"].as_str().is_some_and(is_sound_seccomp);
    let silent = named(pod, |it| !said(it));
    if !said(&pod["spec"]) && !silent.is_empty() {
        let who = containers_called(&silent);
        let detail =
            format!(r#"pod or {who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost""#);
        violate(list, "seccompProfile", detail);
    }
}
