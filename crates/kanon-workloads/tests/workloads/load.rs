//! Work grows with what changes, not with what is there.

use serde_json::json;

use crate::sim::{Sim, deployment};

/// Intents that one more deployment of three pods takes beside `others`.
fn intents_beside(others: usize) -> usize {
    let mut sim = Sim::new();
    for number in 0..others {
        sim.create("apps", "deployments", deployment(&format!("other-{number}"), 3, "web:1"));
        let service = json!({"metadata": {"name": format!("other-{number}")}, "spec": {"selector": {"app": format!("other-{number}")}, "ports": [{"port": 80}]}});
        sim.create("", "services", service);
    }
    sim.settle();
    sim.counts.clear();
    sim.create("apps", "deployments", deployment("web", 3, "web:1"));
    sim.settle();
    sim.counts.values().sum()
}

#[test]
fn one_more_deployment_costs_the_same_beside_many() {
    let alone = intents_beside(0);
    assert!((10..60).contains(&alone), "{alone}");
    assert_eq!(intents_beside(40), alone);
}
