//! What readers see: the committed state and its recent history. Plain data; the shell guards it with a read-write lock.
//!
//! A publication only moves pointers, and hands back what it displaced ([`Retired`]) so that memory is freed outside the lock.

mod list;

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

use crate::{Entry, Event, EventKind, Key, Revision, key};
pub use list::{ListOptions, Page};

/// The history does not reach back to the revision asked for (410 `Expired` on the wire).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the history before revision {oldest} is gone")]
pub struct Compacted {
    /// The oldest revision that can still be asked for.
    pub oldest: Revision,
}

/// What one commit made durable, in order. Give it to [`Memory::publish`].
#[derive(Clone, Debug)]
#[must_use = "readers see a commit only after it is published"]
pub struct Batch {
    pub(crate) events: Vec<Arc<Event>>,
    /// Where the store stands after it.
    pub(crate) revision: Revision,
    /// The history up to here goes.
    pub(crate) compacted: Revision,
}

impl Batch {
    /// The writes, in order: to wake watchers.
    pub fn events(&self) -> &[Arc<Event>] {
        &self.events
    }

    /// Where the store stands after it.
    pub fn revision(&self) -> Revision {
        self.revision
    }
}

/// What a publication displaced. Drop it after the lock is released.
#[derive(Debug, Default)]
pub struct Retired {
    entries: Vec<Arc<Entry>>,
    events: Vec<Arc<Event>>,
}

/// All objects of one kind, and what happened to them.
#[derive(Debug, Default)]
struct Collection {
    entries: BTreeMap<Key, Arc<Entry>>,
    /// By revision.
    events: VecDeque<Arc<Event>>,
    /// The last revision whose event of this collection is gone. Others' events do not count: the history of a quiet kind
    /// stays complete while a busy one rushes by.
    compacted: Revision,
}

impl Collection {
    fn check(&self, revision: Revision) -> Result<(), Compacted> {
        if revision < self.compacted { Err(Compacted { oldest: self.compacted }) } else { Ok(()) }
    }

    fn since(&self, revision: Revision) -> impl Iterator<Item = &Arc<Event>> {
        let from = self.events.partition_point(|event| event.revision <= revision);
        self.events.range(from..)
    }

    /// The entries under a prefix. Walks the map alone: looking into a hundred thousand entries costs far more.
    fn range<'m>(&'m self, prefix: &str, after: Option<&str>) -> impl Iterator<Item = &'m Arc<Entry>> + use<'m> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let end = key::end_of(prefix);
        // A map panics when asked for a range that ends before it begins.
        let is_empty = end.as_deref().is_some_and(|end| after.is_some_and(|after| after >= end));
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = (!is_empty).then(|| self.entries.range::<str, _>((start, end)));
        range.into_iter().flatten().map(|(_, entry)| entry)
    }

    fn apply(&mut self, event: &Arc<Event>) -> Option<Arc<Entry>> {
        let key = &event.entry.key;
        self.events.push_back(Arc::clone(event));
        match event.kind {
            EventKind::Added | EventKind::Modified => self.entries.insert(key.clone(), Arc::clone(&event.entry)),
            EventKind::Deleted => self.entries.remove(key),
        }
    }

    fn compact(&mut self, revision: Revision, out: &mut Vec<Arc<Event>>) {
        while let Some(event) = self.events.pop_front_if(|event| event.revision <= revision) {
            self.compacted = event.revision;
            out.push(event);
        }
    }
}

/// The committed state. Every answer belongs to one revision as long as the caller holds its lock.
#[derive(Debug)]
pub struct Memory {
    collections: BTreeMap<Arc<str>, Collection>,
    revision: Revision,
    compacted: Revision,
    /// Up to here there is no history of anything, also not of collections that are not there.
    floor: Revision,
}

impl Memory {
    pub(crate) fn empty(floor: Revision) -> Memory {
        Memory { collections: BTreeMap::new(), revision: Revision::FIRST, compacted: floor, floor }
    }

    /// Where the store stands: what lists of the most recent state report.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Up to here events are gone, of one collection or another. A given prefix may reach further back.
    pub fn compacted(&self) -> Revision {
        self.compacted
    }

