//! The model: what stands for pods, what is seen of changes, and the facts of spec/rules 6.6.

use kanon_core::{Change, Object};
use kanon_network::Model;
use serde_json::json;

use crate::{apply, kind_of, model, objects};

const WORKLOAD: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: clean, namespace: shop}
spec: {jobTemplate: {spec: {template: {metadata: {labels: {app: clean}}, spec: {containers: [{name: c}]}}}}}
";

#[test]
fn templates_stand_for_pods_that_are_not_there() {
    let keys = |model: &Model, namespace: &str| -> Vec<String> {
        model.namespace(namespace).map(|it| it.pods.keys().cloned().collect()).unwrap_or_default()
    };
    let only = model(WORKLOAD);
    assert_eq!(
        (keys(&only, "default"), keys(&only, "shop")),
        (vec!["deployment/web".into()], vec!["cronjob/clean".into()])
    );
    assert_eq!(only.find_pods("default", "web")[0].ports[0].number, 80);
    assert_eq!(only.find_pods("default", "deployment/web").len(), 1);
    let pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: web-1, labels: {app: web, hash: x}}, spec: {containers: []}}";
    assert_eq!(keys(&model(&format!("{WORKLOAD}{pod}")), "default"), ["web-1"]);
    // A ReplicaSet that a Deployment made is the Deployment's.
    let set = WORKLOAD
        .replace("Deployment", "ReplicaSet")
        .replace("name: web}", "name: web-5, ownerReferences: [{kind: Deployment}]}");
    assert_eq!(keys(&model(&set), "default"), Vec::<String>::new());
}

#[test]
fn only_what_the_network_sees_is_a_change() {
    let pod = |status: &str| {
        objects(&format!("{{apiVersion: v1, kind: Pod, metadata: {{name: a, namespace: shop}}, spec: {{containers: []}}, status: {status}}}")).remove(0)
    };
    let mut model = Model::default();
    assert_eq!(apply(&mut model, &pod("{}")), Some("shop".to_owned()));
    assert_eq!(apply(&mut model, &pod("{startTime: now}")), None);
    assert_eq!(apply(&mut model, &pod("{podIP: 10.0.0.1}")), Some("shop".to_owned()));
    assert_eq!(apply(&mut model, &pod("{podIP: 10.0.0.1, phase: Failed}")), Some("shop".to_owned()));
    let other = Object::from_value(
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}}),
    );
    assert_eq!(apply(&mut model, &other), None);
    let gone = pod("{}");
    assert_eq!(model.apply(&kind_of(&gone), Change::Deleted, &gone), Some("shop".to_owned()));
    assert_eq!(model.apply(&kind_of(&gone), Change::Deleted, &gone), None);
    assert_eq!(model.namespaces().count(), 0);
}

#[test]
fn facts_are_those_that_rules_read() {
    let model = model("
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: [{name: c, ports: [{containerPort: 80}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, spec: {containers: []}}
---
{apiVersion: v1, kind: Pod, metadata: {name: node, namespace: shop}, spec: {hostNetwork: true, containers: []}}
---
{apiVersion: v1, kind: Pod, metadata: {name: old, namespace: shop}, spec: {containers: []}, status: {phase: Failed}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}, {from: [{podSelector: {}}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shut, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress]}
");
    let shop = model.namespace("shop").expect("the namespace");
    let facts = serde_json::to_value(shop.facts()).expect("JSON");
    assert_eq!(
        facts,
        json!({"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop", "team": "a"}, "podCount": 2,
        "policyCount": 2, "defaultDenyIngress": false, "defaultDenyEgress": true, "unprotectedPods": ["db"]})
    );
    let facts = serde_json::to_value(shop.pod_facts(&shop.pods["web"])).expect("JSON");
    assert_eq!(
        facts,
        json!({"policies": ["shut", "web"], "ingressIsolated": true, "egressIsolated": true,
        "ingressOpenToAll": true, "egressOpenToAll": false, "exposedPorts": ["80/TCP"]})
    );
    let facts = shop.pod_facts(&shop.pods["node"]);
    assert!(!facts.ingress_isolated && facts.egress_open_to_all && facts.policies == ["shut"]);
    let facts = serde_json::to_value(shop.policy_facts(&shop.policies["web"])).expect("JSON");
    assert_eq!(
        facts,
        json!({"selects": "app=web", "types": ["Ingress"], "egress": [], "selectedPods": ["web"],
        "ingress": [{"peers": [], "ports": ["80/TCP"], "openToAll": true},
            {"peers": ["pods <all>"], "ports": [], "openToAll": false}]})
    );
}
