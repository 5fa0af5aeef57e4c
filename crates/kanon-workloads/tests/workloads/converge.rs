//! Random scripts of changes: whatever is asked for in whatever order, the cluster settles on it, and on the way a rolling update
//! keeps its bounds and no pod belongs to two.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sim::{Sim, condition, deployment, numbers, text};

/// One thing that a user does.
#[derive(Clone, Debug)]
enum Change {
    Scale(i64),
    Image(u8),
    Simulate(&'static str),
    Surge(Value, Value),
    Pause(bool),
    KillPod(usize),
    Cordon(u8, bool),
    Wait(i64),
}

fn figure() -> impl Strategy<Value = Value> {
    prop_oneof![(0..3_i64).prop_map(Value::from), (0..5_i64).prop_map(|it| format!("{}%", it * 25).into())]
}

fn change() -> impl Strategy<Value = Change> {
    let simulate = prop_oneof![Just(""), Just("start=2s"), Just("ready=7s, stop=3s"), Just("start=1s, ready=1s")];
    prop_oneof![
        3 => (0..9_i64).prop_map(Change::Scale),
        4 => (0..4_u8).prop_map(Change::Image),
        2 => simulate.prop_map(Change::Simulate),
        1 => (figure(), figure()).prop_map(|(surge, unavailable)| Change::Surge(surge, unavailable)),
        1 => any::<bool>().prop_map(Change::Pause),
        2 => (0..8_usize).prop_map(Change::KillPod),
        1 => (1..4_u8, any::<bool>()).prop_map(|(node, on)| Change::Cordon(node, on)),
        3 => (0..20_i64).prop_map(Change::Wait),
    ]
}

fn is_zero(value: &Value) -> bool {
    value == 0 || value == "0%"
}

fn apply(sim: &mut Sim, change: &Change) {
    let web = "apps/deployments/web";
    match change {
        Change::Scale(replicas) => sim.patch(web, json!({"spec": {"replicas": replicas}})),
        Change::Image(number) => {
            let containers = json!([{"name": "main", "image": format!("web:{number}")}]);
            sim.patch(web, json!({"spec": {"template": {"spec": {"containers": containers}}}}));
        }
        Change::Simulate(text) => {
            let annotations = json!({"kanon.dev/simulate": text});
            sim.patch(web, json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}));
        }
        // Both nothing is refused by the server.
        Change::Surge(surge, unavailable) if is_zero(surge) && is_zero(unavailable) => {}
        Change::Surge(surge, unavailable) => {
            let rolling = json!({"maxSurge": surge, "maxUnavailable": unavailable});
            sim.patch(web, json!({"spec": {"strategy": {"rollingUpdate": rolling}}}));
        }
        Change::Pause(on) => sim.patch(web, json!({"spec": {"paused": on}})),
        Change::KillPod(at) => {
            let pods = sim.pods("app=web");
            if let Some(pod) = pods.get(*at) {
                sim.delete(&format!("pods/{}", text(&pod["metadata"]["name"])));
            }
        }
        Change::Cordon(node, on) => {
            let on = on.then_some(true);
            sim.patch(&format!("nodes/node-{node}"), json!({"spec": {"unschedulable": on}}));
        }
        Change::Wait(seconds) => return sim.pass(*seconds),
    }
    sim.settle();
}

