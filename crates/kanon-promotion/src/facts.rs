//! What the family knows of the cluster, and the inputs of one gate from it (spec/promotion-gates 2.4).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_core::Object;
use serde::de::DeserializeOwned;

use crate::{
    bundle::Bundle,
    bundles::Bundles,
    inputs::{Available, EnvironmentInput, Inputs, PullRequests, Soaking, Upstream},
    metric::Metric,
    namespaced::Namespaced,
    pipeline::Pipeline,
    window::Window,
};

pub use crate::namespaced::Key;

/// Approval and number of approvals, by stage.
pub type Approvals = BTreeMap<String, (bool, i64)>;

/// How many Bundles make the history of an environment (2.4.8).
const HISTORY_LEN: usize = 10;

/// One part of an object as a wire type; an absent one is its default.
///
/// # Errors
/// Wrong types: a fragment that names the field.
pub(crate) fn read<T: DeserializeOwned + Default>(object: &Object, part: &str) -> Result<T, String> {
    let Some(node) = object.at(&[part]).filter(|it| !it.is_null()) else { return Ok(T::default()) };
    let mut deserializer = serde_json::Deserializer::from_str(node.raw());
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { part.to_owned() } else { format!("{part}.{path}") };
        let text = error.into_inner().to_string();
        let text = text.split(" at line ").next().unwrap_or_default();
        format!("`{place}` cannot be read: {text}")
    })
}

/// Labels or annotations of an object.
pub(crate) fn text_map(object: &Object, name: &str) -> BTreeMap<String, String> {
    let members = object.at(&["metadata", name]).map(|it| it.members()).into_iter().flatten();
    members.filter_map(|(key, value)| Some((key.into_owned(), value.as_str()?.into_owned()))).collect()
}

/// A place where a gate is asked: an environment of a Pipeline, for a Bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Namespace of Pipeline and Bundle.
    pub namespace: String,
    /// The Pipeline; empty when it is not known.
    pub pipeline: String,
    /// The environment.
    pub environment: String,
    /// The Bundle.
    pub bundle: String,
}

/// The family's knowledge: shared by its owner and its views.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Good Pipelines.
    pub pipelines: Namespaced<Pipeline>,
    /// Bundles.
    pub bundles: Bundles,
    /// Windows by name.
    pub windows: Arc<BTreeMap<String, Window>>,
    /// Metrics.
    pub metrics: Namespaced<Metric>,
    /// Pull requests by namespace and Bundle.
    pub pulls: Arc<BTreeMap<Key, Approvals>>,
    /// Inputs that cannot be told now, by variable, and why.
    pub unavailable: BTreeMap<&'static str, String>,
    /// How the family behaves.
    pub settings: Settings,
}

/// How the family behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Namespaces whose gates are the organisation's.
    pub policy_namespaces: Vec<String>,
    /// Whether a window that does not exist is an error (2.4.7).
    pub strict_windows: bool,
    /// Whether a Pipeline's own list replaces the policy namespaces (2.2.1): lets a team leave the organisation's gates out.
    pub replace_policy_namespaces: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            policy_namespaces: vec!["platform-policies".to_owned()],
            strict_windows: false,
            replace_policy_namespaces: false,
        }
    }
}

impl Facts {
    /// Nothing known.
    pub fn new(settings: Settings) -> Facts {
        Facts {
            pipelines: Namespaced::default(),
            bundles: Bundles::default(),
            windows: Arc::default(),
            metrics: Namespaced::default(),
            pulls: Arc::default(),
            unavailable: BTreeMap::new(),
            settings,
        }
    }

    /// The Bundle that is on its way through a Pipeline: the newest that is not at its end.
    pub fn active_bundle(&self, pipeline: &Key) -> Option<&Bundle> {
        self.bundles.of_pipeline(pipeline).iter().map(AsRef::as_ref).find(|it| !it.is_terminal())
    }

    /// The same with an empty Bundle at a place: what is known without one.
    pub(crate) fn with_bundle(&self, target: &Target) -> Facts {
        let mut facts = self.clone();
        let mut bundle = Bundle { pipeline: target.pipeline.clone(), ..Bundle::default() };
        Arc::make_mut(&mut bundle.input).name.clone_from(&target.bundle);
        let key = (target.namespace.clone(), target.bundle.clone());
        facts.bundles.replace(&key, Some(bundle));
        facts
    }

