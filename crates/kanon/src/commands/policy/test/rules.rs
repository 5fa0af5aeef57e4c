//! Unit tests of rules: objects and requests, and which rules are to find them; with what of the rules they saw. The rules decide
//! as they do in a cluster.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use kanon_core::{Now, Object, Operation, Outcome, PolicyFile, Review, UserInfo, Verdict};
use kanon_lang::coverage::{self, Operand};
use kanon_plane::Views;
use kanon_promotion::offline::cases;
use kanon_rules::{Mode, Picture, PodShapes, Rule, Rules, RulesView, Sources, api};
use serde::Deserialize;
use serde_json::{Value, json};

use super::parent;
use crate::{
    commands::{
        check::{
            Others, manifests,
            request::{Clustered, as_stored, request},
        },
        policy::rules::{compile, files},
    },
    exit::Failure,
};

/// Kind of a document with unit tests of rules.
const TEST_KIND: &str = "PortalRuleTest";

/// A document with tests.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "what every manifest has is accepted, and not read")]
struct TestFile {
    api_version: String,
    kind: String,
    #[serde(default)]
    metadata: Value,
    /// Files and folders beside this one; without any, the rules of the command line are tested.
    #[serde(default)]
    rules: Vec<PathBuf>,
    /// What lookups find in every case.
    #[serde(default)]
    objects: Vec<Value>,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    mode: CaseMode,
    #[serde(default = "create")]
    operation: Operation,
    #[serde(default)]
    user_info: UserInfo,
    #[serde(default = "default_namespace")]
    namespace: String,
    object: Value,
    /// What it replaces, in an update.
    #[serde(default)]
    old_object: Option<Value>,
    /// What lookups find besides.
    #[serde(default)]
    objects: Vec<Value>,
    #[serde(default)]
    expect: Vec<Expect>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CaseMode {
    #[default]
    Admission,
    Audit,
    Network,
}

fn create() -> Operation {
    Operation::Create
}

fn default_namespace() -> String {
    "default".to_owned()
}

/// What a rule is to say; what is left out is not compared.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expect {
    /// Its name; in `tests` of a rule that one's, unless it is said.
    #[serde(default)]
    rule: String,
    /// `deny`, `warn`, `dryrun` or `error`; in the other loops `violation` or `error`.
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    container: String,
    /// Text that the message holds.
    #[serde(default)]
    message: String,
}

/// What came of all tests.
pub(super) struct Suite {
    /// Which kinds make pods.
    shapes: PodShapes,
    /// Each test file with its cases.
    files: Vec<(String, Vec<cases::Outcome>)>,
    /// Rules that do not compile.
    invalid: Vec<String>,
    /// What was seen of each rule.
    covered: BTreeMap<String, Covered>,
}

struct Covered {
    operands: Vec<Operand>,
    violated: bool,
    passed: bool,
}

impl Case {
    /// A case of a rule's own `tests`.
    fn of_rule(rule: &Rule, test: &Value) -> Result<Case, String> {
        let mut case: Case = serde_json::from_value(test.clone()).map_err(|error| error.to_string())?;
        for expect in case.expect.iter_mut().filter(|it| it.rule.is_empty()) {
            expect.rule.clone_from(&rule.name);
        }
        Ok(case)
    }
}

/// Whether a manifest is looked at here.
pub(super) fn is_ours(object: &Object) -> bool {
    let group = object.str_at(&["apiVersion"]).split('/').next().unwrap_or_default();
    group == api::GROUP || object.str_at(&["kind"]) == TEST_KIND
}

/// Runs the tests among the files, and those beside them.
pub(super) fn run(paths: &[PathBuf], shapes: PodShapes, now: Now) -> Result<Suite, Failure> {
    let mut texts = Vec::new();
    for path in paths.iter().filter(|it| it.as_os_str() != "-") {
        texts.extend(manifests::texts(path)?);
        if path.is_file() && !is_test_file(path) {
            for test in beside(path) {
                texts.extend(manifests::texts(&test)?);
            }
        }
    }
    texts.sort_by(|a, b| a.path.cmp(&b.path));
    texts.dedup();
    let mut suite = Suite { shapes, files: Vec::new(), invalid: Vec::new(), covered: BTreeMap::new() };
    let given = suite.compile(&texts);
    suite.inline(&given, now);
    for text in &texts {
        for manifest in manifests::parse_some(text)? {
            if manifest.object.str_at(&["kind"]) != TEST_KIND {
                continue;
            }
            let test: TestFile = serde_json::from_slice(manifest.object.text())
                .map_err(|error| Failure::new(format!("`{}`: {error}", manifest.place)))?;
            let rules = if test.rules.is_empty() {
                Arc::clone(&given)
            } else {
                let folder = parent(Path::new(&text.path));
                let named: Vec<_> = test.rules.iter().map(|it| folder.join(it)).collect();
                suite.compile(&files(&named)?)
            };
            if rules.is_empty() {
                let problem = "names no rules: set `rules`, or give them on the command line";
                return Err(Failure::new(format!("`{}` {problem}", manifest.place)));
            }
            let outcomes = test.cases.iter().map(|case| suite.case(&rules, &test.objects, case, None, now)).collect();
            suite.files.push((manifest.place, outcomes));
        }
    }
    Ok(suite)
}

