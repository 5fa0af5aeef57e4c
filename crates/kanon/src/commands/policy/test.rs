//! `kanon policy test`: syntax, the answer under default conditions, and unit tests.

mod junit;
mod rules;

use std::path::{Path, PathBuf};

use kanon_core::{Now, Object};
use kanon_lang::coverage::{self, Operand};
use kanon_promotion::{
    api::{GATE, PolicyGateSpec},
    decide::State,
    gate::{Gate, Problem},
    offline::{
        cases::{self, Outcome, TestFile},
        scenario::Scenario,
    },
};
use kanon_runtime::Clock;
use serde_json::{Value, json};

use super::world;
use crate::{
    cli::policy::TestArgs,
    commands::check::manifests::{self, Manifest},
    exit::{Exit, Failure},
    output::{Format, print, print_data},
};

/// Kind of a document with unit tests.
const TEST_KIND: &str = "PolicyGateTest";

/// What became of one document.
struct Tested {
    place: String,
    name: String,
    expression: String,
    gate: Result<Gate, Syntax>,
    /// The answer under default conditions, and what was assumed.
    answer: Option<(State, String, Vec<String>)>,
    outcomes: Vec<Outcome>,
    covered: Vec<Operand>,
}

enum Syntax {
    Invalid(Problem),
    /// Not a gate, or without expression.
    Skip,
}

/// Tests every gate in the files.
pub(crate) fn run(args: TestArgs) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    let mut scenario = world::scenario(args.context.as_deref())?;
    scenario.time = args.time.clone().or(scenario.time);
    let (gates, tests) = read(&args.files)?;
    let mut tested = Vec::new();
    for manifest in &gates {
        tested.push(test(manifest, &tests, &scenario, now)?);
    }
    orphans(&gates, &tests)?;
    let suite = rules::run(&args.files, args.shapes.shapes(), now)?;
    if let Some(path) = &args.junit {
        let report = tested.iter().map(|it| (it.name.as_str(), it.outcomes.as_slice()));
        junit::write(path, report.chain(suite.outcomes()))?;
    }
    match args.output {
        Format::Table => print(&tested.iter().map(|it| text(it, args.coverage)).collect::<String>())?,
        Format::Json | Format::Yaml => {
            let mut all = json!({"gates": tested.iter().map(data).collect::<Vec<_>>()});
            if !suite.is_empty() {
                all["rules"] = suite.data();
            }
            print_data(args.output, &all)?;
        }
    }
    let invalid = tested.iter().filter(|it| matches!(it.gate, Err(Syntax::Invalid(_)))).count();
    let erring = tested.iter().filter(|it| it.answer.as_ref().is_some_and(|it| it.0 == State::Error)).count();
    let blocking = tested.iter().any(|it| it.answer.as_ref().is_some_and(|it| !it.0.is_ready()));
    let cases = tested.iter().map(|it| it.outcomes.len()).sum::<usize>();
    let failed = tested.iter().flat_map(|it| &it.outcomes).filter(|it| !it.failure.is_empty()).count();
    if args.output == Format::Table && !suite.is_empty() {
        print(&suite.text(args.coverage))?;
    }
    if args.output == Format::Table && (suite.is_empty() || !tested.is_empty()) {
        let gates = tested.iter().filter(|it| !matches!(it.gate, Err(Syntax::Skip))).count();
        print(&format!("{gates} gates, {invalid} invalid, {erring} in error; {cases} unit tests, {failed} failed\n"))?;
    }
    Ok(if invalid + erring + failed + suite.failures() > 0 {
        Exit::Failure
    } else if blocking && args.exit_code {
        Exit::Findings
    } else {
        Exit::Fine
    })
}

/// Gates, and unit tests with the folder they stand in.
type Read = (Vec<Manifest>, Vec<(PathBuf, TestFile)>);

