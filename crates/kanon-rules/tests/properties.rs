//! Properties over generated rules and pods.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use common::now;
use kanon_core::{Object, Outcome, PolicyFile};
use kanon_lang::kubernetes::parse_image;
use kanon_plane::View;
use kanon_rules::{Mode, Rules, RulesView, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any small JSON value, to stand where a field is expected.
fn junk() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z{} .\"=]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["admission", "deny", "5/min", "v1", "Pod", "spec.hostPID == true"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let keys = "type|on|params|gvk|namespaces|include|group|version|kind|template";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..3).prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

fn good() -> Value {
    json!({"name": "r", "enabled": true, "mode": ["admission"], "enforcementAction": "deny",
        "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}, "rule": "spec.hostPID == true"})
}

fn rules(spec: &Value) -> (std::sync::Arc<Rules>, Vec<kanon_rules::Problem>) {
    let file = PolicyFile { path: "a.yaml".into(), text: spec.to_string().into() };
    Rules::from_documents(&[file], common::language(), Settings::default(), Default::default())
}

proptest! {
    #[test]
    fn a_rule_is_in_force_or_says_why_not(
        field in prop::sample::select(vec![
            "name", "enabled", "severity", "mode", "enforcementAction", "match", "rule", "alert", "actions", "message",
            "onError", "other",
        ]),
        value in junk(),
    ) {
        let mut spec = good();
        spec[field] = value;
        let (rules, problems) = rules(&spec);
        prop_assert_eq!(rules.len(), 1);
        let rule = rules.active().next();
        let policies = RulesView::new(rules.clone()).policies();
        if rule.is_none() {
            let parked = policies[0].problem.is_empty();
            prop_assert!(parked || !problems.is_empty() || spec["mode"] != json!(["admission"]), "{spec}");
            prop_assert!(!parked || spec["enabled"] != json!(true), "{spec}");
        } else {
            prop_assert!(problems.iter().all(|it| it.warning), "{:?}", problems);
        }
    }

    #[test]
    fn a_pod_of_any_shape_gives_the_same_verdicts_twice(
        containers in junk(), init in junk(), security in junk(), metadata in junk(), image in junk(),
    ) {
        let spec = json!({"containers": [containers, {"name": "c", "image": image, "securityContext": security.clone()}],
            "initContainers": init, "securityContext": security});
        let pod = Object::from_value(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}));
        for expression in [
            "container.image.tag == 'latest' || container.securityContext.capabilities.drop == nil",
            "any(container.ports, true) || metadata.labels.app == 'x'",
            "len(container.command) + len(container.name) >= 0 && securityContext.runAsUser == nil",
        ] {
            let mut rule = good();
            rule["rule"] = json!(expression);
            let (rules, _) = rules(&rule);
            let ask = || rules.review_object(&pod, &[Mode::Admission], now(0));
            let verdicts = ask();
            prop_assert_eq!(&verdicts, &ask());
            prop_assert!(verdicts.iter().all(|it| matches!(it.outcome, Outcome::Deny | Outcome::Error)));
            let audited = rules.review_object(&pod, &[Mode::Audit], now(0));
            prop_assert!(audited.is_empty(), "the rule is for admission only");
        }
    }

    #[test]
    fn an_image_put_together_is_taken_apart(
        registry in "[a-z]{1,5}\\.[a-z]{2}(:[0-9]{2,4})?", name in "[a-z]{1,5}(/[a-z]{1,5})?", tag in "[a-z0-9.]{1,5}",
        digest in prop::option::of("[0-9a-f]{4}"),
    ) {
        let tail = digest.as_ref().map(|it| format!("@sha256:{it}")).unwrap_or_default();
        let text = format!("{registry}/{name}:{tag}{tail}");
        let image = parse_image(&text);
        prop_assert_eq!((image.registry, image.name, image.tag, image.sha256), (&*registry, &*name, &*tag, digest.as_deref()));
    }
}
