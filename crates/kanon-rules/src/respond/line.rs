//! One violation as a line of the violation log (spec/rules 9.4).

use kanon_core::{Outcome, Verdict};
use serde_json::{Value, json};

use super::Occasion;
use crate::rule::ActionSpec;

/// The line. A finding that ends has no actions; its rule may be gone.
pub(super) fn render(severity: &str, actions: &[ActionSpec], verdict: &Verdict, occasion: &Occasion) -> Value {
    let level = match severity {
        "critical" | "high" => "ERROR",
        "medium" => "WARN",
        _ => "INFO",
    };
    let Verdict { policy, subject, evidence, message, outcome, now, .. } = verdict;
    let actions: Vec<_> = actions.iter().map(|it| it.action.as_str()).collect();
    json!({
        "time": now.wall.to_string(), "level": level, "msg": message,
        "rule": policy.name, "gvk": subject.gvk, "namespace": subject.namespace, "name": subject.name,
        "uid": subject.uid, "mode": occasion.mode.as_str(), "message": message,
        "severity": severity,
        "source": {"event_id": occasion.event_id, "operation": evidence.operation, "container": evidence.part},
        "username": evidence.user,
        "decision": if *outcome == Outcome::Allow { "resolved" } else { outcome.as_str() },
        "action_types": actions,
    })
}
