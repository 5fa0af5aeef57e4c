//! The recipes of docs/cookbook.md, each from its file, seen from outside: what comes is refused or warned about, what was there
//! is found and acted upon, and the finding ends with its cause.

use std::path::{Path, PathBuf};

use crate::{
    alertmanager::Alertmanager,
    audit::metric,
    harness::{Ran, Up},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/cookbook")
}

fn recipe(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).expect("a recipe")
}

/// A control plane in which one recipe is tried.
struct Kitchen {
    up: Up,
    /// The rule's name and severity.
    rule: (&'static str, &'static str),
}

impl Kitchen {
    /// One with what was there before the rule.
    fn new(rule: (&'static str, &'static str), flags: &[&str], before: &str) -> Kitchen {
        let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), flags);
        up.kubectl("create namespace shop").ok();
        up.kubectl_with("apply -f -", before).ok();
        Kitchen { up, rule }
    }

    /// Applies a recipe and waits until admission asks it about these resources.
    fn serve(&self, file: &str, resources: &str) {
        let name = self.rule.0;
        self.up.kubectl_with("apply -f -", &recipe(file)).ok();
        self.up.settles(&format!("get pcr {name} -o jsonpath={{.status.lastApplied}}"), |it| !it.is_empty());
        let webhooks = "get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}";
        self.up.settles(webhooks, |it| it.contains(resources));
        // Those that look things up say when they can; the others have no such condition.
        let condition =
            format!("get pcr {name} -o jsonpath={{.status.conditions[?(@.type==\"LookupsSynced\")].status}}");
        self.up.settles(&condition, |it| it.is_empty() || it == "True");
    }

    /// Waits until so many findings are open in a namespace.
    #[track_caller]
    fn open(&self, namespace: &str, count: &str) {
        let (rule, severity) = self.rule;
        let series = format!(r#"portal_open_findings{{rule="{rule}",severity="{severity}",namespace="{namespace}"}}"#);
        metric(&self.up, &series, count);
    }

    /// Waits until the reports of `shop` have rows of the audit about these objects.
    #[track_caller]
    fn reported(&self, objects: &str) {
        let rows = "get polr portal -n shop -o jsonpath={.results[?(@.properties.mode==\"audit\")].resources[0].name}";
        self.up.settles(rows, |it| it == objects);
    }

    fn apply(&self, manifest: &str) -> Ran {
        self.up.kubectl_with("apply -f -", manifest)
    }
}

fn pod(name: &str, spec: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}, spec: {{{spec}}}}}\n"
    )
}

fn deployment(name: &str, replicas: u32, spec: &str) -> String {
    format!(
        "---\n{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}, namespace: shop}}, spec: {{replicas: {replicas}, \
         selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{{spec}}}}}}}}}\n"
    )
}

const PLAIN: &str = "containers: [{name: c, image: 'registry.example.com/c:1'}]";

#[test]
fn every_recipe_stands_in_the_book_and_is_tried_here() {
    let book = std::fs::read_to_string(folder().join("../../cookbook.md")).expect("the book");
    let tests = include_str!("cookbook.rs");
    let files = std::fs::read_dir(folder()).expect("recipes");
    let mut names: Vec<_> = files.map(|it| it.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        assert!(book.contains(&format!("(examples/cookbook/{name})")), "docs/cookbook.md does not mention {name}");
        assert!(tests.contains(&format!("serve(\"{name}\"")), "nobody tries {name}");
        assert!(recipe(&name).starts_with("# "), "{name} does not say what it is for");
    }
}

#[test]
fn images_come_from_trusted_registries() {
    let foreign = pod("old", "containers: [{name: c, image: nginx}]");
    let kitchen = Kitchen::new(("trusted-registries", "high"), &[], &foreign);
    kitchen.serve("registries.yaml", "pods");
    let denied = kitchen.apply(&pod("new", "containers: [{name: web, image: 'ghcr.io/x/y'}]")).fails(1);
    assert!(denied.contains("trusted-registries: web: images of ghcr.io are not allowed here"), "{denied}");
    let denied = kitchen.apply(&deployment("new", 1, "containers: [{name: web, image: nginx}]")).fails(1);
    assert!(denied.contains("images of docker.io"), "{denied}");
    kitchen.apply(&pod("good", PLAIN)).ok();
    kitchen.open("shop", "1");
    kitchen.reported("old");
    let events = kitchen.up.settles("get events -n shop", |it| it.contains("UntrustedRegistry"));
    assert!(events.contains("pod/old"), "{events}");
    kitchen.up.kubectl("set image pod/old -n shop c=registry.example.com/nginx:1").ok();
    kitchen.open("shop", "");
    kitchen.reported("");
}

