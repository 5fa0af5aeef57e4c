//! The labels of a namespace: which level of the standards, as of which version, is enforced, noted for the audit, warned of.

use std::fmt;

use kanon_core::Node;
use serde_json::Value;

use crate::status::Cause;

/// What the keys of labels and annotations begin with.
pub(super) const PREFIX: &str = "pod-security.kubernetes.io/";

/// How much a pod may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    #[default]
    Privileged,
    Baseline,
    Restricted,
}

/// A level as of a minor version of Kubernetes; without one, as of this server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) level: Level,
    pub(super) version: Option<u32>,
}

impl Policy {
    /// Whether what came with a minor version counts.
    pub(super) fn is_since(&self, minor: u32) -> bool {
        self.version.is_none_or(|it| it >= minor)
    }
}

/// `restricted:latest`, `baseline:v1.25`.
impl fmt::Display for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        match self.version {
            None => write!(out, "{level}:latest"),
            Some(minor) => write!(out, "{level}:v1.{minor}"),
        }
    }
}

/// What a namespace says.
#[derive(Debug, Default)]
pub(super) struct Policies {
    pub(super) enforce: Policy,
    pub(super) audit: Policy,
    pub(super) warn: Policy,
    /// What is wrong with its labels.
    pub(super) errors: Vec<Cause>,
}

impl Policies {
    /// Of the labels of a namespace; none where they say nothing.
    pub(super) fn of(labels: Node<'_>) -> Option<Policies> {
        if !labels.members().any(|(name, _)| name.starts_with(PREFIX)) {
            return None;
        }
        let mut errors = Vec::new();
        // A level that cannot be read is the strictest where it is enforced, and none where it only tells.
        let enforced = level(labels, "enforce", &mut errors);
        let enforce = Policy {
            level: enforced.map_or(Level::Privileged, |it| it.unwrap_or(Level::Restricted)),
            version: version(labels, "enforce-version", &mut errors).flatten(),
        };
        let audit = Policy {
            level: level(labels, "audit", &mut errors).flatten().unwrap_or_default(),
            version: version(labels, "audit-version", &mut errors).flatten(),
        };
        let (warned, since) = (level(labels, "warn", &mut errors), version(labels, "warn-version", &mut errors));
        let mut warn = Policy { level: warned.flatten().unwrap_or_default(), version: since.flatten() };
        // Who enforces and says nothing of warnings is warned of what its workloads will not get.
        if let (Some(Some(_)), None) = (enforced, warned) {
            warn.level = enforce.level;
            warn.version = since.unwrap_or(enforce.version);
        }
        Some(Policies { enforce, audit, warn, errors })
    }
}

fn text<'l>(labels: Node<'l>, name: &str) -> Option<std::borrow::Cow<'l, str>> {
    labels.get(&[PREFIX, name].concat()).and_then(Node::as_str)
}

fn wrong(name: &str, value: &str, detail: &str) -> Cause {
    Cause::invalid(&format!("metadata.labels[{PREFIX}{name}]"), &Value::from(value), detail)
}

/// None where the label is absent, `Some(None)` where it cannot be read.
fn level(labels: Node<'_>, name: &str, errors: &mut Vec<Cause>) -> Option<Option<Level>> {
    let text = text(labels, name)?;
    Some(match &*text {
        "privileged" => Some(Level::Privileged),
        "baseline" => Some(Level::Baseline),
        "restricted" => Some(Level::Restricted),
        other => {
            errors.push(wrong(name, other, "must be one of privileged, baseline, restricted"));
            None
        }
    })
}

/// None where the label is absent, `Some(None)` for the latest and for what cannot be read.
fn version(labels: Node<'_>, name: &str, errors: &mut Vec<Cause>) -> Option<Option<u32>> {
    let text = text(labels, name)?;
    if text == "latest" {
        return Some(None);
    }
    let digits = text.strip_prefix("v1.").filter(|it| *it == "0" || !it.starts_with(['0', '+']));
    let minor = digits.and_then(|it| it.parse().ok());
    if minor.is_none() {
        errors.push(wrong(name, &text, r#"must be "latest" or "v1.x""#));
    }
    Some(minor)
}
