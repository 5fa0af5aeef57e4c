//! Unit tests of gates, simulation and lint, as the command line runs them (spec/promotion-gates 4.4, 4.5).

#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kanon_core::Object;
use kanon_lang::coverage::share;
use kanon_promotion::{
    Settings,
    api::PolicyGateSpec,
    collect::Meta,
    facts::Facts,
    gate::Compiler,
    metric::Metric,
    offline::{
        cases,
        lint::{Subject, lint},
        simulate::{Candidate, Request, simulate, text},
    },
    pipeline::Pipeline,
    window::Window,
};
use serde_json::{Value, json};

/// A Tuesday.
fn now() -> Timestamp {
    "2026-04-07T10:00:00Z".parse().unwrap()
}

fn compiler() -> Compiler {
    Compiler::new(Arc::new(kanon_cel::Cel::default()))
}

fn candidate(namespace: &str, name: &str, labels: Value, spec: Value) -> Candidate {
    let object = json!({"metadata": {"namespace": namespace, "name": name, "labels": labels}});
    let spec: PolicyGateSpec = serde_json::from_value(spec).unwrap();
    Candidate { meta: Meta::of(&Object::from_value(&object)), gate: compiler().gate(&spec).map(Arc::new) }
}

fn on_prod(name: &str, expression: &str, message: &str) -> Candidate {
    let spec = json!({"expression": expression, "message": message});
    candidate("platform-policies", name, json!({"kardinal.io/applies-to": "prod"}), spec)
}

fn shop() -> Facts {
    let mut facts = Facts::new(Settings::default());
    let spec =
        json!({"environments": [{"name": "test"}, {"name": "staging"}, {"name": "prod", "approval": "pr-review"}]});
    let pipeline = Pipeline::new(&serde_json::from_value(spec).unwrap(), BTreeMap::new()).unwrap();
    facts.pipelines.insert(("shop".to_owned(), "my-app".to_owned()), pipeline);
    facts
}

fn request(scenario: Value) -> Request {
    Request {
        pipeline: "my-app".into(),
        environment: "prod".into(),
        scenario: serde_json::from_value(scenario).unwrap(),
        ..Request::default()
    }
}

fn run(candidates: &[Candidate], scenario: Value, at: &str) -> String {
    text(&simulate(&shop(), candidates, &request(scenario), at.parse().unwrap()).unwrap(), false)
}

#[test]
fn a_simulation_reads_as_the_specification_shows_it() {
    let gates = [
        on_prod("no-weekend-deploys", "!schedule.isWeekend", "Production deployments are blocked on weekends"),
        on_prod("business-hours", "schedule.hour >= 9", ""),
    ];
    let want = "\
RESULT: BLOCKED
Blocked by: no-weekend-deploys
Message: \"Production deployments are blocked on weekends\"
Next window: Monday 09:00 UTC

no-weekend-deploys:   BLOCK (!schedule.isWeekend = false)
business-hours:       PASS  (schedule.hour >= 9 = true)
";
    assert_eq!(run(&gates, json!({}), "2026-04-11T15:00:00Z"), want);
    assert_eq!(
        run(&gates[..1], json!({}), "2026-04-07T15:00:00Z"),
        "RESULT: PASS\n\nno-weekend-deploys:   PASS  (!schedule.isWeekend = true)\n"
    );
    let alone = run(&gates[..1], json!({}), "2026-04-11T15:00:00Z");
    assert!(alone.contains("Next window: Monday 00:00 UTC\n"), "{alone}");
    assert_eq!(run(&[], json!({}), "2026-04-07T15:00:00Z"), "RESULT: PASS\n");
}

