//! What the plane wants done. Families describe effects; shells carry them out and report back ([`Delivery`]).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    names::{FamilyId, Kind, ObjectRef},
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
    /// Nothing, or why it was given up: one sentence.
    pub result: Result<(), String>,
}