    /// The inputs of a gate at a place.
    ///
    /// # Errors
    /// The Bundle is not there: what `context error: ` is followed by.
    pub fn inputs(&self, target: &Target) -> Result<Inputs, String> {
        let key = (target.namespace.clone(), target.bundle.clone());
        let bundle = self
            .bundles
            .get(&key)
            .ok_or_else(|| format!("there is no Bundle `{}` in namespace `{}`", target.bundle, target.namespace))?;
        let of_pipeline = (target.namespace.clone(), target.pipeline.clone());
        let pipeline = self.pipelines.get(&of_pipeline);
        let environment = pipeline.and_then(|it| it.environment(&target.environment));
        let history: Vec<&Bundle> = match target.pipeline.as_str() {
            // Without a Pipeline only the Bundle itself is known (2.4.8).
            "" => vec![bundle],
            _ => self.bundles.of_pipeline(&of_pipeline).iter().map(AsRef::as_ref).collect(),
        };
        Ok(Inputs {
            bundle: bundle.input.clone(),
            environment: EnvironmentInput {
                name: target.environment.clone(),
                approval: environment.map_or("auto", |it| &it.approval).to_owned(),
                labels: environment.map(|it| it.labels.clone()).unwrap_or_default(),
            },
            metrics: self.told("metrics", || self.metrics(target, pipeline)),
            previous: self.told("previousBundle", || {
                let other = |it: &&&Bundle| {
                    it.input.name != bundle.input.name && it.phase_in(&target.environment) == "Verified"
                };
                history.iter().find(other).map(|it| it.input.version.clone())
            }),
            upstream: self.told("upstream", || upstream(bundle, &history, pipeline)),
            soaking: match pipeline {
                Some(it) => Soaking::Direct(it.upstreams(&target.environment, &bundle.input.skip)),
                None => Soaking::AllBut(target.environment.clone()),
            },
            pr: self.told("bundle.pr", || PullRequests {
                stages: pipeline.map(|it| it.names().map(str::to_owned).collect()),
                known: self.pulls.get(&key).cloned().unwrap_or_default(),
            }),
            windows: self.told("changewindow", || self.windows.clone()),
            strict_windows: self.settings.strict_windows,
        })
    }

    fn told<T>(&self, name: &'static str, read: impl FnOnce() -> T) -> Available<T> {
        match self.unavailable.get(name) {
            Some(problem) => Err(problem.clone()),
            None => Ok(read()),
        }
    }

    /// Metrics of the namespace, and shared ones of policy namespaces, as far as they are about the target or what it depends
    /// on (2.4.6).
    fn metrics(&self, target: &Target, pipeline: Option<&Pipeline>) -> BTreeMap<String, Metric> {
        let related: BTreeSet<&str> = match pipeline {
            Some(it) => it.with_ancestors(&target.environment),
            None => BTreeSet::from([target.environment.as_str()]),
        };
        let visible = |it: &Metric| it.environment.is_empty() || related.contains(it.environment.as_str());
        let policy_namespaces: BTreeSet<&String> = self.settings.policy_namespaces.iter().collect();
        let shared =
            policy_namespaces.into_iter().flat_map(|it| self.metrics.in_namespace(it)).filter(|it| it.1.shared);
        // Its own come last: they win.
        let mut found = BTreeMap::new();
        for ((_, name), metric) in shared.filter(|it| visible(it.1)) {
            found.entry(name).or_insert(metric);
        }
        found.extend(
            self.metrics.in_namespace(&target.namespace).filter(|it| visible(it.1)).map(|(key, it)| (&key.1, it)),
        );
        found.into_iter().map(|(name, metric)| (name.clone(), metric.clone())).collect()
    }
}

/// `upstream`: every environment of the Pipeline, and every one found in the history.
fn upstream(bundle: &Bundle, history: &[&Bundle], pipeline: Option<&Pipeline>) -> BTreeMap<String, Upstream> {
    let recent = &history[..history.len().min(HISTORY_LEN)];
    let mut names: BTreeSet<&str> = pipeline.into_iter().flat_map(|it| it.names()).collect();
    names.extend(recent.iter().flat_map(|it| it.environments.keys()).map(String::as_str));
    names.extend(bundle.environments.keys().map(String::as_str));
    let entry = |name: &&str| {
        let count = |phase: &str| recent.iter().filter(|it| it.phase_in(name) == phase).count() as i64;
        let verified_at = bundle.verified_at(name);
        let stored = bundle.environments.get(*name).filter(|it| it.phase == "Verified");
        let there = history.iter().find(|it| it.phase_in(name) == "Verified");
        let upstream = Upstream {
            verified_at,
            stored_soak: stored.and_then(|it| it.soak_minutes).unwrap_or(0),
            successes: count("Verified"),
            failures: count("Failed"),
            aborts: count("AbortedByAlarm"),
            rollbacks: count("RollingBack"),
            last_promoted_at: recent.iter().filter_map(|it| it.verified_at(name)).max(),
            version: there.map(|it| it.input.version.clone()).unwrap_or_default(),
            phase: bundle.phase_in(name).to_owned(),
        };
        ((*name).to_owned(), upstream)
    };
    names.iter().map(entry).collect()
}
