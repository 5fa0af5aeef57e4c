//! `kanon check` from outside: every output, every place in a manifest, and the same verdicts as a live API server.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Ran, Up, feed, file, kanon};

fn run(args: &[&str]) -> Ran {
    Ran::of(kanon().args(args).output().expect("kanon runs"))
}

fn rule(name: &str, action: &str, expression: &str) -> String {
    format!(
        "---\nname: {name}\nenabled: true\nseverity: high\nmode: [admission, audit]\nenforcementAction: {action}\nmatch:\n  gvk:\n  \
         - {{group: '', version: v1, kind: Pod}}\n  - {{group: '', version: v1, kind: ConfigMap}}\n  \
         - {{group: apps, version: v1, kind: Deployment}}\n  - {{group: batch, version: v1, kind: CronJob}}\n\
         rule: |-\n  {expression}\nmessage: '<{{{{ metadata.name }}}}>'\n"
    )
}

const MANIFESTS: &str = "\
# Source: chart/templates/a.yaml
---
# nothing here
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels:
    app: web
spec:
  hostNetwork: true
  initContainers:
  - name: init
    image: docker.io/library/init:1
  containers:
  - name: main
    image: registry.example.com/web:1
    securityContext:
      seccompProfile:
        type: Unconfined
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: clean}
spec:
  schedule: '0 0 * * *'
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: main
            image: docker.io/clean
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: settings}
  data:
    mode: debug
";

/// The place and the field that a rule with this expression is told to be about.
fn place(expression: &str) -> (String, String) {
    let scratch = tempfile::tempdir().expect("a folder");
    let rules = file(scratch.path(), "rules.yaml", &rule("r", "deny", expression));
    let ran = feed(kanon().args(["check", "-r", &rules, "-o", "json", "-"]), MANIFESTS);
    assert_eq!(ran.code, Some(3), "{expression}: {ran:#?}");
    let found: Value = serde_json::from_str(&ran.out).expect("JSON");
    let first = &found["findings"][0];
    (format!("{}:{}", first["line"], first["column"]), first["field"].as_str().expect("text").to_owned())
}

#[test]
fn findings_stand_at_the_field_that_offends() {
    for (expression, position, field) in [
        ("spec.hostNetwork == true", "12:3", "spec.hostNetwork"),
        ("object.spec?.hostNetwork == true", "12:3", "spec.hostNetwork"),
        ("container.image.registry == 'docker.io'", "15:5", "spec.initContainers[0].image"),
        (
            "container.securityContext.seccompProfileType == 'Unconfined'",
            "21:9",
            "spec.containers[0].securityContext.seccompProfile.type",
        ),
        // What narrows down is not what offends.
        ("container.name == 'main' && container.image.tag == '1'", "18:5", "spec.containers[0].image"),
        (
            "object.kind == 'CronJob' && container.image.tag == 'latest'",
            "35:13",
            "spec.jobTemplate.spec.template.spec.containers[0].image",
        ),
        ("metadata.name == 'settings'", "42:14", "metadata.name"),
        // Of an alternative, the side that is true.
        ("spec?.hostPID == true || spec?.hostNetwork == true", "12:3", "spec.hostNetwork"),
        ("spec?.hostNetwork == true || spec?.hostPID == true", "12:3", "spec.hostNetwork"),
        ("metadata.labels?.app == 'x' || metadata.name == 'web'", "8:3", "metadata.name"),
        // What is missing stands where it would be.
        ("object.kind == 'Pod' && securityContext.runAsNonRoot != true", "11:1", "spec.securityContext.runAsNonRoot"),
        (
            "container?.containerType == 'init' && container.securityContext.privileged == nil",
            "14:5",
            "spec.initContainers[0].securityContext.privileged",
        ),
        (
            "container != nil && container.containerType == 'standard' && container.securityContext.privileged == nil",
            "19:5",
            "spec.containers[0].securityContext.privileged",
        ),
        ("object.data?.mode == 'debug'", "44:5", "data.mode"),
        // Nothing of the object is read.
        ("request?.operation == 'CREATE'", "5:1", ""),
    ] {
        assert_eq!(place(expression), (position.to_owned(), field.to_owned()), "{expression}");
    }
}

