//! Classification and approval as the specification's tables and examples have them, by data.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::collections::BTreeMap;

use common::{language, now};
use kanon_signals::{
    APPROVAL_POLICY, CLASSIFICATION_POLICY, SignalsView, Surface,
    api::{ApprovalInput, ClassificationInput},
    check as check_policy, surface_of,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    /// The whole policy; the default when there is none.
    policy: Option<String>,
    /// What is added to it.
    #[serde(default)]
    append: String,
    /// Whether the policy may come into force; one that may not is asked all the same.
    #[serde(default = "yes")]
    tried: bool,
    input: Value,
    /// Members of the answer.
    want: BTreeMap<String, Value>,
    /// Texts in the errors of rules.
    #[serde(default)]
    errors: BTreeMap<String, String>,
    /// Beginning and end of the reason.
    #[serde(default)]
    begins: String,
    #[serde(default)]
    ends: String,
    /// The document that the policy sees.
    document: Option<Value>,
}

fn yes() -> bool {
    true
}

fn read<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let cases: Vec<T> = serde_saphyr::from_multiple(text).unwrap();
    assert!(!cases.is_empty());
    cases
}

fn rows<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let rows: Vec<T> = serde_saphyr::from_str(text).unwrap();
    assert!(rows.len() > 10);
    rows
}

fn view(surface: Surface, case: &Case) -> SignalsView {
    let default = match surface {
        Surface::Classification => CLASSIFICATION_POLICY,
        Surface::Approval => APPROVAL_POLICY,
    };
    let text = format!("{}\n{}", case.policy.as_deref().unwrap_or(default), case.append);
    let language = language();
    let checked = check_policy(&*language, surface, text.as_bytes(), None, now(0));
    assert_eq!(checked.problems.is_empty(), case.tried, "{}: {:?}", case.case, checked.problems);
    let view = SignalsView::built_in(&*language);
    view.with_policy(&*language, surface, "case.rego", Ok(text.as_bytes()), now(0))
}