fn is_test_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    name.ends_with(".ruletest.yaml") || name.ends_with(".ruletest.yml")
}

fn beside(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent(path)).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|it| it.path()).filter(|it| is_test_file(it)).collect();
    found.sort();
    found
}

impl Suite {
    fn compile(&mut self, files: &[PolicyFile]) -> Arc<Rules> {
        let (rules, problems) = compile(&Sources { files, ..Sources::default() }, &self.shapes);
        for problem in problems.iter().filter(|it| !it.warning) {
            let text = problem.to_string();
            if !self.invalid.contains(&text) {
                self.invalid.push(text);
            }
        }
        for rule in rules.active() {
            let new = || Covered { operands: coverage::operands(&rule.expression), violated: false, passed: false };
            self.covered.entry(rule.name.clone()).or_insert_with(new);
        }
        rules
    }

    /// Runs the cases that stand in the rules themselves. Each is about its rule alone.
    fn inline(&mut self, rules: &Arc<Rules>, now: Now) {
        for (place, rule) in rules.placed().filter(|it| !it.1.tests.list().is_empty()) {
            let outcomes = rule.tests.list().iter().enumerate().map(|(at, test)| match Case::of_rule(rule, test) {
                Ok(case) => self.case(rules, &[], &case, Some(&rule.name), now),
                Err(problem) => cases::Outcome {
                    name: test["name"].as_str().map_or_else(|| format!("tests[{at}]"), str::to_owned),
                    failure: format!("`tests[{at}]`: {problem}"),
                    reason: String::new(),
                    inputs: Vec::new(),
                },
            });
            let outcomes = outcomes.collect();
            self.files.push((place.to_owned(), outcomes));
        }
    }

    /// Runs a case; with a rule's name it is about that rule alone.
    fn case(
        &mut self,
        rules: &Arc<Rules>,
        objects: &[Value],
        case: &Case,
        only: Option<&str>,
        now: Now,
    ) -> cases::Outcome {
        let stored = |it: &Value| as_stored(&Object::from_value(it), &Clustered::default(), &case.namespace);
        let mut review = request(stored(&case.object), case.operation, case.user_info.clone());
        if let Some(old) = &case.old_object {
            review.old_object = Some(stored(old));
        }
        let mut others = Others::default();
        if case.mode != CaseMode::Admission {
            // It is stored already.
            others.add(&review);
        }
        objects.iter().chain(&case.objects).for_each(|it| others.add_object(&stored(it)));
        let mut found = self.ask(rules, case.mode, &review, &others, now);
        found.retain(|it| only.is_none_or(|only| it.policy.name == only));
        cases::Outcome {
            name: case.name.clone(),
            failure: compare(case, &found),
            reason: String::new(),
            inputs: Vec::new(),
        }
    }

    /// What the rules find, and what was seen of them on the way.
    fn ask(&mut self, rules: &Arc<Rules>, mode: CaseMode, review: &Review, others: &Others, now: Now) -> Vec<Verdict> {
        let Some(object) = review.subject_object() else { return Vec::new() };
        let picture = Picture::of_manifests(others);
        let (request, network, loops) = match mode {
            CaseMode::Admission => (Some(review), None, Mode::Admission),
            CaseMode::Audit => (None, None, Mode::Audit),
            CaseMode::Network => (None, Some(&picture), Mode::Network),
        };
        for trace in rules.trace(object, request, network, &[loops], others, now) {
            let Some(covered) = self.covered.get_mut(&trace.rule.name) else { continue };
            coverage::note(&mut covered.operands, trace.result.as_ref().ok().copied(), &trace.values);
            covered.violated |= trace.result == Ok(true);
            covered.passed |= trace.result == Ok(false);
        }
        let verdicts = match (request, network) {
            (Some(review), _) => {
                let views = Views::new(vec![Arc::new(RulesView::new(Arc::clone(rules)))]);
                views.review(review, others, now).reviewed.into_iter().flat_map(|it| it.1.verdicts).collect()
            }
            (None, Some(network)) => rules.review_network(object, network, others, now),
            (None, None) => rules.review_among(object, &[loops], others, now),
        };
        verdicts.into_iter().filter(|it| it.outcome != Outcome::Allow).collect()
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.invalid.is_empty() && self.covered.is_empty()
    }

    /// Cases that failed, and rules that do not compile.
    pub(super) fn failures(&self) -> usize {
        self.cases().filter(|it| !it.failure.is_empty()).count() + self.invalid.len()
    }

