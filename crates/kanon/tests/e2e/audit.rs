//! The audit of stored objects, seen through kubectl, metrics, `kanon explain` and the decision log.

use std::time::{Duration, Instant};

use crate::harness::{PATIENCE, Up};

fn rule(name: &str, fields: &str) -> String {
    format!(
        "apiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n  name: {name}\n  \
         enabled: true\n  severity: high\n  mode: [audit]\n{fields}"
    )
}

const PODS: &str = "  match: {gvk: [{group: '', version: v1, kind: Pod}]}\n";

fn privileged(extra: &str) -> String {
    rule("privileged", &format!("{PODS}  rule: container.securityContext.privileged == true\n{extra}"))
}

fn pod(name: &str, extra: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop}}, spec: {{containers: [
           {{name: c, image: 'registry.example.com/c:1'{extra}}}]}}}}\n"
    )
}

/// Waits for a line of the metrics; an empty value stands for none.
#[track_caller]
pub(crate) fn metric(up: &Up, name: &str, value: &str) {
    let begun = Instant::now();
    loop {
        let text = up.metrics();
        let found = text.lines().find_map(|it| it.strip_prefix(name)).map_or("", str::trim);
        if found == value {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "`{name}` is `{found}`, not `{value}` in\n{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const OPEN: &str = r#"portal_open_findings{rule="privileged",severity="high",namespace="shop"}"#;
const PRIVILEGED: &str = ", securityContext: {privileged: true}";

#[test]
fn a_pod_from_before_its_rule_is_found_and_resolved_however_it_ends() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    let pods = ["bad", "worse"].map(|it| pod(it, PRIVILEGED)).concat() + &pod("good", "");
    up.kubectl_with("apply -f -", &pods).ok();
    up.kubectl_with("apply -f -", &privileged("")).ok();

    // Found at once, and shown wherever somebody may look.
    metric(&up, OPEN, "2");
    metric(&up, r#"portal_audit_violations{rule="privileged",severity="high",gvk="/v1, Kind=Pod"}"#, "2");
    let counts = "get pcr privileged -o jsonpath={.status.evalCount}/{.status.violationCount}/{.status.activeOn}";
    up.settles(counts, |it| it == r#"3/2/["audit"]"#);
    let explained = up.kanon(&["explain", "rule/privileged"]).ok();
    assert!(explained.contains("open findings: 2") && explained.contains("worse"), "{explained}");
    let explained = up.kanon(&["explain", "rule/privileged", "-o", "json"]).ok();
    let explained: serde_json::Value = serde_json::from_str(&explained).expect("JSON");
    assert_eq!(explained["rules"][0]["findings"][0]["subject"]["name"], "bad");
    assert_eq!(explained["rules"][0]["violations"], 2, "a look does not count");

    // Deleted; fixed by another pod of the name; the rule is gone.
    up.kubectl("delete pod worse -n shop --now").ok();
    metric(&up, OPEN, "1");
    up.kubectl("delete pod bad -n shop --now").ok();
    metric(&up, OPEN, "");
    up.kubectl_with("apply -f -", &pod("bad", PRIVILEGED)).ok();
    metric(&up, OPEN, "1");
    up.kubectl("delete pcr privileged").ok();
    metric(&up, OPEN, "");

    let records = up.kanon(&["log", "show", "-o", "json", "--last", "0"]).ok();
    let records: Vec<serde_json::Value> = serde_json::from_str(&records).expect("JSON");
    let text = |it: &serde_json::Value| {
        let text = |pointer: &str| it["record"].pointer(pointer).and_then(|it| it.as_str()).unwrap_or_default();
        format!("{} {} {}", text("/occasion"), text("/subject/name"), text("/reason"))
    };
    let mut told: Vec<_> = records.iter().map(text).filter(|it| it.starts_with("audit")).collect();
    told.sort();
    told.dedup();
    assert_eq!(
        told,
        [
            "audit bad ObjectDeleted",
            "audit bad RuleViolated",
            "audit bad RuleWithdrawn",
            "audit worse ObjectDeleted",
            "audit worse RuleViolated"
        ]
    );
}

#[test]
fn a_fix_a_narrower_rule_and_a_switched_off_rule_end_findings() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    let labelled = "  match: {gvk: [{group: '', version: v1, kind: ConfigMap}], namespaces: {include: [shop]}}\n  \
                    rule: metadata.name == 'plain' && metadata.labels?.team == nil\n";
    up.kubectl("create configmap plain -n shop").ok();
    up.kubectl_with("apply -f -", &rule("team", labelled)).ok();
    let open = r#"portal_open_findings{rule="team",severity="high",namespace="shop"}"#;
    metric(&up, open, "1");
    up.kubectl("label configmap plain -n shop team=a").ok();
    metric(&up, open, "");
    up.kubectl("label configmap plain -n shop team-").ok();
    metric(&up, open, "1");
    up.kubectl_with("apply -f -", &rule("team", &labelled.replace("include: [shop]", "include: [other]"))).ok();
    metric(&up, open, "");
    up.kubectl_with("apply -f -", &rule("team", labelled)).ok();
    metric(&up, open, "1");
    up.kubectl("patch pcr team --type merge -p {\"spec\":{\"enabled\":false}}").ok();
    metric(&up, open, "");
}

#[test]
fn a_kind_is_audited_as_soon_as_its_definition_appears() {
    let up = Up::start();
    let widgets = "  match: {gvk: [{group: shop.example, version: v1, kind: Widget}]}\n  rule: object.spec.size > 3\n";
    up.kubectl_with("apply -f -", &rule("widgets", widgets)).ok();
    let reason = "get pcr widgets -o jsonpath={.status.conditions[?(@.type==\"Evaluating\")].reason}";
    up.settles(reason, |it| it == "KindNotWatched");
    let definition = r#"{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.shop.example"}, "spec": {"group": "shop.example", "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
            {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}"#;
    up.kubectl_with("apply -f -", definition).ok();
    up.kubectl("wait --for=condition=Established crd/widgets.shop.example --timeout=30s").ok();
    let widget = r#"{"apiVersion": "shop.example/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "default"},
        "spec": {"size": 5}}"#;
    up.kubectl_with("apply -f -", widget).ok();
    metric(&up, r#"portal_open_findings{rule="widgets",severity="high",namespace="default"}"#, "1");
    up.settles(reason, |it| it == "Evaluated");
}

#[test]
fn without_the_loop_nothing_is_audited_and_the_rule_says_so() {
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), &["--audit=false"]);
    up.kubectl_with("apply -f -", &privileged("")).ok();
    let ready = "get pcr privileged -o jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}/{.status.activeOn}";
    up.settles(ready, |it| it == "LayerNotRunning/[]");
}

#[test]
fn a_deployment_without_a_budget_is_found_until_the_budget_comes() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    let budget = "  match: {gvk: [{group: apps, version: v1, kind: Deployment}]}\n  \
                  rule: cluster.poddisruptionbudgets.selecting(object) == []\n";
    up.kubectl("create deployment web -n shop --image=registry.example.com/web:1").ok();
    up.kubectl_with("apply -f -", &rule("budget", budget)).ok();
    let open = r#"portal_open_findings{rule="budget",severity="high",namespace="shop"}"#;
    metric(&up, open, "1");
    let synced = "get pcr budget -o jsonpath={.status.conditions[?(@.type==\"LookupsSynced\")].status}";
    up.settles(synced, |it| it == "True");
    // Nothing of the Deployment changes: the rule looks for budgets, and one appears.
    up.kubectl("create pdb web -n shop --selector=app=web --min-available=1").ok();
    metric(&up, open, "");
    up.kubectl("delete pdb web -n shop").ok();
    metric(&up, open, "1");
    up.kubectl("create pdb other -n shop --selector=app=other --min-available=1").ok();
    up.kubectl("create pdb web -n shop --selector=app=web --min-available=1").ok();
    metric(&up, open, "");
    let records = up.kanon(&["log", "show", "-o", "json", "--last", "0"]).ok();
    let records: Vec<serde_json::Value> = serde_json::from_str(&records).expect("JSON");
    let reads = records.iter().filter(|it| it["record"]["reason"] == "RuleViolated");
    let reads: Vec<_> = reads.map(|it| it["record"]["evidence"]["reads"][0]["kind"].as_str()).collect();
    assert!(!reads.is_empty() && reads.iter().all(|it| *it == Some("PodDisruptionBudget")), "{reads:?}");
}

