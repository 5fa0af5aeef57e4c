//! Rules of mode `network` for `kanon network check`: asked about manifests, with the network that these make.

use std::path::PathBuf;

use kanon_core::{GroupVersionKind, Object, Outcome, Verdict};
use kanon_rules::{Picture, Severity};
use kanon_runtime::Clock;

use super::{CheckMode, Others, Policies, as_stored, kind_of, manifests};
use crate::exit::Failure;

/// A violation, with the severity of its rule.
pub(crate) struct Violation {
    pub(crate) verdict: Verdict,
    pub(crate) severity: Option<Severity>,
}

/// What the rules find in the manifests; `namespace` is that of manifests that name none.
pub(crate) fn violations(rules: &[PathBuf], files: &[PathBuf], namespace: &str) -> Result<Vec<Violation>, Failure> {
    let now = Clock::start().now();
    let policies = Policies::load(rules, now)?;
    policies.warn_unless_asked(CheckMode::Network);
    let mut found = Vec::new();
    for path in files {
        found.extend(manifests::read(path)?);
    }
    let clustered = policies.clustered(&found);
    let stored = |object: &Object| {
        let kind = kind_of(object);
        let object = as_stored(object, &kind, &clustered, namespace);
        (kind, object)
    };
    let objects: Vec<(GroupVersionKind, Object)> = found.iter().map(|it| stored(&it.object)).collect();
    let others = Others::of(objects.iter().map(|(kind, object)| (kind, object)));
    let network = Picture::of_manifests(&others);
    let verdicts = objects.iter().flat_map(|(_, it)| policies.rules.review_network(it, &network, &others, now));
    let told = verdicts.filter(|it| it.outcome != Outcome::Allow);
    Ok(told.map(|it| Violation { severity: policies.rule(&it).and_then(|rule| rule.severity), verdict: it }).collect())
}