    /// Each file's cases.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (&str, &[cases::Outcome])> {
        self.files.iter().map(|(place, outcomes)| (place.as_str(), outcomes.as_slice()))
    }

    fn cases(&self) -> impl Iterator<Item = &cases::Outcome> {
        self.files.iter().flat_map(|it| &it.1)
    }

    /// For people.
    pub(super) fn text(&self, with_coverage: bool) -> String {
        let mut text = String::new();
        for problem in &self.invalid {
            text += &format!("INVALID {problem}\n");
        }
        for (place, outcomes) in &self.files {
            text += &format!("{place}:\n");
            for outcome in outcomes {
                text += &match outcome.failure.as_str() {
                    "" => format!("  ok    {}\n", outcome.name),
                    failure => format!("  FAIL  {}: {failure}\n", outcome.name),
                };
            }
            text.push('\n');
        }
        let (mut seen, mut all) = (0, 0);
        for (name, covered) in &self.covered {
            let (some, of) = coverage::share(&covered.operands);
            (seen, all) = (seen + some, all + of);
            if with_coverage {
                text += &gaps(name, covered);
            }
        }
        let failed = self.cases().filter(|it| !it.failure.is_empty()).count();
        let both = self.covered.values().filter(|it| it.violated && it.passed).count();
        text + &format!(
            "{} rules, {} invalid; {} unit tests, {failed} failed; {both} rules seen violated and not, {seen} of {all} outcomes of operands\n",
            self.covered.len() + self.invalid.len(),
            self.invalid.len(),
            self.cases().count(),
        )
    }

    /// For machines.
    pub(super) fn data(&self) -> Value {
        let outcome =
            |it: &cases::Outcome| json!({"name": it.name, "passed": it.failure.is_empty(), "failure": it.failure});
        let file = |(place, outcomes): &(String, Vec<cases::Outcome>)| json!({"file": place, "tests": outcomes.iter().map(outcome).collect::<Vec<_>>()});
        let rule = |(name, it): (&String, &Covered)| {
            let (seen, of) = coverage::share(&it.operands);
            json!({"name": name, "violated": it.violated, "passed": it.passed,
                "coverage": {"seen": seen, "of": of, "operands": coverage::data(&it.operands)}})
        };
        json!({"invalid": self.invalid, "files": self.files.iter().map(file).collect::<Vec<_>>(),
            "rules": self.covered.iter().map(rule).collect::<Vec<_>>()})
    }
}

/// What no case saw of a rule.
fn gaps(name: &str, covered: &Covered) -> String {
    let mut text = String::new();
    let never = match (covered.violated, covered.passed) {
        (true, true) => None,
        (true, false) => Some("never without a violation"),
        (false, true) => Some("never violated"),
        (false, false) => Some("never asked"),
    };
    text += &never.map(|it| format!("  {name}: {it}\n")).unwrap_or_default();
    if !covered.violated && !covered.passed {
        return text;
    }
    for operand in covered.operands.iter().filter(|it| !it.seen_true || !it.seen_false) {
        let never = match (operand.seen_true, operand.seen_false) {
            (true, _) => "false",
            (false, true) => "true",
            (false, false) => "evaluated",
        };
        text += &format!("  {name}: never {never}: {}\n", operand.text);
    }
    text
}

/// Why a case fails; empty when it does not.
fn compare(case: &Case, found: &[Verdict]) -> String {
    let missing = case.expect.iter().filter(|it| !found.iter().any(|verdict| matches(it, case.mode, verdict)));
    let missing: Vec<_> = missing.map(|it| format!("{} {}", it.rule, it.outcome).trim().to_owned()).collect();
    let surplus = found.iter().filter(|it| !case.expect.iter().any(|expect| matches(expect, case.mode, it)));
    let surplus: Vec<_> = surplus.map(|it| said(case.mode, it)).collect();
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("expected {}", missing.join(", ")));
    }
    if !surplus.is_empty() {
        parts.push(format!("found {}", surplus.join(", ")));
    } else if !missing.is_empty() {
        let all: Vec<_> = found.iter().map(|it| said(case.mode, it)).collect();
        parts.push(if all.is_empty() { "found nothing".to_owned() } else { format!("found only {}", all.join(", ")) });
    }
    parts.join("; ")
}

fn word(mode: CaseMode, outcome: Outcome) -> &'static str {
    match (mode, outcome) {
        (CaseMode::Audit | CaseMode::Network, Outcome::DryRun) => "violation",
        (_, outcome) => outcome.as_str(),
    }
}

fn said(mode: CaseMode, it: &Verdict) -> String {
    let part = if it.evidence.part.is_empty() { String::new() } else { format!(" (container {})", it.evidence.part) };
    format!("{} {}{part}: {}", it.policy.name, word(mode, it.outcome), it.message)
}

fn matches(expect: &Expect, mode: CaseMode, verdict: &Verdict) -> bool {
    expect.rule == verdict.policy.name
        && (expect.outcome.is_empty() || expect.outcome == word(mode, verdict.outcome))
        && (expect.container.is_empty() || expect.container == verdict.evidence.part)
        && verdict.message.contains(&expect.message)
}
