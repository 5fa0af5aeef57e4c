//! Rules in the seed's own form, as custom resources and as folder files, decide over HTTPS.

use crate::harness::{Up, file};

/// The seed's example, as a folder file has it.
pub(crate) const SEED: &str = r#"name: privileged-container
enabled: true
severity: critical
mode: [admission, audit]
enforcementAction: deny
match:
  gvk:
    - {group: "", version: v1, kind: Pod}
  namespaces:
    include: [production]
    exclude: []
rule: container.securityContext.privileged == true
alert: insecure-workload
actions:
  - {type: alertmanager, template: insecure-workload}
  - {type: label, key: portal.security/quarantine, value: "true", on: [audit]}
  - {type: evict, on: [audit], rateLimit: 5/min}
"#;

fn as_resource(rule: &str, name: &str) -> String {
    let spec: String = rule.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n{spec}")
}

fn pod(name: &str, namespace: &str, privileged: bool) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: {namespace}}}, spec: {{containers: [
           {{name: c, image: 'registry.example.com/c:1', securityContext: {{privileged: {privileged}}}}}]}}}}"
    )
}

/// Waits until the API server asks the webhook about pods.
fn in_force(up: &Up) {
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        it.contains("pods")
    });
}

#[test]
fn the_seeds_rule_denies_a_privileged_pod_in_production_only() {
    let up = Up::start();
    up.kubectl("create namespace production").ok();
    up.kubectl("create namespace staging").ok();
    let made = up.kubectl_with("apply -f -", &as_resource(SEED, "privileged-container")).ok();
    assert_eq!(made, "portalclusterrule.portal.io/privileged-container created\n");
    up.settles("get pcr privileged-container -o jsonpath={.status.lastApplied}", |it| !it.is_empty());
    in_force(&up);
    let denied = up.kubectl_with("apply -f -", &pod("bad", "production", true)).fails(1);
    let reason = "denied the request: privileged-container: rule violated: privileged-container";
    assert!(denied.contains("admission webhook") && denied.contains(reason), "{denied}");
    up.kubectl_with("apply -f -", &pod("good", "production", false)).ok();
    up.kubectl_with("apply -f -", &pod("elsewhere", "staging", true)).ok();
    assert_eq!(up.kubectl("get pods -n production -o name").ok(), "pod/good\n");
    // The inlined parameters of actions are kept, as the seed writes them.
    let key = up.kubectl("get pcr privileged-container -o jsonpath={.spec.actions[1].key}").ok();
    assert_eq!(key, "portal.security/quarantine");
    let explained = up.kanon(&["explain", "rule/privileged-container"]).ok();
    assert!(explained.contains("container.securityContext.privileged == true"), "{explained}");
    let decisions = up.kanon(&["log", "show", "-o", "json"]).ok();
    let decisions: serde_json::Value = serde_json::from_str(&decisions).expect("JSON");
    let id = decisions[0]["id"].as_str().expect("an id");
    assert_eq!(decisions[0]["record"]["outcome"], "deny");
    let explained = up.kanon(&["explain", &format!("decision/{id}")]).ok();
    assert!(explained.contains("container.securityContext.privileged"), "{explained}");
    assert!(up.kanon(&["log", "verify"]).ok().starts_with("ok: "));
    let deleted = up.kubectl("delete pcr privileged-container").ok();
    assert!(deleted.contains("deleted"));
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks}", |it| !it.contains("pods"));
    up.kubectl_with("apply -f -", &pod("bad", "production", true)).ok();
}

#[test]
fn the_seeds_rule_works_from_a_folder_and_follows_its_file() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path().join("rules");
    std::fs::create_dir(&folder).expect("a folder");
    file(&folder, "seed.yaml", SEED);
    let flags = ["--rules-folder".to_owned(), folder.display().to_string()];
    let up = Up::start_with(scratch, &flags);
    up.kubectl("create namespace production").ok();
    in_force(&up);
    let denied = up.kubectl_with("apply -f -", &pod("bad", "production", true)).fails(1);
    assert!(denied.contains("privileged-container"), "{denied}");
    // An edit that breaks the rule leaves the last good one in force.
    file(&folder, "seed.yaml", &SEED.replace("== true", "=="));
    // A rule that comes after it shows when the edit has been read.
    file(
        &folder,
        "later.yaml",
        &SEED.replace("kind: Pod", "kind: ConfigMap").replace("name: privileged-container", "name: later"),
    );
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks}", |it| it.contains("configmaps"));
    up.kubectl_with("apply -f -", &pod("bad", "production", true)).fails(1);
    std::fs::remove_file(folder.join("seed.yaml")).expect("the file goes");
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks}", |it| !it.contains("pods"));
    up.kubectl_with("apply -f -", &pod("bad", "production", true)).ok();
}

#[test]
fn warn_warns_dryrun_records_and_a_broken_rule_says_so() {
    let up = Up::start();
    up.kubectl("create namespace production").ok();
    let rule = |name: &str, action: &str, expression: &str| {
        let rule = SEED.replace("name: privileged-container", &format!("name: {name}"));
        let rule = rule.replace("enforcementAction: deny", &format!("enforcementAction: {action}"));
        as_resource(&rule.replace("container.securityContext.privileged == true", expression), name)
    };
    let tells = rule("tells", "warn", "container.name == 'c'") + "    - {type: event, reason: Told}\n";
    up.kubectl_with("apply -f -", &tells).ok();
    up.kubectl_with("apply -f -", &rule("notes", "dryrun", "container.name == 'c'")).ok();
    up.kubectl_with("apply -f -", &rule("broken", "deny", "container.name ==")).ok();
    let error = up.settles("get pcr broken -o jsonpath={.status.parseError}", |it| !it.is_empty());
    assert!(error.starts_with("compile: ") && error.contains("(1:"), "{error}");
    for name in ["tells", "notes"] {
        up.settles(&format!("get pcr {name} -o jsonpath={{.status.lastApplied}}"), |it| !it.is_empty());
    }
    in_force(&up);
    let made = up.kubectl_with("apply -f -", &pod("web", "production", true));
    assert_eq!(made.err, "Warning: tells: rule violated: tells\n");
    assert_eq!(made.ok(), "pod/web created\n");
    // Its action speaks of the object; those that have nobody to go to say so.
    let events = up.settles("get events -n production", |it| it.contains("Told"));
    assert!(events.contains("pod/web") && events.contains("tells: rule violated: tells"), "{events}");
    let compiled = up.kubectl("get pcr tells -o jsonpath={.status.conditions[?(@.type=='Compiled')].message}").ok();
    assert!(compiled.contains("action `alertmanager` never runs: no Alertmanager is configured"), "{compiled}");
    let noted = || up.kanon(&["log", "show"]).ok();
    let begun = std::time::Instant::now();
    while !noted().contains("dryrun") {
        assert!(begun.elapsed() < crate::harness::PATIENCE, "{}", noted());
    }
    let table = up.kubectl("get pcr").ok();
    assert!(table.starts_with("NAME"), "{table}");
}
