//! Values that nobody means: they may be refused by the server, but never stop the simulation.

use serde_json::{Value, json};

use crate::sim::{Sim, deployment, numbers, template, text};

const HUGE: i64 = i64::MAX;

fn world() -> Sim {
    let mut sim = Sim::new();
    sim.create("apps", "deployments", deployment("web", 1, "web:1"));
    let selector = json!({"matchLabels": {"app": "db"}});
    sim.create(
        "apps",
        "statefulsets",
        json!({"metadata": {"name": "db"}, "spec": {"replicas": 1, "serviceName": "db", "selector": selector, "template": template("db", "db:1")}}),
    );
    let job = json!({"restartPolicy": "Never", "containers": [{"name": "main", "image": "work:1"}]});
    sim.create("batch", "jobs", json!({"metadata": {"name": "work"}, "spec": {"template": {"spec": job}}}));
    let budget = json!({"metadata": {"name": "web"}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    sim.create("policy", "poddisruptionbudgets", budget);
    sim.create(
        "",
        "services",
        json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    );
    sim.settle();
    sim
}

fn named(sim: &Sim, path: &str) -> String {
    text(&sim.list(path)[0]["metadata"]["name"]).to_owned()
}

/// Patches something, lets it work, and asks for an ordinary update afterwards: it must still come to be.
fn check(path: &str, change: Value) {
    let mut sim = world();
    let path = path
        .replace("{set}", &named(&sim, "apps/replicasets"))
        .replace("{pod}", text(&sim.pods("app=web")[0]["metadata"]["name"]))
        .replace("{revision}", &named(&sim, "apps/controllerrevisions"));
    // Refused or not, the next change is an ordinary one.
    let _ = sim.try_patch(&path, change.clone());
    sim.pass(30);
    sim.patch(
        "apps/deployments/web",
        json!({"spec": {"replicas": 2, "template": {"metadata": {"annotations": {"a": "b"}}}}}),
    );
    sim.pass(700);
    let web = sim.get("apps/deployments/web");
    assert_eq!(numbers(&web, &["updatedReplicas", "replicas"]), "updatedReplicas=2 replicas=2", "{path} {change}");
}

#[test]
fn odd_values_do_no_harm() {
    let annotation = |name: &str, value: &str| json!({"metadata": {"annotations": {name: value}}});
    for revision in ["9223372036854775807", "-9223372036854775808", "x", ""] {
        for name in ["revision", "desired-replicas", "max-replicas", "revision-history"] {
            check("apps/replicasets/{set}", annotation(&format!("deployment.kubernetes.io/{name}"), revision));
        }
    }
    for (path, change) in [
        (
            "apps/replicasets/{set}/status",
            json!({"status": {"replicas": HUGE, "availableReplicas": HUGE, "readyReplicas": HUGE}}),
        ),
        ("apps/replicasets/{set}/status", json!({"status": {"replicas": -5, "availableReplicas": i64::MIN}})),
        ("apps/deployments/web/status", json!({"status": {"collisionCount": HUGE, "replicas": HUGE}})),
        (
            "apps/deployments/web/status",
            json!({"status": {"conditions": [{"type": "Progressing", "status": "True", "lastUpdateTime": "9999-12-31T23:59:59Z"}]}}),
        ),
        (
            "apps/controllerrevisions/{revision}",
            json!({"data": {"spec": {"template": {"metadata": {"labels": "x", "annotations": [1]}, "spec": 7}}}}),
        ),
        ("apps/controllerrevisions/{revision}", json!({"data": "x", "revision": HUGE})),
        ("apps/statefulsets/db", json!({"spec": {"ordinals": {"start": i32::MAX}}})),
        ("batch/jobs/work/status", json!({"status": {"failed": HUGE, "succeeded": HUGE, "active": i64::MIN}})),
        (
            "batch/jobs/work/status",
            json!({"status": {"completedIndexes": "0-9223372036854775807,5-,x,9-1", "uncountedTerminatedPods": {"failed": ["x"], "succeeded": [""]}}}),
        ),
        (
            "pods/{pod}/status",
            json!({"status": {"containerStatuses": [{"name": "main", "image": "", "imageID": "", "ready": false, "restartCount": HUGE, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": HUGE}}}]}}),
        ),
        (
            "pods/{pod}/status",
            json!({"status": {"podIP": "10.244.0.1", "startTime": "9999-12-31T23:59:59Z", "conditions": null, "containerStatuses": []}}),
        ),
        ("pods/{pod}", annotation("kanon.dev/simulate", "run=9223372036854775807s, start=9223372036854775807h")),
        ("pods/{pod}", annotation("controller.kubernetes.io/pod-deletion-cost", "99999999999999999999")),
        (
            "policy/poddisruptionbudgets/web/status",
            json!({"status": {"disruptedPods": {"x": "9999-12-31T23:59:59Z"}, "disruptionsAllowed": HUGE}}),
        ),
        ("policy/poddisruptionbudgets/web", json!({"spec": {"maxUnavailable": "2147483647%"}})),
        (
            "policy/poddisruptionbudgets/web",
            json!({"spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": []}]}}}),
        ),
        ("nodes/node-1", json!({"spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}})),
        ("nodes/node-1/status", json!({"status": {"allocatable": {"pods": "-1"}, "addresses": null}})),
        ("services/web", json!({"spec": {"ports": [{"port": 80, "targetPort": "nowhere"}]}})),
        ("services/web", json!({"spec": {"selector": null}})),
    ] {
        check(path, change);
    }
}
