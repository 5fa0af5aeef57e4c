//! The original's command: the binary, linked as `portal`, against an API server that is not its own, with the arguments and
//! objects that the original's chart gives it.

mod account;
mod budget;
mod manifests;
mod offline;
mod places;
mod rights;
mod within;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use kanon_apiserver::TestServer;
use kanon_core::{Node, Object};
use kanon_kube::{Api, Source};
use kanon_net::{Authority, CERTIFICATE, Material, Validity, read_leaf};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{PATIENCE, Ran, http_get};

const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const SECRETS: &str = "/api/v1/namespaces/portal-system/secrets";

/// The binary by the original's name.
fn portal(scratch: &Path) -> Command {
    let link = scratch.join("portal");
    if !link.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kanon"), &link).expect("a link");
    }
    let mut command = Command::new(link);
    command.env_remove("KUBECONFIG").env_remove("KANON_DATA_DIR").env("HOME", scratch).stdin(Stdio::null());
    command
}

/// A cluster as the chart leaves it before the first pod starts.
struct Cluster {
    scratch: TempDir,
    api: Api,
    _server: TestServer,
}

impl Cluster {
    async fn start() -> Cluster {
        let server = TestServer::start(Arc::new(kanon_cel::Cel::default())).await.expect("a server");
        let scratch = tempfile::tempdir().expect("a folder");
        std::fs::write(scratch.path().join("kubeconfig"), server.kubeconfig()).expect("a kubeconfig");
        let api = Api::connect(&Source::Text(server.kubeconfig())).await.expect("a client");
        for name in ["portal-system", "shop"] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            api.apply(&format!("/api/v1/namespaces/{name}"), &namespace).await.expect("a namespace");
        }
        let cluster = Cluster { scratch, api, _server: server };
        cluster.register("https://localhost:1/validate").await;
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The chart's configuration, but for where the webhook is: there is no Service here.
    async fn register(&self, url: &str) {
        let manifest = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "portal"},
            "webhooks": [{
                "name": "validate.portal.io", "clientConfig": {"url": url}, "failurePolicy": "Fail", "timeoutSeconds": 5,
                "sideEffects": "None", "admissionReviewVersions": ["v1"], "matchPolicy": "Equivalent",
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                    "operations": ["CREATE", "UPDATE"], "scope": "*"}],
            }],
        });
        let body = Some(("application/json", manifest.to_string().into_bytes()));
        self.api.call(http::Method::POST, WEBHOOKS, body).await.expect("a configuration");
    }

    async fn webhook(&self) -> Value {
        let found = self.api.get(&format!("{WEBHOOKS}/portal")).await.expect("an answer").expect("a configuration");
        found.at(&["webhooks"]).expect("entries").elements().next().expect("an entry").to_object().to_value()
    }

    /// Tells the API server where the webhook really is.
    async fn point_at(&self, address: &str) {
        let port = address.rsplit_once(':').expect("a port").1;
        let value = format!("https://localhost:{port}/validate");
        let patch = json!([{"op": "replace", "path": "/webhooks/0/clientConfig/url", "value": value}]);
        let body = Some(("application/json-patch+json", patch.to_string().into_bytes()));
        self.api.call(http::Method::PATCH, &format!("{WEBHOOKS}/portal"), body).await.expect("patched");
    }

    fn init_certs(&self, folder: &str) -> Command {
        let mut command = portal(self.scratch.path());
        command.args([
            "init-certs",
            "--namespace=portal-system",
            "--secret=portal-webhook-tls",
            "--webhook-config=portal",
        ]);
        command.arg("--service=portal").arg(format!("--cert-dir={}", self.path(folder).display()));
        command.arg(format!("--kubeconfig={}", self.path("kubeconfig").display()));
        command
    }

    /// Starts a replica, and waits until it says that it serves.
    fn run(&self, name: &str, args: &[&str]) -> Running {
        let mut command = portal(self.scratch.path());
        command.args(["run", "--listen=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"]).args(args);
        command.arg(format!("--cert-dir={}", self.path("certs").display()));
        command.arg(format!("--kubeconfig={}", self.path("kubeconfig").display()));
        Running::start(self.scratch.path(), name, &mut command)
    }
}

struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// Starts the command, and waits until it says that it serves.
    fn start(scratch: &Path, name: &str, command: &mut Command) -> Running {
        let [out, err] = ["out", "err"].map(|end| scratch.join(format!("{name}.{end}")));
        let file = |path: &Path| std::fs::File::create(path).expect("a file");
        let child = command.env("HOSTNAME", name).stdout(file(&out)).stderr(file(&err)).spawn();
        let mut running = Running { child: child.expect("the binary starts"), out, err };
        running.logged("portal serves");
        running
    }

    fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.err).expect("a log");
        // The last line may be on its way.
        let whole = text.rsplit_once('\n').map_or("", |it| it.0);
        whole.lines().map(|it| serde_json::from_str(it).unwrap_or_else(|_| panic!("`{it}` is no JSON"))).collect()
    }

    /// Waits for a line of the process log.
    #[track_caller]
    fn logged(&mut self, message: &str) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.log().into_iter().find(|it| it["fields"]["message"] == message);
            if let Some(found) = found {
                return found["fields"].clone();
            }
            let ended = self.child.try_wait().expect("the child can be asked");
            let text = || std::fs::read_to_string(&self.err).unwrap_or_default();
            assert!(ended.is_none(), "it ended early: {ended:?}\n{}", text());
            assert!(begun.elapsed() < PATIENCE, "it does not say `{message}`\n{}", text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn address(&mut self, of: &str) -> String {
        self.logged("portal serves")[of].as_str().expect("an address").to_owned()
    }

    /// Asks it to end, as a kubelet does.
    fn stop(mut self) -> Option<i32> {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(kill.success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn settles<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn rule(name: &str, kind: &str, expression: &str) -> Value {
    json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule", "metadata": {"name": name}, "spec": {
        "name": name, "enabled": true, "severity": "high", "mode": ["admission", "audit"], "enforcementAction": "deny",
        "match": {"gvk": [{"group": "", "version": "v1", "kind": kind}]}, "rule": expression}})
}

