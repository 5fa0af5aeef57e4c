//! Made-up conditions: what a test case, `--context` or the flags of `simulate` say about the inputs (spec/promotion-gates
//! 4.4.2, 4.4.3). What they do not say stays as it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    api::{Image, Provenance},
    gate::Gate,
    inputs::{Inputs, PullRequests, Soaking, Upstream},
    metric::Metric,
    window::Window,
};

/// Conditions; every part may be left out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// When: as `--time` takes it.
    pub time: Option<String>,
    /// The Bundle.
    pub bundle: BundleGiven,
    /// The target.
    pub environment: EnvironmentGiven,
    /// Metrics by name.
    pub metrics: BTreeMap<String, MetricGiven>,
    /// History and soak by environment.
    pub upstream: BTreeMap<String, UpstreamGiven>,
    /// `bundle.upstreamSoakMinutes`.
    pub soak_minutes: Option<i64>,
    /// Pull requests by stage.
    pub pr: BTreeMap<String, PullGiven>,
    /// Whether windows block, by name.
    pub changewindow: BTreeMap<String, bool>,
    /// What was there before.
    pub previous_bundle: Option<PreviousGiven>,
}

/// `bundle`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleGiven {
    /// Name.
    pub name: Option<String>,
    /// Type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Images.
    pub images: Option<Vec<Image>>,
    /// Labels, besides those that are there.
    pub labels: BTreeMap<String, String>,
    /// Annotations, besides those that are there.
    pub annotations: BTreeMap<String, String>,
    /// Where it comes from; the whole of it.
    pub provenance: Option<Provenance>,
    /// How far it goes.
    pub intent: Option<IntentGiven>,
}

/// `bundle.intent`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntentGiven {
    /// Target.
    pub target: String,
    /// Left out.
    pub skip: Vec<String>,
}

/// `environment`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvironmentGiven {
    /// Name.
    pub name: Option<String>,
    /// `auto` or `pr-review`.
    pub approval: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A metric: its value alone, or with its result.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum MetricGiven {
    /// The value.
    Number(f64),
    /// More.
    Full {
        /// A number, or text as the status has it; empty where the query failed.
        #[serde(default)]
        value: Option<serde_json::Value>,
        /// `Pass` or `Fail`.
        #[serde(default)]
        result: String,
        /// How long ago it was measured.
        #[serde(default, rename = "ageMinutes")]
        age_minutes: Option<i64>,
    },
}

/// `upstream.<env>`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamGiven {
    /// How long ago the Bundle was verified there.
    pub verified_minutes_ago: Option<i64>,
    /// The same in seconds, where minutes are too coarse.
    pub verified_seconds_ago: Option<i64>,
    /// The same as minutes of soak.
    pub soak_minutes: Option<i64>,
    /// Of the last ten.
    pub recent_success_count: Option<i64>,
    /// Of the last ten.
    pub recent_failure_count: Option<i64>,
    /// Of the last ten.
    pub recent_abort_count: Option<i64>,
    /// Of the last ten.
    pub recent_rollback_count: Option<i64>,
    /// RFC 3339.
    pub last_promoted_at: Option<String>,
    /// What is there.
    pub version: Option<String>,
    /// Phase of the Bundle.
    pub phase: Option<String>,
}

/// `bundle.pr.<stage>`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct PullGiven {
    /// Approved.
    pub is_approved: bool,
    /// By how many.
    pub approval_count: i64,
}

/// `previousBundle`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreviousGiven {
    /// Its version.
    pub version: String,
}

impl Scenario {
    /// Puts the conditions over the inputs, as of `now`.
    pub fn apply(&self, inputs: &mut Inputs, now: Timestamp) {
        self.apply_bundle(inputs);
        let environment = &mut inputs.environment;
        replace(&mut environment.name, self.environment.name.as_ref());
        replace(&mut environment.approval, self.environment.approval.as_ref());
        environment.labels.extend(self.environment.labels.clone());
        if !self.metrics.is_empty() {
            let metrics = ready(&mut inputs.metrics);
            metrics.extend(self.metrics.iter().map(|(name, it)| (name.clone(), it.metric(now))));
        }
        if !self.upstream.is_empty() {
            let upstream = ready(&mut inputs.upstream);
            for (name, given) in &self.upstream {
                given.apply(upstream.entry(name.clone()).or_default(), now);
            }
        }
        if let Some(minutes) = self.soak_minutes {
            // The direct upstreams are given this soak; without one there is one for the purpose.
            let names = match &inputs.soaking {
                Soaking::Direct(names) if !names.is_empty() => names.clone(),
                Soaking::Direct(_) | Soaking::AllBut(_) => vec!["upstream".to_owned()],
            };
            let upstream = ready(&mut inputs.upstream);
            for name in &names {
                let it = upstream.entry(name.clone()).or_default();
                it.verified_at = Some(Inputs::before(now, minutes));
            }
            inputs.soaking = Soaking::Direct(names);
        }
        if !self.pr.is_empty() {
            let pr = ready(&mut inputs.pr);
            for (stage, it) in &self.pr {
                pr.known.insert(stage.clone(), (it.is_approved, it.approval_count));
            }
        }
        if !self.changewindow.is_empty() {
            let windows = Arc::make_mut(ready(&mut inputs.windows));
            windows.extend(self.changewindow.iter().map(|(name, active)| (name.clone(), Window::fixed(*active))));
        }
        if let Some(previous) = &self.previous_bundle {
            inputs.previous = Ok(Some(previous.version.clone()));
        }
    }

