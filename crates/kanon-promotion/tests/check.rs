//! The tables of spec/promotion-gates 2.10 with CEL as the binary has it: one `check` for all cases.

#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

use std::sync::Arc;

use jiff::Timestamp;
use kanon_promotion::{
    api::PolicyGateSpec,
    decide::{State, decide},
    facts::Target,
    gate::Compiler,
    inputs::Inputs,
    offline::scenario::Scenario,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    expression: String,
    #[serde(default)]
    given: Scenario,
    #[serde(default)]
    timezone: String,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    unknown: Vec<String>,
    want: serde_json::Value,
}

fn compiler() -> Compiler {
    Compiler::new(Arc::new(kanon_cel::Cel::default()))
}

/// What a case gives, and the reason.
fn check(compiler: &Compiler, case: &Case) -> (String, String) {
    let spec = PolicyGateSpec {
        expression: case.expression.clone(),
        timezone: case.timezone.clone(),
        ..PolicyGateSpec::default()
    };
    let gate = match compiler.gate(&spec) {
        Ok(gate) => gate,
        Err(problem @ kanon_promotion::gate::Problem::NotBoolean(_)) => return ("err".into(), problem.reason(false)),
        Err(problem) => return ("cerr".into(), problem.reason(false)),
    };
    let now: Timestamp = case.given.time.as_deref().unwrap_or("2026-04-07T10:00:00Z").parse().unwrap();
    let mut inputs = Inputs { strict_windows: case.strict, ..Inputs::example() };
    case.given.apply(&mut inputs, now);
    let target = Target {
        namespace: "shop".into(),
        pipeline: "my-app".into(),
        environment: "prod".into(),
        bundle: inputs.bundle.name.clone(),
    };
    let decision = decide(&gate, &target, &Ok(inputs), now);
    let got = match decision.state {
        State::Pass => "true",
        State::Block => "false",
        State::Error => "err",
        State::Overridden | State::Warn => "neither",
    };
    assert_eq!(decision.unknown_windows.len(), case.unknown.len() + usize::from(case.strict), "{}", case.id);
    (got.to_owned(), decision.reason)
}

fn table(text: &str) {
    let cases: Vec<Case> = serde_saphyr::from_str(text).unwrap();
    let compiler = compiler();
    let mut wrong = Vec::new();
    for case in &cases {
        let want = case.want.as_str().map_or_else(|| case.want.to_string(), str::to_owned);
        let (got, reason) = check(&compiler, case);
        if got != want {
            wrong.push(format!("{}: `{}` wants {want}, gives {got}: {reason}", case.id, case.expression));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_expression_of_the_seed_gives_what_the_table_says() {
    table(include_str!("cases/seed.yaml"));
}

#[test]
fn the_language_has_the_edges_the_table_says() {
    table(include_str!("cases/language.yaml"));
}

#[test]
fn nested_loops_over_a_long_list_end_at_the_cost_limit() {
    let numbers: Vec<_> = (0..10_000).map(|it| it.to_string()).collect();
    let list = format!("[{}]", numbers.join(","));
    let expression = format!("{list}.all(a, {list}.all(b, {list}.all(c, a + b + c >= 0)))");
    let case = Case {
        id: "L50".into(),
        expression,
        given: Scenario::default(),
        timezone: String::new(),
        strict: false,
        unknown: Vec::new(),
        want: "err".into(),
    };
    let (got, reason) = check(&compiler(), &case);
    assert!(got == "err" || got == "cerr", "{reason}");
}

#[test]
fn planned_attributes_close_the_gate_with_the_seeds_words() {
    for expression in ["delegation.status == \"ok\"", "externalApproval.jira == \"approved\""] {
        let spec = PolicyGateSpec { expression: expression.into(), ..PolicyGateSpec::default() };
        let reason = compiler().gate(&spec).unwrap_err().reason(false);
        assert!(reason.starts_with("CEL evaluation error: "), "{reason}");
    }
}
