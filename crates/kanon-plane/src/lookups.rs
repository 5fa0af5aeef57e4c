//! Objects that decisions look up, besides the one they are about.

use std::{collections::BTreeMap, sync::Arc};

use kanon_core::{Change, GroupVersionKind, Object};

/// Read access to other objects. Bound to a namespace at construction for tenants' policies.
pub trait Lookups: Sync {
    /// One object; `namespace` is empty for cluster-scoped kinds.
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Option<Object>;
    /// All objects of a kind in a namespace, or everywhere when it is empty, in order of namespace and name.
    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> Vec<Object>;
    /// Whether every object of the kind that existed at the start has arrived.
    fn is_synced(&self, kind: &GroupVersionKind) -> bool;
}

/// Knows nothing: for offline checks without a cluster.
pub struct NoLookups;

impl Lookups for NoLookups {
    fn get(&self, _: &GroupVersionKind, _: &str, _: &str) -> Option<Object> {
        None
    }

    fn list(&self, _: &GroupVersionKind, _: &str) -> Vec<Object> {
        Vec::new()
    }

    fn is_synced(&self, _: &GroupVersionKind) -> bool {
        false
    }
}

type ByName = Arc<BTreeMap<String, Object>>;

/// The plane's object store: one snapshot is shared by all readers, and a change copies only the namespace it touches.
#[derive(Clone, Default)]
pub struct ObjectStore {
    kinds: BTreeMap<GroupVersionKind, Arc<BTreeMap<String, ByName>>>,
    synced: Vec<GroupVersionKind>,
}

impl ObjectStore {
    /// Takes one change in.
    pub fn apply(&mut self, kind: &GroupVersionKind, change: Change, object: &Object) {
        let (namespace, name) = (object.str_at(&["metadata", "namespace"]), object.str_at(&["metadata", "name"]));
        let namespaces = Arc::make_mut(self.kinds.entry(kind.clone()).or_default());
        let names = namespaces.entry(namespace.to_owned()).or_default();
        match change {
            Change::Applied => {
                Arc::make_mut(names).insert(name.to_owned(), object.clone());
            }
            Change::Deleted => {
                Arc::make_mut(names).remove(name);
                if names.is_empty() {
                    namespaces.remove(namespace);
                }
            }
        }
    }

    /// Notes that a kind's initial list is complete.
    pub fn synced(&mut self, kind: &GroupVersionKind) {
        if !self.synced.contains(kind) {
            self.synced.push(kind.clone());
        }
    }
}

impl Lookups for ObjectStore {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Option<Object> {
        self.kinds.get(kind)?.get(namespace)?.get(name).cloned()
    }

    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> Vec<Object> {
        let Some(namespaces) = self.kinds.get(kind) else { return Vec::new() };
        let wanted = |it: &&str| namespace.is_empty() || *it == namespace;
        let names = namespaces.iter().filter(|(key, _)| wanted(&key.as_str()));
        names.flat_map(|(_, names)| names.values().cloned()).collect()
    }

    fn is_synced(&self, kind: &GroupVersionKind) -> bool {
        self.synced.contains(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_do_not_see_later_changes() {
        let pod = GroupVersionKind::new("", "v1", "Pod");
        let object = Object::parse(r#"{"metadata":{"namespace":"shop","name":"a"}}"#).unwrap();
        let mut store = ObjectStore::default();
        store.apply(&pod, Change::Applied, &object);
        let before = store.clone();
        store.apply(&pod, Change::Deleted, &object);
        assert_eq!(before.get(&pod, "shop", "a"), Some(object.clone()));
        assert_eq!(before.list(&pod, ""), [object]);
        assert_eq!(store.list(&pod, "shop"), []);
    }
}
