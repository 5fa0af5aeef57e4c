//! The family as the plane drives it: objects in; status, events, records and explanations out.

#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

use std::sync::Arc;

use kanon_core::{Action, Change, Effect, Input, Mono, Now, Object};
use kanon_integrity::{Defaults, Env, IntegrityFamily, api};
use kanon_plane::{Explanation, Plane, Settings, Target};
use serde_json::{Value, json};

const TOKEN: &str = "T000-B000-not-to-be-seen";

struct World {
    plane: Plane,
    clock_sec: i64,
    records: Vec<String>,
}

impl World {
    fn new(env: &[(&str, &str)]) -> World {
        let env: Env = env.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let family = IntegrityFamily::new(env, Defaults::default());
        World { plane: Plane::new(vec![Box::new(family)], Settings::default()), clock_sec: 0, records: Vec::new() }
    }

    fn now(&mut self) -> Now {
        self.clock_sec += 1;
        Now::new(jiff::Timestamp::from_second(1_800_000_000 + self.clock_sec).unwrap(), Mono::default())
    }

    fn send(&mut self, change: Change, object: &Value) -> Vec<Effect> {
        let kind = Arc::new(api::kind());
        let now = self.now();
        let step = self.plane.handle(&Input::Object { kind, change, object: Object::from_value(object) }, now);
        self.records.extend(step.records.iter().map(|it| format!("{it:?}")));
        step.effects
    }

    /// Applies an object and gives the status that is written, if one is.
    fn apply(&mut self, object: &Value) -> Option<Value> {
        self.send(Change::Applied, object).into_iter().find_map(|it| match it.action {
            Action::Status { status, .. } => Some(status),
            _ => None,
        })
    }

    fn explain(&mut self, target: &str, namespace: &str) -> Option<Explanation> {
        let (kind, name) = target.split_once('/').unwrap();
        let target = Target { kind: kind.into(), name: name.into(), namespace: namespace.into() };
        let now = self.now();
        self.plane.views().explain(&target, now)
    }
}

fn policy(name: &str, generation: i64, spec: Value) -> Value {
    json!({
        "apiVersion": "pandocore.xyz/v1alpha1", "kind": "PandoCorePolicy",
        "metadata": {"name": name, "namespace": "payments", "uid": "u1", "generation": generation, "resourceVersion": "12345"},
        "spec": spec,
    })
}

fn condition<'v>(status: &'v Value, kind: &str) -> &'v Value {
    status["conditions"].as_array().unwrap().iter().find(|it| it["type"] == kind).unwrap()
}

fn words(value: &Value) -> String {
    format!("{} {}", value["status"].as_str().unwrap(), value["reason"].as_str().unwrap())
}

#[test]
fn status_says_what_is_in_force() {
    let mut world = World::new(&[]);
    let spec = json!({"mode": "enforce", "sensitivity": "high", "response": {"actions": ["isolate", "alert"]}});
    let status = world.apply(&policy("default", 3, spec)).unwrap();
    assert_eq!(status["observedGeneration"], 3);
    let want = json!({
        "mode": "enforce", "thresholds": {"incremental": 0.1, "cumulative": 0.3},
        "chain": ["alert", "isolate"], "escalationDelaySec": 120,
    });
    assert_eq!(status["effective"], want);
    assert_eq!(words(condition(&status, "Accepted")), "True Valid");
    assert_eq!(words(condition(&status, "Warnings")), "True ActionsReordered");
}

#[test]
fn a_status_that_says_so_already_is_not_written_again() {
    let mut world = World::new(&[]);
    let mut object = policy("default", 1, json!({"mode": "alert"}));
    let status = world.apply(&object).unwrap();
    // As the API server stores a merge patch: members that are null are absent.
    object["status"] = status.clone();
    object["status"]["effective"].as_object_mut().unwrap().retain(|_, it| !it.is_null());
    assert_eq!(world.apply(&object), None);
    assert_eq!(World::new(&[]).apply(&object), None, "a restart writes nothing either");
    object["metadata"]["generation"] = json!(2);
    object["spec"]["mode"] = json!("monitor");
    let changed = world.apply(&object).unwrap();
    let times = |it: &Value, kind| condition(it, kind)["lastTransitionTime"].clone();
    assert_eq!(times(&status, "Accepted"), times(&changed, "Accepted"));
    assert_ne!(times(&status, "Warnings"), times(&changed, "Warnings"), "its status went from True to False");
}

#[test]
fn only_the_object_named_default_counts() {
    let mut world = World::new(&[]);
    let status = world.apply(&policy("strict", 1, json!({"mode": "enforce"}))).unwrap();
    assert_eq!(words(condition(&status, "Accepted")), "False NameIgnored");
    assert_eq!(status["effective"], Value::Null);
    let explained = world.explain("pcp/default", "payments").unwrap();
    assert_eq!(explained.data["effective"]["mode"]["value"], "monitor");
    assert!(world.explain("pcp/strict", "payments").unwrap().headline.contains("is ignored"));
    let listed: Vec<_> = world.plane.views().iter().flat_map(|it| it.policies()).collect();
    assert_eq!((listed.len(), listed[0].active), (1, false));
}

