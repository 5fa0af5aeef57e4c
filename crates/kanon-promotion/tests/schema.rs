//! The CustomResourceDefinitions: names, columns, and what the schemas let in (spec/promotion-gates 1).

#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

use std::sync::Arc;

use kanon_promotion::api;
use kanon_schema::{Checker, FieldPath};
use serde_json::{Value, json};

fn spec_of(kind: &str) -> Value {
    let named = |it: &Value| it["spec"]["names"]["kind"] == kind;
    api::crds().into_iter().find(named).unwrap()["spec"].clone()
}

#[test]
fn names_and_columns_are_those_users_know() {
    let check = |kind: &str, short: &str, scope: &str, columns: &[&str]| {
        let spec = spec_of(kind);
        let names = &spec["names"]["shortNames"];
        assert_eq!(names.as_array().map_or("", |it| it[0].as_str().unwrap()), short, "{kind}");
        assert_eq!(spec["scope"], scope, "{kind}");
        let version = &spec["versions"][0];
        assert!(version["subresources"]["status"].is_object());
        let shown: Vec<_> = version["additionalPrinterColumns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| {
                let wide = if it["priority"] == 1 { "*" } else { "" };
                format!(
                    "{}{wide}:{}:{}",
                    it["name"].as_str().unwrap(),
                    it["type"].as_str().unwrap(),
                    it["jsonPath"].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(shown, columns, "{kind}");
    };
    let age = "Age:date:.metadata.creationTimestamp";
    check(
        "PolicyGate",
        "pg",
        "Namespaced",
        &[
            "Ready:boolean:.status.ready",
            "Reason*:string:.status.reason",
            "Last-Evaluated*:date:.status.lastEvaluatedAt",
            age,
        ],
    );
    check("Pipeline", "pipe", "Namespaced", &["Phase:string:.status.phase", "Paused:boolean:.spec.paused", age]);
    let bundle = ["Type:string:.spec.type", "Pipeline:string:.spec.pipeline", "Phase:string:.status.phase", age];
    check("Bundle", "bnd", "Namespaced", &bundle);
    let window = ["Type:string:.spec.type", "Active:boolean:.status.active", "Reason*:string:.status.reason", age];
    check("ChangeWindow", "cw", "Cluster", &window);
    check(
        "ScheduleClock",
        "sc",
        "Namespaced",
        &["Interval:string:.spec.interval", "Last-Tick:string:.status.tick", age],
    );
    let metric =
        ["Provider:string:.spec.provider", "Result:string:.status.result", "LastValue:string:.status.lastValue", age];
    check("MetricCheck", "", "Namespaced", &metric);
}

fn object(kind: &str, spec: Value) -> Value {
    json!({"apiVersion": "kardinal.io/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec})
}

/// What the API server says to an object, or to its change into another.
#[track_caller]
fn check_change(kind: &str, old: Option<Value>, spec: Value, want: &str) {
    let schema = &spec_of(kind)["versions"][0]["schema"]["openAPIV3Schema"];
    let schema = Arc::new(kanon_schema::from_json(schema));
    let Ok(checker) = Checker::new(&schema, &kanon_cel::Cel::default(), &FieldPath::root()) else {
        panic!("a rule of {kind} does not compile")
    };
    let mut new = object(kind, spec.clone());
    kanon_schema::default(&schema, &mut new);
    let old = old.map(|it| object(kind, it));
    let errors: Vec<_> = checker.check(&new, old.as_ref()).iter().map(ToString::to_string).collect();
    let errors = errors.join("; ");
    assert!(if want.is_empty() { errors.is_empty() } else { errors.contains(want) }, "{spec}: {errors}");
}

#[track_caller]
fn check(kind: &str, spec: Value, want: &str) {
    check_change(kind, None, spec, want);
}

#[test]
fn a_bundle_never_changes_and_overrides_only_grow() {
    let image =
        |tag: &str| json!({"type": "image", "pipeline": "my-app", "images": [{"repository": "app", "tag": tag}]});
    check_change("Bundle", Some(image("1")), image("1"), "");
    check_change("Bundle", Some(image("1")), image("2"), "does not change");
    let entry = json!({"reason": "INC-77", "expiresAt": "2026-04-07T11:00:00Z"});
    let gate = |entries: usize| json!({"expression": "false", "overrides": vec![entry.clone(); entries]});
    check_change("PolicyGate", Some(gate(1)), gate(2), "");
    check_change("PolicyGate", Some(gate(2)), gate(1), "never removed");
    check_change("PolicyGate", Some(gate(1)), json!({"expression": "false"}), "never removed");
}

#[test]
fn schemas_let_in_what_the_seed_shows_and_refuse_what_makes_no_sense() {
    let gate = |expression: &str| json!({"expression": expression, "message": "m", "recheckInterval": "5m", "when": "pre-deploy"});
    check("PolicyGate", gate("!schedule.isWeekend"), "");
    check("PolicyGate", json!({"expression": "true", "recheckInterval": "banana"}), "");
    check("PolicyGate", gate(""), "spec.expression");
    check("PolicyGate", gate("  "), "spec.expression");
    check("PolicyGate", json!({"expression": "true", "when": "sometime"}), "spec.when");
    check("PolicyGate", json!({"expression": "true", "overrides": [{"reason": "r"}]}), "expiresAt");
    let pipeline =
        |environments: Value| json!({"git": {"url": "https://example.com/x.git"}, "environments": environments});
    check("Pipeline", pipeline(json!([{"name": "test"}, {"name": "prod", "approval": "pr-review", "wave": 1}])), "");
    check("Pipeline", pipeline(json!([])), "spec.environments");
    check("Pipeline", pipeline(json!([{"name": "Prod"}])), "spec.environments");
    check("Pipeline", pipeline(json!([{"name": "a"}, {"name": "a"}])), "Duplicate value");
    let bundle = |intent: Value| json!({"type": "image", "pipeline": "my-app", "intent": intent});
    check("Bundle", bundle(json!({"target": "prod", "targetEnvironment": "prod"})), "");
    check("Bundle", bundle(json!({"target": "prod", "targetEnvironment": "test"})), "must agree");
    check("Bundle", json!({"type": "config", "pipeline": "my-app"}), "configRef");
    check("Bundle", json!({"type": "other", "pipeline": "my-app"}), "spec.type");
    let blackout = |start: &str, end: &str| json!({"type": "blackout", "start": start, "end": end});
    check("ChangeWindow", blackout("2026-12-20T00:00:00Z", "2027-01-02T00:00:00Z"), "");
    check("ChangeWindow", blackout("2027-12-20T00:00:00Z", "2027-01-02T00:00:00Z"), "must come after");
    check("ChangeWindow", json!({"type": "blackout", "start": "2026-12-20T00:00:00Z"}), "needs `start` and `end`");
    check(
        "ChangeWindow",
        json!({"type": "recurring", "schedule": {"allowedDays": ["Mon"], "allowedHours": "22:00-06:00"}}),
        "",
    );
    check("ChangeWindow", json!({"type": "recurring", "schedule": {"allowedHours": "9-17"}}), "allowedHours");
    check("ScheduleClock", json!({"interval": "1m"}), "");
    check("ScheduleClock", json!({}), "");
    let metric = json!({"prometheusURL": "http://p", "query": "up", "threshold": {"value": 0.01, "operator": "lt"}});
    check("MetricCheck", metric, "");
    check("MetricCheck", json!({"prometheusURL": "http://p", "query": "up"}), "threshold");
}