fn scene() -> (tempfile::TempDir, String, String) {
    let scratch = tempfile::tempdir().expect("a folder");
    let rules = [
        rule("denies", "deny", "container?.image.registry == 'docker.io'"),
        rule("warns", "warn", "spec?.hostNetwork == true"),
        rule("notes", "dryrun", "object.data?.mode == 'debug'"),
    ];
    let rules = file(scratch.path(), "rules.yaml", &rules.concat());
    let manifests = file(scratch.path(), "all.yaml", MANIFESTS);
    (scratch, rules, manifests)
}

#[test]
fn tables_and_json_say_what_and_where() {
    let (_scratch, rules, manifests) = scene();
    let table = run(&["check", "-r", &rules, &manifests]);
    assert_eq!(table.code, Some(3), "{table:#?}");
    assert!(table.out.contains(&format!("{manifests}:15:5")), "{}", table.out);
    assert!(table.out.ends_with("3 manifests checked, 4 findings, 2 denied\n"), "{}", table.out);
    let data: Value = serde_json::from_str(&run(&["check", "-r", &rules, "-o", "json", &manifests]).out).expect("JSON");
    assert_eq!((&data["mode"], &data["checked"], &data["denied"]), (&json!("admission"), &json!(3), &json!(2)));
    let first = &data["findings"][0];
    assert_eq!(
        *first,
        json!({"manifest": format!("{manifests}#1"), "file": manifests, "line": 15, "column": 5,
            "field": "spec.initContainers[0].image", "subject": "Pod default/web", "policy": "denies", "severity": "high",
            "part": "init", "outcome": "deny", "message": "<web>"})
    );
    let yaml = run(&["check", "-r", &rules, "-o", "yaml", &manifests]).out;
    assert!(yaml.contains("policy: denies"), "{yaml}");
    // In audit every violation counts, whatever admission would do.
    let data: Value =
        serde_json::from_str(&run(&["check", "-r", &rules, "--mode", "audit", "-o", "json", &manifests]).out)
            .expect("JSON");
    assert_eq!((&data["violations"], &data["findings"][0]["outcome"]), (&json!(4), &json!("violation")));
}

