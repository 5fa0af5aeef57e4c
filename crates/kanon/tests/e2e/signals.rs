//! Policies of signals: edited in their ConfigMap while the control plane runs, and asked offline.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Ran, Up, feed, file, kanon};

/// A classification policy that calls every signal by one severity.
fn always(severity: &str) -> String {
    format!(
        "package signalprocessing\n\ndefault severity := \"{severity}\"\n\ndefault environment := \
         {{\"environment\": \"test\"}}\n\ndefault priority := {{\"priority\": \"P2\"}}\n"
    )
}

fn config_map(policy: &str) -> String {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"policy.rego": policy},
        "metadata": {"name": "signalprocessing-policy", "namespace": "kanon-system"}});
    map.to_string()
}

/// What the running control plane says of its classification policy.
fn report(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

#[test]
fn an_edited_policy_is_in_force_within_a_second_and_a_broken_one_is_not() {
    let up = Up::start();
    up.kubectl_with("apply -f -", "---\n{apiVersion: v1, kind: Namespace, metadata: {name: kanon-system}}").ok();
    let state = "get configmap kanon-signals-state -n kanon-system -o jsonpath={.data.classification\\.json}";
    let mut loaded = Vec::new();
    for severity in ["high", "low"] {
        up.kubectl_with("apply -f -", &config_map(&always(severity))).ok();
        let edited = jiff::Timestamp::now();
        let seen = loaded.last().cloned().unwrap_or_default();
        let said = report(&up.settles(state, |it| {
            let at = report(it)["loadedAt"].clone();
            at.is_string() && at != seen
        }));
        let at: jiff::Timestamp = said["loadedAt"].as_str().and_then(|it| it.parse().ok()).expect("a time");
        assert!(at.duration_since(edited) < Duration::from_secs(1).try_into().expect("a second"), "{said} {edited}");
        loaded.push(said["loadedAt"].clone());
    }
    let text = "get configmap kanon-signals-state -n kanon-system -o jsonpath={.data.classification\\.rego}";
    assert_eq!(up.kubectl(text).ok(), always("low"));
    // An edit that is misspelled keeps the policy, and says why wherever one may look.
    up.kubectl_with("apply -f -", &config_map(&always("hight"))).ok();
    let why = "rule `severity` fails for a signal of which nothing is known: invalid severity";
    let said = report(&up.settles(state, |it| report(it)["errors"] == 1));
    assert!(said["problem"].as_str().is_some_and(|it| it.starts_with(why)), "{said}");
    assert_eq!((&said["reloads"], &said["loadedAt"]), (&json!(2), &loaded[1]));
    assert_eq!(up.kubectl(text).ok(), always("low"));
    let events = up.settles("get events -n kanon-system", |it| it.contains("PolicyRejected"));
    assert!(events.contains("configmap/signalprocessing-policy") && events.contains("stays in force"), "{events}");
    let explained = up.kanon(&["explain", "signals/classification"]).ok();
    assert!(explained.contains("the last good one, ") && explained.contains(why), "{explained}");
    let explained = up.kanon(&["explain", "configmap/signalprocessing-policy", "-o", "json"]).ok();
    let explained: Value = serde_json::from_str(&explained).expect("JSON");
    assert_eq!((&explained["text"], &explained["hash"]), (&json!(always("low")), &said["hash"]));
    let log = up.kanon(&["log", "show"]).ok();
    assert!(log.contains("signalprocessing-policy") && log.contains("was rejected"), "{log}");
    // So does a restart, although the API server holds nothing but the broken text.
    let scratch = up.kill();
    let up = Up::start_with::<&str>(scratch, &[]);
    let explained = up.kanon(&["explain", "signals/classification"]).ok();
    assert!(explained.contains("the last good one, "), "{explained}");
    up.kubectl_with("apply -f -", &config_map(&always("medium"))).ok();
    let said = report(&up.settles(state, |it| report(it)["problem"].is_null()));
    assert_eq!((&said["reloads"], &said["errors"]), (&json!(3), &json!(1)));
}

fn run(args: &[&str], input: &str) -> Ran {
    feed(kanon().args(["signals"]).args(args), input)
}

fn json_of(ran: Ran, code: i32) -> Value {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
    serde_json::from_str(&ran.out).expect("JSON")
}

const SIGNAL: &str = "
namespace: {name: shop, labels: {kubernaut.ai/environment: Production, kubernaut.ai/label-team: payments}}
signal: {severity: Warning, type: alert, source: prometheus}
workload: {kind: Pod, name: cart-0}
";

#[test]
fn signals_are_classified_offline() {
    let answer = json_of(run(&["classify", "-", "-o", "json"], SIGNAL), 0);
    let want = json!({
        "environment": {"environment": "production", "source": "namespace-labels"}, "severity": "high",
        "priority": {"priority": "P1", "policy_name": "score-based"}, "labels": {"team": ["payments"]},
    });
    assert_eq!(answer, want);
    let table = run(&["classify", "-"], SIGNAL).ok();
    assert!(table.contains("team=payments") && table.contains("policy: built-in, "), "{table}");
    let scratch = tempfile::tempdir().expect("a folder");
    let policy = file(scratch.path(), "mine.rego", &always("low"));
    let answer = json_of(run(&["classify", "-", "-o", "json", "--policy", &policy], SIGNAL), 0);
    assert_eq!((&answer["severity"], &answer["labels"]), (&json!("low"), &json!({})));
    // One that would not come into force is asked all the same, and says so.
    let odd = file(scratch.path(), "odd.yaml", &config_map(&always("hight")));
    let ran = run(&["classify", "-", "-o", "json", "--policy", &odd], SIGNAL);
    assert!(ran.err.contains("would not come into force: rule `severity` fails"), "{ran:#?}");
    let answer = json_of(ran, 1);
    assert!(answer["severity"].is_null() && answer["priority"]["priority"] == "P2", "{answer}");
    assert!(answer["errors"]["severity"].as_str().is_some_and(|it| it.contains("invalid severity")), "{answer}");
    let object = json!({"apiVersion": "kubernaut.ai/v1alpha1", "kind": "SignalProcessing", "spec": {"signal": {
        "name": "PredictedOOMKill", "severity": "critical", "type": "alert"}}});
    let answer = json_of(run(&["classify", "-", "-o", "json"], &object.to_string()), 0);
    let mode = json!({"signalMode": "proactive", "signalName": "OOMKilled", "sourceSignalName": "PredictedOOMKill"});
    assert_eq!((&answer["severity"], &answer["signal_mode"]), (&json!("critical"), &mode));
    let error = run(&["classify", "-"], "{signal: {severity: 1}}").fails(1);
    assert!(error.contains("`-`: `signal.severity`: "), "{error}");
}

#[test]
fn approvals_are_decided_offline_and_never_by_a_broken_policy() {
    let analysis =
        "{environment: staging, remediation_target: {kind: StatefulSet, name: cart, namespace: shop}, confidence: 0.9}";
    let answer = json_of(run(&["decide", "-", "-o", "json"], analysis), 0);
    let reason = "Sensitive resource kind requires manual approval: StatefulSet";
    let want = json!({"require_approval": true, "reason": reason, "degraded": false,
        "risk_factors": [{"score": 50, "reason": reason}]});
    assert_eq!(answer, want);
    let deployment = analysis.replace("StatefulSet", "Deployment");
    let table = run(&["decide", "-"], &deployment).ok();
    assert!(table.starts_with("approval is not required: Auto-approved\n"), "{table}");
    let scratch = tempfile::tempdir().expect("a folder");
    let broken = file(scratch.path(), "broken.rego", "package aianalysis.approval\n\nrequire_approval := \n");
    for (policy, want) in [(broken.as_str(), "Policy compilation failed"), ("/nowhere/a.rego", "Policy file not found")]
    {
        let answer = json_of(run(&["decide", "-", "-o", "json", "--policy", policy], &deployment), 1);
        assert_eq!((&answer["require_approval"], &answer["degraded"]), (&json!(true), &json!(true)), "{answer}");
        assert!(answer["reason"].as_str().is_some_and(|it| it.contains(want)), "{answer}");
    }
    // Seed: a threshold that a policy reads.
    let policy = run(&["default", "approval"], "").ok() + "\nrequire_approval if not is_high_confidence\n";
    let policy = file(scratch.path(), "approval.rego", &policy);
    let decide = |threshold: &str| {
        let args = ["decide", "-", "-o", "json", "--policy", &policy, "--confidence-threshold", threshold];
        json_of(run(&args, &deployment), 0)["require_approval"].clone()
    };
    assert_eq!((decide("0.9"), decide("0.95")), (json!(false), json!(true)));
    let error = run(&["decide", "-", "--confidence-threshold", "2"], &deployment).fails(1);
    assert!(error.contains("`confidence_threshold`"), "{error}");
}

#[test]
fn policies_are_linted_as_they_are_loaded() {
    let scratch = tempfile::tempdir().expect("a folder");
    let good = file(scratch.path(), "good.rego", &always("low"));
    let bad = file(scratch.path(), "bad.rego", &always("hight"));
    assert!(run(&["lint", &good], "").ok().contains("classification policy, may come into force"));
    let found = json_of(run(&["lint", &good, &bad, "-o", "json"], ""), 3);
    assert_eq!(
        (&found[0]["ok"], &found[1]["ok"], &found[1]["policy"]),
        (&json!(true), &json!(false), &json!("classification"))
    );
    let unparsed = file(scratch.path(), "approval.rego", "package aianalysis.approval\n\nx := \n");
    let found = json_of(run(&["lint", &unparsed, "-o", "json"], ""), 3);
    assert_eq!(found[0]["policy"], "approval");
}
