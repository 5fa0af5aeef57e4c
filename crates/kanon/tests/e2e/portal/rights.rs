//! The rights that `portal rbac` gives are those that `portal run` needs with the same flags and rules: nothing is refused, and there is
//! nothing to spare. Where one is missing, what wants it degrades, and all else goes on.

use std::process::Command;

use serde_json::{Value, json};

use super::{
    Running,
    account::{Site, Told},
    portal, settles,
};
use crate::harness::{Ran, feed, file, http_get};

const RULES: &str = r#"
- name: no-latest
  enabled: true
  severity: high
  mode: [admission, audit]
  enforcementAction: deny
  match: {gvk: [{group: apps, version: v1, kind: Deployment}]}
  rule: object.metadata.name == 'bad'
  actions: [{type: label, params: {key: team, value: none}, on: [audit]}, {type: event}]
- name: budget
  enabled: true
  mode: [audit]
  match: {gvk: [{group: apps, version: v1, kind: StatefulSet}]}
  rule: not cluster.poddisruptionbudgets.exists(metadata.namespace, metadata.name)
- name: plain
  enabled: true
  mode: [audit]
  match: {gvk: [{group: "", version: v1, kind: Service}]}
  rule: metadata.name == 'bad'
  actions: [{type: evict, on: [network]}]
- name: renews
  enabled: true
  mode: [audit]
  match: {gvk: [{group: "", version: v1, kind: Pod}]}
  rule: metadata.name == 'bad'
  actions: [{type: revoke-sa-token, params: {strategy: recreate-sa}}]
"#;

const FLAGS: [&str; 4] = ["--audit", "--webhook-config=portal", "--rules-cr", "--allow-action=recreate-sa"];

const OBJECTS: &str = r#"
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: bad, namespace: shop},
  spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: shop},
  spec: {serviceName: db, selector: {matchLabels: {a: c}}, template: {metadata: {labels: {a: c}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: bad, namespace: shop}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: shop}}
---
{apiVersion: v1, kind: Pod, metadata: {name: bad, namespace: shop}, spec: {serviceAccountName: robot, containers: [{name: c, image: x}]}}
"#;

/// A cluster with objects that violate rules, and an account with what the command prints.
struct Cluster(Site);

impl Cluster {
    /// Of what the command prints, `keep` leaves some out.
    async fn start(keep: impl Fn(&Value) -> bool) -> Cluster {
        let site = Site::audited().await;
        let hooks = "---\n{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: portal},
            webhooks: [{name: validate.portal.io, clientConfig: {url: 'https://localhost:1/validate'}, failurePolicy: Ignore,
            sideEffects: None, admissionReviewVersions: [v1], rules: []}]}";
        feed(&mut site.kubectl_command("apply -f -"), hooks).ok();
        let rules = file(site.scratch.path(), "rules.yaml", RULES);
        let mut command = portal(site.scratch.path());
        let printed = Ran::of(command.args(["rbac", "-r", &rules]).args(FLAGS).output().expect("it runs")).ok();
        assert!(!printed.contains("secrets"), "{printed}");
        assert!(printed.contains("# action label of rule no-latest"), "{printed}");
        let documents: Vec<Value> = serde_saphyr::from_multiple(&printed).expect("YAML");
        let documents = documents.into_iter().map(|mut it| {
            if let Some(rules) = it["rules"].as_array_mut() {
                rules.retain(&keep);
            }
            it
        });
        let list = json!({"apiVersion": "v1", "kind": "List", "items": documents.collect::<Vec<_>>()});
        feed(&mut site.kubectl_command("apply -f -"), &list.to_string()).ok();
        feed(&mut site.kubectl_command("apply -f -"), OBJECTS).ok();
        site.log_in("portal-system");
        Cluster(site)
    }

    /// The process with the account's rights; its rules are objects.
    fn run(&self) -> Running {
        let mut command = portal(self.0.scratch.path());
        command.arg("run").args(FLAGS).args(["--listen=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"]);
        self.0.as_account(&mut command);
        let running = Running::start(self.0.scratch.path(), "replica", &mut command);
        let rules: Vec<Value> = serde_saphyr::from_str(RULES).expect("rules");
        let rules = rules.into_iter().map(|spec| {
            json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule", "metadata": {"name": spec["name"]}, "spec": spec})
        });
        let list = json!({"apiVersion": "v1", "kind": "List", "items": rules.collect::<Vec<_>>()});
        feed(&mut self.0.kubectl_command("apply -f -"), &list.to_string()).ok();
        running
    }

    async fn condition(&self, rule: &str, kind: &str, want: &str) {
        let path = format!("{{.status.conditions[?(@.type==\"{kind}\")].reason}}");
        self.0.shows(&format!("get pcr {rule} -o jsonpath={path}"), want).await;
    }
}

