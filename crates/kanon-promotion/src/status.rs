//! The status of a gate, as a merge patch in which `null` removes a member (spec/promotion-gates 1.3.2).

use std::collections::BTreeMap;

use jiff::Timestamp;
use kanon_core::Now;
use serde_json::{Value, json};

use crate::{
    decide::{Decision, State},
    facts::Target,
    gate::{Gate, Problem},
};

/// Reason of a template that compiles and that no Bundle waits for (2.5.4).
pub(crate) const AWAITING: &str = "valid CEL syntax (not yet evaluated — awaiting bundle promotion)";
/// Said of a gate whose newest revision is broken.
pub(crate) const LAST_GOOD: &str = "the last good revision is in force";
/// How many inputs are shown.
const INPUTS_MAX: usize = 32;
/// How much of an input is shown.
const INPUT_LEN: usize = 200;

/// What a gate's status tells.
pub(crate) struct Standing<'s> {
    /// The revision in force, if there is one.
    pub(crate) gate: Option<&'s Gate>,
    /// What is wrong with the newest one.
    pub(crate) problem: Option<&'s Problem>,
    /// Whether the object is a template.
    pub(crate) template: bool,
    /// What was decided, by place.
    pub(crate) decisions: &'s [(Target, Decision)],
    /// Values that the first decision rests on.
    pub(crate) inputs: BTreeMap<String, String>,
    /// When it will be asked again.
    pub(crate) next: Option<Timestamp>,
    /// Generation of the object.
    pub(crate) generation: i64,
}

impl Standing<'_> {
    /// The decision that speaks for the whole: the worst, the first of its kind.
    pub(crate) fn leading(&self) -> Option<&(Target, Decision)> {
        let worst = self.decisions.iter().map(|(_, it)| it.state).max()?;
        self.decisions.iter().find(|(_, it)| it.state == worst)
    }

    /// Whether everything passes.
    pub(crate) fn ready(&self) -> bool {
        !self.decisions.is_empty() && self.decisions.iter().all(|(_, it)| it.state.is_ready())
    }

    /// `status.reason`
    pub(crate) fn reason(&self) -> String {
        let of_decision = self.leading().map(|(_, it)| it.reason.clone());
        match (self.problem, of_decision) {
            (None, Some(reason)) => reason,
            (None, None) => AWAITING.to_owned(),
            (Some(problem), None) => problem.reason(self.template),
            (Some(problem), Some(reason)) => {
                format!("{} ({LAST_GOOD}: {reason})", problem.reason(self.template))
            }
        }
    }

    /// The status to write; `present` is the one that is there.
    pub(crate) fn patch(&self, present: &Value, now: Now) -> Value {
        let ready = self.ready();
        let evaluated = !self.decisions.is_empty();
        let blocked = evaluated && !ready;
        let since = present["blockedSince"].as_str().map_or_else(|| now.rfc3339(), str::to_owned);
        let message = self.gate.filter(|it| blocked && !it.message.is_empty()).map(|it| it.message.clone());
        let targets: Vec<_> = self.decisions.iter().map(target).collect();
        let conditions = [self.compiled(), self.evaluated(), self.overridden(), self.unknown()];
        let conditions: Vec<_> = conditions.into_iter().map(|it| dated(it, present, now)).collect();
        let gone: Vec<&str> =
            present["observedInputs"].as_object().into_iter().flatten().map(|it| it.0.as_str()).collect();
        let mut inputs: serde_json::Map<_, _> = gone.iter().map(|it| ((*it).to_owned(), Value::Null)).collect();
        inputs.extend(self.inputs.iter().map(|(name, value)| (name.clone(), json!(value))));
        json!({
            "ready": ready,
            "reason": self.reason(),
            "message": message,
            "lastEvaluatedAt": if evaluated { json!(now.rfc3339()) } else { Value::Null },
            "nextEvaluationAt": self.next.map(rfc3339),
            "blockedSince": blocked.then_some(since),
            "observedGeneration": self.generation,
            "observedInputs": if inputs.is_empty() { Value::Null } else { Value::Object(inputs) },
            "targets": if targets.is_empty() { Value::Null } else { json!(targets) },
            "conditions": conditions,
        })
    }

    fn compiled(&self) -> Value {
        match self.problem {
            None => condition("Compiled", true, "Valid", "the expression compiles".to_owned()),
            Some(problem) => condition("Compiled", false, "Invalid", problem.reason(self.template)),
        }
    }

    fn evaluated(&self) -> Value {
        match self.leading() {
            None => condition("Evaluated", false, "AwaitingBundle", "no Bundle waits for this gate".to_owned()),
            Some((_, it)) if it.state == State::Error => condition("Evaluated", false, "Error", it.reason.clone()),
            Some(_) => condition("Evaluated", true, "Evaluated", format!("{} places", self.decisions.len())),
        }
    }

    fn overridden(&self) -> Value {
        let found = self.decisions.iter().find(|(_, it)| it.state == State::Overridden);
        match found {
            Some((_, it)) => condition("Overridden", true, "Override", it.reason.clone()),
            None => condition("Overridden", false, "None", String::new()),
        }
    }

    fn unknown(&self) -> Value {
        let names = unknown_windows(self.decisions);
        if names.is_empty() {
            return condition("UnknownReference", false, "None", String::new());
        }
        let message = format!("(!) unknown change window {}", names.join(", "));
        condition("UnknownReference", true, "UnknownChangeWindow", message)
    }
}

