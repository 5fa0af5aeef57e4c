//! One violation as a line of the violation log (spec/rules 9.4).

use kanon_core::{Outcome, Verdict};
use serde_json::{Value, json};

use super::Occasion;
use crate::rule::{Rule, Severity};

/// The line; `rule` is not there any more when a finding ends with it.
pub(super) fn render(rule: Option<&Rule>, verdict: &Verdict, occasion: &Occasion) -> Value {
    let severity = rule.and_then(|it| it.severity);
    let level = match severity {
        Some(Severity::Critical | Severity::High) => "ERROR",
        Some(Severity::Medium) => "WARN",
        Some(Severity::Low | Severity::Info) | None => "INFO",
    };
    let Verdict { policy, subject, evidence, message, outcome, now, .. } = verdict;
    let actions: Vec<_> = rule.iter().flat_map(|it| &it.actions).map(|it| it.action.as_str()).collect();
    json!({
        "time": now.wall.to_string(), "level": level, "msg": message,
        "rule": policy.name, "gvk": subject.gvk, "namespace": subject.namespace, "name": subject.name,
        "uid": subject.uid, "mode": occasion.mode.as_str(), "message": message,
        "severity": severity.map_or("", |it| it.as_str()),
        "source": {"event_id": occasion.event_id, "operation": evidence.operation, "container": evidence.part},
        "username": evidence.user,
        "decision": if *outcome == Outcome::Allow { "resolved" } else { outcome.as_str() },
        "action_types": actions,
    })
}