#[test]
fn the_next_window_is_when_all_gates_are_open() {
    let check = |expression: &str, scenario: Value, want: &str| {
        let out = run(&[on_prod("g", expression, "")], scenario, "2026-04-07T10:00:00Z");
        assert!(out.contains(&format!("Next window: {want}\n")), "{expression}: {out}");
    };
    check("bundle.upstreamSoakMinutes >= 30", json!({"soakMinutes": 12}), "Tuesday 10:18 UTC");
    check("schedule.local.hour >= 9 && schedule.local.hour < 10", json!({}), "Wednesday 09:00 UTC");
    check("inWindow('Mon 00:00-00:01', 'Asia/Kathmandu')", json!({}), "Sunday 18:15 UTC");
    check("bundle.version == '2'", json!({}), "none within 30 days");
    check("schedule.date == '2026-04-30'", json!({}), "Thursday 2026-04-30 00:00 UTC");
    check("schedule.date == '2026-06-30'", json!({}), "none within 30 days");
    check("!changewindow.isBlocked('w')", json!({"changewindow": {"w": true}}), "none within 30 days");
}

#[test]
fn simulations_take_conditions_and_know_their_pipeline() {
    let gate = |expression| [on_prod("g", expression, "")];
    let out = run(
        &gate("bundle.pr['staging'].approvalCount >= 2 && metrics.x < 1.0"),
        json!({"pr": {"staging": {"isApproved": true, "approvalCount": 2}}, "metrics": {"x": 0.5}}),
        "2026-04-07T10:00:00Z",
    );
    assert!(out.starts_with("RESULT: PASS"), "{out}");
    let out = run(
        &gate("bundle.version == 'v1.0.0' && bundle.provenance.author == 'simulate' && bundle.intent.target == 'prod'"),
        json!({}),
        "2026-04-07T10:00:00Z",
    );
    assert!(out.starts_with("RESULT: PASS"), "{out}");
    let wrong = Request { environment: "qa".into(), ..request(json!({})) };
    let error = simulate(&shop(), &[], &wrong, now()).err().unwrap();
    assert!(error.contains("test, staging, prod"), "{error}");
    let mixed = [
        candidate(
            "elsewhere",
            "not-collected",
            json!({"kardinal.io/applies-to": "prod"}),
            json!({"expression": "false"}),
        ),
        candidate("shop", "nowhere", json!({}), json!({"expression": "false"})),
        candidate("shop", "on-test", json!({"kardinal.io/applies-to": "test"}), json!({"expression": "false"})),
        candidate("shop", "broken", json!({"kardinal.io/applies-to": "prod"}), json!({"expression": "1 +"})),
    ];
    let out = run(&mixed, json!({}), "2026-04-07T10:00:00Z");
    assert!(out.contains("Blocked by: broken\n") && out.contains("(not injected: no applies-to)"), "{out}");
    assert!(!out.contains("not-collected") && !out.contains("on-test"), "{out}");
}

#[test]
fn cases_tell_what_they_expected_and_what_was_read() {
    let spec = PolicyGateSpec {
        expression: "!schedule.isWeekend && (bundle.labels.hotfix == true || upstream.staging.soakMinutes >= 30)"
            .into(),
        ..PolicyGateSpec::default()
    };
    let gate = compiler().gate(&spec).unwrap();
    let cases = [
        json!({"name": "blocks on Saturday", "time": "2026-04-11T15:00:00Z", "expect": "block", "expectReason": "isWeekend",
            "bundle": {"labels": {"hotfix": "true"}}}),
        json!({"name": "soaked", "expect": "allow", "upstream": {"staging": {"verifiedMinutesAgo": 45}},
            "bundle": {"labels": {"hotfix": "false"}}}),
        json!({"name": "no label", "expect": "error"}),
        json!({"name": "wrong", "expect": "allow", "bundle": {"labels": {"hotfix": "false"}}}),
        json!({"name": "misspelt", "expect": "allow", "bundel": {}}),
        json!({"expect": "maybe"}),
    ];
    let (outcomes, covered) = cases::run(&gate, &cases, now());
    let failures: Vec<_> = outcomes.iter().map(|it| it.failure.as_str()).collect();
    assert_eq!(failures[..3], ["", "", ""]);
    assert!(failures[3].starts_with("expected allow, got block"), "{}", failures[3]);
    assert!(
        outcomes[3].inputs.contains(&("upstream.staging.soakMinutes".into(), "0".into())),
        "{:?}",
        outcomes[3].inputs
    );
    assert!(failures[4].contains("bundel"), "{}", failures[4]);
    assert_eq!(outcomes[5].name, "case 6");
    assert!(failures[5].contains("cannot be read"), "{}", failures[5]);
    assert_eq!(covered.len(), 3);
    assert_eq!(share(&covered), (5, 6), "{covered:?}");
}

