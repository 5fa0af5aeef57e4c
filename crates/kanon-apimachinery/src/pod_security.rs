//! Pod Security: the standards that a namespace's labels `pod-security.kubernetes.io/*` name, and what a write is told of them
//! (upstream: the admission plug-in `PodSecurity`; <https://kubernetes.io/docs/concepts/security/pod-security-standards/>). Judged
//! before validating webhooks, as upstream's order has it.
//!
//! Pods are refused, warned of and noted for the audit; what makes pods is warned of and noted; a namespace that begins to enforce
//! is told which of its pods would not pass. What the levels forbid is `standards`'s.

mod policy;
mod standards;

use std::{collections::BTreeMap, sync::Arc};

use kanon_core::Operation;
use kanon_store::{Entry, Key};
use serde_json::Value;

use crate::{
    meta,
    status::{ApiError, Result},
    write::{Context, Finished, Part},
};
use policy::{Level, Policies, Policy};
use standards::{Violation, violations};

/// Most pods of a namespace that are looked at when it begins to enforce.
const PODS_MAX: usize = 3000;

/// What is said besides the answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// For `Warning` headers.
    pub warnings: Vec<String>,
    /// For the audit log, with their whole keys.
    pub annotations: BTreeMap<String, String>,
}

impl Notes {
    fn annotate(&mut self, key: &str, text: String) {
        self.annotations.insert(format!("{}{key}", policy::PREFIX), text);
    }
}

/// Looks into the store, each time for as long as it takes to find what is asked for: pods are judged without holding it.
pub trait Look {
    /// What stands under a key.
    fn get(&self, key: &Key) -> Option<Arc<Entry>>;
    /// All whose keys begin so.
    fn list(&self, prefix: &str) -> Vec<Arc<Entry>>;
}

/// What a write is to this plug-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Namespace,
    Pod,
    /// What makes pods of a template, and the way to it.
    Template(&'static [&'static str]),
}

impl Subject {
    fn of(ctx: &Context<'_>, part: Part) -> Option<Subject> {
        const TEMPLATE: &[&str] = &["spec", "template"];
        let resource = ctx.resource;
        if part == Part::EphemeralContainers {
            return Some(Subject::Pod);
        }
        if part != Part::Object || resource.builtin_kind().is_none() {
            return None;
        }
        Some(match (resource.gvk.group.as_str(), resource.gvk.kind.as_str()) {
            ("", "Namespace") => Subject::Namespace,
            ("", "Pod") => Subject::Pod,
            ("", "PodTemplate") => Subject::Template(&["template"]),
            ("", "ReplicationController")
            | ("apps", "ReplicaSet" | "Deployment" | "StatefulSet" | "DaemonSet")
            | ("batch", "Job") => Subject::Template(TEMPLATE),
            ("batch", "CronJob") => Subject::Template(&["spec", "jobTemplate", "spec", "template"]),
            _ => return None,
        })
    }
}

/// Judges a finished write. The notes count also where it is refused.
pub fn judge(store: &impl Look, ctx: &Context<'_>, operation: Operation, finished: &Finished) -> (Notes, Result<()>) {
    let mut notes = Notes::default();
    let Some(subject) = Subject::of(ctx, finished.part) else { return (notes, Ok(())) };
    let (object, old) = (&finished.object, finished.old_object.as_ref());
    let verdict = match subject {
        Subject::Namespace => namespace(store, ctx, object, old.filter(|_| operation == Operation::Update), &mut notes),
        Subject::Pod if old.is_some_and(|old| operation == Operation::Update && !is_significant(object, old)) => Ok(()),
        Subject::Pod => pod(store, ctx, object, true, &mut notes),
        Subject::Template(path) => {
            let template = path.iter().fold(object, |it, name| &it[*name]);
            match template.is_object() {
                true => pod(store, ctx, template, false, &mut notes),
                false => Ok(()),
            }
        }
    };
    (notes, verdict)
}

