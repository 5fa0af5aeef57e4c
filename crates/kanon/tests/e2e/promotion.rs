//! Gates as the seed shows them, through kubectl and the command line.

use crate::harness::{Up, file, kanon};

const PIPELINE: &str = "
apiVersion: kardinal.io/v1alpha1
kind: Pipeline
metadata: {name: my-app, namespace: shop}
spec:
  git: {url: 'https://git.example.com/my-app.git'}
  environments:
    - {name: test}
    - {name: staging, approval: pr-review}
    - {name: prod, approval: pr-review}
---
apiVersion: kardinal.io/v1alpha1
kind: Bundle
metadata: {name: my-app-v1, namespace: shop, labels: {hotfix: 'true'}}
spec:
  type: image
  pipeline: my-app
  images: [{repository: registry.example.com/my-app, tag: 1.29.0}]
  provenance: {author: alice}
---
apiVersion: kardinal.io/v1alpha1
kind: ChangeWindow
metadata: {name: q4-holiday-freeze}
spec: {type: blackout, start: '2000-01-01T00:00:00Z', end: '2999-01-01T00:00:00Z', reason: holidays}
";

fn gate(name: &str, expression: &str) -> String {
    format!(
        "
apiVersion: kardinal.io/v1alpha1
kind: PolicyGate
metadata:
  name: {name}
  namespace: platform-policies
  labels: {{kardinal.io/scope: org, kardinal.io/applies-to: prod, kardinal.io/type: gate}}
spec:
  expression: '{expression}'
  message: no way
  recheckInterval: 5m
"
    )
}

fn ready(up: &Up, name: &str, want: &str) -> String {
    up.settles(&format!("get pg {name} -n platform-policies -o jsonpath={{.status.ready}}"), |it| it == want);
    up.kubectl(&format!("get pg {name} -n platform-policies -o jsonpath={{.status.reason}}")).ok()
}

#[test]
fn gates_are_asked_for_the_bundle_on_its_way_and_follow_their_text() {
    let up = Up::start();
    up.kubectl("create namespace platform-policies").ok();
    up.kubectl("create namespace shop").ok();
    up.kubectl_with("apply -f -", &gate("hotfix", "bundle.labels.hotfix == true")).ok();
    let reason = up.settles("get pg hotfix -n platform-policies -o jsonpath={.status.reason}", |it| !it.is_empty());
    assert_eq!(reason, "valid CEL syntax (not yet evaluated — awaiting bundle promotion)");
    up.kubectl_with("apply -f -", PIPELINE).ok();
    assert_eq!(ready(&up, "hotfix", "true"), "bundle.version=1.29.0: bundle.labels.hotfix == true = true");
    let freeze = "!changewindow.isBlocked(\"q4-holiday-freeze\")";
    up.kubectl_with("apply -f -", &gate("freeze", freeze)).ok();
    up.settles("get pg freeze -n platform-policies -o jsonpath={.status.reason}", |it| it.ends_with("= false"));
    let message = up.kubectl("get pg freeze -n platform-policies -o jsonpath={.status.message}").ok();
    assert_eq!(message, "no way");

    let table = |line: &str| words_of(&up.kubectl(line).ok());
    let gates = table("get policygates -n platform-policies");
    assert_eq!(gates[0], ["NAME", "READY", "AGE"]);
    assert_eq!((gates[1][1].as_str(), gates[2][1].as_str()), ("false", "true"));
    let wide = table("get pg -n platform-policies -o wide");
    assert_eq!(wide[0], ["NAME", "READY", "REASON", "LAST-EVALUATED", "AGE"]);
    assert_eq!(table("get pipe -n shop")[0], ["NAME", "PHASE", "PAUSED", "AGE"]);
    assert_eq!(table("get bnd -n shop")[1][..3], ["my-app-v1", "image", "my-app"]);
    assert_eq!(table("get cw")[1][..3], ["q4-holiday-freeze", "blackout", "true"]);
    let events = up.settles("get events -n platform-policies", |it| it.contains("Blocked"));
    assert!(events.contains("policygate/freeze") && events.contains("no way"), "{events}");

    // A broken edit leaves the last good revision in force, and says so everywhere.
    up.kubectl_with("apply -f -", &gate("hotfix", "bundle.labels.hotfix ==")).ok();
    let reason = up.settles("get pg hotfix -n platform-policies -o jsonpath={.status.reason}", |it| {
        it.starts_with("CEL syntax error: ")
    });
    assert!(reason.contains("the last good revision is in force: bundle.version=1.29.0"), "{reason}");
    assert!(ready(&up, "hotfix", "true").starts_with("CEL syntax error"));
    up.settles("get events -n platform-policies", |it| it.contains("GateInvalid"));
    let explained = up.kanon(&["explain", "gate/hotfix"]).ok();
    assert!(explained.contains("keeps the last good one in force"), "{explained}");
    up.kubectl_with("apply -f -", &gate("hotfix", "bundle.labels.hotfix == \"false\"")).ok();
    let reason = ready(&up, "hotfix", "false");
    assert_eq!(reason, "bundle.version=1.29.0: bundle.labels.hotfix == \"false\" = false");

    let explained = up.kanon(&["explain", "gate/freeze"]).ok();
    let wanted =
        ["blocks prod in shop/my-app", "does not open within 30 days", "isBlocked(\"q4-holiday-freeze\")", "no way"];
    for want in wanted {
        assert!(explained.contains(want), "{want}: {explained}");
    }
    let way = up.kanon(&["explain", "pipeline/my-app", "-n", "shop"]).ok();
    assert!(way.contains("BLOCKED by freeze, hotfix"), "{way}");
    // Records of what was decided, like those of every family.
    let log = up.kanon(&["log", "show"]).ok();
    assert!(log.contains("freeze") && log.contains("hotfix"), "{log}");

    let bad = PIPELINE.replace("type: image", "type: other");
    assert!(up.kubectl_with("apply -f -", &bad).fails(1).contains("spec.type"));
    let changed = PIPELINE.replace("1.29.0", "1.30.0");
    assert!(up.kubectl_with("apply -f -", &changed).fails(1).contains("does not change"));

    // Opening the window opens the gate.
    up.kubectl("delete cw q4-holiday-freeze").ok();
    ready(&up, "freeze", "true");

    lists_and_simulates(&up);
}