#[test]
fn lint_finds_what_is_legal_and_not_meant() {
    let mut facts = shop();
    facts.windows = Arc::new(BTreeMap::from([("known".to_owned(), Window::fixed(false))]));
    facts.metrics.insert(("shop".to_owned(), "errors".to_owned()), Metric::given("1", "Pass"));
    let check = |namespace: &str, labels: Value, spec: Value, want: &[&str]| {
        let expression = spec["expression"].as_str().unwrap().to_owned();
        let Candidate { meta, gate } = candidate(namespace, "g", labels, spec);
        let subject = Subject { meta: &meta, expression: &expression, gate: gate.as_deref() };
        let found = lint(&subject, &facts, &compiler(), true);
        let codes: Vec<_> = found.iter().map(|it| it.code).collect();
        assert_eq!(codes, want, "{expression}: {found:#?}");
    };
    let prod = || json!({"kardinal.io/applies-to": "prod"});
    check("shop", prod(), json!({"expression": "!changewindow.isBlocked('known') && metrics.errors < 1.0"}), &[]);
    check("shop", prod(), json!({"expression": "1 +"}), &["invalid"]);
    check("shop", prod(), json!({"expression": "delegation.status == 'ok'"}), &["planned-attribute"]);
    check("shop", json!({}), json!({"expression": "schedule.hour > 9"}), &["applies-to"]);
    check(
        "shop",
        json!({"kardinal.io/applies-to": "prod,test"}),
        json!({"expression": "schedule.hour > 9"}),
        &["comma-label"],
    );
    check(
        "shop",
        json!({"kardinal.io/applies-to": "qa"}),
        json!({"expression": "schedule.hour > 9"}),
        &["unknown-environment"],
    );
    let scoped = json!({"kardinal.io/applies-to": "prod", "kardinal.io/scope": "org"});
    check("shop", scoped.clone(), json!({"expression": "schedule.hour > 9"}), &["scope"]);
    check("platform-policies", scoped, json!({"expression": "schedule.hour > 9"}), &[]);
    check("shop", prod(), json!({"expression": "schedule.hour > 9", "skipPermission": true}), &["skip-permission"]);
    check("shop", prod(), json!({"expression": "schedule.hour < 9.5"}), &["hour-fraction"]);
    check("shop", prod(), json!({"expression": "bundle.version == true"}), &["text-and-boolean"]);
    check("shop", prod(), json!({"expression": "bundle.labels.hotfix == true"}), &[]);
    check("shop", prod(), json!({"expression": "changewindow.isAllowed('typo')"}), &["unknown-window"]);
    check("shop", prod(), json!({"expression": "metrics.typo < 1.0"}), &["unknown-metric"]);
    check("shop", prod(), json!({"expression": "upstream.stagng.soakMinutes > 3"}), &["unknown-stage"]);
    check("shop", prod(), json!({"expression": "bundle.pr['staging'].isApproved"}), &["auto-stage"]);
    check("shop", prod(), json!({"expression": "bundle.pr['prod'].isApproved"}), &[]);
    let soak = json!({"expression": "bundle.upstreamSoakMinutes > 3"});
    check("shop", json!({"kardinal.io/applies-to": "test"}), soak, &["soak-without-upstream"]);
}

#[test]
fn everything_that_a_gate_mentions_can_be_assumed() {
    let spec = PolicyGateSpec {
        expression:
            "metrics.errors < 1.0 && !changewindow['w'] && bundle.labels.hotfix == true && !bundle.pr.qa.isApproved"
                .into(),
        ..PolicyGateSpec::default()
    };
    let gate = compiler().gate(&spec).unwrap();
    let (decision, assumed) = cases::default_result(&gate, &Default::default(), now()).unwrap();
    assert!(decision.state.is_ready(), "{decision:?}");
    assert_eq!(assumed.len(), 4, "{assumed:?}");
}
