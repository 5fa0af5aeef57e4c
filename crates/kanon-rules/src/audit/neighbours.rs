//! Objects that rules looked up: a change of one means that those who asked are asked again (spec/rules 5.3).

use std::{collections::BTreeSet, sync::Arc};

use kanon_core::{GroupVersionKind, Mono, Now, Object};
use kanon_plane::{ObjectName, PolicyKey};

use super::{
    Audit,
    dependencies::{Affected, Dependent},
    guard::Pass,
    scan::Scanned,
};

/// Changes that one scan may miss; more of them mean that everything is asked again.
const MISSED_MAX: usize = 1000;

/// A change of an object that somebody may have looked up.
pub(super) struct Changed {
    kind: GroupVersionKind,
    name: ObjectName,
    before: Option<Object>,
    after: Option<Object>,
    /// Whether the state before is not known.
    blind: bool,
}

impl Audit {
    /// An object of any watched kind is new, changed or gone.
    pub(super) fn neighbour_changed(
        &mut self,
        kind: &GroupVersionKind,
        name: &ObjectName,
        after: Option<&Object>,
        now: Now,
    ) {
        if !self.runs || !self.looked_up.contains(kind) {
            return;
        }
        let before = self.dependencies.remember(kind, name, after);
        if self.is_idle() || !self.sight.is_synced(kind) {
            return;
        }
        let blind = before.is_none() && !self.complete.contains(kind);
        let changed = Changed { kind: kind.clone(), name: name.clone(), before, after: after.cloned(), blind };
        self.ask_dependents(&changed, now);
        // What the running scan asks is not known yet.
        if let Some(running) = &mut self.running {
            running.missed.push(changed);
        }
    }

    fn ask_dependents(&mut self, changed: &Changed, now: Now) {
        let Changed { kind, name, before, after, blind } = changed;
        let Affected { dependents, rules } =
            self.dependencies.affected(kind, name, before.as_ref(), after.as_ref(), *blind);
        for dependent in dependents {
            self.ask_again(&dependent, now.mono);
        }
        self.sweep_for(&rules);
    }

    fn ask_again(&mut self, dependent: &Arc<Dependent>, now: Mono) {
        let Dependent { kind, name, rule } = &**dependent;
        if !self.rules.contains_key(rule) || !self.is_watching(kind, name, Some(rule)) {
            return;
        }
        let is_due = |policy: Option<PolicyKey>| {
            self.dirty.get(&(kind.clone(), policy)).is_some_and(|names| names.contains(name))
        };
        if is_due(None) || is_due(Some(rule.clone())) {
            return;
        }
        match self.guard.pass(dependent, now) {
            Pass::Now => self.touch(kind, name.clone(), Some(rule.clone())),
            Pass::Later => self.suppressed += 1,
            Pass::Waits => {}
        }
    }

    /// The network of a namespace is another: whoever looked at it is asked again. What waits for quiet is told later, so nothing is
    /// held back here.
    pub(crate) fn network_changed(&mut self, namespace: &str) {
        if self.is_idle() {
            return;
        }
        self.ask_around(namespace);
        // What the running scan asks is not known yet.
        if let Some(running) = &mut self.running {
            running.networks.insert(namespace.to_owned());
        }
    }

    pub(super) fn ask_around(&mut self, namespace: &str) {
        let Affected { dependents, rules } = self.dependencies.affected_by_network(namespace);
        for dependent in dependents {
            let Dependent { kind, name, rule } = &*dependent;
            if self.rules.contains_key(rule) && self.is_watching(kind, name, Some(rule)) {
                self.touch(kind, name.clone(), Some(rule.clone()));
            }
        }
        self.sweep_for(&rules);
    }

    /// Those that waited for the end of their window.
    pub(super) fn ask_those_that_waited(&mut self, now: Now) {
        for dependent in self.guard.due(now.mono) {
            let Dependent { kind, name, rule } = &*dependent;
            if self.rules.contains_key(rule) && self.is_watching(kind, name, Some(rule)) {
                self.touch(kind, name.clone(), Some(rule.clone()));
            }
        }
    }

    /// What a scan's rules looked up, and what changed of it while the scan ran.
    pub(super) fn note_queries(
        &mut self,
        scanned: &Scanned,
        counts: impl Fn(&PolicyKey, &ObjectName) -> bool,
        missed: &[Changed],
        now: Now,
    ) {
        let mut asking = BTreeSet::new();
        for (at, name, queries) in &scanned.queries {
            let Some(entry) = scanned.rules.entries().get(*at) else { continue };
            if counts(&entry.key, name) {
                let kind = scanned.work.kind.clone();
                self.dependencies
                    .record(Dependent { kind, name: name.clone(), rule: entry.key.clone() }, queries.clone());
                asking.insert(entry.key.clone());
            }
        }
        if asking.is_empty() {
            return;
        }
        if missed.len() > MISSED_MAX {
            return self.sweep_for(&asking);
        }
        for changed in missed {
            self.ask_dependents(changed, now);
        }
    }
}
