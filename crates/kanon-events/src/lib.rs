//! What happens to running workloads by way of the API: `kubectl exec`, reading of secrets, changes of rights, and the like
//! (spec/rules 7). Two sources tell of it, the API server's audit events and reviews of admission; both become an [`Event`].
//!
//! Flow: body of an audit webhook or line of an audit log → [`read`] → [`of_audit`]; a review → [`of_review`]; then the [`Desk`],
//! which passes over what nobody wants to hear of and lets each event through once. Pure: the time is an argument. It knows
//! Kubernetes' audit vocabulary, and neither rules nor families.

mod audit;
mod class;
mod desk;
mod event;
mod options;
mod passed_over;
mod review;

use kanon_core::{Figure, FigureKind};

pub use audit::{ReadError, of_audit, read};
pub use class::{Class, UnknownClass};
pub use desk::{Desk, Fate, WINDOW};
pub use event::{Event, Source};
pub use passed_over::{Own, PassedOver, Pattern, PatternError};
pub use review::{asks_about_parent, is_event, of_review};

/// Events by what became of them (spec/rules 9.3).
pub const EVENTS: Figure = Figure {
    name: "portal_runtime_events_total",
    kind: FigureKind::Counter,
    help: "Events of running workloads by class and by what became of them",
    labels: &["class", "result"],
};

/// The class of what is counted before anybody knows it: bodies and lines that are no events, and events without room.
pub const ANY: &str = "*";

/// What becomes of an event: the values of the label `result`.
pub mod results {
    /// A rule was violated.
    pub const VIOLATION: &str = "violation";
    /// Rules were asked, and none was violated.
    pub const CLEAN: &str = "clean";
    /// No rule is about it.
    pub const UNMATCHED: &str = "unmatched";
    /// It was told before, by this source or the other.
    pub const DUPLICATE: &str = "duplicate";
    /// Its user is one whose events are passed over.
    pub const IGNORED: &str = "ignored";
    /// There was no room for it.
    pub const DROPPED: &str = "dropped";
    /// It cannot be read.
    pub const ERROR: &str = "error";
}
