//! Groups of the Kubernetes project (`*.k8s.io`, `*.kubernetes.io`): a definition in one says who approved it.

use serde_json::{Value, json};

use crate::status::Cause;

const ANNOTATION: &str = "api-approved.kubernetes.io";
const WHY: &str = "see https://github.com/kubernetes/enhancements/pull/1111";

/// What a definition says of its approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Approval {
    Missing,
    Approved,
    Unapproved,
    Invalid,
}

impl Approval {
    fn of(crd: &Value) -> Approval {
        let text = annotation(crd);
        let address = || text.split_once("://").is_some_and(|(scheme, host)| !scheme.is_empty() && !host.is_empty());
        match text {
            "" => Approval::Missing,
            text if text.starts_with("unapproved") => Approval::Unapproved,
            _ if address() => Approval::Approved,
            _ => Approval::Invalid,
        }
    }

    fn message(self, crd: &Value) -> String {
        let text = annotation(crd);
        match self {
            Approval::Missing => format!("protected groups must have approval annotation {ANNOTATION:?}, {WHY}"),
            Approval::Approved => format!("approved in {text}"),
            Approval::Unapproved => format!("not approved: {text:?}"),
            Approval::Invalid => format!(
                "protected groups must have approval annotation {ANNOTATION:?} with either a URL or a reason starting with \
                 \"unapproved\", {WHY}"
            ),
        }
    }
}

fn annotation(crd: &Value) -> &str {
    crd["metadata"]["annotations"][ANNOTATION].as_str().unwrap_or_default()
}

/// Whether a definition is in a group of the project.
fn is_protected(crd: &Value) -> bool {
    let group = crd["spec"]["group"].as_str().unwrap_or_default();
    ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|it| group.strip_suffix(it).is_some_and(|it| it.is_empty() || it.ends_with('.')))
}

/// What is wrong with the approval; one that was there before may stay.
pub(super) fn validate(crd: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    if !is_protected(crd) {
        return;
    }
    let approval = Approval::of(crd);
    if old.is_some_and(|it| Approval::of(it) == approval) {
        return;
    }
    let field = format!("metadata.annotations[{ANNOTATION}]");
    match approval {
        Approval::Missing => causes.push(Cause::required(&field, &approval.message(crd))),
        Approval::Invalid => {
            causes.push(Cause::invalid(&field, &annotation(crd).into(), &approval.message(crd)));
        }
        Approval::Approved | Approval::Unapproved => {}
    }
}

/// The condition that says so, for definitions in such a group.
pub(super) fn condition(crd: &Value, now: &str) -> Option<Value> {
    if !is_protected(crd) {
        return None;
    }
    let approval = Approval::of(crd);
    let (status, reason) = match approval {
        Approval::Missing => ("False", "MissingAnnotation"),
        Approval::Invalid => ("False", "InvalidAnnotation"),
        Approval::Approved => ("True", "ApprovedAnnotation"),
        Approval::Unapproved => ("False", "UnapprovedAnnotation"),
    };
    Some(json!({"type": "KubernetesAPIApprovalPolicyConformant", "status": status, "reason": reason,
        "message": approval.message(crd), "lastTransitionTime": now}))
}