#[test]
fn sarif_has_what_its_schema_requires() {
    let (_scratch, rules, manifests) = scene();
    let ran = run(&["check", "-r", &rules, "-o", "sarif", &manifests]);
    assert_eq!(ran.code, Some(3));
    let log: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&log["version"], log["runs"].as_array().map(Vec::len)), (&json!("2.1.0"), Some(1)));
    assert!(log["$schema"].as_str().is_some_and(|it| it.contains("sarif-2.1.0")));
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "kanon");
    let rules = driver["rules"].as_array().expect("rules");
    assert_eq!(
        rules.iter().map(|it| it["id"].as_str().expect("an id")).collect::<Vec<_>>(),
        ["denies", "notes", "warns"]
    );
    assert!(rules.iter().all(|it| it["properties"]["security-severity"] == "8.0"));
    let results = run["results"].as_array().expect("results");
    let mut prints = BTreeSet::new();
    for it in results {
        assert!(it["message"]["text"].as_str().is_some_and(|it| !it.is_empty()));
        assert!(matches!(it["level"].as_str(), Some("error" | "warning" | "note")));
        let at = it["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(rules[at]["id"], it["ruleId"]);
        let place = &it["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], manifests.as_str());
        assert!(place["region"]["startLine"].as_u64().is_some_and(|it| it >= 1));
        assert!(place["region"]["startColumn"].as_u64().is_some_and(|it| it >= 1));
        assert!(it["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].is_string());
        assert!(prints.insert(it["partialFingerprints"]["kanonFinding/v1"].as_str().expect("text").to_owned()));
    }
    let levels: Vec<_> =
        results.iter().map(|it| (it["ruleId"].as_str().unwrap_or(""), it["level"].as_str().unwrap_or(""))).collect();
    assert_eq!(levels, [("denies", "error"), ("warns", "warning"), ("denies", "error"), ("notes", "note")]);
    // Nothing found is a log without results, not an empty text.
    let (_scratch, rules, _) = scene();
    let clean = feed(kanon().args(["check", "-r", &rules, "-o", "sarif", "-"]), "");
    assert_eq!(serde_json::from_str::<Value>(&clean.ok()).expect("JSON")["runs"][0]["results"], json!([]));
}

#[test]
fn junit_and_markdown_are_for_ci() {
    let (_scratch, rules, manifests) = scene();
    let xml = run(&["check", "-r", &rules, "-o", "junit", &manifests]);
    assert_eq!(xml.code, Some(3));
    assert!(
        xml.out.contains("<testsuites name=\"kanon check\" tests=\"3\" skipped=\"0\" failures=\"2\""),
        "{}",
        xml.out
    );
    assert!(xml.out.contains("message=\"denies: &lt;web&gt;\" type=\"deny\""), "{}", xml.out);
    assert!(xml.out.contains("<system-out>") && xml.out.contains("warn warns"), "{}", xml.out);
    let text = run(&["check", "-r", &rules, "-o", "markdown", &manifests]).out;
    assert!(text.starts_with("**kanon check**: 3 manifests checked, 4 findings, 2 denied\n\n| place |"), "{text}");
    assert!(text.contains("Pod default/web (container `init`) | `denies` | deny | &lt;web> |\n"), "{text}");
}

#[test]
fn requests_are_whose_and_what_the_flags_say() {
    let scratch = tempfile::tempdir().expect("a folder");
    let ask = |expression: &str, flags: &[&str]| {
        let rules = file(scratch.path(), "rules.yaml", &rule("r", "deny", expression));
        let args = [&["check", "-r", &rules, "-"], flags].concat();
        feed(kanon().args(args), "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}").code
    };
    let eve = "request.userInfo.username == 'eve' && 'dev' in request.userInfo.groups";
    assert_eq!((ask(eve, &[]), ask(eve, &["--as", "eve", "--as-group", "dev"])), (Some(0), Some(3)));
    let delete = "request.operation == 'DELETE'";
    assert_eq!((ask(delete, &[]), ask(delete, &["--operation", "delete"])), (Some(0), Some(3)));
    assert_eq!(ask("request.operation == 'UPDATE'", &["--operation", "update"]), Some(3));
    let here = "metadata.namespace == 'shop' && request.namespace == 'shop'";
    assert_eq!((ask(here, &[]), ask(here, &["-n", "shop"])), (Some(0), Some(3)));
}

#[test]
fn lookups_find_the_manifests_of_the_same_run() {
    let scratch = tempfile::tempdir().expect("a folder");
    let expression = "object.kind == 'Deployment' && none(cluster.poddisruptionbudgets.list(metadata.namespace, {}), \
                      .spec?.selector?.matchLabels?.app == object.spec.template.metadata.labels?.app)";
    let rules = file(scratch.path(), "rules.yaml", &rule("has-budget", "deny", expression));
    let deployment = "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c}]}}}}\n";
    let budget = "---\n{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: {selector: {matchLabels: {app: web}}}}\n";
    for mode in ["admission", "audit"] {
        let ask = |manifests: &str| feed(kanon().args(["check", "-r", &rules, "--mode", mode, "-"]), manifests).code;
        assert_eq!((ask(deployment), ask(&format!("{deployment}{budget}"))), (Some(3), Some(0)), "{mode}");
        // Elsewhere it does not help.
        let elsewhere = budget.replace("metadata: {name: web}", "metadata: {name: web, namespace: other}");
        assert_eq!(ask(&format!("{deployment}{elsewhere}")), Some(3), "{mode}");
    }
}

#[test]
fn only_what_lives_in_a_namespace_gets_one() {
    let scratch = tempfile::tempdir().expect("a folder");
    let kinds = "[{group: '', version: v1, kind: Namespace}, {group: a.b, version: v1, kind: Zone}, {group: a.b, version: v1, kind: Plot}, {group: portal.io, version: v1alpha1, kind: PortalClusterRule}]";
    let rules = format!(
        "name: r\nenabled: true\nmode: [admission]\nenforcementAction: deny\nmatch: {{gvk: {kinds}}}\nrule: metadata.namespace != ''\n"
    );
    let rules = file(scratch.path(), "rules.yaml", &rules);
    let manifests = "
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: zones.a.b}, spec: {group: a.b, scope: Cluster, names: {kind: Zone}}}
---
{apiVersion: a.b/v1, kind: Zone, metadata: {name: b}}
---
{apiVersion: a.b/v1, kind: Plot, metadata: {name: c}}
---
{apiVersion: portal.io/v1alpha1, kind: PortalClusterRule, metadata: {name: d}}
";
    let ran = feed(kanon().args(["check", "-r", &rules, "-o", "json", "-"]), manifests);
    let found: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:#?}"));
    let subjects: Vec<_> =
        found["findings"].as_array().expect("a list").iter().map(|it| it["subject"].as_str().expect("text")).collect();
    assert_eq!(subjects, ["Plot default/c"]);
}

#[test]
fn actions_that_would_never_run_are_said() {
    let scratch = tempfile::tempdir().expect("a folder");
    let actions = "actions: [{type: evikt}, {type: label}, {type: evict, rateLimit: 5/day}, {type: alertmanager}]\n";
    let rules = file(scratch.path(), "rules.yaml", &(rule("r", "deny", "object.data?.x == 'y'") + actions));
    let ran = feed(kanon().args(["check", "-r", &rules, "-"]), "");
    for said in [
        "action `evikt` is not run by this version: did you mean `evict`?",
        "action `label` never runs: parameter `key`",
        "`actions[2].rateLimit`: `5/day` is not a rate",
    ] {
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    // Whether there is an Alertmanager is not known here.
    assert!(!ran.err.contains("alertmanager"), "{}", ran.err);
}

#[test]
fn what_is_no_check_is_said() {
    let scratch = tempfile::tempdir().expect("a folder");
    let rules = file(
        scratch.path(),
        "rules.yaml",
        &rule("r", "deny", "object.data?.x == 'y'").replace("[admission, audit]", "[audit]"),
    );
    let manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}";
    let ran = feed(kanon().args(["check", "-r", &rules, "-"]), manifest);
    assert!(ran.err.contains("warning: no rule is active in mode `admission`"), "{}", ran.err);
    assert_eq!(ran.ok(), "1 manifests checked, 0 findings, 0 denied\n");
    let error = feed(kanon().args(["check", "-r", &rules, "-"]), "a: 1").fails(1);
    assert!(error.contains("`-#1` is no manifest: `apiVersion` and `kind` are required"), "{error}");
    let error = feed(kanon().args(["check", "-r", &rules, "-"]), "a: [").fails(1);
    assert!(error.contains("`-` is no YAML"), "{error}");
    let broken = file(scratch.path(), "broken.yaml", &rule("r", "deny", "a =="));
    let error = feed(kanon().args(["check", "-r", &broken, "-"]), manifest).fails(1);
    assert!(error.contains("rule `r`") && error.contains("compile: "), "{error}");
}

#[test]
fn what_kustomize_prints_is_checked_as_it_comes() {
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = scratch.path().join("overlay");
    std::fs::create_dir(&folder).expect("a folder");
    file(
        &folder,
        "kustomization.yaml",
        "namespace: shop\nnamePrefix: prod-\nresources: [all.yaml]\nimages: [{name: docker.io/clean, newTag: '7'}]\n",
    );
    file(&folder, "all.yaml", MANIFESTS.split("---\napiVersion: v1\nkind: List").next().expect("the rest"));
    let built =
        std::process::Command::new("kubectl").arg("kustomize").arg(&folder).env("HOME", scratch.path()).output();
    let built = Ran::of(built.expect("kubectl runs")).ok();
    let rules = file(scratch.path(), "rules.yaml", &rule("r", "deny", "container?.image.registry == 'docker.io'"));
    let ran = feed(kanon().args(["check", "-r", &rules, "-o", "json", "-"]), &built);
    let found: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:#?}"));
    let subjects: BTreeSet<_> =
        found["findings"].as_array().expect("a list").iter().map(|it| it["subject"].as_str().expect("text")).collect();
    assert_eq!(subjects, BTreeSet::from(["CronJob shop/prod-clean", "Pod shop/prod-web"]));
    for it in found["findings"].as_array().expect("a list") {
        let line = built.lines().nth(it["line"].as_u64().expect("a line") as usize - 1).expect("the line");
        let column = it["column"].as_u64().expect("a column") as usize - 1;
        assert!(line[column..].starts_with("image: docker.io/"), "{line}");
    }
}

/// Many rules: façades, raw fields, defaults that a server fills in, requests, errors when they run.
fn many_rules() -> Vec<String> {
    let mut expressions = Vec::new();
    for field in ["privileged", "readOnlyRootFilesystem", "runAsNonRoot", "allowPrivilegeEscalation"] {
        for value in ["true", "false", "nil"] {
            expressions.push(format!("container.securityContext.{field} == {value}"));
        }
    }
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        expressions.push(format!("spec.{field} == true"));
        expressions.push(format!("object.spec?.{field} != true"));
    }
    for registry in ["docker.io", "registry.example.com"] {
        expressions.push(format!("container.image.registry == '{registry}' && container.containerType == 'standard'"));
    }
    let others = [
        "container.image.tag == 'latest'",
        "metadata.labels?.app == 'a'",
        "'tier' in (metadata.labels ?? {})",
        "object.spec?.restartPolicy == 'Always'",
        "object.spec?.template?.spec?.dnsPolicy == 'ClusterFirst'",
        "any(object.spec?.containers ?? [], .imagePullPolicy == 'Always')",
        "object.spec?.replicas == 1",
        "object.spec?.strategy?.type == 'RollingUpdate'",
        "object.spec?.concurrencyPolicy == 'Allow'",
        "metadata.namespace == 'shop'",
        "request?.operation == 'CREATE' && object.kind == 'Pod'",
        "object.spec.missing.deeper == 1",
        "len(object.spec.containers) > 1",
        "container.ports == nil",
        "container.command == ['sh']",
        "container.securityContext.capabilities.add != nil && 'ALL' in container.securityContext.capabilities.add",
        "securityContext.runAsNonRoot != true && object.kind != 'ConfigMap'",
        "object.data?.mode == 'debug'",
        "metadata.name matches '^o1'",
        "object.kind in ['Deployment', 'CronJob']",
    ];
    expressions.extend(others.map(str::to_owned));
    expressions
}

