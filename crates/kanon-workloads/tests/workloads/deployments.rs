//! Deployments and replica sets.

use serde_json::{Value, json};

use crate::sim::{Sim, condition, deployment, numbers, template, text};

const COUNTS: [&str; 5] = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"];

fn set_of(sim: &Sim, image: &str) -> Value {
    let sets = sim.list("apps/replicasets");
    sets.into_iter().find(|it| it["spec"]["template"]["spec"]["containers"][0]["image"] == image).unwrap_or_default()
}

fn set_image(sim: &mut Sim, image: &str) {
    let containers = json!([{"name": "main", "image": image}]);
    sim.patch("apps/deployments/web", json!({"spec": {"template": {"spec": {"containers": containers}}}}));
}

#[test]
fn a_new_deployment_becomes_complete() {
    let mut sim = Sim::new();
    sim.create("apps", "deployments", deployment("web", 3, "web:1"));
    sim.settle();
    let web = sim.get("apps/deployments/web");
    assert_eq!(
        numbers(&web, &COUNTS),
        "replicas=3 updatedReplicas=3 readyReplicas=3 availableReplicas=3 unavailableReplicas=0"
    );
    assert_eq!(condition(&web, "Available"), "True MinimumReplicasAvailable");
    assert_eq!(condition(&web, "Progressing"), "True NewReplicaSetAvailable");
    assert_eq!(web["status"]["observedGeneration"], web["metadata"]["generation"]);
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    let set = set_of(&sim, "web:1");
    let hash = text(&set["metadata"]["labels"]["pod-template-hash"]).to_owned();
    assert_eq!(set["metadata"]["name"], format!("web-{hash}"));
    assert_eq!(set["spec"]["selector"]["matchLabels"]["pod-template-hash"], hash.as_str());
    let pods = sim.pods("app=web");
    for pod in &pods {
        let name = text(&pod["metadata"]["name"]);
        assert!(name.starts_with(&format!("web-{hash}-")) && name.len() == format!("web-{hash}-").len() + 5, "{name}");
        assert_eq!(pod["metadata"]["ownerReferences"][0]["name"], set["metadata"]["name"]);
        assert_eq!(pod["status"]["phase"], "Running");
        assert_eq!(condition(pod, "Ready"), "True");
    }
    let nodes: std::collections::BTreeSet<&str> = pods.iter().map(|it| text(&it["spec"]["nodeName"])).collect();
    assert_eq!(nodes.len(), 3, "pods are spread");
    assert_eq!(sim.notes("web"), [format!("ScalingReplicaSet: Scaled up replica set web-{hash} from 0 to 3")]);
    let first = text(&pods[0]["metadata"]["name"]);
    assert!(sim.notes(text(&set["metadata"]["name"])).contains(&format!("SuccessfulCreate: Created pod: {first}")));
    let notes = sim.notes(first).join("\n");
    for reason in ["Scheduled: Successfully assigned shop/", "Pulled: ", "Created: ", "Started: Started container main"]
    {
        assert!(notes.contains(reason), "{reason} in {notes}");
    }
}

