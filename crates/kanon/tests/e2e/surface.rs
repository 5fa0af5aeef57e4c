//! Small fields of rules and flags around them, from outside: kinds that make pods, `*` in kinds, cases in rules, folders that
//! break and mend.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    alertmanager::Alertmanager,
    harness::{PATIENCE, Ran, Up, file, http_get, kanon},
};

fn run(args: &[&str]) -> Ran {
    Ran::of(kanon().args(args).output().expect("kanon runs"))
}

/// A rule whose kinds, expression and further fields are given.
fn rule(name: &str, kind: &str, expression: &str, more: &str) -> String {
    format!(
        "name: {name}\nenabled: true\nseverity: high\nmode: [admission, audit]\nenforcementAction: deny\nmatch:\n  gvk:\n  \
         - {kind}\nrule: |-\n  {expression}\n{more}"
    )
}

fn as_resource(rule: &str, name: &str) -> String {
    let spec: String = rule.lines().map(|line| format!("  {line}\n")).collect();
    format!("---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n{spec}")
}

#[test]
fn a_kind_is_pod_shaped_where_a_flag_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let kind = "{group: argoproj.io, version: v1alpha1, kind: Rollout}";
    let rules = file(dir.path(), "r.yaml", &rule("tag", kind, "container?.image?.tag == 'latest'", ""));
    let rollout = file(
        dir.path(),
        "m.yaml",
        "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: shop}, spec: {template: {spec: {containers: [
           {name: a, image: a}, {name: b, image: 'b:1'}]}}}}",
    );
    let shape = "argoproj.io/v1alpha1/Rollout=spec.template.spec";
    run(&["check", "-r", &rules, &rollout]).ok();
    let found = run(&["check", "-r", &rules, "--pod-shaped", shape, "-o", "json", &rollout]);
    assert_eq!(found.code, Some(3), "{found:#?}");
    assert!(found.out.contains("\"a\"") && !found.out.contains("\"b\""), "{}", found.out);
    assert_shaped_everywhere(dir.path(), &rules, &rollout, shape);
    let wrong = run(&["check", "-r", &rules, "--pod-shaped", "Rollout", &rollout]).fails(2);
    assert!(wrong.contains("is no pod-shaped kind"), "{wrong}");
}

/// The other commands that look at rules know the kind by the same flag, and not without it.
#[track_caller]
fn assert_shaped_everywhere(dir: &Path, rules: &str, rollout: &str, shape: &str) {
    let none = file(dir, "none.yaml", "[]");
    let stray = "{group: argoproj.io, version: v1alpha1, kind: Rollout}";
    let stray = file(dir, "stray.yaml", &rule("stray", stray, "container?.livenessProbe == nil", ""));
    let review = r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "a", "operation": "CREATE",
        "kind": {"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"}, "namespace": "shop", "name": "shop",
        "object": {"metadata": {"name": "shop", "namespace": "shop"},
                   "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a"}]}}}}}}"#;
    let review = file(dir, "reviews.jsonl", &review.replace('\n', ""));
    for (args, told) in [
        (&["lint", &stray][..], "`container.livenessProbe` is nil for every pod"),
        (&["diff", "--against", &none, "-f", rollout, rules], "1 newly denied"),
        (&["replay", "-r", rules, &review], "1 denied, 1 of them newly"),
    ] {
        let without = run(&[&["policy"], args].concat()).ok();
        assert!(!without.contains(told), "{without}");
        let found = run(&[&["policy"], args, &["--pod-shaped", shape]].concat());
        assert_eq!(found.code, Some(3), "{found:#?}");
        assert!(found.out.contains(told), "{found:#?}");
    }
}

