//! What the network model costs: 100,000 pods in 100 namespaces with 10 policies each, seeded. Run in release.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a bench reads the clock and prints")]

use std::time::Instant;

use kanon_core::{Change, GroupVersionKind, Mono, Object};
use kanon_network::{Analyser, Check, Endpoint, Kinds, Options, Protocol};
use serde_json::json;

const NAMESPACES: usize = 100;
const PODS: usize = 1_000;
const POLICIES: usize = 10;
const QUESTIONS: usize = 100_000;

fn pod(namespace: usize, at: usize, label: usize) -> Object {
    Object::from_value(&json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("pod-{at}"), "namespace": format!("ns-{namespace}"),
            "labels": {"app": format!("app-{label}"), "tier": if at.is_multiple_of(2) { "front" } else { "back" }}},
        "spec": {"nodeName": format!("node-{}", at % 50), "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": format!("10.{namespace}.{}.{}", at / 250, at % 250)}}))
}

fn policy(namespace: usize, at: usize) -> Object {
    Object::from_value(&json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": format!("policy-{at}"), "namespace": format!("ns-{namespace}")},
        "spec": {"podSelector": {"matchLabels": {"app": format!("app-{at}")}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"tier": "front"}}},
                {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}}],
                "ports": [{"port": "http"}]}],
            "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}, {"podSelector": {}}]}]}}))
}

fn main() {
    let kinds: Vec<GroupVersionKind> = Kinds::all().into_iter().map(|it| it.gvk).collect();
    let [_, pod_kind, policy_kind] = &kinds[..] else { return };
    let pods: Vec<_> = (0..NAMESPACES * PODS).map(|at| pod(at / PODS, at % PODS, at % 20)).collect();
    let policies: Vec<_> = (0..NAMESPACES * POLICIES).map(|at| policy(at / POLICIES, at % POLICIES)).collect();
    // When changes have settled.
    let later = Mono(Analyser::SETTLE);
    let mut analyser = Analyser::new(Options { on: Check::ALL.into(), ..Options::default() });

    let begun = Instant::now();
    for object in &pods {
        analyser.apply(pod_kind, Change::Applied, object, Mono::default());
    }
    for object in &policies {
        analyser.apply(policy_kind, Change::Applied, object, Mono::default());
    }
    let taken = begun.elapsed();
    println!("model: {} pods, {} policies in {taken:?}", pods.len(), policies.len());

    let begun = Instant::now();
    let events = analyser.check(usize::MAX, later).events;
    println!("all ten checks of {NAMESPACES} namespaces: {} findings in {:?}", events.len(), begun.elapsed());

    let changed = pod(7, 7, 3);
    let begun = Instant::now();
    analyser.apply(pod_kind, Change::Applied, &changed, Mono::default());
    analyser.check(usize::MAX, later);
    println!("one changed pod, its namespace of {PODS} pods checked again: {:?}", begun.elapsed());

    let snapshot = analyser.model().clone();
    let begun = Instant::now();
    analyser.apply(pod_kind, Change::Applied, &pod(7, 8, 4), Mono::default());
    println!("one changed pod while a snapshot is held: {:?}", begun.elapsed());

    let port = "http".parse().expect("a port");
    let begun = Instant::now();
    let mut reachable = 0;
    for at in 0..QUESTIONS {
        // A fixed walk through pairs of pods: every run asks the same.
        let (from, to) = (at * 7_919 % pods.len(), at * 104_729 % pods.len());
        let end = |at: usize| {
            let (namespace, name) = (format!("ns-{}", at / PODS), format!("pod-{}", at % PODS));
            snapshot.find_pods(&namespace, &name)[0]
        };
        let answer = snapshot.can_reach(Endpoint::Pod(end(from)), Endpoint::Pod(end(to)), &port, Protocol::Tcp);
        reachable += usize::from(answer.is_ok_and(|it| it.reachable));
    }
    let taken = begun.elapsed();
    let rate = QUESTIONS as f64 / taken.as_secs_f64();
    println!("{QUESTIONS} explained answers ({reachable} reachable) in {taken:?}: {rate:.0}/s");
}
