//! What the commands read: input documents, policies as Rego or in a ConfigMap.

use std::{io::Read, path::Path};

use kanon_signals::{Surface, api};
use serde_json::Value;

use crate::exit::Failure;

/// A policy's text, and its own examples.
pub(super) struct PolicyText {
    pub(super) text: String,
    pub(super) tests: Option<String>,
    /// Which policy it is, where the ConfigMap says so.
    pub(super) surface: Option<Surface>,
}

impl PolicyText {
    /// Reads Rego, or the ConfigMap that holds it; of a ConfigMap with both policies, the one that is `wanted`.
    pub(super) fn read(path: &Path, wanted: Option<Surface>) -> Result<PolicyText, Failure> {
        let text = text(path)?;
        let Some(map) = config_map(&text) else { return Ok(PolicyText { text, tests: None, surface: None }) };
        let key = |key: &str| map["data"][key].as_str().map(str::to_owned);
        let surfaces = [Surface::Classification, Surface::Approval];
        let found = surfaces.into_iter().filter(|it| wanted.is_none_or(|wanted| wanted == *it));
        let found = found.filter_map(|it| Some((it, key(it.key())?))).next();
        let Some((surface, text)) = found else {
            let keys = surfaces.iter().filter(|it| wanted.is_none_or(|wanted| wanted == **it));
            let keys: Vec<_> = keys.map(|it| format!("`{}`", it.key())).collect();
            return Err(failure(path, &format!("the ConfigMap has no key {}", keys.join(" or "))));
        };
        Ok(PolicyText { text, tests: key(api::TESTS_KEY), surface: Some(surface) })
    }
}

/// The ConfigMap that a text is. Rego is no YAML mapping with a kind.
fn config_map(text: &str) -> Option<Value> {
    let value: Value = serde_saphyr::from_str(text).ok()?;
    (value["kind"] == "ConfigMap").then_some(value)
}

/// A document, YAML or JSON. JSON first: its numbers come through exactly as written.
pub(super) fn document(path: &Path) -> Result<Value, Failure> {
    let text = text(path)?;
    match serde_json::from_str(&text) {
        Ok(value) => Ok(value),
        Err(_) => serde_saphyr::from_str(&text).map_err(|error| failure(path, &error)),
    }
}

/// A file's text; `-` is standard input.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(path).map(|it| text = it)
    };
    read.map_err(|error| failure(path, &error))?;
    Ok(text)
}

/// What is wrong with a file.
pub(super) fn failure(path: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("`{}`: {problem}", path.display()))
}
