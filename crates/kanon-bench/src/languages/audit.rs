//! Many objects under many rules, as an audit meets them: 2,000 pods with 50 rules, each evaluated by itself and as one rule
//! set; and 2,000 rules of which the index picks the few that can be true.

use std::sync::Arc;

use kanon_core::Object;
use kanon_lang::{Arena, LanguageId, Limits, Memo, Program, RuleSet, Value};

use super::{
    inputs::{Document, Inputs},
    report::{Bar, Report, Row},
    rules::Engines,
    stopwatch::Side,
};

/// How many pods.
const PODS: usize = 2000;
/// Rules of the audit.
const RULES: usize = 50;
/// Rules of the indexed set, each for one of [`NAMESPACES`].
const MANY: usize = 2000;
const NAMESPACES: usize = 400;
/// What the Go original and the prototype count as true in the audit.
const HITS: u64 = 6065;

/// Ten questions that people ask of pods; the other rules ask them in one namespace each.
const QUESTIONS: [&str; 10] = [
    "object.spec.hostNetwork == true",
    "any(object.spec.containers, .securityContext.privileged == true)",
    "any(object.spec.containers, .image startsWith \"docker.io/\")",
    "object.metadata.namespace == \"infra\" and object.spec.serviceAccountName == \"default\"",
    "none(object.spec.containers, .resources.limits.memory == nil)",
    "object.metadata.labels.team == nil",
    "any(object.spec.volumes, .hostPath != nil)",
    "all(object.spec.containers, .securityContext.runAsNonRoot == true)",
    "(object.spec.securityContext?.runAsUser ?? 0) == 0",
    "count(object.spec.containers, .readinessProbe == nil) > 0",
];

/// The text of rule `n` of the audit.
pub(crate) fn rule(n: usize) -> String {
    let question = QUESTIONS[n % QUESTIONS.len()];
    if n < QUESTIONS.len() {
        return question.to_owned();
    }
    format!("object.metadata.namespace == \"ns{n}\" and ({question})")
}

/// The rules of the audit, compiled.
pub(crate) fn rules(engines: &Engines) -> anyhow::Result<Vec<Arc<dyn Program>>> {
    (0..RULES).map(|n| engines.compile(LanguageId::EXPR, &rule(n), Document::Pod)).collect()
}

/// The first `count` pods of the audit: each differs from the others a little.
pub(crate) fn pods(inputs: &Inputs, count: usize) -> anyhow::Result<Vec<Object>> {
    let text = std::str::from_utf8(inputs.pod.text())?;
    let pod = |n: usize| {
        let privileged = if n.is_multiple_of(31) { "\"privileged\":true" } else { "\"privileged\":false" };
        let text = text
            .replace("orders-api", &format!("svc{}-api", n % 97))
            .replace("\"privileged\":false", privileged)
            .replace("payments", ["payments", "search", "infra", "web"][n % 4]);
        Ok(Object::parse(text)?.compact())
    };
    (0..count).map(pod).collect()
}

/// How many answers are true, and how many errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// True answers.
    pub(crate) hits: u64,
    /// Errors.
    pub(crate) errors: u64,
}

/// Every rule by itself on every pod.
pub(crate) fn one_by_one(programs: &[Arc<dyn Program>], pods: &[Object], arena: &mut Arena) -> Count {
    let limits = Limits::default();
    let mut count = Count::default();
    for pod in pods {
        for program in programs {
            arena.reset();
            match program.evaluate(&[Value::Node(pod.root())], &limits, arena) {
                Ok(Value::Bool(true)) => count.hits += 1,
                Ok(_) => {}
                Err(_) => count.errors += 1,
            }
        }
    }
    count
}

/// All rules as one set on every pod; `room` is kept from object to object.
pub(crate) fn as_set(set: &RuleSet, pods: &[Object], arena: &mut Arena, room: &mut Memo<'static>) -> Count {
    let limits = Limits::default();
    let mut count = Count::default();
    for pod in pods {
        arena.reset();
        let values = [Value::Node(pod.root())];
        let mut memo = std::mem::take(room).renew();
        set.decide(&values, &limits, arena, &mut memo, |_, answer| match answer {
            Ok(true) => count.hits += 1,
            Ok(false) => {}
            Err(_) => count.errors += 1,
        });
        *room = memo.renew();
    }
    count
}

