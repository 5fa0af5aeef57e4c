//! Exceptions from outside: at the door, in reports, in every output of `kanon check`, and after their end.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Ran, Up, file, kanon};

fn rule(name: &str, more: &str) -> String {
    format!(
        "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n  name: {name}\n  \
         enabled: true\n  severity: high\n  mode: [admission, audit]\n  enforcementAction: deny\n  \
         match: {{gvk: [{{group: '', version: v1, kind: ConfigMap}}], namespaces: {{include: [shop]}}}}\n  \
         rule: 'object.data?.mode == \"debug\"'\n{more}"
    )
}

fn exception(kind: &str, name: &str, spec: &str) -> String {
    let namespace = if kind == "RuleException" { ", namespace: shop" } else { "" };
    format!(
        "---\napiVersion: portal.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}{namespace}}}\nspec: {{{spec}}}\n"
    )
}

fn map(name: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, namespace: shop}}, data: {{mode: debug}}}}\n"
    )
}

/// What the audit says in the report of `shop`, as `result rule exception`, once it is so.
fn reported(up: &Up, wanted: &[&str]) {
    let text = |it: &Value, path: &str| it.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    up.settles("get policyreport portal -n shop -o json --ignore-not-found", |it| {
        let Ok(report) = serde_json::from_str::<Value>(it) else { return false };
        let results = report["results"].as_array().into_iter().flatten();
        let audited = results.filter(|it| it["properties"]["mode"] == "audit");
        let row =
            |it: &Value| ["/result", "/rule", "/properties/exception", "/properties/reason"].map(|path| text(it, path));
        let mut rows: Vec<_> = audited.map(|it| row(it).join(" ").trim_end().to_owned()).collect();
        rows.sort();
        let skipped = wanted.iter().filter(|it| it.starts_with("skip")).count();
        rows == wanted && report["summary"]["skip"] == skipped
    });
}

