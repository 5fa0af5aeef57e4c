//! Objects that decisions look up, besides the one they are about.

mod sorted;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_core::{Change, GroupVersionKind, Keep, Mono, Object};

use self::sorted::Sorted;
use crate::live::{Live, LiveRead};

/// Read access to other objects. What it gives lives as long as it does, so that a decision reads objects where they are.
pub trait Lookups: Sync {
    /// One object; `namespace` is empty for cluster-scoped kinds.
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Option<&Object>;
    /// All objects of a kind in a namespace, or everywhere when it is empty, in order of namespace and name.
    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> Vec<&Object>;
    /// Whether every object of the kind that existed at the start has arrived, with all that it has.
    fn is_synced(&self, kind: &GroupVersionKind) -> bool;
    /// What the API server itself says; `None` where nobody asks it, and the watched objects answer.
    fn live(&self, read: &LiveRead) -> Option<Live<'_>> {
        let _ = read;
        None
    }
    /// When the answer has to be there, by the clock of evaluations; `None` where nobody waits for it.
    fn until(&self) -> Option<Mono> {
        None
    }
    /// Whether the API server is asked where a decision wants that.
    fn reads_live(&self) -> bool {
        false
    }
}

/// Knows nothing: for offline checks without a cluster.
pub struct NoLookups;

impl Lookups for NoLookups {
    fn get(&self, _: &GroupVersionKind, _: &str, _: &str) -> Option<&Object> {
        None
    }

    fn list(&self, _: &GroupVersionKind, _: &str) -> Vec<&Object> {
        Vec::new()
    }

    fn is_synced(&self, _: &GroupVersionKind) -> bool {
        false
    }
}

/// The plane's object store. A copy is a snapshot: it shares all that does not change afterwards, and a change copies about a
/// hundred entries, whatever the number of objects.
#[derive(Clone, Default)]
pub struct ObjectStore {
    kinds: BTreeMap<Arc<GroupVersionKind>, Sorted>,
    /// Kinds whose initial list is complete, with what is there of each object.
    synced: BTreeMap<Arc<GroupVersionKind>, Keep>,
    /// Kinds whose places have arrived, whatever there is of the rest.
    placed: BTreeSet<Arc<GroupVersionKind>>,
}

impl ObjectStore {
    /// Takes one change in.
    pub fn apply(&mut self, kind: &GroupVersionKind, change: Change, object: &Object) {
        let (namespace, name) = (object.str_at(&["metadata", "namespace"]), object.str_at(&["metadata", "name"]));
        if !self.kinds.contains_key(kind) {
            self.kinds.insert(Arc::new(kind.clone()), Sorted::default());
        }
        let Some(objects) = self.kinds.get_mut(kind) else { return };
        match change {
            Change::Applied => objects.insert(namespace, name, object.clone()),
            Change::Deleted => objects.remove(namespace, name),
        }
    }

    /// Notes that a kind's initial list is complete, with these parts of its objects.
    pub fn synced(&mut self, kind: &GroupVersionKind, keep: &Keep) {
        self.synced.insert(Arc::new(kind.clone()), keep.clone());
    }

    /// Notes that all is there that stands in the places of a kind.
    pub fn places_synced(&mut self, kind: &GroupVersionKind) {
        self.placed.insert(Arc::new(kind.clone()));
    }

    /// Whether all of a kind that is watched of it has arrived: everything, or what stands in its places.
    pub fn has_arrived(&self, kind: &GroupVersionKind) -> bool {
        self.placed.contains(kind) || self.is_synced(kind)
    }

    /// What there is of every object of a kind that has arrived.
    pub fn held(&self, kind: &GroupVersionKind) -> Option<&Keep> {
        self.synced.get(kind)
    }

    /// Whether every object of the kind that existed at the start has arrived, with at least these parts.
    pub fn holds(&self, kind: &GroupVersionKind, keep: &Keep) -> bool {
        self.held(kind).is_some_and(|it| it.covers(keep))
    }

    /// Forgets a kind, but for those of its objects that go on being watched where they stand.
    pub fn forget_all_but(&mut self, kind: &GroupVersionKind, stays: impl Fn(&Object) -> bool) {
        self.synced.remove(kind);
        let Some((kind, objects)) = self.kinds.remove_entry(kind) else { return };
        let mut left = Sorted::default();
        for object in objects.after(None).filter(|it| stays(it)) {
            let (namespace, name) = (object.str_at(&["metadata", "namespace"]), object.str_at(&["metadata", "name"]));
            left.insert(namespace, name, object.clone());
        }
        if left.len() > 0 {
            self.kinds.insert(kind, left);
        }
    }

    /// The objects of a kind after the one of this namespace and name, in order; from the first one when there is none.
    pub fn after<'s>(
        &'s self,
        kind: &GroupVersionKind,
        last: Option<(&str, &str)>,
    ) -> impl Iterator<Item = &'s Object> + use<'s> {
        self.kinds.get(kind).map(|it| it.after(last)).into_iter().flatten()
    }

    /// How many objects of a kind a namespace has; those of no namespace for the empty one.
    pub fn count(&self, kind: &GroupVersionKind, namespace: &str) -> usize {
        self.kinds.get(kind).map_or(0, |it| it.count(namespace))
    }

    /// How many objects of each kind there are, and how many bytes they take.
    pub fn sizes(&self) -> impl Iterator<Item = (&GroupVersionKind, usize, usize)> {
        self.kinds.iter().map(|(kind, objects)| (&**kind, objects.len(), objects.memory()))
    }
}

impl Lookups for ObjectStore {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Option<&Object> {
        self.kinds.get(kind)?.get(namespace, name)
    }

    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> Vec<&Object> {
        let Some(objects) = self.kinds.get(kind) else { return Vec::new() };
        if namespace.is_empty() { objects.after(None).collect() } else { objects.of_namespace(namespace).collect() }
    }

    fn is_synced(&self, kind: &GroupVersionKind) -> bool {
        self.holds(kind, &Keep::All)
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
        assert_eq!(before.get(&pod, "shop", "a"), Some(&object));
        assert_eq!(before.list(&pod, ""), [&object]);
        assert_eq!(store.list(&pod, "shop"), Vec::<&Object>::new());
        store.synced(&pod, &Keep::default());
        assert!(!store.is_synced(&pod) && store.holds(&pod, &Keep::default()));
        store.synced(&pod, &Keep::All);
        assert!(store.is_synced(&pod) && !before.is_synced(&pod));
        store.forget_all_but(&pod, |_| false);
        assert!(!store.is_synced(&pod));
    }
}
