//! A process whose account has rights in one namespace alone: there it does all that it does elsewhere, and of other namespaces it reads
//! nothing and touches nothing. The rights are those that `portal rbac` gives with the same flags.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Running,
    account::{Site, Told},
    portal, settles,
};
use crate::harness::{Ran, feed, file, http_get};

const FLAGS: [&str; 4] = ["--audit", "--watch-namespace=shop", "--install-namespace=shop", "--fail-closed=false"];

/// Rules of a namespace; the last one looks up what is in no namespace.
fn rules(namespace: &str) -> Vec<Value> {
    let rule = |name: &str, kind: &str, rule: &str, more: Value| {
        let group = if kind == "Service" { "" } else { "apps" };
        let mut spec = json!({"name": name, "enabled": true, "severity": "high", "mode": ["admission", "audit"],
            "enforcementAction": "deny", "match": {"gvk": [{"group": group, "version": "v1", "kind": kind}]}, "rule": rule});
        for (key, value) in more.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalRule", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
    };
    let actions = json!([{"type": "label", "params": {"key": "team", "value": "none"}, "on": ["audit"]}]);
    let in_shops = json!({"gvk": [{"group": "", "version": "v1", "kind": "Service"}],
        "namespaceSelector": {"matchLabels": {"tier": "shop"}}});
    vec![
        rule("no-bad", "Deployment", "object.metadata.name == 'bad'", json!({"actions": actions})),
        rule(
            "budget",
            "StatefulSet",
            "not cluster.poddisruptionbudgets.exists(metadata.namespace, metadata.name)",
            json!({"mode": ["audit"]}),
        ),
        rule("of-shops", "Service", "true", json!({"match": in_shops, "mode": ["audit"]})),
        rule("nodes", "Deployment", "len(cluster.nodes.list('')) == 0", json!({})),
    ]
}

fn objects(namespace: &str) -> [Value; 3] {
    let workload = |kind: &str, name: &str| {
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": {
            "serviceName": "x", "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "x"}]}}}})
    };
    let mut deployment = workload("Deployment", "bad");
    deployment["spec"].as_object_mut().expect("a map").remove("serviceName");
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": namespace},
        "spec": {"ports": [{"port": 80}]}});
    [deployment, workload("StatefulSet", "db"), service]
}

fn list(items: Vec<Value>) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

struct Cluster {
    site: Site,
    /// The account's Role.
    role: Value,
}

impl Cluster {
    /// Of what the command prints, `keep` leaves some out.
    async fn start(keep: impl Fn(&Value) -> bool) -> Cluster {
        let site = Site::audited().await;
        let mut install = portal(site.scratch.path());
        install.arg("install-crds").arg(format!("--kubeconfig={}", site.path("admin").display()));
        Ran::of(install.output().expect("it runs")).ok();
        site.kubectl("create namespace other").ok();
        site.kubectl("label namespace shop other tier=shop").ok();

        let inputs = rules("shop").iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n");
        let inputs = file(site.scratch.path(), "rules.yaml", &inputs);
        let mut command = portal(site.scratch.path());
        let ran = Ran::of(command.args(["rbac", "-r", &inputs]).args(FLAGS).output().expect("it runs"));
        // A rule that can never be in force here is named.
        assert!(ran.err.contains("rule `nodes`") && ran.err.contains("cluster.nodes"), "{}", ran.err);
        let documents: Vec<Value> = serde_saphyr::from_multiple(&ran.out).expect("YAML");
        let kinds: Vec<_> = documents.iter().map(|it| (&it["kind"], &it["metadata"]["namespace"])).collect();
        let shop = json!("shop");
        let [account, role, binding] = ["ServiceAccount", "Role", "RoleBinding"].map(|it| json!(it));
        assert_eq!((kinds, ran.code), (vec![(&account, &shop), (&role, &shop), (&binding, &shop)], Some(3)));
        let mut documents = documents;
        documents[1]["rules"].as_array_mut().expect("rules").retain(keep);
        let role = documents[1].clone();
        feed(&mut site.kubectl_command("apply -f -"), &list(documents)).ok();
        let everything = ["shop", "other"].into_iter().flat_map(|it| objects(it).into_iter().chain(rules(it)));
        feed(&mut site.kubectl_command("apply -f -"), &list(everything.collect())).ok();
        // Nobody reads rules of the cluster here.
        let mut of_cluster = rules("shop").swap_remove(0);
        of_cluster["kind"] = json!("PortalClusterRule");
        of_cluster["metadata"] = json!({"name": "no-bad"});
        feed(&mut site.kubectl_command("apply -f -"), &of_cluster.to_string()).ok();
        site.log_in("shop");
        Cluster { site, role }
    }

