//! The switch over admission, the webhook's operations, and what narrows a rule in the audit.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::sync::Arc;

use common::{creation, language, now};
use kanon_core::{Change, Input, Keep, Kind, Object, Operation, PolicyFile};
use kanon_plane::{Family, NoLookups, Payload, Plane, Settings as PlaneSettings, View};
use kanon_rules::{EnforcementSwitch, Mode, Responses, Rules, RulesFamily, RulesView, Settings};
use serde_json::{Value, json};

fn rule(name: &str, more: Value) -> Value {
    let mut whole = json!({"name": name, "enabled": true, "mode": ["admission"], "enforcementAction": "deny", "rule": "true",
        "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}});
    for (key, value) in more.as_object().unwrap() {
        match whole[key].as_object_mut() {
            Some(known) => known.extend(value.as_object().unwrap().clone()),
            None => whole[key] = value.clone(),
        }
    }
    whole
}

fn view(rules: &Value, enforcement: EnforcementSwitch) -> RulesView {
    let file = PolicyFile { path: "a.yaml".into(), text: rules.to_string().into() };
    let settings = Settings { enforcement, ..Settings::default() };
    let (rules, problems) = Rules::from_documents(&[file], language(), settings, Default::default());
    assert_eq!(problems, []);
    RulesView::new(rules)
}

#[test]
fn the_switch_turns_denials_into_warnings_or_records() {
    let rules = json!([
        rule("denies", json!({})),
        rule("warns", json!({"enforcementAction": "warn"})),
        rule("fails", json!({"rule": "object.spec.x.y == 1", "onError": "deny"}))
    ]);
    let review = creation(&json!({"metadata": {"name": "p", "namespace": "shop"}}));
    let told = |switch| {
        let verdicts = view(&rules, switch).review(&review, &NoLookups, now(0)).verdicts;
        verdicts
            .iter()
            .map(|it| format!("{} {} {}", it.policy.name, it.outcome.as_str(), it.reason))
            .collect::<Vec<_>>()
    };
    let on = ["denies deny RuleViolated", "fails deny EvaluationError", "warns warn RuleViolated"];
    assert_eq!(told(EnforcementSwitch::On), on);
    let warn = ["denies warn EnforcementSwitched", "fails warn EnforcementSwitched", "warns warn RuleViolated"];
    assert_eq!(told(EnforcementSwitch::Warn), warn);
    let off =
        ["denies dryrun EnforcementSwitched", "fails dryrun EnforcementSwitched", "warns dryrun EnforcementSwitched"];
    assert_eq!(told(EnforcementSwitch::Off), off);
}

#[test]
fn the_webhook_is_asked_about_the_operations_that_rules_list() {
    let operations = |rules: &[Value]| {
        let found = view(&Value::from(rules.to_vec()), EnforcementSwitch::On).admission_rules();
        found.into_iter().flat_map(|it| it.operations).collect::<Vec<_>>()
    };
    use Operation::{Create, Delete, Update};
    let only = |operation: &str| rule(operation, json!({"match": {"operations": [operation]}}));
    assert_eq!(operations(&[rule("all", json!({}))]), [Create, Update]);
    assert_eq!(operations(&[only("DELETE")]), [Delete]);
    assert_eq!(operations(&[only("DELETE"), only("CREATE")]), [Create, Delete]);
    assert_eq!(operations(&[rule("all", json!({})), only("DELETE")]), [Create, Update, Delete]);
}

#[test]
fn whoever_wants_to_be_rid_of_the_rules_gets_rid_of_them() {
    let rules = json!([rule(
        "keep",
        json!({"match": {"operations": ["DELETE"],
        "gvk": [{"group": "apiextensions.k8s.io", "version": "v1", "kind": "CustomResourceDefinition"}]}})
    )]);
    let view = view(&rules, EnforcementSwitch::On);
    for (name, denied) in [("portalclusterrules.portal.io", false), ("widgets.shop.example", true)] {
        let mut review = creation(&json!({"metadata": {"name": name}}));
        review.kind = kanon_core::GroupVersionKind::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        (review.operation, review.old_object) = (Operation::Delete, review.object.take());
        review.namespace.clear();
        assert_eq!(!view.review(&review, &NoLookups, now(0)).verdicts.is_empty(), denied, "{name}");
    }
}

/// The audit: what a rule is told of two pods and of the labels of their namespace.
#[test]
fn the_audit_follows_labels_of_objects_and_of_their_namespace() {
    let (pods, namespaces) =
        (Kind::namespaced("", "v1", "Pod", "pods"), Kind::cluster("", "v1", "Namespace", "namespaces"));
    let settings = Settings { loops: vec![Mode::Admission, Mode::Audit], ..Settings::default() };
    let responses = Responses { leads: true, ..Responses::default() };
    let family = RulesFamily::new(language(), settings).with_responses(responses);
    let mut plane = Plane::new(vec![Box::new(family) as Box<dyn Family>], PlaneSettings::default());
    let mut input = |input: Input| {
        let (mut told, mut inputs) = (Vec::new(), vec![input]);
        while let Some(input) = inputs.pop() {
            let step = plane.handle(&input, now(0));
            for payload in step.records {
                if let Payload::Decision(it) = payload {
                    told.push(format!("{} {} {}", it.policy.name, it.subject.name, it.reason));
                }
            }
            inputs.extend(step.scans.iter().map(|it| it.run(plane.objects(), now(0))));
        }
        told.sort();
        told
    };
    let object = |kind: &Kind, value: Value| Input::Object {
        kind: Arc::new(kind.clone()),
        change: Change::Applied,
        object: Object::from_value(&value),
    };
    let by_label =
        rule("gold", json!({"mode": ["audit"], "match": {"labelSelector": {"matchLabels": {"tier": "gold"}}}}));
    let by_namespace =
        rule("team", json!({"mode": ["audit"], "match": {"namespaceSelector": {"matchLabels": {"team": "a"}}}}));
    let text = json!([by_label, by_namespace]).to_string();
    let none = Vec::<String>::new();
    assert_eq!(
        input(Input::Folder {
            files: vec![PolicyFile { path: "a.yaml".into(), text: text.into() }],
            unreadable: Vec::new()
        }),
        none
    );
    let namespace = |labels: Value| json!({"metadata": {"name": "shop", "uid": "n", "labels": labels}});
    let pod =
        |tier: &str| json!({"metadata": {"name": "p", "namespace": "shop", "uid": "p", "labels": {"tier": tier}}});
    input(object(&namespaces, namespace(json!({}))));
    input(object(&pods, pod("tin")));
    input(Input::Synced { kind: Arc::new(namespaces.clone()), keep: Keep::All });
    assert_eq!(input(Input::Synced { kind: Arc::new(pods.clone()), keep: Keep::All }), none);
    assert_eq!(input(object(&pods, pod("gold"))), ["gold p RuleViolated"]);
    assert_eq!(input(object(&namespaces, namespace(json!({"team": "a"})))), ["team p RuleViolated"]);
    assert_eq!(input(object(&namespaces, namespace(json!({"team": "b"})))), ["team p FindingFixed"]);
    assert_eq!(input(object(&pods, pod("tin"))), ["gold p FindingFixed"]);
}

#[test]
fn a_rule_that_denies_too_much_warns_until_it_is_edited() {
    let settings = Settings { breaker: Some(50), ..Settings::default() };
    let family = RulesFamily::new(language(), settings);
    let mut plane = Plane::new(vec![Box::new(family) as Box<dyn Family>], PlaneSettings::default());
    let apply = |plane: &mut Plane, generation: u32, expression: &str| {
        let object = json!({"metadata": {"name": "all", "uid": "u", "generation": generation}, "spec":
            rule("all", json!({"rule": expression}))});
        let kind = Arc::new(kanon_rules::api::cluster_rule());
        let step =
            plane.handle(&Input::Object { kind, change: Change::Applied, object: Object::from_value(&object) }, now(0));
        let _ = step;
    };
    // Asks once; the outcome, and the reason of `Ready` where it was written.
    let ask = |plane: &mut Plane| {
        let review = Arc::new(creation(&json!({"metadata": {"name": "p", "namespace": "shop"}})));
        let view = plane.views().iter().next().unwrap().clone();
        let reviewed = view.review(&review, &NoLookups, now(1));
        let told =
            reviewed.verdicts.first().map_or(String::new(), |it| format!("{} {}", it.outcome.as_str(), it.reason));
        let (family, verdicts, counts) = (view.family(), reviewed.verdicts, reviewed.counts);
        let step = plane.handle(&Input::Reviewed { family, review, verdicts, counts }, now(1));
        let ready = step.effects.into_iter().find_map(|it| match it.action {
            kanon_core::Action::Status { status, .. } => {
                let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
                conditions.iter().find(|it| it["type"] == "Ready").map(|it| it["reason"].as_str().unwrap().to_owned())
            }
            _ => None,
        });
        (told, ready)
    };
    apply(&mut plane, 1, "true");
    for _ in 0..99 {
        assert_eq!(ask(&mut plane).0, "deny RuleViolated");
    }
    let last = ask(&mut plane);
    assert_eq!(last, ("deny RuleViolated".to_owned(), Some("CircuitOpen".to_owned())));
    assert_eq!(ask(&mut plane).0, "warn CircuitOpen");
    apply(&mut plane, 2, "1 == 1");
    assert_eq!(ask(&mut plane).0, "deny RuleViolated");
}
