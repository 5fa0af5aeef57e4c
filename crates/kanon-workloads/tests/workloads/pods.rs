//! Pods: scheduling, starting, crashing, ending, and what stands behind services.

use serde_json::{Value, json};

use crate::sim::{Sim, condition, deployment, template, text};

/// A pod by itself, with what it pretends.
fn pod(name: &str, simulate: &str) -> Value {
    let mut pod = template(name, "app:1");
    pod["metadata"]["name"] = name.into();
    pod["metadata"]["annotations"] = json!({"kanon.dev/simulate": simulate});
    pod
}

/// Phase, state of the first container with its reason, restarts, readiness.
fn summary(pod: &Value) -> String {
    let status = &pod["status"]["containerStatuses"][0];
    let state = status["state"].as_object().and_then(|it| it.iter().next());
    let state = state.map(|(name, it)| format!("{name} {}", text(&it["reason"]))).unwrap_or_default();
    let (phase, restarts) = (text(&pod["status"]["phase"]), status["restartCount"].as_i64().unwrap_or_default());
    format!("{phase}, {}, {restarts}, {}", state.trim(), condition(pod, "Ready"))
}

/// Creates a pod and compares its summary at some seconds.
fn check(simulate: &str, restart: &str, wants: &[(i64, &str)]) {
    let mut sim = Sim::new();
    let mut pod = pod("a", simulate);
    pod["spec"]["restartPolicy"] = restart.into();
    sim.create("", "pods", pod);
    let mut at = 0;
    for (seconds, want) in wants {
        sim.pass(seconds - at);
        at = *seconds;
        assert_eq!(summary(&sim.get("pods/a")), *want, "{simulate} after {seconds} s");
    }
}

#[test]
fn pods_do_as_they_are_told() {
    check("", "Always", &[(0, "Running, running, 0, True"), (9999, "Running, running, 0, True")]);
    check(
        "start=5s, ready=10s",
        "Always",
        &[
            (0, "Pending, waiting ContainerCreating, 0, False ContainersNotReady"),
            (5, "Running, running, 0, False ContainersNotReady"),
            (15, "Running, running, 0, True"),
        ],
    );
    check("pull=fail", "Always", &[(60, "Pending, waiting ImagePullBackOff, 0, False ContainersNotReady")]);
    check("ready=never", "Always", &[(60, "Running, running, 0, False ContainersNotReady")]);
    check(
        "crash",
        "Always",
        &[
            (0, "Running, running, 0, True"),
            (1, "Running, running, 1, True"),
            (2, "Running, waiting CrashLoopBackOff, 1, False ContainersNotReady"),
            (11, "Running, waiting CrashLoopBackOff, 1, False ContainersNotReady"),
            (12, "Running, running, 2, True"),
            (13, "Running, waiting CrashLoopBackOff, 2, False ContainersNotReady"),
            (33, "Running, running, 3, True"),
        ],
    );
    check(
        "run=5s",
        "Never",
        &[(4, "Running, running, 0, True"), (5, "Succeeded, terminated Completed, 0, False PodCompleted")],
    );
    check("run=5s, exit=3", "Never", &[(5, "Failed, terminated Error, 0, False PodFailed")]);
    check("run=5s, exit=3", "OnFailure", &[(5, "Running, running, 1, True")]);
    check("run=5s", "OnFailure", &[(5, "Succeeded, terminated Completed, 0, False PodCompleted")]);
}

#[test]
fn a_deleted_pod_stops_within_its_grace_period() {
    for (simulate, stays, goes) in [("", None, 0), ("stop=10s", Some(9), 10), ("stop=1h", Some(29), 30)] {
        let mut sim = Sim::new();
        sim.create("", "pods", pod("a", simulate));
        sim.settle();
        sim.delete("pods/a");
        let mut at = 0;
        if let Some(stays) = stays {
            sim.pass(stays);
            at = stays;
            assert!(!sim.get("pods/a").is_null(), "{simulate}");
        }
        sim.pass(goes - at);
        assert!(sim.get("pods/a").is_null(), "{simulate}");
        let killing: Vec<String> = sim.notes("a").into_iter().filter(|it| it.starts_with("Killing")).collect();
        assert_eq!(killing, ["Killing: Stopping container main"], "once");
    }
}

#[test]
fn words_that_are_not_understood_are_told() {
    let mut sim = Sim::new();
    sim.create("", "pods", pod("a", "explode"));
    sim.settle();
    assert!(sim.notes("a").iter().any(|it| it.contains("annotation `kanon.dev/simulate` has `explode`")));
}