#[test]
fn an_exception_is_honoured_at_the_door_and_in_the_store_until_it_ends() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    up.kubectl_with("apply -f -", &(rule("calm", "") + &rule("open", "  exceptions: namespaced\n"))).ok();
    let registered = "get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}";
    up.settles(registered, |it| it.contains("configmaps"));
    let denied = up.kubectl_with("create -f -", &map("one")).fails(1);
    assert!(denied.contains("calm: rule violated") && denied.contains("open: rule violated"), "{denied}");
    // A namespace frees itself only from what says so.
    let own = exception("RuleException", "own", "rules: ['*'], reason: we know, owner: team-shop");
    up.kubectl_with("apply -f -", &own).ok();
    up.settles("get rex own -n shop -o jsonpath={.status.rules}", |it| it == r#"["open"]"#);
    let denied = up.kubectl_with("create -f -", &map("one")).fails(1);
    assert!(denied.contains("calm: rule violated") && !denied.contains("open: rule violated"), "{denied}");
    // The platform does from the other.
    let granted =
        |end: &str| exception("ClusterRuleException", "granted", &format!("rules: [calm], reason: moving house{end}"));
    up.kubectl_with("apply -f -", &granted("")).ok();
    up.settles("get crex granted -o jsonpath={.status.rules}", |it| it == r#"["calm"]"#);
    up.kubectl_with("create -f -", &map("one")).ok();
    reported(&up, &["skip calm granted moving house", "skip open shop/own we know"]);
    up.counts(r#"portal_excepted_violations_total{rule="calm",exception="granted",mode="audit"} 1"#);
    // It ends.
    let soon = jiff::Timestamp::now() + Duration::from_secs(3);
    up.kubectl_with("apply -f -", &granted(&format!(", expires: '{soon}'"))).ok();
    reported(&up, &["fail calm", "skip open shop/own we know"]);
    up.settles("get crex granted -o jsonpath={.status.conditions[?(@.type==\"Expired\")].status}", |it| it == "True");
    let denied = up.kubectl_with("create -f -", &map("two")).fails(1);
    assert!(denied.contains("calm: rule violated") && !denied.contains("open"), "{denied}");
    let explained = up.kanon(&["explain", "rule/open"]).ok();
    assert!(
        explained.contains("exceptions: 1") && explained.contains("skipped: 1") && explained.contains("we know"),
        "{explained}"
    );
    let explained = up.kanon(&["explain", "exception/granted"]).ok();
    assert!(explained.contains("covers nothing any more: it ended at"), "{explained}");
    let listed = up.kanon(&["policy", "list", "--kind", "rex"]).ok();
    assert!(listed.contains("RuleException") && listed.contains("own") && !listed.contains("granted"), "{listed}");
    let records: Vec<Value> =
        serde_json::from_str(&up.kanon(&["log", "show", "-o", "json", "--last", "0"]).ok()).expect("JSON");
    let skipped =
        records.iter().map(|it| &it["record"]).filter(|it| it["outcome"] == "skip" && it["occasion"] == "admission");
    let mut reasons: Vec<_> =
        skipped.map(|it| it["evidence"]["exception"]["reason"].as_str().expect("a reason")).collect();
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons, ["moving house", "we know"]);
    // Taken away, it counts again at once.
    up.kubectl("delete rex own -n shop").ok();
    reported(&up, &["fail calm", "fail open"]);
}

#[test]
fn the_schema_refuses_what_it_can_and_the_status_names_the_rest() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    for (spec, problem) in [
        ("rules: [a]", "spec.reason: Required value"),
        ("reason: x", "spec.rules: Required value"),
        ("rules: [], reason: x", "spec.rules"),
        ("rules: [a], reason: ''", "spec.reason"),
        ("rules: [a], reason: x, expires: tomorrow", "spec.expires"),
        ("rules: [a], reason: x, until: '2027-01-01T00:00:00Z'", "unknown field \"spec.until\""),
        ("rules: [a], reason: x, match: {operations: [PATCH]}", "spec.match.operations"),
    ] {
        let refused = up.kubectl_with("create -f -", &exception("RuleException", "bad", spec)).fails(1);
        assert!(refused.contains(problem), "{spec}: {refused}");
    }
    let spec = "rules: [a], reason: x, match: {labelSelector: {matchExpressions: [{key: a, operator: Near}]}}";
    up.kubectl_with("create -f -", &exception("RuleException", "bad", spec)).ok();
    up.settles("get rex bad -n shop -o jsonpath={.status.conditions[?(@.type==\"Valid\")].message}", |it| {
        it.contains("`match.labelSelector`")
    });
    up.kubectl_with("create -f -", &exception("RuleException", "odd", "rules: [nobody], reason: x")).ok();
    up.settles("get rex odd -n shop -o jsonpath={.status.conditions[?(@.type==\"Valid\")].message}", |it| {
        it.contains("there is no rule `nobody`")
    });
    up.counts(r#"portal_exceptions{origin="RuleException",state="Invalid"} 1"#);
}

#[test]
fn check_says_what_is_skipped_in_every_output() {
    let scratch = tempfile::tempdir().expect("a folder");
    let rules = file(scratch.path(), "rules.yaml", &rule("calm", ""));
    let granted = exception(
        "ClusterRuleException",
        "granted",
        "rules: [calm], match: {names: [one]}, reason: moving house, owner: me",
    );
    let exceptions = file(scratch.path(), "exceptions.yaml", &granted);
    let manifests = file(scratch.path(), "maps.yaml", &map("one"));
    let run = |args: &[&str]| {
        let command = ["check", "-r", &rules, "--exceptions", &exceptions];
        Ran::of(kanon().args(command).args(args).arg(&manifests).output().expect("kanon runs")).ok()
    };
    let table = run(&[]);
    assert!(table.contains("skip") && table.contains("(exception granted: moving house)"), "{table}");
    assert!(table.ends_with("1 manifests checked, 0 findings, 0 denied, 1 skipped\n"), "{table}");
    let json: Value = serde_json::from_str(&run(&["-o", "json", "--mode", "audit"])).expect("JSON");
    assert_eq!((&json["violations"], &json["skipped"]), (&0.into(), &1.into()));
    assert_eq!(
        (&json["findings"][0]["outcome"], &json["findings"][0]["exception"]["owner"]),
        (&"skip".into(), &"me".into())
    );
    let sarif: Value = serde_json::from_str(&run(&["-o", "sarif"])).expect("JSON");
    let suppression = &sarif["runs"][0]["results"][0]["suppressions"][0];
    assert_eq!((&suppression["kind"], &suppression["status"]), (&"external".into(), &"accepted".into()));
    assert!(suppression["justification"].as_str().is_some_and(|it| it.contains("moving house")));
    let junit = run(&["-o", "junit"]);
    assert!(junit.contains("<skipped message=") && junit.contains("skipped=\"1\""), "{junit}");
    let markdown = run(&["-o", "markdown"]);
    assert!(markdown.contains("| skip |") && markdown.contains("moving house"), "{markdown}");
    let both = file(scratch.path(), "both.yaml", &(rule("calm", "") + &granted));
    let explained = Ran::of(kanon().args(["portal", "explain", &both, &manifests]).output().expect("kanon runs")).ok();
    assert!(explained.contains("violated, and skipped (exception granted: moving house)"), "{explained}");
    // What is not covered, and what has ended, counts.
    file(scratch.path(), "maps.yaml", &map("two"));
    let ran =
        Ran::of(kanon().args(["check", "-r", &rules, "-r", &exceptions, &manifests]).output().expect("kanon runs"));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    file(scratch.path(), "maps.yaml", &map("one"));
    file(scratch.path(), "exceptions.yaml", &granted.replace("owner: me", "expires: '2020-01-01T00:00:00Z'"));
    let ran =
        Ran::of(kanon().args(["check", "-r", &rules, "-r", &exceptions, &manifests]).output().expect("kanon runs"));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(
        ran.err.contains("exception `granted`") && ran.err.contains("ended at 2020-01-01T00:00:00Z"),
        "{}",
        ran.err
    );
    // A mistake is a failure: nobody knows what it would cover. Exceptions among the manifests are only manifests.
    file(scratch.path(), "exceptions.yaml", &granted.replace("match: {names: [one]}", "match: {name: one}"));
    let ran =
        Ran::of(kanon().args(["check", "-r", &rules, "-r", &exceptions, &manifests]).output().expect("kanon runs"));
    assert!(ran.fails(1).contains("`match.name`: unknown key"));
    file(scratch.path(), "exceptions.yaml", &granted);
    let ran = Ran::of(kanon().args(["check", "-r", &rules, &exceptions, &manifests]).output().expect("kanon runs"));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let lint = Ran::of(kanon().args(["policy", "lint", &rules, &exceptions]).output().expect("kanon runs"));
    assert!(lint.out.contains("`expires`: is not set"), "{lint:#?}");
}
