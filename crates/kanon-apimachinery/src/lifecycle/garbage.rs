//! Garbage collection by owner references (spec/kubernetes-api.md 4.7): dependants of absent owners go; owners that are deleted
//! in the foreground wait for theirs; owners that are deleted as orphaning are forgotten by theirs first.
//!
//! The graph is a cache over the store: fed with every event, it knows who depends on whom and whose turn it is to be looked at.
//! What is done about an object is decided from the store's state alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_core::{Node, Object};
use kanon_store::{Entry, Event, EventKind, Key, Memory};
use serde_json::{Value, json};

use super::{Intent, editable, entries};
use crate::{
    meta,
    request::{DeleteOptions, Propagation},
    resource::{Registry, Resource},
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Who depends on whom, and what has to be looked at.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Dependants by their owner's uid.
    dependants: BTreeMap<String, BTreeSet<Key>>,
    /// The uids of each dependant's owners: the other direction of `dependants`.
    owners: BTreeMap<Key, BTreeSet<String>>,
    /// Owners whose deletion waits for their dependants, by uid.
    waiting: BTreeMap<String, Key>,
    due: BTreeSet<Key>,
}

/// How an owner is, seen from a dependant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Absent,
    /// There, or of a kind that cannot be looked up.
    Solid,
    /// Its deletion waits for its dependants.
    Waiting,
}

impl Graph {
    /// The graph of all that is stored, with everything that has an owner due.
    pub fn new(memory: &Memory) -> Graph {
        let mut graph = Graph::default();
        for entry in entries(memory, "") {
            graph.put(&entry);
        }
        graph
    }

    /// Takes one event in. Every event has to come, in order.
    pub fn apply(&mut self, event: &Event) {
        match event.kind {
            EventKind::Added | EventKind::Modified => self.put(&event.entry),
            EventKind::Deleted => self.remove(&event.entry),
        }
    }

    /// Has an object looked at again: after an intent about it failed for a reason that may pass.
    pub fn mark(&mut self, key: &Key) {
        self.due.insert(key.clone());
    }

    /// Whether anything has to be looked at.
    pub fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Decides about everything that is due, once.
    pub fn plan(&mut self, registry: &Registry, memory: &Memory) -> Vec<Intent> {
        let due = std::mem::take(&mut self.due);
        if due.is_empty() {
            return Vec::new();
        }
        let collections = registry.collections();
        let mut intents = Vec::new();
        for key in due {
            let resource = collections.get(key.collection().trim_end_matches('/'));
            if let (Some(resource), Some(entry)) = (resource, memory.get(&key)) {
                let look = Look { graph: self, registry, memory, resource, entry: &entry };
                look.plan(&collections, &mut intents);
            }
        }
        intents
    }

    fn put(&mut self, entry: &Entry) {
        let owners: BTreeSet<String> = references(&entry.object).map(|it| text(it, "uid")).collect();
        if !owners.is_empty() {
            self.due.insert(entry.key.clone());
        }
        self.replace(&entry.key, owners);
        let uid = entry.object.str_at(&["metadata", "uid"]);
        if is_waiting(&entry.object) {
            self.waiting.insert(uid.to_owned(), entry.key.clone());
            self.due.insert(entry.key.clone());
            self.due.extend(self.dependants.get(uid).into_iter().flatten().cloned());
        } else {
            self.waiting.remove(uid);
        }
    }

    fn remove(&mut self, entry: &Entry) {
        self.replace(&entry.key, BTreeSet::new());
        self.due.remove(&entry.key);
        let uid = entry.object.str_at(&["metadata", "uid"]);
        self.waiting.remove(uid);
        self.due.extend(self.dependants.get(uid).into_iter().flatten().cloned());
    }

    fn replace(&mut self, key: &Key, owners: BTreeSet<String>) {
        let before = self.owners.remove(key).unwrap_or_default();
        for uid in &before {
            if let Some(list) = self.dependants.get_mut(uid) {
                list.remove(key);
                if list.is_empty() {
                    self.dependants.remove(uid);
                }
            }
        }
        for uid in &owners {
            self.dependants.entry(uid.clone()).or_default().insert(key.clone());
        }
        // Whoever waits for this dependant is looked at again.
        self.due.extend(before.union(&owners).filter_map(|uid| self.waiting.get(uid)).cloned());
        if !owners.is_empty() {
            self.owners.insert(key.clone(), owners);
        }
    }
}

/// One object that is looked at.
struct Look<'a> {
    graph: &'a Graph,
    registry: &'a Registry,
    memory: &'a Memory,
    resource: &'a Arc<Resource>,
    entry: &'a Entry,
}

type Collections<'r> = BTreeMap<&'r str, &'r Arc<Resource>>;

