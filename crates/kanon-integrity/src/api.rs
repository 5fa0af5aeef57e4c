//! The custom resource as users write it: group `pandocore.xyz`, version `v1alpha1`, kind `PandoCorePolicy`
//! (spec/runtime-integrity 1.1, 1.2). The only serde in the crate.
//!
//! A value of the wrong type makes its own field [`Field::Invalid`] and nothing else: the sidecar keeps every valid
//! field of a policy (1.6). The offending text is not kept, since it may be a credential in the wrong place.

mod crd;

use std::collections::BTreeMap;

use kanon_core::{FamilyId, Kind};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

pub use crd::crds;

/// The family's name.
pub const FAMILY: FamilyId = FamilyId("integrity");
/// API group.
pub const GROUP: &str = "pandocore.xyz";
/// API version.
pub const VERSION: &str = "v1alpha1";
/// Kind of the policy object.
pub const KIND: &str = "PandoCorePolicy";
/// Plural of the resource.
pub const PLURAL: &str = "pandocorepolicies";
/// Singular of the resource.
pub const SINGULAR: &str = "pandocorepolicy";
/// Short name, as in `kubectl get pcp`.
pub const SHORT_NAME: &str = "pcp";
/// The one name that counts in a namespace.
pub const POLICY_NAME: &str = "default";

/// The kind with its place in the API.
pub fn kind() -> Kind {
    Kind::namespaced(GROUP, VERSION, KIND, PLURAL)
}

/// A field as found: absent or null, readable, or of the wrong type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Absent or `null`.
    #[default]
    Unset,
    /// A value of the right type; `false`, `0`, `""` and `[]` are values.
    Set(T),
    /// A value of another type.
    Invalid,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        if value.is_null() {
            return Ok(Field::Unset);
        }
        Ok(serde_json::from_value(value).map_or(Field::Invalid, Field::Set))
    }
}

/// `spec`; unknown members are ignored, as the API server prunes them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PandoCorePolicySpec {
    /// Operating mode.
    pub mode: Field<Mode>,
    /// Preset of both thresholds.
    pub sensitivity: Field<Sensitivity>,
    /// Response chain.
    pub response: Field<Response>,
    /// Explicit thresholds, which switch the preset off.
    pub thresholds: Field<Thresholds>,
    /// Feature toggles.
    pub features: Field<Features>,
    /// Where alerts go.
    pub integrations: Field<Integrations>,
    /// Pods that are not injected.
    pub exclude: Field<Exclude>,
}

/// What is done about a detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Detect and log only.
    Monitor,
    /// Detect, log and alert.
    Alert,
    /// The full response chain.
    Enforce,
    /// As `monitor`, with verbose logs.
    Debug,
}

impl Mode {
    /// All modes.
    pub const ALL: [Mode; 4] = [Mode::Monitor, Mode::Alert, Mode::Enforce, Mode::Debug];

    /// The word users write.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Monitor => "monitor",
            Mode::Alert => "alert",
            Mode::Enforce => "enforce",
            Mode::Debug => "debug",
        }
    }
}

/// A preset of both thresholds; `high` is the strictest (ruling X1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    /// Noisy workloads, batch jobs.
    Low,
    /// General purpose.
    Medium,
    /// Security-critical services.
    High,
}

impl Sensitivity {
    /// All presets.
    pub const ALL: [Sensitivity; 3] = [Sensitivity::Low, Sensitivity::Medium, Sensitivity::High];

    /// Incremental and cumulative threshold (seed, "Sensitivity Presets").
    pub fn thresholds(self) -> (f64, f64) {
        match self {
            Sensitivity::Low => (0.25, 0.60),
            Sensitivity::Medium => (0.15, 0.45),
            Sensitivity::High => (0.10, 0.30),
        }
    }
}

/// `spec.response`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Response {
    /// Stages of the chain.
    pub actions: Field<Vec<ResponseAction>>,
    /// Seconds between isolation and termination.
    pub escalation_delay_sec: Field<i64>,
}

/// One stage of the response chain; the order of the variants is the fixed order of execution (3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseAction {
    /// Tell people.
    Alert,
    /// Cut the pod off.
    Isolate,
    /// End the pod.
    Terminate,
}

impl ResponseAction {
    /// All stages, in order of execution.
    pub const ALL: [ResponseAction; 3] = [ResponseAction::Alert, ResponseAction::Isolate, ResponseAction::Terminate];

    /// The word users write.
    pub fn as_str(self) -> &'static str {
        match self {
            ResponseAction::Alert => "alert",
            ResponseAction::Isolate => "isolate",
            ResponseAction::Terminate => "terminate",
        }
    }
}

/// `spec.thresholds`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// Drift from sample to sample, 0 to 1.
    pub incremental: Field<f64>,
    /// Drift from the baseline, 0 to 1.
    pub cumulative: Field<f64>,
}

/// `spec.features`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Features {
    /// Anomaly detection by a learned model.
    pub ml_detection: Field<bool>,
    /// Audit of network connections.
    pub network_audit: Field<bool>,
    /// Periodic attestation.
    pub attestation: Field<bool>,
}

/// `spec.integrations`. Holds credentials as text for the moment between decoding and validation; hence no `Debug`.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Integrations {
    /// Slack's incoming-webhook URL.
    pub slack: Field<String>,
    /// PagerDuty's routing key.
    pub pagerduty: Field<String>,
}

impl std::fmt::Debug for Integrations {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Integrations(<redacted>)")
    }
}

/// `spec.exclude`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Exclude {
    /// Namespaces whose pods are not injected.
    pub namespaces: Field<Vec<String>>,
    /// Labels any of which keeps a pod from being injected.
    pub labels: Field<BTreeMap<String, String>>,
}