/// The words of every line of a table.
fn words_of(table: &str) -> Vec<Vec<String>> {
    table.lines().map(|it| it.split_whitespace().map(str::to_owned).collect()).collect()
}

fn lists_and_simulates(up: &Up) {
    let all = up.kanon(&["policy", "list"]).ok();
    assert!(all.contains("PolicyGate") && all.contains("platform-policies"), "{all}");
    let gates = up.kanon(&["policy", "list", "--kind", "gate"]).ok();
    let lines = words_of(&gates);
    assert_eq!(lines[0], ["NAME", "NAMESPACE", "SCOPE", "APPLIES-TO", "RECHECK", "READY", "LAST-EVALUATED"]);
    assert_eq!(lines[1][..6], ["freeze", "platform-policies", "org", "prod", "5m", "Pass"]);
    assert_eq!(lines[2][..6], ["hotfix", "platform-policies", "org", "prod", "5m", "Block"]);
    assert_eq!(up.kanon(&["policy", "list", "--kind", "pcp"]).ok().lines().count(), 1, "no such policies");
    // But for the age in the last column, which the clock changes between two commands.
    let same = up.kanon(&["policy", "list", "--pipeline", "my-app"]).ok();
    let ageless = |lines: &[Vec<String>]| lines.iter().map(|it| it[..6].to_vec()).collect::<Vec<_>>();
    assert_eq!(ageless(&words_of(&same)), ageless(&lines));
    up.kanon(&["policy", "list", "--pipeline", "other"]).fails(1);
    let simulate = ["policy", "simulate", "--pipeline", "my-app", "--env", "prod"];
    let out = up.kanon(&[&simulate[..], &["--label", "hotfix=false"]].concat()).ok();
    assert!(out.starts_with("RESULT: PASS"), "{out}");
    let out = up.kanon(&[&simulate[..], &["--bundle", "my-app-v1", "--exit-code"]].concat());
    assert!(out.out.contains("Blocked by: hotfix") && out.code == Some(3), "{out:?}");
    let candidate = file(up.scratch.path(), "candidate.yaml", &gate("weekend", "!schedule.isWeekend"));
    let saturday = ["--file", &candidate, "--time", "Saturday 3pm", "--label", "hotfix=false"];
    let out = up.kanon(&[&simulate[..], &saturday].concat()).ok();
    assert!(out.contains("Blocked by: weekend") && out.contains("Next window: Monday 00:00 UTC"), "{out}");
    let error = up.kanon(&["policy", "simulate", "--pipeline", "my-app", "--env", "qa"]).fails(1);
    assert!(error.contains("it has test, staging, prod"), "{error}");
}