#[test]
fn a_rule_brings_its_own_cases() {
    let dir = tempfile::tempdir().expect("a folder");
    let cases = "tests:\n- {name: bad, object: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}}, \
                 expect: [{outcome: deny}]}\n\
                 - {name: good, object: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}}\n";
    let kind = "{group: '', version: v1, kind: ConfigMap}";
    let rules = file(dir.path(), "r.yaml", &rule("empty", kind, "object.data != nil", cases));
    // Another rule's violations are its own affair.
    file(dir.path(), "other.yaml", &rule("never", kind, "true", ""));
    let passed = run(&["policy", "test", &dir.path().display().to_string()]).ok();
    assert!(passed.contains("ok    bad") && passed.contains("ok    good"), "{passed}");
    file(dir.path(), "r.yaml", &rule("empty", kind, "object.data == nil", cases));
    let told = run(&["portal", "test", &rules]);
    assert_eq!(told.code, Some(1), "{told:#?}");
    assert!(told.out.contains("FAIL  bad: expected empty deny; found nothing"), "{}", told.out);
    let broken = "tests:\n- {name: odd, objekt: {}}\n";
    file(dir.path(), "r.yaml", &rule("empty", kind, "object.data != nil", broken));
    let linted = run(&["policy", "lint", &rules]);
    assert!(linted.out.contains("tests[0].objekt") && linted.out.contains("tests[0].object"), "{linted:#?}");
    assert_eq!(run(&["policy", "test", &rules]).code, Some(1));
}

#[test]
fn a_star_means_every_kind_but_events_and_leases_and_kinds_that_come_later_too() {
    let up = Up::start();
    let any = rule("any", "{group: '*', version: '*', kind: '*'}", "metadata.labels?.bad == 'yes'", "");
    up.kubectl_with("apply -f -", &as_resource(&any, "any")).ok();
    let asked = "get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}";
    let resources = up.settles(asked, |it| it.contains("configmaps") && it.contains("clusterroles"));
    assert!(!resources.contains("leases") && !resources.contains("\"events\""), "{resources}");
    let map = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: default, labels: {bad: 'yes'}}}";
    let denied = up.kubectl_with("apply -f -", map).fails(1);
    assert!(denied.contains("any: rule violated: any"), "{denied}");
    let crd = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gizmos.shop.example}
spec:
  group: shop.example
  scope: Namespaced
  names: {kind: Gizmo, plural: gizmos, singular: gizmo}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
";
    up.kubectl_with("apply -f -", crd).ok();
    up.settles(asked, |it| it.contains("gizmos"));
    let gizmo = "---\n{apiVersion: shop.example/v1, kind: Gizmo, metadata: {name: g, namespace: default, labels: {bad: 'yes'}}}";
    let denied = up.kubectl_with("apply -f -", gizmo).fails(1);
    assert!(denied.contains("any: rule violated: any"), "{denied}");
}

/// A folder like a mounted ConfigMap: `swap` puts a version in force.
struct Mounted<'d>(&'d Path);

impl Mounted<'_> {
    fn swap(&self, version: &str, name: &str, text: Option<&str>) {
        let (folder, link) = (self.0.join(version), self.0.join("..data_tmp"));
        if let Some(text) = text {
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(folder.join(name), text).expect("a file");
        }
        std::os::unix::fs::symlink(version, &link).expect("a link");
        std::fs::rename(&link, self.0.join("..data")).expect("a swap");
        if !self.0.join(name).is_symlink() {
            std::os::unix::fs::symlink(format!("..data/{name}"), self.0.join(name)).expect("a link");
        }
    }
}

