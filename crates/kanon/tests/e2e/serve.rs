//! `kanon serve` against an API server that is not its own, as it would run in a cluster: two replicas, one lease.

use std::{
    path::Path,
    process::{Child, Stdio},
    sync::Arc,
    time::Instant,
};

use kanon_apiserver::TestServer;
use kanon_core::{Node, Object};
use kanon_kube::{Api, Source};
use serde_json::json;

use crate::harness::{PATIENCE, http_get, kanon};

/// One replica in a process of its own.
struct Replica(Child);

impl Replica {
    fn start(scratch: &Path, name: &str, kubeconfig: &Path) -> Replica {
        let log = std::fs::File::create(scratch.join(format!("{name}.log"))).expect("a log file");
        let child = kanon()
            .args(["serve", "--listen", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0", "--kubeconfig"])
            .arg(kubeconfig)
            .arg("--data-dir")
            .arg(scratch.join(name))
            .arg("--ready-file")
            .arg(scratch.join(format!("{name}.ready")))
            .env("HOSTNAME", name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let begun = Instant::now();
        while !scratch.join(format!("{name}.ready")).exists() {
            assert!(begun.elapsed() < PATIENCE, "{name} is not ready");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Replica(child)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until the answer is what is wanted.
async fn settles(api: &Api, path: &str, wanted: impl Fn(&Object) -> bool) -> Object {
    let begun = Instant::now();
    loop {
        let last = api.get(path).await.expect("the server answers");
        if let Some(object) = last.clone().filter(|it| wanted(it)) {
            return object;
        }
        assert!(begun.elapsed() < PATIENCE, "{path} does not settle: {last:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn rule(expression: &str) -> serde_json::Value {
    json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule", "metadata": {"name": "r"}, "spec": {
        "name": "r", "enabled": true, "mode": ["admission"], "enforcementAction": "deny", "rule": expression,
        "match": {"gvk": [{"group": "", "version": "v1", "kind": "ConfigMap"}]}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_leads_and_another_takes_over() {
    let server = TestServer::start(Arc::new(kanon_cel::Cel::default())).await.expect("a server");
    let scratch = tempfile::tempdir().expect("a folder");
    let kubeconfig = scratch.path().join("kubeconfig");
    std::fs::write(&kubeconfig, server.kubeconfig()).expect("a kubeconfig");
    let api = Api::connect(&Source::Text(server.kubeconfig())).await.expect("a client");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kanon-system"}});
    api.apply("/api/v1/namespaces/kanon-system", &namespace).await.expect("a namespace");

    let lease = "/apis/coordination.k8s.io/v1/namespaces/kanon-system/leases/kanon";
    let holder = |it: &Object| it.str_at(&["spec", "holderIdentity"]).to_owned();
    let mut first = Replica::start(scratch.path(), "first", &kubeconfig);
    settles(&api, lease, |it| holder(it).starts_with("first_")).await;
    let _second = Replica::start(scratch.path(), "second", &kubeconfig);

    let path = "/apis/portal.io/v1alpha1/portalclusterrules/r";
    api.apply(path, &rule("object.data?.x == 'bad'")).await.expect("a rule");
    settles(&api, path, |it| !it.str_at(&["status", "lastApplied"]).is_empty()).await;
    let maps = "/api/v1/namespaces/default/configmaps";
    let bad = json!({"metadata": {"name": "bad"}, "data": {"x": "bad"}}).to_string();
    // Not under Kanon's own field manager: its own writes are let through.
    let create = || api.call(http::Method::POST, maps, Some(("application/json", bad.clone().into_bytes())));
    let denied = async || {
        let begun = Instant::now();
        // The registration follows the rule within a moment.
        while let Ok(made) = create().await {
            assert!(begun.elapsed() < PATIENCE, "nothing denies {made:?}");
            api.call(http::Method::DELETE, &format!("{maps}/bad"), None).await.expect("deleted");
        }
        create().await.expect_err("denied").to_string()
    };
    assert!(denied().await.contains("r: rule violated: r"));

    // An orderly end gives the lease back; the other need not wait for it to run out.
    let asked = std::process::Command::new("kill").arg(first.0.id().to_string()).status().expect("kill runs");
    assert!(asked.success() && first.0.wait().expect("it ends").success());
    let taken = settles(&api, lease, |it| holder(it).starts_with("second_")).await;
    assert_eq!(taken.at(&["spec", "leaseTransitions"]).and_then(Node::as_i64), Some(1));
    // The webhook of the one that is left answers, and the new leader writes statuses.
    api.apply(path, &rule("object.data?.x ==")).await.expect("a broken rule");
    let broken = settles(&api, path, |it| it.at(&["status", "parseError"]).is_some()).await;
    assert_eq!(broken.at(&["status", "observedGeneration"]).and_then(Node::as_i64), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_ends_says_so_first_and_still_answers() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let server = TestServer::start(Arc::new(kanon_cel::Cel::default())).await.expect("a server");
    let kubeconfig = scratch.path().join("kubeconfig");
    std::fs::write(&kubeconfig, server.kubeconfig()).expect("a file");
    let told = std::fs::File::create(scratch.path().join("told")).expect("a file");
    let ready = scratch.path().join("ready");
    let mut child = kanon()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--metrics-addr",
            "127.0.0.1:0",
            "--shutdown-delay",
            "60s",
            "--kubeconfig",
        ])
        .arg(&kubeconfig)
        .arg("--data-dir")
        .arg(scratch.path().join("data"))
        .arg("--ready-file")
        .arg(&ready)
        .stdin(Stdio::null())
        .stdout(told)
        .spawn()
        .expect("the binary starts");
    let begun = Instant::now();
    let wait = |what: &str, done: &mut dyn FnMut() -> bool| {
        while !done() {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    wait("it is not ready", &mut || ready.exists());
    let told = std::fs::read_to_string(scratch.path().join("told")).expect("what it told");
    let address = told.split_once("http://").and_then(|it| it.1.lines().next()).expect("an address").to_owned();
    let probe = |path: &str| http_get(&address, path);
    assert_eq!(probe("/readyz").expect("ready"), "ok");
    let end = || {
        let kill = std::process::Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
        assert!(kill.success());
    };
    end();
    wait("the probe does not tell", &mut || {
        probe("/readyz").is_err_and(|it| it.to_string().contains("waiting for: its end"))
    });
    assert_eq!(probe("/healthz").expect("it lives"), "ok");
    assert!(probe("/metrics").is_ok());
    // Who asks twice means now.
    end();
    wait("it does not end", &mut || child.try_wait().expect("it can be asked").is_some());
}
