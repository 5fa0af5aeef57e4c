//! Wire types: the fields that this version reads, all optional here; the schema and `validate` say what must be there.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `PolicyGate.spec`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PolicyGateSpec {
    /// CEL.
    pub expression: String,
    /// Shown when the gate blocks.
    pub message: String,
    /// A Go duration.
    pub recheck_interval: String,
    /// `pre-deploy` or `post-deploy`.
    pub when: String,
    /// Without effect; lint says so (2.6.3).
    pub skip_permission: bool,
    /// Environments or patterns of them.
    pub applies_to: Vec<String>,
    /// Restricts the gate to Pipelines with these labels.
    pub selector: Option<LabelSelector>,
    /// Recorded exceptions.
    pub overrides: Vec<OverrideSpec>,
    /// Zone of `schedule.local`.
    pub timezone: String,
    /// Unit tests (4.4.3), as written.
    pub tests: Vec<serde_json::Value>,
    /// `Enforce` or `Warn`.
    pub mode: String,
}

/// A Kubernetes label selector.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must have these values.
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions.
    pub match_expressions: Vec<LabelExpression>,
}

/// One condition of a label selector.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LabelExpression {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`.
    pub operator: String,
    /// For the first two.
    pub values: Vec<String>,
}

/// One of `PolicyGate.spec.overrides`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OverrideSpec {
    /// Why.
    pub reason: String,
    /// Environment; empty for all.
    pub stage: String,
    /// Last instant at which it counts.
    pub expires_at: String,
    /// Who made it.
    pub created_by: String,
    /// Pipeline; empty for all.
    pub pipeline: String,
    /// Bundle; empty for all.
    pub bundle: String,
    /// When it was taken back; empty while it was not.
    pub revoked_at: String,
}

/// `Pipeline.spec`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PipelineSpec {
    /// In order.
    pub environments: Vec<EnvironmentSpec>,
    /// Gates that must be among those collected.
    pub policy_gates: Vec<ObjectName>,
    /// Further namespaces with gates.
    pub policy_namespaces: Vec<String>,
    /// Suspended.
    pub paused: bool,
}

/// A reference by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ObjectName {
    /// Name.
    pub name: String,
    /// Namespace; empty for the referrer's.
    pub namespace: String,
}

/// One of `Pipeline.spec.environments`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvironmentSpec {
    /// Name.
    pub name: String,
    /// `auto` or `pr-review`.
    pub approval: String,
    /// Explicit edges.
    pub depends_on: Vec<String>,
    /// Wave number.
    pub wave: Option<u32>,
    /// For expressions.
    pub labels: BTreeMap<String, String>,
    /// Other spelling of `approval: pr-review`.
    pub pr: bool,
}

/// `Bundle.spec`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BundleSpec {
    /// `image`, `config` or `mixed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Pipeline in the same namespace.
    pub pipeline: String,
    /// What to deploy.
    pub images: Vec<Image>,
    /// A commit to deploy.
    pub config_ref: ConfigRef,
    /// Where it comes from.
    pub provenance: Provenance,
    /// How far it goes.
    pub intent: Intent,
}

/// One image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Image {
    /// Without tag.
    pub repository: String,
    /// Tag.
    pub tag: String,
    /// Digest.
    pub digest: String,
}

/// `Bundle.spec.configRef`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigRef {
    /// The commit.
    #[serde(rename = "commitSHA")]
    pub commit_sha: String,
}

/// `Bundle.spec.provenance`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Provenance {
    /// Source commit.
    #[serde(rename = "commitSHA")]
    pub commit_sha: String,
    /// Link to the build.
    #[serde(rename = "ciRunURL")]
    pub ci_run_url: String,
    /// Who started it.
    pub author: String,
    /// When.
    pub timestamp: String,
    /// The Bundle that is reverted.
    pub rollback_of: String,
}

/// `Bundle.spec.intent`, in both spellings (1.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Intent {
    /// The seed's spelling.
    pub target: String,
    /// The source's.
    pub target_environment: String,
    /// The seed's spelling.
    pub skip: Vec<String>,
    /// The source's.
    pub skip_environments: Vec<String>,
}

/// `Bundle.status`, as far as gates read it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BundleStatus {
    /// Phase of the whole.
    pub phase: String,
    /// One entry for each environment.
    pub environments: Vec<EnvironmentStatus>,
}

/// One of `Bundle.status.environments`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvironmentStatus {
    /// Name.
    pub name: String,
    /// Phase of the step.
    pub phase: String,
    /// When it was first verified.
    pub health_checked_at: String,
    /// As somebody wrote it once.
    pub soak_minutes: Option<i64>,
}

/// `ChangeWindow.spec`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ChangeWindowSpec {
    /// `blackout` or `recurring`.
    #[serde(rename = "type")]
    pub kind: String,
    /// First instant of a blackout.
    pub start: String,
    /// Instant after its last.
    pub end: String,
    /// For people.
    pub reason: String,
    /// When changes are allowed.
    pub schedule: Option<WindowSchedule>,
}

/// `ChangeWindow.spec.schedule`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WindowSchedule {
    /// IANA name; UTC when empty.
    pub timezone: String,
    /// `Mon` … `Sun`; all when empty.
    pub allowed_days: Vec<String>,
    /// `HH:MM-HH:MM`; all day when empty.
    pub allowed_hours: String,
}

/// `ScheduleClock.spec`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ScheduleClockSpec {
    /// A Go duration.
    pub interval: String,
}

/// `MetricCheck.spec`, as far as gates read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MetricCheckSpec {
    /// A Go duration.
    pub interval: String,
    /// Where it may be read; everywhere when empty.
    pub environment: String,
}

/// `MetricCheck.status`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MetricStatus {
    /// The number as text.
    pub last_value: String,
    /// When it was measured.
    pub last_evaluated_at: String,
    /// `Pass` or `Fail`.
    pub result: String,
}
