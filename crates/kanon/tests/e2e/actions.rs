//! What violated rules have done, seen from outside: alerts in Alertmanager, labels, evictions, revoked tokens.

use std::net::TcpListener;

use crate::{alertmanager::Alertmanager, harness::Up, rules::SEED};

/// A rule about pods of `production` whose container is privileged; `rest` are further fields of its spec.
fn rule(name: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n  \
         name: {name}\n  enabled: true\n  severity: critical\n  match:\n    gvk: [{{group: '', version: v1, kind: Pod}}]\n    \
         namespaces: {{include: [production]}}\n  rule: container.securityContext.privileged == true\n{rest}"
    )
}

fn pod(name: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: production, labels: {{app: {name}}}}}, spec: {{\
         containers: [{{name: c, image: 'registry.example.com/c:1', securityContext: {{privileged: true}}}}]}}}}\n"
    )
}

/// Applies rules and waits until they are in force.
fn rules(up: &Up, rules: &[(&str, &str)]) {
    for (name, rest) in rules {
        up.kubectl_with("apply -f -", &rule(name, rest)).ok();
    }
    for (name, _) in rules {
        up.settles(&format!("get pcr {name} -o jsonpath={{.status.lastApplied}}"), |it| !it.is_empty());
    }
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        it.contains("pods")
    });
}

fn up(flags: &[&str]) -> Up {
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), flags);
    up.kubectl("create namespace production").ok();
    up
}