#[test]
fn admission_sees_the_object_of_the_request_as_if_it_were_stored() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    let alone = rule(
        "alone",
        "  match: {gvk: [{group: '', version: v1, kind: ConfigMap}]}\n  \
         rule: 'len(cluster.configmaps.list(object.metadata.namespace, {unique: \"yes\"})) > 1'\n  \
         message: 'there are {{len(cluster.configmaps.list(object.metadata.namespace, {unique: \"yes\"}))}}'\n  \
         enforcementAction: deny\n",
    );
    up.kubectl_with("apply -f -", &alone.replace("mode: [audit]", "mode: [admission]")).ok();
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        it.contains("configmaps")
    });
    let synced = "get pcr alone -o jsonpath={.status.conditions[?(@.type==\"LookupsSynced\")].status}";
    up.settles(synced, |it| it == "True");
    let map = |name: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, namespace: shop, labels: {{unique: 'yes'}}}}}}"
        )
    };
    up.kubectl_with("apply -f -", &map("first")).ok();
    // The first one reaches the cache in its own time.
    let begun = Instant::now();
    let denied = loop {
        let ran = up.kubectl_with("create --dry-run=server -f -", &map("second"));
        if ran.code == Some(1) {
            break ran.err;
        }
        assert!(begun.elapsed() < PATIENCE, "never denied");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(denied.contains("alone: there are 2"), "{denied}");
    up.kubectl_with("apply -f -", &map("first")).ok();
}