#[test]
fn a_rolling_update_keeps_within_its_bounds() {
    let mut sim = Sim::new();
    let mut web = deployment("web", 10, "web:1");
    web["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    web["spec"]["template"]["metadata"]["annotations"] = json!({"kanon.dev/simulate": "start=2s, ready=3s, stop=2s"});
    sim.create("apps", "deployments", web);
    sim.pass(10);
    assert_eq!(numbers(&sim.get("apps/deployments/web"), &["availableReplicas"]), "availableReplicas=10");
    sim.watch = Some(|sim| {
        let pods = sim.pods("app=web");
        let ready = pods.iter().filter(|it| condition(it, "Ready") == "True").count();
        // 25 % of 10: three more at most, two less.
        assert!(pods.len() <= 13 && ready >= 8, "{} pods, {ready} ready", pods.len());
    });
    set_image(&mut sim, "web:2");
    sim.pass(60);
    let web = sim.get("apps/deployments/web");
    assert_eq!(
        numbers(&web, &["replicas", "updatedReplicas", "availableReplicas"]),
        "replicas=10 updatedReplicas=10 availableReplicas=10"
    );
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    assert_eq!(set_of(&sim, "web:1")["spec"]["replicas"], 0);
    assert_eq!(condition(&web, "Progressing"), "True NewReplicaSetAvailable");
}

#[test]
fn undone_rollouts_go_back_to_the_old_replica_set() {
    let mut sim = Sim::new();
    sim.create("apps", "deployments", deployment("web", 2, "web:1"));
    sim.settle();
    let first = set_of(&sim, "web:1")["metadata"]["name"].clone();
    set_image(&mut sim, "web:2");
    sim.settle();
    set_image(&mut sim, "web:1");
    sim.settle();
    assert_eq!(sim.list("apps/replicasets").len(), 2);
    let set = set_of(&sim, "web:1");
    assert_eq!((&set["metadata"]["name"], set["spec"]["replicas"].as_i64()), (&first, Some(2)));
    let annotations = &set["metadata"]["annotations"];
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "3");
    assert_eq!(annotations["deployment.kubernetes.io/revision-history"], "1");
    assert_eq!(sim.get("apps/deployments/web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
}

#[test]
fn recreate_has_no_old_pod_beside_a_new_one() {
    let mut sim = Sim::new();
    let mut web = deployment("web", 3, "web:1");
    web["spec"]["strategy"] = json!({"type": "Recreate"});
    web["spec"]["template"]["metadata"]["annotations"] = json!({"kanon.dev/simulate": "stop=5s"});
    sim.create("apps", "deployments", web);
    sim.settle();
    sim.watch = Some(|sim| {
        let images: std::collections::BTreeSet<String> =
            sim.list("pods").iter().map(|it| text(&it["spec"]["containers"][0]["image"]).to_owned()).collect();
        assert!(images.len() <= 1, "{images:?}");
    });
    set_image(&mut sim, "web:2");
    sim.settle();
    assert_eq!(sim.list("pods").len(), 3, "old ones take their time to stop");
    sim.pass(6);
    assert_eq!(numbers(&sim.get("apps/deployments/web"), &["updatedReplicas"]), "updatedReplicas=3");
}

#[test]
fn a_rollout_that_does_not_progress_times_out_and_recovers() {
    let mut sim = Sim::new();
    let mut web = deployment("web", 2, "web:1");
    web["spec"]["progressDeadlineSeconds"] = 60.into();
    sim.create("apps", "deployments", web);
    sim.settle();
    let annotate =
        |text: &str| json!({"spec": {"template": {"metadata": {"annotations": {"kanon.dev/simulate": text}}}}});
    sim.patch("apps/deployments/web", annotate("pull=fail"));
    sim.pass(59);
    assert!(condition(&sim.get("apps/deployments/web"), "Progressing").starts_with("True "));
    sim.pass(10);
    let web = sim.get("apps/deployments/web");
    assert_eq!(condition(&web, "Progressing"), "False ProgressDeadlineExceeded");
    assert_eq!(condition(&web, "Available"), "True MinimumReplicasAvailable", "old pods still serve");
    let waiting =
        |it: &&Value| it["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff";
    assert_eq!(sim.pods("app=web").iter().filter(waiting).count(), 1);
    sim.patch("apps/deployments/web", annotate("start=1s"));
    sim.pass(30);
    assert_eq!(condition(&sim.get("apps/deployments/web"), "Progressing"), "True NewReplicaSetAvailable");
}

#[test]
fn a_paused_deployment_scales_and_does_not_roll() {
    let mut sim = Sim::new();
    sim.create("apps", "deployments", deployment("web", 2, "web:1"));
    sim.settle();
    sim.patch("apps/deployments/web", json!({"spec": {"paused": true}}));
    set_image(&mut sim, "web:2");
    sim.patch("apps/deployments/web", json!({"spec": {"replicas": 4}}));
    sim.settle();
    assert_eq!(sim.list("apps/replicasets").len(), 1);
    assert_eq!(sim.pods("app=web").len(), 4);
    assert_eq!(condition(&sim.get("apps/deployments/web"), "Progressing"), "Unknown DeploymentPaused");
    sim.patch("apps/deployments/web", json!({"spec": {"paused": null}}));
    sim.settle();
    assert_eq!(set_of(&sim, "web:2")["status"]["availableReplicas"], 4);
    assert_eq!(condition(&sim.get("apps/deployments/web"), "Progressing"), "True NewReplicaSetAvailable");
}

#[test]
fn scaling_in_the_middle_of_a_rollout_keeps_the_proportions() {
    let mut sim = Sim::new();
    let mut web = deployment("web", 10, "web:1");
    web["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}});
    sim.create("apps", "deployments", web);
    sim.settle();
    let stuck = json!({"spec": {"template": {"metadata": {"annotations": {"kanon.dev/simulate": "ready=never"}}}}});
    sim.patch("apps/deployments/web", stuck);
    sim.settle();
    let replicas = |sim: &Sim| -> Vec<i64> {
        let mut all: Vec<i64> =
            sim.list("apps/replicasets").iter().map(|it| it["spec"]["replicas"].as_i64().unwrap()).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(replicas(&sim), [5, 8]);
    sim.patch("apps/deployments/web", json!({"spec": {"replicas": 15}}));
    sim.settle();
    // The worked case of upstream's documentation: 5 more in all, 3 of them for the larger set.
    assert_eq!(replicas(&sim), [7, 11]);
}

#[test]
fn old_replica_sets_beyond_the_limit_go() {
    let mut sim = Sim::new();
    let mut web = deployment("web", 1, "web:0");
    web["spec"]["revisionHistoryLimit"] = 2.into();
    sim.create("apps", "deployments", web);
    for number in 1..6 {
        sim.pass(1);
        set_image(&mut sim, &format!("web:{number}"));
        sim.settle();
    }
    let mut images: Vec<String> = sim
        .list("apps/replicasets")
        .iter()
        .map(|it| text(&it["spec"]["template"]["spec"]["containers"][0]["image"]).to_owned())
        .collect();
    images.sort();
    assert_eq!(images, ["web:3", "web:4", "web:5"]);
}

#[test]
fn what_is_refused_is_told_and_tried_again() {
    let mut sim = Sim::new();
    sim.refused_image = Some("bad".to_owned());
    sim.create("apps", "deployments", deployment("web", 2, "bad:1"));
    sim.settle();
    let set = set_of(&sim, "bad:1");
    assert_eq!(condition(&set, "ReplicaFailure"), "True FailedCreate");
    assert_eq!(condition(&sim.get("apps/deployments/web"), "ReplicaFailure"), "True FailedCreate");
    let notes = sim.notes(text(&set["metadata"]["name"]));
    assert!(notes.contains(&"FailedCreate: Error creating: denied the request: image".to_owned()), "{notes:?}");
    sim.pass(20);
    let tries = sim.counts["create Pod"];
    assert!((6..=12).contains(&tries), "{tries} tries: their distance grows");
    sim.refused_image = None;
    sim.pass(300);
    let web = sim.get("apps/deployments/web");
    assert_eq!(numbers(&web, &["availableReplicas"]), "availableReplicas=2");
    assert_eq!(condition(&web, "ReplicaFailure"), "");
}

#[test]
fn orphans_are_adopted_and_strangers_let_go() {
    let mut sim = Sim::new();
    let mut pod = template("web", "web:1");
    pod["metadata"]["name"] = "stray".into();
    sim.create("", "pods", pod);
    sim.settle();
    let set = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2, "selector": {"matchExpressions":
        [{"key": "app", "operator": "In", "values": ["web", "site"]}]}, "template": template("web", "web:1")}});
    sim.create("apps", "replicasets", set);
    sim.settle();
    assert_eq!(sim.get("pods/stray")["metadata"]["ownerReferences"][0]["name"], "web");
    assert_eq!(sim.pods("app=web").len(), 2);
    sim.patch("pods/stray", json!({"metadata": {"labels": {"app": "other"}}}));
    sim.settle();
    assert!(sim.get("pods/stray")["metadata"]["ownerReferences"].is_null());
    assert_eq!(sim.pods("app=web").len(), 2);
}

#[test]
fn a_deleted_deployment_takes_everything_with_it() {
    let mut sim = Sim::new();
    sim.create("apps", "deployments", deployment("web", 3, "web:1"));
    sim.settle();
    sim.delete("apps/deployments/web");
    sim.pass(1);
    assert!(sim.list("apps/replicasets").is_empty() && sim.list("pods").is_empty());
}