fn check(surface: Surface, case: &Case) {
    let view = view(surface, case);
    let (document, answer) = match surface {
        Surface::Classification => {
            let input = ClassificationInput::read(&case.input).unwrap();
            (input.document(), view.classify(&input, now(0)).to_json())
        }
        Surface::Approval => {
            let input = ApprovalInput::read(&case.input).unwrap();
            (input.document(), view.decide(&input, now(0)).to_json())
        }
    };
    let name = &case.case;
    if let Some(want) = &case.document {
        // Texts: order of members and form of numbers count too.
        assert_eq!(document, *want, "{name}");
    }
    for (rule, want) in &case.want {
        assert_eq!(answer[rule], *want, "{name}: {rule}: {answer}");
    }
    let errors = answer.get("errors").cloned().unwrap_or(json!({}));
    assert_eq!(errors.as_object().unwrap().len(), case.errors.len(), "{name}: {errors}");
    for (rule, want) in &case.errors {
        assert!(errors[rule].as_str().is_some_and(|it| it.contains(want.as_str())), "{name}: {errors}");
    }
    let reason = answer["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with(&case.begins) && reason.ends_with(&case.ends), "{name}: {reason}");
}

#[test]
fn signals_are_classified() {
    read::<Case>(include_str!("cases/classification.yaml")).iter().for_each(|it| check(Surface::Classification, it));
}

#[test]
fn remediations_are_approved() {
    read::<Case>(include_str!("cases/approval.yaml")).iter().for_each(|it| check(Surface::Approval, it));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeverityRow {
    given: String,
    want: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvironmentRow {
    name: String,
    label: Option<String>,
    want: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriorityRow {
    severity: String,
    environment: String,
    tier: Option<String>,
    want: String,
    #[serde(default = "score_based")]
    name: String,
}

fn score_based() -> String {
    "score-based".to_owned()
}

fn classify(input: &Value) -> Value {
    let view = SignalsView::built_in(&*language());
    view.classify(&ClassificationInput::read(input).unwrap(), now(0)).to_json()
}

#[test]
fn severities_follow_the_table() {
    for row in rows::<SeverityRow>(include_str!("cases/severity.yaml")) {
        let answer = classify(&json!({"signal": {"severity": row.given}}));
        assert_eq!(answer["severity"], row.want, "{:?}", row.given);
    }
}

#[test]
fn environments_follow_the_table() {
    for row in rows::<EnvironmentRow>(include_str!("cases/environment.yaml")) {
        let labels = row.label.as_ref().map(|it| json!({"kubernaut.ai/environment": it}));
        let answer = classify(&json!({"namespace": {"name": row.name, "labels": labels}}));
        let want = json!({"environment": row.want, "source": row.source});
        assert_eq!(answer["environment"], want, "{} {:?}", row.name, row.label);
    }
}

#[test]
fn priorities_follow_the_matrix() {
    for row in rows::<PriorityRow>(include_str!("cases/priority.yaml")) {
        let mut labels = json!({"kubernaut.ai/environment": row.environment});
        if let Some(tier) = &row.tier {
            labels["tier"] = json!(tier);
        }
        let input = json!({"namespace": {"name": "shop", "labels": labels}, "signal": {"severity": row.severity}});
        let want = json!({"priority": row.want, "policy_name": row.name});
        assert_eq!(classify(&input)["priority"], want, "{input}");
    }
}

#[test]
fn priorities_may_follow_the_table_by_its_letter() {
    let language = language();
    let text = CLASSIFICATION_POLICY.replace("weigh_normalised_severity := true", "weigh_normalised_severity := false");
    let view = SignalsView::built_in(&*language);
    let view = view.with_policy(&*language, Surface::Classification, "p.rego", Ok(text.as_bytes()), now(0));
    for (severity, want) in [("sev1", "P3"), ("error", "P3"), ("sev2", "P3"), ("critical", "P0"), ("warning", "P1")] {
        let input = json!({"namespace": {"name": "production"}, "signal": {"severity": severity}});
        let answer = view.classify(&ClassificationInput::read(&input).unwrap(), now(0)).to_json();
        assert_eq!(answer["priority"]["priority"], want, "{severity}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadCase {
    case: String,
    surface: String,
    policy: Option<String>,
    #[serde(default)]
    append: String,
    tests: Option<String>,
    #[serde(default)]
    problems: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

fn check_load(case: &LoadCase) {
    let (surface, default) = match case.surface.as_str() {
        "approval" => (Surface::Approval, APPROVAL_POLICY),
        _ => (Surface::Classification, CLASSIFICATION_POLICY),
    };
    let text = format!("{}{}", case.policy.as_deref().unwrap_or(default), case.append);
    let found = check_policy(&*language(), surface, text.as_bytes(), case.tests.as_deref().map(str::as_bytes), now(0));
    for (found, want) in [(&found.problems, &case.problems), (&found.warnings, &case.warnings)] {
        assert_eq!(found.len(), want.len(), "{}: {found:#?}", case.case);
        for (found, want) in found.iter().zip(want) {
            assert!(found.contains(want.as_str()), "{}: `{want}` not in `{found}`", case.case);
        }
    }
}

#[test]
fn broken_policies_say_what_is_wrong() {
    read::<LoadCase>(include_str!("cases/load.yaml")).iter().for_each(check_load);
}

#[test]
fn the_policies_of_this_version_are_in_order() {
    let language = language();
    for (surface, text) in [(Surface::Classification, CLASSIFICATION_POLICY), (Surface::Approval, APPROVAL_POLICY)] {
        let checked = check_policy(&*language, surface, text.as_bytes(), None, now(0));
        assert_eq!((checked.problems, checked.warnings), (Vec::new(), Vec::new()));
        assert_eq!(surface_of(&*language, text), Some(surface));
    }
    assert_eq!(surface_of(&*language, "package other\n"), None);
}

#[test]
fn switches_of_the_approval_policy_turn_more_care_on() {
    let language = language();
    let decide = |switch: &str, input: Value| {
        let text = APPROVAL_POLICY.replace(&format!("{switch} := false"), &format!("{switch} := true"));
        assert_ne!(text, APPROVAL_POLICY, "{switch}");
        let view = SignalsView::built_in(&*language);
        let view = view.with_policy(&*language, Surface::Approval, "a.rego", Ok(text.as_bytes()), now(0));
        view.decide(&ApprovalInput::read(&input).unwrap(), now(0)).reason
    };
    let crd = json!({"environment": "staging", "remediation_target": {"kind": "CustomResourceDefinition"}});
    let reason = decide("guard_custom_resource_definitions", crd);
    assert_eq!(reason, "Changes of a custom resource definition reach every object of its type");
    let deployment =
        |environment: &str| json!({"environment": environment, "remediation_target": {"kind": "Deployment"}});
    let switch = "guard_unknown_environments";
    assert_eq!(decide(switch, deployment("canary")), "Environment is not known to be safe");
    assert_eq!(decide(switch, deployment("Staging")), "Auto-approved");
    let mut warned = deployment("staging");
    warned["warnings"] = json!(["inconclusive"]);
    assert_eq!(decide("guard_warnings", warned), "The analysis came with warnings");
    assert_eq!(decide("guard_warnings", deployment("staging")), "Auto-approved");
}

#[test]
fn inputs_that_make_no_sense_name_the_field() {
    let signal = |value: Value| ClassificationInput::read(&value).unwrap_err().to_string();
    let analysis = |value: Value| ApprovalInput::read(&value).unwrap_err().to_string();
    assert!(signal(json!({"signal": {"severity": 3}})).starts_with("`signal.severity`: invalid type: integer `3`"));
    assert!(signal(json!({"namespace": {"labels": {"a": true}}})).starts_with("`namespace.labels.a`: "));
    assert_eq!(signal(json!([])), "the input is not an object");
    assert!(signal(json!({"apiVersion": "v1", "kind": "Pod"})).starts_with("`kind`: `Pod` is not `SignalProcessing`"));
    assert!(analysis(json!({"confidence": "high"})).starts_with("`confidence`: "));
    for odd in [json!(0), json!(1.5), json!(-1)] {
        assert!(analysis(json!({"confidence_threshold": odd})).starts_with("`confidence_threshold`: "));
    }
    let without = json!({"apiVersion": "kubernaut.ai/v1alpha1", "kind": "AIAnalysis", "status": {}});
    assert!(analysis(without).starts_with("`status.selectedWorkflow` is missing"));
}

#[test]
fn without_a_policy_nothing_is_guessed() {
    let language = language();
    let view = |surface, text: Result<&[u8], String>| {
        SignalsView::built_in(&*language).with_policy(&*language, surface, "p.rego", text, now(0))
    };
    let decide = |text| view(Surface::Approval, text).decide(&ApprovalInput::default(), now(0));
    for (text, want) in [
        (
            Err("no such file".to_owned()),
            "Policy file not found: file p.rego: no such file - defaulting to manual approval",
        ),
        (Ok(&b"package aianalysis.approval\nreason := \n"[..]), "Policy compilation failed: file p.rego: "),
        (Ok(b"package signalprocessing\n"), "Policy compilation failed: file p.rego: package is `signalprocessing`"),
        (Ok(b"\xff"), "Policy compilation failed: file p.rego: policy is not UTF-8"),
    ] {
        let approval = decide(text);
        assert!(approval.required && approval.degraded && approval.policy.is_none());
        assert!(
            approval.reason.starts_with(want) && approval.reason.ends_with("manual approval"),
            "{}",
            approval.reason
        );
    }
    let labels = json!({"namespace": {"labels": {"kubernaut.ai/team": "a"}}});
    let input = ClassificationInput::read(&labels).unwrap();
    let answer = view(Surface::Classification, Err("no such file".into())).classify(&input, now(0));
    assert_eq!(answer.failures().len(), 3);
    assert!(answer.failures().iter().all(|it| it.to_string().contains("not loaded")), "{:?}", answer.failures());
    assert!(answer.labels.failure.is_none() && answer.labels.values["team"] == ["a"]);
}

#[test]
fn texts_and_documents_of_any_size_end_in_an_answer() {
    let language = language();
    let long = format!("package signalprocessing\n# {}\n", "x".repeat(300 << 10));
    let checked = check_policy(&*language, Surface::Classification, long.as_bytes(), None, now(0));
    assert!(checked.problems[0].contains("bytes long, more than 262144"), "{:?}", checked.problems);
    let view = SignalsView::built_in(&*language);
    let large = json!({"signal": {"severity": "x".repeat(2 << 20)}});
    let answer = view.classify(&ClassificationInput::read(&large).unwrap(), now(0));
    assert!(answer.failures()[0].to_string().contains("larger than 1 MiB"));
    let large = json!({"signal_type": "x".repeat(2 << 20)});
    assert!(view.decide(&ApprovalInput::read(&large).unwrap(), now(0)).degraded);
    let wordy = b"package aianalysis.approval\ndefault require_approval := false\nreason := concat(\"\", [input.signal_type, input.signal_type])\n";
    let view = view.with_policy(&*language, Surface::Approval, "p.rego", Ok(wordy), now(0));
    let input = json!({"signal_type": "x".repeat(40 << 10)});
    let approval = view.decide(&ApprovalInput::read(&input).unwrap(), now(0));
    assert!(approval.degraded && approval.reason.contains("larger than 64 KiB"), "{}", approval.reason);
}
