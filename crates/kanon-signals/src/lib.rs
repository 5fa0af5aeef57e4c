//! Signals: the policies that classify an alert and that say whether a person must approve its remediation. They are Rego
//! programs in ConfigMaps (or files of the policy folder), besides a table that tells incidents to come from incidents.
//!
//! Flow: text → checked and tried policy (`validate`) → [`SignalsView`], one immutable snapshot of policy, hash and history
//! → [`SignalsView::classify`], [`SignalsView::decide`]. Offline commands, controllers and tests ask these two.
//!
//! A broken edit never replaces a policy in force. What is in force is remembered in a ConfigMap of Kanon's own
//! (`memory`), so that a restart does not change it. Where nothing good is known, nothing is guessed: classification says
//! `not loaded`, and every remediation needs approval.

pub mod api;
mod approve;
mod ask;
mod classify;
mod family;
mod labels;
mod memory;
mod mode;
mod place;
mod policy;
mod slot;
mod validate;
mod view;

pub use approve::{Approval, Approver, RiskFactor};
pub use classify::{Classification, Classifier, Environment, FailureKind, Labels, LabelsSource, Priority, RuleFailure};
pub use family::{Settings, SignalsFamily};
pub use mode::{ModeError, SignalMode, SignalModes};
pub use place::Place;
pub use policy::{Loaded, Surface};
pub use slot::{Problem, State};
pub use validate::{Checked, check, surface_of};
pub use view::{ModesState, SignalsView};

/// The family's name.
pub const FAMILY: kanon_core::FamilyId = kanon_core::FamilyId("signals");

/// The classification policy of this version (spec/signal-approval 1.5).
pub const CLASSIFICATION_POLICY: &str = include_str!("../policies/classification.rego");
/// The approval policy of this version (3.3).
pub const APPROVAL_POLICY: &str = include_str!("../policies/approval.rego");
/// The signal modes of this version (2).
pub const SIGNAL_MODES: &str = include_str!("../policies/signal-modes.yaml");