/// Prints the rows.
pub(crate) fn run(report: &mut Report, inputs: &Inputs, engines: &Engines) -> anyhow::Result<()> {
    report.heading("Audit: 2,000 pods, 50 rules, one thread");
    let (pods, programs) = (pods(inputs, PODS)?, rules(engines)?);
    let set = RuleSet::new(programs.clone());
    let wanted = Count { hits: HITS, errors: 0 };
    let (mut arena, mut room) = (Arena::new(), Memo::default());
    let single = one_by_one(&programs, &pods, &mut arena);
    let together = as_set(&set, &pods, &mut arena, &mut room);
    anyhow::ensure!(single == wanted && together == wanted, "{single:?} and {together:?}, wanted {wanted:?}");
    let mut other = Arena::new();
    let sides = vec![
        Side::new("rule set", || as_set(&set, &pods, &mut arena, &mut room)),
        Side::new("one by one", || one_by_one(&programs, &pods, &mut other)),
    ];
    let name = "as a rule set".to_owned();
    let figures =
        report.row(Row { name, sides, go: Some((37.7e6, 0.0)), bars: vec![Bar::AtMost(10e6), Bar::TimesGo(3.0)] });
    for (figure, name) in figures.iter().zip(["rule set", "one by one"]) {
        let each = figure.min / (PODS * RULES) as f64;
        let rate = PODS as f64 * 1e9 / figure.min;
        report.note(&format!("  {name}: {each:.1} ns a rule and object, {rate:.0} objects/s, {HITS} hits"));
    }
    many(report, inputs, engines)
}

/// Rules that each begin with their namespace.
fn many(report: &mut Report, inputs: &Inputs, engines: &Engines) -> anyhow::Result<()> {
    report.heading("2,000 rules for 400 namespaces, 2,000 pods");
    let text = |n: usize| {
        let (namespace, question) = (n % NAMESPACES, QUESTIONS[n % QUESTIONS.len()]);
        format!("object.metadata.namespace == \"ns{namespace}\" and ({question})")
    };
    let programs =
        (0..MANY).map(|n| engines.compile(LanguageId::EXPR, &text(n), Document::Pod)).collect::<Result<Vec<_>, _>>()?;
    let placed = |(n, pod): (usize, Object)| {
        let text = std::str::from_utf8(pod.text())?;
        let text = text.replace("\"namespace\":\"", &format!("\"namespace\":\"ns{}\",\"x\":\"", n % NAMESPACES));
        anyhow::Ok(Object::parse(text)?.compact())
    };
    let pods = pods(inputs, PODS)?.into_iter().enumerate().map(placed).collect::<Result<Vec<_>, _>>()?;
    let set = RuleSet::new(programs.clone());
    let (mut arena, mut room) = (Arena::new(), Memo::default());
    let every = one_by_one(&programs, &pods, &mut arena);
    let indexed = as_set(&set, &pods, &mut arena, &mut room);
    anyhow::ensure!(every == indexed && every.hits > 0, "every rule gives {every:?}, the index {indexed:?}");
    let mut other = Arena::new();
    let sides = vec![
        Side::new("index", || as_set(&set, &pods, &mut arena, &mut room)),
        Side::new("every rule, one by one", || one_by_one(&programs, &pods, &mut other)),
    ];
    let figures = report.row(Row { name: "with the index".to_owned(), sides, go: None, bars: Vec::new() });
    if let [indexed, every] = figures.as_slice() {
        let rate = PODS as f64 * 1e9 / indexed.min;
        let measured = format!("{rate:.0} objects/s, {:.0} × every rule", every.min / indexed.min);
        report.line("  objects a second", &measured, Some(("≥ 500,000/s", rate >= 5e5)));
        let object = indexed.min / PODS as f64;
        report.line("  one object", &format!("{object:.0} ns"), Some(("≤ 5 µs", object <= 5e3)));
    }
    Ok(())
}
