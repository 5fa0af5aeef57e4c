//! The analyser: model, checks and findings together, one namespace at a time (spec/rules 6.2). Changes mark namespaces; a pass
//! a moment later checks those that are marked, so that a burst of changes in one namespace costs one check.

use std::{collections::BTreeSet, time::Duration};

use kanon_core::{Change, GroupVersionKind, Mono, Object};

use crate::{
    checks::{self, Finding, Options},
    findings::{Event, Findings},
    model::Model,
};

/// What a pass over marked namespaces came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// What became of findings.
    pub events: Vec<Event>,
    /// The namespaces that were looked at: each changed since it was last, or everything was to be looked at.
    pub namespaces: Vec<String>,
}

/// Keeps the model and its findings up to date.
#[derive(Clone, Debug, Default)]
pub struct Analyser {
    model: Model,
    options: Options,
    findings: Findings,
    marked: BTreeSet<String>,
    /// When the first of the marked namespaces was marked.
    since: Option<Mono>,
}

impl Analyser {
    /// How long a namespace may go on changing before it is checked.
    pub const SETTLE: Duration = Duration::from_millis(250);

    /// An analyser of an empty cluster.
    pub fn new(options: Options) -> Analyser {
        Analyser { options, ..Analyser::default() }
    }

    /// The model as it is now; a clone is a snapshot.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The open findings.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Takes a change in; says whether a namespace is to be checked again.
    pub fn apply(&mut self, kind: &GroupVersionKind, change: Change, object: &Object, now: Mono) -> bool {
        let Some(touched) = self.model.apply(kind, change, object) else { return false };
        self.since.get_or_insert(now);
        self.marked.insert(touched)
    }

    /// Changes the options: everything is checked again.
    pub fn configure(&mut self, options: Options, now: Mono) {
        if self.options != options {
            self.options = options;
            self.mark_all(now);
        }
    }

    /// Marks every namespace: the sweep of a start and of a resync.
    pub fn mark_all(&mut self, now: Mono) {
        self.since.get_or_insert(now);
        self.marked.extend(self.model.namespaces().map(|it| it.name.clone()));
        self.marked.extend(self.findings.namespaces().map(str::to_owned));
    }

    /// Forgets all findings, whoever is told of them now: gives what was open.
    pub fn clear(&mut self) -> Vec<Finding> {
        self.retain(|_| false)
    }

    /// Forgets all findings but these; they have not ended. Gives the forgotten.
    pub fn retain(&mut self, stays: impl Fn(&Finding) -> bool) -> Vec<Finding> {
        self.findings.retain(stays)
    }

    /// What is due: at most `limit` of the marked namespaces are checked; says what changed. More may be due right after.
    pub fn check(&mut self, limit: usize, now: Mono) -> Pass {
        self.check_among(limit, now, |_| true)
    }

    /// The same where only these namespaces are checked; the others are as good as seen.
    pub fn check_among(&mut self, limit: usize, now: Mono, is_meant: impl Fn(&str) -> bool) -> Pass {
        let mut pass = Pass { events: self.findings.tick(now), namespaces: Vec::new() };
        if self.since.is_none_or(|it| it.after(Self::SETTLE) > now) {
            return pass;
        }
        for _ in 0..limit {
            let Some(name) = self.marked.pop_first() else { break };
            if is_meant(&name) {
                let found = self.model.namespace(&name).map_or(Vec::new(), |it| checks::check(it, &self.options));
                pass.events.extend(self.findings.update(&name, found, now));
            }
            pass.namespaces.push(name);
        }
        if self.marked.is_empty() {
            self.since = None;
        }
        pass
    }

    /// Whether nothing is marked.
    pub fn is_settled(&self) -> bool {
        self.marked.is_empty()
    }

    /// When [`Analyser::check`] has something to do though nothing happens.
    pub fn next_deadline(&self) -> Option<Mono> {
        let check = self.since.map(|it| it.after(Self::SETTLE));
        [check, self.findings.next_deadline()].into_iter().flatten().min()
    }
}
