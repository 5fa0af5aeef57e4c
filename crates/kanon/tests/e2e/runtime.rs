//! Events of running workloads from outside: a real `kubectl exec`, an API server that posts its audit from another process, a log
//! that is rotated.

use std::{io::Write, path::Path, sync::Arc, time::Duration};

use http::Request;
use http_body_util::Full;
use kanon_net::{HttpsClient, Trust, tls_client_config};
use serde_json::{Value, json};

use crate::{
    alertmanager::Alertmanager,
    harness::{Up, file, kanon},
};

/// The rule of the specification; `rest` are further fields of its spec.
fn rule(name: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n  name: {name}\n  \
         enabled: true\n  severity: high\n  match:\n    gvk: [{{group: '', version: v1, kind: Pod}}]\n  \
         rule: request.verb == \"create\" && request.subresource == \"exec\" && metadata.namespace == \"shop\"\n{rest}"
    )
}

/// A control plane with a pod of its own service account in `shop`, whose token is a Secret.
fn up(args: &[&str]) -> Up {
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), &[&["--runtime"], args].concat());
    up.kubectl("create namespace shop").ok();
    up.kubectl("create serviceaccount robot -n shop").ok();
    let token = "---\n{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: {name: token, namespace: \
                 shop, annotations: {kubernetes.io/service-account.name: robot}}}\n";
    let pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {nodeName: n1, serviceAccountName: \
               robot, containers: [{name: app, image: app}, {name: proxy, image: proxy}]}}\n";
    up.kubectl_with("apply -f -", &format!("{token}{pod}")).ok();
    up
}

/// Puts a rule in place and waits until connections are asked about.
fn enforce(up: &Up, rule: &str) {
    up.kubectl_with("apply -f -", rule).ok();
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        it.contains("pods/exec")
    });
}

const EXEC: &str = "exec -n shop web -c app -- cat /etc/passwd";

