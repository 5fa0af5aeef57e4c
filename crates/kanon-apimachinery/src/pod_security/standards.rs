//! What the levels forbid, check by check, in upstream's order and words (`pod-security-admission/policy`). A check that came with
//! a version of Kubernetes counts from that on.

mod baseline;
mod restricted;

use std::collections::BTreeSet;

use serde_json::Value;

use super::policy::{Level, Policy};

/// What a pod violates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// What is wrong, in a word or two.
    pub(super) reason: String,
    /// Where, and what to do.
    pub(super) detail: String,
}

/// All that a pod (or the template of pods) violates.
pub(super) fn violations(pod: &Value, policy: &Policy) -> Vec<Violation> {
    let mut list = Vec::new();
    if policy.level >= Level::Baseline {
        baseline::check(pod, policy, &mut list);
    }
    if policy.level == Level::Restricted {
        restricted::check(pod, policy, &mut list);
    }
    list
}

fn violate(list: &mut Vec<Violation>, reason: impl Into<String>, detail: impl Into<String>) {
    list.push(Violation { reason: reason.into(), detail: detail.into() });
}

/// Containers of all kinds.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let of = |list: &str| pod["spec"][list].as_array().into_iter().flatten();
    ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(of)
}

/// The names of the containers of which this is true.
fn named(pod: &Value, is: impl Fn(&Value) -> bool) -> Vec<&str> {
    containers(pod).filter(|it| is(it)).map(name).collect()
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap_or_default()
}

fn security(value: &Value) -> &Value {
    &value["securityContext"]
}

/// A word in its number: `container` for one, `containers` for more.
fn counted(word: &str, count: usize) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

fn quoted<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let list: Vec<String> = names.into_iter().map(|it| format!("{:?}", it.as_ref())).collect();
    list.join(", ")
}

/// `container "a"`, `containers "a", "b"`
fn containers_called(names: &[&str]) -> String {
    format!("{} {}", counted("container", names.len()), quoted(names))
}

/// `pod and containers "a", "b"`, or nothing where nobody did it.
fn setters(pod_did: bool, names: &[&str]) -> Option<String> {
    let pod = pod_did.then(|| "pod".to_owned());
    let containers = (!names.is_empty()).then(|| containers_called(names));
    let list: Vec<String> = pod.into_iter().chain(containers).collect();
    (!list.is_empty()).then(|| list.join(" and "))
}

/// What pod and containers say at a place of their security contexts that `is_bad`: who, and which values.
fn bad<'p>(
    pod: &'p Value,
    at: impl Fn(&'p Value) -> &'p Value,
    is_bad: impl Fn(&str) -> bool,
) -> (bool, Vec<&'p str>, BTreeSet<&'p str>) {
    let value = |it: &'p Value| at(security(it)).as_str().filter(|it| is_bad(it));
    let of_pod = value(&pod["spec"]);
    let mut values: BTreeSet<&str> = of_pod.into_iter().collect();
    let mut names = Vec::new();
    for container in containers(pod) {
        if let Some(found) = value(container) {
            names.push(name(container));
            values.insert(found);
        }
    }
    (of_pod.is_some(), names, values)
}

fn is_sound_seccomp(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

/// What says a profile that lets more through than the runtime's own.
fn loose_seccomp(pod: &Value) -> Option<Violation> {
    let (pod_did, names, values) = bad(pod, |it| &it["seccompProfile"]["type"], |it| !is_sound_seccomp(it));
    let who = setters(pod_did, &names)?;
    let detail = format!("{who} must not set securityContext.seccompProfile.type to {}", quoted(values));
    Some(Violation { reason: "seccompProfile".to_owned(), detail })
}

/// Capabilities that containers add beyond those allowed.
fn added_capabilities(pod: &Value, is_allowed: impl Fn(&str) -> bool) -> Option<String> {
    let added = |it: &'_ Value| -> Vec<String> {
        let list = security(it)["capabilities"]["add"].as_array().into_iter().flatten().filter_map(Value::as_str);
        list.filter(|it| !is_allowed(it)).map(str::to_owned).collect()
    };
    let all: BTreeSet<String> = containers(pod).flat_map(added).collect();
    let names = named(pod, |it| !added(it).is_empty());
    (!all.is_empty()).then(|| {
        format!("{} must not include {} in securityContext.capabilities.add", containers_called(&names), quoted(all))
    })
}

/// Whether a pod says that it runs on Windows, where some checks mean nothing (since 1.25).
fn is_for_windows(pod: &Value, policy: &Policy) -> bool {
    policy.is_since(25) && pod["spec"]["os"]["name"] == "windows"
}
