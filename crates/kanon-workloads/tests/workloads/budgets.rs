//! Disruption budgets over every kind of owner.

use serde_json::{Value, json};

use crate::sim::{Sim, condition, deployment, numbers, template, text};

const COUNTS: [&str; 4] = ["expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed"];

fn budget(spec: Value) -> Value {
    let mut budget = json!({"metadata": {"name": "web"}, "spec": spec});
    if budget["spec"]["selector"].is_null() {
        budget["spec"]["selector"] = json!({"matchLabels": {"app": "web"}});
    }
    budget
}

fn set(kind: &str, replicas: i64) -> Value {
    let mut object = deployment("web", replicas, "web:1");
    if kind == "replicationcontrollers" {
        object["spec"]["selector"] = json!({"app": "web"});
    }
    if kind == "statefulsets" {
        object["spec"]["serviceName"] = "web".into();
    }
    object
}

#[test]
fn budgets_count_over_owners_and_percentages() {
    let all = ["deployments", "replicasets", "statefulsets", "replicationcontrollers"];
    for kind in all {
        for (spec, want) in [
            (json!({"minAvailable": 2}), "5 5 2 3"),
            (json!({"minAvailable": "50%"}), "5 5 3 2"),
            (json!({"minAvailable": "100%"}), "5 5 5 0"),
            (json!({"maxUnavailable": 1}), "5 5 4 1"),
            (json!({"maxUnavailable": "30%"}), "5 5 3 2"),
            (json!({"maxUnavailable": 0}), "5 5 5 0"),
            (json!({"minAvailable": 9}), "5 5 9 0"),
        ] {
            let mut sim = Sim::new();
            let group = if kind == "replicationcontrollers" { "" } else { "apps" };
            sim.create(group, kind, set(kind, 5));
            sim.create("policy", "poddisruptionbudgets", budget(spec.clone()));
            sim.settle();
            let budget = sim.get("policy/poddisruptionbudgets/web");
            let found = COUNTS.map(|it| budget["status"][it].as_i64().unwrap_or(-1).to_string()).join(" ");
            assert_eq!(found, want, "{spec} over {kind}");
            assert_eq!(budget["status"]["observedGeneration"], 1);
            let allowed = if want.ends_with(" 0") { "False InsufficientPods" } else { "True SufficientPods" };
            assert_eq!(condition(&budget, "DisruptionAllowed"), allowed);
        }
    }
}

#[test]
fn pods_without_a_controller_count_by_number() {
    let mut sim = Sim::new();
    for name in ["a", "b", "c"] {
        let mut pod = template("web", "web:1");
        pod["metadata"]["name"] = name.into();
        sim.create("", "pods", pod);
    }
    sim.create("policy", "poddisruptionbudgets", budget(json!({"minAvailable": 2})));
    sim.settle();
    let status = numbers(&sim.get("policy/poddisruptionbudgets/web"), &COUNTS);
    assert_eq!(status, "expectedPods=3 currentHealthy=3 desiredHealthy=2 disruptionsAllowed=1");
    // Nobody says how many there should be, so a percentage has nothing to be one of.
    sim.patch("policy/poddisruptionbudgets/web", json!({"spec": {"minAvailable": null, "maxUnavailable": "50%"}}));
    sim.settle();
    let status = numbers(&sim.get("policy/poddisruptionbudgets/web"), &COUNTS);
    assert_eq!(status, "expectedPods=0 currentHealthy=3 desiredHealthy=0 disruptionsAllowed=0");
}

#[test]
fn a_budget_over_what_has_no_scale_allows_nothing() {
    let mut sim = Sim::new();
    let daemons = json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template("web", "web:1")}});
    sim.create("apps", "daemonsets", daemons);
    sim.create("policy", "poddisruptionbudgets", budget(json!({"maxUnavailable": 1})));
    sim.settle();
    let budget = sim.get("policy/poddisruptionbudgets/web");
    assert_eq!(condition(&budget, "DisruptionAllowed"), "False SyncFailed");
    assert_eq!(budget["status"]["disruptionsAllowed"], 0);
}