#[test]
fn privileged_pods_are_refused_and_those_that_are_there_go() {
    let alertmanager = Alertmanager::start();
    let url = alertmanager.url();
    let privileged = "containers: [{name: c, image: 'registry.example.com/c:1', securityContext: {privileged: true}}]";
    let kitchen = Kitchen::new(("no-privileged", "critical"), &["--alertmanager-url", &url], &pod("old", privileged));
    kitchen.up.kanon(&["brake", "on", "--reason", "to see the finding first"]).ok();
    kitchen.serve("privileged.yaml", "pods");
    let hidden = "containers: [{name: c, image: 'registry.example.com/c:1'}], initContainers: [
        {name: setup, image: 'registry.example.com/c:1', securityContext: {capabilities: {add: [SYS_ADMIN]}}}]";
    let denied = kitchen.apply(&pod("new", hidden)).fails(1);
    assert!(denied.contains("no-privileged: setup (init) is privileged"), "{denied}");
    kitchen.open("shop", "1");
    kitchen.reported("old");
    let audited = |it: &[serde_json::Value]| it.iter().filter(|it| it["labels"]["mode"] == "audit").count();
    let firing = alertmanager.settles(|it| audited(it) == 1);
    let alert = firing.iter().find(|it| it["labels"]["mode"] == "audit").expect("one of the audit");
    assert_eq!((&alert["labels"]["alertname"], &alert["labels"]["name"]), (&"no-privileged".into(), &"old".into()));
    kitchen.up.kanon(&["brake", "off"]).ok();
    kitchen.up.settles("get pods -n shop -o name", str::is_empty);
    kitchen.open("shop", "");
    kitchen.reported("");
    alertmanager.settles(|it| audited(it) == 0);
}

#[test]
fn deployments_say_whose_they_are() {
    let kitchen = Kitchen::new(("required-labels", "low"), &[], &deployment("old", 1, PLAIN));
    kitchen.serve("labels.yaml", "deployments");
    let made = kitchen.apply(&deployment("new", 1, PLAIN));
    assert!(made.err.contains("Warning: required-labels: new has no label `team`"), "{made:#?}");
    made.ok();
    kitchen.open("shop", "2");
    kitchen.reported("new old");
    let mark = "get deployment old -n shop -o jsonpath={.metadata.annotations.portal\\.security/missing-label}";
    kitchen.up.settles(mark, |it| it == "team");
    kitchen.up.kubectl("label deployment old new -n shop team=web").ok();
    kitchen.open("shop", "");
    kitchen.reported("");
    kitchen.up.settles(mark, str::is_empty);
}

#[test]
fn containers_do_not_run_as_root() {
    let kitchen = Kitchen::new(("non-root", "medium"), &[], &deployment("old", 1, PLAIN));
    kitchen.serve("non-root.yaml", "deployments");
    let denied = kitchen.apply(&deployment("new", 1, PLAIN)).fails(1);
    assert!(denied.contains("non-root: c may run as root"), "{denied}");
    kitchen.apply(&deployment("good", 1, &format!("{PLAIN}, securityContext: {{runAsNonRoot: true}}"))).ok();
    kitchen.apply(&pod("good", &format!("{PLAIN}, securityContext: {{runAsUser: 1000}}"))).ok();
    kitchen.open("shop", "1");
    kitchen.reported("old");
    kitchen.up.settles("get deployments -n shop -l portal.security/root=true -o name", |it| it.contains("old"));
    let fix = r#"{"spec":{"template":{"spec":{"securityContext":{"runAsNonRoot":true}}}}}"#;
    let patched = kitchen.up.kubectl_command(&["patch", "deployment", "old", "-n", "shop", "-p", fix]).output();
    Ran::of(patched.expect("kubectl runs")).ok();
    kitchen.open("shop", "");
    kitchen.reported("");
}

#[test]
fn namespaces_deny_by_default() {
    let kitchen = Kitchen::new(("default-deny", "medium"), &[], &(pod("web", PLAIN) + &pod("db", PLAIN)));
    let reach = || {
        let ran =
            kitchen.up.kanon(&["network", "reachable", "-n", "shop", "--from", "web", "--to", "db", "--port", "1"]);
        ran.code
    };
    assert_eq!(reach(), Some(0));
    kitchen.serve("default-deny.yaml", "namespaces");
    // It was found, closed, and is found no more.
    kitchen
        .up
        .settles("get networkpolicy default-deny -n shop -o jsonpath={.spec.policyTypes}", |it| it.contains("Ingress"));
    kitchen.open("", "");
    assert_eq!(reach(), Some(3));
    let made = kitchen.up.kubectl("create namespace bare");
    assert!(made.err.contains("Warning: default-deny: bare has no NetworkPolicy that denies by default"), "{made:#?}");
    kitchen.up.settles("get networkpolicies -n bare -o name", |it| it.contains("default-deny"));
    // One that lets something in is none that denies.
    let open = r#"{"spec":{"ingress":[{"from":[{"podSelector":{}}]}]}}"#;
    let patched =
        kitchen.up.kubectl_command(&["patch", "networkpolicy", "default-deny", "-n", "shop", "-p", open]).output();
    Ran::of(patched.expect("kubectl runs")).ok();
    let violations = r#"portal_audit_violations{rule="default-deny",severity="medium",gvk="/v1, Kind=Namespace"}"#;
    metric(&kitchen.up, violations, "3");
}

