//! Validation of built-in kinds, in upstream's words (spec/kubernetes-api.md 4.1): what a user meets most.
//!
//! Objects come here decoded and defaulted ([`crate::default()`]); wrong JSON types are the decoder's to refuse and are passed over.
//! Particular rules run first; then the table's own (`required`, `enum`, quantities) fill in what nobody has said yet.

mod access;
mod bounds;
mod config;
mod container;
mod cron;
mod field;
mod ingress;
mod job;
mod metadata;
mod network;
mod pod;
mod selector;
mod service;
mod shown;
mod tables;
mod volume;
mod webhook;
mod workload;

use kanon_schema::FieldError;
use serde_json::Value;

use crate::{BuiltinKind, NameRule};
use field::{Errors, Field};

pub use service::service_address_problems;

/// Largest config map or secret, in bytes of its values.
const MAX_DATA: usize = 1024 * 1024;

/// Everything that is wrong with an object; with `old`, also what an update must not change. Empty when it is fine.
pub fn validate(kind: &BuiltinKind, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let root = Field::root(object);
    let mut errors = Errors::new();
    if kind.name_rule != NameRule::None {
        metadata::validate(kind, &root.get("metadata"), &mut errors);
    }
    if let Some(old) = old {
        metadata::update(&root.get("metadata"), &Field::root(old).get("metadata"), &mut errors);
    }
    errors.extend(validate_kind(kind, object, old));
    errors
}

/// The same without what every object's metadata must be: for servers that check it for all kinds alike.
pub fn validate_kind(kind: &BuiltinKind, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let root = Field::root(object);
    let mut errors = Errors::new();
    particular(kind, &root, &mut errors);
    match old {
        Some(old) => update(kind, &root, &Field::root(old), &mut errors),
        None if kind.gvk.kind == "Ingress" => ingress::create(&root, &mut errors),
        None => {}
    }
    tables::validate(kind, object, &mut errors);
    errors
}

fn particular(kind: &BuiltinKind, root: &Field<'_>, errors: &mut Errors) {
    let spec = &root.get("spec");
    match (kind.gvk.group.as_str(), kind.gvk.kind.as_str()) {
        ("", "Pod") => pod::pod(spec, errors),
        ("", "PodTemplate") => pod::template(&root.get("template"), pod::Owner::Any, errors),
        ("", "Service") => service::service(spec, errors),
        ("", "ConfigMap") => config::config_map(root, errors),
        ("", "Secret") => config::secret(root, errors),
        ("", "Event") => config::event(root, errors),
        ("", "ReplicationController") => workload::replication_controller(spec, errors),
        ("", "ResourceQuota") => bounds::quota(root, errors),
        ("", "LimitRange") => bounds::limit_range(spec, errors),
        ("", "PersistentVolumeClaim") => volume::claim(spec, errors),
        ("", "PersistentVolume") => volume::persistent(spec, errors),
        ("apps", "Deployment") => workload::deployment(spec, errors),
        ("apps", "ReplicaSet") => workload::set(spec, "deployment", pod::Owner::Keeper("ReplicaSet"), errors),
        ("apps", "DaemonSet") => workload::daemon_set(spec, errors),
        ("apps", "StatefulSet") => workload::stateful_set(spec, errors),
        ("batch", "Job") => job::job(spec, errors),
        ("batch", "CronJob") => job::cron_job(root, errors),
        ("networking.k8s.io", "NetworkPolicy") => network::policy(spec, errors),
        ("networking.k8s.io", "Ingress") => ingress::ingress(root, errors),
        ("policy", "PodDisruptionBudget") => config::budget(spec, errors),
        ("autoscaling", "HorizontalPodAutoscaler") => config::autoscaler(spec, errors),
        ("scheduling.k8s.io", "PriorityClass") => config::priority_class(root, errors),
        ("coordination.k8s.io", "Lease") => config::lease(spec, errors),
        ("rbac.authorization.k8s.io", "Role") => access::rules(&root.get("rules"), true, errors),
        ("rbac.authorization.k8s.io", "ClusterRole") => access::cluster_role(root, errors),
        ("rbac.authorization.k8s.io", "RoleBinding") => access::binding(root, &["ClusterRole", "Role"], errors),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => access::binding(root, &["ClusterRole"], errors),
        ("authorization.k8s.io", kind) => access::review(kind, root, errors),
        ("admissionregistration.k8s.io", _) => webhook::webhooks(&root.get("webhooks"), errors),
        _ => {}
    }
}

fn update(kind: &BuiltinKind, root: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    let (spec, old_spec) = (&root.get("spec"), &old.get("spec"));
    match (kind.gvk.group.as_str(), kind.gvk.kind.as_str()) {
        ("", "Pod") => pod::update(spec, old_spec, errors),
        ("", "Service") => service::update(spec, old_spec, errors),
        ("", "ConfigMap") => config::immutable(root, old, &["data", "binaryData"], errors),
        ("", "Secret") => {
            root.get("type").unchanged(&old.get("type"), errors);
            config::immutable(root, old, &["data"], errors);
        }
        ("", "PersistentVolumeClaim") => volume::claim_update(spec, old_spec, errors),
        ("", "ResourceQuota") => bounds::quota_update(spec, old_spec, errors),
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet") => {
            let selector = spec.get("selector");
            if selector.value() != old_spec.get("selector").value() {
                selector.invalid_shown(errors, shown::label_selector(selector.value()), "field is immutable");
            }
        }
        ("apps", "StatefulSet") => workload::stateful_set_update(spec, old_spec, errors),
        ("apps", "ControllerRevision") => root.get("data").unchanged(&old.get("data"), errors),
        ("batch", "Job") => job::job_update(spec, old_spec, errors),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            let role = root.get("roleRef");
            if role.value() != old.get("roleRef").value() {
                role.invalid_shown(errors, shown::role_ref(role.value()), "cannot change roleRef");
            }
        }
        ("scheduling.k8s.io", "PriorityClass") => config::priority_class_update(root, old, errors),
        ("storage.k8s.io", "StorageClass") => config::storage_class_update(root, old, errors),
        ("discovery.k8s.io", "EndpointSlice") => root.get("addressType").unchanged(&old.get("addressType"), errors),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
