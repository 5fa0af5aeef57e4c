//! A deleted CustomResourceDefinition takes its objects with it (spec/kubernetes-api.md 4.8).

use std::sync::Arc;

use kanon_store::{Entry, Memory};
use serde_json::{Value, json};

use super::{Intent, builtin, editable, entries};
use crate::{
    crd::{self, CLEANUP_FINALIZER},
    meta,
    request::DeleteOptions,
    resource::Registry,
};

/// Decides about one definition. Ask after its own changes and, while it terminates, after those of its objects.
///
/// Objects go first; when none is left (theirs may have finalizers) the definition's own finalizer does.
pub fn definition(registry: &Registry, memory: &Memory, entry: &Arc<Entry>) -> Vec<Intent> {
    let Some(definitions) = builtin(registry, "apiextensions.k8s.io", "customresourcedefinitions") else {
        return Vec::new();
    };
    let mut crd = editable(definitions, entry);
    let held = meta::finalizers(&crd).any(|it| it == CLEANUP_FINALIZER);
    if !meta::is_deleting(&crd) || !held {
        return Vec::new();
    }
    // One that was never served has no resources, and no objects either.
    let resource = crd::resources(&crd, None).into_iter().next();
    let found = resource.as_ref().map(|it| entries(memory, &it.list_prefix(""))).unwrap_or_default();
    if let (Some(resource), false) = (&resource, found.is_empty()) {
        let fresh = found.iter().filter(|it| !meta::is_object_deleting(&it.object));
        return fresh.map(|it| Intent::delete(resource, it, DeleteOptions::default())).collect();
    }
    let rest: Vec<Value> = meta::finalizers(&crd).filter(|it| *it != CLEANUP_FINALIZER).map(Value::from).collect();
    meta::set(&mut crd, "finalizers", (!rest.is_empty()).then(|| json!(rest)));
    vec![Intent::update(definitions, "", crd)]
}