/// A pod, or the template of pods, which is never refused.
fn pod(store: &impl Look, ctx: &Context<'_>, pod: &Value, enforce: bool, notes: &mut Notes) -> Result<()> {
    let namespace = store.get(&Key::new("core/namespaces", "", ctx.address.object_namespace()));
    let labels = namespace.as_ref().and_then(|it| it.object.at(&["metadata", "labels"]));
    let Some(policies) = labels.and_then(Policies::of) else { return Ok(()) };
    if !policies.errors.is_empty() {
        let list: Vec<String> = policies.errors.iter().map(ToString::to_string).collect();
        notes.annotate("error", format!("Failed to parse policy: {}", list.join(", ")));
    }
    if enforce {
        notes.annotate("enforce-policy", policies.enforce.to_string());
    }
    let told = |policy: &Policy| told(&violations(pod, policy));
    if let Some(what) = told(&policies.audit) {
        notes.annotate(
            "audit-violations",
            format!("would violate PodSecurity {:?}: {what}", policies.audit.to_string()),
        );
    }
    if let Some(what) = told(&policies.enforce).filter(|_| enforce) {
        let why = format!("violates PodSecurity {:?}: {what}", policies.enforce.to_string());
        return Err(ApiError::forbidden(&ctx.resource.group_resource(), meta::text(pod, "name"), &why));
    }
    if let Some(what) = told(&policies.warn) {
        notes.warnings.push(format!("would violate PodSecurity {:?}: {what}", policies.warn.to_string()));
    }
    Ok(())
}

fn told(violations: &[Violation]) -> Option<String> {
    let list: Vec<String> = violations.iter().map(|it| format!("{} ({})", it.reason, it.detail)).collect();
    (!list.is_empty()).then(|| list.join(", "))
}

/// The labels of a namespace, and what they mean for the pods that are there.
fn namespace(store: &impl Look, ctx: &Context<'_>, new: &Value, old: Option<&Value>, notes: &mut Notes) -> Result<()> {
    let of = |namespace: &Value| {
        let object = kanon_core::Object::from_value(&namespace["metadata"]["labels"]);
        Policies::of(object.root()).unwrap_or_default()
    };
    let policies = of(new);
    let before = old.map(of);
    // Who does not touch wrong labels is not held up by them.
    if !policies.errors.is_empty() && before.as_ref().is_none_or(|it| it.errors != policies.errors) {
        return Err(ApiError::invalid(&ctx.resource.gvk, meta::text(new, "name"), policies.errors));
    }
    let Some(before) = before else { return Ok(()) };
    let (enforce, was) = (policies.enforce, before.enforce);
    let is_stricter = enforce.version != was.version || enforce.level > was.level;
    if enforce != was && enforce.level != Level::Privileged && is_stricter {
        notes.warnings = existing(store, meta::text(new, "name"), &enforce);
    }
    Ok(())
}

/// Which pods of a namespace do not pass: by what they violate, with the first pod's name.
fn existing(store: &impl Look, namespace: &str, policy: &Policy) -> Vec<String> {
    let pods = store.list(&["core/pods/", namespace, "/"].concat());
    // By reasons, in the order of names; the first and how many more.
    let mut found: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for pod in pods.iter().take(PODS_MAX) {
        let violations = violations(&pod.object.to_value(), policy);
        if violations.is_empty() {
            continue;
        }
        let reasons: Vec<&str> = violations.iter().map(|it| it.reason.as_str()).collect();
        let name = pod.object.str_at(&["metadata", "name"]);
        found.entry(reasons.join(", ")).and_modify(|it| it.1 += 1).or_insert_with(|| (name.to_owned(), 0));
    }
    let mut warnings = Vec::new();
    if pods.len() > PODS_MAX {
        let all = pods.len();
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {PODS_MAX} of {all} existing pods"
        ));
    }
    if !found.is_empty() {
        let policy = policy.to_string();
        warnings.push(format!(
            "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level {policy:?}"
        ));
    }
    let mut pods: Vec<String> = found
        .into_iter()
        .map(|(reasons, (name, more))| match more {
            0 => format!("{name}: {reasons}"),
            1 => format!("{name} (and 1 other pod): {reasons}"),
            more => format!("{name} (and {more} other pods): {reasons}"),
        })
        .collect();
    pods.sort();
    warnings.extend(pods);
    warnings
}

/// Whether an update may change how a pod stands to the standards: other images, or more containers. Little else of a pod changes.
fn is_significant(pod: &Value, old: &Value) -> bool {
    let images = |pod: &Value| -> Vec<(Value, Value)> {
        let of = |list: &str| {
            pod["spec"][list]
                .as_array()
                .into_iter()
                .flatten()
                .map(|it| (it["name"].clone(), it["image"].clone()))
                .collect::<Vec<_>>()
        };
        ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(of).collect()
    };
    images(pod) != images(old)
}

#[cfg(test)]
mod tests;
