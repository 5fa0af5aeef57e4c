//! `explain`: why a gate stands as it does, and when that changes by itself (spec/promotion-gates 4.3.4, 7.4).

use jiff::{SignedDuration, Timestamp};
use kanon_core::{EvidenceValue, Now};
use kanon_plane::{Explanation, Section, Target as Asked};
use serde_json::{Value, json};

use super::{PromotionView, Row};
use crate::{
    api::GATE,
    bundle::Bundle,
    collect::{Role, is_collected},
    decide::{Decision, State, decide, explain},
    facts::{Key, Target},
    gate::Gate,
    inputs::Inputs,
    next::{HORIZON, gate_changes},
    skip::{Skip, skip},
    status::{AWAITING, LAST_GOOD, rfc3339},
};

/// One gate at one place, explained.
struct Told {
    target: Target,
    decision: Decision,
    values: Vec<EvidenceValue>,
    changes: Option<Timestamp>,
    /// Whether the inputs are those of no real Bundle.
    assumed: bool,
}

impl PromotionView {
    /// `explain gate/NAME`
    pub(super) fn explain_gate(&self, asked: &Asked, now: Now) -> Option<Explanation> {
        let named = |row: &&Row| {
            let subject = &row.meta.subject;
            subject.name == asked.name && (asked.namespace.is_empty() || subject.namespace == asked.namespace)
        };
        let rows: Vec<_> = self.gates.values().filter(named).collect();
        let told: Vec<_> = rows.iter().map(|row| (*row, self.tell(row, now))).collect();
        let (first, told_first) = told.first()?;
        let mut sections = Vec::new();
        for (row, told) in &told {
            sections.extend(self.gate_sections(row, told, now));
        }
        let data = told.iter().map(|(row, told)| self.gate_data(row, told)).collect::<Vec<_>>();
        let also = if rows.len() > 1 { format!(" ({} gates have this name)", rows.len()) } else { String::new() };
        Some(Explanation {
            headline: format!("{}{also}", self.headline(first, told_first)),
            sections,
            data: json!({"now": now.rfc3339(), "gates": data}),
        })
    }

    fn tell(&self, row: &Row, now: Now) -> Vec<Told> {
        let Some(gate) = &row.gate else { return Vec::new() };
        let decisions = self.decisions(row, now);
        if decisions.is_empty() && row.meta.role() == Role::Template {
            let target = Target {
                namespace: row.meta.subject.namespace.clone(),
                pipeline: String::new(),
                environment: "prod".to_owned(),
                bundle: String::new(),
            };
            let inputs = Inputs { windows: Ok(self.facts.windows.clone()), ..Inputs::example() };
            let decision = decide(gate, &target, &Ok(inputs.clone()), now.wall);
            return vec![told(gate, target, decision, Some(&inputs), true, now)];
        }
        let of_place = |(target, decision): (Target, Decision)| {
            let inputs = self.facts.inputs(&target).ok();
            told(gate, target, decision, inputs.as_ref(), false, now)
        };
        decisions.into_iter().map(of_place).collect()
    }

    fn headline(&self, row: &Row, told: &[Told]) -> String {
        let subject = &row.meta.subject;
        let name = format!("gate {}/{} ({})", subject.namespace, subject.name, row.meta.scope(&self.facts).as_str());
        let blocked: Vec<_> = told.iter().filter(|it| !it.assumed && !it.decision.state.is_ready()).collect();
        match (&row.problem, &row.gate, blocked.first()) {
            // The last good revision lives in the controller's memory, which is not this process's.
            (Some(_), None, _) if row.told.contains(LAST_GOOD) => {
                format!("{name}: the newest revision is broken; the controller keeps the last good one in force")
            }
            (Some(problem), None, _) => format!("{name} is broken and blocks: {}", problem.reason(true)),
            (_, _, Some(it)) => {
                let open = match it.changes {
                    Some(at) => format!("; by itself it opens at {}", rfc3339(at)),
                    None => "; by itself it does not open within 30 days".to_owned(),
                };
                format!("{name} blocks {}{open}", place(&it.target))
            }
            (_, Some(_), None) if told.iter().any(|it| !it.assumed) => {
                match told.iter().filter_map(|it| it.changes).min() {
                    Some(at) => format!("{name} passes; by itself it closes at {}", rfc3339(at)),
                    None => format!("{name} passes"),
                }
            }
            (_, Some(_), None) if row.meta.role() == Role::Template => format!("{name}: {AWAITING}"),
            _ => format!("{name} is not asked between environments"),
        }
    }

