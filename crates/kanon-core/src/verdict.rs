//! What was decided, and why: the one form in which every family reports its decisions.

use serde::{Deserialize, Serialize};

use crate::{
    names::{FamilyId, ObjectRef, PolicyRef},
    time::Now,
};

/// How a decision came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The policy had nothing against it.
    Allow,
    /// A violation that an exception covers.
    Skip,
    /// A violation that is only recorded.
    DryRun,
    /// A violation that the user is told about.
    Warn,
    /// A violation that stops the request.
    Deny,
    /// The policy could not be evaluated.
    Error,
}

impl Outcome {
    /// The word used in records, metrics and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::Skip => "skip",
            Outcome::DryRun => "dryrun",
            Outcome::Warn => "warn",
            Outcome::Deny => "deny",
            Outcome::Error => "error",
        }
    }
}

/// One decision of one policy about one subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The family that decided.
    pub family: FamilyId,
    /// The policy and its revision.
    pub policy: PolicyRef,
    /// What it was about.
    pub subject: ObjectRef,
    /// The loop or moment that asked, in the family's word: `admission`, `audit`, …
    pub occasion: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// A CamelCase word for machines.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
    /// What it rests on.
    pub evidence: Evidence,
    /// When it was made.
    pub now: Now,
}

/// What a verdict rests on; enough to explain it, and to replay it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The expression that was evaluated, if the policy is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expression: String,
    /// Values of its sub-expressions, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<EvidenceValue>,
    /// Objects read besides the subject, missing ones too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<ReadEvidence>,
    /// Who asked, where somebody did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The operation, where there was one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// The event that it was found in: the id of its audit event or review.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event: String,
    /// Which part of the subject, such as a container's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// The exception that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<Box<ExceptionEvidence>>,
}

/// An exception as it stood when it covered a violation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionEvidence {
    /// Which one, and its revision.
    #[serde(flatten)]
    pub policy: PolicyRef,
    /// Why it was granted.
    pub reason: String,
    /// Whose it is, where it says so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// When it ends, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<jiff::Timestamp>,
}

impl ExceptionEvidence {
    /// How people call it: `NAME`, or `NAMESPACE/NAME`.
    pub fn name(&self) -> String {
        match self.policy.namespace.as_str() {
            "" => self.policy.name.clone(),
            namespace => format!("{namespace}/{}", self.policy.name),
        }
    }
}

impl std::fmt::Display for ExceptionEvidence {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "exception {}", self.name())?;
        if let Some(expires) = self.expires {
            write!(out, " until {expires}")?;
        }
        write!(out, ": {}", self.reason)
    }
}

/// The value of one sub-expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceValue {
    /// Byte range in the expression.
    pub span: (u32, u32),
    /// The sub-expression's text.
    pub text: String,
    /// Its value as JSON, or `{"error": …}`.
    pub value: serde_json::Value,
}

/// An object that a decision read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadEvidence {
    /// Which object.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// Its resourceVersion; empty when it was not there.
    pub resource_version: String,
    /// Whether it was read from the API server for this decision; else it was watched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
}