impl Look<'_> {
    fn plan(&self, collections: &Collections<'_>, out: &mut Vec<Intent>) {
        let object = &self.entry.object;
        if !meta::is_object_deleting(object) {
            return self.as_dependant(out);
        }
        let finalizers: Vec<&str> = finalizers(object).collect();
        if finalizers.contains(&ORPHAN) {
            self.orphan(collections, out);
        } else if finalizers.contains(&FOREGROUND) && !self.is_blocked() {
            out.push(self.without_finalizer(FOREGROUND));
        }
    }

    fn uid(&self) -> &str {
        self.entry.object.str_at(&["metadata", "uid"])
    }

    fn dependants(&self) -> impl Iterator<Item = Arc<Entry>> {
        let keys = self.graph.dependants.get(self.uid()).into_iter().flatten();
        keys.filter_map(|key| self.memory.get(key))
    }

    /// Whether a dependant is left that blocks the owner's deletion.
    fn is_blocked(&self) -> bool {
        self.dependants().any(|it| {
            references(&it.object).any(|owner| {
                text(owner, "uid") == self.uid()
                    && owner.get("blockOwnerDeletion").and_then(Node::as_bool).unwrap_or_default()
            })
        })
    }

    /// Dependants forget the owner; then it may go.
    fn orphan(&self, collections: &Collections<'_>, out: &mut Vec<Intent>) {
        let before = out.len();
        for entry in self.dependants() {
            if let Some(resource) = collections.get(entry.key.collection().trim_end_matches('/')) {
                out.push(without_owners(resource, &entry, &[self.uid().to_owned()]));
            }
        }
        if out.len() == before {
            out.push(self.without_finalizer(ORPHAN));
        }
    }

    fn without_finalizer(&self, name: &str) -> Intent {
        let mut object = editable(self.resource, self.entry);
        let rest: Vec<Value> = meta::finalizers(&object).filter(|it| *it != name).map(Value::from).collect();
        meta::set(&mut object, "finalizers", (!rest.is_empty()).then(|| json!(rest)));
        Intent::update(self.resource, "", object)
    }

    fn as_dependant(&self, out: &mut Vec<Intent>) {
        let owners: Vec<(String, Owner)> =
            references(&self.entry.object).map(|it| (text(it, "uid"), self.owner(it))).collect();
        let has = |state: Owner| owners.iter().any(|(_, it)| *it == state);
        if owners.is_empty() || (has(Owner::Solid) && !has(Owner::Absent) && !has(Owner::Waiting)) {
            return;
        }
        if has(Owner::Solid) {
            let gone = owners.iter().filter(|(_, it)| *it != Owner::Solid).map(|(uid, _)| uid.clone());
            out.push(without_owners(self.resource, self.entry, &gone.collect::<Vec<_>>()));
            return;
        }
        let mut propagation = own_policy(&self.entry.object);
        if has(Owner::Waiting) && self.graph.dependants.contains_key(self.uid()) {
            // Where a dependant of this one waits itself, the owners form a circle: it is opened here.
            if self.dependants().any(|it| is_waiting(&it.object)) {
                out.push(unblocked(self.resource, self.entry));
            }
            propagation = Propagation::Foreground;
        }
        let options = DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() };
        out.push(Intent::delete(self.resource, self.entry, options));
    }

    fn owner(&self, reference: Node<'_>) -> Owner {
        let (api_version, kind) = (text(reference, "apiVersion"), text(reference, "kind"));
        // What cannot be looked up may well be there: nothing is deleted on a doubt (upstream does the same).
        let Some(resource) = self.registry.by_api_version(&api_version, &kind) else { return Owner::Solid };
        if resource.is_namespaced() && !self.resource.is_namespaced() {
            return Owner::Solid;
        }
        let namespace = self.entry.object.str_at(&["metadata", "namespace"]);
        match self.memory.get(&resource.key(namespace, &text(reference, "name"))) {
            Some(entry) if entry.object.str_at(&["metadata", "uid"]) == text(reference, "uid") => {
                let foreground =
                    meta::is_object_deleting(&entry.object) && finalizers(&entry.object).any(|it| it == FOREGROUND);
                if foreground { Owner::Waiting } else { Owner::Solid }
            }
            _ => Owner::Absent,
        }
    }
}

/// How an object wants its own dependants treated.
fn own_policy(object: &Object) -> Propagation {
    let finalizers: Vec<&str> = finalizers(object).collect();
    if finalizers.contains(&ORPHAN) {
        Propagation::Orphan
    } else if finalizers.contains(&FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    }
}

fn without_owners(resource: &Arc<Resource>, entry: &Entry, uids: &[String]) -> Intent {
    let mut object = editable(resource, entry);
    let kept: Vec<Value> = object["metadata"]["ownerReferences"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|it| !uids.iter().any(|uid| it["uid"] == uid.as_str()))
        .cloned()
        .collect();
    meta::set(&mut object, "ownerReferences", (!kept.is_empty()).then(|| json!(kept)));
    Intent::update(resource, "", object)
}

fn unblocked(resource: &Arc<Resource>, entry: &Entry) -> Intent {
    let mut object = editable(resource, entry);
    for owner in object["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
        if owner["blockOwnerDeletion"] == true {
            owner["blockOwnerDeletion"] = false.into();
        }
    }
    Intent::update(resource, "", object)
}

/// Whether a deletion waits for the garbage collector.
fn is_waiting(object: &Object) -> bool {
    meta::is_object_deleting(object) && finalizers(object).any(|it| it == FOREGROUND || it == ORPHAN)
}

fn finalizers(object: &Object) -> impl Iterator<Item = &str> {
    let list = object.at(&["metadata", "finalizers"]);
    list.into_iter().flat_map(|it| it.elements()).filter_map(Node::as_plain_str)
}

fn references(object: &Object) -> impl Iterator<Item = Node<'_>> {
    object.at(&["metadata", "ownerReferences"]).into_iter().flat_map(|it| it.elements())
}

fn text(node: Node<'_>, name: &str) -> String {
    node.get(name).and_then(Node::as_str).unwrap_or_default().into_owned()
}