    fn gate_sections(&self, row: &Row, told: &[Told], now: Now) -> Vec<Section> {
        let mut facts = Vec::new();
        let mut fact = |head: &str, text: String| facts.push(vec![head.to_owned(), text]);
        if let Some(gate) = &row.gate {
            fact("expression", crate::decide::one_line(&gate.expression));
            fact("message", gate.message.clone());
            fact("applies to", row.meta.applies_to(Some(gate)));
            fact("when", gate.when.as_str().to_owned());
            fact("asked again", format!("at the latest after {}", crate::duration::show(gate.recheck)));
            let live = |it: &&crate::gate::Override| !it.revoked && it.expires_at.is_some_and(|at| now.wall <= at);
            let active = gate.overrides.iter().filter(live).count();
            fact("overrides", format!("{active} active, {} ended", gate.overrides.len() - active));
            if gate.warn_only {
                fact("mode", "Warn: tells and never blocks".to_owned());
            }
        }
        if let Some(problem) = &row.problem {
            let kept = if row.gate.is_some() { "; the last good revision is in force" } else { "" };
            fact("problem", format!("{}{kept}", problem.reason(row.meta.role() != Role::Instance)));
        }
        if row.gate.is_none() && !row.told.is_empty() {
            facts.push(vec!["status".to_owned(), row.told.clone()]);
        }
        let mut sections = vec![section("", &[], facts)];
        for it in told {
            let title = match it.assumed {
                true => "No Bundle waits for it. For an assumed Bundle my-app-v1 on its way to prod:".to_owned(),
                false => format!("{}: {}", place(&it.target), word(&it.decision)),
            };
            let mut rows = vec![vec!["reason".to_owned(), it.decision.reason.clone()]];
            let change = if it.decision.state.is_ready() { "closes" } else { "opens" };
            let at = it.changes.map_or("not by itself within 30 days".to_owned(), |at| when(at, now.wall));
            rows.push(vec![change.to_owned(), at]);
            if !it.decision.unknown_windows.is_empty() {
                let names = it.decision.unknown_windows.join(", ");
                rows.push(vec!["(!)".to_owned(), format!("unknown change window {names}: counts as inactive")]);
            }
            sections.push(section(&title, &[], rows));
            let rows = it.values.iter().map(|it| vec![crate::decide::one_line(&it.text), it.value.to_string()]);
            let rows: Vec<_> = rows.collect();
            if !rows.is_empty() {
                sections.push(section("", &["EXPRESSION", "VALUE"], rows));
            }
        }
        sections
    }

    fn gate_data(&self, row: &Row, told: &[Told]) -> Value {
        let place = |it: &Told| {
            json!({
                "namespace": it.target.namespace, "pipeline": it.target.pipeline, "environment": it.target.environment,
                "bundle": it.target.bundle, "assumed": it.assumed, "state": word(&it.decision),
                "ready": it.decision.state.is_ready(), "reason": it.decision.reason, "values": it.values,
                "changesAt": it.changes.map(rfc3339), "unknownChangeWindows": it.decision.unknown_windows,
            })
        };
        let gate = row.gate.as_deref();
        json!({
            "namespace": row.meta.subject.namespace,
            "name": row.meta.subject.name,
            "scope": row.meta.scope(&self.facts).as_str(),
            "appliesTo": row.meta.applies_to(gate),
            "expression": gate.map(|it| it.expression.clone()),
            "message": gate.map(|it| it.message.clone()),
            "when": gate.map(|it| it.when.as_str()),
            "problem": row.problem.as_ref().map(|it| it.reason(row.meta.role() != Role::Instance)),
            "places": told.iter().map(place).collect::<Vec<_>>(),
        })
    }

