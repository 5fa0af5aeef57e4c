//! The analyser: model, checks and findings together, one namespace at a time (spec/rules 6.2). Changes mark namespaces; a pass
//! checks those that are marked, so that a burst of changes in one namespace costs one check.

use std::collections::BTreeSet;

use kanon_core::{Change, GroupVersionKind, Mono, Object};

use crate::{
    checks::{self, Options},
    findings::{Event, Findings},
    model::Model,
};

/// Keeps the model and its findings up to date.
#[derive(Clone, Debug, Default)]
pub struct Analyser {
    model: Model,
    options: Options,
    findings: Findings,
    marked: BTreeSet<String>,
}

impl Analyser {
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
    pub fn apply(&mut self, kind: &GroupVersionKind, change: Change, object: &Object) -> bool {
        let touched = self.model.apply(kind, change, object);
        touched.is_some_and(|it| self.marked.insert(it))
    }

    /// Changes the options: everything is checked again.
    pub fn configure(&mut self, options: Options) {
        if self.options != options {
            self.options = options;
            self.mark_all();
        }
    }

    /// Marks every namespace: the sweep of a start and of a resync.
    pub fn mark_all(&mut self) {
        self.marked.extend(self.model.namespaces().map(|it| it.name.clone()));
        self.marked.extend(self.findings.namespaces().map(str::to_owned));
    }

    /// Checks at most `limit` of the marked namespaces; says what changed. Call again while [`Analyser::is_behind`].
    pub fn check(&mut self, limit: usize, now: Mono) -> Vec<Event> {
        let mut events = self.findings.tick(now);
        for _ in 0..limit {
            let Some(name) = self.marked.pop_first() else { break };
            let found = self.model.namespace(&name).map_or(Vec::new(), |it| checks::check(it, &self.options));
            events.extend(self.findings.update(&name, found, now));
        }
        events
    }

    /// Whether namespaces wait to be checked.
    pub fn is_behind(&self) -> bool {
        !self.marked.is_empty()
    }

    /// When [`Analyser::check`] has something to do though nothing happens; at once while namespaces wait.
    pub fn next_deadline(&self, now: Mono) -> Option<Mono> {
        if self.is_behind() { Some(now) } else { self.findings.next_deadline() }
    }
}
