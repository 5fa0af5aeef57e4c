//! From objects to inputs: which gates apply where, history, soak, metrics, skip permission (spec/promotion-gates 2.2, 2.4,
//! 2.6, rows S20 to S28, S53 to S57 and S66 to S71 of 2.10.1, B20 to B25 of 2.10.3).

#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kanon_core::Object;
use kanon_promotion::{
    Settings,
    api::PolicyGateSpec,
    bundle::Bundle,
    collect::{Meta, targets},
    decide::{decide, is_fresh},
    facts::{Facts, Target},
    gate::{Compiler, Gate},
    metric::Metric,
    pipeline::Pipeline,
    skip::{Skip, skip},
};
use serde_json::{Value, json};

const NOW: &str = "2026-04-07T10:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn key(namespace: &str, name: &str) -> (String, String) {
    (namespace.to_owned(), name.to_owned())
}

/// Pipeline `my-app` in `shop` with these environments in a row.
fn facts(environments: &[&str]) -> Facts {
    let mut facts = Facts::new(Settings::default());
    let list: Vec<_> = environments.iter().map(|it| json!({"name": it})).collect();
    let spec = serde_json::from_value(json!({"environments": list})).unwrap();
    let pipeline = Pipeline::new(&spec, BTreeMap::new()).unwrap();
    facts.pipelines.insert(key("shop", "my-app"), pipeline);
    facts
}

/// A Bundle that was created `minute` minutes after eight, with a phase in `staging`.
fn add(facts: &mut Facts, name: &str, minute: u32, staging: &str) {
    let verified =
        json!({"name": "staging", "phase": staging, "healthCheckedAt": format!("2026-04-07T08:{minute:02}:30Z")});
    add_bundle(facts, name, minute, json!({"images": [{"repository": "app", "tag": name}]}), json!([verified]));
}

fn add_bundle(facts: &mut Facts, name: &str, minute: u32, spec: Value, environments: Value) {
    let mut object = json!({"metadata": {"name": name, "namespace": "shop",
        "creationTimestamp": format!("2026-04-07T08:{minute:02}:00Z")}, "spec": {"type": "image", "pipeline": "my-app"},
        "status": {"environments": environments}});
    for (name, value) in spec.as_object().unwrap() {
        object["spec"][name] = value.clone();
    }
    let bundle = Bundle::new(&Object::from_value(&object)).unwrap();
    facts.bundles.replace(&key("shop", name), Some(bundle));
}

fn gate(expression: &str) -> Gate {
    let spec = PolicyGateSpec { expression: expression.into(), ..PolicyGateSpec::default() };
    Compiler::new(Arc::new(kanon_cel::Cel::default())).gate(&spec).unwrap()
}

fn target(bundle: &str, environment: &str) -> Target {
    let text = |it: &str| it.to_owned();
    Target { namespace: text("shop"), pipeline: text("my-app"), environment: text(environment), bundle: text(bundle) }
}

#[track_caller]
fn check(facts: &Facts, bundle: &str, expression: &str, want: &str) {
    let target = target(bundle, "prod");
    let decision = decide(&gate(expression), &target, &facts.inputs(&target), now());
    assert!(decision.reason.ends_with(want), "{expression}: {}", decision.reason);
}