#[test]
fn explain_names_the_layer_of_every_value() {
    let mut world = World::new(&[("PANDO_ESCALATION_TIMEOUT_SECS", "30")]);
    world.apply(&policy("default", 1, json!({"mode": "enforce"})));
    for target in ["pcp/default", "PandoCorePolicy/default", "pandocorepolicies/default"] {
        let explained = world.explain(target, "payments").unwrap();
        assert_eq!(explained.headline, "PandoCorePolicy payments/default is in force: mode enforce");
        let table = &explained.sections[0];
        assert_eq!(table.columns, ["SETTING", "VALUE", "SOURCE"]);
        assert_eq!(table.rows[0], ["mode", "enforce", "policy spec.mode"]);
        assert!(table.rows.contains(&vec![
            "escalationDelaySec".into(),
            "30".into(),
            "environment PANDO_ESCALATION_TIMEOUT_SECS".into()
        ]));
        assert!(table.rows.contains(&vec!["attestation".into(), "true".into(), "built-in".into()]));
        assert_eq!(explained.data["effective"]["mode"]["source"], "crd");
    }
    assert!(world.explain("rule/default", "payments").is_none());
    let elsewhere = world.explain("pcp/default", "").unwrap();
    assert_eq!(elsewhere.data["namespace"], "default");
    assert_eq!(elsewhere.data["policy"], Value::Null);
    assert!(world.explain("pcp/other", "payments").is_none());
}

#[test]
fn removal_restores_the_environment() {
    let mut world = World::new(&[("PANDO_MODE", "debug")]);
    let before = world.explain("pcp/default", "payments");
    let object = policy("default", 1, json!({"mode": "enforce"}));
    world.apply(&object);
    assert_ne!(world.explain("pcp/default", "payments"), before);
    world.send(Change::Deleted, &object);
    assert_eq!(world.explain("pcp/default", "payments"), before);
    assert!(world.records.iter().any(|it| it.contains("CRD removed")));
}

#[test]
fn wrong_fields_are_named_and_the_others_count() {
    let mut world = World::new(&[]);
    let spec = json!({"mode": "enforce", "thresholds": {"incremental": "0.15"}, "exclude": {"namespaces": ["A"]}});
    let status = world.apply(&policy("default", 1, spec)).unwrap();
    let accepted = condition(&status, "Accepted");
    assert_eq!(words(accepted), "False FieldsIgnored");
    assert!(accepted["message"].as_str().unwrap().contains("`spec.thresholds.incremental` must be a number"));
    assert_eq!(status["effective"]["mode"], "enforce");
    assert_eq!(words(condition(&status, "Warnings")), "True ExclusionIgnored");
}

#[test]
fn unreadable_policy_keeps_the_last_good_one() {
    let mut world = World::new(&[]);
    world.apply(&policy("default", 1, json!({"mode": "enforce"})));
    let effects = world.send(Change::Applied, &policy("default", 2, json!("enforce")));
    let is_event = |it: &Effect| matches!(&it.action, Action::Event { reason, .. } if reason == "PandoPolicyInvalid");
    assert!(effects.iter().any(is_event));
    let explained = world.explain("pcp/default", "payments").unwrap();
    assert_eq!(explained.data["effective"]["mode"]["value"], "enforce");
    assert!(explained.headline.contains("with problems"));
}

#[test]
fn credentials_stay_out_of_everything_that_leaves() {
    let slack = format!("https://hooks.slack.com/services/{TOKEN}");
    let good = json!({"integrations": {"slack": slack, "pagerduty": TOKEN}});
    // Credentials in the wrong place must not come back in a message either.
    let wrong = json!({"integrations": slack, "mode": TOKEN, "features": {"mlDetection": TOKEN}});
    let wrong_form = json!({"integrations": {"slack": TOKEN, "pagerduty": [TOKEN]}});
    for spec in [good, wrong, wrong_form, json!(TOKEN)] {
        let mut world = World::new(&[("PANDO_SLACK_WEBHOOK_URL", TOKEN), ("PANDO_PAGERDUTY_ROUTING_KEY", TOKEN)]);
        let effects = world.send(Change::Applied, &policy("default", 1, spec));
        let explained = world.explain("pcp/default", "payments");
        let listed: Vec<_> = world.plane.views().iter().flat_map(|it| it.policies()).collect();
        let all = format!("{effects:?} {explained:?} {listed:?} {:?}", world.records);
        assert!(all.contains("redacted") && !all.contains(TOKEN), "{all}");
    }
}

#[test]
fn crd_is_the_one_users_know() {
    let crds = World::new(&[]).plane.crds();
    assert_eq!(crds.len(), 1);
    let spec = &crds[0]["spec"];
    assert_eq!(crds[0]["metadata"]["name"], "pandocorepolicies.pandocore.xyz");
    assert_eq!(spec["names"]["shortNames"], json!(["pcp"]));
    let columns = spec["versions"][0]["additionalPrinterColumns"].as_array().unwrap();
    let columns: Vec<_> = columns.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(columns, ["Mode", "Sensitivity", "Age"]);
    let text = crds[0].to_string();
    assert!(!text.contains("\"default\":"), "the schema sets no defaults (1.11)");
}
