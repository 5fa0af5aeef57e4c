//! What rules have done and who hears of it, beyond the seed's example: templates of alerts, what is taken back, additional
//! actions and who allows them, receivers by HTTP, failed evaluations in reports of both APIs.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    alertmanager::Alertmanager,
    harness::{PATIENCE, Up, file},
};

/// A rule of the audit about pods with the label `bad`, and this besides.
fn rule(name: &str, actions: &str) -> String {
    format!(
        "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n  name: {name}\n  \
         enabled: true\n  severity: high\n  mode: [audit]\n  match: {{gvk: [{{group: '', version: v1, kind: Pod}}]}}\n  \
         rule: metadata.labels?.bad == 'yes'\n{actions}"
    )
}

fn pod(name: &str, labels: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {{app: {name}{labels}}}}}, spec: {{\
         nodeName: n1, containers: [{{name: c, image: 'registry.example.com/c:1'}}]}}}}\n"
    )
}

fn up(flags: &[&str]) -> Up {
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), flags);
    up.kubectl("create namespace shop").ok();
    up
}

#[test]
fn templates_and_external_labels_add_to_alerts_and_never_replace() {
    let alertmanager = Alertmanager::start();
    let url = alertmanager.url();
    let up = up(&["--alertmanager-url", &url, "--alertmanager-label", "cluster=test"]);
    let templates = "
apiVersion: v1
kind: ConfigMap
metadata: {name: alert-templates, namespace: kanon-system}
data:
  insecure: |
    labels: {team: '{{ namespace }}-owners'}
    annotations: {dashboard: 'https://dash.example.com/{{ namespace }}/{{ lower(kind) }}/{{ name }}'}
  cheats.yaml: 'labels: {severity: none}'
";
    up.kubectl("create namespace kanon-system").ok();
    up.kubectl_with("apply -f -", templates).ok();
    let events = up.settles("get events -n kanon-system", |it| it.contains("BrokenTemplate"));
    assert!(events.contains("`labels.severity` is not a template's to say"), "{events}");
    let rules = rule("first", "  alert: insecure\n") + &rule("second", "  alert: nowhere\n");
    up.kubectl_with("apply -f -", &rules).ok();
    up.kubectl_with("apply -f -", &pod("web", ", bad: 'yes'")).ok();
    let firing = alertmanager.settles(|it| it.len() == 2);
    let of = |rule: &str| firing.iter().find(|it| it["labels"]["rule"] == rule).expect("an alert").clone();
    let (first, second) = (of("first"), of("second"));
    assert_eq!((&first["labels"]["team"], &first["labels"]["cluster"]), (&"shop-owners".into(), &"test".into()));
    assert_eq!(first["annotations"]["dashboard"], "https://dash.example.com/shop/pod/web");
    assert_eq!(first["annotations"]["description"], "rule violated: first");
    assert_eq!((second["labels"].get("team"), &second["labels"]["cluster"]), (None, &"test".into()));
    up.counts(r#"kanon_alert_templates_missing{template="nowhere"} 1"#);
    up.kubectl("label pod web -n shop bad-").ok();
    alertmanager.settles(<[_]>::is_empty);
}

#[test]
fn what_a_rule_marked_is_unmarked_when_the_last_reason_has_gone() {
    let up = up(&[]);
    let marks =
        "  actions:\n    - {type: label, key: seen, removeOnResolve: true}\n    - {type: annotate, key: kept}\n";
    let other = rule("second", marks).replace("bad == 'yes'", "worse == 'yes'");
    up.kubectl_with("apply -f -", &(rule("first", marks) + &other)).ok();
    up.kubectl_with("apply -f -", &pod("web", ", bad: 'yes', worse: 'yes'")).ok();
    up.counts(r#"portal_actions_total{action="label",result="ok"} 2"#);
    let seen = "get pods -n shop -l seen=true -o name";
    assert_eq!(up.kubectl(seen).ok(), "pod/web\n");
    up.kubectl("label pod web -n shop bad-").ok();
    up.counts(r#"portal_open_findings{rule="second",severity="high",namespace="shop"} 1"#);
    up.settles("get polr portal -n shop -o jsonpath={.results[*].rule}", |it| it == "second");
    assert_eq!(up.kubectl(seen).ok(), "pod/web\n", "the other rule wants it still");
    up.kubectl("label pod web -n shop worse-").ok();
    up.settles(seen, str::is_empty);
    up.counts(r#"portal_actions_total{action="label",result="undone"} 1"#);
    assert_eq!(up.kubectl("get pod web -n shop -o jsonpath={.metadata.annotations.kept}").ok(), "true");
}

#[test]
fn additional_actions_run_where_the_administrator_says_so() {
    let actions = "  actions: [{type: quarantine}, {type: cordon}]\n";
    let node = "---\n{apiVersion: v1, kind: Node, metadata: {name: n1}}\n";
    let deployment = "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop, labels: {bad: 'yes'}}, \
                      spec: {replicas: 3, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, \
                      spec: {containers: [{name: c, image: c}]}}}}\n";
    let scales = rule("scales", "  actions: [{type: scale}]\n")
        .replace("group: '', version: v1, kind: Pod", "group: apps, version: v1, kind: Deployment");
    let all =
        [node, deployment, &pod("web", ", bad: 'yes'"), &pod("other", ""), &rule("apart", actions), &scales].concat();

    let forbids = up(&[]);
    forbids.kubectl_with("apply -f -", &all).ok();
    let compiled = "get pcr apart -o jsonpath={.status.conditions[?(@.type==\"Compiled\")].message}";
    let warning = forbids.settles(compiled, |it| it.contains("never runs"));
    assert!(warning.contains("action `quarantine` never runs: it needs `--allow-action quarantine`"), "{warning}");
    forbids.counts(r#"portal_actions_total{action="quarantine",result="error"} 1"#);
    assert_eq!(forbids.kubectl("get networkpolicies -n shop -o name").ok(), "");
    drop(forbids);

    let up = up(&["--allow-action", "quarantine", "--allow-action", "cordon", "--allow-action", "scale"]);
    up.kanon(&["brake", "on", "--reason", "an exercise"]).ok();
    up.kubectl_with("apply -f -", &all).ok();
    for action in ["quarantine", "cordon", "scale"] {
        up.counts(&format!(r#"portal_actions_total{{action="{action}",result="braked"}} 1"#));
    }
    up.kanon(&["brake", "off"]).ok();
    for action in ["quarantine", "cordon", "scale"] {
        up.counts(&format!(r#"portal_actions_total{{action="{action}",result="ok"}} 1"#));
    }
    let reach = |from: &str, to: &str| {
        up.kanon(&["network", "reachable", "-n", "shop", "--from", from, "--to", to, "--port", "80"]).code
    };
    assert_eq!((reach("web", "other"), reach("other", "web"), reach("other", "other")), (Some(3), Some(3), Some(0)));
    assert_eq!(up.kubectl("get node n1 -o jsonpath={.spec.unschedulable}").ok(), "true");
    assert_eq!(up.kubectl("get deployment web -n shop -o jsonpath={.spec.replicas}").ok(), "0");
    // Its end sets the pod free; nodes and replicas are for people.
    up.kubectl("label pod web -n shop bad-").ok();
    up.counts(r#"portal_actions_total{action="quarantine",result="undone"} 1"#);
    assert_eq!((reach("web", "other"), reach("other", "web")), (Some(0), Some(0)));
    assert_eq!(up.kubectl("get node n1 -o jsonpath={.spec.unschedulable}").ok(), "true");
}

#[test]
fn a_policy_that_is_not_there_is_created_where_the_rule_says_so() {
    let up = up(&[]);
    let patch = "{spec: {policyTypes: [Ingress]}}";
    let actions = format!(
        "  actions:\n    - {{type: patch-networkpolicy, targetName: deny, patch: {patch}, create: true}}\n    \
         - {{type: patch-networkpolicy, targetName: never, patch: {patch}}}\n"
    );
    up.kubectl_with("apply -f -", &(pod("web", ", bad: 'yes'") + &rule("closes", &actions))).ok();
    up.counts(r#"portal_actions_total{action="patch-networkpolicy",result="ok"} 1"#);
    up.counts(r#"portal_actions_total{action="patch-networkpolicy",result="skipped"} 1"#);
    assert_eq!(up.kubectl("get networkpolicies -n shop -o name").ok(), "networkpolicy.networking.k8s.io/deny\n");
}

/// What a receiver was sent: heads and bodies.
type Heard = Arc<Mutex<Vec<(String, Value)>>>;

/// A receiver that says for a while that it is not ready, then takes everything.
fn receiver(refuses: usize) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|it| it > 0) {}
            let head = head.to_ascii_lowercase();
            let len = head.split_once("content-length: ").and_then(|it| it.1.lines().next()?.trim().parse().ok());
            let mut body = vec![0; len.unwrap_or(0)];
            let _ = reader.read_exact(&mut body);
            let mut heard = hears.lock().expect("no panic before");
            heard.push((head, serde_json::from_slice(&body).unwrap_or_default()));
            let status = if heard.len() <= refuses { "503 Service Unavailable" } else { "200 OK" };
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (format!("http://{address}/hook"), heard)
}

#[test]
fn a_receiver_hears_of_a_violation_signed_and_again_until_it_takes_it() {
    let (url, heard) = receiver(2);
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let secret = file(scratch.path(), "secret", "s3cret\n");
    let to = format!("desk={url}");
    let up = Up::start_with(scratch, &["--action-webhook", &to, "--action-webhook-secret", &secret]);
    up.kubectl("create namespace shop").ok();
    let rules = rule("tells", "  actions: [{type: webhook, to: desk}]\n")
        + &rule("mute", "  actions: [{type: webhook, to: nobody}]\n");
    up.kubectl_with("apply -f -", &rules).ok();
    let compiled = "get pcr mute -o jsonpath={.status.conditions[?(@.type==\"Compiled\")].message}";
    up.settles(compiled, |it| it.contains("there is no receiver `nobody`"));
    up.kubectl_with("apply -f -", &pod("web", ", bad: 'yes'")).ok();
    up.counts(r#"portal_actions_total{action="webhook",result="ok"} 1"#);
    up.counts(r#"portal_sink_errors_total{sink="webhook"} 2"#);
    let heard = heard.lock().expect("no panic before");
    let [(first, _), _, (last, event)] = &heard[..] else { panic!("{heard:#?}") };
    let header = |head: &str, name: &str| {
        let line = head.lines().find_map(|it| it.strip_prefix(&format!("{name}: "))).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
    };
    assert_eq!(header(first, "kanon-delivery"), header(last, "kanon-delivery"), "a repeat has the same id");
    let signature = header(last, "kanon-signature");
    assert!(signature.starts_with("sha256=") && signature.len() == 71, "{signature}");
    assert_eq!(
        (&event["rule"], &event["object"]["name"], &event["mode"]),
        (&"tells".into(), &"web".into(), &"audit".into())
    );
}

#[test]
fn failed_evaluations_are_rows_of_reports_in_both_apis_until_they_work() {
    let up = up(&["--reports-api", "both"]);
    let fails = rule("fails", "")
        .replace("kind: Pod", "kind: ConfigMap")
        .replace("metadata.labels?.bad == 'yes'", "object.data?.x?.y == 'z'");
    up.kubectl_with("apply -f -", &(fails + &rule("finds", ""))).ok();
    up.kubectl("create configmap settings -n shop --from-literal=x=text").ok();
    up.kubectl_with("apply -f -", &pod("web", ", bad: 'yes'")).ok();
    for report in ["polr portal", "reports.openreports.io portal"] {
        let counts = format!("get {report} -n shop -o jsonpath={{.summary.fail}}/{{.summary.error}}");
        up.settles(&counts, |it| it == "1/1");
        let row = format!("get {report} -n shop -o jsonpath={{.results[?(@.result==\"error\")]}}");
        let row: Value = serde_json::from_str(&up.kubectl(&row).ok()).expect("JSON");
        assert_eq!((&row["rule"], &row["resources"][0]["name"]), (&"fails".into(), &"settings".into()), "{row}");
    }
    let open =
        up.kubectl("get reports.openreports.io portal -n shop -o jsonpath={.source}/{.configuration.limits}").ok();
    assert!(open.starts_with("portal/") && open.contains("\"maxResults\":1000"), "{open}");
    let table = up.kubectl("get reps -n shop").ok();
    assert!(table.contains("portal"), "{table}");
    up.kubectl("delete configmap settings -n shop").ok();
    for report in ["polr", "reports.openreports.io"] {
        let counts = format!("get {report} portal -n shop -o jsonpath={{.summary.fail}}/{{.summary.error}}");
        up.settles(&counts, |it| it == "1/0");
    }
}

#[test]
fn every_violation_and_every_end_is_a_line_of_the_log() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let lines = scratch.path().join("violations");
    let up = Up::start_with(scratch, &["--violations-log".as_ref(), lines.as_os_str()]);
    up.kubectl("create namespace shop").ok();
    up.kubectl_with("apply -f -", &(rule("finds", "") + &pod("web", ", bad: 'yes'"))).ok();
    let said = || -> Vec<String> {
        let text = std::fs::read_to_string(&lines).unwrap_or_default();
        let decision =
            |it: &str| serde_json::from_str::<Value>(it).expect("JSON")["decision"].as_str().unwrap_or("?").to_owned();
        text.lines().map(decision).collect()
    };
    let settles = |wanted: &[&str]| {
        let begun = Instant::now();
        while said() != wanted {
            assert!(begun.elapsed() < PATIENCE, "{:?}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    settles(&["dryrun"]);
    up.kubectl("label pod web -n shop bad-").ok();
    settles(&["dryrun", "resolved"]);
}
