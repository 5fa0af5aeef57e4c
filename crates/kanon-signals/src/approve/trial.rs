//! Remediations that occur, put to a policy before it comes into force (spec/signal-approval 5.4): each trigger of the
//! default, none, and an analysis of which nothing is known.

use kanon_core::{Now, Object};
use serde_json::{Number, Value};

use super::Approver;
use crate::{
    api::{ApprovalInput, DetectedLabels, Resource},
    ask::{Answer, Steps},
    policy::Trial,
};

/// Puts all of them to the policy.
pub(super) fn run(approver: &Approver, now: Now) -> Trial {
    let mut trial = Trial::default();
    for (about, careful, input) in inputs() {
        let members = match approver.package.ask(&Object::from_value(&input.document()), Steps::APPROVAL, now) {
            Answer::Value(Value::Object(members)) => members,
            Answer::Value(_) => {
                trial.problem("the policy's document is not an object".to_owned());
                continue;
            }
            Answer::Undefined => {
                trial.problem("the policy's document is undefined".to_owned());
                continue;
            }
            Answer::Failed { limit, message } => {
                if trial.problems.is_empty() {
                    trial.problem(format!("the evaluation fails for {about}: {message}"));
                }
                if limit {
                    break;
                }
                continue;
            }
        };
        match members.get("require_approval") {
            Some(Value::Bool(required)) => {
                if careful && !required {
                    trial.warning(format!("no approval is required for {about}"));
                }
            }
            Some(_) => trial.problem("rule `require_approval` is not a boolean".to_owned()),
            None => {
                let why = "rule `require_approval` is undefined for some remediations: they need approval";
                trial.warning(why.to_owned());
            }
        }
        if members.get("reason").is_some_and(|it| !it.is_string()) {
            trial.problem("rule `reason` is not a text".to_owned());
        }
        let odd = |it: &Value| !it["score"].is_number() || !it["reason"].is_string();
        match members.get("risk_factors") {
            None => {}
            Some(Value::Array(factors)) if !factors.iter().any(odd) => {}
            Some(_) => trial.warning("`risk_factors` has elements that are not `{score, reason}`".to_owned()),
        }
    }
    trial
}

/// What it is, whether careful operators have it approved, and the input.
fn inputs() -> Vec<(&'static str, bool, ApprovalInput)> {
    let usual = |environment: &str, kind: &str| ApprovalInput {
        signal_type: "OOMKilled".to_owned(),
        severity: "high".to_owned(),
        environment: environment.to_owned(),
        business_priority: "P1".to_owned(),
        target_resource: resource("Pod", "cart-0"),
        remediation_target: Some(resource(kind, "cart")),
        detected_labels: Some(DetectedLabels::default()),
        confidence: Number::from_f64(0.9).unwrap_or(Number::from(1)),
        ..ApprovalInput::default()
    };
    vec![
        ("an analysis of which nothing is known", true, ApprovalInput::default()),
        (
            "a missing remediation target",
            true,
            ApprovalInput { remediation_target: None, ..usual("staging", "Deployment") },
        ),
        ("a remediation target without kind", true, usual("staging", "")),
        ("production", true, usual("production", "Deployment")),
        ("a StatefulSet in production", true, usual("production", "StatefulSet")),
        ("a Node in staging", false, usual("staging", "Node")),
        ("a Deployment in staging", false, usual("staging", "Deployment")),
        ("an unknown environment", false, usual("unknown", "Deployment")),
        ("low confidence", false, ApprovalInput { confidence: Number::from(0), ..usual("development", "Deployment") }),
        (
            "failed detections and warnings",
            false,
            ApprovalInput {
                failed_detections: Some(vec!["gitOpsManaged".to_owned()]),
                warnings: Some(vec!["inconclusive".to_owned()]),
                ..usual("test", "Deployment")
            },
        ),
    ]
}

fn resource(kind: &str, name: &str) -> Resource {
    Resource { kind: kind.to_owned(), name: name.to_owned(), namespace: "shop".to_owned() }
}
