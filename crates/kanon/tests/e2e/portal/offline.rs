//! The verbs that need no cluster, and how the command answers what makes no sense.

use std::path::Path;

use serde_json::Value;

use super::portal;
use crate::harness::{Ran, feed, file, kanon};

const RULES: &str = "\
- name: no-privileged
  enabled: true
  severity: high
  mode: [admission, audit]
  enforcementAction: deny
  match: {gvk: [{group: '', version: v1, kind: Pod}]}
  rule: container.securityContext.privileged == true && container.name != 'trusted'
- name: team
  enabled: true
  mode: [audit]
  match: {gvk: [{group: '', version: v1, kind: Namespace}]}
  rule: metadata.labels?.team == nil
";

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {containers: [
  {name: c, image: x, securityContext: {privileged: true}}, {name: trusted, image: x, securityContext: {privileged: true}}]}}";

const TESTS: &str = "\
apiVersion: kanon.dev/v1alpha1
kind: PortalRuleTest
rules: [rules.yaml]
cases:
- name: a privileged container is refused
  object: &pod {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, image: x, securityContext: {privileged: true}}]}}
  expect: [{rule: no-privileged, outcome: deny, container: c, message: rule violated}]
- name: the audit finds it, too
  mode: audit
  object: *pod
  expect: [{rule: no-privileged, outcome: violation}]
- name: a trusted one passes
  object: {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: trusted, image: x, securityContext: {privileged: true}}]}}
- name: so does an ordinary one
  object: {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, image: x}]}}
";

fn run(scratch: &Path, args: &[&str]) -> Ran {
    Ran::of(portal(scratch).args(args).output().expect("it runs"))
}

#[test]
fn errors_end_with_1_under_the_originals_name_and_help_is_none() {
    let scratch = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| run(scratch.path(), args);
    for (args, want) in [
        (&["run", "--nonsense"][..], "portal: unexpected argument '--nonsense' found"),
        (&["migrate-rules"][..], "portal: the following required arguments were not provided"),
        (&["nonsense"][..], "portal: unrecognized subcommand 'nonsense'"),
        (&["run", "--audit=perhaps"][..], "portal: invalid value 'perhaps' for '--audit"),
        (&["run", "--kubeconfig=/none", "--metrics-addr=:port"][..], "portal: --metrics-addr: `:port` is no address"),
        (&["run", "--kubeconfig=/none"][..], "portal: no usable kubeconfig"),
        (&["init-certs", "--service="][..], "portal: --service is required"),
        (&["migrate-rules", "/none"][..], "portal: failed to read `/none`"),
    ] {
        let error = run(args).fails(1);
        assert!(error.lines().any(|it| it.starts_with(want)), "{args:?}: {error}");
    }
    let version = run(&["--version"]).ok();
    assert_eq!(version, format!("portal version {}\n", env!("CARGO_PKG_VERSION")));
    for args in [&[][..], &["--help"][..], &["help"][..]] {
        let help = run(args).ok();
        assert!(help.contains("Usage: portal") && help.contains("init-certs") && !help.contains("docgen"), "{help}");
    }
    let help = run(&["run", "--help"]).ok();
    for want in ["--webhook-dns", "[default: :8443]", "[default: portal-system]", "/etc/portal/certs"] {
        assert!(help.contains(want), "{want}: {help}");
    }
    // The same as a verb of our own name.
    let error = Ran::of(kanon().args(["portal", "run", "--nonsense"]).output().expect("it runs")).fails(1);
    assert!(error.starts_with("portal: unexpected argument") && error.contains("Usage: kanon portal run"), "{error}");
    assert!(
        Ran::of(kanon().args(["--log-level", "debug", "portal", "migrate-rules", "/none"]).output().expect("it runs"))
            .fails(1)
            .starts_with("portal: ")
    );
}

#[test]
fn the_reference_and_completions_are_made_of_the_definitions() {
    let scratch = tempfile::tempdir().expect("a folder");
    let all = run(scratch.path(), &["docgen"]).ok();
    let verbs: Vec<_> = all.lines().filter_map(|it| it.strip_prefix("## portal ")).collect();
    let mut sorted = verbs.clone();
    sorted.sort_unstable();
    assert_eq!(verbs, sorted);
    assert!(verbs.contains(&"init-certs") && !verbs.contains(&"docgen"), "{verbs:?}");
    assert!(all.contains("| `--install-namespace <NAMESPACE>` | `portal-system` |"), "{all}");
    let folder = scratch.path().join("reference");
    run(scratch.path(), &["docgen", "--dir", &folder.display().to_string()]).ok();
    let page = std::fs::read_to_string(folder.join("portal_run.md")).expect("a page");
    assert!(all.contains(&page));
    let one = scratch.path().join("all.md").display().to_string();
    run(scratch.path(), &["docgen", "--out", &one]).ok();
    assert_eq!(std::fs::read_to_string(&one).expect("a file"), all);
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = run(scratch.path(), &["completion", shell]).ok();
        assert!(script.contains("migrate-rules"), "{shell}");
    }
}