#[test]
fn a_violation_of_admission_is_alerted_once_under_the_documented_labels() {
    let alertmanager = Alertmanager::start();
    let up = up(&["--alertmanager-url", &alertmanager.url()]);
    rules(&up, &[("refuses", "  mode: [admission]\n  enforcementAction: deny\n  alert: insecure-workload\n")]);
    up.kubectl_with("apply -f -", &pod("bad")).fails(1);
    let firing = alertmanager.settles(|it| !it.is_empty());
    let labels = serde_json::json!({
        "alertname": "refuses", "rule": "refuses", "severity": "critical", "namespace": "production", "kind": "Pod",
        "name": "bad", "mode": "admission",
    });
    assert_eq!(firing[0]["labels"], labels);
    assert_eq!(firing[0]["annotations"]["description"], "rule violated: refuses");
    assert_eq!(firing[0]["annotations"]["operation"], "CREATE");
    up.counts(r#"portal_actions_total{action="alertmanager",result="ok"} 1"#);
    up.kubectl_with("apply -f -", &pod("bad")).fails(1);
    up.counts(r#"portal_actions_total{action="alertmanager",result="duplicate"} 1"#);
    up.counts(r#"portal_admission_violations_total{rule="refuses",severity="critical",action="deny"} 2"#);
}

#[test]
fn a_dead_alertmanager_holds_nothing_up_and_hears_it_all_when_it_is_back() {
    // A port that nobody listens at, for now.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
    let up = up(&["--alertmanager-url", &format!("http://{port}/api/v2/alerts")]);
    rules(&up, &[("tells", "  mode: [admission]\n  alert: insecure-workload\n")]);
    for name in ["a", "b", "c"] {
        up.kubectl_with("apply -f -", &pod(name)).ok();
    }
    let error = |it: &str| it.starts_with("portal_sink_errors_total{sink=\"alertmanager\"}") && !it.ends_with(" 0");
    let begun = std::time::Instant::now();
    while !up.metrics().lines().any(error) {
        assert!(begun.elapsed() < crate::harness::PATIENCE, "{}", up.metrics());
    }
    up.counts(r#"kanon_sink_spilled_total{sink="alertmanager"} 0"#);
    let alertmanager = Alertmanager::start_at(&port.to_string());
    let firing = alertmanager.settles(|it| it.len() == 3);
    let mut names: Vec<_> = firing.iter().filter_map(|it| it["labels"]["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn pods_that_were_let_in_are_labelled_annotated_and_evicted() {
    let up = up(&[]);
    rules(
        &up,
        &[
            (
                "marks",
                "  mode: [admission]\n  actions:\n    - {type: label, key: portal.security/quarantine, value: 'true'}\n    \
          - {type: label, params: {key: second}}\n    - {type: annotate, key: seen, value: 'by a rule'}\n",
            ),
            (
                "then-evicts",
                "  mode: [admission]\n  actions: [{type: evict, on: [admission]}, {type: evict, on: [audit]}]\n",
            ),
        ],
    );
    up.kubectl_with("apply -f -", &pod("web")).ok();
    up.counts(r#"portal_actions_total{action="label",result="ok"} 2"#);
    up.counts(r#"portal_actions_total{action="annotate",result="ok"} 1"#);
    up.counts(r#"portal_actions_total{action="evict",result="ok"} 1"#);
    up.settles("get pods -n production -o name", str::is_empty);
    let log = up.kanon(&["log", "show", "--all", "-o", "json"]).ok();
    assert!(
        log.contains(r#""portal.security/quarantine":"true""#) || log.contains("portal.security/quarantine"),
        "{log}"
    );
}

#[test]
fn a_disruption_budget_holds_an_eviction_until_it_allows_it() {
    let up = up(&["--simulate-workloads"]);
    let budget = "---\n{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: keep, namespace: production}, spec: \
                  {minAvailable: 1, selector: {matchLabels: {app: web}}}}";
    up.kubectl_with("apply -f -", budget).ok();
    up.kubectl_with("apply -f -", &pod("web")).ok();
    // A pod that does not run yet may always go.
    up.settles("get pdb keep -n production -o jsonpath={.status.currentHealthy}", |it| it == "1");
    rules(&up, &[("evicts", "  mode: [admission]\n  actions: [{type: evict}]\n")]);
    up.kubectl("annotate pod web -n production seen=yes").ok();
    up.counts(r#"portal_actions_total{action="evict",result="retrying"} 1"#);
    assert_eq!(up.kubectl("get pods -n production -o name").ok(), "pod/web\n");
    up.kubectl("delete pdb keep -n production").ok();
    up.settles("get pods -n production -o name", str::is_empty);
    up.counts(r#"portal_actions_total{action="evict",result="ok"} 1"#);
}

#[test]
fn the_brake_holds_evictions_until_it_is_released() {
    let up = up(&[]);
    assert!(up.kanon(&["brake"]).ok().contains("off"));
    let on = up.kanon(&["brake", "on", "--reason", "an exercise", "-o", "json"]).ok();
    let on: serde_json::Value = serde_json::from_str(&on).expect("JSON");
    assert_eq!((&on["brake"], &on["reason"], &on["budget"]), (&"on".into(), &"an exercise".into(), &"30/min".into()));
    rules(&up, &[("evicts", "  mode: [admission]\n  actions: [{type: evict}]\n")]);
    up.kubectl_with("apply -f -", &pod("web")).ok();
    up.counts(r#"portal_actions_total{action="evict",result="braked"} 1"#);
    assert_eq!(up.kubectl("get pods -n production -o name").ok(), "pod/web\n");
    let off = up.kanon(&["brake", "off"]).ok();
    assert!(off.contains("off") && !off.contains("an exercise"), "{off}");
    up.settles("get pods -n production -o name", str::is_empty);
    let budget = up.kanon(&["brake", "budget", "7/min"]).ok();
    assert!(budget.contains("7/min") && budget.contains("off"), "{budget}");
    assert!(up.kanon(&["brake", "budget", "many"]).fails(2).contains("is not a rate"));
}

#[test]
fn tokens_of_the_pods_service_account_are_revoked_and_no_others() {
    let up = up(&[]);
    up.kubectl("create serviceaccount robot -n production").ok();
    let secret = |name: &str, account: &str, kind: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Secret, type: '{kind}', metadata: {{name: {name}, namespace: production, \
             annotations: {{kubernetes.io/service-account.name: {account}}}}}}}\n"
        )
    };
    let token = "kubernetes.io/service-account-token";
    let secrets =
        [secret("mine", "robot", token), secret("other", "default", token), secret("plain", "robot", "Opaque")];
    up.kubectl_with("apply -f -", &secrets.concat()).ok();
    rules(&up, &[("revokes", "  mode: [admission]\n  actions: [{type: revoke-sa-token}]\n")]);
    let pod = pod("web").replace("containers:", "serviceAccountName: robot, containers:");
    up.kubectl_with("apply -f -", &pod).ok();
    up.counts(r#"portal_actions_total{action="revoke-sa-token",result="ok"} 1"#);
    let left = up.kubectl("get secrets -n production -o name").ok();
    assert!(!left.contains("secret/mine") && left.contains("secret/other") && left.contains("secret/plain"), "{left}");
}

#[test]
fn a_network_policy_is_narrowed_and_never_widened() {
    let up = up(&[]);
    let policy = "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, namespace: production}, spec: \
                  {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}}";
    up.kubectl_with("apply -f -", policy).ok();
    rules(
        &up,
        &[
            (
                "narrows",
                "  mode: [admission]\n  actions: [{type: patch-networkpolicy, targetName: web, patch: {spec: {ingress: []}}}]\n",
            ),
            (
                "widens",
                "  mode: [admission]\n  actions: [{type: patch-networkpolicy, targetName: web, patch: {spec: {ingress: [{}]}}}]\n",
            ),
        ],
    );
    up.kubectl_with("apply -f -", &pod("web")).ok();
    up.counts(r#"portal_actions_total{action="patch-networkpolicy",result="ok"} 1"#);
    up.counts(r#"portal_actions_total{action="patch-networkpolicy",result="error"} 1"#);
    let rules = up.kubectl("get networkpolicy web -n production -o jsonpath={.spec.ingress}").ok();
    assert!(rules.is_empty() || rules == "[]", "{rules}");
}

#[test]
fn violations_of_admission_are_rows_of_a_report_and_lines_of_the_log() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let lines = scratch.path().join("violations");
    let up = Up::start_with(scratch, &["--violations-log".as_ref(), lines.as_os_str()]);
    up.kubectl("create namespace production").ok();
    rules(&up, &[("refuses", "  mode: [admission]\n  enforcementAction: deny\n")]);
    up.kubectl_with("apply -f -", &pod("bad")).fails(1);
    let table = up.settles("get polr -n production", |it| it.contains("portal"));
    let words: Vec<_> = table.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    assert_eq!(words[..6], ["portal", "0", "1", "0", "0", "0"], "{table}");
    let row = up.kubectl("get policyreport portal -n production -o jsonpath={.results[0]}").ok();
    let row: serde_json::Value = serde_json::from_str(&row).expect("JSON");
    assert_eq!(
        (&row["policy"], &row["result"], &row["severity"]),
        (&"refuses".into(), &"fail".into(), &"critical".into())
    );
    assert_eq!(row["properties"]["enforcementAction"], "deny");
    // What is still so is said again.
    up.kubectl("delete polr portal -n production").ok();
    up.settles("get polr -n production", |it| it.contains("portal"));
    up.kubectl_with("apply --dry-run=server -f -", &pod("try")).fails(1);
    let begun = std::time::Instant::now();
    let read = || std::fs::read_to_string(&lines).unwrap_or_default();
    while read().lines().count() < 2 {
        assert!(begun.elapsed() < crate::harness::PATIENCE, "{}", read());
    }
    let line: serde_json::Value = serde_json::from_str(read().lines().next().unwrap_or_default()).expect("JSON");
    assert_eq!((&line["rule"], &line["name"], &line["decision"]), (&"refuses".into(), &"bad".into(), &"deny".into()));
    assert_eq!((&line["level"], &line["mode"]), (&"ERROR".into(), &"admission".into()));
}

#[test]
fn the_seeds_rule_does_each_thing_it_says() {
    let alertmanager = Alertmanager::start();
    let up = up(&["--alertmanager-url", &alertmanager.url()]);
    let pods: Vec<_> = (1..=7).map(|number| pod(&format!("old-{number}"))).collect();
    up.kubectl_with("apply -f -", &pods.concat()).ok();
    let spec: String = SEED.lines().map(|line| format!("  {line}\n")).collect();
    let rule = format!(
        "apiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: privileged-container}}\nspec:\n{spec}"
    );
    up.kubectl_with("apply -f -", &rule).ok();
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        it.contains("pods")
    });
    // New ones are refused.
    let denied = up.kubectl_with("apply -f -", &pod("new")).fails(1);
    assert!(denied.contains("privileged-container: rule violated: privileged-container"), "{denied}");
    // Those that are there are evicted, no more than five a minute; the others wait, and carry the label.
    up.counts(r#"portal_actions_total{action="label",result="ok"} 7"#);
    up.counts(r#"portal_actions_total{action="evict",result="ok"} 5"#);
    up.counts(r#"portal_actions_total{action="evict",result="ratelimited"} 2"#);
    let left = up.kubectl("get pods -n production -l portal.security/quarantine=true -o name").ok();
    assert_eq!(left.lines().count(), 2, "{left}");
    // Alerted once each, under the documented labels; what was evicted violates nothing any more.
    let audited = |it: &[serde_json::Value]| it.iter().filter(|it| it["labels"]["mode"] == "audit").count();
    let firing = alertmanager.settles(|it| audited(it) == 2);
    let alert = firing.iter().find(|it| it["labels"]["mode"] == "audit").expect("two of them");
    assert_eq!(
        (&alert["labels"]["severity"], &alert["labels"]["rule"]),
        (&"critical".into(), &"privileged-container".into())
    );
    up.counts(r#"portal_actions_total{action="alertmanager",result="ok"} 8"#);
    up.counts(r#"portal_audit_violations{rule="privileged-container",severity="critical",gvk="/v1, Kind=Pod"} 7"#);
    // Ended by a fix, the alert ends, and the report's row goes.
    let name = left.lines().next().expect("a pod").to_owned();
    up.kubectl(&format!("delete -n production {name}")).ok();
    alertmanager.settles(|it| audited(it) == 1);
    up.settles(
        "get polr portal -n production -o jsonpath={.results[?(@.properties.mode=='audit')].resources[0].name}",
        |it| !it.is_empty() && it.split_whitespace().count() == 1,
    );
    // The counts of the status are written every thirty seconds at most.
    let counted = |it: &str| it.parse().is_ok_and(|it: u64| it >= 8);
    up.settles("get pcr privileged-container -o jsonpath={.status.violationCount}", counted);
}

#[test]
fn a_finding_goes_on_over_a_crash_as_the_report_has_it() {
    let before = Alertmanager::start();
    let up = up(&["--alertmanager-url", &before.url()]);
    up.kubectl_with("apply -f -", &pod("old")).ok();
    up.kubectl_with("apply -f -", &rule("finds", "  mode: [audit]\n  alert: insecure-workload\n")).ok();
    let began = before.settles(|it| it.len() == 1)[0]["startsAt"].clone();
    let rows = "get polr portal -n production -o jsonpath={.results[*].timestamp}";
    let written = up.settles(rows, |it| !it.is_empty());
    let scratch = up.kill();
    // Another Alertmanager, which knows nothing of the time before.
    let after = Alertmanager::start();
    let up = Up::start_with(scratch, &["--alertmanager-url", &after.url()]);
    let firing = after.settles(|it| it.len() == 1);
    assert_eq!(firing[0]["startsAt"], began);
    // The report is as it was, until the finding ends.
    assert_eq!(up.kubectl(rows).ok(), written);
    up.kubectl("delete pod old -n production").ok();
    after.settles(<[_]>::is_empty);
    up.settles("get polr portal -n production -o jsonpath={.summary.fail}", |it| it == "0");
}
