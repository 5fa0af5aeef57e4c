//! The schema that the API server enforces and the validation that the family runs refuse the same values (style: "admission
//! accepts exactly what the engine can read"). Where the engine is stricter, a field is named here.

#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

use std::sync::{Arc, LazyLock};

use kanon_integrity::{api, validate::validate};
use kanon_schema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Leaves of `spec`, as JSON pointers.
const LEAVES: [&str; 13] = [
    "/mode",
    "/sensitivity",
    "/response/actions",
    "/response/escalationDelaySec",
    "/thresholds/incremental",
    "/thresholds/cumulative",
    "/features/mlDetection",
    "/features/networkAudit",
    "/features/attestation",
    "/integrations/slack",
    "/integrations/pagerduty",
    "/exclude/namespaces",
    "/exclude/labels",
];

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let crds = api::crds();
    let schema = &crds[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    Validator::new(Arc::new(kanon_schema::from_json(schema)))
});

fn values() -> Vec<Value> {
    let long = "x".repeat(257);
    vec![
        json!("monitor"),
        json!("Monitor"),
        json!("isolate"),
        json!("medium"),
        json!(["alert"]),
        json!(["terminate", "alert"]),
        json!(["alert", "alert"]),
        json!([]),
        json!({}),
        json!(true),
        json!(0),
        json!(1),
        json!(3600),
        json!(3601),
        json!(-1),
        json!(0.5),
        json!(1.5),
        json!("0.5"),
        json!(""),
        json!("https://"),
        json!("http://x"),
        json!("ftp://x"),
        json!("secret:name/key"),
        json!("https://hooks.slack.com/services/T.../B.../xxx"),
        json!("<routing-key>"),
        json!(long),
        json!(["kube-system", "monitoring"]),
        json!(["Upper"]),
        json!({"pandocore.xyz/skip": "true"}),
        json!({"key": 1}),
    ]
}

/// A `spec` with one leaf.
fn spec(leaf: &str, value: &Value) -> Value {
    leaf[1..].rsplit('/').fold(value.clone(), |inner, name| json!({name: inner}))
}

fn check(leaf: &str, value: &Value) {
    let spec = spec(leaf, value);
    let errors = VALIDATOR.validate(&json!({"spec": spec}));
    let (_, problems) = validate(&serde_json::from_value(spec).unwrap());
    assert_eq!(errors.is_empty(), problems.is_empty(), "{leaf} {value}: schema {errors:?}, engine {problems:?}");
}

#[test]
fn schema_and_engine_agree_on_every_leaf() {
    for leaf in LEAVES {
        values().iter().for_each(|value| check(leaf, value));
    }
}

#[test]
fn engine_knows_what_the_schema_cannot_say() {
    let stricter = [
        ("/integrations/pagerduty", json!("secret:no-key")),
        ("/exclude/labels", json!({"not a key": "x"})),
        ("/exclude/labels", json!({"key": "not a value"})),
    ];
    for (leaf, value) in stricter {
        let spec = spec(leaf, &value);
        assert!(VALIDATOR.validate(&json!({"spec": spec})).is_empty(), "{leaf} {value}");
        assert_eq!(validate(&serde_json::from_value(spec).unwrap()).1.len(), 1, "{leaf} {value}");
    }
}

proptest! {
    #[test]
    fn schema_and_engine_agree_on_numbers(number in -2.0..2.0_f64, whole in -10..4000_i64) {
        check("/thresholds/incremental", &json!(number));
        check("/response/escalationDelaySec", &json!(whole));
        check("/response/escalationDelaySec", &json!(number));
    }
}
