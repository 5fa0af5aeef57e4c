//! What the plane wants done. Families describe effects; shells carry them out and report back ([`Delivery`]).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    names::{FamilyId, Kind, ObjectRef, PolicyRef},
};

/// Names one effect: made from decision, action and target, so that a repeat has the same id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub String);

impl EffectId {
    /// The id of `action` on the object with `uid` because of `cause` (a policy revision, a record's hash).
    pub fn new(cause: &str, action: &str, uid: &str) -> EffectId {
        EffectId(Digest::of(&[cause.as_bytes(), b"\0", action.as_bytes(), b"\0", uid.as_bytes()]).short())
    }
}

impl fmt::Display for EffectId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// How loud a Kubernetes Event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    /// Information.
    Normal,
    /// Something a person should look at.
    Warning,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "action")]
pub enum Action {
    /// Replace the `status` of an object, by merge patch of the status subresource. Harmless to repeat.
    Status {
        /// Kind of the object, with its path.
        #[serde(skip)]
        kind: Kind,
        /// The whole status; members that are `null` are removed.
        status: serde_json::Value,
    },
    /// Server-side apply of a manifest under the field manager `kanon`.
    Apply {
        /// Kind of the object, with its path.
        #[serde(skip)]
        kind: Kind,
        /// The fields that Kanon owns.
        manifest: serde_json::Value,
    },
    /// Record a Kubernetes Event about the subject.
    Event {
        /// Normal or Warning.
        #[serde(rename = "type")]
        event_type: EventType,
        /// CamelCase reason.
        reason: String,
        /// Sentence for people.
        message: String,
    },
    /// Change an object that exists, by merge patch. The subject's UID is a precondition: a successor of the same name is left
    /// alone, and nothing is created but what `create` says. Harmless to repeat.
    Patch {
        /// The merge patch.
        patch: serde_json::Value,
        /// What must hold for it.
        guard: Guard,
        /// The object to create where there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        create: Option<serde_json::Value>,
    },
    /// Evict a pod through its `eviction` subresource, so that disruption budgets hold. The subject's UID is a precondition.
    Evict {
        /// Seconds the pod gets to end by itself; its own where absent.
        #[serde(rename = "gracePeriodSeconds", skip_serializing_if = "Option::is_none")]
        grace_period_sec: Option<u32>,
    },
    /// Set a pod apart from the network: a label, and a policy of its namespace that isolates pods with it; or end that by
    /// taking the label away. The subject's UID is a precondition. Harmless to repeat.
    Quarantine {
        /// Take it back.
        release: bool,
    },
    /// Let nothing new be scheduled to the subject, a node, or to the node of the subject, a pod. Harmless to repeat.
    Cordon,
    /// Delete the token Secrets of the service account that the subject, a pod, runs as. A repeat finds none.
    RevokeTokens,
    /// Delete the service account that the subject, a pod, runs as, and make it again, with another UID: tokens of the old one count
    /// no more. What it will be is noted in [`ACCOUNTS_MAP`] first. A repeat finds it made.
    RecreateAccount {
        /// An account that was made again after this is left alone.
        since: jiff::Timestamp,
    },
    /// Make the accounts that the subject, [`ACCOUNTS_MAP`], still notes. Harmless to repeat.
    RestoreAccounts,
    /// Hand a document to a receiver outside of Kubernetes, which folds repeats by itself.
    Send {
        /// Which receiver.
        sink: Sink,
        /// The document.
        body: serde_json::Value,
    },
}

/// The ConfigMap, in the namespace Kanon runs in, that notes accounts from before they are deleted until they are made again.
pub const ACCOUNTS_MAP: &str = "kanon-accounts";

/// A receiver outside of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sink {
    /// Alertmanager's API v2: the document is a list of alerts, which are the same when their labels are.
    Alertmanager,
    /// The violation log: the document is one line of it.
    Log,
    /// A receiver by HTTP: the document is `{"to": its name, "event": …}`. Repeats have the effect's id.
    Webhook,
}

/// What must hold for a patch, seen in the object as it is and as it would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Guard {
    /// Nothing.
    Free,
    /// A NetworkPolicy lets no more through than before.
    NoWiderPolicy,
}

/// Why an effect is wanted, where a policy's action asks for it: what logs say about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The action as the policy names it.
    #[serde(rename = "type")]
    pub action: &'static str,
    /// The policy.
    pub policy: PolicyRef,
    /// The loop that found the violation.
    pub occasion: &'static str,
    /// The event that the violation was found in.
    pub event_id: String,
    /// The action's parameters.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
}

/// One thing to be done to one subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// Its id.
    pub id: EffectId,
    /// The family that wants it.
    pub family: FamilyId,
    /// What it is done to; effects on one subject are carried out in order.
    pub subject: ObjectRef,
    /// What is done.
    #[serde(flatten)]
    pub action: Action,
    /// The policy's action behind it, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Box<Cause>>,
    /// Says again what decision records say already, so that it needs no record of its own: statuses, reports, repeats.
    #[serde(skip)]
    pub echo: bool,
}

/// How an effect that was not given up ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was carried out.
    Done,
    /// It was carried out on so many things; none is worth telling.
    Count(u32),
    /// The subject is not there: gone, or not there yet.
    Absent,
    /// Another object has the subject's name now.
    Replaced,
}

/// Why an effect did not go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One sentence.
    pub message: String,
    /// The server asks to try again later: a disruption budget is used up. Otherwise it was given up.
    pub later: bool,
    /// The right that is missing, where that is why: a fragment such as ``create `pods/eviction` in namespace `shop` ``.
    pub lacks: Option<String>,
}

impl Failure {
    /// It was given up.
    pub fn given_up(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), later: false, lacks: None }
    }

    /// It is to be tried again later.
    pub fn later(message: impl Into<String>) -> Failure {
        Failure { later: true, ..Failure::given_up(message) }
    }
}

/// How an effect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which effect.
    pub effect: EffectId,
    /// Whose effect.
    pub family: FamilyId,
    /// What it was done to.
    pub subject: ObjectRef,
    /// What came of it.
    pub result: Result<Done, Failure>,
}
