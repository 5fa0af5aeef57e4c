//! The traits of a policy family: the owner of its state, and the immutable view that everybody else reads.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use kanon_core::{FamilyId, GroupVersionKind, Input, Keep, Kind, Mono, Now, Operation, Place, Review, Verdict};
use kanon_events::Event;

use crate::{
    lookups::{Lookups, ObjectStore},
    outbox::Outbox,
    rights::Needs,
    scan::Work,
};

/// A policy family: a small state with one owner. Heavy work never runs here; it runs on views.
pub trait Family: Send {
    /// Its name.
    fn id(&self) -> FamilyId;

    /// The kinds of its policies: what the shells watch, install and grant rights for.
    fn kinds(&self) -> &[Kind];

    /// Where objects stand that it reads as it reads policies, of kinds of which it reads no others: the shells watch these places and
    /// no more, it is told of the changes there, and [`Input::PlacesSynced`] or [`Input::Synced`] says that all has arrived. Always the
    /// same.
    fn places(&self) -> &[Place] {
        &[]
    }

    /// Kinds of other objects that its decisions read, as its policies want them now: the shells watch them, the plane keeps
    /// their objects in the store, and the family is told of their changes. The same `Arc` until that changes.
    fn facts(&self) -> Arc<Facts> {
        Arc::default()
    }

    /// Those of its kinds, and of those of its places, without which it decides wrongly: nothing is answered before their objects have
    /// arrived.
    fn awaited(&self) -> Vec<Kind> {
        self.kinds().to_vec()
    }

    /// The rights that it needs as its policies are now, besides those to watch its kinds and facts.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The CustomResourceDefinitions of its kinds, as manifests.
    fn crds(&self) -> Vec<serde_json::Value>;

    /// Takes one input and says what follows. Routing only; decisions are made by the family's pure functions.
    fn handle(&mut self, input: &Input, now: Now, out: &mut Outbox);

    /// When it wants an [`Input::Tick`], if nothing else happens.
    fn next_deadline(&self) -> Option<Mono>;

    /// What admission, `explain` and the dashboard see. The same `Arc` until policies or settings change.
    fn view(&self) -> Arc<dyn View>;
}

/// Kinds of objects that decisions read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Each once, in order.
    pub kinds: Vec<Kind>,
    /// Those without which requests cannot be decided: the process is not ready before their objects have arrived.
    pub required: Vec<GroupVersionKind>,
    /// Those of them of whose objects only parts are read, with the parts; of all others everything is.
    pub parts: BTreeMap<GroupVersionKind, Keep>,
    /// Whether policies name others, which are none of those that [`Input::Resources`] told of: the shell looks again.
    pub unknown: bool,
}

impl Facts {
    /// What is read of the objects of a kind.
    pub fn keep(&self, kind: &GroupVersionKind) -> &Keep {
        self.parts.get(kind).unwrap_or(&Keep::All)
    }
}

/// An immutable snapshot of a family's policies: pure, shared by all worker threads.
pub trait View: Send + Sync {
    /// Whose view it is.
    fn family(&self) -> FamilyId;

    /// Which admission requests its policies want to see.
    fn admission_rules(&self) -> Vec<AdmissionRule>;

    /// Decides about one admission request.
    fn review(&self, review: &Review, lookups: &dyn Lookups, now: Now) -> Reviewed;

    /// Whether nobody is refused such a request, whatever policies say of it: not because they said nothing in time, either.
    fn spares(&self, review: &Review) -> bool {
        let _ = review;
        false
    }

    /// Whether its policies are asked about events of running workloads.
    fn observes(&self) -> bool {
        false
    }

    /// Decides about one such event; `None` where no policy is about it.
    fn observe(&self, event: &Event, lookups: &dyn Lookups, now: Now) -> Option<Reviewed> {
        let _ = (event, lookups, now);
        None
    }

    /// Looks at stored objects, on a worker thread. What it gives goes back to the family in [`Input::Scanned`].
    fn scan(&self, work: &Work, objects: &ObjectStore, now: Now) -> Arc<dyn Any + Send + Sync> {
        let _ = (work, objects, now);
        Arc::new(())
    }

    /// Every policy it holds, broken and disabled ones too.
    fn policies(&self) -> Vec<PolicySummary>;

    /// The files that its policies stand in, for families that read a folder.
    fn files(&self) -> Vec<FileSummary> {
        Vec::new()
    }

    /// Explains a policy; `None` when the target is not one of its kinds, or not there.
    fn explain(&self, target: &Target, now: Now) -> Option<Explanation>;
}

/// What a view decided about one request.
pub struct Reviewed {
    /// Violations and failed evaluations, worst first; clean passes are only counted.
    pub verdicts: Vec<Verdict>,
    /// The family's own counts, handed back to it in [`Input::Reviewed`].
    pub counts: Arc<dyn Any + Send + Sync>,
}

/// One line of a webhook's rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AdmissionRule {
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind; the shell finds the resource's plural by discovery.
    pub kind: String,
    /// Part of the resource, such as `exec`; empty for the resource itself.
    pub part: String,
    /// Whether nobody is ever refused because of it: a webhook that cannot be asked must not be in the way then.
    pub advisory: bool,
    /// The operations asked for.
    pub operations: Vec<Operation>,
}

/// One line of `kanon policy list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySummary {
    /// Kind of the policy object, or `folder`.
    pub kind: String,
    /// Its namespace; empty for cluster-wide ones.
    pub namespace: String,
    /// The policy's name.
    pub name: String,
    /// Whether it takes part in decisions.
    pub active: bool,
    /// What is wrong with it; empty when nothing is.
    pub problem: String,
}

/// A file of the policy folder, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSummary {
    /// Path inside the folder.
    pub path: String,
    /// Its policies in order; where the file cannot be read, those that it had before.
    pub policies: Vec<PolicySummary>,
}

/// What `explain` is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Kind as the user writes it: `rule`, `pcp`, `portalrule`, … Families compare without case.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace of the command line; empty when none was given.
    pub namespace: String,
}

/// Why something is as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// One line that answers the question.
    pub headline: String,
    /// Tables that show what the answer rests on.
    pub sections: Vec<Section>,
    /// The same for machines: what `-o json` prints.
    pub data: serde_json::Value,
}

/// A small table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its title; may be empty.
    pub title: String,
    /// Column heads; may be empty.
    pub columns: Vec<String>,
    /// Cells by row.
    pub rows: Vec<Vec<String>>,
}