/// Reads the files, and the test files beside them.
fn read(files: &[PathBuf]) -> Result<Read, Failure> {
    let mut gates = Vec::new();
    let mut tests = Vec::new();
    let mut seen = Vec::new();
    for path in files {
        let folder = if path.is_dir() { path.clone() } else { parent(path) };
        let mut paths = vec![path.clone()];
        if path.is_file() {
            paths.extend(beside(&folder).into_iter().filter(|it| it != path));
        }
        for path in paths {
            if seen.contains(&path) {
                continue;
            }
            for manifest in some(&path)? {
                if manifest.object.str_at(&["kind"]) != TEST_KIND {
                    // Rules and their tests are looked at by themselves.
                    if !rules::is_ours(&manifest.object) {
                        gates.push(manifest);
                    }
                    continue;
                }
                let test: TestFile = serde_json::from_slice(manifest.object.text())
                    .map_err(|error| Failure::new(format!("`{}`: {error}", manifest.place)))?;
                tests.push((folder.clone(), test));
            }
            seen.push(path);
        }
    }
    // A test file that was given alone names its gate's file.
    for (folder, test) in &tests {
        let path = folder.join(&test.gate.file);
        if !test.gate.file.is_empty() && !seen.iter().any(|it| same(it, &path)) {
            gates.extend(manifests::read(&path)?);
            seen.push(path);
        }
    }
    Ok((gates, tests))
}

/// The manifests of a path; other documents, such as rules as files have them, are passed over.
fn some(path: &Path) -> Result<Vec<Manifest>, Failure> {
    let mut found = Vec::new();
    for file in manifests::texts(path)? {
        found.extend(manifests::parse_some(&file)?);
    }
    Ok(found)
}

/// The folder's test files.
fn beside(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|it| it.path()).filter(|it| is_test_file(it)).collect();
    found.sort();
    found
}

fn is_test_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    name.ends_with(".gatetest.yaml") || name.ends_with(".gatetest.yml")
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

/// Whether a test document is about a gate.
fn is_about(test: &(PathBuf, TestFile), manifest: &Manifest) -> bool {
    let (folder, test) = test;
    let name = manifest.object.str_at(&["metadata", "name"]);
    let file = manifest.place.rsplit_once('#').map_or(manifest.place.as_str(), |(file, _)| file);
    let by_name = !test.gate.name.is_empty() && test.gate.name == name;
    let by_file = !test.gate.file.is_empty() && same(&folder.join(&test.gate.file), Path::new(file));
    by_name || by_file && test.gate.name.is_empty()
}

/// Tests that are about no gate fail: otherwise they would pass by never running. Test files that merely stand beside a gate
/// may be about another one.
fn orphans(gates: &[Manifest], tests: &[(PathBuf, TestFile)]) -> Result<(), Failure> {
    let unnamed = tests.iter().find(|(_, it)| it.gate.name.is_empty() && it.gate.file.is_empty());
    if unnamed.is_some() {
        return Err(Failure::new("a PolicyGateTest names no gate: set `gate.name` or `gate.file`"));
    }
    let given_alone = !gates.iter().any(|it| it.object.str_at(&["kind"]) == GATE.kind);
    match tests.first() {
        Some((_, test)) if given_alone => {
            Err(Failure::new(format!("there is no gate `{}{}` among the files", test.gate.name, test.gate.file)))
        }
        _ => Ok(()),
    }
}

fn test(manifest: &Manifest, tests: &[(PathBuf, TestFile)], scenario: &Scenario, now: Now) -> Result<Tested, Failure> {
    let object = &manifest.object;
    let mut tested = Tested {
        place: manifest.place.rsplit_once('#').map_or(manifest.place.clone(), |(file, _)| file.to_owned()),
        name: object.str_at(&["metadata", "name"]).to_owned(),
        expression: String::new(),
        gate: Err(Syntax::Skip),
        answer: None,
        outcomes: Vec::new(),
        covered: Vec::new(),
    };
    if object.str_at(&["kind"]) != GATE.kind {
        return Ok(tested);
    }
    let spec = match spec(object) {
        Ok(spec) => spec,
        Err(problem) => {
            tested.gate = Err(Syntax::Invalid(Problem::Field(problem)));
            return Ok(tested);
        }
    };
    tested.expression.clone_from(&spec.expression);
    if spec.expression.trim().is_empty() {
        return Ok(tested);
    }
    let gate = match world::compiler().gate(&spec) {
        Ok(gate) => gate,
        Err(problem) => {
            tested.gate = Err(Syntax::Invalid(problem));
            return Ok(tested);
        }
    };
    let (decision, assumed) = cases::default_result(&gate, scenario, now.wall).map_err(Failure::usage)?;
    tested.answer = Some((decision.state, decision.reason, assumed));
    let mut all = spec.tests.clone();
    all.extend(tests.iter().filter(|it| is_about(it, manifest)).flat_map(|(_, it)| it.cases.clone()));
    (tested.outcomes, tested.covered) = cases::run(&gate, &all, now.wall);
    tested.gate = Ok(gate);
    Ok(tested)
}