#[test]
fn rules_are_linted_tested_applied_and_explained() {
    let scratch = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| run(scratch.path(), args);
    let rules = file(scratch.path(), "rules.yaml", RULES);
    let pod = file(scratch.path(), "pod.yaml", POD);

    assert_eq!(run(&["lint", &rules]).ok(), "2 rules, 0 findings\n");
    let odd = "\
- {name: a, enabled: true, mode: [audit], enforcementAction: deny, match: {gvk: [{group: '', version: v1, kind: Pods}]}, rule: 'true ='}
- {name: b, enabled: true, mode: [audit], enforcementAction: deny, match: {gvk: [{group: '', version: v1, kind: Pods}]}, rule: object.x == 1}
- {name: c, enabled: true, mode: [], match: {gvk: [{group: '', version: v1, kind: Node}], namespaces: {include: [a]}}, rule: object.x == 1}
";
    let odd = file(scratch.path(), "odd.yaml", odd);
    let found = run(&["lint", &odd, "-o", "json"]);
    assert_eq!(found.code, Some(3), "{found:?}");
    let found: Value = serde_json::from_str(&found.out).expect("JSON");
    let row = |it: &Value| format!("{} {} {}", it["rule"], it["level"], it["message"]).replace('"', "");
    let found: Vec<_> = found["findings"].as_array().expect("findings").iter().map(row).collect();
    for want in [
        "a error compile: ",
        "b warning `enforcementAction`: `deny` has no effect: `mode` has no `admission`",
        "b warning `match.gvk`: Kubernetes has no kind `Pods` in `v1`",
        "c warning `mode` is empty: no loop evaluates the rule",
        "c warning `match.namespaces.include`: the rule matches nothing",
    ] {
        assert!(found.iter().any(|it| it.starts_with(want)), "{want}: {found:#?}");
    }

    let tests = file(scratch.path(), "rules.ruletest.yaml", TESTS);
    let told = run(&["test", &tests, "--coverage"]).ok();
    assert!(told.contains("  ok    a trusted one passes\n") && told.contains("  team: never asked\n"), "{told}");
    assert!(
        told.ends_with(
            "2 rules, 0 invalid; 4 unit tests, 0 failed; 1 rules seen violated and not, 4 of 6 outcomes of operands\n"
        ),
        "{told}"
    );
    // Tests beside the rules are found; a wrong one fails, and says what came instead.
    file(scratch.path(), "rules.ruletest.yaml", &TESTS.replace("outcome: deny", "outcome: warn"));
    let junit = scratch.path().join("report.xml").display().to_string();
    let failed = run(&["test", &rules, "--junit", &junit]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let want = "FAIL  a privileged container is refused: expected no-privileged warn; found no-privileged deny (container c): ";
    assert!(failed.out.contains(want), "{}", failed.out);
    assert!(std::fs::read_to_string(&junit).expect("a report").contains("failures=\"1\""));
    let broken = file(scratch.path(), "typo.ruletest.yaml", &TESTS.replace("expect:", "expects:"));
    assert!(run(&["test", &broken]).fails(1).contains("unknown field `expects`"));

    let found = run(&["apply", &rules, &pod, "-o", "json"]);
    assert_eq!(found.code, Some(3), "{found:?}");
    let found: Value = serde_json::from_str(&found.out).expect("JSON");
    assert_eq!((&found["denied"], &found["findings"][0]["part"]), (&1.into(), &"c".into()));
    let told = run(&["explain", &rules, &pod]).ok();
    assert!(told.starts_with("no-privileged on Pod shop/a, container c: violated\n"), "{told}");
    assert!(told.contains("no-privileged on Pod shop/a, container trusted: not violated\n"), "{told}");
    assert!(told.lines().any(|it| it.split_whitespace().eq(["container.name", "\"trusted\""])), "{told}");
}

#[test]
fn lookups_find_fixtures() {
    let scratch = tempfile::tempdir().expect("a folder");
    let rule = "name: owned\nenabled: true\nmode: [admission]\nenforcementAction: deny\nmatch: {gvk: [{group: '', version: v1, kind: Pod}]}\nrule: not cluster.configmaps.exists(metadata.namespace, 'owner')\n";
    let rule = file(scratch.path(), "rule.yaml", rule);
    let pod = file(scratch.path(), "pod.yaml", POD);
    let map =
        file(scratch.path(), "map.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: owner, namespace: shop}}");
    assert_eq!(run(scratch.path(), &["apply", &rule, &pod]).code, Some(3));
    run(scratch.path(), &["apply", &rule, &pod, "--fixtures", &map]).ok();
}

#[test]
fn recorded_requests_are_asked_about_again() {
    let scratch = tempfile::tempdir().expect("a folder");
    let rules = file(scratch.path(), "rules.yaml", RULES);
    let review = |name: &str, privileged: bool, allowed: &str| {
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"{name}","operation":"CREATE",
            "kind":{{"group":"","version":"v1","kind":"Pod"}},"namespace":"shop","name":"{name}","userInfo":{{"username":"eve"}},
            "object":{{"metadata":{{"name":"{name}","namespace":"shop"}},"spec":{{"containers":[{{"name":"c","securityContext":
            {{"privileged":{privileged}}}}}]}}}}}}{allowed}}}"#
        )
    };
    let recorded = [
        review("a", true, ""),
        review("b", false, ""),
        review("c", true, r#","response":{"uid":"c","allowed":false}"#),
        review("d", false, r#","response":{"uid":"d","allowed":false}"#),
    ]
    .join("\n");
    let recording = file(scratch.path(), "reviews.jsonl", &recorded);
    let found = run(scratch.path(), &["replay", "-r", &rules, &recording]);
    assert_eq!(found.code, Some(3), "{found:?}");
    let rows: Vec<Vec<_>> = found.out.lines().map(|it| it.split_whitespace().skip(1).take(6).collect()).collect();
    assert_eq!(rows[1], ["CREATE", "Pod", "shop/a", "eve", "-", "deny"]);
    assert_eq!(rows[2], ["CREATE", "Pod", "shop/c", "eve", "denied", "deny"]);
    assert_eq!(rows[3], ["CREATE", "Pod", "shop/d", "eve", "denied", "allow"]);
    assert!(found.out.ends_with("4 requests, 2 denied, 1 of them newly; 1 denied then and not now\n"), "{}", found.out);
    // From standard input; nothing new, nothing found.
    let known = review("c", true, r#","response":{"uid":"c","allowed":false}"#);
    feed(portal(scratch.path()).args(["replay", "-r", &rules, "-"]), &known).ok();
    let nonsense = file(scratch.path(), "pod.yaml", POD);
    assert!(run(scratch.path(), &["replay", "-r", &rules, &nonsense]).fails(1).contains("neither an AdmissionReview"));
}

#[test]
fn rights_follow_the_flags_and_the_rules() {
    let scratch = tempfile::tempdir().expect("a folder");
    let rules = file(
        scratch.path(),
        "rules.yaml",
        "- {name: w, enabled: true, mode: [audit], match: {gvk: [{group: shop.example, version: v1, kind: Widget}]}, rule: object.x == 1}
- {name: s, enabled: true, mode: [admission], match: {gvk: [{group: '', version: v1, kind: Pod}]}, rule: \"not consistentCluster.secrets.exists('a', 'b')\"}
- {name: e, enabled: true, mode: [audit], match: {gvk: [{group: '', version: v1, kind: Pod}]}, rule: object.x == 1, actions: [{type: evict}]}
",
    );
    let definition = file(
        scratch.path(),
        "crd.yaml",
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgetry.shop.example},
        spec: {group: shop.example, scope: Namespaced, names: {kind: Widget, plural: widgetry}, versions: [{name: v1}]}}",
    );
    let rights = |command: &mut std::process::Command, args: &[&str]| {
        let ran = Ran::of(command.args(args).args(["-o", "json"]).output().expect("it runs"));
        let list: Value = serde_json::from_str(&ran.out).expect("JSON");
        let rules =
            list["items"].as_array().expect("items").iter().flat_map(|it| it["rules"].as_array().into_iter().flatten());
        let text = |it: &Value| it.as_str().expect("text").to_owned();
        let line = |it: &Value| {
            let verbs: Vec<_> = it["verbs"].as_array().expect("verbs").iter().map(text).collect();
            format!("{} {}", text(&it["resources"][0]), verbs.join(","))
        };
        (rules.map(line).collect::<Vec<_>>(), ran)
    };
    let run = |args: &[&str]| rights(portal(scratch.path()).arg("rbac"), args);
    // Of a kind that nobody knows nothing is granted, and that is said.
    let (found, ran) = run(&["-r", &rules, "--audit"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("rule w: no definition of shop.example/v1 Widget is known"), "{}", ran.err);
    assert!(found.iter().all(|it| !it.starts_with("widget")), "{found:?}");
    let (found, ran) = run(&["-r", &rules, "-r", &definition, "--audit", "--author-check"]);
    ran.ok();
    for want in [
        "widgetry list,watch",
        "secrets get,list,watch",
        "pods get,list,watch",
        "pods/eviction create",
        "subjectaccessreviews create",
    ] {
        assert!(found.iter().any(|it| it == want), "{want}: {found:#?}");
    }
    // Without the loop nothing is read for it, and nothing is done.
    let (found, ran) = run(&["-r", &rules]);
    ran.fails(3);
    assert!(found.iter().all(|it| !it.starts_with("pods")), "{found:#?}");
    // The other name, the other process: its own registration, every family's policies.
    let (found, ran) = rights(kanon().arg("rbac"), &["-r", &rules, "-r", &definition, "--audit"]);
    ran.ok();
    for want in ["validatingwebhookconfigurations create,patch", "policygates list,watch", "widgetry list,watch"] {
        assert!(found.iter().any(|it| it == want), "{want}: {found:#?}");
    }
}
