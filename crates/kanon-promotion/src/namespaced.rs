//! Objects by namespace and name, shared between their owner and its views: a copy costs nothing, and a change copies the
//! names of one namespace, whatever there is in the others.

use std::{borrow::Borrow, collections::BTreeMap, sync::Arc};

/// Namespace and name.
pub type Key = (String, String);

type Shelf<V> = BTreeMap<Arc<Key>, Arc<V>>;

/// A map from [`Key`] that is cheap to copy.
#[derive(Debug)]
pub struct Namespaced<V> {
    shelves: Arc<BTreeMap<String, Arc<Shelf<V>>>>,
}

impl<V> Namespaced<V> {
    /// What is known under a key.
    pub fn get(&self, key: &Key) -> Option<&V> {
        self.shared(key).map(AsRef::as_ref)
    }

    /// The same, to be kept.
    pub fn shared(&self, key: &Key) -> Option<&Arc<V>> {
        self.shelves.get(&key.0)?.get(Borrow::<Key>::borrow(key))
    }

    /// Puts a value in; what was there.
    pub fn insert(&mut self, key: Key, value: impl Into<Arc<V>>) -> Option<Arc<V>> {
        let shelf = Arc::make_mut(&mut self.shelves).entry(key.0.clone()).or_default();
        Arc::make_mut(shelf).insert(Arc::new(key), value.into())
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<V>> {
        self.shared(key)?;
        let shelves = Arc::make_mut(&mut self.shelves);
        let shelf = Arc::make_mut(shelves.get_mut(&key.0)?);
        let removed = shelf.remove(Borrow::<Key>::borrow(key));
        if shelf.is_empty() {
            shelves.remove(&key.0);
        }
        removed
    }

    /// All, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &V)> {
        self.shelves.values().flat_map(|shelf| shelf.iter()).map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.iter().map(|it| it.0)
    }

    /// Those of one namespace, in the order of their names.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = (&Key, &V)> {
        let shelf = self.shelves.get(namespace).into_iter().flat_map(|shelf| shelf.iter());
        shelf.map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|it| it.1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shelves.is_empty()
    }
}

impl<V: PartialEq> Namespaced<V> {
    /// Puts a fact in or takes it out; whether that changed anything.
    pub(crate) fn replace(&mut self, key: &Key, value: Option<V>) -> bool {
        if self.get(key) == value.as_ref() {
            return false;
        }
        match value {
            Some(value) => _ = self.insert(key.clone(), value),
            None => _ = self.remove(key),
        }
        true
    }
}

impl<V> Clone for Namespaced<V> {
    fn clone(&self) -> Namespaced<V> {
        Namespaced { shelves: self.shelves.clone() }
    }
}

impl<V> Default for Namespaced<V> {
    fn default() -> Namespaced<V> {
        Namespaced { shelves: Arc::default() }
    }
}
