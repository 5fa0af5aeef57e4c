//! Defaults of the kinds that make pods: apps, batch, replication controllers.

use serde_json::{Map, Value, json};

use super::{absent, each, keep, member, pod, with};

pub(super) fn apps(kind: &str, spec: &mut Map<String, Value>) {
    match kind {
        "Deployment" => deployment(spec),
        "ReplicaSet" => keep(spec, "replicas", 1),
        "StatefulSet" => stateful_set(spec),
        "DaemonSet" => {
            keep(spec, "revisionHistoryLimit", 10);
            keep(spec, "updateStrategy", json!({}));
            with(spec, "updateStrategy", |strategy| {
                rolling(strategy, "RollingUpdate", &[("maxUnavailable", json!(1)), ("maxSurge", json!(0))]);
            });
        }
        _ => {}
    }
    pod::template(spec);
}

fn deployment(spec: &mut Map<String, Value>) {
    keep(spec, "replicas", 1);
    keep(spec, "revisionHistoryLimit", 10);
    keep(spec, "progressDeadlineSeconds", 600);
    keep(spec, "strategy", json!({}));
    with(spec, "strategy", |strategy| {
        rolling(strategy, "RollingUpdate", &[("maxUnavailable", json!("25%")), ("maxSurge", json!("25%"))]);
    });
}

fn stateful_set(spec: &mut Map<String, Value>) {
    keep(spec, "replicas", 1);
    keep(spec, "revisionHistoryLimit", 10);
    absent(spec, "podManagementPolicy", "OrderedReady");
    keep(spec, "updateStrategy", json!({}));
    with(spec, "updateStrategy", |strategy| rolling(strategy, "RollingUpdate", &[("partition", json!(0))]));
    keep(spec, "persistentVolumeClaimRetentionPolicy", json!({}));
    with(spec, "persistentVolumeClaimRetentionPolicy", |policy| {
        absent(policy, "whenDeleted", "Retain");
        absent(policy, "whenScaled", "Retain");
    });
    each(spec, "volumeClaimTemplates", |claim| {
        absent(claim, "apiVersion", "v1");
        absent(claim, "kind", "PersistentVolumeClaim");
        with(claim, "spec", |spec| absent(spec, "volumeMode", "Filesystem"));
        keep(claim, "status", json!({}));
        with(claim, "status", |status| absent(status, "phase", "Pending"));
    });
}

/// The type of an update strategy and, for rolling updates, its figures.
fn rolling(strategy: &mut Map<String, Value>, kind: &str, figures: &[(&str, Value)]) {
    absent(strategy, "type", kind);
    if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
        keep(strategy, "rollingUpdate", json!({}));
        with(strategy, "rollingUpdate", |it| {
            for (name, figure) in figures {
                keep(it, name, figure.clone());
            }
        });
    }
}

/// Selector and labels are those of the template where not said.
pub(super) fn replication_controller(members: &mut Map<String, Value>) {
    let labels = template_labels(members);
    with(members, "spec", |spec| {
        keep(spec, "replicas", 1);
        if let Some(labels) = labels.clone() {
            keep(spec, "selector", labels);
        }
        pod::template(spec);
    });
    inherit_labels(members, labels);
}

pub(super) fn job(members: &mut Map<String, Value>) {
    let labels = template_labels(members);
    with(members, "spec", |spec| {
        if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
            keep(spec, "completions", 1);
        }
        keep(spec, "parallelism", 1);
        // With a limit per index the overall limit only caps.
        let backoff = if spec.contains_key("backoffLimitPerIndex") { i64::from(i32::MAX) } else { 6 };
        keep(spec, "backoffLimit", backoff);
        absent(spec, "completionMode", "NonIndexed");
        keep(spec, "suspend", false);
        let replace = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
        absent(spec, "podReplacementPolicy", replace);
        with(spec, "podFailurePolicy", |policy| {
            each(policy, "rules", |rule| each(rule, "onPodConditions", |it| absent(it, "status", "True")));
        });
        pod::template(spec);
    });
    inherit_labels(members, labels);
}

pub(super) fn cron_job(spec: &mut Map<String, Value>) {
    absent(spec, "concurrencyPolicy", "Allow");
    keep(spec, "suspend", false);
    keep(spec, "successfulJobsHistoryLimit", 3);
    keep(spec, "failedJobsHistoryLimit", 1);
    with(spec, "jobTemplate", |it| with(it, "spec", pod::template));
}

fn template_labels(members: &Map<String, Value>) -> Option<Value> {
    let labels = &members.get("spec")?.get("template")?.get("metadata")?.get("labels")?;
    labels.as_object().filter(|it| !it.is_empty()).map(|it| Value::Object(it.clone()))
}

fn inherit_labels(members: &mut Map<String, Value>, labels: Option<Value>) {
    if let Some(labels) = labels {
        with(members, "metadata", |metadata| keep(metadata, "labels", labels));
    }
}

/// A job that does not bring its own selector selects pods by its uid, and marks them.
pub(super) fn job_selector(job: &mut Value) {
    if job["spec"]["manualSelector"] == Value::Bool(true) {
        return;
    }
    let (uid, name) = (job["metadata"]["uid"].clone(), job["metadata"]["name"].clone());
    let spec = member(job, "spec");
    *member(spec, "selector") = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    let labels = ["template", "metadata", "labels"].iter().fold(spec, |at, name| member(at, name));
    for prefix in ["", "batch.kubernetes.io/"] {
        *member(labels, &format!("{prefix}controller-uid")) = uid.clone();
        *member(labels, &format!("{prefix}job-name")) = name.clone();
    }
}
