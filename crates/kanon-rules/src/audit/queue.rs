//! What is looked at next: changed objects and sweeps take turns, one scan at a time. Asks for scans; what they found is for `results`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_core::{GroupVersionKind, Now};
use kanon_plane::{ObjectName, Outbox, PolicyKey, Which, Work};

use super::{Audit, InForce, neighbours::Changed};

/// Objects in one scan: so few that a changed object does not wait long for its turn.
const CHUNK: usize = 2000;

/// Rules by key; `None` stands for all.
pub(super) type Among = Option<Arc<BTreeSet<PolicyKey>>>;

/// A walk over all objects of a kind.
pub(super) struct Sweep {
    pub(super) kind: GroupVersionKind,
    pub(super) policies: Among,
    pub(super) last: Option<ObjectName>,
}

/// The scan under way.
pub(super) struct Running {
    pub(super) kind: GroupVersionKind,
    /// Whether results are of no use any more.
    pub(super) moot: bool,
    /// What is asked again since it began: what it says of that is out of date.
    pub(super) touched: Touched,
    /// Objects that changed and may be looked up in it.
    pub(super) missed: Vec<Changed>,
    /// Namespaces whose network changed.
    pub(super) networks: BTreeSet<String>,
    pub(super) sweep: Option<Sweep>,
}

impl Running {
    pub(super) fn new(kind: GroupVersionKind, sweep: Option<Sweep>) -> Running {
        let (touched, missed, networks) = (Touched::default(), Vec::new(), BTreeSet::new());
        Running { kind, moot: false, touched, missed, networks, sweep }
    }
}

/// Objects that all rules are asked about again, and those that some rules are: what others said of them stands.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) whole: BTreeSet<ObjectName>,
    pub(super) by_rule: BTreeMap<ObjectName, BTreeSet<PolicyKey>>,
}

impl Touched {
    pub(super) fn note(&mut self, name: &ObjectName, rule: Option<&PolicyKey>) {
        match rule {
            Some(rule) => drop(self.by_rule.entry(name.clone()).or_default().insert(rule.clone())),
            None => drop(self.whole.insert(name.clone())),
        }
    }

    pub(super) fn has_whole(&self, name: &ObjectName) -> bool {
        self.whole.contains(name)
    }

    pub(super) fn has(&self, name: &ObjectName, rule: &PolicyKey) -> bool {
        self.has_whole(name) || self.by_rule.get(name).is_some_and(|it| it.contains(rule))
    }
}

impl Audit {
    /// Asks for the next scan, when none is under way. Changed objects and sweeps take turns.
    pub(crate) fn go_on(&mut self, now: Now, out: &mut Outbox) {
        if self.running.is_some() || self.is_idle() {
            return;
        }
        if !self.sweeps_turn || self.sweeps.is_empty() {
            self.sweeps_turn = true;
            if self.scan_changed(out) {
                return;
            }
        }
        self.sweeps_turn = false;
        let Some(sweep) = self.next_sweep(now) else {
            self.scan_changed(out);
            return;
        };
        let Sweep { kind, policies, last } = &sweep;
        let which = Which::After { last: last.clone(), limit: CHUNK };
        let occasion = self.mode.as_str();
        out.scan(Work { occasion, kind: kind.clone(), which, policies: policies.clone(), area: self.area.clone() });
        let kind = kind.clone();
        self.running = Some(Running::new(kind, Some(sweep)));
    }

    /// The sweep that goes on now: the first one, unless it has to wait and another one is asked for by a rule.
    pub(super) fn next_sweep(&mut self, now: Now) -> Option<Sweep> {
        self.pace.rest();
        let is_first_look = self.sweeps.front()?.policies.is_none();
        if !is_first_look || self.pace.admits(CHUNK, now.mono) {
            return self.sweeps.pop_front();
        }
        let asked_for = self.sweeps.iter().position(|it| it.policies.is_some())?;
        self.sweeps.remove(asked_for)
    }

    pub(super) fn scan_changed(&mut self, out: &mut Outbox) -> bool {
        let Some(mut first) = self.dirty.first_entry() else { return false };
        let (kind, policy) = first.key().clone();
        let names = first.get_mut();
        let rest = names.iter().nth(CHUNK).cloned().map(|at| names.split_off(&at)).unwrap_or_default();
        let taken = std::mem::replace(names, rest);
        if names.is_empty() {
            first.remove();
        }
        let which = Which::Named(taken.into_iter().collect());
        let (occasion, policies) = (self.mode.as_str(), policy.map(|it| Arc::new(BTreeSet::from([it]))));
        out.scan(Work { occasion, kind: kind.clone(), which, policies, area: self.area.clone() });
        self.running = Some(Running::new(kind, None));
        true
    }

    /// Whether an object is looked at here, by a rule or by any.
    pub(super) fn is_watching(&self, kind: &GroupVersionKind, name: &ObjectName, rule: Option<&PolicyKey>) -> bool {
        let is_ours = match rule {
            Some(rule) => self.area.asks(rule, &name.0),
            None => self.area.covers(&name.0),
        };
        // Before that a sweep will see it anyway.
        is_ours && self.sight.is_synced(kind) && self.kinds.contains(kind)
    }

    pub(super) fn touch(&mut self, kind: &GroupVersionKind, name: ObjectName, policy: Option<PolicyKey>) {
        if let Some(running) = self.running.as_mut().filter(|it| it.kind == *kind) {
            running.touched.note(&name, policy.as_ref());
        }
        self.dirty.entry((kind.clone(), policy)).or_default().insert(name);
    }

    /// All objects of the kinds of some rules.
    pub(super) fn sweep_for(&mut self, policies: &BTreeSet<PolicyKey>) {
        let mut by_kind: BTreeMap<GroupVersionKind, BTreeSet<PolicyKey>> = BTreeMap::new();
        for (key, InForce { rule, .. }) in self.rules.iter().filter(|it| policies.contains(it.0)) {
            for kind in &rule.matcher.kinds {
                by_kind.entry(kind.clone()).or_default().insert(key.clone());
            }
        }
        for (kind, policies) in by_kind {
            self.sweep(kind, Some(policies));
        }
    }

    pub(super) fn sweep(&mut self, kind: GroupVersionKind, policies: Option<BTreeSet<PolicyKey>>) {
        if self.is_idle() || !self.sight.is_synced(&kind) || !self.kinds.contains(&kind) {
            return;
        }
        // One that has not begun yet does it with.
        if let Some(waiting) = self.sweeps.iter_mut().find(|it| it.kind == kind && it.last.is_none()) {
            waiting.policies = match (&waiting.policies, policies) {
                (Some(known), Some(more)) => Some(Arc::new(known.union(&more).cloned().collect())),
                _ => None,
            };
            return;
        }
        self.sweeps.push_back(Sweep { kind, policies: policies.map(Arc::new), last: None });
    }
}
