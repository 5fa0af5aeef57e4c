//! The gates as the controller holds them: what was decided last, when to ask again, and what is said about it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kanon_core::{EventType, Evidence, Now, Outcome, PolicyRef, Verdict};
use kanon_plane::Outbox;
use serde_json::Value;

use crate::{
    api::{self, FAMILY, GATE},
    collect::{Meta, Role, targets},
    decide::{Decision, State, decide, explain},
    facts::{Facts, Target},
    gate::{Gate, Problem},
    inputs::Inputs,
    next::gate_changes,
    status::{Standing, observed, says, unknown_windows},
};

/// One gate's state.
pub(super) struct GateState {
    pub(super) meta: Meta,
    pub(super) gate: Option<Arc<Gate>>,
    pub(super) problem: Option<Problem>,
    pub(super) revision: String,
    /// The status as it is, or will be when our last write has arrived.
    pub(super) status: Value,
    decisions: Vec<(Target, Decision)>,
}

impl GateState {
    pub(super) fn new(meta: Meta, status: Value) -> GateState {
        GateState { meta, gate: None, problem: None, revision: String::new(), status, decisions: Vec::new() }
    }

    /// Whether it is asked about a Bundle now.
    pub(super) fn is_live(&self) -> bool {
        !self.decisions.is_empty()
    }

    /// Whether a change in a namespace may matter to it.
    pub(super) fn concerns(&self, facts: &Facts, namespace: &str) -> bool {
        let own = &self.meta.subject.namespace;
        own == namespace
            || facts.settings.policy_namespaces.contains(own)
            || self.decisions.iter().any(|(target, _)| target.namespace == namespace)
            || facts.pipelines.iter().any(|(key, it)| key.0 == namespace && it.policy_namespaces.contains(own))
    }

    /// Asks it at every place, says what changed, and gives the instant at which to ask again.
    pub(super) fn ask(&mut self, facts: &Facts, now: Now, out: &mut Outbox) -> Option<Timestamp> {
        let gate = self.gate.clone();
        let mut decisions = Vec::new();
        let mut next: Option<Timestamp> = None;
        let mut inputs_of = Vec::new();
        if let Some(gate) = &gate {
            for target in targets(facts, &self.meta, gate) {
                let inputs = facts.inputs(&target);
                let decision = decide(gate, &target, &inputs, now.wall);
                let again = again(gate, &target, &inputs, now.wall);
                next = next.into_iter().chain([again]).min();
                decisions.push((target, decision));
                inputs_of.push(inputs);
            }
        }
        let mut standing = Standing {
            gate: gate.as_deref(),
            problem: self.problem.as_ref(),
            template: self.meta.role() != Role::Instance,
            decisions: &decisions,
            inputs: BTreeMap::new(),
            next,
            generation: self.meta.generation,
        };
        let mut evidence = Evidence::default();
        if let (Some(gate), Some(leading)) = (&gate, standing.leading())
            && let Some(at) = decisions.iter().position(|it| std::ptr::eq(it, leading))
            && let Ok(inputs) = &inputs_of[at]
        {
            let (_, values) = explain(gate, inputs, now.wall);
            standing.inputs = observed(&values);
            evidence = Evidence { expression: gate.expression.clone(), values, ..Evidence::default() };
        }
        self.tell(&standing, evidence, now, out);
        let status = standing.patch(&self.status, now);
        let news = ["ready", "reason"].iter().any(|it| self.status[*it] != status[*it]);
        if !says(&self.status, &status) {
            out.status(&api::kinds()[0], self.meta.subject.clone(), status.clone(), news);
            merge(&mut self.status, status);
        }
        self.decisions = decisions;
        next
    }

    /// Events and a record when the answer is another one than before, or the first one blocks (2.5.2, step 7).
    fn tell(&self, standing: &Standing<'_>, evidence: Evidence, now: Now, out: &mut Outbox) {
        let subject = &self.meta.subject;
        let unknown = unknown_windows(standing.decisions);
        let known_before = self.status["conditions"].as_array().into_iter().flatten();
        let mut known_before = known_before.filter(|it| it["type"] == "UnknownReference" && it["status"] == "True");
        if !unknown.is_empty() && known_before.next().is_none() {
            let message = format!("unknown change window {}: it counts as inactive", unknown.join(", "));
            out.event(subject.clone(), EventType::Warning, "UnknownReference", &message, &self.revision);
        }
        let Some((target, decision)) = standing.leading() else { return };
        let before = self.status["lastEvaluatedAt"].is_string().then(|| self.status["ready"] == Value::Bool(true));
        let ready = standing.ready();
        if before == Some(ready) {
            return;
        }
        // A first evaluation that passes is worth a record, not an Event.
        let message = match (standing.gate.map_or("", |it| &it.message), ready) {
            ("", _) | (_, true) => decision.reason.clone(),
            (message, false) => format!("{message} ({})", decision.reason),
        };
        let cause = format!("{} {}", now.rfc3339(), self.revision);
        let (event_type, reason) = match decision.state {
            State::Overridden => (EventType::Normal, "Overridden"),
            State::Pass | State::Warn => (EventType::Normal, "Allowed"),
            State::Block | State::Error => (EventType::Warning, "Blocked"),
        };
        if !ready || before.is_some() {
            out.event(subject.clone(), event_type, reason, &message, &cause);
        }
        out.verdict(Verdict {
            family: FAMILY,
            policy: PolicyRef {
                kind: GATE.kind.to_owned(),
                namespace: subject.namespace.clone(),
                name: subject.name.clone(),
                revision: self.revision.clone(),
            },
            subject: bundle_ref(target),
            occasion: "gate",
            outcome: match decision.state {
                State::Pass | State::Overridden => Outcome::Allow,
                State::Warn => Outcome::Warn,
                State::Block => Outcome::Deny,
                State::Error => Outcome::Error,
            },
            reason,
            message,
            evidence: Evidence { part: target.environment.clone(), ..evidence },
            now,
        });
    }
}

/// When a gate is asked again at a place: when the answer would change by itself, at the latest after its interval.
fn again(gate: &Gate, target: &Target, inputs: &Result<Inputs, String>, now: Timestamp) -> Timestamp {
    let fallback = now.checked_add(gate.recheck).unwrap_or(Timestamp::MAX);
    match inputs {
        Ok(inputs) => gate_changes(gate, target, inputs, now, gate.recheck).map_or(fallback, |at| at.min(fallback)),
        Err(_) => fallback,
    }
}

fn bundle_ref(target: &Target) -> kanon_core::ObjectRef {
    let gvk = kanon_core::GroupVersionKind::new(api::GROUP, api::VERSION, api::BUNDLE.kind);
    let (namespace, name) = (target.namespace.clone(), target.bundle.clone());
    kanon_core::ObjectRef { gvk, namespace, name, uid: String::new() }
}

/// RFC 7386.
pub(super) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}