    /// The current state of one object.
    pub fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.collections.get(key.collection())?.entries.get(key).cloned()
    }

    /// How many objects there are under a prefix. Immediate for a whole collection.
    pub fn count(&self, prefix: &str) -> usize {
        self.count_after(prefix, None)
    }

    fn count_after(&self, prefix: &str, after: Option<&str>) -> usize {
        let after = after.filter(|after| *after >= prefix);
        let count = |(name, it): (&str, &Collection)| {
            let whole = after.is_none() && name.starts_with(prefix);
            if whole { it.entries.len() } else { it.range(prefix, after).count() }
        };
        self.collections(prefix).map(count).sum()
    }

    /// The first `max` events after `revision` under a prefix, in order. Reads the history of the prefix's collection only.
    ///
    /// Fewer than `max` means that all are there up to [`Memory::revision`] (under the same lock): a watcher continues from
    /// that, not from its last event, and so never reads what other namespaces did twice.
    ///
    /// # Errors
    /// Events of the prefix's collection after `revision` are gone.
    pub fn events_since(&self, prefix: &str, revision: Revision, max: usize) -> Result<Vec<Arc<Event>>, Compacted> {
        self.check_floor(revision)?;
        let mut events = Vec::new();
        let mut collections = 0;
        for (_, collection) in self.collections(prefix) {
            collection.check(revision)?;
            let within = collection.since(revision).filter(|event| event.entry.key.as_str().starts_with(prefix));
            events.extend(within.take(max).cloned());
            collections += 1;
        }
        if collections > 1 {
            events.sort_unstable_by_key(|event| event.revision);
            events.truncate(max);
        }
        Ok(events)
    }

    /// Whether anything changed in the collections of a prefix after `revision`, or may have. It builds nothing: requests ask it
    /// of what they have compiled.
    pub fn has_changed_since(&self, prefix: &str, revision: Revision) -> bool {
        let has_changed = |it: &Collection| it.events.back().is_some_and(|event| event.revision > revision);
        let is_known = revision >= self.floor;
        self.revision > revision
            && (!is_known || self.collections(prefix).any(|(_, it)| has_changed(it) || it.compacted > revision))
    }

    /// Makes a commit visible. What is already visible is skipped.
    pub fn publish(&mut self, batch: Batch) -> Retired {
        let mut retired = Retired::default();
        let visible = self.revision;
        for event in batch.events.iter().filter(|event| event.revision > visible) {
            retired.entries.extend(self.collection_mut(event.entry.key.collection()).apply(event));
        }
        self.revision = self.revision.max(batch.revision);
        if batch.compacted > self.compacted {
            self.compacted = batch.compacted;
            for collection in self.collections.values_mut() {
                collection.compact(batch.compacted, &mut retired.events);
            }
        }
        // The batch's own vector goes with it; its events stay in the history.
        retired
    }

    /// Puts a stored state in place while loading.
    pub(crate) fn restore(&mut self, entry: Arc<Entry>) {
        self.collection_mut(entry.key.collection()).entries.insert(entry.key.clone(), entry);
    }

    /// Replays a stored event while loading.
    pub(crate) fn replay(&mut self, event: &Arc<Event>) {
        self.collection_mut(event.entry.key.collection()).apply(event);
        self.revision = self.revision.max(event.revision);
    }

    /// Sets how far a collection's history is gone, while loading.
    pub(crate) fn set_compacted(&mut self, collection: &str, revision: Revision) {
        let floor = self.floor;
        self.collection_mut(collection).compacted = revision.max(floor);
        self.compacted = self.compacted.max(revision);
    }

    fn check_floor(&self, revision: Revision) -> Result<(), Compacted> {
        if revision < self.floor { Err(Compacted { oldest: self.floor }) } else { Ok(()) }
    }

    pub(crate) fn set_revision(&mut self, revision: Revision) {
        self.revision = revision;
    }

    fn collection_mut(&mut self, name: &str) -> &mut Collection {
        if !self.collections.contains_key(name) {
            let collection = Collection { compacted: self.floor, ..Collection::default() };
            self.collections.insert(name.into(), collection);
        }
        self.collections.get_mut(name).expect("inserted above")
    }

    /// The collections that a prefix touches, in key order: one, when the prefix names it.
    fn collections<'m>(&'m self, prefix: &'m str) -> impl Iterator<Item = (&'m str, &'m Collection)> {
        let name = key::collection(prefix);
        let range = self.collections.range::<str, _>((Bound::Included(name), Bound::Unbounded));
        range.map(|(name, it)| (&**name, it)).take_while(move |(it, _)| it.starts_with(name))
    }
}
