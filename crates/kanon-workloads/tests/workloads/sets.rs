//! Stateful sets, daemon sets, replication controllers.

use serde_json::{Value, json};

use crate::sim::{Sim, condition, numbers, template, text};

fn stateful_set(replicas: i64, simulate: &str) -> Value {
    let mut template = template("db", "db:1");
    template["metadata"]["annotations"] = json!({"kanon.dev/simulate": simulate});
    json!({"metadata": {"name": "db"}, "spec": {"replicas": replicas, "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}}, "template": template}})
}

fn daemon_set() -> Value {
    json!({"metadata": {"name": "agent"}, "spec": {"selector": {"matchLabels": {"app": "agent"}}, "template": template("agent", "agent:1")}})
}

fn names(sim: &Sim, label: &str) -> Vec<String> {
    sim.pods(label).iter().map(|it| text(&it["metadata"]["name"]).to_owned()).collect()
}

fn images(sim: &Sim, label: &str) -> Vec<String> {
    sim.pods(label).iter().map(|it| text(&it["spec"]["containers"][0]["image"]).to_owned()).collect()
}

fn set_image(sim: &mut Sim, path: &str, image: &str) {
    sim.patch(path, json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}));
}

#[test]
fn ordinals_come_one_after_another_and_go_in_reverse() {
    let mut sim = Sim::new();
    let mut set = stateful_set(3, "ready=10s");
    set["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
    sim.create("apps", "statefulsets", set);
    sim.settle();
    assert_eq!(names(&sim, "app=db"), ["db-0"]);
    sim.pass(10);
    assert_eq!(names(&sim, "app=db"), ["db-0", "db-1"]);
    sim.pass(20);
    let set = sim.get("apps/statefulsets/db");
    assert_eq!(
        numbers(&set, &["replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"]),
        "replicas=3 readyReplicas=3 availableReplicas=3 currentReplicas=3 updatedReplicas=3"
    );
    assert_eq!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
    let first = sim.get("pods/db-0");
    assert_eq!(first["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"], "db-0");
    assert_eq!(first["metadata"]["labels"]["apps.kubernetes.io/pod-index"], "0");
    assert_eq!(first["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "data-db-0");
    assert_eq!(sim.get("persistentvolumeclaims/data-db-2")["status"]["phase"], "Bound");
    sim.patch("apps/statefulsets/db", json!({"spec": {"replicas": 1}}));
    sim.pass(60);
    assert_eq!(names(&sim, "app=db"), ["db-0"]);
    assert_eq!(sim.list("persistentvolumeclaims").len(), 3, "claims are kept");
}

#[test]
fn all_at_once_where_order_does_not_count() {
    let mut sim = Sim::new();
    let mut set = stateful_set(3, "ready=10s");
    set["spec"]["podManagementPolicy"] = "Parallel".into();
    sim.create("apps", "statefulsets", set);
    sim.settle();
    assert_eq!(names(&sim, "app=db"), ["db-0", "db-1", "db-2"]);
}

#[test]
fn updates_go_down_to_the_partition() {
    let mut sim = Sim::new();
    let mut set = stateful_set(4, "ready=5s");
    set["spec"]["updateStrategy"] = json!({"rollingUpdate": {"partition": 2}});
    sim.create("apps", "statefulsets", set);
    sim.pass(60);
    sim.watch = Some(|sim| {
        let ready = sim.pods("app=db").iter().filter(|it| condition(it, "Ready") == "True").count();
        assert!(ready >= 3, "one at a time");
    });
    set_image(&mut sim, "apps/statefulsets/db", "db:2");
    sim.pass(60);
    assert_eq!(images(&sim, "app=db"), ["db:1", "db:1", "db:2", "db:2"]);
    let set = sim.get("apps/statefulsets/db");
    assert_ne!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
    assert_eq!(numbers(&set, &["currentReplicas", "updatedReplicas"]), "currentReplicas=2 updatedReplicas=2");
    sim.watch = None;
    sim.delete("pods/db-0");
    sim.pass(10);
    assert_eq!(images(&sim, "app=db")[0], "db:1", "below the partition pods come back as they were");
    sim.patch("apps/statefulsets/db", json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}));
    sim.pass(60);
    assert_eq!(images(&sim, "app=db"), ["db:2", "db:2", "db:2", "db:2"]);
    let set = sim.get("apps/statefulsets/db");
    assert_eq!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
    assert_eq!(sim.list("apps/controllerrevisions").len(), 2);
}

#[test]
fn claims_of_a_set_that_shrinks_stay_or_go_as_it_says() {
    for (policy, left) in [("Retain", 3), ("Delete", 1)] {
        let mut sim = Sim::new();
        let mut set = stateful_set(3, "");
        set["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
        set["spec"]["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": "Retain", "whenScaled": policy});
        sim.create("apps", "statefulsets", set);
        sim.pass(60);
        assert_eq!(sim.list("persistentvolumeclaims").len(), 3);
        sim.patch("apps/statefulsets/db", json!({"spec": {"replicas": 1}}));
        sim.pass(60);
        assert_eq!((sim.pods("app=db").len(), sim.list("persistentvolumeclaims").len()), (1, left), "{policy}");
        sim.patch("apps/statefulsets/db", json!({"spec": {"replicas": 2}}));
        sim.pass(60);
        assert_eq!((sim.pods("app=db").len(), sim.list("persistentvolumeclaims").len()), (2, left.max(2)), "{policy}");
    }
}

#[test]
fn a_daemon_is_on_every_node_that_will_have_it() {
    let mut sim = Sim::new();
    sim.patch("nodes/node-3", json!({"spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}}));
    sim.patch("nodes/node-2", json!({"spec": {"unschedulable": true}}));
    sim.create("apps", "daemonsets", daemon_set());
    sim.settle();
    let nodes = |sim: &Sim| {
        let mut nodes: Vec<String> =
            sim.pods("app=agent").iter().map(|it| text(&it["spec"]["nodeName"]).to_owned()).collect();
        nodes.sort();
        nodes
    };
    assert_eq!(nodes(&sim), ["node-1", "node-2"], "daemons ignore cordons, not taints");
    sim.create("", "nodes", json!({"metadata": {"name": "node-4"}}));
    sim.patch("nodes/node-3", json!({"spec": {"taints": null}}));
    sim.settle();
    assert_eq!(nodes(&sim), ["node-1", "node-2", "node-3", "node-4"]);
    let set = sim.get("apps/daemonsets/agent");
    let wanted = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "numberAvailable",
        "updatedNumberScheduled",
        "numberMisscheduled",
    ];
    assert_eq!(
        numbers(&set, &wanted),
        "desiredNumberScheduled=4 currentNumberScheduled=4 numberReady=4 numberAvailable=4 updatedNumberScheduled=4 numberMisscheduled=0"
    );
    sim.delete("nodes/node-4");
    sim.settle();
    assert_eq!(nodes(&sim), ["node-1", "node-2", "node-3"]);
}

#[test]
fn daemons_are_replaced_one_node_at_a_time() {
    for (strategy, most, least) in
        [(json!({}), 3, 2), (json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}), 4, 3)]
    {
        let mut sim = Sim::new();
        let mut set = daemon_set();
        set["spec"]["updateStrategy"] = strategy;
        set["spec"]["template"]["metadata"]["annotations"] = json!({"kanon.dev/simulate": "ready=5s"});
        sim.create("apps", "daemonsets", set);
        sim.pass(10);
        assert_eq!(images(&sim, "app=agent").len(), 3);
        sim.watch = Some(if most == 3 { bounds::<3, 2> } else { bounds::<4, 3> });
        assert_eq!((most == 3, least), (least == 2, least));
        set_image(&mut sim, "apps/daemonsets/agent", "agent:2");
        sim.pass(60);
        assert_eq!(images(&sim, "app=agent"), ["agent:2", "agent:2", "agent:2"]);
        assert_eq!(numbers(&sim.get("apps/daemonsets/agent"), &["updatedNumberScheduled"]), "updatedNumberScheduled=3");
    }
}

fn bounds<const MOST: usize, const LEAST: usize>(sim: &Sim) {
    let pods = sim.pods("app=agent");
    let ready = pods.iter().filter(|it| condition(it, "Ready") == "True").count();
    assert!(pods.len() <= MOST && ready >= LEAST, "{} pods, {ready} ready", pods.len());
}

#[test]
fn replication_controllers_keep_their_pods() {
    let mut sim = Sim::new();
    let controller = json!({"metadata": {"name": "old"}, "spec": {"replicas": 2, "selector": {"app": "old"}, "template": template("old", "old:1")}});
    sim.create("", "replicationcontrollers", controller);
    sim.settle();
    assert_eq!(sim.pods("app=old").len(), 2);
    let name = text(&sim.pods("app=old")[0]["metadata"]["name"]).to_owned();
    sim.delete(&format!("pods/{name}"));
    sim.settle();
    assert_eq!(
        numbers(&sim.get("replicationcontrollers/old"), &["replicas", "readyReplicas"]),
        "replicas=2 readyReplicas=2"
    );
}
