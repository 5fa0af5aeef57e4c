//! CustomResourceDefinitions (spec/kubernetes-api.md 4.8): whether one is fine, what its status says once it is served, and
//! the [`Resource`]s it gives.

mod approval;
mod columns;
mod conversion;
mod deprecation;
mod establish;
mod names;
mod resources;
mod selectable;
mod validate;

use serde_json::{Value, json};

pub use establish::{TakenNames, establish, is_established, is_terminating};
pub use resources::resources;
pub(crate) use validate::validate;

use crate::{meta, resource::Resource};

/// Holds a deleted definition until its objects are gone.
pub const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Whether a resource is that of definitions.
pub(crate) fn is_crd(resource: &Resource) -> bool {
    resource.is("apiextensions.k8s.io", "CustomResourceDefinition")
}

/// The first status of a new definition, and the status of a changed one: every version that was ever stored.
pub(crate) fn note_stored_version(resource: &Resource, object: &mut Value) {
    if !is_crd(resource) {
        return;
    }
    let Some(version) = storage_version(object).map(str::to_owned) else { return };
    let status = &mut object["status"];
    if !status.is_object() {
        *status = json!({"acceptedNames": {"kind": "", "plural": ""}, "conditions": []});
    }
    match status["storedVersions"].as_array_mut() {
        Some(list) if list.iter().any(|it| *it == version.as_str()) => {}
        Some(list) => list.push(version.into()),
        None => status["storedVersions"] = json!([version]),
    }
}

/// What deleting a definition does to it first: its objects have to go before it does.
pub(crate) fn hold(object: &mut Value, now: &str) {
    if !meta::finalizers(object).any(|it| it == CLEANUP_FINALIZER) {
        let mut list: Vec<Value> = meta::finalizers(object).map(Value::from).collect();
        list.push(CLEANUP_FINALIZER.into());
        meta::set(object, "finalizers", Some(json!(list)));
    }
    let condition = json!({"type": "Terminating", "status": "True", "reason": "InstanceDeletionInProgress",
        "message": "CustomResource deletion is in progress", "lastTransitionTime": now});
    establish::set_condition(&mut object["status"], condition);
}

/// The name of the version in which objects are stored.
pub(crate) fn storage_version(crd: &Value) -> Option<&str> {
    versions(crd).find(|it| it["storage"] == true)?["name"].as_str()
}

/// `spec.versions`
fn versions(crd: &Value) -> impl Iterator<Item = &Value> {
    crd["spec"]["versions"].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests;
