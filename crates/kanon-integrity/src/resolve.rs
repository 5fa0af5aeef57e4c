//! The one decision of this family: which value each setting has, and which layer it comes from. Policy over environment
//! over built-in, field by field (spec/runtime-integrity 1.5); the two thresholds together (1.4).

use serde_json::{Value, json};

use crate::{
    api::{Mode, Sensitivity},
    env::{self, Env, Layer, Profile, names},
    secret::Endpoint,
    validate::{Chain, Policy},
    warning::{self, Warning},
};

/// The layer a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The policy object.
    Crd,
    /// An explicit threshold of the policy object.
    CrdThresholds,
    /// The policy object's preset.
    CrdSensitivity,
    /// An environment variable.
    Env,
    /// Built in.
    Default,
}

impl Source {
    /// The word in `explain`, and in the sidecar's `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Crd => "crd",
            Source::CrdThresholds => "crd.thresholds",
            Source::CrdSensitivity => "crd.sensitivity",
            Source::Env => "env",
            Source::Default => "default",
        }
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sourced<T> {
    /// The value in force.
    pub value: T,
    /// Its layer.
    pub source: Source,
    /// The field path or variable that set it; empty for built-in values.
    pub origin: &'static str,
}

/// The lowest layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// Operating mode.
    pub mode: Mode,
    /// Preset of thresholds that nothing sets.
    pub sensitivity: Sensitivity,
    /// Seconds between isolation and termination.
    pub escalation_delay_sec: u32,
    /// Seconds without a trip that lift an isolation.
    pub recovery_timeout_sec: u32,
    /// Anomaly detection.
    pub ml_detection: bool,
    /// Network audit.
    pub network_audit: bool,
    /// Attestation.
    pub attestation: bool,
    /// How strongly numeric deviations count; larger means fewer findings.
    pub numeric_multiplier: f64,
    /// The same for the profiles `jit` and `database`.
    pub numeric_multiplier_noisy: f64,
}

/// The built-in column of 1.5.
impl Default for Defaults {
    fn default() -> Defaults {
        Defaults {
            mode: Mode::Monitor,
            sensitivity: Sensitivity::Medium,
            escalation_delay_sec: 120,
            recovery_timeout_sec: 60,
            ml_detection: true,
            network_audit: false,
            attestation: true,
            numeric_multiplier: 2.0,
            numeric_multiplier_noisy: 3.0,
        }
    }
}

/// Every setting, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// Operating mode.
    pub mode: Sourced<Mode>,
    /// Threshold for drift from sample to sample.
    pub incremental: Sourced<f64>,
    /// Threshold for drift from the baseline.
    pub cumulative: Sourced<f64>,
    /// Explicit response chain; without one each detection class has its own (3.2).
    pub chain: Sourced<Option<Chain>>,
    /// Seconds between isolation and termination.
    pub escalation_delay_sec: Sourced<u32>,
    /// Seconds without a trip that lift an isolation.
    pub recovery_timeout_sec: Sourced<u32>,
    /// Anomaly detection.
    pub ml_detection: Sourced<bool>,
    /// Network audit.
    pub network_audit: Sourced<bool>,
    /// Attestation.
    pub attestation: Sourced<bool>,
    /// Slack alerts.
    pub slack: Sourced<Option<Endpoint>>,
    /// PagerDuty alerts.
    pub pagerduty: Sourced<Option<Endpoint>>,
    /// How strongly numeric deviations count.
    pub numeric_multiplier: Sourced<f64>,
}

/// One setting as it may be shown: credentials are already left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The setting's name, as in the policy object where it has one.
    pub name: &'static str,
    /// Its value for machines.
    pub value: Value,
    /// Its value for people.
    pub text: String,
    /// Its layer.
    pub source: Source,
    /// The field path or variable that set it; empty for built-in values.
    pub origin: &'static str,
}

/// Resolves every setting of one namespace. A pure function of its arguments; `policy` is none where there is no policy
/// object. Warnings come in a fixed order: environment first, then those that rest on the values.
pub fn resolve(policy: Option<&Policy>, env: &Env, defaults: &Defaults) -> (Effective, Vec<Warning>) {
    let mut warnings = Vec::new();
    let layer = env::read(env, &mut warnings);
    let none = Policy::default();
    let policy = policy.unwrap_or(&none);
    let (incremental, cumulative) = thresholds(policy, &layer, defaults);
    let multiplier = match layer.profile.unwrap_or(Profile::Default) {
        Profile::Default => defaults.numeric_multiplier,
        Profile::Jit | Profile::Database => defaults.numeric_multiplier_noisy,
    };
    let effective = Effective {
        mode: pick(policy.mode, "spec.mode", layer.mode, names::MODE, defaults.mode),
        incremental,
        cumulative,
        chain: layered(policy.chain.clone(), "spec.response.actions", layer.chain, layer.chain_origin),
        escalation_delay_sec: pick(
            policy.escalation_delay_sec,
            "spec.response.escalationDelaySec",
            layer.escalation_delay_sec,
            names::ESCALATION,
            defaults.escalation_delay_sec,
        ),
        recovery_timeout_sec: pick(
            None,
            "",
            layer.recovery_timeout_sec,
            names::RECOVERY,
            defaults.recovery_timeout_sec,
        ),
        ml_detection: pick(
            policy.ml_detection,
            "spec.features.mlDetection",
            layer.ml_detection,
            names::ML,
            defaults.ml_detection,
        ),
        network_audit: pick(
            policy.network_audit,
            "spec.features.networkAudit",
            layer.network_audit,
            names::NETWORK_AUDIT,
            defaults.network_audit,
        ),
        attestation: pick(
            policy.attestation,
            "spec.features.attestation",
            layer.attestation,
            names::ATTESTATION,
            defaults.attestation,
        ),
        slack: layered(policy.slack.clone(), "spec.integrations.slack", layer.slack, names::SLACK),
        pagerduty: layered(policy.pagerduty.clone(), "spec.integrations.pagerduty", layer.pagerduty, names::PAGERDUTY),
        numeric_multiplier: pick(None, "", layer.numeric_multiplier, names::MULTIPLIER, multiplier),
    };
    warning::judge(&effective, &mut warnings);
    (effective, warnings)
}

