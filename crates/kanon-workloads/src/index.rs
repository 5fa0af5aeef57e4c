//! Indexes by label, in both directions: pods by the labels they have, selectors by a label they ask for. They keep the work at
//! a change in proportion to what it concerns, however much else there is in the namespace.

use std::collections::{BTreeMap, BTreeSet};

use kanon_store::Key;

use crate::selector::{Labels, Selector};

/// Keys under texts; a set that empties goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups(BTreeMap<String, BTreeSet<Key>>);

impl Groups {
    pub(crate) fn add(&mut self, group: String, key: &Key) {
        self.0.entry(group).or_default().insert(key.clone());
    }

    pub(crate) fn remove(&mut self, group: &str, key: &Key) {
        if let Some(set) = self.0.get_mut(group) {
            set.remove(key);
            if set.is_empty() {
                self.0.remove(group);
            }
        }
    }

    pub(crate) fn get(&self, group: &str) -> impl Iterator<Item = &Key> {
        self.0.get(group).into_iter().flatten()
    }

    pub(crate) fn len(&self, group: &str) -> usize {
        self.0.get(group).map_or(0, BTreeSet::len)
    }
}

/// The text under which a label of a namespace is kept: no name has a zero byte.
fn handle(namespace: &str, (key, value): (&str, &str)) -> String {
    format!("{namespace}\0{key}\0{value}")
}

/// Pods by their labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelIndex(Groups);

impl LabelIndex {
    pub(crate) fn add(&mut self, namespace: &str, labels: &Labels, key: &Key) {
        for (name, value) in labels {
            self.0.add(handle(namespace, (name, value)), key);
        }
    }

    pub(crate) fn remove(&mut self, namespace: &str, labels: &Labels, key: &Key) {
        for (name, value) in labels {
            self.0.remove(&handle(namespace, (name, value)), key);
        }
    }

    /// The fewest candidates for a selector; none where it asks for no particular label.
    pub(crate) fn candidates(&self, namespace: &str, selector: &Selector) -> Option<impl Iterator<Item = &Key>> {
        let handles = selector.pairs().map(|pair| handle(namespace, pair));
        let fewest = handles.min_by_key(|it| self.0.len(it))?;
        Some(self.0.0.get(&fewest).into_iter().flatten())
    }
}

/// Objects that select, by one label that they ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct SelectorIndex(Groups);

impl SelectorIndex {
    pub(crate) fn add(&mut self, namespace: &str, selector: &Selector, key: &Key) {
        self.0.add(group(namespace, selector), key);
    }

    pub(crate) fn remove(&mut self, namespace: &str, selector: &Selector, key: &Key) {
        self.0.remove(&group(namespace, selector), key);
    }

    /// Objects that may select these labels.
    pub(crate) fn candidates(&self, namespace: &str, labels: &Labels) -> BTreeSet<Key> {
        let mut found: BTreeSet<Key> = self.0.get(namespace).cloned().collect();
        for (name, value) in labels {
            found.extend(self.0.get(&handle(namespace, (name, value))).cloned());
        }
        found
    }
}

fn group(namespace: &str, selector: &Selector) -> String {
    selector.pairs().next().map_or_else(|| namespace.to_owned(), |pair| handle(namespace, pair))
}