fn spec(object: &Object) -> Result<PolicyGateSpec, String> {
    let spec = object.at(&["spec"]).map_or("{}", |it| it.raw());
    serde_json::from_str(spec).map_err(|error| format!("`spec` cannot be read: {error}"))
}

fn result(state: State) -> &'static str {
    match state {
        State::Pass | State::Overridden | State::Warn => "PASS",
        State::Block => "FAIL",
        State::Error => "ERROR",
    }
}

fn syntax(tested: &Tested) -> String {
    match &tested.gate {
        Ok(_) => "valid".to_owned(),
        Err(Syntax::Skip) => "SKIP".to_owned(),
        Err(Syntax::Invalid(problem)) => format!("INVALID: {problem}"),
    }
}

/// As spec/promotion-gates 4.4.1 shows it.
fn text(tested: &Tested, with_coverage: bool) -> String {
    let Tested { place, name, expression, answer, outcomes, covered, gate: _ } = tested;
    let expression = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = format!("PolicyGate \"{name}\" ({place}):\n");
    if !expression.is_empty() {
        out += &format!("  Expression: {expression}\n");
    }
    out += &format!("  Syntax: {}\n", syntax(tested));
    if let Some((state, reason, assumed)) = answer {
        out += &format!("  Result: {}\n", result(*state));
        if *state == State::Error {
            out += &format!("    {reason}\n");
        }
        if !assumed.is_empty() {
            out += &format!("  Assumed: {}\n", assumed.join(", "));
        }
    }
    for outcome in outcomes {
        if outcome.failure.is_empty() {
            out += &format!("  ok    {}\n", outcome.name);
        } else {
            out += &format!("  FAIL  {}: {}\n", outcome.name, outcome.failure);
            out +=
                &outcome.inputs.iter().map(|(name, value)| format!("          {name} = {value}\n")).collect::<String>();
        }
    }
    if with_coverage && !outcomes.is_empty() {
        let (seen, all) = coverage::share(covered);
        out += &format!("  Coverage: {seen} of {all} outcomes of operands\n");
        for operand in covered.iter().filter(|it| !it.seen_true || !it.seen_false) {
            let never = match (operand.seen_true, operand.seen_false) {
                (true, _) => "false",
                (false, true) => "true",
                (false, false) => "evaluated",
            };
            out += &format!("    never {never}: {}\n", operand.text);
        }
    }
    out + "\n"
}

fn data(tested: &Tested) -> Value {
    let (seen, all) = coverage::share(&tested.covered);
    let outcome = |it: &Outcome| json!({"name": it.name, "passed": it.failure.is_empty(), "failure": it.failure, "reason": it.reason});
    json!({
        "name": tested.name,
        "file": tested.place,
        "expression": tested.expression,
        "syntax": syntax(tested),
        "result": tested.answer.as_ref().map(|it| result(it.0)),
        "reason": tested.answer.as_ref().map(|it| it.1.clone()),
        "assumed": tested.answer.as_ref().map(|it| it.2.clone()),
        "tests": tested.outcomes.iter().map(outcome).collect::<Vec<_>>(),
        "coverage": {"seen": seen, "of": all, "operands": coverage::data(&tested.covered)},
    })
}
