//! `policy lint`: what is legal and probably not meant (spec/promotion-gates 4.4.4). What is known of Pipelines, windows and
//! metrics comes in as facts; of what nothing is known, nothing is said, except of change windows: one that is missing opens
//! a gate.

use crate::{
    api::label,
    collect::{Meta, Role, Scope, is_collected},
    facts::{Facts, Key},
    gate::{Compiler, Gate, Problem},
    pipeline::Pipeline,
    references::References,
};

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// A word for machines.
    pub code: &'static str,
    /// What, and what to do: one line.
    pub message: String,
}

/// What is known of a gate.
pub struct Subject<'s> {
    /// Its object.
    pub meta: &'s Meta,
    /// Its expression, as written.
    pub expression: &'s str,
    /// The gate, or why it is none.
    pub gate: Result<&'s Gate, &'s Problem>,
}

/// Texts of the Bundle that are compared with `true` by mistake.
const TEXTS: [&[&str]; 7] = [
    &["bundle", "version"],
    &["bundle", "type"],
    &["bundle", "name"],
    &["bundle", "annotations"],
    &["bundle", "provenance"],
    &["environment", "name"],
    &["previousBundle", "version"],
];

/// Everything to look at in a gate. `real_cluster`: labels must be legal for an API server that is not ours.
pub fn lint(subject: &Subject<'_>, facts: &Facts, compiler: &Compiler, real_cluster: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |code, message: String| found.push(Finding { code, message });
    let Subject { meta, expression, gate } = subject;
    match gate {
        Err(problem @ Problem::Planned(_)) => {
            say("planned-attribute", format!("{}: it is not available yet, so the gate stays closed", problem));
        }
        Err(problem) => say("invalid", problem.reason(true)),
        Ok(_) => {}
    }
    let scope = meta.scope(facts);
    if let Some(claimed) = meta.labels().get(label::SCOPE).filter(|it| *it == "org" || *it == "team")
        && *claimed != scope.as_str()
        && meta.role() != Role::Instance
    {
        let means = match scope {
            Scope::Org => "it lives in a policy namespace and is the organisation's",
            Scope::Team => "it lives outside the policy namespaces and is a team's",
        };
        say("scope", format!("label `{}` says `{claimed}`, but {means}", label::SCOPE));
    }
    if real_cluster && meta.labels().get(label::APPLIES_TO).is_some_and(|it| it.contains(',')) {
        let name = label::APPLIES_TO;
        say(
            "comma-label",
            format!("label `{name}` holds a comma, which API servers refuse: use the annotation `{name}`"),
        );
    }
    let Ok(gate) = gate else { return found };
    if gate.skip_permission {
        let text = "`spec.skipPermission` has no effect: label the gate `kardinal.io/type: skip-permission`";
        say("skip-permission", text.to_owned());
    }
    if matches!(meta.role(), Role::Template | Role::SkipPermission) && meta.applies_to(Some(gate)) == "-" {
        let text = format!("it applies to no environment: set `{}` or `spec.appliesTo`", label::APPLIES_TO);
        say("applies-to", text);
    }
    for hint in compiler.hints(expression) {
        say("expression", hint);
    }
    texts(expression, &mut say);
    known_names(gate, facts, &mut say);
    pipelines(meta, gate, facts, &mut say);
    found
}

/// Comparisons that type rules do not catch.
fn texts(expression: &str, say: &mut impl FnMut(&'static str, String)) {
    if compared(expression, &["schedule", "hour"], |it| {
        it.bytes().next().is_some_and(|it| it.is_ascii_digit()) && it.contains('.')
    }) {
        say(
            "hour-fraction",
            "`schedule.hour` is a whole number: a fraction is no minute, use `schedule.minute`".to_owned(),
        );
    }
    for path in TEXTS {
        if compared(expression, path, |it| it == "true" || it == "false") {
            let path = path.join(".");
            say("text-and-boolean", format!("`{path}` is text and never equals a boolean: compare with \"true\""));
        }
    }
}

/// Whether a path (or something below it) is compared with a word of this form. Only a hint hangs on it.
fn compared(expression: &str, path: &[&str], word: impl Fn(&str) -> bool) -> bool {
    if !References::of(expression).reads(path) {
        return false;
    }
    let dotted = path.join(".");
    expression.match_indices(&dotted).any(|(at, _)| {
        let after = &expression[at + dotted.len()..];
        let member = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '.' | '[' | ']' | '"' | '\'');
        let after = after.trim_start_matches(member).trim_start();
        let operand = after.trim_start_matches(['=', '!', '<', '>']);
        if operand.len() == after.len() {
            return false;
        }
        let operand = operand.trim_start();
        let end = operand.find(|it: char| !it.is_ascii_alphanumeric() && it != '.').unwrap_or(operand.len());
        word(&operand[..end])
    })
}

/// Names that do not exist, as far as it is known what does.
fn known_names(gate: &Gate, facts: &Facts, say: &mut impl FnMut(&'static str, String)) {
    for name in gate.references.windows() {
        if !facts.windows.contains_key(name) {
            say("unknown-window", format!("there is no change window `{name}`: it counts as inactive"));
        }
    }
    if !facts.metrics.is_empty() {
        for name in gate.references.metrics() {
            if !facts.metrics.iter().any(|((_, known), _)| known == name) {
                say("unknown-metric", format!("there is no MetricCheck `{name}`: the gate stays closed"));
            }
        }
    }
}

/// What only shows against the Pipelines that the gate is collected for.
fn pipelines(meta: &Meta, gate: &Gate, facts: &Facts, say: &mut impl FnMut(&'static str, String)) {
    let collected: Vec<(&Key, &Pipeline)> =
        facts.pipelines.iter().filter(|(key, it)| is_collected(facts, meta, gate, key, it)).collect();
    if collected.is_empty() {
        return;
    }
    let any = |name: &str| collected.iter().any(|(_, it)| it.environment(name).is_some());
    for name in meta.named_environments().into_iter().filter(|it| !any(it)) {
        say("unknown-environment", format!("no Pipeline has an environment `{name}`"));
    }
    for name in gate.references.stages().into_iter().chain(gate.references.upstreams()).filter(|it| !any(it)) {
        say("unknown-stage", format!("no Pipeline has a stage `{name}`: the gate stays closed"));
    }
    for (key, pipeline) in collected {
        let matched = pipeline.environments.iter().filter(|it| meta.matches(gate, &it.name));
        let first = matched.filter(|it| it.upstreams.is_empty());
        for environment in first {
            if gate.references.reads(&["bundle", "upstreamSoakMinutes"]) {
                let (name, pipeline) = (&environment.name, &key.1);
                say(
                    "soak-without-upstream",
                    format!("`{name}` of Pipeline `{pipeline}` has no upstream: soak is always 0"),
                );
            }
        }
        for stage in gate.references.stages() {
            if pipeline.environment(stage).is_some_and(|it| it.approval == "auto") {
                let pipeline = &key.1;
                say(
                    "auto-stage",
                    format!("stage `{stage}` of Pipeline `{pipeline}` is `auto`: it has no pull request to approve"),
                );
            }
        }
    }
}