/// Windows that decisions name and that do not exist.
pub(crate) fn unknown_windows(decisions: &[(Target, Decision)]) -> Vec<String> {
    let mut names: Vec<_> = decisions.iter().flat_map(|(_, it)| it.unknown_windows.iter().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Values of an explanation that are worth keeping: what was read, not what was computed from it.
pub(crate) fn observed(values: &[kanon_core::EvidenceValue]) -> BTreeMap<String, String> {
    let reads = |text: &str| {
        let word =
            |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '.' | '[' | ']' | '"' | '\'' | '-' | '(' | ')');
        let first = text.split(['.', '[']).next().unwrap_or_default();
        text.len() > first.len() && crate::references::VARIABLES.contains(&first) && text.chars().all(word)
    };
    let wanted = values.iter().filter(|it| reads(&it.text) && !it.value.is_object() && !it.value.is_array());
    let shown = wanted.map(|it| {
        let text = match &it.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (it.text.clone(), text.chars().take(INPUT_LEN).collect())
    });
    shown.take(INPUTS_MAX).collect()
}

fn target((target, decision): &(Target, Decision)) -> Value {
    json!({
        "namespace": target.namespace, "pipeline": target.pipeline, "environment": target.environment,
        "bundle": target.bundle, "ready": decision.state.is_ready(), "reason": decision.reason,
    })
}

/// A time in whole seconds.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(crate) fn condition(kind: &str, status: bool, reason: &str, message: String) -> Value {
    let status = if status { "True" } else { "False" };
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}

/// The condition with the time of its last transition: the one it has, unless its status changed.
pub(crate) fn dated(mut condition: Value, present: &Value, now: Now) -> Value {
    let same = |it: &&Value| it["type"] == condition["type"] && it["status"] == condition["status"];
    let before = present["conditions"].as_array().into_iter().flatten().find(same);
    let kept = before.and_then(|it| it["lastTransitionTime"].as_str()).map(str::to_owned);
    condition["lastTransitionTime"] = json!(kept.unwrap_or_else(|| now.rfc3339()));
    condition
}

/// Whether a merge patch would change nothing.
pub(crate) fn says(present: &Value, patch: &Value) -> bool {
    match (present, patch) {
        (Value::Object(present), Value::Object(patch)) => patch.iter().all(|(name, value)| match present.get(name) {
            Some(present) => says(present, value),
            None => value.is_null(),
        }),
        (present, patch) => present == patch,
    }
}
