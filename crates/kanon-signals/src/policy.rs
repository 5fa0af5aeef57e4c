//! The two policies of the family, and a text of one that was checked and compiled.

use std::sync::Arc;

use kanon_core::{Digest, Now};
use kanon_lang::{Diagnostics, Language};

use crate::{
    api::{APPROVAL_KEY, CLASSIFICATION_KEY},
    place::Place,
};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Surface {
    /// What a signal is: environment, severity, priority, labels.
    Classification,
    /// Whether a person must approve.
    Approval,
}

impl Surface {
    /// Its word: `classification`, `approval`.
    pub fn as_str(self) -> &'static str {
        match self {
            Surface::Classification => "classification",
            Surface::Approval => "approval",
        }
    }

    /// Its key in a ConfigMap, and its file's name in the policy folder.
    pub fn key(self) -> &'static str {
        match self {
            Surface::Classification => CLASSIFICATION_KEY,
            Surface::Approval => APPROVAL_KEY,
        }
    }

    /// Packages that its text may have, the usual one first.
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Surface::Classification => &["signalprocessing"],
            // A rule `approval` of package `aianalysis` makes the same document (3.1).
            Surface::Approval => &["aianalysis.approval", "aianalysis"],
        }
    }
}

/// The compiled queries of a policy.
pub(crate) trait Compiled: Sized {
    const SURFACE: Surface;

    /// Rules that a text of this package must have.
    fn required(package: &str) -> &'static [&'static str];

    /// Rules that should have a default.
    fn defaulted() -> &'static [&'static str];

    /// Compiles the queries of a text of this package.
    fn compile(language: &dyn Language, text: &str, package: &str) -> Result<Self, Diagnostics>;

    /// Asks about inputs that occur. Gives what makes the policy unfit, and what deserves a word.
    fn try_out(&self, now: Now) -> Trial;

    /// The answer to an input document by rule names: what a policy's own examples are compared with.
    fn answer(&self, input: &serde_json::Value, now: Now) -> Result<serde_json::Value, String>;
}

/// What trying a policy out showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trial {
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
}

impl Trial {
    /// Each rule's first problem is enough to mend it.
    pub(crate) fn problem(&mut self, text: String) {
        if !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }

    pub(crate) fn warning(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }
}

/// A policy in force: queries, the text they come from, and its hash, which belong together.
#[derive(Clone, Debug)]
pub struct Loaded<Q> {
    pub(crate) queries: Q,
    /// The text.
    pub text: Arc<str>,
    /// SHA-256 of the text.
    pub hash: Digest,
    /// Where it was found.
    pub place: Place,
    /// What deserves a word, and does not stop it.
    pub warnings: Vec<String>,
}