    /// `explain pipeline/NAME`: the gates before each environment, for the Bundle on its way.
    pub(super) fn explain_pipeline(&self, asked: &Asked, now: Now) -> Option<Explanation> {
        let named = |(namespace, name): &&Key| {
            *name == asked.name && (asked.namespace.is_empty() || *namespace == asked.namespace)
        };
        if let Some(key) = self.facts.pipelines.keys().find(named) {
            let bundle = self.facts.active_bundle(key);
            return Some(self.way(key, bundle, now));
        }
        let (key, problem) = self.broken.iter().find(|(key, _)| named(key))?;
        Some(Explanation {
            headline: format!("Pipeline {}/{} is broken: {problem}", key.0, key.1),
            sections: Vec::new(),
            data: json!({"namespace": key.0, "pipeline": key.1, "problem": problem}),
        })
    }

    /// `explain bundle/NAME`
    pub(super) fn explain_bundle(&self, asked: &Asked, now: Now) -> Option<Explanation> {
        let named = |(namespace, name): &Key| {
            *name == asked.name && (asked.namespace.is_empty() || *namespace == asked.namespace)
        };
        let (key, bundle) = self.facts.bundles.iter().find(|(key, _)| named(key))?;
        let pipeline = (key.0.clone(), bundle.pipeline.clone());
        if self.facts.pipelines.get(&pipeline).is_none() {
            let headline = format!("Bundle {}/{}: there is no Pipeline `{}`", key.0, key.1, bundle.pipeline);
            return Some(Explanation { headline, sections: Vec::new(), data: json!({"bundle": key.1}) });
        }
        Some(self.way(&pipeline, Some(bundle), now))
    }

    fn way(&self, key: &Key, bundle: Option<&Bundle>, now: Now) -> Explanation {
        let Some(pipeline) = self.facts.pipelines.get(key) else {
            return Explanation { headline: String::new(), sections: Vec::new(), data: Value::Null };
        };
        let skipped = bundle.map(|it| it.input.skip.as_slice()).unwrap_or_default();
        let mut rows = Vec::new();
        let mut blocking = Vec::new();
        let mut data = Vec::new();
        for environment in &pipeline.environments {
            if skipped.contains(&environment.name) {
                rows.push(self.skip_row(key, bundle, &environment.name, now));
                continue;
            }
            for (meta, gate) in self.in_force() {
                let applies = meta.role() == Role::Template
                    && is_collected(&self.facts, meta, gate, key, pipeline)
                    && meta.matches(gate, &environment.name);
                if !applies {
                    continue;
                }
                let decision = bundle.map(|bundle| {
                    let target = Target {
                        namespace: key.0.clone(),
                        pipeline: key.1.clone(),
                        environment: environment.name.clone(),
                        bundle: bundle.input.name.clone(),
                    };
                    decide(gate, &target, &self.facts.inputs(&target), now.wall)
                });
                let state = decision.as_ref().map_or("Pending", word);
                let reason = decision.as_ref().map_or(AWAITING, |it| &it.reason);
                if decision.as_ref().is_some_and(|it| !it.state.is_ready()) {
                    blocking.push(meta.subject.name.clone());
                }
                data.push(json!({
                    "environment": environment.name, "gate": meta.subject.name, "namespace": meta.subject.namespace,
                    "scope": meta.scope(&self.facts).as_str(), "state": state, "reason": reason,
                }));
                let cells = [&environment.name, GATE.kind, &meta.subject.name, state, &gate.expression, reason];
                rows.push(cells.iter().map(|it| crate::decide::one_line(it)).collect());
            }
        }
        let name = bundle.map_or("no Bundle on its way".to_owned(), |it| format!("Bundle {}", it.input.name));
        blocking.dedup();
        let headline = match blocking.as_slice() {
            [] => format!("Pipeline {}/{}, {name}: no gate blocks", key.0, key.1),
            names => format!("Pipeline {}/{}, {name}: BLOCKED by {}", key.0, key.1, names.join(", ")),
        };
        let columns = ["ENVIRONMENT", "TYPE", "NAME", "STATE", "EXPRESSION", "REASON"];
        Explanation {
            headline,
            sections: vec![section("", &columns, rows)],
            data: json!({
                "namespace": key.0, "pipeline": key.1, "bundle": bundle.map(|it| it.input.name.clone()),
                "gates": data, "blockedBy": blocking,
            }),
        }
    }

