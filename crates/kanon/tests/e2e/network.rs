//! `kanon network` against a live control plane, fed by kubectl, and against the same objects as files.

use serde_json::{Value, json};

use crate::harness::{Ran, Up, feed, kanon};

const SHOP: &str = "
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: ops, labels: {team: ops}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, image: 'registry.example.com/web:1', ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: c, image: 'registry.example.com/db:1', ports: [{name: sql, containerPort: 5432}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: probe, namespace: ops}
spec: {containers: [{name: c, image: 'registry.example.com/probe:1'}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchExpressions: [{key: app, operator: In, values: [db]}]}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}]
    ports: [{port: sql}]
  egress:
  - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]
";

fn reachable(up: &Up, from: &str, to: &str, port: &str) -> Ran {
    up.kanon(&["network", "reachable", "--from", from, "--to", to, "--port", port, "-o", "json"])
}

/// The exit code, and the rules that decide on each side.
fn answer(up: &Up, from: &str, to: &str, port: &str) -> (Option<i32>, Value, Value) {
    let ran = reachable(up, from, to, port);
    let answer: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:#?}"));
    assert_eq!(answer["reachable"] == true, ran.code == Some(0), "{answer:#}");
    let side = |name: &str| json!([answer[name]["reason"], answer[name]["admittedBy"]]);
    (ran.code, side("egress"), side("ingress"))
}

#[test]
fn reachability_follows_the_objects_of_a_live_cluster() {
    let up = Up::start();
    up.kubectl_with("apply -f -", SHOP).ok();
    let rule = |rule: &str| json!(["Admitted", [{"policy": "shop/db", "rule": rule}]]);
    let open = json!(["NotIsolated", []]);
    assert_eq!(answer(&up, "shop/web", "shop/db", "sql"), (Some(0), open.clone(), rule("spec.ingress[0]")));
    assert_eq!(answer(&up, "ops/probe", "shop/db", "5432"), (Some(0), open.clone(), rule("spec.ingress[0]")));
    assert_eq!(answer(&up, "shop/web", "shop/db", "80"), (Some(3), open.clone(), json!(["NoRule", []])));
    let outside = json!(["NotAPod", []]);
    assert_eq!(answer(&up, "shop/db", "203.0.113.7", "443"), (Some(0), rule("spec.egress[0]"), outside.clone()));
    assert_eq!(answer(&up, "shop/db", "10.1.2.3", "443"), (Some(3), json!(["NoRule", []]), outside));
    // A policy that is added, a label that changes: the next answer knows.
    let deny = "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: ops}, spec: {podSelector: {}, policyTypes: [Egress]}}";
    up.kubectl_with("apply -f -", deny).ok();
    assert_eq!(answer(&up, "ops/probe", "shop/db", "sql").0, Some(3));
    up.kubectl("label pod web -n shop app=old --overwrite").ok();
    assert_eq!(answer(&up, "shop/web", "shop/db", "sql").0, Some(3));
    up.kubectl("delete networkpolicy db -n shop").ok();
    assert_eq!(answer(&up, "shop/web", "shop/db", "sql"), (Some(0), open.clone(), open));
    let table = up.kanon(&["network", "reachable", "-n", "shop", "--from", "web", "--to", "db", "--port", "1"]).ok();
    assert!(table.starts_with("shop/web may reach shop/db on 1/TCP\n"), "{table}");
}

#[test]
fn what_cannot_be_asked_says_why() {
    let up = Up::start();
    up.kubectl_with("apply -f -", SHOP).ok();
    let error = reachable(&up, "shop/we", "shop/db", "1").fails(1);
    assert!(error.contains("there is no pod `we` in namespace `shop`: there is `web`"), "{error}");
    let error = reachable(&up, "shop/web", "shop/db", "http").fails(1);
    assert!(error.contains("shop/db has no TCP port named `http`: it has sql (5432/TCP)"), "{error}");
    let error = reachable(&up, "shop/web", "shop/db", "70000").fails(2);
    assert!(error.contains("ports are 1 to 65535"), "{error}");
    let error = up.kanon(&["network", "check", "--check", "np.x"]).fails(2);
    assert!(error.contains("is no network check"), "{error}");
}

