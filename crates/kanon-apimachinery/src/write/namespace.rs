//! What is special about namespaces: their first state, their two sets of finalizers, and what may be made in them.

use kanon_store::{Key, Memory};
use serde_json::{Value, json};

use crate::{
    meta,
    resource::Resource,
    status::{ApiError, Result},
};

/// Namespaces that stay (spec 4.1).
pub const UNDELETABLE: [&str; 3] = ["default", "kube-system", "kube-public"];

/// The label by which selectors find a namespace: its name. A default, so that it comes back when somebody takes it away.
pub(crate) fn label(object: &mut Value) {
    let name = meta::text(object, "name").to_owned();
    if name.is_empty() {
        return;
    }
    let labels = meta::meta_mut(object).entry("labels").or_insert_with(|| json!({}));
    if let Value::Object(labels) = labels {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    }
}

/// Phase and finalizer of a new namespace.
pub(super) fn initialize(resource: &Resource, object: &mut Value) {
    if !resource.is_core("Namespace") {
        return;
    }
    label(object);
    object["status"] = json!({"phase": "Active"});
    if !object["spec"].is_object() {
        object["spec"] = json!({});
    }
    let finalizers = &mut object["spec"]["finalizers"];
    match finalizers.as_array_mut() {
        Some(list) if list.iter().any(|it| it == "kubernetes") => {}
        Some(list) => list.push("kubernetes".into()),
        None => *finalizers = json!(["kubernetes"]),
    }
}

/// Whether a namespace still has `spec.finalizers`.
pub(super) fn is_held(resource: &Resource, object: &Value) -> bool {
    resource.is_core("Namespace") && object["spec"]["finalizers"].as_array().is_some_and(|it| !it.is_empty())
}

/// Refuses a new object whose namespace is absent or being deleted. Call it before admission of every create.
///
/// # Errors
/// 404 for an absent namespace, 403 for a terminating one.
pub fn check(memory: &Memory, resource: &Resource, namespace: &str, name: &str) -> Result<()> {
    // Reviews are not stored and may name any namespace.
    if !resource.is_namespaced() || !resource.allows("get") {
        return Ok(());
    }
    let entry = memory.get(&Key::new("core/namespaces", "", namespace));
    let Some(entry) = entry else { return Err(ApiError::namespace_not_found(namespace)) };
    if meta::is_object_deleting(&entry.object) {
        return Err(ApiError::namespace_terminating(&resource.group_resource(), name, namespace));
    }
    Ok(())
}