async fn counts(running: &mut Running, line: &str) {
    let metrics = running.address("metrics");
    settles(line, async || http_get(&metrics, "/metrics").ok().filter(|it| it.lines().any(|it| it.starts_with(line))))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_are_enough_and_every_one_of_them_is_used() {
    let cluster = Cluster::start(|_| true).await;
    let mut told = Told::of(&cluster.0);
    let mut running = cluster.run();
    // Every loop has come to its end: labelled, told, reported, registered.
    cluster.0.shows("get deployment bad -n shop -o jsonpath={.metadata.labels}", "none").await;
    cluster.0.shows("get events -n shop -o jsonpath={.items[*].reason}", "PolicyViolation").await;
    cluster.0.shows("get policyreport portal -n shop -o jsonpath={.summary.fail}", "4").await;
    cluster.0.shows("get validatingwebhookconfiguration portal -o jsonpath={.webhooks[0].rules}", "deployments").await;
    cluster.condition("budget", "LookupsSynced", "Synced").await;
    counts(&mut running, "portal_actions_total{action=\"label\",result=\"ok\"} 1").await;
    counts(&mut running, "portal_actions_total{action=\"revoke-sa-token\",result=\"ok\"} 1").await;
    cluster.condition("no-latest", "ActionsReady", "NothingDenied").await;
    assert_eq!(running.stop(), Some(0));

    let (mut refused, mut used) = (Vec::new(), std::collections::BTreeSet::new());
    for event in told.all(&cluster.0).await {
        let user = event["user"]["username"].as_str().unwrap_or_default();
        let reference = &event["objectRef"];
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        if user == "system:serviceaccount:portal-system:portal" {
            if event["responseStatus"]["code"] == 403 {
                refused.push(event.to_string());
            }
            let part = text(&reference["subresource"]);
            let slash = if part.is_empty() { "" } else { "/" };
            used.insert((text(&event["verb"]), format!("{}{slash}{part}", text(&reference["resource"]))));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    // Nothing to spare: but for what only happens now and then, every right was used.
    let role = |line: &str| {
        let role: Value = serde_json::from_str(&cluster.0.kubectl(line).ok()).expect("JSON");
        role["rules"].as_array().expect("rules").clone()
    };
    let lines = [role("get clusterrole portal -o json"), role("get role portal -n portal-system -o json")].concat();
    let each = |it: &Value| {
        let resource = it["resources"][0].as_str().expect("a resource").to_owned();
        let verbs = it["verbs"].as_array().expect("verbs").clone();
        verbs
            .into_iter()
            .map(move |verb| (verb.as_str().expect("a verb").to_owned(), resource.clone()))
            .collect::<Vec<_>>()
    };
    let unused: Vec<_> =
        lines.iter().flat_map(each).filter(|it| !used.contains(it)).map(|it| format!("{} {}", it.0, it.1)).collect();
    // `create` is what applying something new asks for besides; an account is patched where the cluster makes it itself.
    let want = [
        "patch serviceaccounts",
        "create customresourcedefinitions",
        "patch clusterruleexceptions/status",
        "patch portalrules/status",
        "patch ruleexceptions/status",
        "create clusterpolicyreports",
        "patch clusterpolicyreports",
        "create policyreports",
    ];
    assert_eq!(unused, want);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_what_wants_it_degrades_and_the_rest_goes_on() {
    let cluster = Cluster::start(|line| {
        let is = |resource: &str| line["resources"][0] == resource;
        let may_patch = line["verbs"].as_array().is_some_and(|it| it.contains(&json!("patch")));
        let lost = is("poddisruptionbudgets")
            || is("policyreports")
            || is("clusterpolicyreports")
            || is("configmaps")
            || is("events")
            || is("validatingwebhookconfigurations")
            || is("customresourcedefinitions")
            || (is("deployments") && may_patch);
        !lost
    })
    .await;
    let definitions = Command::new(env!("CARGO_BIN_EXE_kanon"))
        .args(["portal", "install-crds", &format!("--kubeconfig={}", cluster.0.path("admin").display())])
        .output();
    Ran::of(definitions.expect("it runs")).ok();
    let mut running = cluster.run();
    // One rule cannot be asked, one cannot be asked at all, the third works.
    cluster.condition("budget", "LookupsSynced", "NotListed").await;
    cluster.condition("no-latest", "Evaluating", "KindNotWatched").await;
    counts(&mut running, "portal_open_findings{rule=\"plain\",severity=\"\",namespace=\"shop\"} 1").await;
    cluster.condition("plain", "Evaluating", "Evaluated").await;
    running.logged("the webhook configuration does not follow the rules, trying again");
    let metrics = running.address("metrics");
    http_get(&metrics, "/readyz").expect("ready");
    // What is given later counts.
    let mut role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "more"}, "rules": [
        {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list", "watch"]}]});
    feed(&mut cluster.0.kubectl_command("apply -f -"), &role.to_string()).ok();
    cluster.0.kubectl("create clusterrolebinding more --clusterrole=more --serviceaccount=portal-system:portal").ok();
    cluster.condition("budget", "LookupsSynced", "Synced").await;
    // It may be looked at now, and not be labelled.
    counts(&mut running, "portal_actions_total{action=\"label\",result=\"error\"} 1").await;
    cluster.condition("no-latest", "ActionsReady", "MissingRight").await;
    let message = "get pcr no-latest -o jsonpath={.status.conditions[?(@.type==\"ActionsReady\")].message}";
    let message = cluster.0.kubectl(message).ok();
    assert!(
        message.contains("action `label` needs the right to patch `deployments.apps` in namespace `shop`"),
        "{message}"
    );
    // The next one that may be labelled says that all is well again.
    role["rules"] = json!([{"apiGroups": ["", "apps"], "resources": ["events", "deployments"], "verbs": ["create", "patch", "list", "watch"]}]);
    feed(&mut cluster.0.kubectl_command("apply -f -"), &role.to_string()).ok();
    cluster.0.kubectl("delete deployment bad -n shop").ok();
    feed(&mut cluster.0.kubectl_command("apply -f -"), OBJECTS).ok();
    cluster.condition("no-latest", "ActionsReady", "NothingDenied").await;
    assert_eq!(running.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_lease_admission_goes_on_and_nobody_leads() {
    let cluster = Cluster::start(|line| line["resources"][0] != "leases").await;
    let mut running = cluster.run();
    running.logged("lease could not be read or written");
    let metrics = running.address("metrics");
    http_get(&metrics, "/readyz").expect("ready");
    assert_eq!(running.stop(), Some(0));
}