/// Waits until the page of rules is as wanted.
#[track_caller]
fn page(up: &Up, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let text = http_get(&up.metrics_address(), "/rules?format=json").expect("the page answers");
        let page: Value = serde_json::from_str(&text).expect("JSON");
        if wanted(&page) {
            return page;
        }
        assert!(begun.elapsed() < PATIENCE, "{page:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_folder_that_breaks_is_told_of_and_its_rules_stay() {
    let scratch = tempfile::tempdir().expect("a folder");
    let rules = scratch.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    let mounted = Mounted(&rules);
    let good = rule("maps", "{group: '', version: v1, kind: ConfigMap}", "metadata.labels?.bad == 'yes'", "");
    mounted.swap("..v1", "rule.yaml", Some(&good));
    let folder = rules.display().to_string();
    let up = Up::start_with(scratch, &["--rules-folder", &folder]);
    let rule_of = |page: &Value| page["files"][0]["rules"][0].clone();
    let at_first = page(&up, |it| it["files"][0]["ok"] == true);
    assert_eq!((&rule_of(&at_first)["name"], &rule_of(&at_first)["active"]), (&"maps".into(), &true.into()));
    let problem = r#"portal_folder_file_problems{folder="rules",file="rule.yaml"} 1"#;
    assert!(!up.metrics().contains(problem));
    for (version, text, why) in [("..v2", Some("name: [oops"), "is not YAML"), ("..v3", None, "cannot be read")] {
        mounted.swap(version, "rule.yaml", text);
        let broken = page(&up, |it| rule_of(it)["problem"].as_str().is_some_and(|it| it.contains(why)));
        assert_eq!((&broken["files"][0]["path"], &broken["files"][0]["ok"]), (&"rule.yaml".into(), &false.into()));
        assert_eq!(rule_of(&broken)["active"], true, "the last good one stays: {broken:#}");
        up.counts(problem);
    }
    let text = http_get(&up.metrics_address(), "/rules").expect("the page answers");
    assert!(text.starts_with("rule.yaml:\n  maps active: ") && text.contains("cannot be read"), "{text}");
    mounted.swap("..v4", "rule.yaml", Some(&good));
    page(&up, |it| it["files"][0]["ok"] == true);
    assert!(!up.metrics().contains(problem));
}

#[test]
fn templates_of_alerts_come_from_a_folder_and_follow_it() {
    let scratch = tempfile::tempdir().expect("a folder");
    let templates = scratch.path().join("templates");
    std::fs::create_dir(&templates).expect("a folder");
    file(&templates, "insecure.yaml", "labels: {team: '{{ namespace }}-owners'}\n");
    let alertmanager = Alertmanager::start();
    let (url, folder) = (alertmanager.url(), templates.display().to_string());
    let up = Up::start_with(scratch, &["--alertmanager-url", &url, "--alert-templates", &folder]);
    let of = |name: &str| {
        let expression = format!("metadata.labels?.bad == '{name}'");
        let kind = "{group: '', version: v1, kind: ConfigMap}";
        let rule = rule(name, kind, &expression, "alert: insecure\n").replace("deny", "dryrun");
        as_resource(&rule.replace("[admission, audit]", "[audit]"), name)
    };
    up.kubectl_with("apply -f -", &(of("first") + &of("second"))).ok();
    let map = |name: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: default, labels: {{bad: {name}}}}}\n"
        )
    };
    up.kubectl_with("apply -f -", &map("first")).ok();
    let firing = alertmanager.settles(|it| it.len() == 1);
    assert_eq!(firing[0]["labels"]["team"], "default-owners");
    // A broken text does not replace the good one.
    file(&templates, "insecure.yaml", "labels: {severity: none}\n");
    up.counts(r#"portal_folder_file_problems{folder="alert-templates",file="insecure.yaml"} 1"#);
    file(&templates, "insecure.yaml", "labels: {team: others}\n");
    let begun = Instant::now();
    while up.metrics().contains("portal_folder_file_problems{folder=\"alert-templates\"") {
        assert!(begun.elapsed() < PATIENCE, "the folder is not followed");
        std::thread::sleep(Duration::from_millis(50));
    }
    up.kubectl_with("apply -f -", &map("second")).ok();
    let firing = alertmanager.settles(|it| it.len() == 2);
    assert!(firing.iter().any(|it| it["labels"]["team"] == "others"), "{firing:#?}");
}