/// Many objects of four kinds.
fn many_objects() -> Vec<Value> {
    let object = |at: usize| {
        let bit = |bit: usize| at >> bit & 1 == 1;
        let mut security = json!({});
        if bit(0) {
            security["privileged"] = json!(bit(3));
        }
        if bit(1) {
            security["runAsNonRoot"] = json!(!bit(0));
        }
        if bit(2) {
            security["capabilities"] = json!({"add": ["ALL"]});
        }
        let image = [
            "registry.example.com/a:1",
            "a",
            "docker.io/a@sha256:0123456789012345678901234567890123456789012345678901234567890123",
        ][at % 3];
        let mut container = json!({"name": "main", "image": image, "securityContext": security});
        if bit(3) {
            container["command"] = json!(["sh"]);
        }
        if bit(4) {
            container["ports"] = json!([{"containerPort": 80}]);
        }
        let mut spec = json!({"containers": [container]});
        if bit(2) {
            spec["hostNetwork"] = json!(true);
            spec["containers"][0]["ports"] = Value::Null;
        }
        if bit(1) {
            spec["initContainers"] = json!([{"name": "init", "image": "b:2"}]);
        }
        if bit(5) {
            spec["containers"].as_array_mut().expect("a list").push(json!({"name": "side", "image": "c"}));
        }
        let labels = if bit(0) { json!({"app": if bit(1) { "a" } else { "b" }, "tier": "x"}) } else { Value::Null };
        let metadata = json!({"name": format!("o{at}"), "namespace": "shop", "labels": labels});
        let template = json!({"metadata": {"labels": {"app": "t"}}, "spec": spec});
        match at % 4 {
            0 | 1 => json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}),
            2 => json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                "spec": {"selector": {"matchLabels": {"app": "t"}}, "template": template}}),
            _ if bit(2) => {
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mode": "debug"}})
            }
            _ => {
                let mut template = template;
                template["spec"]["restartPolicy"] = json!("Never");
                json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata,
                    "spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}}})
            }
        }
    };
    (0..56).map(object).collect()
}

