//! What holds of every input: reading is stable, and no way leads to an approval that nobody gave.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::{language, now};
use kanon_signals::{
    APPROVAL_POLICY, SignalModes, SignalsView, Surface,
    api::{ApprovalInput, ClassificationInput},
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// JSON of any shape, with names that the documents have.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (0.0..2.0f64).prop_map(Value::from),
        prop::sample::select(vec!["", "production", "Node", "critical", "é"]).prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "namespace",
        "signal",
        "workload",
        "labels",
        "name",
        "severity",
        "kind",
        "environment",
        "remediation_target",
        "detected_labels",
        "confidence",
        "confidence_threshold",
        "warnings",
        "custom_labels",
        "other",
        "apiVersion",
    ]);
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|it| it.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_read_reads_the_same_again(value in any_json()) {
        if let Ok(input) = ClassificationInput::read(&value) && value.get("kind").is_none() {
            prop_assert_eq!(ClassificationInput::read(&input.document()), Ok(input));
        }
        if let Ok(input) = ApprovalInput::read(&value) && value.get("kind").is_none() {
            prop_assert_eq!(ApprovalInput::read(&input.document()), Ok(input));
        }
    }

    #[test]
    fn any_text_is_a_table_of_modes_or_an_error(text in "\\PC{0,80}") {
        if let Ok(modes) = SignalModes::parse(&text) {
            prop_assert!(!modes.of("").proactive);
        }
    }
}

proptest! {
    // Each of these compiles a policy or more.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_target_and_production_are_never_approved_by_default(
        environment in prop::sample::select(vec!["production", "staging", "unknown", "PROD", "é", ""]),
        kind in prop::option::of(prop::sample::select(vec!["", "Node", "Deployment", "StatefulSet"])),
        confidence in 0.0..=1.0f64,
    ) {
        let target = kind.map(|kind| json!({"kind": kind, "name": "a"}));
        let document = json!({"environment": environment, "remediation_target": target, "confidence": confidence});
        let input = ApprovalInput::read(&document).unwrap();
        let view = SignalsView::built_in(&*language());
        let approval = view.decide(&input, now(0));
        prop_assert_eq!(&approval, &view.decide(&input, now(0)));
        let known = kind.is_some_and(|it| !it.is_empty());
        let production = matches!(environment, "production" | "PROD");
        prop_assert_eq!(approval.required, !known || production || matches!(kind, Some("Node" | "StatefulSet")));
        prop_assert_eq!(approval.required, approval.reason != "Auto-approved");
        prop_assert!(!approval.degraded);
    }

    #[test]
    fn a_damaged_policy_never_approves_by_accident(at in any::<prop::sample::Index>(), with in "\\PC{0,3}") {
        let mut text: Vec<char> = APPROVAL_POLICY.chars().collect();
        let at = at.index(text.len());
        text.splice(at..at + 1, with.chars());
        let text: String = text.into_iter().collect();
        let language = language();
        let view = SignalsView::built_in(&*language);
        let view = view.with_policy(&*language, Surface::Approval, "p.rego", Ok(text.as_bytes()), now(0));
        let approval = view.decide(&ApprovalInput::default(), now(0));
        prop_assert!(approval.required || !approval.degraded, "{:?}", approval);
    }
}
