//! The commands that need no server: `eval`, `check`, `version`, `completions`.

use crate::harness::{Ran, feed, file, kanon};

fn run(args: &[&str]) -> Ran {
    Ran::of(kanon().args(args).output().expect("kanon runs"))
}

#[test]
fn eval_prints_plain_json_in_every_language() {
    let scratch = tempfile::tempdir().expect("a folder");
    let context = file(scratch.path(), "context.yaml", "{n: 3, names: [a, b], input: {n: 3}}");
    for (lang, expression, want) in [
        ("expr", "n + 1", "4"),
        ("expr", "unknown", "null"),
        ("expr", "filter(names, # != 'a')", r#"["b"]"#),
        ("cel", "n + 1 == 4 && names.exists(x, x == 'b')", "true"),
        ("rego", "input.n + 1", "4"),
    ] {
        let out = run(&["eval", "--lang", lang, "--context", &context, expression]).ok();
        assert_eq!(out.trim(), want, "{lang}: {expression}");
    }
    let error = run(&["eval", "n +"]).fails(1);
    assert!(error.starts_with("error: ") && error.contains("expression:1:"), "{error}");
}

#[test]
fn eval_batch_answers_every_line() {
    let lines = "{\"id\":1,\"expr\":\"a+1\",\"context\":{\"a\":41}}\nnonsense\n{\"id\":\"x\",\"expr\":\"1 +\"}\n";
    let out = feed(kanon().args(["eval", "--batch"]), lines).ok();
    let answers: Vec<serde_json::Value> = out.lines().map(|it| serde_json::from_str(it).expect("JSON")).collect();
    assert_eq!(answers[0], serde_json::json!({"id": 1, "value": 42}));
    assert!(answers[1]["id"].is_null() && answers[1]["error"].is_string());
    assert_eq!(answers[2]["id"], "x");
    assert!(answers[2]["error"].is_string());
}

const RULE: &str = "
name: no-privileged
enabled: true
mode: [admission]
enforcementAction: deny
match: {gvk: [{group: '', version: v1, kind: Pod}, {group: apps, version: v1, kind: Deployment}]}
rule: container.securityContext.privileged == true
";

#[test]
fn check_finds_what_admission_would_deny() {
    let scratch = tempfile::tempdir().expect("a folder");
    let rule = file(scratch.path(), "rule.yaml", RULE);
    let bad = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, securityContext: {privileged: true}}]}}";
    let good = bad.replace("true", "false");
    let bad = file(scratch.path(), "bad.yaml", bad);
    let good = file(scratch.path(), "good.yaml", &good);
    assert!(run(&["check", "-r", &rule, &good]).ok().contains("1 manifests checked, 0 findings"));
    let found = run(&["check", "-r", &rule, &bad, &good, "-o", "json"]);
    assert_eq!(found.code, Some(3));
    let found: serde_json::Value = serde_json::from_str(&found.out).expect("JSON");
    assert_eq!((&found["denied"], &found["findings"][0]["part"]), (&serde_json::json!(1), &serde_json::json!("c")));
    let broken = file(scratch.path(), "broken.yaml", &RULE.replace("== true", "=="));
    let error = run(&["check", "-r", &broken, &good]).fails(1);
    assert!(error.contains("no-privileged"), "{error}");
}

#[test]
fn version_and_completions_print() {
    assert!(run(&["version"]).ok().starts_with("kanon "));
    assert!(run(&["completions", "bash"]).ok().contains("_kanon"));
}
