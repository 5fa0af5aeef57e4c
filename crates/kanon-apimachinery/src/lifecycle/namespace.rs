//! What every namespace has, and how one ends (spec/kubernetes-api.md 4.7, 4.13).

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kanon_store::{Entry, Memory};
use serde_json::{Value, json};

use super::{Intent, builtin, editable, entries};
use crate::{
    meta,
    request::DeleteOptions,
    resource::{Registry, Resource},
};

/// The ConfigMap in each namespace with the certificate that the server's own is signed with.
pub const ROOT_CA: &str = "kube-root-ca.crt";

/// What a namespace that ends still holds.
type Content<'r> = Vec<(&'r Arc<Resource>, Vec<Arc<Entry>>)>;

/// Decides about one namespace. Ask after its own changes, after changes of its ServiceAccount `default` and ConfigMap
/// [`ROOT_CA`], and, while it terminates, after those of its content. `ca` is the certificate, PEM.
///
/// A live namespace gets those two objects. One that ends loses its pods first, then the rest; what is left is told in its
/// conditions; when nothing is left, its finalizer goes by way of `/finalize`, and with it the namespace.
pub fn namespace(registry: &Registry, memory: &Memory, entry: &Arc<Entry>, ca: &str, now: Timestamp) -> Vec<Intent> {
    let Some(resource) = builtin(registry, "", "namespaces") else { return Vec::new() };
    let object = editable(resource, entry);
    if !meta::is_deleting(&object) {
        return equip(registry, memory, meta::text(&object, "name"), ca);
    }
    if object["spec"]["finalizers"].as_array().is_none_or(|it| it.iter().all(|it| it != "kubernetes")) {
        return Vec::new();
    }
    let content = content(registry, memory, meta::text(&object, "name"));
    if content.is_empty() {
        return vec![release(resource, object)];
    }
    let mut intents = empty(&content);
    // What was marked before and is still there waits for somebody: that is worth telling.
    if content.iter().flat_map(|(_, list)| list).any(|it| meta::is_object_deleting(&it.object)) {
        intents.extend(report(resource, object, &content, now));
    }
    intents
}

/// The objects that every namespace has.
fn equip(registry: &Registry, memory: &Memory, namespace: &str, ca: &str) -> Vec<Intent> {
    let mut intents = Vec::new();
    if let Some(accounts) = builtin(registry, "", "serviceaccounts")
        && memory.get(&accounts.key(namespace, "default")).is_none()
    {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace}});
        intents.push(Intent::create(accounts, namespace, account));
    }
    let Some(maps) = builtin(registry, "", "configmaps") else { return intents };
    match memory.get(&maps.key(namespace, ROOT_CA)) {
        None => intents.push(Intent::create(maps, namespace, root_ca(namespace, ca))),
        Some(entry) => {
            let mut map = editable(maps, &entry);
            let wanted = json!({"ca.crt": ca});
            if map["data"] != wanted && !meta::is_deleting(&map) {
                map["data"] = wanted;
                intents.push(Intent::update(maps, "", map));
            }
        }
    }
    intents
}

fn root_ca(namespace: &str, ca: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": ROOT_CA, "namespace": namespace, "annotations": {"kubernetes.io/description":
            "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."}},
        "data": {"ca.crt": ca}})
}

fn content<'r>(registry: &'r Registry, memory: &Memory, namespace: &str) -> Content<'r> {
    let stored = registry.collections().into_values().filter(|it| it.is_namespaced());
    let found = stored.map(|resource| (resource, entries(memory, &resource.list_prefix(namespace))));
    found.filter(|(_, list)| !list.is_empty()).collect()
}

/// Pods go before what they use: a NetworkPolicy, say, must not go while what it holds back still runs.
fn empty(content: &Content<'_>) -> Vec<Intent> {
    let has_pods = content.iter().any(|(resource, _)| resource.is_core("Pod"));
    let mut intents = Vec::new();
    for (resource, list) in content.iter().filter(|(resource, _)| !has_pods || resource.is_core("Pod")) {
        let fresh = list.iter().filter(|it| !meta::is_object_deleting(&it.object));
        intents.extend(fresh.map(|it| Intent::delete(resource, it, DeleteOptions::default())));
    }
    intents
}

/// The namespace without its finalizer.
fn release(resource: &Arc<Resource>, mut object: Value) -> Intent {
    if let Some(list) = object["spec"]["finalizers"].as_array_mut() {
        list.retain(|it| it != "kubernetes");
    }
    Intent::update(resource, "finalize", object)
}

/// The conditions, where they change.
fn report(resource: &Arc<Resource>, mut object: Value, content: &Content<'_>, now: Timestamp) -> Option<Intent> {
    let now = kanon_core::rfc3339(now);
    let before = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let after: Vec<Value> = conditions(content)
        .into_iter()
        .map(|(kind, (status, reason, message))| {
            let old = before.iter().find(|it| it["type"] == kind && it["status"] == status);
            let since = old.and_then(|it| it["lastTransitionTime"].as_str()).unwrap_or(&now);
            json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since})
        })
        .collect();
    if before == after {
        return None;
    }
    object["status"]["conditions"] = json!(after);
    Some(Intent::update(resource, "status", object))
}

/// Status, reason and message of each condition, in upstream's words.
fn conditions(content: &Content<'_>) -> Vec<(&'static str, (&'static str, &'static str, String))> {
    let mut remaining: Vec<String> = Vec::new();
    let mut finalizers: BTreeMap<String, usize> = BTreeMap::new();
    for (resource, list) in content {
        remaining.push(format!("{}.{} has {} resource instances", resource.plural, resource.gvk.group, list.len()));
        for finalizer in
            list.iter().flat_map(|it| it.object.at(&["metadata", "finalizers"])).flat_map(|it| it.elements())
        {
            *finalizers.entry(finalizer.as_str().unwrap_or_default().into_owned()).or_default() += 1;
        }
    }
    remaining.sort();
    let finalizers: Vec<String> =
        finalizers.into_iter().map(|(name, count)| format!("{name} in {count} resource instances")).collect();
    let held = match finalizers.as_slice() {
        [] => ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned()),
        list => {
            let list = list.join(", ");
            ("True", "SomeFinalizersRemain", format!("Some content in the namespace has finalizers remaining: {list}"))
        }
    };
    let fine = |reason, message: &str| ("False", reason, message.to_owned());
    vec![
        ("NamespaceDeletionDiscoveryFailure", fine("ResourcesDiscovered", "All resources successfully discovered")),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            fine("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        (
            "NamespaceDeletionContentFailure",
            fine("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ),
        (
            "NamespaceContentRemaining",
            ("True", "SomeResourcesRemain", format!("Some resources are remaining: {}", remaining.join(", "))),
        ),
        ("NamespaceFinalizersRemaining", held),
    ]
}