#[test]
fn checks_and_policies_are_those_of_the_cluster_and_of_its_files() {
    let up = Up::start();
    up.kubectl_with("apply -f -", SHOP).ok();
    let live = up.kanon(&["network", "check", "--all", "-o", "json", "-n", "shop"]);
    assert_eq!(live.code, Some(3), "{live:#?}");
    let found: Value = serde_json::from_str(&live.out).expect("JSON");
    let ids: Vec<_> =
        found["findings"].as_array().expect("a list").iter().map(|it| it["id"].as_str().expect("text")).collect();
    assert_eq!(
        ids,
        [
            "np.default-deny-missing:shop",
            "np.broad-cidr:shop/db:0:0",
            "np.default-deny-egress-missing:shop",
            "np.pod-uncovered:shop"
        ]
    );
    assert_eq!(found["findings"][1]["severity"], "high");
    // The same objects as files give the same findings.
    let files = feed(kanon().args(["network", "check", "--all", "-o", "json", "-n", "shop", "-f", "-"]), SHOP);
    assert_eq!(serde_json::from_str::<Value>(&files.out).expect("JSON"), found);
    let shown = up.kanon(&["network", "policies", "shop/db", "-o", "json"]).ok();
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["policies"][0]["selects"], "app=db");
    assert_eq!(shown["policies"][0]["ingress"][0]["ports"], json!(["sql/TCP"]));
    assert_eq!((&shown["ingressIsolated"], &shown["egressOpenToAll"]), (&json!(true), &json!(false)));
    let table = up.kanon(&["network", "policies", "-n", "shop", "web"]).ok();
    assert_eq!(table, "shop/web\n  ingress: open: no policy isolates it\n  egress: open: no policy isolates it\n");
}

/// Waits for a line of the metrics; an empty value stands for none.
#[track_caller]
fn metric(up: &Up, name: &str, value: &str) {
    let begun = std::time::Instant::now();
    loop {
        let text = up.metrics();
        let found = text.lines().find_map(|it| it.strip_prefix(name)).map_or("", str::trim);
        if found == value {
            return;
        }
        assert!(begun.elapsed() < crate::harness::PATIENCE, "`{name}` is `{found}`, not `{value}` in\n{text}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn the_loop_finds_records_and_resolves_in_a_live_cluster() {
    let scratch = tempfile::tempdir().expect("a folder");
    let up = Up::start_with(scratch, &["--network", "--network-check", "np.pod-uncovered", "--network-exclude", "ops"]);
    up.kubectl_with("apply -f -", SHOP).ok();
    let open = |check: &str, severity: &str| {
        format!(r#"portal_open_findings{{rule="{check}",severity="{severity}",namespace="shop"}}"#)
    };
    metric(&up, &open("np.broad-cidr", "high"), "1");
    metric(&up, &open("np.default-deny-missing", "medium"), "1");
    metric(&up, &open("np.pod-uncovered", "medium"), "1");
    metric(&up, r#"portal_np_findings{check="np.broad-cidr"}"#, "1");
    // In the namespace's report, as a rule's violation is.
    let report = "get policyreport portal -n shop -o jsonpath={.results[*].rule}";
    up.settles(report, |it| it.contains("np.broad-cidr") && it.contains("np.default-deny-missing"));
    assert!(!up.metrics().contains("namespace=\"ops\""), "{}", up.metrics());
    // A default deny clears what was missing; the policy that is deleted takes its finding with it.
    let deny = "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: shop}, spec: {podSelector: {}, policyTypes: [Ingress]}}";
    up.kubectl_with("apply -f -", deny).ok();
    metric(&up, &open("np.default-deny-missing", "medium"), "");
    metric(&up, &open("np.pod-uncovered", "medium"), "");
    up.kubectl("delete networkpolicy db -n shop").ok();
    metric(&up, &open("np.broad-cidr", "high"), "");
    up.settles("get policyreports -n shop -o jsonpath={.items[*].results[*].rule}", |it| !it.contains("np."));
    let records = up.kanon(&["log", "show", "-o", "json", "--last", "0"]).ok();
    let records: Value = serde_json::from_str(&records).expect("JSON");
    let told = |reason: &str| {
        let records = records.as_array().expect("a list").iter().map(|it| &it["record"]);
        let of_network = records.filter(|it| it["occasion"] == "network" && it["reason"] == reason);
        of_network
            .map(|it| it["policy"]["name"].as_str().expect("a name").to_owned())
            .collect::<std::collections::BTreeSet<_>>()
    };
    let all = ["np.broad-cidr", "np.default-deny-missing", "np.pod-uncovered"].map(str::to_owned).into();
    assert_eq!((told("NetworkFinding"), told("FindingFixed")), (std::collections::BTreeSet::clone(&all), all));
    let error = up.kanon(&["up", "--network-check", "np.x"]).fails(2);
    assert!(error.contains("is no network check"), "{error}");
}
