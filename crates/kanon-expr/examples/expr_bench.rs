//! How fast rules are: compile time, evaluation of rules of five kinds over a pod of about 8.9 kB, and reading that pod.
//! `cargo run --release -p kanon-expr --example expr_bench [-- RULE]`; the figure is the minimum over windows of 30 ms.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    reason = "a bench reads the clock, prints, and fails by panicking"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use kanon_core::Object;
use kanon_expr::Expr;
use kanon_lang::{Arena, Environment, Language, Limits, Options, Value};
use serde_json::{Value as Json, json};

/// Nanoseconds of one call: the minimum over 21 windows.
fn time(mut call: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..21 {
        let start = Instant::now();
        let mut calls = 0u32;
        while start.elapsed() < Duration::from_millis(30) {
            for _ in 0..64 {
                call();
            }
            calls += 64;
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(calls));
    }
    best
}

fn container(at: usize) -> Json {
    let env: Vec<Json> = (0..12)
        .map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("a value of some length {n}"), "extra": at}))
        .collect();
    json!({
        "name": format!("container-{at}"),
        "image": format!("registry.example.com/team/service-{at}:1.{at}.0"),
        "ports": [{"containerPort": 8080 + at, "name": "http", "protocol": "TCP"}],
        "env": env,
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "privileged": false, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"mountPath": "/data", "name": "data"}, {"mountPath": "/tmp", "name": "tmp"}],
    })
}

fn pod() -> Object {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "service-7d9f8b6c5d-x2x9z", "namespace": "production", "uid": "6a0f3c1e-0000-4000-8000-000000000000",
            "labels": {"app": "service", "env": "prod", "team": "payments", "pod-template-hash": "7d9f8b6c5d"},
            "annotations": {"prometheus.io/scrape": "true", "checksum/config": "0123456789abcdef0123456789abcdef"},
        },
        "spec": {
            "hostNetwork": false, "serviceAccountName": "service", "nodeName": "node-17",
            "containers": (0..3).map(container).collect::<Vec<_>>(),
            "initContainers": [container(9)],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
        },
        "status": {"phase": "Running", "podIP": "10.1.2.3", "conditions": []},
    });
    let mut at = 0;
    while pod.to_string().len() < 8_850 {
        pod["status"]["conditions"].as_array_mut().unwrap().push(
            json!({"type": format!("Condition{at}"), "status": "True", "lastTransitionTime": "2026-11-21T09:00:00Z"}),
        );
        at += 1;
    }
    Object::from_value(&pod)
}

fn main() {
    let pod = pod();
    println!("pod: {} bytes", pod.text().len());
    let text = pod.text().clone();
    println!("{:>10.0} ns  Object::parse", time(|| drop(black_box(Object::parse(text.clone())))));
    let first = pod.at(&["spec", "containers"]).unwrap().elements().next().unwrap();
    let read = time(|| {
        black_box(black_box(first).at(&["securityContext", "privileged"]).and_then(|it| it.as_bool()));
    });
    println!("{read:>10.1} ns  securityContext.privileged of a container, by hand");
    let miss = time(|| {
        black_box(black_box(first).get("absent").is_some());
    });
    println!("{miss:>10.1} ns  a member that a container does not have, by hand");
    let rules = [
        ("nil", "object == nil"),
        ("E1", "container.securityContext.privileged == true"),
        ("E2", "any(object.spec.containers, .image startsWith 'docker.io/')"),
        (
            "E3",
            "object.spec?.hostNetwork != true && (object.metadata?.labels?.team ?? '') != '' && \
             object.spec?.serviceAccountName != 'default' && (container?.resources?.limits?.memory ?? nil) != nil",
        ),
        ("E4", "any(object.spec.containers, any(.env ?? [], .valueFrom?.secretKeyRef != nil))"),
        ("E5", "!(container.name in ['a-name', 'b-name', 'c-name'])"),
        ("host", "object.spec?.hostNetwork == true"),
        ("caps", "!('ALL' in (container?.securityContext?.capabilities?.drop ?? []))"),
        ("labels", "any(['env', 'team', 'cost'], {!(# in (object.metadata.labels ?? {}))})"),
        ("regex", "container.image matches '^registry\\\\.example\\\\.com/[a-z]+/'"),
    ];
    let env = Environment::new(["object", "container"]);
    let options = Options { boolean: true, ..Options::default() };
    let limits = Limits::default();
    // `-- E4` runs one of them.
    let only = std::env::args().nth(1);
    for (name, source) in rules {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let compile = time(|| drop(black_box(Expr::default().compile(source, &env, &options))));
        let program = Expr::default().compile(source, &env, &options).unwrap();
        // One arena for all turns, reset between them, as a worker has it.
        let mut arena = Arena::with_capacity(64 << 10);
        let container = pod.at(&["spec", "containers"]).unwrap().elements().next().unwrap();
        let mut used = 0;
        let run = time(|| {
            arena.reset();
            {
                let values = [Value::Node(pod.root()), Value::Node(container)];
                black_box(program.evaluate(black_box(&values), &limits, &arena).is_ok());
            }
            used = arena.allocated_bytes();
        });
        println!("{run:>10.1} ns  {name:7} (compile {compile:.0} ns, arena {used} bytes)  {source}");
    }
    if let Ok(load) = std::fs::read_to_string("/proc/loadavg") {
        println!("load {}", load.trim());
    }
}