#[test]
fn nodes_are_chosen_by_what_pods_ask_for() {
    let mut sim = Sim::new();
    sim.patch("nodes/node-2", json!({"metadata": {"labels": {"disk": "ssd"}}}));
    sim.patch("nodes/node-3", json!({"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}}));
    sim.patch("nodes/node-1", json!({"spec": {"unschedulable": true}}));
    sim.settle();
    let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["ssd"]}]}]}}});
    let cases = [
        ("plain", json!({}), "node-2"),
        ("selects", json!({"nodeSelector": {"disk": "ssd"}}), "node-2"),
        ("tolerates", json!({"affinity": affinity, "tolerations": [{"key": "gpu", "operator": "Exists"}]}), "node-3"),
        ("named", json!({"nodeName": "node-1"}), "node-1"),
        ("nowhere", json!({"nodeSelector": {"disk": "tape"}}), ""),
        ("other", json!({"schedulerName": "mine"}), ""),
        ("gated", json!({"schedulingGates": [{"name": "example.com/wait"}]}), ""),
    ];
    for (name, spec, _) in &cases {
        let mut pod = pod(name, "");
        for (member, value) in spec.as_object().unwrap() {
            pod["spec"][member] = value.clone();
        }
        sim.create("", "pods", pod);
    }
    sim.settle();
    for (name, _, node) in &cases {
        assert_eq!(text(&sim.get(&format!("pods/{name}"))["spec"]["nodeName"]), *node, "{name}");
    }
    assert_eq!(condition(&sim.get("pods/nowhere"), "PodScheduled"), "False Unschedulable");
    assert_eq!(condition(&sim.get("pods/gated"), "PodScheduled"), "False SchedulingGated");
    let why = sim.notes("nowhere").join("\n");
    let want = "FailedScheduling: 0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {gpu: yes}, 1 node(s) were unschedulable.";
    assert!(why.starts_with(want), "{why}");
    assert_eq!(sim.get("nodes/node-1")["spec"]["taints"][0]["key"], "node.kubernetes.io/unschedulable");
    // It gets its node as soon as there is one.
    sim.patch("nodes/node-2", json!({"metadata": {"labels": {"disk": "tape"}}}));
    sim.settle();
    assert_eq!(sim.get("pods/nowhere")["status"]["phase"], "Running");
    sim.patch("nodes/node-1", json!({"spec": {"unschedulable": null}}));
    sim.settle();
    assert!(sim.get("nodes/node-1")["spec"]["taints"].is_null());
}

#[test]
fn pods_of_a_removed_node_go_and_are_made_again() {
    let mut sim = Sim::new();
    sim.create("apps", "deployments", deployment("web", 3, "web:1"));
    sim.settle();
    sim.delete("nodes/node-1");
    sim.settle();
    let pods = sim.pods("app=web");
    assert_eq!(pods.len(), 3);
    assert!(pods.iter().all(|it| it["spec"]["nodeName"] != "node-1" && it["status"]["phase"] == "Running"));
}

#[test]
fn nodes_that_somebody_made_become_ready() {
    let mut sim = Sim::without_nodes();
    sim.create("", "nodes", json!({"metadata": {"name": "mine"}}));
    sim.create("", "pods", pod("a", ""));
    sim.settle();
    assert_eq!(condition(&sim.get("nodes/mine"), "Ready"), "True KubeletReady");
    assert_eq!(sim.get("pods/a")["spec"]["nodeName"], "mine");
    assert_eq!(sim.get("pods/a")["status"]["phase"], "Running");
}

#[test]
fn services_have_the_endpoints_of_their_pods() {
    let mut sim = Sim::new();
    let mut web = deployment("web", 2, "web:1");
    web["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"name": "http", "containerPort": 8080}]);
    sim.create("apps", "deployments", web);
    let service = json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"name": "www", "port": 80, "targetPort": "http"}]}});
    sim.create("", "services", service);
    sim.create("", "pods", {
        let mut late = pod("late", "ready=30s");
        late["metadata"]["labels"]["app"] = "web".into();
        late["spec"]["containers"][0]["ports"] = json!([{"name": "http", "containerPort": 8080}]);
        late
    });
    sim.settle();
    let endpoints = sim.get("endpoints/web");
    let subset = &endpoints["subsets"][0];
    assert_eq!(subset["addresses"].as_array().map(Vec::len), Some(2), "{endpoints}");
    assert_eq!(subset["notReadyAddresses"][0]["targetRef"]["name"], "late");
    assert_eq!(subset["ports"], json!([{"name": "www", "port": 8080, "protocol": "TCP"}]));
    let slices = sim.list("discovery/endpointslices");
    assert_eq!(slices.len(), 1);
    assert_eq!(slices[0]["metadata"]["labels"]["kubernetes.io/service-name"], "web");
    let ready = |slice: &Value| {
        let all = slice["endpoints"].as_array().cloned().unwrap_or_default();
        all.iter().filter(|it| it["conditions"]["ready"] == true).count()
    };
    assert_eq!((ready(&slices[0]), slices[0]["ports"][0]["port"].as_i64()), (2, Some(8080)));
    sim.pass(30);
    assert_eq!(ready(&sim.list("discovery/endpointslices")[0]), 3);
    sim.patch("apps/deployments/web", json!({"spec": {"replicas": 0}}));
    sim.delete("pods/late");
    sim.settle();
    assert!(sim.get("endpoints/web")["subsets"].is_null());
    assert_eq!(ready(&sim.list("discovery/endpointslices")[0]), 0);
    sim.delete("services/web");
    sim.settle();
    assert!(sim.get("endpoints/web").is_null() && sim.list("discovery/endpointslices").is_empty());
}

#[test]
fn nothing_is_due_in_a_settled_cluster_but_signs_of_life() {
    let mut sim = Sim::new();
    sim.create("apps", "deployments", deployment("web", 3, "web:1"));
    sim.settle();
    sim.counts.clear();
    sim.pass(3600);
    // Three nodes, every twenty minutes.
    assert_eq!(
        sim.counts.iter().map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>(),
        ["update Lease 9"]
    );
}

#[test]
fn the_same_history_gives_the_same_objects() {
    let run = || {
        let mut sim = Sim::new();
        sim.create("apps", "deployments", deployment("web", 5, "web:1"));
        sim.pass(5);
        sim.patch("apps/deployments/web", json!({"spec": {"replicas": 3}}));
        sim.pass(5);
        (sim.list("pods"), sim.list("apps/replicasets"))
    };
    assert_eq!(run(), run());
}

#[test]
fn what_is_noted_within_one_second_is_listed_as_it_happened() {
    let mut sim = Sim::new();
    sim.create("", "pods", pod("a", ""));
    sim.settle();
    let reasons: Vec<String> =
        sim.notes("a").iter().map(|it| it.split(':').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(reasons, ["Scheduled", "Pulled", "Created", "Started"]);
}
