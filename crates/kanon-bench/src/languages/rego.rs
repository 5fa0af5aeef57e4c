//! Queries to two policies of about twenty rules. The bar of ten times OPA is for an engine of our own; the interpreter
//! that serves until then is measured without it.

use kanon_core::Object;
use kanon_lang::{Arena, Environment, Language, Limits, ModuleOptions, Options, Value};
use kanon_rego::Rego;
use serde_json::{Value as Json, json};

use super::{
    inputs::Inputs,
    report::{Report, Row},
    stopwatch::Side,
};

const CLASSIFICATION: &str = include_str!("policies/classification.rego");
const APPROVAL: &str = include_str!("policies/approval.rego");

/// A query and what is known of it.
pub(crate) struct Query {
    /// Its name in the tables, and what it asks.
    pub(crate) name: &'static str,
    /// The reference that is asked for.
    pub(crate) query: &'static str,
    /// Whether it is put to the approval policy.
    pub(crate) approval: bool,
    /// Nanoseconds and allocations of OPA with parsed input.
    go: (f64, f64),
}

impl Query {
    /// The policy's text.
    pub(crate) fn policy(&self) -> &'static str {
        if self.approval { APPROVAL } else { CLASSIFICATION }
    }

    /// The policy's input.
    pub(crate) fn input<'i>(&self, inputs: &'i Inputs) -> &'i Object {
        if self.approval { &inputs.approval } else { &inputs.signal }
    }
}

static QUERIES: [Query; 8] = [
    query("R1 severity", "data.signalprocessing.severity", false, (11_383.0, 132.0)),
    query("R2 environment", "data.signalprocessing.environment", false, (11_935.0, 144.0)),
    query("R3 priority", "data.signalprocessing.priority", false, (38_440.0, 417.0)),
    query("R4 labels", "data.signalprocessing.labels", false, (11_998.0, 162.0)),
    query("R5 the whole classification", "data.signalprocessing", false, (74_268.0, 910.0)),
    query("R6 the whole approval", "data.aianalysis.approval", true, (64_199.0, 734.0)),
    query("R7 whether to approve", "data.aianalysis.approval.require_approval", true, (10_898.0, 135.0)),
    query("R8 reason", "data.aianalysis.approval.reason", true, (38_785.0, 417.0)),
];

const fn query(name: &'static str, query: &'static str, approval: bool, go: (f64, f64)) -> Query {
    Query { name, query, approval, go }
}

/// What the queries for one rule give; the two for a whole package give objects with all of them.
fn expected() -> [(&'static str, Json); 6] {
    [
        ("severity", json!("critical")),
        ("environment", json!({"environment": "production", "source": "namespace-labels"})),
        ("priority", json!({"priority": "P0", "policy_name": "score-based"})),
        ("labels", json!({"team": ["payments"], "tier": ["gold"]})),
        ("require_approval", json!(true)),
        ("reason", json!("Production environment with sensitive resource kind")),
    ]
}

/// Whether an answer is right.
fn is_right(query: &Query, answer: &Json) -> bool {
    let asked = query.query.rsplit('.').next().unwrap_or_default();
    let mut expected = expected().into_iter();
    match expected.find(|(name, _)| *name == asked) {
        Some((_, value)) => *answer == value,
        None => {
            let (priority, decision) = (answer.pointer("/priority/priority"), answer.get("require_approval"));
            if query.approval { decision == Some(&json!(true)) } else { priority == Some(&json!("P0")) }
        }
    }
}

/// Prints the rows.
pub(crate) fn run(report: &mut Report, inputs: &Inputs) -> anyhow::Result<()> {
    report.heading("Rego, parsed input (Go: OPA)");
    let environment = Environment::new(["input"]);
    for query in &QUERIES {
        let module = ModuleOptions { query: Some(query.query.to_owned()), ..ModuleOptions::default() };
        let options = Options { module, ..Options::default() };
        let program = match Rego.compile(query.policy(), &environment, &options) {
            Ok(program) => program,
            Err(mistakes) => anyhow::bail!("{}: the policy does not compile: {:?}", query.name, mistakes.list),
        };
        let (values, limits) = ([Value::Node(query.input(inputs).root())], Limits::default());
        let arena = Arena::new();
        let answer = match program.evaluate(&values, &limits, &arena) {
            Ok(value) => value.to_json(&arena),
            Err(error) => json!({ "error": error.message }),
        };
        anyhow::ensure!(is_right(query, &answer), "{} gives {answer}", query.name);
        let mut arena = Arena::new();
        let sides = vec![Side::new("kanon", || {
            arena.reset();
            program.evaluate(&values, &limits, &arena).is_ok()
        })];
        #[cfg(feature = "peers")]
        let sides = sides.into_iter().chain(super::peers::query(query, inputs)?).collect();
        report.row(Row { name: query.name.to_owned(), sides, go: Some(query.go), bars: Vec::new() });
    }
    Ok(())
}