    fn run(&self) -> Running {
        let mut command = portal(self.site.scratch.path());
        command.arg("run").args(FLAGS).args(["--listen=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"]);
        self.site.as_account(&mut command);
        Running::start(self.site.scratch.path(), "replica", &mut command)
    }

    /// What an administrator installs: without a selector, so that it shows what becomes of requests about other namespaces.
    fn register(&self, running: &mut Running) {
        use base64::Engine as _;
        let authority = std::fs::read(self.site.path("certs").join("ca.crt")).expect("an authority");
        let port = running.address("webhook").rsplit_once(':').expect("a port").1.to_owned();
        let hook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "portal"}, "webhooks": [{"name": "validate.portal.io", "failurePolicy": "Fail",
            "clientConfig": {"url": format!("https://localhost:{port}/validate"),
                "caBundle": base64::engine::general_purpose::STANDARD.encode(authority)},
            "sideEffects": "NoneOnDryRun", "admissionReviewVersions": ["v1"], "rules": [{"apiGroups": ["apps"],
                "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["CREATE", "UPDATE", "DELETE"]}]}]});
        feed(&mut self.site.kubectl_command("apply -f -"), &hook.to_string()).ok();
    }

    async fn condition(&self, rule: &str, kind: &str, want: &str) {
        let path = format!("{{.status.conditions[?(@.type==\"{kind}\")].reason}}");
        self.site.shows(&format!("get portalrule {rule} -n shop -o jsonpath={path}"), want).await;
    }

    fn recreate(&self, namespace: &str) -> Ran {
        self.site.kubectl(&format!("delete deployment bad -n {namespace} --ignore-not-found")).ok();
        feed(&mut self.site.kubectl_command("create -f -"), &objects(namespace)[0].to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_rights_in_one_namespace_all_is_done_there_and_nothing_elsewhere() {
    let cluster = Cluster::start(|_| true).await;
    let site = &cluster.site;
    let mut told = Told::of(site);
    let mut running = cluster.run();
    site.shows("get deployment bad -n shop -o jsonpath={.metadata.labels}", "none").await;
    site.shows("get policyreport portal -n shop -o jsonpath={.results[*].rule}", "of-shops").await;
    site.shows("get policyreport portal -n shop -o jsonpath={.summary.fail}", "3").await;
    let mut broken = rules("shop").swap_remove(0);
    (broken["metadata"]["name"], broken["spec"]["rule"]) = (json!("broken"), json!("1 +"));
    feed(&mut site.kubectl_command("apply -f -"), &broken.to_string()).ok();
    site.shows("get events -n shop -o jsonpath={.items[*].reason}", "ParseError").await;
    site.shows("get lease portal-leader -n shop -o jsonpath={.spec.holderIdentity}", "replica_").await;
    cluster.condition("no-bad", "Ready", "Active").await;
    cluster.condition("budget", "LookupsSynced", "Synced").await;
    cluster.condition("nodes", "Ready", "OutOfReach").await;

    cluster.register(&mut running);
    let denied = cluster.recreate("shop").fails(1);
    assert!(denied.contains("no-bad: rule violated"), "{denied}");
    cluster.recreate("other").ok();
    // The namespace is read again and again: what stands there counts.
    site.kubectl("annotate namespace shop portal.io/bypass=true").ok();
    settles("the bypass", async || (cluster.recreate("shop").code == Some(0)).then_some(())).await;

    // Nothing of other namespaces was looked at or changed, nor the rules of the cluster.
    for what in ["deployment bad", "statefulset db", "service a"] {
        let found = site.kubectl(&format!("get {what} -n other -o jsonpath={{.metadata.labels}}")).ok();
        assert_eq!(found, "");
    }
    assert_eq!(site.kubectl("get policyreports -n other -o name").ok(), "");
    for rule in ["portalrule no-bad -n other", "portalclusterrule no-bad"] {
        assert_eq!(site.kubectl(&format!("get {rule} -o jsonpath={{.status}}")).ok(), "");
    }
    let metrics = http_get(&running.address("metrics"), "/metrics").expect("metrics");
    assert!(!metrics.contains("namespace=\"other\""), "{metrics}");
    assert_eq!(running.stop(), Some(0));

    let (mut refused, mut strangers, mut used) = (Vec::new(), Vec::new(), BTreeSet::new());
    for event in told.all(site).await {
        if event["user"]["username"] != "system:serviceaccount:shop:portal" {
            continue;
        }
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let reference = &event["objectRef"];
        if event["responseStatus"]["code"] == 403 {
            refused.push(event.to_string());
        }
        // Who he is, and what is served, anybody may ask.
        let is_about_itself = reference.is_null() || reference["resource"] == "selfsubjectreviews";
        if !is_about_itself && reference["namespace"] != "shop" {
            strangers.push(event.to_string());
        }
        let part = text(&reference["subresource"]);
        let slash = if part.is_empty() { "" } else { "/" };
        used.insert((text(&event["verb"]), format!("{}{slash}{part}", text(&reference["resource"]))));
    }
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(strangers.is_empty(), "{strangers:#?}");
    let mut unused = Vec::new();
    for line in cluster.role["rules"].as_array().expect("rules") {
        let resource = line["resources"][0].as_str().expect("a resource");
        for verb in line["verbs"].as_array().expect("verbs").iter().filter_map(Value::as_str) {
            if !used.contains(&(verb.to_owned(), resource.to_owned())) {
                unused.push(format!("{verb} {resource}"));
            }
        }
    }
    // `create` is what applying something new asks for besides.
    assert_eq!(unused, ["patch ruleexceptions/status", "create policyreports"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_its_namespace_may_not_be_read_nothing_is_known_of_it_and_the_rest_goes_on() {
    let cluster = Cluster::start(|line| line["resources"][0] != "namespaces").await;
    let mut running = cluster.run();
    running.logged("an object may not be read: nothing is known of it");
    let metrics = running.address("metrics");
    http_get(&metrics, "/readyz").expect("ready");
    // Its labels count as none.
    cluster.site.shows("get policyreport portal -n shop -o jsonpath={.summary.fail}", "2").await;
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn what_needs_rights_in_the_whole_cluster_is_refused() {
    let scratch = tempfile::tempdir().expect("a folder");
    for flag in ["--network", "--author-check", "--webhook-config=portal", "--allow-action=cordon"] {
        let mut command = portal(scratch.path());
        let error = Ran::of(command.args(["run", "--watch-namespace=shop", flag]).output().expect("it runs")).fails(1);
        assert!(error.contains("cannot be with --watch-namespace"), "{error}");
    }
    // An empty variable must not become the whole cluster.
    for (flag, problem) in [
        ("--watch-namespace=../x", "is no name of a namespace"),
        ("--watch-namespace=", "name a namespace, or leave the flag out"),
        ("--watch-namespace=shop,", "name a namespace, or leave the flag out"),
    ] {
        let mut command = portal(scratch.path());
        let error = Ran::of(command.args(["run", flag]).output().expect("it runs")).fails(1);
        assert!(error.contains(problem), "{flag}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_installs_the_configuration_that_is_printed() {
    let site = Site::audited().await;
    let inputs = rules("shop").iter().take(3).map(Value::to_string).collect::<Vec<_>>().join("\n---\n");
    let inputs = file(site.scratch.path(), "rules.yaml", &inputs);
    let print = |more: &[&str]| {
        let mut command = portal(site.scratch.path());
        Ran::of(command.args(["webhook", "-r", &inputs, "--service=hook"]).args(more).output().expect("it runs")).ok()
    };
    feed(&mut site.kubectl_command("apply -f -"), &print(&FLAGS)).ok();
    let installed = site.kubectl("get validatingwebhookconfiguration portal -o json").ok();
    let installed: Value = serde_json::from_str(&installed).expect("JSON");
    let hooks = installed["webhooks"].as_array().expect("entries");
    let [hook] = &hooks[..] else { panic!("{installed}") };
    let selector = json!([{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop"]}]);
    assert_eq!(hook["namespaceSelector"]["matchExpressions"], selector);
    assert_eq!((&hook["failurePolicy"], &hook["rules"][0]["resources"]), (&json!("Ignore"), &json!(["deployments"])));
    let service = json!({"namespace": "shop", "name": "hook", "path": "/validate", "port": 443});
    assert_eq!(hook["clientConfig"]["service"], service);
    // What the administrator runs next tells the API server whom to trust.
    let mut certificates = portal(site.scratch.path());
    certificates.args(["init-certs", "--namespace=shop", "--secret=portal-webhook-tls", "--service=hook"]);
    certificates.arg(format!("--kubeconfig={}", site.path("admin").display()));
    certificates.arg(format!("--cert-dir={}", site.path("certs").display()));
    Ran::of(certificates.output().expect("it runs")).ok();
    site.shows("get validatingwebhookconfiguration portal -o jsonpath={.webhooks[0].clientConfig.caBundle}", "LS0t")
        .await;

    // Without namespaces all are asked about but the system's.
    let whole: Value = serde_saphyr::from_str(&print(&["--audit"])).expect("YAML");
    let selector = &whole["webhooks"][0]["namespaceSelector"]["matchExpressions"][0];
    assert_eq!((&selector["operator"], &whole["webhooks"][0]["failurePolicy"]), (&json!("NotIn"), &json!("Fail")));
}
