//! Defaults of pods and pod templates.

use serde_json::{Map, Value, json};

use super::{absent, each, keep, member, nonzero, with};
use crate::quantity;

/// Mode of files that volumes project: 0644.
const FILE_MODE: i64 = 0o644;

/// What only pods get, not templates.
pub(super) fn pod(spec: &mut Map<String, Value>) {
    keep(spec, "enableServiceLinks", true);
    pod_spec(spec);
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for list in ["containers", "initContainers"] {
        each(spec, list, |container| {
            requests_from_limits(container);
            if host_network {
                each(container, "ports", |port| {
                    let number = port.get("containerPort").and_then(Value::as_i64).unwrap_or_default();
                    nonzero(port, "hostPort", number);
                });
            }
        });
    }
}

/// A `template` member: a `PodTemplateSpec`.
pub(super) fn template(members: &mut Map<String, Value>) {
    with(members, "template", |template| with(template, "spec", pod_spec));
}

fn pod_spec(spec: &mut Map<String, Value>) {
    absent(spec, "dnsPolicy", "ClusterFirst");
    absent(spec, "restartPolicy", "Always");
    absent(spec, "schedulerName", "default-scheduler");
    keep(spec, "securityContext", json!({}));
    keep(spec, "terminationGracePeriodSeconds", 30);
    mirror(spec, "serviceAccountName", "serviceAccount");
    mirror(spec, "serviceAccount", "serviceAccountName");
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        each(spec, list, container);
    }
    each(spec, "volumes", volume);
}

/// The two names of the service account say the same.
fn mirror(spec: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(name) = spec.get(from).filter(|it| it.as_str().is_some_and(|it| !it.is_empty())).cloned() {
        absent(spec, to, name);
    }
}

fn container(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
    absent(container, "imagePullPolicy", policy);
    absent(container, "terminationMessagePath", "/dev/termination-log");
    absent(container, "terminationMessagePolicy", "File");
    each(container, "ports", |port| absent(port, "protocol", "TCP"));
    each(container, "env", |env| with(env, "valueFrom", field_ref));
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        with(container, probe, |probe| {
            nonzero(probe, "timeoutSeconds", 1);
            nonzero(probe, "periodSeconds", 10);
            nonzero(probe, "successThreshold", 1);
            nonzero(probe, "failureThreshold", 3);
            with(probe, "grpc", |grpc| keep(grpc, "service", ""));
            http_get(probe);
        });
    }
    with(container, "lifecycle", |lifecycle| {
        with(lifecycle, "postStart", http_get);
        with(lifecycle, "preStop", http_get);
    });
}

/// Whether an image reference means the moving tag: no digest, and no tag or `latest`.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn http_get(handler: &mut Map<String, Value>) {
    with(handler, "httpGet", |get| {
        absent(get, "path", "/");
        absent(get, "scheme", "HTTP");
    });
}

fn field_ref(source: &mut Map<String, Value>) {
    with(source, "fieldRef", |it| absent(it, "apiVersion", "v1"));
}

fn volume(volume: &mut Map<String, Value>) {
    if volume.keys().all(|it| it == "name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        with(volume, source, |it| keep(it, "defaultMode", FILE_MODE));
    }
    with(volume, "hostPath", |it| keep(it, "type", ""));
    with(volume, "downwardAPI", |it| each(it, "items", field_ref));
    with(volume, "projected", |it| {
        each(it, "sources", |source| {
            with(source, "serviceAccountToken", |token| keep(token, "expirationSeconds", 3600));
            with(source, "downwardAPI", |it| each(it, "items", field_ref));
        });
    });
    with(volume, "ephemeral", |it| {
        with(it, "volumeClaimTemplate", |claim| with(claim, "spec", |spec| absent(spec, "volumeMode", "Filesystem")));
    });
}

/// A limit without a request is the request too.
fn requests_from_limits(container: &mut Map<String, Value>) {
    with(container, "resources", |resources| {
        let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
        if let Value::Object(requests) = resources.entry("requests").or_insert_with(|| json!({})) {
            for (name, amount) in limits {
                requests.entry(name).or_insert(amount);
            }
        }
    });
}

/// A new pod is pending; its quality of service follows from its resources.
pub(super) fn initial_status(pod: &mut Value) {
    let class = quality_of_service(pod);
    *member(pod, "status") = json!({"phase": "Pending", "qosClass": class});
}

/// `Guaranteed`: cpu and memory limits everywhere, equal to the requests; `BestEffort`: neither anywhere; else `Burstable`.
pub fn quality_of_service(pod: &Value) -> &'static str {
    let lists = ["containers", "initContainers"].map(|it| pod["spec"][it].as_array());
    let mut any = false;
    let mut all = true;
    for container in lists.into_iter().flatten().flatten() {
        for resource in ["cpu", "memory"] {
            let amount = |list: &str| {
                let amount = container["resources"][list].get(resource);
                // Nothing of something is as good as nothing said.
                amount.filter(|it| quantity::parse(it).is_some_and(|it| it.nanos() > 0))
            };
            let (limit, request) = (amount("limits"), amount("requests"));
            any |= limit.is_some() || request.is_some();
            all &= limit.is_some() && limit == request;
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