fn pick<T>(crd: Option<T>, path: &'static str, env: Option<T>, variable: &'static str, built_in: T) -> Sourced<T> {
    let Sourced { value, source, origin } = layered(crd, path, env, variable);
    Sourced { value: value.unwrap_or(built_in), source, origin }
}

fn layered<T>(crd: Option<T>, path: &'static str, env: Option<T>, variable: &'static str) -> Sourced<Option<T>> {
    if crd.is_some() {
        Sourced { value: crd, source: Source::Crd, origin: path }
    } else if env.is_some() {
        Sourced { value: env, source: Source::Env, origin: variable }
    } else {
        Sourced { value: None, source: Source::Default, origin: "" }
    }
}

/// Both thresholds together: one explicit threshold switches the preset off for the other too (1.4).
fn thresholds(policy: &Policy, layer: &Layer, defaults: &Defaults) -> (Sourced<f64>, Sourced<f64>) {
    let has_explicit = policy.incremental.is_some() || policy.cumulative.is_some();
    let preset = policy.sensitivity.filter(|_| !has_explicit).map(Sensitivity::thresholds);
    let built_in = defaults.sensitivity.thresholds();
    let one = |explicit, path, preset: Option<f64>, env, variable, built_in| match (explicit, preset) {
        (Some(value), _) => Sourced { value, source: Source::CrdThresholds, origin: path },
        (None, Some(value)) => Sourced { value, source: Source::CrdSensitivity, origin: "spec.sensitivity" },
        (None, None) => pick(None, "", env, variable, built_in),
    };
    let incremental = one(
        policy.incremental,
        "spec.thresholds.incremental",
        preset.map(|it| it.0),
        layer.incremental,
        names::INCREMENTAL,
        built_in.0,
    );
    let cumulative = one(
        policy.cumulative,
        "spec.thresholds.cumulative",
        preset.map(|it| it.1),
        layer.cumulative,
        names::CUMULATIVE,
        built_in.1,
    );
    (incremental, cumulative)
}

impl Effective {
    /// Every setting in a fixed order, as it may be shown.
    pub fn settings(&self) -> Vec<Setting> {
        let per_class = "per detection class";
        let chain = self.chain.value.as_ref();
        let words: Option<Vec<_>> = chain.map(|it| it.actions().iter().map(|it| it.as_str()).collect());
        let chain_text = words.as_ref().map(|it| if it.is_empty() { "none".into() } else { it.join(", ") });
        vec![
            setting("mode", &self.mode, json!(self.mode.value.as_str())),
            setting("incremental", &self.incremental, json!(self.incremental.value)),
            setting("cumulative", &self.cumulative, json!(self.cumulative.value)),
            Setting {
                text: chain_text.unwrap_or_else(|| per_class.to_owned()),
                ..setting("chain", &self.chain, json!(words))
            },
            setting("escalationDelaySec", &self.escalation_delay_sec, json!(self.escalation_delay_sec.value)),
            setting("recoveryTimeoutSec", &self.recovery_timeout_sec, json!(self.recovery_timeout_sec.value)),
            setting("mlDetection", &self.ml_detection, json!(self.ml_detection.value)),
            setting("networkAudit", &self.network_audit, json!(self.network_audit.value)),
            setting("attestation", &self.attestation, json!(self.attestation.value)),
            endpoint("slack", &self.slack),
            endpoint("pagerduty", &self.pagerduty),
            setting("numericMultiplier", &self.numeric_multiplier, json!(self.numeric_multiplier.value)),
        ]
    }
}

fn setting<T>(name: &'static str, from: &Sourced<T>, value: Value) -> Setting {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Setting { name, text, value, source: from.source, origin: from.origin }
}

fn endpoint(name: &'static str, from: &Sourced<Option<Endpoint>>) -> Setting {
    let shown = from.value.as_ref().map(Endpoint::shown);
    let text = shown.clone().unwrap_or_else(|| "unset".to_owned());
    Setting { text, ..setting(name, from, json!(shown)) }
}