#[test]
fn evicted_pods_are_missed_until_they_are_gone() {
    let mut sim = Sim::new();
    sim.create("apps", "deployments", deployment("web", 3, "web:1"));
    sim.create("policy", "poddisruptionbudgets", budget(json!({"maxUnavailable": 1})));
    sim.settle();
    let pod = text(&sim.pods("app=web")[0]["metadata"]["name"]).to_owned();
    let evict = |sim: &mut Sim| {
        let status = json!({"status": {"disruptionsAllowed": 0, "disruptedPods": {&pod: "2026-11-21T09:00:00Z"}}});
        sim.patch("policy/poddisruptionbudgets/web/status", status);
        sim.settle();
    };
    evict(&mut sim);
    let budget = sim.get("policy/poddisruptionbudgets/web");
    assert_eq!(numbers(&budget, &COUNTS), "expectedPods=3 currentHealthy=2 desiredHealthy=2 disruptionsAllowed=0");
    // Nobody deletes it: after two minutes it counts again.
    sim.pass(121);
    let budget = sim.get("policy/poddisruptionbudgets/web");
    assert_eq!(numbers(&budget, &COUNTS), "expectedPods=3 currentHealthy=3 desiredHealthy=2 disruptionsAllowed=1");
    assert!(budget["status"]["disruptedPods"].is_null());
    sim.delete(&format!("pods/{pod}"));
    sim.settle();
    let budget = sim.get("policy/poddisruptionbudgets/web");
    assert_eq!(numbers(&budget, &COUNTS), "expectedPods=3 currentHealthy=3 desiredHealthy=2 disruptionsAllowed=1");
}

#[test]
fn budgets_follow_readiness_and_scale() {
    let mut sim = Sim::new();
    let mut web = deployment("web", 4, "web:1");
    web["spec"]["template"]["metadata"]["annotations"] = json!({"kanon.dev/simulate": "ready=10s"});
    sim.create("apps", "deployments", web);
    sim.create("policy", "poddisruptionbudgets", budget(json!({"minAvailable": "75%"})));
    sim.settle();
    let status = |sim: &Sim| numbers(&sim.get("policy/poddisruptionbudgets/web"), &COUNTS);
    assert_eq!(status(&sim), "expectedPods=4 currentHealthy=0 desiredHealthy=3 disruptionsAllowed=0");
    sim.pass(10);
    assert_eq!(status(&sim), "expectedPods=4 currentHealthy=4 desiredHealthy=3 disruptionsAllowed=1");
    sim.patch("apps/deployments/web", json!({"spec": {"replicas": 2}}));
    sim.settle();
    assert_eq!(status(&sim), "expectedPods=2 currentHealthy=2 desiredHealthy=2 disruptionsAllowed=0");
}

#[test]
fn controllers_of_other_kinds_are_asked_for_their_scale() {
    let mut sim = Sim::new();
    let owner = |name: &str| json!([{"apiVersion": "example.io/v1", "kind": "Rollout", "name": name, "uid": format!("uid-of-{name}"), "controller": true}]);
    for (pod, of) in [("a", "known"), ("b", "known")] {
        let mut object = template("web", "web:1");
        object["metadata"]["name"] = pod.into();
        object["metadata"]["ownerReferences"] = owner(of);
        sim.create("", "pods", object);
    }
    sim.scales.insert("known".to_owned(), 4);
    sim.create("policy", "poddisruptionbudgets", budget(json!({"maxUnavailable": "50%"})));
    sim.settle();
    let status = numbers(&sim.get("policy/poddisruptionbudgets/web"), &COUNTS);
    assert_eq!(status, "expectedPods=4 currentHealthy=2 desiredHealthy=2 disruptionsAllowed=0");
    let mut object = template("web", "web:1");
    object["metadata"]["name"] = "c".into();
    object["metadata"]["ownerReferences"] = owner("without-scale");
    sim.create("", "pods", object);
    sim.settle();
    assert_eq!(condition(&sim.get("policy/poddisruptionbudgets/web"), "DisruptionAllowed"), "False SyncFailed");
}
