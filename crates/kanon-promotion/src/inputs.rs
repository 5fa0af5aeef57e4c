//! Everything that a gate's expression may read, as plain data (spec/promotion-gates 2.4.1). What depends on the time is kept
//! as times, so that one set of inputs can be asked about any instant: "when would it open?" is the same question as "is it
//! open?", asked later.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{Image, Provenance},
    metric::Metric,
    window::Window,
};

/// An input that may be there, or cannot be told and why: an expression that reads it fails then.
pub type Available<T> = Result<T, String>;

/// All inputs of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// `bundle`, without soak and pull requests.
    pub bundle: Arc<BundleInput>,
    /// `environment`
    pub environment: EnvironmentInput,
    /// `metrics`
    pub metrics: Available<BTreeMap<String, Metric>>,
    /// `previousBundle.version`, if there is one.
    pub previous: Available<Option<String>>,
    /// `upstream`
    pub upstream: Available<BTreeMap<String, Upstream>>,
    /// Environments whose soak `bundle.upstreamSoakMinutes` looks at.
    pub soaking: Soaking,
    /// `bundle.pr`
    pub pr: Available<PullRequests>,
    /// `changewindow`
    pub windows: Available<Arc<BTreeMap<String, Window>>>,
    /// Whether a window that does not exist is an error instead of inactive.
    pub strict_windows: bool,
}

/// `bundle`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BundleInput {
    /// `image`, `config` or `mixed`.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Tag, digest or commit.
    pub version: String,
    /// Images.
    pub images: Vec<Image>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// How far it goes; empty for all the way.
    pub target: String,
    /// Environments it leaves out.
    pub skip: Vec<String>,
}

/// `environment`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentInput {
    /// Name.
    pub name: String,
    /// `auto` or `pr-review`.
    pub approval: String,
    /// From the Pipeline.
    pub labels: BTreeMap<String, String>,
}

/// `upstream.<env>`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// When the current Bundle was verified there.
    pub verified_at: Option<Timestamp>,
    /// Soak that somebody wrote down, for a verified Bundle without a time.
    pub stored_soak: i64,
    /// Of the last ten Bundles.
    pub successes: i64,
    /// Of the last ten Bundles.
    pub failures: i64,
    /// Aborted by an alarm, of the last ten Bundles.
    pub aborts: i64,
    /// Rolled back, of the last ten Bundles.
    pub rollbacks: i64,
    /// Latest verification among the last ten Bundles.
    pub last_promoted_at: Option<Timestamp>,
    /// Version that is there.
    pub version: String,
    /// Phase of the current Bundle.
    pub phase: String,
}

impl Upstream {
    /// Whole minutes since the verification; never negative (2.4.4).
    pub fn soak_minutes(&self, now: Timestamp) -> i64 {
        match self.verified_at {
            Some(at) => now.duration_since(at).as_secs().max(0) / 60,
            None => self.stored_soak.max(0),
        }
    }
}

/// Which environments count for `bundle.upstreamSoakMinutes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Soaking {
    /// The least of the direct upstreams; 0 without one.
    Direct(Vec<String>),
    /// The most of all others: when the Pipeline is not known.
    AllBut(String),
}

/// `bundle.pr`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullRequests {
    /// Stages there can be a pull request for; any when none is given.
    pub stages: Option<BTreeSet<String>>,
    /// What is known: approval and number of approvals.
    pub known: BTreeMap<String, (bool, i64)>,
}

impl Inputs {
    /// Minutes since the upstream environments were verified (2.4.4).
    pub fn upstream_soak_minutes(&self, now: Timestamp) -> i64 {
        let Ok(upstream) = &self.upstream else { return 0 };
        let soak = |name: &String| upstream.get(name).map_or(0, |it| it.soak_minutes(now));
        match &self.soaking {
            Soaking::Direct(names) => names.iter().map(soak).min().unwrap_or(0),
            Soaking::AllBut(target) => {
                let others = upstream.iter().filter(|(name, _)| *name != target);
                others.map(|(_, it)| it.soak_minutes(now)).max().unwrap_or(0)
            }
        }
    }

    /// The same question about a Bundle and a target of which nothing but names is known: C0 of spec 2.10.
    pub fn example() -> Inputs {
        let stages = ["test", "staging", "prod"].map(str::to_owned);
        Inputs {
            bundle: Arc::new(BundleInput {
                kind: "image".to_owned(),
                name: "my-app-v1".to_owned(),
                version: "1.29.0".to_owned(),
                provenance: Provenance { author: "alice".to_owned(), ..Provenance::default() },
                ..BundleInput::default()
            }),
            environment: EnvironmentInput {
                name: "prod".to_owned(),
                approval: "pr-review".to_owned(),
                labels: BTreeMap::new(),
            },
            metrics: Ok(BTreeMap::new()),
            previous: Ok(None),
            upstream: Ok(stages.iter().map(|it| (it.clone(), Upstream::default())).collect()),
            soaking: Soaking::Direct(vec!["staging".to_owned()]),
            pr: Ok(PullRequests { stages: Some(stages.into_iter().collect()), known: BTreeMap::new() }),
            windows: Ok(Arc::default()),
            strict_windows: false,
        }
    }

    /// How far before an instant `minutes` lie, for inputs given as a soak.
    pub fn before(now: Timestamp, minutes: i64) -> Timestamp {
        now.checked_sub(SignedDuration::from_mins(minutes)).unwrap_or(Timestamp::MIN)
    }
}
