//! What `explain`, `policy list` and the dashboard see: gates with the facts they are asked with, at one moment.

mod explain;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use explain::word;
use kanon_core::{FamilyId, Now, Review};
use kanon_plane::{AdmissionRule, Explanation, Lookups, PolicySummary, Reviewed, Target as Asked, View};

use crate::{
    api::{BUNDLE, FAMILY, GATE, PIPELINE, WINDOW},
    collect::{Meta, Role, targets},
    decide::{Decision, decide},
    facts::{Facts, Key, Target},
    gate::{Gate, Problem},
    namespaced::Namespaced,
};

/// A gate as the view knows it.
#[derive(Clone)]
pub struct Row {
    /// Its object.
    pub meta: Meta,
    /// The revision in force.
    pub gate: Option<Arc<Gate>>,
    /// What is wrong with the newest one.
    pub problem: Option<Problem>,
    /// `status.reason` as it was when the object was first seen: what another process says.
    pub told: String,
}

/// The family's snapshot.
pub struct PromotionView {
    /// Every gate.
    pub gates: Namespaced<Row>,
    /// Pipelines that make no sense, and why.
    pub broken: Arc<BTreeMap<Key, String>>,
    /// What gates are asked with.
    pub facts: Facts,
}

impl PromotionView {
    /// The gates in force, with their objects.
    pub fn in_force(&self) -> impl Iterator<Item = (&Meta, &Arc<Gate>)> {
        self.gates.values().filter_map(|row| Some((&row.meta, row.gate.as_ref()?)))
    }

    /// What a gate says now, at every place where it is asked.
    pub fn decisions(&self, row: &Row, now: Now) -> Vec<(Target, Decision)> {
        let Some(gate) = &row.gate else { return Vec::new() };
        let ask = |target: Target| {
            let inputs = self.facts.inputs(&target);
            let decision = decide(gate, &target, &inputs, now.wall);
            (target, decision)
        };
        targets(&self.facts, &row.meta, gate).into_iter().map(ask).collect()
    }

    fn is_at_work(&self, row: &Row) -> bool {
        row.gate.is_some()
            && match row.meta.role() {
                Role::Template => !row.meta.applies_to(row.gate.as_deref()).starts_with('-'),
                Role::SkipPermission | Role::Freeze | Role::Instance => true,
            }
    }
}

impl View for PromotionView {
    fn family(&self) -> FamilyId {
        FAMILY
    }

    fn admission_rules(&self) -> Vec<AdmissionRule> {
        Vec::new()
    }

    fn review(&self, _: &Review, _: &dyn Lookups, _: Now) -> Reviewed {
        Reviewed { verdicts: Vec::new(), counts: Arc::new(()) }
    }

    fn policies(&self) -> Vec<PolicySummary> {
        let gate = |row: &Row| PolicySummary {
            kind: GATE.kind.to_owned(),
            namespace: row.meta.subject.namespace.clone(),
            name: row.meta.subject.name.clone(),
            active: self.is_at_work(row),
            problem: match &row.problem {
                Some(problem) => problem.reason(row.meta.role() != Role::Instance),
                None if !self.is_at_work(row) => "applies to no environment".to_owned(),
                None => String::new(),
            },
        };
        let gates = self.gates.values().filter(|it| it.meta.role() != Role::Instance).map(gate);
        let windows = self.facts.windows.iter().map(|(name, window)| PolicySummary {
            kind: WINDOW.kind.to_owned(),
            namespace: String::new(),
            name: name.clone(),
            active: true,
            problem: window.problem().unwrap_or_default().to_owned(),
        });
        gates.chain(windows).collect()
    }

    fn explain(&self, asked: &Asked, now: Now) -> Option<Explanation> {
        let kind = asked.kind.as_str();
        if kind.eq_ignore_ascii_case("gate") || kind.eq_ignore_ascii_case("gates") || GATE.is_meant(kind) {
            self.explain_gate(asked, now)
        } else if PIPELINE.is_meant(kind) {
            self.explain_pipeline(asked, now)
        } else if BUNDLE.is_meant(kind) {
            self.explain_bundle(asked, now)
        } else if WINDOW.is_meant(kind) || kind.eq_ignore_ascii_case("window") {
            self.explain_window(asked, now)
        } else {
            None
        }
    }
}
