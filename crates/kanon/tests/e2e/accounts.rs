//! Service accounts that are made anew: their tokens count no more, and no crash loses them.

use crate::harness::{PATIENCE, Ran, Up, file};

/// A rule of the audit about pods with a label.
const RULE: &str = "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {name: renews}\nspec:\n  name: renews\n  \
    enabled: true\n  mode: [audit]\n  match:\n    gvk: [{group: '', version: v1, kind: Pod}]\n  \
    rule: object.metadata.labels?.bad == 'yes'\n  actions: [{type: revoke-sa-token, strategy: recreate-sa}]\n";

fn account(name: &str, metadata: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: {name}, namespace: shop, labels: {{team: till}}, \
         annotations: {{why: paid}}{metadata}}}, imagePullSecrets: [{{name: pull}}], automountServiceAccountToken: false}}\n"
    )
}

fn pod(name: &str, account: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {{bad: 'yes'}}}}, spec: {{\
         serviceAccountName: {account}, containers: [{{name: c, image: 'c:1'}}]}}}}\n"
    )
}

const FLAGS: &[&str] = &["--allow-action", "recreate-sa", "--log-level", "info"];

fn up(flags: &[&str]) -> Up {
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), flags);
    up.kubectl("create namespace shop").ok();
    up
}

fn uid(up: &Up) -> String {
    up.kubectl("get sa robot -n shop -o jsonpath={.metadata.uid}").ok()
}

/// Asks the server who we are, by a token alone.
fn whoami(up: &Up, token: &str) -> Ran {
    let cluster =
        |field: &str| up.kubectl(&format!("config view --raw -o jsonpath={{.clusters[0].cluster.{field}}}")).ok();
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: c, user: u}}}}], \
         clusters: [{{name: c, cluster: {{server: '{}', certificate-authority-data: '{}'}}}}], \
         users: [{{name: u, user: {{token: '{token}'}}}}]}}",
        cluster("server"),
        cluster("certificate-authority-data")
    );
    let config = file(up.scratch.path(), "by-token", &text);
    up.kubectl(&format!("--kubeconfig {config} auth whoami -o jsonpath={{.status.userInfo.username}}"))
}

#[test]
fn an_account_is_made_anew_once_and_its_old_tokens_count_no_more() {
    let up = up(FLAGS);
    let pods = [pod("a", "robot"), pod("b", "robot"), pod("stuck", "stuck")];
    let accounts = account("robot", "") + &account("stuck", ", finalizers: [example.com/keep]");
    up.kubectl_with("apply -f -", &(accounts + &pods.concat())).ok();
    let token = up.kubectl("create token robot -n shop").ok();
    let before = uid(&up);
    assert_eq!(whoami(&up, &token).ok(), "system:serviceaccount:shop:robot");

    up.kubectl_with("apply -f -", RULE).ok();
    // Both pods are found, and the second finds the account new already; what has finalizers is left alone.
    up.counts(r#"portal_actions_total{action="revoke-sa-token",result="ok"} 2"#);
    up.counts(r#"portal_actions_total{action="revoke-sa-token",result="error"} 1"#);
    let after = uid(&up);
    assert_ne!(before, after);
    let refused = whoami(&up, &token).fails(1);
    assert!(refused.contains("Unauthorized") || refused.contains("must be logged in"), "{refused}");
    let token = up.kubectl("create token robot -n shop").ok();
    assert_eq!(whoami(&up, &token).ok(), "system:serviceaccount:shop:robot");
    let kept = "{.metadata.labels.team} {.metadata.annotations.why} {.imagePullSecrets[0].name} {.automountServiceAccountToken}";
    let words = ["get", "sa", "robot", "-n", "shop", "-o", &format!("jsonpath={kept}")];
    let kept = Ran::of(up.kubectl_command(&words).output().expect("kubectl runs")).ok();
    assert_eq!(kept, "till paid pull false");
    assert_eq!(up.kubectl("get sa stuck -n shop -o jsonpath={.metadata.deletionTimestamp}").ok(), "");
    let log = std::fs::read_to_string(up.scratch.path().join("stderr")).expect("a log");
    // Without its colours.
    let log: String = log.split('\x1b').map(|it| it.split_once('m').map_or(it, |it| it.1)).collect();
    let told = |count: &str| {
        log.lines().filter(|it| it.contains("action executed") && it.ends_with(&format!("count={count}"))).count()
    };
    assert_eq!((told("2"), told("0")), (1, 1), "how many pods had a token:\n{log}");
    assert!(log.contains("has finalizers: it would stay"), "{log}");
    // Nothing is left to do.
    up.settles("get configmap kanon-accounts -n kanon-system -o jsonpath={.data}", |it| it.is_empty() || it == "{}");
    assert_eq!(uid(&up), after);
}

#[test]
fn a_crash_between_deletion_and_creation_loses_no_account() {
    let up = up(FLAGS);
    // Creations are refused: nobody answers for them.
    let refuses = "---\n{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: shut}, \
        webhooks: [{name: shut.example.com, sideEffects: None, admissionReviewVersions: [v1], failurePolicy: Fail, timeoutSeconds: 1, \
        clientConfig: {url: 'https://127.0.0.1:1/shut'}, \
        namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, \
        rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [serviceaccounts]}]}]}\n";
    up.kubectl_with("apply -f -", &(account("robot", "") + &pod("a", "robot"))).ok();
    let before = uid(&up);
    up.kubectl_with("apply -f -", refuses).ok();
    up.kubectl_with("apply -f -", RULE).ok();
    let begun = std::time::Instant::now();
    while up.kubectl("get sa robot -n shop").code == Some(0) {
        assert!(begun.elapsed() < PATIENCE, "it is never deleted");
    }
    let noted = up.kubectl("get configmap kanon-accounts -n kanon-system -o jsonpath={.data}").ok();
    assert!(noted.contains(&before) && noted.contains("imagePullSecrets"), "{noted}");

    let up = Up::start_with(up.kill(), FLAGS);
    assert!(up.kubectl("get sa robot -n shop").fails(1).contains("NotFound"));
    up.kubectl("delete validatingwebhookconfiguration shut").ok();
    let labels = up.settles("get sa robot -n shop -o jsonpath={.metadata.labels.team}", |it| !it.is_empty());
    assert_eq!(labels, "till");
    let made = uid(&up);
    assert_ne!(made, before);
    up.settles("get configmap kanon-accounts -n kanon-system -o jsonpath={.data}", |it| it.is_empty() || it == "{}");
    // Its finding is acted on anew after the restart, and leaves alone what was made since, or makes it once more: never a second
    // account, never none.
    up.counts(r#"portal_actions_total{action="revoke-sa-token",result="ok"} 1"#);
    up.kubectl("get sa robot -n shop").ok();
}

#[test]
fn without_leave_no_account_is_made_anew() {
    let up = up(&[]);
    up.kubectl_with("apply -f -", &(account("robot", "") + &pod("a", "robot") + RULE)).ok();
    let before = uid(&up);
    let compiled = "get pcr renews -o jsonpath={.status.conditions[?(@.type==\"Compiled\")].message}";
    up.settles(compiled, |it| it.contains("it needs `--allow-action recreate-sa`"));
    up.counts(r#"portal_actions_total{action="revoke-sa-token",result="error"} 1"#);
    assert_eq!(uid(&up), before);
}