    fn skip_row(&self, key: &Key, bundle: Option<&Bundle>, environment: &str, now: Now) -> Vec<String> {
        let gates: Vec<_> = self.in_force().map(|(meta, gate)| (meta.clone(), gate.clone())).collect();
        let bundle = bundle.map_or("", |it| &it.input.name);
        let (state, reason) = match skip(&self.facts, &gates, key, bundle, environment, now.wall) {
            Skip::Free => ("Permitted", "no gate of the organisation stands there".to_owned()),
            Skip::Permitted { by } => ("Permitted", format!("by {by}")),
            Skip::Denied { message } => ("Denied", message),
        };
        [environment, "Skip", "-", state, "-", &reason].map(str::to_owned).to_vec()
    }

    /// `explain window/NAME`
    pub(super) fn explain_window(&self, asked: &Asked, now: Now) -> Option<Explanation> {
        let window = self.facts.windows.get(&asked.name)?;
        let active = window.is_active(now.wall);
        let next = window.next_change(now.wall);
        let state = if active { "blocks" } else { "is open" };
        let until = next.map_or(String::new(), |at| format!(" until {}", when(at, now.wall)));
        let why = window.problem().map(|it| format!(", because {it}")).unwrap_or_default();
        Some(Explanation {
            headline: format!("change window {} {state}{until}{why}", asked.name),
            sections: vec![section("", &[], vec![vec!["reason".to_owned(), window.reason.clone()]])],
            data: json!({"name": asked.name, "active": active, "nextChangeAt": next.map(rfc3339),
                "reason": window.reason, "problem": window.problem()}),
        })
    }
}

fn told(gate: &Gate, target: Target, decision: Decision, inputs: Option<&Inputs>, assumed: bool, now: Now) -> Told {
    let (values, changes) = match inputs {
        Some(inputs) => (explain(gate, inputs, now.wall).1, gate_changes(gate, &target, inputs, now.wall, HORIZON)),
        None => (Vec::new(), None),
    };
    Told { target, decision, values, changes, assumed }
}

/// `Pass`, `Block`, … as the listing shows it.
pub(crate) fn word(decision: &Decision) -> &'static str {
    match decision.state {
        State::Pass | State::Overridden => "Pass",
        State::Warn => "Warn",
        State::Block | State::Error => "Block",
    }
}

fn place(target: &Target) -> String {
    format!("{} in {}/{} for Bundle {}", target.environment, target.namespace, target.pipeline, target.bundle)
}

/// An instant, and how far it is: `2026-04-13T00:00:00Z (in 1d 9h)`.
fn when(at: Timestamp, now: Timestamp) -> String {
    format!("{} (in {})", rfc3339(at), distance(at.duration_since(now)))
}

fn distance(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

fn section(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Section {
    let columns = columns.iter().map(|it| (*it).to_owned()).collect();
    Section { title: title.to_owned(), columns, rows }
}
