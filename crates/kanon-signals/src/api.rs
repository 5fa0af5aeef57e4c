//! Names and documents that others know: where policies are found, and what they are asked about. The only wire types of
//! the family.

mod approval;
mod classification;
mod known;
mod read;
mod resources;

use kanon_core::Kind;

pub use approval::{ApprovalInput, Business, DetectedLabels, Resource};
pub use classification::{ClassificationInput, Namespace, Owner, Signal, Workload};
pub use read::InputError;

/// ConfigMap and key of the classification policy (5.1); the key is its name in the policy folder too.
pub const CLASSIFICATION_MAP: &str = "signalprocessing-policy";
/// The key of the classification policy.
pub const CLASSIFICATION_KEY: &str = "policy.rego";
/// ConfigMap of the approval policy; documents also call it by the second name.
pub const APPROVAL_MAPS: [&str; 2] = ["aianalysis-policies", "aianalysis-rego"];
/// The key of the approval policy.
pub const APPROVAL_KEY: &str = "approval.rego";
/// ConfigMap of the signal modes (2), read once.
pub const MODES_MAP: &str = "signalprocessing-proactive-signal-mappings";
/// The key of the signal modes.
pub const MODES_KEY: &str = "proactive-signal-mappings.yaml";
/// A policy's own examples, beside it in its ConfigMap: a list of inputs and what is expected of them (5.4).
pub const TESTS_KEY: &str = "policy_test.yaml";
/// Where policies are found besides in Kanon's own namespace.
pub const USUAL_NAMESPACE: &str = "kubernaut-system";

/// Group and version of the family's objects.
pub const API_VERSION: &str = "kubernaut.ai/v1alpha1";
/// The kind that classification fills in.
pub const SIGNAL_PROCESSING: &str = "SignalProcessing";
/// The kind that approval looks at.
pub const AI_ANALYSIS: &str = "AIAnalysis";

/// ConfigMaps: the only kind that the family reads, in its namespaces.
pub fn config_map() -> Kind {
    Kind::namespaced("", "v1", "ConfigMap", "configmaps")
}
