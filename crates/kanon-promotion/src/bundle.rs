//! Bundles as gates see them: what is deployed, where it comes from, and how far it got (spec/promotion-gates 1.2).

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kanon_core::Object;

use crate::{
    api::{BundleSpec, BundleStatus, EnvironmentStatus},
    facts::{read, text_map},
    inputs::BundleInput,
};

/// How much of a commit stands for a version (2.4.1).
const COMMIT_LEN: usize = 8;

/// A Bundle.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// What expressions read.
    pub input: Arc<BundleInput>,
    /// Its Pipeline, in the same namespace.
    pub pipeline: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Phase of the whole; empty before a controller saw it.
    pub phase: String,
    /// Where it is.
    pub environments: BTreeMap<String, EnvironmentStatus>,
}

impl Bundle {
    /// Reads a Bundle.
    ///
    /// # Errors
    /// A spec of wrong types: a fragment that names the field.
    pub fn new(object: &Object) -> Result<Bundle, String> {
        let spec: BundleSpec = read(object, "spec")?;
        let status: BundleStatus = read(object, "status").unwrap_or_default();
        let of = |seed: &str, source: &str| if seed.is_empty() { source.to_owned() } else { seed.to_owned() };
        let intent = &spec.intent;
        let skip = if intent.skip.is_empty() { &intent.skip_environments } else { &intent.skip };
        Ok(Bundle {
            input: Arc::new(BundleInput {
                name: object.str_at(&["metadata", "name"]).to_owned(),
                version: version(&spec),
                labels: text_map(object, "labels"),
                annotations: text_map(object, "annotations"),
                target: of(&intent.target, &intent.target_environment),
                skip: skip.clone(),
                kind: spec.kind,
                images: spec.images,
                provenance: spec.provenance,
            }),
            pipeline: spec.pipeline,
            created: object.str_at(&["metadata", "creationTimestamp"]).parse().ok(),
            phase: status.phase,
            environments: status.environments.into_iter().map(|it| (it.name.clone(), it)).collect(),
        })
    }

    /// Whether nothing happens to it any more.
    pub fn is_terminal(&self) -> bool {
        matches!(self.phase.as_str(), "Verified" | "Failed" | "Superseded" | "SkipDenied")
    }

    /// Its phase in an environment; empty when it is not there.
    pub fn phase_in(&self, environment: &str) -> &str {
        self.environments.get(environment).map_or("", |it| &it.phase)
    }

    /// When it was verified in an environment.
    pub fn verified_at(&self, environment: &str) -> Option<Timestamp> {
        let status = self.environments.get(environment).filter(|it| it.phase == "Verified")?;
        status.health_checked_at.parse().ok()
    }

    /// Newest first; of two of the same age the greater name first (2.4.8).
    pub fn age_order(&self) -> (std::cmp::Reverse<Option<Timestamp>>, std::cmp::Reverse<&str>) {
        (std::cmp::Reverse(self.created), std::cmp::Reverse(&self.input.name))
    }
}

/// What `bundle.version` is.
fn version(spec: &BundleSpec) -> String {
    if spec.kind == "config" {
        return spec.config_ref.commit_sha.chars().take(COMMIT_LEN).collect();
    }
    let Some(image) = spec.images.first() else { return String::new() };
    if image.tag.is_empty() { image.digest.clone() } else { image.tag.clone() }
}