#[test]
fn pods_with_a_folder_of_their_node_are_set_apart() {
    let host = format!("{PLAIN}, volumes: [{{name: v, hostPath: {{path: /etc}}}}]");
    let others = pod("old", &host) + &pod("web", PLAIN);
    let kitchen = Kitchen::new(("quarantine-host-path", "critical"), &["--allow-action", "quarantine"], &others);
    let reach = |from: &str, to: &str| {
        kitchen.up.kanon(&["network", "reachable", "-n", "shop", "--from", from, "--to", to, "--port", "80"]).code
    };
    assert_eq!((reach("old", "web"), reach("web", "old")), (Some(0), Some(0)));
    kitchen.serve("quarantine.yaml", "pods");
    let made = kitchen.apply(&pod("new", &host));
    assert!(made.err.contains("Warning: quarantine-host-path: new mounts a folder of its node"), "{made:#?}");
    kitchen.open("shop", "2");
    kitchen.reported("new old");
    kitchen.up.settles("get pods -n shop -l kanon.dev/quarantine=true -o name", |it| it.lines().count() == 2);
    assert_eq!((reach("old", "web"), reach("web", "old"), reach("web", "web")), (Some(3), Some(3), Some(0)));
    // What the rule is not about any more is free again.
    kitchen.apply(&recipe("quarantine.yaml").replace("exclude: [kube-system]", "exclude: [kube-system, shop]")).ok();
    kitchen.open("shop", "");
    kitchen.up.settles("get pods -n shop -l kanon.dev/quarantine -o name", str::is_empty);
    assert_eq!((reach("old", "web"), reach("web", "old")), (Some(0), Some(0)));
    kitchen.reported("");
}

#[test]
fn deployments_with_replicas_have_a_budget() {
    let old = deployment("old", 2, PLAIN) + &deployment("single", 1, PLAIN);
    let kitchen = Kitchen::new(("disruption-budget", "low"), &[], &old);
    kitchen.serve("pdb.yaml", "deployments");
    let made = kitchen.apply(&deployment("new", 3, PLAIN));
    assert!(made.err.contains("new has 3 replicas and no PodDisruptionBudget"), "{made:#?}");
    kitchen.open("shop", "2");
    kitchen.reported("new old");
    kitchen.up.settles("get events -n shop", |it| it.contains("NoDisruptionBudget"));
    kitchen.up.kubectl("create pdb old -n shop --selector=app=old --min-available=1").ok();
    kitchen.open("shop", "1");
    kitchen.reported("new");
    kitchen.up.kubectl("scale deployment new -n shop --replicas=1").ok();
    kitchen.open("shop", "");
}

#[test]
fn tokens_are_revoked_when_somebody_enters_a_pod() {
    let alertmanager = Alertmanager::start();
    let url = alertmanager.url();
    let token = "---\n{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: shop}}\n---\n{apiVersion: v1, kind: \
                 Secret, type: kubernetes.io/service-account-token, metadata: {name: token, namespace: shop, annotations: \
                 {kubernetes.io/service-account.name: robot}}}\n";
    let before = token.to_owned() + &pod("web", &format!("{PLAIN}, nodeName: n1, serviceAccountName: robot"));
    let flags = ["--runtime", "--alertmanager-url", &url];
    let kitchen = Kitchen::new(("revoke-on-exec", "high"), &flags, &before);
    kitchen.serve("exec.yaml", "pods/exec");
    // No kubelet answers; that somebody asked is what counts.
    kitchen.up.kubectl("exec -n shop web --as jane --as-group oncall --as-group system:masters -- id").fails(1);
    kitchen.up.kubectl("exec -n shop web -- cat /var/run/secrets/kubernetes.io/serviceaccount/token").fails(1);
    metric(&kitchen.up, r#"portal_actions_total{action="revoke-sa-token",result="ok"}"#, "1");
    kitchen.up.settles("get secrets -n shop -o name", str::is_empty);
    let firing = alertmanager.settles(|it| it.len() == 1);
    assert_eq!(firing[0]["annotations"]["description"], "kubernetes-admin entered web");
    assert_eq!((&firing[0]["labels"]["mode"], &firing[0]["labels"]["name"]), (&"runtime".into(), &"web".into()));
}
