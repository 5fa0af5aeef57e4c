//! What is known of one object: read once, when it changes.

use jiff::Timestamp;
use kanon_core::{Node, Object};
use kanon_store::{Entry, Key};
use serde_json::Value;

use crate::{
    Kind,
    selector::{self, Labels, Selector},
    value::near,
};

/// One object.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) key: Key,
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// As stored: shares its bytes with the store.
    pub(crate) object: Object,
    pub(crate) labels: Labels,
    /// Its controller.
    pub(crate) owner: Option<Owner>,
    /// Whether its deletion has begun.
    pub(crate) deleting: bool,
    /// When it was made, as text: times of one form sort as they are.
    pub(crate) created: String,
    /// Of pods.
    pub(crate) pod: Option<Pod>,
    /// Of what selects pods.
    pub(crate) selector: Option<Selector>,
    /// Labels of the pods that it makes.
    pub(crate) template_labels: Option<Labels>,
}

/// A controller, as an owner reference names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// None of ours where absent.
    pub(crate) kind: Option<Kind>,
    /// `apiVersion` and `kind`, as they are written.
    pub(crate) written: (String, String),
    pub(crate) name: String,
    pub(crate) uid: String,
}

impl Owner {
    pub(crate) fn key(&self, namespace: &str) -> Option<Key> {
        self.kind.map(|kind| Key::new(&kind.prefix(), if kind == Kind::Node { "" } else { namespace }, &self.name))
    }
}

/// A pod's phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Pending,
    Unknown,
    Running,
    Succeeded,
    Failed,
}

/// What others want to know of a pod.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) phase: Phase,
    /// Since when it is ready.
    pub(crate) ready: Option<Timestamp>,
    /// Empty while it has none.
    pub(crate) node: String,
    /// Empty while it has none.
    pub(crate) ip: String,
    pub(crate) restarts: i64,
    /// How much it would cost to delete it.
    pub(crate) cost: i64,
    /// Whether a job still has to count it.
    pub(crate) tracked: bool,
}

impl Pod {
    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }
}

/// The finalizer that holds a job's pod until it is counted.
pub(crate) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

impl Known {
    /// Reads an entry, where its kind takes part.
    pub(super) fn new(entry: &Entry) -> Option<Known> {
        let kind = Kind::of_collection(entry.key.collection())?;
        let object = &entry.object;
        let text = |name: &str| object.str_at(&["metadata", name]).to_owned();
        if kind == Kind::Lease && text("namespace") != crate::controllers::node::LEASES {
            return None;
        }
        let value = |path: &[&str]| object.at(path).map(Node::to_value).unwrap_or_default();
        let selector = match kind {
            Kind::Service | Kind::ReplicationController => {
                Some(Selector::of_map(&value(&["spec", "selector"]))).filter(|it| !it.is_empty())
            }
            Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::DaemonSet | Kind::Job | Kind::Budget => {
                Selector::of(&value(&["spec", "selector"]))
            }
            _ => None,
        };
        let template_labels =
            matches!(kind, Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::ReplicationController)
                .then(|| selector::labels(&value(&["spec", "template", "metadata", "labels"])));
        Some(Known {
            key: entry.key.clone(),
            kind,
            namespace: text("namespace"),
            name: text("name"),
            uid: text("uid"),
            labels: selector::labels(&value(&["metadata", "labels"])),
            owner: owner(object),
            deleting: object.at(&["metadata", "deletionTimestamp"]).is_some_and(|it| !it.is_null()),
            created: text("creationTimestamp"),
            pod: (kind == Kind::Pod).then(|| pod(object)),
            selector,
            template_labels,
            object: object.clone(),
        })
    }

    /// The whole object, to be changed.
    pub(crate) fn value(&self) -> Value {
        self.object.to_value()
    }

    /// Whether anything is ever decided about it.
    pub(super) fn has_turns(&self) -> bool {
        !matches!(self.kind, Kind::Lease | Kind::EndpointSlice | Kind::Event | Kind::ControllerRevision)
    }

    /// Whether its status says what was refused.
    pub(super) fn tells_of_refusals(&self) -> bool {
        matches!(
            self.kind,
            Kind::Deployment
                | Kind::ReplicationController
                | Kind::ReplicaSet
                | Kind::StatefulSet
                | Kind::DaemonSet
                | Kind::Job
        )
    }

    pub(super) fn can_be_adopted(&self) -> bool {
        matches!(self.kind, Kind::Pod | Kind::ReplicaSet)
    }

    /// Whether this is what another object is controlled by.
    pub(crate) fn controls(&self, other: &Known) -> bool {
        other.owner.as_ref().is_some_and(|it| it.uid == self.uid)
    }

    /// Whether a pod is there to stay: neither over nor on its way out.
    pub(crate) fn is_active(&self) -> bool {
        !self.deleting && self.pod.as_ref().is_some_and(|it| !it.is_over())
    }

    /// Since when a pod is ready.
    pub(crate) fn ready_since(&self) -> Option<Timestamp> {
        self.pod.as_ref().and_then(|it| it.ready)
    }

    /// An annotation's text; empty where absent.
    pub(crate) fn annotation(&self, name: &str) -> String {
        let node = self.object.at(&["metadata", "annotations"]).and_then(|it| it.get(name));
        node.and_then(Node::as_str).unwrap_or_default().into_owned()
    }
}

fn owner(object: &Object) -> Option<Owner> {
    let mut references = object.at(&["metadata", "ownerReferences"])?.elements();
    let reference = references.find(|it| it.get("controller").and_then(Node::as_bool).unwrap_or_default())?;
    let text = |name: &str| reference.get(name).and_then(Node::as_str).unwrap_or_default().into_owned();
    let written = (text("apiVersion"), text("kind"));
    Some(Owner { kind: Kind::of_owner(&written.0, &written.1), written, name: text("name"), uid: text("uid") })
}

fn pod(object: &Object) -> Pod {
    let phase = match object.str_at(&["status", "phase"]) {
        "Running" => Phase::Running,
        "Succeeded" => Phase::Succeeded,
        "Failed" => Phase::Failed,
        "Unknown" => Phase::Unknown,
        _ => Phase::Pending,
    };
    let conditions = object.at(&["status", "conditions"]).into_iter().flat_map(Node::elements);
    let plain = |it: Node<'_>, name: &str| it.get(name).and_then(Node::as_str).unwrap_or_default().into_owned();
    let mut ready = conditions.filter(|it| plain(*it, "type") == "Ready" && plain(*it, "status") == "True");
    let statuses = object.at(&["status", "containerStatuses"]).into_iter().flat_map(Node::elements);
    let cost = object.at(&["metadata", "annotations"]).and_then(|it| it.get(DELETION_COST)).and_then(Node::as_str);
    let mut finalizers = object.at(&["metadata", "finalizers"]).into_iter().flat_map(Node::elements);
    Pod {
        phase,
        ready: ready.next().map(|it| plain(it, "lastTransitionTime").parse().unwrap_or(Timestamp::UNIX_EPOCH)),
        node: object.str_at(&["spec", "nodeName"]).to_owned(),
        ip: object.str_at(&["status", "podIP"]).to_owned(),
        restarts: statuses.map(|it| near(it.get("restartCount").and_then(Node::as_i64).unwrap_or_default())).sum(),
        cost: cost.and_then(|it| it.parse().ok()).unwrap_or_default(),
        tracked: finalizers.any(|it| it.as_plain_str() == Some(TRACKING)),
    }
}