    fn apply_bundle(&self, inputs: &mut Inputs) {
        let (bundle, given) = (Arc::make_mut(&mut inputs.bundle), &self.bundle);
        replace(&mut bundle.name, given.name.as_ref());
        replace(&mut bundle.kind, given.kind.as_ref());
        replace(&mut bundle.version, given.version.as_ref());
        replace(&mut bundle.images, given.images.as_ref());
        replace(&mut bundle.provenance, given.provenance.as_ref());
        bundle.labels.extend(given.labels.clone());
        bundle.annotations.extend(given.annotations.clone());
        if let Some(intent) = &given.intent {
            bundle.target = intent.target.clone();
            bundle.skip = intent.skip.clone();
        }
    }
}

impl MetricGiven {
    fn metric(&self, now: Timestamp) -> Metric {
        match self {
            MetricGiven::Number(value) => Metric::given(&value.to_string(), "Pass"),
            MetricGiven::Full { value, result, age_minutes } => {
                let text = match value {
                    Some(serde_json::Value::String(text)) => text.clone(),
                    Some(value @ serde_json::Value::Number(_)) => value.to_string(),
                    _ => String::new(),
                };
                let measured_at = age_minutes.map(|it| Inputs::before(now, it));
                let stale_at = measured_at.and_then(|at| at.checked_add(jiff::SignedDuration::from_mins(5)).ok());
                Metric { measured_at, stale_at, ..Metric::given(&text, result) }
            }
        }
    }
}

impl UpstreamGiven {
    fn apply(&self, upstream: &mut Upstream, now: Timestamp) {
        let seconds = self
            .verified_seconds_ago
            .map(|it| now.checked_sub(jiff::SignedDuration::from_secs(it)).unwrap_or(Timestamp::MIN));
        let minutes = self.verified_minutes_ago.or(self.soak_minutes).map(|it| Inputs::before(now, it));
        if let Some(at) = seconds.or(minutes) {
            upstream.verified_at = Some(at);
            upstream.last_promoted_at.get_or_insert(at);
            "Verified".clone_into(&mut upstream.phase);
        }
        replace(&mut upstream.successes, self.recent_success_count.as_ref());
        replace(&mut upstream.failures, self.recent_failure_count.as_ref());
        replace(&mut upstream.aborts, self.recent_abort_count.as_ref());
        replace(&mut upstream.rollbacks, self.recent_rollback_count.as_ref());
        replace(&mut upstream.version, self.version.as_ref());
        replace(&mut upstream.phase, self.phase.as_ref());
        if let Some(at) = &self.last_promoted_at {
            upstream.last_promoted_at = at.parse().ok();
        }
    }
}

/// Gives every name that a gate mentions something to stand for, and says what was assumed (4.4.2): metrics read 0 and pass,
/// windows are inactive, labels are `true`, stages have no approval, environments no history.
pub fn assume(gate: &Gate, inputs: &mut Inputs) -> Vec<String> {
    let mut assumed = Vec::new();
    let found = &gate.references;
    let metrics = ready(&mut inputs.metrics);
    for name in found.metrics() {
        metrics.entry(name.to_owned()).or_insert_with(|| {
            assumed.push(format!("metrics.{name} = 0, Pass"));
            Metric::given("0", "Pass")
        });
    }
    let windows = Arc::make_mut(ready(&mut inputs.windows));
    for name in found.windows() {
        windows.entry(name.to_owned()).or_insert_with(|| {
            assumed.push(format!("changewindow[\"{name}\"] = false"));
            Window::fixed(false)
        });
    }
    for name in found.labels() {
        Arc::make_mut(&mut inputs.bundle).labels.entry(name.to_owned()).or_insert_with(|| {
            assumed.push(format!("bundle.labels[\"{name}\"] = \"true\""));
            "true".to_owned()
        });
    }
    let stages: BTreeSet<&str> = found.stages().into_iter().chain(found.upstreams()).collect();
    let upstream = ready(&mut inputs.upstream);
    let PullRequests { stages: known, .. } = ready(&mut inputs.pr);
    for name in stages {
        if let Some(known) = known
            && known.insert(name.to_owned())
        {
            assumed.push(format!("stage {name} without history"));
        }
        upstream.entry(name.to_owned()).or_default();
    }
    assumed
}

/// The input to write to; one that was not available begins empty.
fn ready<T: Default>(input: &mut Result<T, String>) -> &mut T {
    if input.is_err() {
        *input = Ok(T::default());
    }
    input.as_mut().expect("it was made available above")
}

fn replace<T: Clone>(slot: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        slot.clone_from(value);
    }
}
