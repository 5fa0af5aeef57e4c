//! The wire form of rules, spelled as upstream: group `portal.io`, version `v1alpha1`.
//!
//! The same `spec` is used by both kinds and by rule files, whose keys stand at the top level (seed, "Rule schema").

pub(crate) mod crds;
pub(crate) mod exceptions;
mod reports;

use kanon_core::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crds::crds;
pub use exceptions::{CLUSTER_EXCEPTION, EXCEPTION, cluster_exception, exception, is_exception};
pub(crate) use reports::{OPEN_REPORTS_GROUP, WG_POLICY_GROUP};
pub use reports::{cluster_open_report, cluster_policy_report, open_report, policy_report};

/// API group of both kinds.
pub const GROUP: &str = "portal.io";
/// API version of both kinds.
pub const VERSION: &str = "v1alpha1";
/// The cluster-wide kind.
pub const CLUSTER_RULE: &str = "PortalClusterRule";
/// The namespaced kind.
pub const RULE: &str = "PortalRule";
/// Annotation on a Namespace that switches admission off for it when `true` (spec/rules 4.2).
pub const BYPASS_ANNOTATION: &str = "portal.io/bypass";

/// PortalClusterRule with its path.
pub fn cluster_rule() -> Kind {
    Kind::cluster(GROUP, VERSION, CLUSTER_RULE, "portalclusterrules")
}

/// PortalRule with its path.
pub fn portal_rule() -> Kind {
    Kind::namespaced(GROUP, VERSION, RULE, "portalrules")
}

/// `spec` of a rule. Everything that may be absent has its zero value, as in the Go types.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleSpec {
    /// Logical identifier.
    pub name: String,
    /// Kill switch; absent in a file means `false`.
    pub enabled: bool,
    /// `info`, `low`, `medium`, `high`, `critical` or empty.
    pub severity: String,
    /// Loops that evaluate it.
    pub mode: Vec<String>,
    /// `deny`, `warn`, `dryrun` or empty.
    pub enforcement_action: String,
    /// Which objects it is about.
    #[serde(rename = "match")]
    pub matcher: MatcherSpec,
    /// The expression.
    pub rule: String,
    /// Shorthand for one `alertmanager` action.
    pub alert: String,
    /// Response actions.
    pub actions: Vec<ActionSpec>,
    /// Text of a finding, with `{{ expression }}` parts (our extension, spec/rules 1.11).
    pub message: String,
    /// `skip`, `warn` or `deny` (our extension, spec/rules 2.10).
    pub on_error: String,
    /// `standard`, `init`, `ephemeral`; none means all (our extension, spec/rules 1.11).
    pub container_types: Vec<String>,
    /// `enforce` or `tolerate` (our extension, spec/rules 4.7).
    pub preexisting: String,
    /// How long an object must be clean before its finding ends, such as `10m` (our extension, spec/rules 1.11).
    pub resolve_after: String,
    /// Whose exceptions count: `cluster` or `namespaced` (our extension, spec/rules 14.8).
    pub exceptions: String,
    /// Cases that the command line runs, and nothing else looks at (our extension, spec/rules 1.11).
    pub tests: Vec<Value>,
    /// Which events of running workloads (our extension, spec/rules 7.3).
    pub runtime: RuntimeSpec,
}

/// `spec.match`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MatcherSpec {
    /// Kinds.
    pub gvk: Vec<KindSpec>,
    /// Namespaces.
    pub namespaces: NamespacesSpec,
    /// By the object's labels (our extensions from here on, spec/rules 1.11).
    pub label_selector: Value,
    /// By the labels of its Namespace.
    pub namespace_selector: Value,
    /// Names, with `*` and `?`.
    pub names: Vec<String>,
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT`.
    pub operations: Vec<String>,
    /// Who asks.
    pub subjects: SubjectsMatch,
}

/// `spec.match.subjects`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubjectsMatch {
    /// Only requests of these.
    pub include: SubjectsSpec,
    /// Not those of these; wins over `include`.
    pub exclude: SubjectsSpec,
}

/// Users and what they belong to, with `*` and `?`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubjectsSpec {
    /// User names.
    pub users: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Service accounts as `namespace/name`.
    pub service_accounts: Vec<String>,
}

/// `spec.runtime`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeSpec {
    /// Classes of events; none means all on the rule's kinds.
    pub events: Vec<String>,
    /// Requests that were refused or failed, too.
    pub include_denied: bool,
}

/// An entry of `spec.match.gvk`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KindSpec {
    /// API group; empty for core.
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind.
    pub kind: String,
}

/// `spec.match.namespaces`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamespacesSpec {
    /// Only these.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

/// An entry of `spec.actions`; parameters stand beside `type` or under `params` (spec/rules 1.4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActionSpec {
    /// The action's type.
    #[serde(rename = "type")]
    pub action: String,
    /// Loops whose violations run it.
    pub on: Vec<String>,
    /// `<N>/<unit>`.
    pub rate_limit: String,
    /// Nested parameters; they win over inline ones.
    pub params: Map<String, Value>,
    /// Inline parameters.
    #[serde(flatten)]
    pub inline: Map<String, Value>,
}