/// The pairs of rule and object in a text with messages such as `r7: <o12>`.
fn pairs(text: &str) -> BTreeSet<(String, String)> {
    let words = text.split(['\n', ';', '"']).filter_map(|it| it.trim().rsplit_once(": <"));
    let word = |(head, tail): (&str, &str)| {
        let rule = head.rsplit([' ', ':']).next().unwrap_or_default().to_owned();
        (rule, tail.trim_end_matches(['>', '.']).to_owned())
    };
    words.map(word).filter(|(rule, _)| rule.starts_with('r')).collect()
}

#[test]
fn a_live_server_admission_and_audit_give_one_verdict_on_thousands_of_pairs() {
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = scratch.path().join("rules");
    std::fs::create_dir(&folder).expect("a folder");
    let expressions = many_rules();
    let rules: String = expressions.iter().enumerate().map(|(at, it)| rule(&format!("r{at}"), "deny", it)).collect();
    let rules_file = file(&folder, "rules.yaml", &rules);
    let objects = many_objects();
    assert!(expressions.len() * objects.len() >= 2_000);
    let manifests: String = objects.iter().map(|it| format!("---\n{it}\n")).collect();
    let manifests_file = file(scratch.path(), "objects.yaml", &manifests);
    let found = |mode: &str| -> BTreeSet<(String, String)> {
        let ran = run(&["check", "-r", &rules_file, "--mode", mode, "-o", "json", &manifests_file]);
        let found: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:#?}"));
        let hits = found["findings"].as_array().expect("a list").iter();
        let hits = hits.filter(|it| matches!(it["outcome"].as_str(), Some("deny" | "violation")));
        let text = |it: &Value| it.as_str().expect("text").to_owned();
        hits.map(|it| (text(&it["policy"]), text(&it["message"]).trim_matches(['<', '>']).to_owned())).collect()
    };
    let (admission, audit) = (found("admission"), found("audit"));
    // Rules that read the request have nothing to read in audit.
    let asks =
        |(rule, _): &&(String, String)| rule[1..].parse::<usize>().is_ok_and(|at| expressions[at].contains("request"));
    assert!(admission.iter().any(|it| asks(&it)));
    let without =
        |set: &BTreeSet<(String, String)>| set.iter().filter(|it| !asks(it)).cloned().collect::<BTreeSet<_>>();
    assert_eq!(without(&admission), without(&audit));
    let up = Up::start_with(scratch, &["--rules-folder".to_owned(), folder.display().to_string()]);
    up.kubectl("create namespace shop").ok();
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        ["pods", "deployments", "cronjobs", "configmaps"].iter().all(|kind| it.contains(kind))
    });
    let ran = up.kubectl(&format!("create --dry-run=server -f {manifests_file}"));
    let server = pairs(&ran.err);
    assert!(server.len() > 300, "too little is denied to compare: {ran:#?}");
    let differ: Vec<_> = server.symmetric_difference(&admission).collect();
    assert!(differ.is_empty(), "{differ:?}");
}
