//! Classification: the four rules asked about one signal, their values checked (spec/signal-approval 1.1, 1.4).

use std::{collections::BTreeMap, fmt};

use kanon_core::{Digest, Now, Object};
use kanon_lang::{Diagnostics, Language};
use serde_json::{Map, Value, json};

use crate::{
    api::ClassificationInput,
    ask::{Answer, Query, Steps},
    labels::{self, Values},
    policy::{Compiled, Surface, Trial},
};

mod trial;

/// What a severity may be.
const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "unknown"];
/// What a priority may be.
const PRIORITIES: [&str; 4] = ["P0", "P1", "P2", "P3"];
/// Environments whose spelling the host evens out; all others pass as they are (8, row 7).
const KNOWN_ENVIRONMENTS: [&str; 6] = ["production", "staging", "development", "test", "qa", "unknown"];
/// Where an environment comes from when its rule does not say.
const DEFAULT_SOURCE: &str = "default";

/// What a signal is.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// Rule `environment`.
    pub environment: Result<Environment, RuleFailure>,
    /// Rule `severity`.
    pub severity: Result<String, RuleFailure>,
    /// Rule `priority`.
    pub priority: Result<Priority, RuleFailure>,
    /// Rule `labels`, sanitised; never a failure.
    pub labels: Labels,
    /// Hash of the policy that was asked; none when there was none.
    pub policy: Option<Digest>,
}

/// The environment of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its name: any text.
    pub environment: String,
    /// Where that comes from: `namespace-labels`, …
    pub source: String,
}

/// The priority of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priority {
    /// `P0` to `P3`.
    pub priority: String,
    /// The policy's own word for why.
    pub policy_name: String,
}

/// The operator's labels of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Values by key.
    pub values: BTreeMap<String, Vec<String>>,
    /// Whether the policy gave them.
    pub source: LabelsSource,
    /// Why the policy gave none, when its rule failed.
    pub failure: Option<RuleFailure>,
    /// A word about each label that was left out.
    pub dropped: Vec<String>,
}

/// Where custom labels come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelsSource {
    /// From the policy.
    Policy,
    /// From four labels of the namespace, since the policy gave none.
    Fallback,
}

/// Why a rule has no value that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFailure {
    /// The rule.
    pub rule: &'static str,
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened: a lower-case fragment.
    pub message: String,
}

/// Kinds of failures. All but the first repeat as long as policy and input stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// There is no policy.
    NotLoaded,
    /// The rule is undefined for this input, or missing.
    NoResults,
    /// The rule's value is not what it must be.
    InvalidOutput,
    /// The evaluation failed: conflicting values, a strict built-in.
    Evaluation,
    /// The evaluation reached a limit.
    Limit,
}

impl fmt::Display for RuleFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "policy evaluation failed: rule `{}`: {}", self.rule, self.message)
    }
}

impl std::error::Error for RuleFailure {}

impl RuleFailure {
    fn new(rule: &'static str, kind: FailureKind, message: impl Into<String>) -> RuleFailure {
        RuleFailure { rule, kind, message: message.into() }
    }
}

impl Classification {
    /// The answer where no policy is loaded; `problem` says why.
    pub(crate) fn not_loaded(input: &ClassificationInput, problem: &str) -> Classification {
        let failure = |rule| RuleFailure::new(rule, FailureKind::NotLoaded, format!("policy not loaded: {problem}"));
        Classification {
            environment: Err(failure("environment")),
            severity: Err(failure("severity")),
            priority: Err(failure("priority")),
            labels: Labels::of(Values::new(), Vec::new(), None, input),
            policy: None,
        }
    }

    /// The failures, in the order in which the rules are asked; labels that failed are no failure of the whole.
    pub fn failures(&self) -> Vec<&RuleFailure> {
        let all = [self.environment.as_ref().err(), self.priority.as_ref().err(), self.severity.as_ref().err()];
        all.into_iter().flatten().collect()
    }

    /// The values by rule name; rules that failed are `null` and explained under `errors`.
    pub fn to_json(&self) -> Value {
        let environment = |it: &Environment| json!({"environment": it.environment, "source": it.source});
        let priority = |it: &Priority| json!({"priority": it.priority, "policy_name": it.policy_name});
        let mut answer = json!({
            "environment": self.environment.as_ref().ok().map(environment),
            "severity": self.severity.as_ref().ok(),
            "priority": self.priority.as_ref().ok().map(priority),
            "labels": self.labels.values,
        });
        let failures = self.failures().into_iter().chain(&self.labels.failure);
        let errors: Map<_, _> = failures.map(|it| (it.rule.to_owned(), json!(it.to_string()))).collect();
        if !errors.is_empty() {
            answer["errors"] = Value::Object(errors);
        }
        answer
    }
}

impl Labels {
    /// Labels of the policy, or what stands in for none.
    fn of(values: Values, dropped: Vec<String>, failure: Option<RuleFailure>, input: &ClassificationInput) -> Labels {
        if values.is_empty() {
            let values = labels::fallback(&input.namespace.labels);
            return Labels { values, source: LabelsSource::Fallback, failure, dropped };
        }
        Labels { values, source: LabelsSource::Policy, failure, dropped }
    }
}