#[test]
fn gate_files_are_tested_linted_and_simulated_without_a_cluster() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let run = |words: &[&str]| {
        crate::harness::Ran::of(kanon().args(words).env("HOME", scratch.path()).output().expect("kanon runs"))
    };
    let weekend = gate("no-weekend-deploys", "!schedule.isWeekend && metrics.errors < 1.0");
    let path = file(scratch.path(), "gate.yaml", &weekend);
    let tuesday = ["policy", "test", &path, "--time", "2026-04-07T10:00:00Z"];
    let out = run(&tuesday).ok();
    for want in
        ["PolicyGate \"no-weekend-deploys\"", "  Syntax: valid\n", "  Result: PASS\n", "Assumed: metrics.errors = 0"]
    {
        assert!(out.contains(want), "{want}: {out}");
    }
    let saturday = run(&["policy", "test", &path, "--time", "Sat 3pm", "--exit-code"]);
    assert!(saturday.code == Some(3) && saturday.out.contains("Result: FAIL"), "{saturday:?}");
    run(&["policy", "test", &path, "--time", "Sat 3pm"]).ok();
    run(&["policy", "test", &path, "--time", "Caturday"]).fails(2);
    let missing = run(&["policy", "test", "nowhere.yaml"]).fails(1);
    assert!(missing.contains("nowhere.yaml"), "{missing}");

    file(
        scratch.path(),
        "weekend.gatetest.yaml",
        "
apiVersion: kanon.dev/v1alpha1
kind: PolicyGateTest
metadata: {name: weekend-tests}
gate: {name: no-weekend-deploys}
cases:
- {name: blocks on Saturday, time: '2026-04-11T15:00:00Z', metrics: {errors: 0.5}, expect: block, expectReason: isWeekend}
- {name: opens on Tuesday, time: '2026-04-07T15:00:00Z', metrics: {errors: {value: 0.5, result: Pass}}, expect: allow}
- {name: wrong, time: '2026-04-07T15:00:00Z', metrics: {errors: 2}, expect: allow}
",
    );
    let junit = scratch.path().join("junit.xml");
    let failed = run(&[&tuesday[..], &["--coverage", "--junit", &junit.display().to_string()]].concat());
    assert_eq!(failed.code, Some(1), "{failed:?}");
    for want in
        ["ok    blocks on Saturday", "FAIL  wrong: expected allow, got block", "metrics.errors = 2", "Coverage: 4 of 4"]
    {
        assert!(failed.out.contains(want), "{want}: {}", failed.out);
    }
    let xml = std::fs::read_to_string(junit).expect("a report");
    assert!(xml.contains("failures=\"1\"") && xml.contains("blocks on Saturday"), "{xml}");

    let broken = file(scratch.path(), "broken.yaml", &gate("broken", "schedule.hour >"));
    let out = run(&["policy", "test", &broken]);
    assert!(out.code == Some(1) && out.out.contains("Syntax: INVALID: "), "{out:?}");
    let linted = run(&["policy", "lint", &broken, &path]);
    assert!(linted.code == Some(3) && linted.out.contains("invalid"), "{linted:?}");
    run(&["policy", "lint", &path]).ok();
    let simulate = ["policy", "simulate", "--pipeline", "my-app", "--env", "prod", "--file", &path, "--offline"];
    let out = run(&[&simulate[..], &["--time", "Saturday 3pm", "--metric", "errors=0", "-o", "json"]].concat()).ok();
    let data: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((data["result"].as_str(), data["blockedBy"][0].as_str()), (Some("BLOCKED"), Some("no-weekend-deploys")));
    assert!(data["nextWindow"].as_str().is_some_and(|it| it.ends_with("T00:00:00Z")), "{data}");
    run(&[&simulate[..], &["--metric", "errors"]].concat()).fails(2);
}