fn pod(name: &str, privileged: bool) -> Vec<u8> {
    let container = json!({"name": "c", "image": "x", "securityContext": {"privileged": privileged}});
    json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"containers": [container]}})
        .to_string()
        .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_of_the_originals_chart_runs_unchanged() {
    let cluster = Cluster::start().await;
    let static_rules = cluster.webhook().await["rules"].clone();
    Ran::of(cluster.init_certs("certs").output().expect("it runs")).ok();
    let mut running = cluster.run(
        "replica",
        &[
            "--admission=true",
            "--audit=true",
            "--network=false",
            "--rules-cr=true",
            "--leader-election=true",
            "--install-namespace=portal-system",
            "--fail-closed=true",
            "--policy-report=true",
            "--alertmanager-url=",
            "--rules-folder=",
            "--watched-gvk=/v1/ConfigMap",
            "--watched-gvk=nonsense",
        ],
    );
    assert!(running.logged("--watched-gvk is ignored")["problem"].as_str().expect("text").contains("`nonsense`"));
    cluster.point_at(&running.address("webhook")).await;
    let path = "/apis/portal.io/v1alpha1/portalclusterrules/no-privileged";
    let expression = "container.securityContext.privileged == true";
    cluster.api.apply(path, &rule("no-privileged", "Pod", expression)).await.expect("a rule");
    let applied = async || {
        let found = cluster.api.get(path).await.expect("an answer")?;
        (!found.str_at(&["status", "lastApplied"]).is_empty()).then_some(())
    };
    settles("lastApplied", applied).await;
    let pods = "/api/v1/namespaces/shop/pods";
    let create = async |name: &str, privileged| {
        cluster.api.call(http::Method::POST, pods, Some(("application/json", pod(name, privileged)))).await
    };
    create("good", false).await.expect("let through");
    let denied = create("bad", true).await.expect_err("denied").to_string();
    assert!(
        denied.contains("\"validate.portal.io\" denied the request: no-privileged: rule violated: no-privileged"),
        "{denied}"
    );

    // What scrapes and watches the original finds what it looks for.
    let metrics = running.address("metrics");
    let page = http_get(&metrics, "/metrics").expect("metrics");
    assert!(page.contains("portal_admission_requests_total{decision=\"deny\"} 1"), "{page}");
    for probe in ["/healthz", "/readyz"] {
        http_get(&metrics, probe).expect(probe);
    }
    let lease = "/apis/coordination.k8s.io/v1/namespaces/portal-system/leases/portal-leader";
    let lease = cluster.api.get(lease).await.expect("an answer").expect("a lease");
    assert!(lease.str_at(&["spec", "holderIdentity"]).starts_with("replica_"));
    let line = settles("a line of the violation log", async || {
        std::fs::read_to_string(&running.out).expect("a log").lines().next().map(str::to_owned)
    });
    let line: Value = serde_json::from_str(&line.await).expect("JSON");
    let shown = [&line["rule"], &line["level"], &line["mode"], &line["namespace"], &line["source"]["container"]];
    assert_eq!(shown, [&json!("no-privileged"), &json!("ERROR"), &json!("admission"), &json!("shop"), &json!("c")]);
    // The registration is the chart's: nobody wrote its rules, and there is no second one.
    assert_eq!(cluster.webhook().await["rules"], static_rules);
    assert!(cluster.api.get(&format!("{WEBHOOKS}/kanon")).await.expect("an answer").is_none());
    // Nothing of other families was installed.
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/pandocorepolicies.pandocore.xyz";
    assert!(cluster.api.get(crds).await.expect("an answer").is_none());
    assert_eq!(running.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configurations_rules_follow_the_rules_in_force_when_asked() {
    let cluster = Cluster::start().await;
    let _running = cluster.run("replica", &["--webhook-config=portal", "--leader-election=false"]);
    // Without a certificate in the folder one was made, for this process alone.
    let made = read_leaf(&cluster.path("certs")).expect("read").expect("made");
    assert!(made.validity().not_after > Timestamp::now());
    let path = "/apis/portal.io/v1alpha1/portalclusterrules/maps";
    cluster.api.apply(path, &rule("maps", "ConfigMap", "object.data?.x == 'bad'")).await.expect("a rule");
    let asks_about = async |resource: &str| {
        let hook = cluster.webhook().await;
        (hook["rules"][0]["resources"][0] == resource).then_some(hook)
    };
    let hook = settles("the registration of ConfigMaps", async || asks_about("configmaps").await).await;
    // All else is the chart's.
    assert_eq!((&hook["name"], &hook["sideEffects"]), (&json!("validate.portal.io"), &json!("None")));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_replicas_one_makes_the_certificates_and_all_have_them() {
    let cluster = Cluster::start().await;
    // The chart's placeholder: a Secret without content.
    let empty = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "portal-webhook-tls", "namespace": "portal-system"}});
    cluster
        .api
        .call(http::Method::POST, SECRETS, Some(("application/json", empty.to_string().into_bytes())))
        .await
        .expect("made");
    let folders: Vec<_> = (0..6).map(|it| format!("certs-{it}")).collect();
    let children: Vec<_> = folders
        .iter()
        .map(|folder| {
            let mut command = cluster.init_certs(folder);
            command
                .arg("--dns=portal.example.com")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts")
        })
        .collect();
    let ran: Vec<_> = children.into_iter().map(|it| Ran::of(it.wait_with_output().expect("it ends"))).collect();
    let made = ran.iter().filter(|it| it.err.contains("\"made\":true")).count();
    ran.into_iter().for_each(|it| {
        it.ok();
    });
    assert_eq!(made, 1);
    let stored = cluster.api.get(&format!("{SECRETS}/portal-webhook-tls")).await.expect("an answer").expect("a Secret");
    assert_eq!(stored.str_at(&["type"]), "Opaque");
    let hook = cluster.webhook().await;
    assert_eq!(hook["clientConfig"]["caBundle"], stored.str_at(&["data", "ca.crt"]));
    let texts: Vec<_> = folders
        .iter()
        .map(|folder| {
            ["tls.crt", "tls.key", "ca.crt"]
                .map(|name| std::fs::read_to_string(cluster.path(folder).join(name)).expect("a file"))
        })
        .collect();
    assert!(texts.iter().all(|it| *it == texts[0]));
    let [certificate, key, authorities] = &texts[0];
    let material = Material::from_pem(certificate, key, authorities).expect("material");
    for name in [
        "localhost",
        "portal",
        "portal.portal-system",
        "portal.portal-system.svc",
        "portal.portal-system.svc.cluster.local",
        "portal.example.com",
    ] {
        material.verify(name, Timestamp::now()).expect(name);
    }
    // Once more: all is as it should be, and stays.
    let again = Ran::of(cluster.init_certs("certs-0").output().expect("it runs"));
    assert!(again.err.contains("\"made\":false") && again.err.contains("\"told\":false"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_without_a_moment_of_distrust() {
    let cluster = Cluster::start().await;
    // Two thirds of their lifetime are over, and more than a month is left.
    let validity = Validity::starting(
        Timestamp::now() - SignedDuration::from_hours(300 * 24),
        SignedDuration::from_hours(365 * 24),
    );
    let authority = Authority::create("an old authority", validity).expect("made");
    let leaf = authority.issue_server(&["portal.portal-system.svc", "localhost"], &[], validity).expect("issued");
    let old = Material::new(leaf, authority.certificate_pem().to_owned());
    let text = |it: &str| Value::from(it);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "portal-webhook-tls", "namespace": "portal-system"},
        "stringData": {"tls.crt": text(old.leaf().certificate_pem()), "tls.key": text(old.leaf().key_pem()),
            "ca.crt": text(old.authorities_pem())}});
    cluster
        .api
        .call(http::Method::POST, SECRETS, Some(("application/json", secret.to_string().into_bytes())))
        .await
        .expect("made");
    Ran::of(cluster.init_certs("certs").output().expect("it runs")).ok();
    let mut running = cluster.run("replica", &["--cert-secret=portal-webhook-tls", "--webhook-config=portal"]);
    let shown = async || {
        let leaf = read_leaf(&cluster.path("certs")).ok()??;
        let new = leaf.certificate_pem() != old.leaf().certificate_pem();
        // At every moment the API server trusts what is shown.
        let bundle = bundle(&cluster.webhook().await);
        Material::new(leaf.clone(), bundle).verify("localhost", Timestamp::now()).expect("trusted");
        new.then_some(leaf)
    };
    let new = settles("a new certificate", shown).await;
    running.logged("new certificates are shown");
    // Both are trusted for a day: others may still show the old one.
    let bundle = bundle(&cluster.webhook().await);
    for leaf in [&new, old.leaf()] {
        Material::new(leaf.clone(), bundle.clone()).verify("localhost", Timestamp::now()).expect("trusted");
    }
    let stored = cluster.api.get(&format!("{SECRETS}/portal-webhook-tls")).await.expect("an answer").expect("a Secret");
    assert!(stored.at(&["data", "next.key"]).is_none(), "the renewal is done");
    assert!(!stored.str_at(&["data", CERTIFICATE]).is_empty());
}

