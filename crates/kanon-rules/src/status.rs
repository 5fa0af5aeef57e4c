//! `.status` of a rule object (spec/rules 1.7): counts and times as upstream spells them, and conditions of our own.
//!
//! While a broken revision is the newest, `parseError` and condition `Compiled` speak of it, and `activeOn` of the last good
//! revision, which stays in force.

use kanon_core::GroupVersionKind;
use serde::{Deserialize, Serialize};

use crate::{
    index::Entry,
    plan::World,
    rule::{Mode, Response},
};

/// Failed evaluations in a row after which condition `Evaluating` turns false (spec/rules 2.10).
pub(crate) const ERRORS_IN_A_ROW: u64 = 3;

/// What is said of a rule that denies too much.
pub(crate) const CIRCUIT_OPEN: &str = "the rule denied too many requests: its denials are warnings until it is edited";

/// The status as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleStatus {
    /// Evaluations of this generation; a pod with three containers counts 3 for rules that read `container`.
    pub eval_count: u64,
    /// How many of them gave `true`.
    pub violation_count: u64,
    /// When the rule index picked up this version, RFC 3339.
    pub last_applied: Option<String>,
    /// Why the newest revision is not in force.
    pub parse_error: Option<String>,
    /// Loops the rule is active in.
    pub active_on: Vec<String>,
    /// The generation this status is about.
    pub observed_generation: i64,
    /// The last failed evaluation of this generation.
    pub last_eval_error: Option<EvalFailure>,
    /// `Ready`, `Compiled`, `Evaluating`; `LookupsSynced` for rules that look things up, `ActionsReady` for rules that have something
    /// done in the cluster.
    pub conditions: Vec<Condition>,
}

/// A failed evaluation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvalFailure {
    /// What happened.
    pub message: String,
    /// When, RFC 3339.
    pub time: String,
    /// Kind, namespace and name of the object.
    pub object: String,
    /// Failed evaluations of this generation.
    pub count: u64,
}

/// A condition in the form of `metav1.Condition`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// `Ready`, `Compiled`, `Evaluating`, `LookupsSynced` or `ActionsReady`.
    #[serde(rename = "type")]
    pub condition: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The generation it is about.
    pub observed_generation: i64,
    /// When `status` last changed, RFC 3339.
    pub last_transition_time: String,
    /// CamelCase word.
    pub reason: String,
    /// Sentence for people.
    pub message: String,
}

impl RuleStatus {
    /// Whether two statuses say the same but for counts.
    pub(crate) fn agrees_but_for_counts(&self, other: &RuleStatus) -> bool {
        let plain = |it: &RuleStatus| {
            let last_eval_error = it.last_eval_error.as_ref().map(|_| EvalFailure::default());
            RuleStatus { eval_count: 0, violation_count: 0, last_eval_error, ..it.clone() }
        };
        plain(self) == plain(other)
    }

    /// One condition.
    pub fn condition(&self, condition: &str) -> Option<&Condition> {
        self.conditions.iter().find(|it| it.condition == condition)
    }
}

/// A condition; its time is kept where the status stays the same.
pub(crate) fn condition(
    name: &str,
    (status, reason, message): (&str, &str, String),
    generation: i64,
    before: Option<&Condition>,
    now: &str,
) -> Condition {
    let last = before.filter(|it| it.status == status);
    Condition {
        condition: name.to_owned(),
        status: status.to_owned(),
        observed_generation: generation,
        last_transition_time: last.map_or_else(|| now.to_owned(), |it| it.last_transition_time.clone()),
        reason: reason.to_owned(),
        message,
    }
}

/// The conditions of a rule; times of `before` are kept where the status stays the same.
pub(crate) fn conditions(
    entry: &Entry,
    world: World<'_>,
    generation: i64,
    errors_in_a_row: u64,
    before: &RuleStatus,
    now: &str,
) -> Vec<Condition> {
    let make =
        |name: &str, state: (&str, &str, String)| condition(name, state, generation, before.condition(name), now);
    let blind_spot = world.sight.blind_spot(entry, world.rules);
    let thin_spot = world.sight.thin_spot(entry, world.rules);
    let mut conditions = vec![
        make("Ready", ready(entry)),
        make("Compiled", compiled(entry)),
        make("Evaluating", evaluating(entry, errors_in_a_row, blind_spot, thin_spot)),
    ];
    if entry.rule.as_ref().is_some_and(|it| !it.referenced.list.is_empty()) || !entry.model.is_empty() {
        let synced = ("True", "Synced", "all that the rule looks up is known".to_owned());
        let missing = world.sight.missing(entry, world.rules);
        let state = missing.map_or(synced, |(reason, message)| ("False", reason, message));
        conditions.push(make("LookupsSynced", state));
    }
    if entry.rule.as_ref().is_some_and(|it| it.responses.iter().any(Response::changes_objects)) {
        let ready = || ("True", "NothingDenied", "no action was refused for want of a right".to_owned());
        let state = world.denied.of(entry).map_or_else(ready, |message| ("False", "MissingRight", message));
        conditions.push(make("ActionsReady", state));
    }
    conditions
}

fn ready(entry: &Entry) -> (&'static str, &'static str, String) {
    let state = &entry.state;
    match problem(entry) {
        Some(_) if state.is_active() => {
            ("False", "ParseError", "the newest revision is broken; the last good one stays in force".to_owned())
        }
        Some(_) if entry.rule.is_none() => ("False", "ParseError", state.sentence()),
        _ if state.is_active() && entry.broken => ("True", "CircuitOpen", CIRCUIT_OPEN.to_owned()),
        _ if state.is_active() => ("True", state.reason(), state.sentence()),
        _ => ("False", state.reason(), state.sentence()),
    }
}

fn compiled(entry: &Entry) -> (&'static str, &'static str, String) {
    if let Some(problem) = problem(entry) {
        return ("False", "ParseError", problem.to_owned());
    }
    let warnings = entry.rule.iter().flat_map(|it| it.remarks()).chain(&entry.notes).cloned().collect::<Vec<_>>();
    let message = if warnings.is_empty() { "the expression compiles".to_owned() } else { warnings.join("\n") };
    ("True", "Compiled", message)
}

fn evaluating(
    entry: &Entry,
    errors_in_a_row: u64,
    blind_spot: Option<String>,
    thin_spot: Option<&GroupVersionKind>,
) -> (&'static str, &'static str, String) {
    if !entry.state.is_active() {
        ("Unknown", "NotActive", "the rule is not evaluated".to_owned())
    } else if errors_in_a_row >= ERRORS_IN_A_ROW {
        ("False", "EvalErrors", format!("the last {ERRORS_IN_A_ROW} evaluations failed; see lastEvalError"))
    } else if let Some(problem) = blind_spot {
        ("False", "KindNotWatched", format!("not all objects are seen: {problem}"))
    } else if let Some(kind) = thin_spot {
        ("False", "ReadingMore", format!("what the rule reads of {} is being fetched", kind.kind))
    } else {
        ("True", "Evaluated", "evaluations give a value".to_owned())
    }
}

/// What is wrong with the newest revision.
pub(crate) fn problem(entry: &Entry) -> Option<&str> {
    entry.problem.as_deref().or_else(|| entry.rule.as_ref()?.problem.as_deref())
}

/// The loops as `.status` writes them.
pub(crate) fn mode_words(modes: &[Mode]) -> Vec<String> {
    modes.iter().map(|it| it.as_str().to_owned()).collect()
}
