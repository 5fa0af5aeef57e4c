//! Wire → [`Policy`]: every mistake a user can make, with its field path. A wrong field counts as unset and the others stay
//! in force (spec/runtime-integrity 1.6), so this gives a policy *and* its problems.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::{
        Exclude, Features, Field, Integrations, Mode, PandoCorePolicySpec, Response, ResponseAction, Sensitivity,
        Thresholds,
    },
    secret::{Endpoint, Integration},
};

/// Longest delay before termination, in seconds (seed, "response").
pub const ESCALATION_DELAY_SEC_MAX: u32 = 3600;
/// Most excluded namespaces (1.2).
const NAMESPACES_MAX: usize = 256;
/// Most excluded labels (1.2).
const LABELS_MAX: usize = 64;
/// Longest DNS label, label name and label value.
const LABEL_LEN: usize = 63;
/// Longest DNS subdomain, as before the slash of a label key.
const PREFIX_LEN: usize = 253;

/// A policy behind the door: every value is in its range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// `spec.mode`.
    pub mode: Option<Mode>,
    /// `spec.sensitivity`.
    pub sensitivity: Option<Sensitivity>,
    /// `spec.response.actions`.
    pub chain: Option<Chain>,
    /// `spec.response.escalationDelaySec`.
    pub escalation_delay_sec: Option<u32>,
    /// `spec.thresholds.incremental`, 0 to 1.
    pub incremental: Option<f64>,
    /// `spec.thresholds.cumulative`, 0 to 1.
    pub cumulative: Option<f64>,
    /// `spec.features.mlDetection`.
    pub ml_detection: Option<bool>,
    /// `spec.features.networkAudit`.
    pub network_audit: Option<bool>,
    /// `spec.features.attestation`.
    pub attestation: Option<bool>,
    /// `spec.integrations.slack`.
    pub slack: Option<Endpoint>,
    /// `spec.integrations.pagerduty`.
    pub pagerduty: Option<Endpoint>,
    /// `spec.exclude.namespaces`.
    pub exclude_namespaces: Vec<String>,
    /// `spec.exclude.labels`.
    pub exclude_labels: BTreeMap<String, String>,
}

/// A response chain in its fixed order of execution, each stage at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    actions: Vec<ResponseAction>,
    reordered: bool,
}

impl Chain {
    /// A chain from the stages as written; nothing when a stage is named twice.
    pub fn new(written: &[ResponseAction]) -> Option<Chain> {
        let actions: Vec<_> = written.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        (actions.len() == written.len()).then(|| Chain { reordered: actions != written, actions })
    }

    /// The stages, in order of execution; none means evidence only.
    pub fn actions(&self) -> &[ResponseAction] {
        &self.actions
    }

    /// Whether they were written in another order.
    pub fn is_reordered(&self) -> bool {
        self.reordered
    }

    /// Whether a stage is part of it.
    pub fn contains(&self, action: ResponseAction) -> bool {
        self.actions.contains(&action)
    }
}

/// A field that does not count, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path from the object's root, such as `spec.thresholds.incremental`.
    pub path: String,
    /// What it should have been; never quotes the value, which may be a credential.
    pub message: String,
}

/// Reads a policy field by field.
pub fn validate(spec: &PandoCorePolicySpec) -> (Policy, Vec<Problem>) {
    let mut check = Check::default();
    let mut policy = Policy {
        mode: check.field("spec.mode", &spec.mode, "must be `monitor`, `alert`, `enforce` or `debug`"),
        sensitivity: check.field("spec.sensitivity", &spec.sensitivity, "must be `low`, `medium` or `high`"),
        ..Policy::default()
    };
    check.response(&spec.response, &mut policy);
    check.thresholds(&spec.thresholds, &mut policy);
    check.features(&spec.features, &mut policy);
    check.integrations(&spec.integrations, &mut policy);
    check.exclude(&spec.exclude, &mut policy);
    (policy, check.problems)
}

const OBJECT: &str = "must be an object";

