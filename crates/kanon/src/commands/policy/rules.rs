//! What the commands about rules share: rules of files and of a cluster, put through the family that decides there.

use std::{path::PathBuf, sync::Arc};

use kanon_core::{Kind, Object, PolicyFile};
use kanon_lang::LanguageId;
use kanon_rules::{PodShapes, Problem, Rules, Settings, Sources};

use crate::{
    commands::check::{rule_files, warn},
    exit::Failure,
    languages,
};

/// The rules of files and folders.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PolicyFile>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        found.extend(rule_files(path)?);
    }
    Ok(found)
}

/// Rules where these kinds make pods besides Kubernetes' own, and what is wrong with them.
pub(super) fn compile(sources: &Sources<'_>, shapes: &PodShapes) -> (Arc<Rules>, Vec<Problem>) {
    let language = Arc::clone(&languages::all()[&LanguageId::EXPR]);
    let settings = Settings { shapes: shapes.clone(), ..Settings::default() };
    Rules::from_sources(sources, language, settings, kanon_actions::all())
}

/// The same where a rule that does not compile is a failure: what it would say is unknown.
pub(super) fn must_compile(sources: &Sources<'_>, shapes: &PodShapes) -> Result<Arc<Rules>, Failure> {
    let (rules, problems) = compile(sources, shapes);
    let broken: Vec<_> = problems.iter().filter(|it| !it.warning).map(ToString::to_string).collect();
    if !broken.is_empty() {
        return Err(Failure::new(broken.join("\n")));
    }
    problems.iter().for_each(|it| warn(&it.to_string()));
    Ok(rules)
}

/// A cluster's object with its kind: items of a list name none.
pub(super) fn with_kind(kind: &Kind, object: &Object) -> Object {
    let mut value = object.to_value();
    value["apiVersion"] = serde_json::json!(kind.gvk.api_version());
    value["kind"] = serde_json::json!(kind.gvk.kind);
    Object::from_value(&value)
}
