//! Unit tests of gates: cases with conditions and what is expected (spec/promotion-gates 4.4.3).

use jiff::Timestamp;
use kanon_lang::coverage::{Operand, note, operands};
use serde::Deserialize;

use super::{
    moment,
    scenario::{Scenario, assume},
};
use crate::{
    decide::{State, decide, explain},
    facts::Target,
    gate::Gate,
    inputs::Inputs,
    view::word,
};

/// A document with tests of one gate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TestFile {
    /// Which gate.
    pub gate: GateRef,
    /// What is tested.
    pub cases: Vec<serde_json::Value>,
}

/// The gate of a test document: by name, or by file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GateRef {
    /// Name among the gates that are tested.
    pub name: String,
    /// A file next to the tests.
    pub file: String,
}

/// What a case expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// The gate lets the Bundle through.
    Allow,
    /// It is false.
    Block,
    /// It cannot be told.
    Error,
}

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What is expected.
    pub expect: Expect,
    /// Text that the reason must hold.
    #[serde(default)]
    pub expect_reason: String,
    /// Conditions.
    #[serde(skip)]
    pub scenario: Scenario,
}

/// How a case went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case.
    pub name: String,
    /// Why it failed; empty when it did not.
    pub failure: String,
    /// What the gate said.
    pub reason: String,
    /// What it read, for a failure.
    pub inputs: Vec<(String, String)>,
}

/// Reads a case.
///
/// # Errors
/// A fragment that names the field.
pub fn read(value: &serde_json::Value) -> Result<Case, String> {
    let Some(members) = value.as_object() else { return Err("a case is no object".to_owned()) };
    let mut case: Case = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    let conditions = members.iter().filter(|(name, _)| !["name", "expect", "expectReason"].contains(&name.as_str()));
    let conditions = conditions.map(|(name, value)| (name.clone(), value.clone())).collect();
    let conditions = serde_json::Value::Object(conditions);
    case.scenario = serde_path_to_error::deserialize(conditions)
        .map_err(|error| format!("`{}`: {}", error.path(), error.inner()))?;
    Ok(case)
}

/// Runs the cases of a gate; what they covered comes with the outcomes.
pub fn run(gate: &Gate, cases: &[serde_json::Value], now: Timestamp) -> (Vec<Outcome>, Vec<Operand>) {
    let mut covered = operands(&gate.expression);
    let run = |(at, value): (usize, &serde_json::Value)| {
        let name = value["name"].as_str().map_or_else(|| format!("case {}", at + 1), str::to_owned);
        let failed =
            |failure: String| Outcome { name: name.clone(), failure, reason: String::new(), inputs: Vec::new() };
        match read(value) {
            Ok(case) => run_one(gate, &case, &name, &mut covered, now).unwrap_or_else(failed),
            Err(problem) => failed(format!("the case cannot be read: {problem}")),
        }
    };
    let outcomes = cases.iter().enumerate().map(run).collect();
    (outcomes, covered)
}

fn run_one(gate: &Gate, case: &Case, name: &str, covered: &mut [Operand], now: Timestamp) -> Result<Outcome, String> {
    let now = case.scenario.time.as_ref().map_or(Ok(now), |text| moment::parse(text, now))?;
    let mut inputs = Inputs::example();
    case.scenario.apply(&mut inputs, now);
    let target = target(&inputs);
    let (result, values) = explain(gate, &inputs, now);
    note(covered, result.as_ref().ok().copied(), &values);
    let decision = decide(gate, &target, &Ok(inputs), now);
    let matches = match case.expect {
        Expect::Allow => decision.state.is_ready(),
        Expect::Block => decision.state == State::Block,
        Expect::Error => decision.state == State::Error,
    };
    let expected = format!("{:?}", case.expect).to_ascii_lowercase();
    let failure = if !matches {
        format!("expected {expected}, got {}: {}", word(&decision).to_ascii_lowercase(), decision.reason)
    } else if !decision.reason.contains(&case.expect_reason) {
        format!("the reason does not hold `{}`: {}", case.expect_reason, decision.reason)
    } else {
        String::new()
    };
    let inputs = if failure.is_empty() { Vec::new() } else { crate::status::observed(&values).into_iter().collect() };
    Ok(Outcome { name: name.to_owned(), failure, reason: decision.reason, inputs })
}

/// What a gate says to the default conditions, with everything that it mentions assumed (4.4.2).
pub fn default_result(
    gate: &Gate,
    scenario: &Scenario,
    now: Timestamp,
) -> Result<(crate::decide::Decision, Vec<String>), String> {
    let now = scenario.time.as_ref().map_or(Ok(now), |text| moment::parse(text, now))?;
    let mut inputs = Inputs::example();
    scenario.apply(&mut inputs, now);
    let assumed = assume(gate, &mut inputs);
    let target = target(&inputs);
    Ok((decide(gate, &target, &Ok(inputs), now), assumed))
}

pub(crate) fn target(inputs: &Inputs) -> Target {
    Target {
        namespace: "default".to_owned(),
        pipeline: "my-app".to_owned(),
        environment: inputs.environment.name.clone(),
        bundle: inputs.bundle.name.clone(),
    }
}