fn bundle(hook: &Value) -> String {
    use base64::Engine as _;
    let text = hook["clientConfig"]["caBundle"].as_str().expect("a bundle");
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
    String::from_utf8(bytes).expect("PEM")
}

#[tokio::test(flavor = "multi_thread")]
async fn files_alone_need_no_definitions_in_the_cluster() {
    let cluster = Cluster::start().await;
    let folder = cluster.path("rules");
    std::fs::create_dir(&folder).expect("a folder");
    let text = "name: folder\nenabled: true\nmode: [audit]\nmatch: {gvk: [{group: '', version: v1, kind: Namespace}]}\nrule: metadata.name == 'shop'\n";
    std::fs::write(folder.join("a.yaml"), text).expect("a rule");
    let rules_folder = format!("--rules-folder={}", folder.display());
    let mut running = cluster.run("replica", &["--rules-cr=false", "--admission=false", "--network", &rules_folder]);
    running.logged("--network needs --audit: it is enabled");
    let metrics = running.address("metrics");
    let line = "portal_open_findings{rule=\"folder\",severity=\"\",namespace=\"\"} 1";
    let found = async || http_get(&metrics, "/metrics").ok().filter(|it| it.contains(line));
    settles(line, found).await;
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let found: Object = cluster.api.get(crds).await.expect("an answer").expect("a list");
    let names: Vec<_> = found.at(&["items"]).into_iter().flat_map(Node::elements).map(Node::to_object).collect();
    assert!(names.iter().all(|it| !it.str_at(&["metadata", "name"]).ends_with(".portal.io")), "{names:?}");
    // There is no webhook, so nothing listens for one, and no certificate was made.
    assert!(!cluster.path("certs").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_of_rules_would_do_is_seen_before_it_is_made() {
    let cluster = Cluster::start().await;
    let kubeconfig = cluster.path("kubeconfig").display().to_string();
    let run = |args: &[&str]| {
        let mut command = portal(cluster.scratch.path());
        Ran::of(command.args(args).arg("--kubeconfig").arg(&kubeconfig).output().expect("it runs"))
    };
    let installed = run(&["install-crds"]).ok();
    assert!(
        installed.contains("portalclusterrules.portal.io\n") && installed.contains("policyreports.wgpolicyk8s.io\n"),
        "{installed}"
    );
    // Nobody is asked about these pods: the registration goes first.
    cluster.api.call(http::Method::DELETE, &format!("{WEBHOOKS}/portal"), None).await.expect("deleted");
    for (name, privileged) in [("good", false), ("bad", true)] {
        let body = Some(("application/json", pod(name, privileged)));
        cluster.api.call(http::Method::POST, "/api/v1/namespaces/shop/pods", body).await.expect("a pod");
    }
    let live = rule("pods", "Pod", "metadata.name == 'good'");
    cluster.api.apply("/apis/portal.io/v1alpha1/portalclusterrules/pods", &live).await.expect("a rule");
    let changed = rule("pods", "Pod", "container.securityContext.privileged == true");
    let file = cluster.path("changed.yaml");
    std::fs::write(&file, changed.to_string()).expect("a file");
    let file = file.display().to_string();
    let found = run(&["diff", "--cluster", &file, "-o", "json"]);
    assert_eq!(found.code, Some(3), "{found:?}");
    let found: Value = serde_json::from_str(&found.out).expect("JSON");
    let row =
        |it: &Value| format!("{} {} {} {}", it["change"], it["mode"], it["subject"], it["container"]).replace('"', "");
    let rows: Vec<_> = found["changes"].as_array().expect("rows").iter().map(row).collect();
    assert_eq!(
        rows,
        [
            "denied admission Pod shop/bad c",
            "resolved admission Pod shop/good ",
            "violated audit Pod shop/bad c",
            "resolved audit Pod shop/good "
        ]
    );
    // The same rule again changes nothing.
    std::fs::write(&file, live.to_string()).expect("a file");
    let same = run(&["diff", &file]).ok();
    assert_eq!(same, "2 objects looked at: 0 newly denied, 0 newly violated, 0 resolved, 0 changed otherwise\n");
}
