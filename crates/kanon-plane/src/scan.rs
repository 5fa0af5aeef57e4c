//! Looking at many stored objects at once. A family says which ([`Work`]); a worker thread asks the family's view about them,
//! over a snapshot of the object store; what came of it returns as [`Input::Scanned`]. Pure: the thread is the shell's. The object of a
//! request may be looked at so, too, when the answer is out and nobody waits any more.

use std::{collections::BTreeSet, sync::Arc};

use kanon_core::{FamilyId, GroupVersionKind, Input, Now, Object, Review, Shards};

use crate::{
    family::View,
    lookups::{Lookups, ObjectStore},
    policies::PolicyKey,
};

/// Namespace and name.
pub type ObjectName = (String, String);

/// Which objects, and what is asked about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The loop that asks, in the family's word.
    pub occasion: &'static str,
    /// Their kind.
    pub kind: GroupVersionKind,
    /// Which of them.
    pub which: Which,
    /// The policies asked; all that concern them when there is none.
    pub policies: Option<Arc<BTreeSet<PolicyKey>>>,
    /// In which namespaces.
    pub area: Area,
}

/// The namespaces that a replica looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Those of its own shards, with all policies.
    pub shards: Shards,
    /// Policies that are asked in all others too.
    pub beyond: Arc<BTreeSet<PolicyKey>>,
}

impl Area {
    /// Whether something is asked about the objects of every namespace.
    pub fn covers_all(&self) -> bool {
        !self.beyond.is_empty() || self.shards.is_all()
    }

    /// Whether anything is asked about the objects of a namespace.
    pub fn covers(&self, namespace: &str) -> bool {
        self.covers_all() || self.shards.holds(namespace)
    }

    /// Whether a policy is asked about the objects of a namespace.
    pub fn asks(&self, policy: &PolicyKey, namespace: &str) -> bool {
        self.shards.holds(namespace) || self.beyond.contains(policy)
    }
}

impl Default for Area {
    fn default() -> Area {
        Area { shards: Shards::all(), beyond: Arc::default() }
    }
}

/// Which objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those of these names, as far as they are there.
    Named(Vec<ObjectName>),
    /// So many after this one, in order of namespace and name.
    After {
        /// The last one of the part before; none for the first part.
        last: Option<ObjectName>,
        /// How many at most.
        limit: usize,
    },
    /// That of a request that was answered, as it stands there.
    Answered(Arc<Review>),
}

impl Work {
    /// The objects meant.
    pub fn objects<'s>(&'s self, store: &'s ObjectStore) -> Vec<&'s Object> {
        match &self.which {
            Which::Named(names) => {
                names.iter().filter_map(|(namespace, name)| store.get(&self.kind, namespace, name)).collect()
            }
            Which::After { last, limit } => {
                let last = last.as_ref().map(|(namespace, name)| (namespace.as_str(), name.as_str()));
                let all = store.after(&self.kind, last);
                if self.area.covers_all() {
                    return all.take(*limit).collect();
                }
                // They come in order of namespace.
                let mut before: Option<(&'s str, bool)> = None;
                let mut found = Vec::new();
                for object in all {
                    let namespace = object.str_at(&["metadata", "namespace"]);
                    let known = before.filter(|it| it.0 == namespace);
                    let (_, is_covered) =
                        *before.insert(known.unwrap_or_else(|| (namespace, self.area.covers(namespace))));
                    if is_covered {
                        found.push(object);
                    }
                    if found.len() == *limit {
                        break;
                    }
                }
                found
            }
            Which::Answered(review) => review.subject_object().into_iter().collect(),
        }
    }
}

/// A scan to be run off the loop.
#[derive(Clone)]
pub struct Scan {
    pub(crate) family: FamilyId,
    pub(crate) view: Arc<dyn View>,
    pub(crate) work: Arc<Work>,
}

impl Scan {
    /// What it looks at.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// Runs it over a snapshot of the objects.
    pub fn run(&self, objects: &ObjectStore, now: Now) -> Input {
        Input::Scanned { family: self.family, result: self.view.scan(&self.work, objects, now) }
    }

    /// What to tell the family when the scan broke off.
    pub fn failed(&self) -> Input {
        Input::Scanned { family: self.family, result: Arc::new(BrokenScan { work: Arc::clone(&self.work) }) }
    }
}

/// The result of a scan that broke off.
pub struct BrokenScan {
    /// What it was to look at.
    pub work: Arc<Work>,
}
