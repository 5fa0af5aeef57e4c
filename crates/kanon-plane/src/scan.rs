//! Looking at many stored objects at once. A family says which ([`Work`]); a worker thread asks the family's view about them,
//! over a snapshot of the object store; what came of it returns as [`Input::Scanned`]. Pure: the thread is the shell's. The object of a
//! request may be looked at so, too, when the answer is out and nobody waits any more.

use std::{collections::BTreeSet, sync::Arc};

use kanon_core::{FamilyId, GroupVersionKind, Input, Now, Object, Review};

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
                store.after(&self.kind, last).take(*limit).collect()
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