/// The queries of a classification policy. Built-ins that fail make `labels` fail, and other rules undefined (1.1).
#[derive(Clone)]
pub struct Classifier {
    environment: Query,
    severity: Query,
    priority: Query,
    labels: Query,
}

impl fmt::Debug for Classifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Classifier")
    }
}

impl Classifier {
    /// Asks all four rules.
    pub(crate) fn classify(&self, input: &ClassificationInput, hash: Digest, now: Now) -> Classification {
        self.ask(input, hash, Steps::LABELS, now)
    }

    fn ask(&self, input: &ClassificationInput, hash: Digest, labels: Steps, now: Now) -> Classification {
        let document = Object::from_value(&input.document());
        let (values, dropped, failure) = match self.labels.ask(&document, labels, now) {
            Answer::Undefined => (Values::new(), Vec::new(), None),
            Answer::Value(value) => match labels::sanitise(&value) {
                Some((values, dropped)) => (values, dropped, None),
                None => (Values::new(), Vec::new(), Some(invalid("labels", "invalid output structure", &value))),
            },
            Answer::Failed { limit, message } => (Values::new(), Vec::new(), Some(failed("labels", limit, message))),
        };
        Classification {
            environment: value(&self.environment, "environment", &document, now).and_then(environment),
            severity: value(&self.severity, "severity", &document, now).and_then(severity),
            priority: value(&self.priority, "priority", &document, now).and_then(priority),
            labels: Labels::of(values, dropped, failure, input),
            policy: Some(hash),
        }
    }
}

fn value(query: &Query, rule: &'static str, document: &Object, now: Now) -> Result<Value, RuleFailure> {
    match query.ask(document, Steps::RULE, now) {
        Answer::Value(value) => Ok(value),
        Answer::Undefined => Err(RuleFailure::new(rule, FailureKind::NoResults, "no results")),
        Answer::Failed { limit, message } => Err(failed(rule, limit, message)),
    }
}

fn failed(rule: &'static str, limit: bool, message: String) -> RuleFailure {
    RuleFailure::new(rule, if limit { FailureKind::Limit } else { FailureKind::Evaluation }, message)
}

/// A value that the rule may not have, shown in short.
fn invalid(rule: &'static str, problem: &str, value: &Value) -> RuleFailure {
    let mut shown = value.to_string();
    if shown.len() > 60 {
        let end = (0..=57).rev().find(|at| shown.is_char_boundary(*at)).unwrap_or(0);
        shown.truncate(end);
        shown.push_str("...");
    }
    RuleFailure::new(rule, FailureKind::InvalidOutput, format!("{problem}: `{shown}`"))
}

fn environment(value: Value) -> Result<Environment, RuleFailure> {
    let Value::Object(members) = &value else {
        return Err(invalid("environment", "invalid output structure", &value));
    };
    let text = |name| members.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, source) = (text("environment"), text("source"));
    let known = KNOWN_ENVIRONMENTS.iter().find(|it| it.eq_ignore_ascii_case(name));
    Ok(Environment {
        environment: known.map_or(name, |it| it).to_owned(),
        source: if source.is_empty() { DEFAULT_SOURCE } else { source }.to_owned(),
    })
}

fn severity(value: Value) -> Result<String, RuleFailure> {
    match &value {
        Value::String(text) if SEVERITIES.contains(&text.as_str()) => Ok(text.clone()),
        _ => Err(invalid("severity", &format!("invalid severity, not one of {}", SEVERITIES.join(", ")), &value)),
    }
}

fn priority(value: Value) -> Result<Priority, RuleFailure> {
    let Value::Object(members) = &value else {
        return Err(invalid("priority", "invalid output structure", &value));
    };
    let text = |name| members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let priority = text("priority");
    if !PRIORITIES.contains(&priority.as_str()) {
        return Err(invalid("priority", "invalid priority value, not one of P0, P1, P2, P3", &value));
    }
    Ok(Priority { priority, policy_name: text("policy_name") })
}

impl Compiled for Classifier {
    const SURFACE: Surface = Surface::Classification;

    fn required(_: &str) -> &'static [&'static str] {
        &["environment", "severity", "priority"]
    }

    fn defaulted() -> &'static [&'static str] {
        &["environment", "severity", "priority"]
    }

    fn compile(language: &dyn Language, text: &str, package: &str) -> Result<Classifier, Diagnostics> {
        let query =
            |rule: &str, strict| Query::compile(language, text, package, &format!("data.{package}.{rule}"), strict);
        Ok(Classifier {
            environment: query("environment", false)?,
            severity: query("severity", false)?,
            priority: query("priority", false)?,
            labels: query("labels", true)?,
        })
    }

    fn try_out(&self, now: Now) -> Trial {
        trial::run(self, now)
    }

    fn answer(&self, input: &Value, now: Now) -> Result<Value, String> {
        let input = ClassificationInput::read(input).map_err(|error| error.to_string())?;
        Ok(self.classify(&input, Digest::ZERO, now).to_json())
    }
}
