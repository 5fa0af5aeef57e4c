//! Defaults of built-in kinds: what a server fills in before admission sees an object, and how it writes values down.
//!
//! Two steps. First the table's part ([`normal`]): absent structs and required scalars become their empty value, nulls and
//! empty optional members go, quantities get their canonical spelling. Then what is particular to a kind.

mod normal;
mod pod;
mod policy;
mod service;
mod workload;

use kanon_core::GroupVersionKind;
use serde_json::{Map, Value, json};

use crate::{BuiltinKind, resources::type_of, table};
pub use pod::quality_of_service;

/// Fills in what a server fills in for `kind`. Running it again changes nothing. Server-made values (uid, IPs, namespace
/// phase and finalizers) are not defaults; those of a kind that need no other object are in [`prepare_create`].
pub fn default(kind: &BuiltinKind, object: &mut Value) {
    normal::normalize(table::tables(), kind.id, object);
    particular(&kind.gvk, object);
}

/// The same for bodies that are not stored: `TokenRequest`, `Scale`, `Eviction`, …. Unknown types are left as they are.
pub fn default_body(gvk: &GroupVersionKind, object: &mut Value) {
    if let Some(id) = type_of(gvk) {
        normal::normalize(table::tables(), id, object);
        particular(gvk, object);
    }
}

/// What the server adds to a new object of `kind` from the object itself, once `metadata.uid` is stamped: a pod's phase and
/// quality of service, both forms of a service's address, a job's selector and labels, the phase of volumes and claims.
pub fn prepare_create(kind: &BuiltinKind, object: &mut Value) {
    match (kind.gvk.group.as_str(), kind.gvk.kind.as_str()) {
        ("", "Pod") => pod::initial_status(object),
        ("", "Service") => service::align(object),
        ("batch", "Job") => workload::job_selector(object),
        ("", "PersistentVolume" | "PersistentVolumeClaim") => {
            let status = member(object, "status");
            *status = json!({"phase": "Pending"});
        }
        _ => {}
    }
}

/// What the server makes of a changed object by the old one: addresses and node ports of services stay, or go with their type.
pub fn prepare_update(kind: &BuiltinKind, object: &mut Value, old: &Value) {
    if kind.gvk.group.is_empty() && kind.gvk.kind == "Service" {
        service::prepare_update(object, old);
    }
}

fn particular(gvk: &GroupVersionKind, object: &mut Value) {
    let Value::Object(members) = object else { return };
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Secret") => secret(members),
        ("authentication.k8s.io", "TokenRequest") => with_spec(members, |spec| absent(spec, "expirationSeconds", 3600)),
        ("", "LimitRange") => with_spec(members, policy::limit_range),
        ("", "Pod") => with_spec(members, pod::pod),
        ("", "PodTemplate") => pod::template(members),
        ("", "Service") => with_spec(members, policy::service),
        ("", "Endpoints") => {
            each(members, "subsets", |subset| each(subset, "ports", |port| absent(port, "protocol", "TCP")))
        }
        ("", "PersistentVolume") => with_spec(members, |spec| {
            absent(spec, "persistentVolumeReclaimPolicy", "Retain");
            absent(spec, "volumeMode", "Filesystem");
            with(spec, "hostPath", |it| keep(it, "type", ""));
        }),
        ("", "PersistentVolumeClaim") => with_spec(members, |spec| absent(spec, "volumeMode", "Filesystem")),
        ("", "ReplicationController") => workload::replication_controller(members),
        ("apps", kind) => with_spec(members, |spec| workload::apps(kind, spec)),
        ("batch", "Job") => workload::job(members),
        ("batch", "CronJob") => with_spec(members, workload::cron_job),
        ("autoscaling", "HorizontalPodAutoscaler") if gvk.version == "v1" => {
            with_spec(members, |spec| keep(spec, "minReplicas", 1));
        }
        ("autoscaling", "HorizontalPodAutoscaler") => with_spec(members, policy::autoscaler),
        ("networking.k8s.io", "NetworkPolicy") => with_spec(members, policy::network_policy),
        ("networking.k8s.io", "IngressClass") => {
            with_spec(members, |spec| with(spec, "parameters", |it| absent(it, "scope", "Cluster")));
        }
        ("discovery.k8s.io", "EndpointSlice") => each(members, "ports", |port| {
            keep(port, "name", "");
            absent(port, "protocol", "TCP");
        }),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => policy::binding(members),
        ("storage.k8s.io", "StorageClass") => {
            absent(members, "reclaimPolicy", "Delete");
            absent(members, "volumeBindingMode", "Immediate");
        }
        ("scheduling.k8s.io", "PriorityClass") => absent(members, "preemptionPolicy", "PreemptLowerPriority"),
        ("admissionregistration.k8s.io", kind) => {
            let mutating = kind == "MutatingWebhookConfiguration";
            each(members, "webhooks", |webhook| policy::webhook(mutating, webhook));
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => with_spec(members, policy::crd),
        _ => {}
    }
}

/// `stringData` is written into `data`, as clients send it but nobody reads it back.
fn secret(members: &mut Map<String, Value>) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    absent(members, "type", "Opaque");
    if let Some(Value::Object(plain)) = members.remove("stringData") {
        let data = members.entry("data").or_insert_with(|| json!({}));
        for (key, text) in plain {
            if let (Value::Object(data), Some(text)) = (&mut *data, text.as_str()) {
                data.insert(key, STANDARD.encode(text).into());
            }
        }
    }
}

/// Sets a member that is absent, null or an empty string: the three are the same where Go has a plain string.
fn absent(members: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if matches!(members.get(name), None | Some(Value::Null)) || members.get(name).and_then(Value::as_str) == Some("") {
        members.insert(name.to_owned(), value.into());
    }
}

/// Sets a number that is absent, null or zero: where zero means "not said".
fn nonzero(members: &mut Map<String, Value>, name: &str, value: i64) {
    if matches!(members.get(name), None | Some(Value::Null)) || members.get(name).and_then(Value::as_i64) == Some(0) {
        members.insert(name.to_owned(), value.into());
    }
}

/// Sets a member that is absent or null; an empty string stays.
fn keep(members: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if matches!(members.get(name), None | Some(Value::Null)) {
        members.insert(name.to_owned(), value.into());
    }
}

fn with(members: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    if let Some(Value::Object(inner)) = members.get_mut(name) {
        change(inner);
    }
}

fn with_spec(members: &mut Map<String, Value>, change: impl FnOnce(&mut Map<String, Value>)) {
    with(members, "spec", change);
}

fn each(members: &mut Map<String, Value>, name: &str, mut change: impl FnMut(&mut Map<String, Value>)) {
    let list = members.get_mut(name).and_then(Value::as_array_mut);
    for element in list.into_iter().flatten() {
        if let Value::Object(element) = element {
            change(element);
        }
    }
}

/// The member object called `name`, made where absent; a scratch value where `object` is no object.
fn member<'a>(object: &'a mut Value, name: &str) -> &'a mut Value {
    if !object.is_object() {
        *object = json!({});
    }
    &mut object[name]
}

#[cfg(test)]
mod tests;
