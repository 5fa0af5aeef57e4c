//! Rules of mode `network` for `kanon network check`: asked about manifests, with the network that these make.

use std::{path::PathBuf, sync::Arc};

use kanon_core::{Object, Outcome, Verdict};
use kanon_rules::{Picture, Rules, Severity};
use kanon_runtime::Clock;

use super::{CheckMode, Others, Policies, manifests, request::as_stored};
use crate::exit::Failure;

/// A violation, with the severity of its rule.
pub(crate) struct Violation {
    pub(crate) verdict: Verdict,
    pub(crate) severity: Option<Severity>,
}

/// What the rules find in the manifests, and the rules with their exceptions; `namespace` is that of manifests that name none.
pub(crate) fn violations(
    rules: &[PathBuf],
    files: &[PathBuf],
    namespace: &str,
) -> Result<(Vec<Violation>, Arc<Rules>), Failure> {
    let now = Clock::start().now();
    let policies = Policies::load(rules, &kanon_rules::PodShapes::default(), &[], now)?;
    policies.warn_unless_asked(CheckMode::Network);
    let mut found = Vec::new();
    for path in files {
        found.extend(manifests::read(path)?);
    }
    let clustered = policies.clustered(&found);
    let objects: Vec<Object> = found.iter().map(|it| as_stored(&it.object, &clustered, namespace)).collect();
    let mut others = Others::default();
    objects.iter().for_each(|it| others.add_object(it));
    let network = Picture::of_manifests(&others);
    let verdicts = objects.iter().flat_map(|it| policies.rules.review_network(it, &network, &others, now));
    let told = verdicts.filter(|it| it.outcome != Outcome::Allow);
    let violation = |it| Violation { severity: policies.rule(&it).and_then(|rule| rule.severity), verdict: it };
    Ok((told.map(violation).collect(), Arc::clone(&policies.rules)))
}