/// What holds at every moment: each pod has one controller, which is there, and one address of its own.
fn invariants(sim: &Sim) {
    let mut addresses = BTreeSet::new();
    for pod in sim.pods("app=web") {
        let owners = pod["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
        assert_eq!(owners, 1, "{pod}");
        let ip = text(&pod["status"]["podIP"]).to_owned();
        assert!(ip.is_empty() || addresses.insert(ip), "an address twice: {pod}");
    }
}

fn start(replicas: i64) -> Sim {
    let mut sim = Sim::new();
    sim.create("apps", "deployments", deployment("web", replicas, "web:0"));
    let budget = json!({"metadata": {"name": "web"}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    sim.create("policy", "poddisruptionbudgets", budget);
    let service = json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    sim.create("", "services", service);
    sim.pass(60);
    sim.watch = Some(invariants);
    sim
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_for_comes_to_be(changes in proptest::collection::vec(change(), 1..12)) {
        let mut sim = start(4);
        for change in &changes {
            apply(&mut sim, change);
        }
        for node in 1..4 {
            apply(&mut sim, &Change::Cordon(node, false));
        }
        apply(&mut sim, &Change::Pause(false));
        sim.pass(600);
        let web = sim.get("apps/deployments/web");
        let wanted = web["spec"]["replicas"].as_i64().unwrap();
        let names = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"];
        let counts = numbers(&web, &names);
        let all = format!("replicas={wanted} updatedReplicas={wanted} readyReplicas={wanted} availableReplicas={wanted} unavailableReplicas=0");
        prop_assert_eq!(counts, all);
        prop_assert_eq!(condition(&web, "Progressing"), "True NewReplicaSetAvailable");
        let pods = sim.list("pods");
        prop_assert_eq!(pods.len() as i64, wanted);
        let image = &web["spec"]["template"]["spec"]["containers"][0]["image"];
        prop_assert!(pods.iter().all(|it| it["spec"]["containers"][0]["image"] == *image));
        let counted: i64 = sim.list("apps/replicasets").iter().map(|it| it["status"]["replicas"].as_i64().unwrap_or_default()).sum();
        prop_assert_eq!(counted, wanted, "no pod is counted twice");
        let endpoints = sim.get("endpoints/web");
        let addresses = endpoints["subsets"][0]["addresses"].as_array().map_or(0, Vec::len);
        prop_assert_eq!(addresses as i64, wanted);
        let budget = sim.get("policy/poddisruptionbudgets/web");
        prop_assert_eq!(budget["status"]["disruptionsAllowed"].as_i64(), Some(wanted.min(1)));
        // Quiet: a day later only nodes have said that they live.
        sim.counts.clear();
        sim.pass(86_400);
        prop_assert!(sim.counts.keys().all(|it| it == "update Lease"), "{:?}", sim.counts);
    }

    /// Updates one after another, also before the last is through, while nobody scales or deletes anything.
    #[test]
    fn rolling_updates_keep_what_must_be_available(
        images in proptest::collection::vec((0..4_u8, 0..12_i64), 1..5),
        replicas in 1..9_i64,
        (surge, unavailable) in (figure(), figure()),
    ) {
        if is_zero(&surge) && is_zero(&unavailable) {
            return Ok(());
        }
        let mut sim = start(replicas);
        apply(&mut sim, &Change::Surge(surge.clone(), unavailable.clone()));
        apply(&mut sim, &Change::Simulate("ready=4s"));
        sim.pass(600);
        sim.watch = Some(|sim| {
            invariants(sim);
            let web = sim.get("apps/deployments/web");
            let replicas = web["spec"]["replicas"].as_i64().unwrap();
            let rolling = &web["spec"]["strategy"]["rollingUpdate"];
            let of = |value: &Value, up: bool| match value {
                Value::String(text) => {
                    let percent: i64 = text.trim_end_matches('%').parse().unwrap();
                    if up { (percent * replicas + 99) / 100 } else { percent * replicas / 100 }
                }
                other => other.as_i64().unwrap(),
            };
            let surge = of(&rolling["maxSurge"], true);
            let unavailable = match of(&rolling["maxUnavailable"], false) {
                0 if surge == 0 => 1,
                other => other,
            };
            let pods = sim.pods("app=web");
            let ready = pods.iter().filter(|it| condition(it, "Ready") == "True").count() as i64;
            assert!(ready >= replicas - unavailable, "{ready} of {replicas} are available, {unavailable} may be missed");
            assert!(pods.len() as i64 <= replicas + surge, "{} pods, {surge} more than {replicas} allowed", pods.len());
        });
        for (image, wait) in &images {
            apply(&mut sim, &Change::Image(*image));
            apply(&mut sim, &Change::Wait(*wait));
        }
        sim.pass(600);
        prop_assert_eq!(numbers(&sim.get("apps/deployments/web"), &["updatedReplicas"]), format!("updatedReplicas={replicas}"));
    }
}
