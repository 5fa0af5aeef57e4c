//! Rules of mode `network`, and what follows from findings of the network loop, driven by kubectl; and the same rules offline.

use serde_json::{Value, json};

use crate::{
    alertmanager::Alertmanager,
    harness::{Up, feed, file, kanon},
};

/// A pod that only its own namespace may reach, and a policy that says so.
const SHOP: &str = "
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: ops}}
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
";

const OWN: &str = "---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: own, namespace: shop}
spec: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}
";

/// A rule of mode `network` about pods; `more` are further fields.
fn rule(kind: &str, name: &str, expression: &str, more: &str) -> String {
    let namespace = if kind == "PortalRule" { ", namespace: shop" } else { "" };
    format!(
        "---\napiVersion: portal.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}{namespace}}}\nspec:\n  name: {name}\n  \
         enabled: true\n  severity: high\n  mode: [network]\n  match: {{gvk: [{{group: '', version: v1, kind: Pod}}]}}\n  \
         rule: \"{expression}\"\n{more}"
    )
}

#[test]
fn a_finding_lasts_until_a_policy_comes_and_leaves_a_record_with_what_was_read() {
    let alertmanager = Alertmanager::start();
    let flags = ["--network", "--alertmanager-url", &alertmanager.url()];
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), &flags);
    up.kubectl_with("apply -f -", SHOP).ok();
    let actions = "  message: '{{object.metadata.name}} is reached by ops'\n  alert: open\n  actions:\n  \
                   - {type: event, reason: Reached, on: [network]}\n  - {type: event, reason: Never, on: [audit]}\n";
    let reached = "metadata.name == 'db' && network.canReach('ops/probe', object, 'sql')";
    up.kubectl_with("apply -f -", &rule("PortalClusterRule", "reached", reached, actions)).ok();
    up.settles("get pcr reached -o jsonpath={.status.activeOn}", |it| it == r#"["network"]"#);
    let open = r#"portal_open_findings{rule="reached",severity="high",namespace="shop"} 1"#;
    up.counts(open);
    up.counts(r#"portal_np_findings{check="reached"} 1"#);
    up.settles("get events -n shop", |it| it.contains("Reached") && it.contains("db is reached by ops"));
    up.settles("get policyreport portal -n shop -o jsonpath={.results[*].rule}", |it| it.contains("reached"));
    let firing = alertmanager.settles(|it| !it.is_empty());
    assert_eq!((&firing[0]["labels"]["rule"], &firing[0]["labels"]["mode"]), (&json!("reached"), &json!("network")));
    let explained = up.kanon(&["explain", "rule/reached"]).ok();
    assert!(explained.contains("open findings: 1") && explained.contains("db is reached by ops"), "{explained}");
    // Nothing of the pod changes: the policy that it lacked appears.
    up.kubectl_with("apply -f -", OWN).ok();
    up.settles("get policyreports -n shop -o jsonpath={.items[*].results[*].rule}", |it| !it.contains("reached"));
    alertmanager.settles(<[Value]>::is_empty);
    assert!(!up.metrics().contains(open), "{}", up.metrics());
    let explained = up.kanon(&["explain", "rule/reached"]).ok();
    assert!(explained.contains("open findings: 0"), "{explained}");
    let records = up.kanon(&["log", "show", "-o", "json", "--last", "0"]).ok();
    let records: Vec<Value> = serde_json::from_str(&records).expect("JSON");
    let of_rule = records.iter().map(|it| &it["record"]).filter(|it| it["policy"]["name"] == "reached");
    let told: Vec<_> = of_rule.filter(|it| it["occasion"] == "network").collect();
    let reasons: Vec<_> = told.iter().map(|it| it["reason"].as_str().unwrap_or_default()).collect();
    assert_eq!(reasons, ["RuleViolated", "FindingFixed"]);
    let reads = told[0]["evidence"]["reads"].as_array().expect("a list");
    let read: Vec<_> = reads.iter().map(|it| format!("{}/{}", it["namespace"], it["name"])).collect();
    assert_eq!(read, [r#""ops"/"probe""#, r#""shop"/"db""#]);
    assert!(reads.iter().all(|it| it["resourceVersion"] != ""), "{reads:?}");
    assert!(!up.kubectl("get events -n shop").ok().contains("Never"));
}

#[test]
fn a_portal_rule_sees_its_own_namespace_only() {
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), &["--network"]);
    up.kubectl_with("apply -f -", SHOP).ok();
    let rules = rule("PortalRule", "own", "!network.pod.ingressIsolated && network.namespace.podCount == 1", "")
        + &rule("PortalRule", "others", "network.canReach('ops/probe', object, 'sql')", "");
    up.kubectl_with("apply -f -", &rules).ok();
    up.counts(r#"portal_open_findings{rule="own",severity="high",namespace="shop"} 1"#);
    let evaluated = "get pr others -n shop -o jsonpath={.status.evalCount}/{.status.violationCount}";
    up.settles(evaluated, |it| it.starts_with(|it: char| it.is_ascii_digit() && it != '0'));
    assert!(up.kubectl(evaluated).ok().ends_with("/0"));
    assert!(!up.metrics().contains(r#"rule="own",severity="high",namespace="ops""#));
}

#[test]
fn without_the_loop_a_rule_of_it_says_so() {
    let up = Up::start();
    up.kubectl_with("apply -f -", &rule("PortalClusterRule", "open", "!network.pod.ingressIsolated", "")).ok();
    let ready = "get pcr open -o jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}/{.status.activeOn}";
    up.settles(ready, |it| it == "LayerNotRunning/[]");
}

#[test]
fn findings_of_checks_are_alerts_and_annotations_where_that_is_asked_for() {
    let alertmanager = Alertmanager::start();
    let flags = ["--network", "--network-alert", "--network-annotate", "--alertmanager-url", &alertmanager.url()];
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), &flags);
    up.kubectl_with("apply -f -", SHOP).ok();
    let broad = "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: out, namespace: shop}, \
                 spec: {podSelector: {}, policyTypes: [Ingress, Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}}";
    up.kubectl_with("apply -f -", broad).ok();
    let rules = |firing: &[Value]| {
        let mut rules: Vec<_> =
            firing.iter().map(|it| it["labels"]["rule"].as_str().unwrap_or_default().to_owned()).collect();
        rules.sort();
        rules.join(" ")
    };
    let firing = alertmanager.settles(|it| rules(it) == "np.broad-cidr np.default-deny-missing");
    let labels = |rule: &str| firing.iter().find(|it| it["labels"]["rule"] == rule).map(|it| it["labels"].clone());
    let broad_labels = json!({"alertname": "np.broad-cidr", "rule": "np.broad-cidr", "severity": "high", "namespace": "shop",
        "kind": "NetworkPolicy", "name": "out", "mode": "network"});
    assert_eq!(labels("np.broad-cidr"), Some(broad_labels));
    assert_eq!(labels("np.default-deny-missing").map(|it| it["namespace"].clone()), Some(json!("ops")));
    let annotation = "get networkpolicy out -n shop -o jsonpath={.metadata.annotations.portal\\.io/finding}";
    up.settles(annotation, |it| it == "np.broad-cidr");
    up.counts(r#"portal_actions_total{action="annotate",result="ok"} 1"#);
    // The alerts end with what they are about.
    up.kubectl("delete networkpolicy out -n shop").ok();
    alertmanager.settles(|it| rules(it) == "np.default-deny-missing np.default-deny-missing");
}

#[test]
fn rules_are_held_against_manifests_without_a_cluster() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let open = "name: open\nenabled: true\nseverity: high\nmode: [network]\nmatch: {gvk: [{group: '', version: v1, kind: Pod}, \
                {group: apps, version: v1, kind: Deployment}]}\nrule: '!network.pod.ingressIsolated'\n";
    let rules = file(scratch.path(), "open.yaml", open);
    let web = "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {selector: {matchLabels: \
               {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: 'x:1'}]}}}}\n";
    let run = |manifests: &str| {
        feed(kanon().args(["check", "--mode", "network", "-o", "json", "-r", &rules, "-"]), manifests)
    };
    let subjects = |ran: crate::harness::Ran| -> Vec<String> {
        let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:#?}"));
        let findings = told["findings"].as_array().expect("a list");
        assert_eq!(
            (told["mode"].as_str(), told["violations"].as_u64()),
            (Some("network"), Some(findings.len() as u64))
        );
        assert_eq!(ran.code == Some(3), !findings.is_empty());
        findings.iter().map(|it| it["subject"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let all = format!("{SHOP}{web}");
    assert_eq!(subjects(run(&all)), ["Pod shop/db", "Pod ops/probe", "Deployment shop/web"]);
    assert_eq!(subjects(run(&format!("{all}{OWN}"))), ["Pod ops/probe"]);
    // The same with the built-in checks.
    let manifests = file(scratch.path(), "manifests.yaml", &all);
    let words = ["network", "check", "-n", "shop", "-f", &manifests, "-r", &rules, "-o", "json"];
    let ran = feed(kanon().args(words), "");
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:#?}"));
    let ids: Vec<_> = told["findings"].as_array().expect("a list").iter().map(|it| it["id"].as_str()).collect();
    assert_eq!(ids, [Some("np.default-deny-missing:shop"), Some("open:shop/db"), Some("open:shop/web")]);
    assert_eq!(told["findings"][1]["severity"], "high");
    let error = feed(kanon().args(["network", "check", "-f", "-", "-r", &rules]), "").fails(2);
    assert!(error.contains("standard input is read once"), "{error}");
}