#[test]
fn an_exec_revokes_the_token_and_alerts_once() {
    let alertmanager = Alertmanager::start();
    let up = up(&["--alertmanager-url", &alertmanager.url()]);
    enforce(
        &up,
        &rule(
            "exec-in-shop",
            "  mode: [runtime]\n  alert: exec\n  actions: [{type: revoke-sa-token, on: [runtime]}]\n",
        ),
    );
    // No kubelet answers; that the exec was asked for is what counts.
    let refused = up.kubectl(EXEC).fails(1);
    assert!(refused.contains("error dialing backend"), "{refused}");
    up.counts(r#"portal_runtime_events_total{class="exec",result="violation"} 1"#);
    up.counts(r#"portal_actions_total{action="revoke-sa-token",result="ok"} 1"#);
    assert_eq!(up.kubectl("get secrets -n shop -o name").ok(), "");
    let alert = alertmanager.settles(|it| it.len() == 1).remove(0);
    assert_eq!((&alert["labels"]["mode"], &alert["labels"]["name"]), (&"runtime".into(), &"web".into()));
    assert_eq!(alert["annotations"]["operation"], "exec");
    // Both sources told of it, and the client may have asked twice: one decision, under the audit's id.
    let records: Vec<Value> = serde_json::from_str(&up.kanon(&["log", "show", "-o", "json"]).ok()).expect("JSON");
    let decisions: Vec<_> = records.iter().filter(|it| it.to_string().contains(r#""occasion":"runtime""#)).collect();
    assert_eq!(decisions.len(), 1, "{decisions:#?}");
    let text = decisions[0].to_string();
    assert!(text.contains(r#""user":"kubernetes-admin""#) && text.contains(r#""operation":"exec""#), "{text}");
    let source = alert["annotations"]["source"].as_str().expect("an id").to_owned();
    assert!(text.contains(&format!(r#""event":"{source}""#)), "{text}");
    let id = decisions[0]["id"].as_str().expect("an id");
    let explained = up.kanon(&["explain", &format!("decision/{id}")]).ok();
    for want in ["exec-in-shop", "kubernetes-admin", "RuleViolated", &source, "request.subresource"] {
        assert!(explained.contains(want), "no {want} in\n{explained}");
    }
    assert_eq!(up.kubectl("get pcr exec-in-shop -o jsonpath={.status.activeOn}").ok(), r#"["runtime"]"#);
    let explained = up.kanon(&["explain", "rule/exec-in-shop"]).ok();
    assert!(explained.contains("is in force on runtime"), "{explained}");
}

#[test]
fn what_happened_just_before_the_end_is_told() {
    let alertmanager = Alertmanager::start();
    let up = up(&["--alertmanager-url", &alertmanager.url()]);
    enforce(&up, &rule("exec-in-shop", "  mode: [runtime]\n  alert: exec\n"));
    up.kubectl(EXEC).fails(1);
    let (code, scratch) = up.stop();
    assert_eq!(code, Some(0));
    assert_eq!(alertmanager.firing().len(), 1);
    let data = scratch.path().join("data");
    let log = kanon().args(["log", "show", "-o", "json", "--data-dir"]).arg(data).output().expect("kanon runs");
    let records: Vec<Value> = serde_json::from_slice(&log.stdout).expect("JSON");
    let decisions = records.iter().filter(|it| it.to_string().contains(r#""occasion":"runtime""#)).count();
    assert_eq!(decisions, 1, "{records:#?}");
}

#[test]
fn a_rule_of_both_modes_blocks_the_exec() {
    let up = up(&[]);
    enforce(&up, &rule("reports", "  mode: [runtime]\n  enforcementAction: deny\n"));
    assert!(up.kubectl(EXEC).fails(1).contains("error dialing backend"));
    up.counts(r#"portal_runtime_events_total{class="exec",result="violation"} 1"#);
    let blocks = "  mode: [admission, runtime]\n  enforcementAction: deny\n  runtime: {events: [exec]}\n  \
                  message: '{{ request.userInfo.username }} must not run {{ request.object.command }} in {{ container.name }}'\n";
    up.kubectl_with("apply -f -", &rule("blocks", blocks)).ok();
    let hooks = "get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[?(@.failurePolicy=='Fail')].rules[*].resources}";
    up.settles(hooks, |it| it.contains("pods/exec"));
    let refused = up.kubectl("exec -n shop web -c app -- sh").fails(1);
    let want = r#"blocks: kubernetes-admin must not run ["sh"] in app"#;
    assert!(refused.contains("admission.kanon.dev") && refused.contains(want), "{refused}");
    // Other pods, other namespaces and other ways in are not concerned.
    let attach = up.kubectl("attach -n shop web -c app").fails(1);
    assert!(attach.contains("error dialing backend"), "{attach}");
    up.kubectl("create namespace pay").ok();
    assert!(up.kubectl("exec -n pay web -- sh").fails(1).contains("not found"));
    // What was blocked is an event for those who want to hear of refusals.
    let refusals = "  mode: [runtime]\n  runtime: {events: [exec], includeDenied: true}\n";
    up.kubectl_with("apply -f -", &rule("refusals", refusals)).ok();
    up.settles("get pcr refusals -o jsonpath={.status.activeOn}", |it| it.contains("runtime"));
    up.kubectl("exec -n shop web -c app -- id").fails(1);
    let log = || up.kanon(&["log", "show", "-o", "json"]).ok();
    let begun = std::time::Instant::now();
    while !log().contains(r#""name":"refusals""#) && !log().contains(r#""name": "refusals""#) {
        assert!(begun.elapsed() < crate::harness::PATIENCE, "{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn secrets_that_are_read_and_rights_that_change_are_events() {
    let up = up(&[]);
    let about = |name: &str, group: &str, kind: &str, class: &str| {
        format!(
            "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n  name: {name}\n  \
             enabled: true\n  mode: [runtime]\n  match: {{gvk: [{{group: '{group}', version: v1, kind: {kind}}}]}}\n  \
             runtime: {{events: [{class}]}}\n  rule: metadata.namespace == 'shop'\n"
        )
    };
    let rules = [
        about("reads", "", "Secret", "secret-read"),
        about("rights", "rbac.authorization.k8s.io", "Role", "rbac-change"),
        about("tokens", "", "ServiceAccount", "token-request"),
    ];
    up.kubectl_with("apply -f -", &rules.concat()).ok();
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        it.contains("serviceaccounts/token")
    });
    up.kubectl("get secret token -n shop").ok();
    up.kubectl("create role r -n shop --verb=get --resource=pods").ok();
    up.kubectl("create token robot -n shop").ok();
    for class in ["secret-read", "rbac-change", "token-request"] {
        up.counts(&format!(r#"portal_runtime_events_total{{class="{class}",result="violation"}} 1"#));
    }
    let log = up.kanon(&["log", "show", "--last", "0", "-o", "json"]).ok();
    for class in ["secret-read", "rbac-change", "token-request"] {
        assert!(log.contains(class), "no {class} in {log}");
    }
}

/// An exec into a pod that this cluster does not have, as another one tells of it.
fn event(id: &str, stage: &str) -> Value {
    json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": id, "stage": stage,
        "requestURI": "/api/v1/namespaces/shop/pods/far/exec?command=sh", "verb": "create", "user": {"username": "eve"},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "far", "apiVersion": "v1", "subresource": "exec"},
        "responseStatus": {"code": 101}, "requestReceivedTimestamp": format!("2026-11-21T09:00:{id}.000000Z"),
        "stageTimestamp": "2026-11-21T09:00:00.000000Z"})
}

/// The address after `audit events at` in what the process told.
fn audit_url(up: &Up) -> String {
    let told = std::fs::read_to_string(up.scratch.path().join("stdout")).expect("what it told");
    told.split_once("audit events at ").and_then(|it| it.1.split(';').next()).expect("an address").to_owned()
}

#[test]
fn another_process_posts_its_audit_with_a_token() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let token = file(folder.path(), "token", "s3cret-token\n");
    let up = up(&["--audit-listen", "127.0.0.1:0", "--audit-token-file", &token]);
    enforce(&up, &rule("exec-in-shop", "  mode: [runtime]\n"));
    let url = audit_url(&up);
    let ca = up.dir.join("webhook-ca/ca.crt");
    // What is posted by hand, well or badly.
    let post = poster(&url, &ca);
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1",
        "items": [event("10", "RequestReceived"), event("10", "ResponseStarted"), event("10", "ResponseComplete"), {"a": 1}]});
    assert_eq!(post("Bearer wrong", &list.to_string()), 401);
    assert_eq!(post("", &list.to_string()), 401);
    for hostile in
        ["", "{", "[]", "\u{0}", r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v2"}"#, &"[".repeat(200_000)]
    {
        assert_eq!(post("Bearer s3cret-token", hostile), 400, "{hostile:.40}");
    }
    assert_eq!(post("Bearer s3cret-token", &list.to_string()), 200);
    up.counts(r#"portal_runtime_events_total{class="exec",result="violation"} 1"#);
    up.counts(r#"portal_runtime_events_total{class="exec",result="duplicate"} 1"#);
    up.counts(r#"portal_runtime_events_total{class="*",result="error"} 1"#);
    assert_eq!(post("Bearer s3cret-token", &event("20", "ResponseStarted").to_string()), 200);
    up.counts(r#"portal_runtime_events_total{class="exec",result="violation"} 2"#);
    // A real API server in a process of its own.
    let policy = file(
        folder.path(),
        "policy.yaml",
        "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: Metadata, resources: [{group: '', resources: [pods/exec]}]}]}",
    );
    let webhook = file(
        folder.path(),
        "webhook.yaml",
        &format!(
            "{{apiVersion: v1, kind: Config, current-context: c, clusters: [{{name: c, cluster: {{server: '{url}', \
             certificate-authority: {}}}}}], users: [{{name: u, user: {{token: s3cret-token}}}}], contexts: [{{name: c, context: \
             {{cluster: c, user: u}}}}]}}",
            ca.display()
        ),
    );
    let flags = [
        "--audit-policy-file",
        &policy,
        "--audit-webhook-config-file",
        &webhook,
        "--audit-webhook-batch-max-wait",
        "100ms",
    ];
    let other = Up::start_with(tempfile::tempdir().expect("a scratch folder"), &flags);
    other.kubectl("create namespace shop").ok();
    let pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: there, namespace: shop}, spec: {nodeName: n2, containers: [{name: a, image: a}]}}";
    other.kubectl_with("apply -f -", pod).ok();
    // It fails there, so that it counts for those who want to hear of failures.
    let failures = "  mode: [runtime]\n  runtime: {includeDenied: true}\n";
    enforce(&up, &rule("failures", failures));
    up.settles("get pcr failures -o jsonpath={.status.activeOn}", |it| it.contains("runtime"));
    other.kubectl("exec -n shop there -- sh").fails(1);
    up.counts(r#"portal_runtime_events_total{class="exec",result="violation"} 3"#);
}

/// Posts bodies; gives the answer's status.
fn poster(url: &str, ca: &Path) -> impl Fn(&str, &str) -> u16 + use<> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let pem = std::fs::read_to_string(ca).expect("the authority");
    let client = HttpsClient::new(tls_client_config(&Trust::Bundle(pem), None).expect("settings"), None);
    let (url, runtime) = (url.to_owned(), Arc::new(runtime));
    move |authorization, body| {
        let mut request = Request::post(&url);
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Full::new(body.to_owned().into())).expect("a request");
        let answer = runtime.block_on(client.call(request, Duration::from_secs(30), 1 << 20));
        answer.expect("an answer").status().as_u16()
    }
}

#[test]
fn a_log_is_followed_over_its_rotation() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let path = file(folder.path(), "audit.log", &format!("{}\n", event("10", "ResponseStarted")));
    let log = |name: &str| folder.path().join(name);
    let write = |text: &str| {
        let mut file = std::fs::File::options().create(true).append(true).open(log("audit.log")).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    };
    let up = up(&["--audit-log-file", &path]);
    enforce(&up, &rule("exec-in-shop", "  mode: [runtime]\n"));
    let seen =
        |count: u32| up.counts(&format!(r#"portal_runtime_events_total{{class="exec",result="violation"}} {count}"#));
    // What stood there before the first start is over.
    write(&format!("{}\nno json\n", event("20", "ResponseStarted")));
    seen(1);
    up.counts(r#"portal_runtime_events_total{class="*",result="error"} 1"#);
    write(&format!("{}\n", event("30", "ResponseStarted")));
    std::fs::rename(log("audit.log"), log("audit-2026.log")).expect("put aside");
    write(&format!("{}\n", event("40", "ResponseComplete")));
    seen(3);
    // What is written while nobody is here is read at the next start.
    let (_, scratch) = up.stop();
    write(&format!("{}\n", event("50", "ResponseStarted")));
    let up = Up::start_with(scratch, &["--runtime", "--audit-log-file", &path]);
    up.counts(r#"portal_runtime_events_total{class="exec",result="violation"} 1"#);
}

#[test]
fn the_rules_of_the_document_are_in_force() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/runtime.md");
    let text = std::fs::read_to_string(document).expect("the document");
    let rules: Vec<_> = text.split("```yaml\n").skip(1).filter_map(|it| it.split("```").next()).collect();
    let rules: Vec<_> = rules.into_iter().filter(|it| it.contains("kind: PortalClusterRule")).collect();
    assert!(rules.len() >= 3, "the document lost its examples");
    // Nobody listens there, and nobody has to.
    let up = up(&["--alertmanager-url", "http://127.0.0.1:9/api/v2/alerts"]);
    for rule in rules {
        up.kubectl_with("apply -f -", rule).ok();
    }
    let ready = "get pcr -o jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}";
    up.settles(ready, |it| it.split_whitespace().count() >= 3 && it.split_whitespace().all(|it| it == "True"));
    let compiled = "get pcr -o jsonpath={.items[*].status.conditions[?(@.type=='Compiled')].message}";
    let said = up.kubectl(compiled).ok();
    assert!(said.replace("the expression compiles", "").trim().is_empty(), "{said}");
}

#[test]
fn flags_that_let_anybody_in_are_refused() {
    let kanon = |args: &[&str]| {
        let output = crate::harness::kanon().args(args).output().expect("it runs");
        crate::harness::Ran::of(output).fails(2)
    };
    let said = kanon(&["up", "--ephemeral", "--runtime", "--audit-listen", "127.0.0.1:0"]);
    assert!(said.contains("--audit-token-file"), "{said}");
    assert!(kanon(&["up", "--audit-log-file", "x"]).contains("--runtime"));
    assert!(kanon(&["up", "--runtime", "--runtime-ignore-user", "a*b"]).contains("is no pattern"));
}
