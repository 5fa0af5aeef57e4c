//! Everything that can happen to the plane. Shells make inputs; the plane routes them to families.

use std::{any::Any, sync::Arc};

use bytes::Bytes;

use crate::{
    effect::Delivery,
    names::{FamilyId, Kind},
    object::{Keep, Object},
    review::Review,
    shards::Shards,
    verdict::Verdict,
};

/// What became of a watched object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there, new or changed.
    Applied,
    /// It is gone; the object is its last state.
    Deleted,
}

/// A policy file as found in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    /// Path inside the folder.
    pub path: String,
    /// What it holds.
    pub text: Bytes,
}

/// A file in a folder that is there and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableFile {
    /// Path inside the folder.
    pub path: String,
    /// Why: one sentence.
    pub problem: String,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A watched object changed.
    Object {
        /// Its kind.
        kind: Arc<Kind>,
        /// What became of it.
        change: Change,
        /// The object, without managed fields.
        object: Object,
    },
    /// All objects of a kind that existed when its watch began have been delivered, with at least these parts. Said again when
    /// all of them have been delivered again with more.
    Synced {
        /// The kind.
        kind: Arc<Kind>,
        /// What is there of each object; of those that follow, too.
        keep: Keep,
    },
    /// All objects of the places of a kind ([`Place`](crate::Place)) that existed when their watches began have been delivered whole. Of
    /// the rest of the kind nothing is known; [`Input::Synced`] says the same of all of it.
    PlacesSynced {
        /// The kind.
        kind: Arc<Kind>,
    },
    /// The watch of a kind could not begin: why, for people. It is tried again; [`Input::Synced`] says when it did.
    WatchFailed {
        /// The kind.
        kind: Arc<Kind>,
        /// One sentence.
        problem: String,
    },
    /// The watch of a kind was ended because nobody needs it; its objects are no longer known, but for those of places that a family
    /// named.
    Unwatched {
        /// The kind.
        kind: Arc<Kind>,
    },
    /// Every kind that the API server serves, with its path.
    Resources {
        /// In order of kind.
        kinds: Arc<[Kind]>,
    },
    /// What came of a scan that a family asked for.
    Scanned {
        /// The family.
        family: FamilyId,
        /// Made by its view and understood by it alone.
        result: Arc<dyn Any + Send + Sync>,
    },
    /// The complete content of the policy folder, files in name order.
    Folder {
        /// Every file whose name a policy file may have.
        files: Vec<PolicyFile>,
        /// Those that cannot be read: what is known of them stays.
        unreadable: Vec<UnreadableFile>,
    },
    /// The complete content of the folder with templates of alerts, files in name order.
    AlertTemplates {
        /// Every file.
        files: Vec<PolicyFile>,
        /// Those that cannot be read: what is known of them stays.
        unreadable: Vec<UnreadableFile>,
    },
    /// An admission request was answered from a family's view; counts and effects follow from here.
    Reviewed {
        /// Whose view answered.
        family: FamilyId,
        /// The request.
        review: Arc<Review>,
        /// What the view decided, worst first.
        verdicts: Vec<Verdict>,
        /// The family's own counts, made by its view and understood by it alone.
        counts: Arc<dyn Any + Send + Sync>,
    },
    /// A family's view was asked about an event of a running workload; counts and effects follow from here.
    Observed {
        /// Whose view was asked.
        family: FamilyId,
        /// What the view decided.
        verdicts: Vec<Verdict>,
        /// The family's own counts, made by its view and understood by it alone.
        counts: Arc<dyn Any + Send + Sync>,
    },
    /// An effect was carried out, or given up.
    Delivered(Delivery),
    /// This process looks after these namespaces from now on. Whoever holds shard 0 leads; others decide but hold their effects,
    /// but for what is about the namespaces of their own shards.
    Leadership(Shards),
    /// The deadline that the plane named has come.
    Tick,
}
