//! `policy simulate`: what the gates before an environment would say under made-up conditions, and when they would all let a
//! Bundle through (spec/promotion-gates 4.5).

use std::sync::Arc;

use jiff::Timestamp;
use kanon_core::EvidenceValue;
use serde_json::{Value, json};

use super::scenario::Scenario;
use crate::{
    api::Provenance,
    collect::{Meta, Role, is_collected},
    decide::{Decision, decide, explain, one_line},
    facts::{Facts, Key, Target},
    gate::{Gate, Problem},
    inputs::{BundleInput, EnvironmentInput, Inputs, PullRequests, Soaking, Upstream},
    next::{HORIZON, next_change, passes},
    status::rfc3339,
};

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Namespace of the Pipeline; the first that has it when empty.
    pub namespace: String,
    /// The Pipeline.
    pub pipeline: String,
    /// The target.
    pub environment: String,
    /// A real Bundle whose context is taken; a made-up one when empty.
    pub bundle: String,
    /// Further conditions.
    pub scenario: Scenario,
}

/// A gate that may take part.
pub struct Candidate {
    /// Its object.
    pub meta: Meta,
    /// The gate, or why it is none.
    pub gate: Result<Arc<Gate>, Problem>,
}

/// What one gate said.
pub struct Line {
    /// Its object.
    pub meta: Meta,
    /// The expression.
    pub expression: String,
    /// For people.
    pub message: String,
    /// What it said.
    pub decision: Decision,
    /// Why it would not be asked; empty when it would.
    pub note: &'static str,
    /// Values of sub-expressions.
    pub values: Vec<EvidenceValue>,
}

/// The answer.
pub struct Report {
    /// The instant that was asked about.
    pub at: Timestamp,
    /// Gates in order of namespace and name.
    pub lines: Vec<Line>,
    /// When all would pass, if some block now: none within the horizon is `Some(None)`.
    pub next_window: Option<Option<Timestamp>>,
    /// Whether the Pipeline is known.
    pub pipeline_known: bool,
}

impl Report {
    /// Gates that block.
    pub fn blocking(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|it| it.note.is_empty() && !it.decision.state.is_ready())
    }
}

/// Asks all gates that stand before the environment.
///
/// # Errors
/// A Bundle or environment that is not there.
pub fn simulate(facts: &Facts, candidates: &[Candidate], request: &Request, at: Timestamp) -> Result<Report, String> {
    let named = |key: &&Key| key.1 == request.pipeline && (request.namespace.is_empty() || key.0 == request.namespace);
    let key = facts.pipelines.keys().find(named);
    let pipeline = key.and_then(|it| facts.pipelines.get(it));
    if let Some(pipeline) = pipeline
        && pipeline.environment(&request.environment).is_none()
    {
        let known = pipeline.names().collect::<Vec<_>>().join(", ");
        let (name, wrong) = (&request.pipeline, &request.environment);
        return Err(format!("Pipeline `{name}` has no environment `{wrong}`: it has {known}"));
    }
    let namespace = key.map_or(request.namespace.clone(), |it| it.0.clone());
    let target = Target {
        namespace,
        pipeline: request.pipeline.clone(),
        environment: request.environment.clone(),
        bundle: if request.bundle.is_empty() { "simulated".to_owned() } else { request.bundle.clone() },
    };
    let mut inputs = if request.bundle.is_empty() { made_up(facts, &target) } else { facts.inputs(&target)? };
    request.scenario.apply(&mut inputs, at);
    let asked = candidates.iter().filter(|it| matches!(it.meta.role(), Role::Template | Role::Freeze));
    let mut lines = Vec::new();
    let mut standing = Vec::new();
    for Candidate { meta, gate } in asked {
        let Some(line) = line(facts, meta, gate, &target, key, &inputs, at) else { continue };
        if let (Ok(gate), "") = (gate, line.note) {
            standing.push(gate.clone());
        }
        lines.push(line);
    }
    let report = Report { at, lines, next_window: None, pipeline_known: pipeline.is_some() };
    let blocked = report.blocking().next().is_some();
    let broken = report.blocking().any(|it| it.expression.is_empty());
    let next_window = blocked.then(|| {
        let all: Vec<_> = standing.iter().map(|it| (&**it, &target, &inputs)).collect();
        let open = |at| standing.iter().all(|gate| passes(gate, &target, &inputs, at));
        // A gate that is no gate opens never.
        if broken { None } else { next_change(&all, at, HORIZON, open) }
    });
    Ok(Report { next_window, ..report })
}

/// One gate, if it has to do with the environment at all.
fn line(
    facts: &Facts,
    meta: &Meta,
    gate: &Result<Arc<Gate>, Problem>,
    target: &Target,
    key: Option<&Key>,
    inputs: &Inputs,
    at: Timestamp,
) -> Option<Line> {
    let environment = &target.environment;
    let collected = |gate: &Gate| match key.and_then(|key| Some((key, facts.pipelines.get(key)?))) {
        Some((key, pipeline)) => is_collected(facts, meta, gate, key, pipeline),
        None => true,
    };
    match gate {
        Ok(gate) => {
            let nowhere = meta.applies_to(Some(gate)) == "-";
            let freeze = meta.role() == Role::Freeze;
            if !collected(gate) || !(nowhere || freeze || meta.matches(gate, environment)) {
                return None;
            }
            let note = if freeze {
                "pauses a Pipeline"
            } else if nowhere {
                "not injected: no applies-to"
            } else {
                ""
            };
            let (_, values) = explain(gate, inputs, at);
            Some(Line {
                meta: meta.clone(),
                expression: gate.expression.clone(),
                message: gate.message.clone(),
                decision: decide(gate, target, &Ok(inputs.clone()), at),
                note,
                values,
            })
        }
        // Where a broken gate belongs only its label can say.
        Err(problem) => meta.named_environments().contains(&environment.as_str()).then(|| Line {
            meta: meta.clone(),
            expression: String::new(),
            message: String::new(),
            decision: Decision::error(problem.reason(false)),
            note: "",
            values: Vec::new(),
        }),
    }
}

