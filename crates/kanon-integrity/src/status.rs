//! The status of a policy object (spec/runtime-integrity 1.9): what is in force, and what is wrong. `pods` is left out until
//! sidecars report.
//!
//! The result is a merge patch, in which `null` removes a member; a status that says this already is not written again.

use kanon_core::{Now, Object};
use serde_json::{Map, Value, json};

use crate::{resolve::Effective, validate::Problem, warning::Warning};

/// Reason of `Accepted: True`.
pub(crate) const VALID: &str = "Valid";
/// Reason of `Accepted: False`: some fields do not count, the others do.
pub(crate) const FIELDS_IGNORED: &str = "FieldsIgnored";
/// Reason of `Accepted: False`: the object is not named `default`.
pub(crate) const NAME_IGNORED: &str = "NameIgnored";
/// Reason of `Accepted: False`: the object cannot be read; the last good policy stays.
pub(crate) const UNREADABLE: &str = "Unreadable";

/// How a policy object was taken.
pub(crate) enum Standing<'a> {
    /// In force, perhaps without some of its fields.
    InForce { effective: &'a Effective, problems: &'a [Problem], warnings: &'a [Warning] },
    /// Not in force, and why: reason and sentence.
    Refused { reason: &'static str, message: &'a str },
}

/// The status to write; nothing when the object has it already.
pub(crate) fn status(object: &Object, standing: &Standing<'_>, now: Now) -> Option<Value> {
    let present = object.at(&["status"]).map(|it| it.to_value()).unwrap_or_default();
    let generation = object.at(&["metadata", "generation"]).and_then(|it| it.as_i64());
    let (effective, conditions) = match standing {
        Standing::InForce { effective, problems, warnings } => {
            (values(effective), [accepted(problems), warned(warnings)])
        }
        Standing::Refused { reason, message } => {
            (Value::Null, [condition("Accepted", false, reason, message.to_string()), warned(&[])])
        }
    };
    let conditions: Vec<_> = conditions.into_iter().map(|it| dated(it, &present, now)).collect();
    let status = json!({"observedGeneration": generation, "effective": effective, "conditions": conditions});
    (!says(&present, &status)).then_some(status)
}

fn values(effective: &Effective) -> Value {
    let chain = effective.chain.value.as_ref();
    json!({
        "mode": effective.mode.value.as_str(),
        "thresholds": {"incremental": effective.incremental.value, "cumulative": effective.cumulative.value},
        "chain": chain.map(|it| it.actions().iter().map(|it| it.as_str()).collect::<Vec<_>>()),
        "escalationDelaySec": effective.escalation_delay_sec.value,
    })
}

fn accepted(problems: &[Problem]) -> Value {
    if problems.is_empty() {
        return condition("Accepted", true, VALID, "every field is in force".to_owned());
    }
    condition("Accepted", false, FIELDS_IGNORED, sentence(problems))
}

/// The problems in one line.
pub(crate) fn sentence(problems: &[Problem]) -> String {
    problems.iter().map(|it| format!("`{}` {}", it.path, it.message)).collect::<Vec<_>>().join("; ")
}

fn warned(warnings: &[Warning]) -> Value {
    let Some(first) = warnings.first() else {
        return condition("Warnings", false, "None", String::new());
    };
    let messages: Vec<_> = warnings.iter().map(|it| format!("{}: {}", it.reason.as_str(), it.message)).collect();
    condition("Warnings", true, first.reason.as_str(), messages.join("; "))
}

fn condition(kind: &str, status: bool, reason: &str, message: String) -> Value {
    let status = if status { "True" } else { "False" };
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}

/// The condition with the time of its last transition: the one it has, unless its status changed.
fn dated(mut condition: Value, present: &Value, now: Now) -> Value {
    let same = |it: &&Value| it["type"] == condition["type"] && it["status"] == condition["status"];
    let before = present["conditions"].as_array().into_iter().flatten().find(same);
    let kept = before.and_then(|it| it["lastTransitionTime"].as_str()).map(str::to_owned);
    condition["lastTransitionTime"] = json!(kept.unwrap_or_else(|| now.rfc3339()));
    condition
}

/// Whether a merge patch would change nothing.
fn says(present: &Value, patch: &Value) -> bool {
    match (present, patch) {
        (Value::Object(present), Value::Object(patch)) => {
            patch.iter().all(|(name, value)| member_says(present, name, value))
        }
        (present, patch) => present == patch,
    }
}

fn member_says(present: &Map<String, Value>, name: &str, patch: &Value) -> bool {
    match present.get(name) {
        Some(present) => says(present, patch),
        None => patch.is_null(),
    }
}