#[derive(Default)]
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn problem(&mut self, path: impl Into<String>, message: &str) {
        self.problems.push(Problem { path: path.into(), message: message.to_owned() });
    }

    fn field<T: Clone>(&mut self, path: &str, field: &Field<T>, expected: &str) -> Option<T> {
        self.parse(path, field, expected, |value| Some(value.clone()))
    }

    fn parse<T, U>(
        &mut self,
        path: &str,
        field: &Field<T>,
        expected: &str,
        parse: impl Fn(&T) -> Option<U>,
    ) -> Option<U> {
        let parsed = match field {
            Field::Unset => return None,
            Field::Set(value) => parse(value),
            Field::Invalid => None,
        };
        if parsed.is_none() {
            self.problem(path, expected);
        }
        parsed
    }

    fn response(&mut self, field: &Field<Response>, policy: &mut Policy) {
        let Some(Response { actions, escalation_delay_sec }) = self.field("spec.response", field, OBJECT) else {
            return;
        };
        let expected = "must be a list of `alert`, `isolate`, `terminate`, each at most once";
        policy.chain = self.parse("spec.response.actions", &actions, expected, |it| Chain::new(it));
        let path = "spec.response.escalationDelaySec";
        policy.escalation_delay_sec =
            self.parse(path, &escalation_delay_sec, "must be a whole number from 0 to 3600", |it| {
                u32::try_from(*it).ok().filter(|it| *it <= ESCALATION_DELAY_SEC_MAX)
            });
    }

    fn thresholds(&mut self, field: &Field<Thresholds>, policy: &mut Policy) {
        let Some(Thresholds { incremental, cumulative }) = self.field("spec.thresholds", field, OBJECT) else { return };
        let share = |it: &f64| (0.0..=1.0).contains(it).then_some(*it);
        let expected = "must be a number from 0.0 to 1.0";
        policy.incremental = self.parse("spec.thresholds.incremental", &incremental, expected, share);
        policy.cumulative = self.parse("spec.thresholds.cumulative", &cumulative, expected, share);
    }

    fn features(&mut self, field: &Field<Features>, policy: &mut Policy) {
        let Some(features) = self.field("spec.features", field, OBJECT) else { return };
        let Features { ml_detection, network_audit, attestation } = features;
        let expected = "must be `true` or `false`";
        policy.ml_detection = self.field("spec.features.mlDetection", &ml_detection, expected);
        policy.network_audit = self.field("spec.features.networkAudit", &network_audit, expected);
        policy.attestation = self.field("spec.features.attestation", &attestation, expected);
    }

    fn integrations(&mut self, field: &Field<Integrations>, policy: &mut Policy) {
        let Some(Integrations { slack, pagerduty }) = self.field("spec.integrations", field, OBJECT) else { return };
        let mut read =
            |path, field, kind: Integration| self.parse(path, field, kind.expected(), |text: &String| kind.parse(text));
        policy.slack = read("spec.integrations.slack", &slack, Integration::Slack);
        policy.pagerduty = read("spec.integrations.pagerduty", &pagerduty, Integration::PagerDuty);
    }

    fn exclude(&mut self, field: &Field<Exclude>, policy: &mut Policy) {
        let Some(Exclude { namespaces, labels }) = self.field("spec.exclude", field, OBJECT) else { return };
        let (path, expected) = ("spec.exclude.namespaces", "must be a list of at most 256 namespace names");
        let few = |it: &Vec<String>| (it.len() <= NAMESPACES_MAX).then(|| it.clone());
        for (at, name) in self.parse(path, &namespaces, expected, few).unwrap_or_default().into_iter().enumerate() {
            if is_dns_label(&name) {
                policy.exclude_namespaces.push(name);
            } else {
                self.problem(format!("{path}[{at}]"), "must be a namespace name");
            }
        }
        let (path, expected) = ("spec.exclude.labels", "must be a map of at most 64 labels");
        let few = |it: &BTreeMap<String, String>| (it.len() <= LABELS_MAX).then(|| it.clone());
        for (key, value) in self.parse(path, &labels, expected, few).unwrap_or_default() {
            if is_label_key(&key) && is_label_value(&value) {
                policy.exclude_labels.insert(key, value);
            } else {
                self.problem(format!("{path}[{key}]"), "must be a label key with a label value");
            }
        }
    }
}

/// RFC 1123 label: a namespace's name.
fn is_dns_label(text: &str) -> bool {
    let alphanumeric = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    text.len() <= LABEL_LEN && edges_and_middle(text, alphanumeric, |it| it == b'-')
}

/// `[prefix/]name` of a label.
fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_label_name(text),
        Some((prefix, name)) => {
            prefix.len() <= PREFIX_LEN && prefix.split('.').all(is_dns_label) && is_label_name(name)
        }
    }
}

fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_label_name(text)
}

fn is_label_name(text: &str) -> bool {
    text.len() <= LABEL_LEN
        && edges_and_middle(text, |it| it.is_ascii_alphanumeric(), |it| matches!(it, b'-' | b'_' | b'.'))
}

fn edges_and_middle(text: &str, edge: impl Fn(u8) -> bool, middle: impl Fn(u8) -> bool) -> bool {
    let ends = [text.bytes().next(), text.bytes().next_back()];
    ends.into_iter().all(|it| it.is_some_and(&edge)) && text.bytes().all(|it| edge(it) || middle(it))
}