#[test]
fn history_is_the_last_ten_bundles_of_the_pipeline() {
    let mut all = facts(&["test", "staging", "prod"]);
    add(&mut all, "v9", 50, "Verified");
    check(&all, "v9", "upstream.staging.recentSuccessCount == 1 && upstream.staging.recentFailureCount == 0", "= true");
    check(&all, "v9", r#"upstream.staging.lastPromotedAt == "2026-04-07T08:50:30Z""#, "= true");
    add(&mut all, "v8", 49, "Verified");
    add(&mut all, "v7", 48, "Verified");
    check(&all, "v9", "upstream.staging.recentSuccessCount >= 3", "= true");
    add(&mut all, "v8", 49, "Failed");
    add(&mut all, "v7", 48, "Failed");
    check(&all, "v9", "upstream.staging.recentSuccessCount >= 3", "= false");
    check(&all, "v9", "upstream.staging.recentFailureCount < 2", "= false");
    // Twelve Bundles, of which the oldest three were verified: one of them is among the last ten.
    let mut all = facts(&["test", "staging", "prod"]);
    for at in 0..12 {
        add(&mut all, &format!("v{at:02}"), at, if at < 3 { "Verified" } else { "AbortedByAlarm" });
    }
    check(&all, "v11", "upstream.staging.recentSuccessCount == 1 && upstream.staging.recentAbortCount == 9", "= true");
    check(&all, "v11", "upstream.staging.recentFailureCount == 0", "= true");
    let fresh = facts(&["test", "staging", "prod"]);
    let mut fresh = fresh;
    add_bundle(&mut fresh, "v1", 0, json!({}), json!([]));
    check(&fresh, "v1", r#"upstream.staging.lastPromotedAt != """#, "= false");
    check(&fresh, "v1", "upstream.uat.soakMinutes == 0", "no such key: uat");
}

#[test]
fn soak_is_the_least_of_the_direct_upstreams_and_moves_with_the_clock() {
    let mut all = facts(&["test", "uat", "prod"]);
    let verified = |name: &str, minute: u32| json!({"name": name, "phase": "Verified", "soakMinutes": 7, "healthCheckedAt": format!("2026-04-07T09:{minute:02}:00Z")});
    add_bundle(&mut all, "v1", 0, json!({}), json!([verified("test", 10), verified("uat", 50)]));
    check(&all, "v1", "bundle.upstreamSoakMinutes == 10 && upstream.test.soakMinutes == 50", "= true");
    let stored = json!([{"name": "uat", "phase": "Verified", "soakMinutes": 7}]);
    add_bundle(&mut all, "v1", 0, json!({}), stored);
    check(&all, "v1", "bundle.upstreamSoakMinutes == 7", "= true");
    add_bundle(&mut all, "v1", 0, json!({}), json!([{"name": "uat", "phase": "HealthChecking", "soakMinutes": 7}]));
    check(&all, "v1", "bundle.upstreamSoakMinutes == 0", "= true");
    // A skipped upstream is bridged over; without a Pipeline the longest soak of all others counts.
    let both = json!([verified("test", 10), verified("uat", 50)]);
    add_bundle(&mut all, "v1", 0, json!({"intent": {"skipEnvironments": ["uat"]}}), both);
    check(&all, "v1", "bundle.upstreamSoakMinutes == 50", "= true");
    all.pipelines = Default::default();
    check(&all, "v1", "bundle.upstreamSoakMinutes == 50", "= true");
}

#[test]
fn a_version_is_a_tag_a_digest_or_a_commit() {
    let mut all = facts(&["prod"]);
    let version = |all: &mut Facts, spec: Value, want: &str| {
        add_bundle(all, "v1", 0, spec, json!([]));
        check(all, "v1", &format!("bundle.version == {want:?}"), "= true");
    };
    version(
        &mut all,
        json!({"images": [{"repository": "a", "tag": "1.29.0"}, {"repository": "b", "tag": "2"}]}),
        "1.29.0",
    );
    version(&mut all, json!({"images": [{"repository": "a", "digest": "sha256:abc"}]}), "sha256:abc");
    version(&mut all, json!({"type": "config", "configRef": {"commitSHA": "abc12345def"}}), "abc12345");
    version(&mut all, json!({}), "");
}

#[test]
fn the_previous_bundle_is_the_newest_other_one_in_the_environment() {
    let mut all = facts(&["prod"]);
    let in_prod = |phase: &str| json!([{"name": "prod", "phase": phase}]);
    let tag = |tag: &str| json!({"images": [{"repository": "a", "tag": tag}]});
    add_bundle(&mut all, "v3", 3, tag("3"), in_prod("Promoting"));
    check(&all, "v3", "!previousBundle.exists && previousBundle.version == ''", "= true");
    add_bundle(&mut all, "v1", 1, tag("1.28.0"), in_prod("Verified"));
    add_bundle(&mut all, "v2", 2, tag("2"), in_prod("Failed"));
    check(&all, "v3", "previousBundle.version == '1.28.0'", "= true");
}

#[test]
fn metrics_are_local_unless_shared_and_about_the_way_there() {
    let mut all = facts(&["test", "prod"]);
    add_bundle(&mut all, "v1", 0, json!({}), json!([]));
    let mut add = |namespace: &str, name: &str, value: &str, labels: Value, environment: &str| {
        let object = json!({"metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"environment": environment}, "status": {"lastValue": value, "result": "Pass"}});
        let metric = Metric::of(&Object::from_value(&object));
        all.metrics.insert(key(namespace, name), metric);
    };
    add("shop", "a", "1", json!({}), "");
    add("other", "a", "2", json!({}), "");
    add("platform-policies", "a", "3", json!({"kardinal.io/shared": "true"}), "");
    add("platform-policies", "b", "4", json!({"kardinal.io/shared": "true"}), "");
    add("platform-policies", "c", "5", json!({}), "");
    add("shop", "of-test", "6", json!({}), "test");
    add("shop", "of-other", "7", json!({"kardinal.io/environment": "staging"}), "");
    check(&all, "v1", "metrics.a == 1.0 && metrics.b == 4.0 && metrics['of-test'] == 6.0", "= true");
    check(&all, "v1", "metrics.c == 5.0", "no such key: c");
    check(&all, "v1", "metrics['of-other'] == 7.0", "no such key: of-other");
}

#[test]
fn inputs_that_cannot_be_told_block_what_reads_them_and_nothing_else() {
    let mut all = facts(&["staging", "prod"]);
    add_bundle(&mut all, "v1", 0, json!({}), json!([]));
    for name in ["upstream", "changewindow", "metrics", "bundle.pr", "previousBundle"] {
        all.unavailable.insert(name, "connection refused".to_owned());
    }
    check(&all, "v1", "upstream.staging.recentFailureCount < 2", "input \"upstream\" unavailable: connection refused");
    check(&all, "v1", "!changewindow['w']", "input \"changewindow\" unavailable: connection refused");
    check(&all, "v1", "!('w' in changewindow)", "input \"changewindow\" unavailable: connection refused");
    check(&all, "v1", "changewindow.isAllowed('w')", "= false");
    check(&all, "v1", "changewindow.isBlocked('w')", "= true");
    check(&all, "v1", "metrics.x < 1.0", "input \"metrics\" unavailable: connection refused");
    check(&all, "v1", "!bundle.pr.staging.isApproved", "input \"bundle.pr\" unavailable: connection refused");
    check(&all, "v1", "previousBundle.version != 'x'", "input \"previousBundle\" unavailable: connection refused");
    check(&all, "v1", "!schedule.isWeekend", "= true");
}

fn meta(namespace: &str, name: &str, labels: Value) -> Meta {
    let object = json!({"metadata": {"name": name, "namespace": namespace, "labels": labels}});
    Meta::of(&Object::from_value(&object))
}

#[test]
fn gates_apply_by_namespace_label_annotation_and_pattern() {
    let mut all = facts(&["test", "prod-us", "prod-eu"]);
    add_bundle(&mut all, "v1", 0, json!({}), json!([]));
    let places = |meta: &Meta, gate: &Gate| {
        let names = targets(&all, meta, gate).into_iter().map(|it| it.environment);
        names.collect::<Vec<_>>().join(",")
    };
    let plain = gate("true");
    let label = |value: &str| json!({"kardinal.io/applies-to": value});
    assert_eq!(places(&meta("platform-policies", "g", label("prod-us, prod-eu")), &plain), "prod-us,prod-eu");
    assert_eq!(places(&meta("shop", "g", label("prod-us")), &plain), "prod-us");
    assert_eq!(places(&meta("elsewhere", "g", label("prod-us")), &plain), "");
    assert_eq!(places(&meta("shop", "g", label("Prod-us")), &plain), "");
    assert_eq!(places(&meta("shop", "g", label(" , ")), &plain), "");
    assert_eq!(places(&meta("shop", "g", label("prod-*")), &plain), "", "labels are literal");
    let patterns = Gate { applies_to: vec!["prod-*".into()], ..plain.clone() };
    assert_eq!(places(&meta("shop", "g", json!({})), &patterns), "prod-us,prod-eu");
    let mut annotated = meta("shop", "g", label("test"));
    annotated.annotations.insert("kardinal.io/applies-to".into(), "prod-eu".into());
    assert_eq!(places(&annotated, &plain), "test,prod-eu");
    for (name, value) in [("kardinal.io/type", "skip-permission"), ("kardinal.io/freeze", "true")] {
        let other = meta("shop", "g", json!({"kardinal.io/applies-to": "test", name: value}));
        assert_eq!(places(&other, &plain), "", "{name} is asked nowhere");
    }
    let selector = serde_json::from_value(json!({"matchLabels": {"tier": "1"}})).unwrap();
    let picky = Gate { selector: Some(selector), ..plain };
    assert_eq!(places(&meta("shop", "g", label("test")), &picky), "");
}

#[test]
fn a_bundle_meets_only_the_gates_on_its_way() {
    let mut all = facts(&["test", "staging", "prod"]);
    add_bundle(&mut all, "v1", 0, json!({"intent": {"target": "staging", "skip": ["test"]}}), json!([]));
    let everywhere = Gate { applies_to: vec!["*".into()], ..gate("true") };
    let found = targets(&all, &meta("shop", "g", json!({})), &everywhere);
    assert_eq!(found.iter().map(|it| it.environment.as_str()).collect::<Vec<_>>(), ["staging"]);
}

/// S66 to S71, B20, B21.
#[test]
fn skipping_needs_leave_of_the_organisation() {
    let check = |gates: &[(&str, Value, &str)], labels: Value, want: &str| {
        let mut all = facts(&["test", "staging", "prod"]);
        add_bundle(&mut all, "v1", 0, json!({"intent": {"skip": ["staging"]}}), json!([]));
        let mut bundle = all.bundles.get(&key("shop", "v1")).unwrap().clone();
        Arc::make_mut(&mut bundle.input).labels = serde_json::from_value(labels).unwrap();
        all.bundles.replace(&key("shop", "v1"), Some(bundle));
        let gates: Vec<_> = gates
            .iter()
            .map(|(namespace, labels, expression)| {
                let mut labels = labels.clone();
                labels["kardinal.io/applies-to"] = json!("staging");
                (meta(namespace, "g", labels), Arc::new(gate(expression)))
            })
            .collect();
        let got = match skip(&all, &gates, &key("shop", "my-app"), "v1", "staging", now()) {
            Skip::Free => "free".to_owned(),
            Skip::Permitted { by } => format!("permitted by {by}"),
            Skip::Denied { message } => message,
        };
        assert!(got.starts_with(want), "{got}");
    };
    let org = ("platform-policies", json!({}), "false");
    let permission =
        |namespace| (namespace, json!({"kardinal.io/type": "skip-permission"}), "bundle.labels.hotfix == true");
    let denied = "skip denied for environment \"staging\"";
    check(&[org.clone(), permission("platform-policies")], json!({"hotfix": "true"}), "permitted by g");
    check(&[org.clone(), permission("platform-policies")], json!({"hotfix": "false"}), denied);
    check(&[org.clone(), permission("platform-policies")], json!({}), denied);
    check(std::slice::from_ref(&org), json!({}), denied);
    check(&[("shop", json!({"kardinal.io/scope": "org"}), "false")], json!({}), "free");
    check(&[], json!({}), "free");
    check(&[org, permission("shop")], json!({"hotfix": "true"}), denied);
}

/// B14, B15.
#[test]
fn an_answer_counts_while_it_is_fresh() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let check = |evaluated: Option<&str>, minutes: i64, started: &str, want: bool| {
        let recheck = jiff::SignedDuration::from_mins(minutes);
        assert_eq!(is_fresh(evaluated.map(at), recheck, at(started), now()), want, "{evaluated:?} {minutes} {started}");
    };
    check(Some("2026-04-07T09:50:00Z"), 5, "2026-04-07T00:00:00Z", true);
    check(Some("2026-04-07T09:49:59Z"), 5, "2026-04-07T00:00:00Z", false);
    check(Some("2026-04-07T09:58:00Z"), 0, "2026-04-07T00:00:00Z", true);
    check(Some("2026-04-07T09:59:00Z"), 5, "2026-04-07T09:59:30Z", false);
    check(Some("2026-04-07T10:01:01Z"), 5, "2026-04-07T00:00:00Z", false);
    check(None, 5, "2026-04-07T00:00:00Z", false);
}
