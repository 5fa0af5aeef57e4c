//! Audit (`audit.k8s.io/v1`): which requests a [`Policy`] wants recorded and how fully, and the [`Event`] that tells one
//! stage of a request.
//!
//! Here is what is said; when it is said, and to whom it goes, is the shell's. Nothing here reads a clock or waits.

mod event;
mod policy;

pub use event::{Event, Head, ObjectReference, Outcome, Sent, list};
pub use policy::{Decision, Level, Policy, PolicyError, Problem, Stage};

/// Annotation: what authorization decided, [`ALLOW`] or [`FORBID`].
pub const DECISION: &str = "authorization.k8s.io/decision";
/// Annotation: why.
pub const REASON: &str = "authorization.k8s.io/reason";
/// The value of [`DECISION`] for requests that go ahead.
pub const ALLOW: &str = "allow";
/// The value of [`DECISION`] for those that do not.
pub const FORBID: &str = "forbid";

/// Annotation: the event was too large, and is told without bodies.
pub const TRUNCATED: &str = "audit.k8s.io/truncated";
/// Annotations with this prefix hold patches of webhooks: only events that show request bodies have them.
pub const PATCH_PREFIX: &str = "patch.webhook.admission.k8s.io/";

#[cfg(test)]
mod tests;
