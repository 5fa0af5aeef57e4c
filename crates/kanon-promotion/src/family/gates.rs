//! The gates as the controller holds them: what was decided last, when to ask again, and what is said about it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use kanon_core::{EventType, Evidence, Now, Outcome, PolicyRef, Verdict};
use kanon_lang::{Arena, Limits};
use kanon_plane::Outbox;
use serde_json::Value;

use super::desk::{Asked, Desk, Stamp};
use crate::{
    api::{self, FAMILY, GATE},
    collect::{Meta, Role, targets},
    decide::{Decision, State, decide, evaluate_within, explain},
    facts::{Facts, Target},
    gate::{Gate, Problem},
    next::gate_changes_in,
    status::{Standing, observed, says, unknown_windows},
};

/// How far ahead a change is looked for, however long the gate's interval is.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Which gate: its place among all.
pub(super) type GateId = usize;

/// One gate's state.
pub(super) struct GateState {
    pub(super) meta: Meta,
    pub(super) gate: Option<Arc<Gate>>,
    pub(super) problem: Option<Problem>,
    pub(super) revision: String,
    /// The status as it is, or will be when our last write has arrived.
    pub(super) status: Value,
    /// When it is asked again.
    pub(super) next: Option<Timestamp>,
    /// Where changes of its namespace are counted.
    place: usize,
    /// There is more to tell than what was decided.
    pub(super) is_new: bool,
    /// Its status tells older times than it could.
    pub(super) is_owed: bool,
    /// It waits for its turn to tell them.
    pub(super) is_queued: bool,
    decisions: Vec<(Target, Decision)>,
    /// What each was decided with.
    inputs: Vec<Arc<Asked>>,
    /// Of the inputs, and when it was asked with them.
    asked: Option<(Stamp, Now)>,
}

impl GateState {
    pub(super) fn new(meta: Meta, status: Value, desk: &mut Desk) -> GateState {
        GateState {
            place: desk.place_of(&meta.subject.namespace),
            meta,
            gate: None,
            problem: None,
            revision: String::new(),
            status,
            next: None,
            is_new: true,
            is_owed: false,
            is_queued: false,
            decisions: Vec::new(),
            inputs: Vec::new(),
            asked: None,
        }
    }

    /// Whether it is asked about a Bundle now.
    pub(super) fn is_live(&self) -> bool {
        !self.decisions.is_empty()
    }

    /// Asks it at every place, and says what changed. Where that is nothing but times, they are owed: whoever paces
    /// statuses writes them with [`GateState::say`].
    pub(super) fn ask(&mut self, facts: &Facts, desk: &mut Desk, now: Now, out: &mut Outbox) {
        let stamp = match self.meta.role() {
            Role::Instance => desk.stamp_at(self.place),
            Role::Template | Role::Freeze | Role::SkipPermission => desk.stamp(),
        };
        let same_inputs = self.asked.is_some_and(|it| it.0 == stamp) && !self.is_new;
        self.asked = Some((stamp, now));
        if same_inputs && self.says_the_same(now.wall, &mut desk.arena) {
            self.is_owed = self.is_live();
            return;
        }
        let (mut decisions, mut inputs) = (Vec::new(), Vec::new());
        if let Some(gate) = &self.gate {
            for target in targets(facts, &self.meta, gate) {
                let asked = desk.inputs(facts, &target);
                let decision = decide(gate, &target, &asked, now.wall);
                decisions.push((target, decision));
                inputs.push(asked);
            }
        }
        let same = !self.is_new && decisions == self.decisions;
        (self.decisions, self.inputs) = (decisions, inputs);
        self.next = self.ask_again(now.wall, &mut desk.arena);
        if same {
            self.is_owed = self.is_live();
            return;
        }
        self.is_new = false;
        self.say(true, out);
    }

    /// Whether every place gives what it gave before, with the inputs it had then. Exceptions and gates that only warn are
    /// decided anew.
    fn says_the_same(&mut self, now: Timestamp, arena: &mut Arena) -> bool {
        let limits = Limits::default();
        let Some(gate) = self.gate.as_ref().filter(|it| !it.warn_only && it.overrides.is_empty()) else { return false };
        let same = self.decisions.iter().zip(&self.inputs).all(|((_, before), inputs)| {
            let passed = match before.state {
                State::Pass => true,
                State::Block => false,
                State::Overridden | State::Warn | State::Error => return false,
            };
            inputs.as_ref().as_ref().is_ok_and(|it| evaluate_within(gate, it, now, &limits, arena) == Ok(passed))
        });
        if same {
            self.next = self.ask_again(now, arena);
        }
        same
    }

    fn ask_again(&self, now: Timestamp, arena: &mut Arena) -> Option<Timestamp> {
        let gate = self.gate.as_ref()?;
        let places = self.decisions.iter().zip(&self.inputs);
        places.map(|((target, _), inputs)| again(gate, target, inputs, now, arena)).min()
    }

    /// Writes the status as of when it was asked last, if that says anything new; with `news`, Events and a record too.
    pub(super) fn say(&mut self, news: bool, out: &mut Outbox) {
        let Some((_, now)) = self.asked else { return };
        self.is_owed = false;
        let gate = self.gate.clone();
        let mut standing = Standing {
            gate: gate.as_deref(),
            problem: self.problem.as_ref(),
            template: self.meta.role() != Role::Instance,
            decisions: &self.decisions,
            inputs: BTreeMap::new(),
            next: self.next,
            generation: self.meta.generation,
        };
        let mut evidence = Evidence::default();
        if let (Some(gate), Some(leading)) = (&gate, standing.leading())
            && let Some(at) = self.decisions.iter().position(|it| std::ptr::eq(it, leading))
            && let Some(Ok(inputs)) = self.inputs.get(at).map(AsRef::as_ref)
        {
            let (_, values) = explain(gate, inputs, now.wall);
            standing.inputs = observed(&values);
            evidence = Evidence { expression: gate.expression.clone(), values, ..Evidence::default() };
        }
        if news {
            self.tell(&standing, evidence, now, out);
        }
        let status = standing.patch(&self.status, now);
        let urgent = ["ready", "reason"].iter().any(|it| self.status[*it] != status[*it]);
        if !says(&self.status, &status) {
            out.status(&api::kinds()[0], self.meta.subject.clone(), status.clone(), urgent);
            merge(&mut self.status, status);
        }
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
fn again(gate: &Gate, target: &Target, inputs: &Asked, now: Timestamp, arena: &mut Arena) -> Timestamp {
    let horizon = gate.recheck.min(AHEAD_MAX);
    let fallback = now.checked_add(horizon).unwrap_or(Timestamp::MAX);
    match inputs {
        Ok(inputs) => {
            gate_changes_in(gate, target, inputs, now, horizon, arena).map_or(fallback, |at| at.min(fallback))
        }
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