/// The conditions of a Bundle that does not exist.
fn made_up(facts: &Facts, target: &Target) -> Inputs {
    let key = (target.namespace.clone(), target.pipeline.clone());
    let pipeline = facts.pipelines.get(&key);
    let environment = pipeline.and_then(|it| it.environment(&target.environment));
    let names = pipeline.map(|it| it.names().map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default();
    // A real Bundle's neighbours: what is known of windows and metrics is true for a made-up one too.
    let real = facts.with_bundle(target).inputs(target).ok();
    Inputs {
        bundle: Arc::new(BundleInput {
            kind: "image".to_owned(),
            name: target.bundle.clone(),
            version: "v1.0.0".to_owned(),
            provenance: Provenance {
                author: "simulate".to_owned(),
                commit_sha: "abc1234".to_owned(),
                ..Provenance::default()
            },
            target: target.environment.clone(),
            ..BundleInput::default()
        }),
        environment: EnvironmentInput {
            name: target.environment.clone(),
            approval: environment.map_or("auto", |it| &it.approval).to_owned(),
            labels: environment.map(|it| it.labels.clone()).unwrap_or_default(),
        },
        metrics: real.as_ref().map_or_else(|| Ok(Default::default()), |it| it.metrics.clone()),
        previous: real.as_ref().map_or(Ok(None), |it| it.previous.clone()),
        upstream: match &real {
            Some(real) => real.upstream.clone(),
            None => Ok(names.iter().map(|it| (it.clone(), Upstream::default())).collect()),
        },
        soaking: Soaking::Direct(pipeline.map(|it| it.upstreams(&target.environment, &[])).unwrap_or_default()),
        pr: Ok(PullRequests { stages: pipeline.map(|_| names.into_iter().collect()), known: Default::default() }),
        windows: Ok(facts.windows.clone()),
        strict_windows: facts.settings.strict_windows,
    }
}

/// The report as 4.5 shows it.
pub fn text(report: &Report, explain: bool) -> String {
    let mut out = String::new();
    let blocking: Vec<&Line> = report.blocking().collect();
    if blocking.is_empty() {
        out += "RESULT: PASS\n";
    } else {
        let names: Vec<_> = blocking.iter().map(|it| it.meta.subject.name.as_str()).collect();
        out += &format!("RESULT: BLOCKED\nBlocked by: {}\n", names.join(", "));
        for line in blocking.iter().filter(|it| !it.message.is_empty()) {
            out += &format!("Message: \"{}\"\n", line.message);
        }
        if let Some(next) = report.next_window {
            let next = next.map_or("none within 30 days".to_owned(), |at| window_text(at, report.at));
            out += &format!("Next window: {next}\n");
        }
    }
    let width = report.lines.iter().map(|it| it.meta.subject.name.chars().count() + 1).max().unwrap_or(0);
    if !report.lines.is_empty() {
        out += "\n";
    }
    for line in &report.lines {
        let name = format!("{}:", line.meta.subject.name);
        let state = crate::view::word(&line.decision).to_ascii_uppercase();
        let note = if line.note.is_empty() { String::new() } else { format!(" ({})", line.note) };
        out += &format!("{name:width$}   {state:<5} ({}){note}\n", plain_reason(&line.decision.reason));
        if explain {
            for value in &line.values {
                out += &format!("    {} = {}\n", one_line(&value.text), value.value);
            }
        }
    }
    out
}

/// The report for machines.
pub fn data(report: &Report) -> Value {
    let line = |it: &Line| {
        json!({
            "name": it.meta.subject.name, "namespace": it.meta.subject.namespace, "expression": it.expression,
            "message": it.message, "state": crate::view::word(&it.decision), "reason": it.decision.reason,
            "ready": it.decision.state.is_ready(), "note": it.note, "values": it.values,
        })
    };
    json!({
        "time": rfc3339(report.at),
        "result": if report.blocking().next().is_none() { "PASS" } else { "BLOCKED" },
        "blockedBy": report.blocking().map(|it| it.meta.subject.name.clone()).collect::<Vec<_>>(),
        "nextWindow": report.next_window.flatten().map(rfc3339),
        "gates": report.lines.iter().map(line).collect::<Vec<_>>(),
    })
}

/// Without the version that every line would repeat.
fn plain_reason(reason: &str) -> &str {
    match reason.strip_prefix("bundle.version=").and_then(|it| it.split_once(": ")) {
        Some((_, text)) => text,
        None => reason,
    }
}

/// `Monday 00:00 UTC`; with the date when that is not the next Monday.
fn window_text(at: Timestamp, from: Timestamp) -> String {
    let near = at.duration_since(from).as_hours() < 24 * 6;
    let form = if near { "%A %H:%M UTC" } else { "%A %Y-%m-%d %H:%M UTC" };
    at.strftime(form).to_string()
}
