//! What of the cluster the rules can see: which kinds they need and how much of their objects, which of them have arrived, which
//! cannot be had.

use std::collections::{BTreeMap, BTreeSet};

use kanon_core::{GroupVersionKind, Keep};
use kanon_plane::Facts;

use super::is_asked_by;
use crate::{
    index::{Entry, Rules},
    lookups::picture::network_kinds,
    rule::{Enforcement, Mode, OnError, Rule},
};

/// Kinds by what is known of their watches.
#[derive(Default)]
pub(crate) struct Sight {
    /// Those that have arrived, with what there is of each object.
    synced: BTreeMap<GroupVersionKind, Keep>,
    failed: BTreeMap<GroupVersionKind, String>,
}

impl Sight {
    /// All objects of a kind are there, with these parts. Gives what there was of them before.
    pub(crate) fn synced(&mut self, kind: &GroupVersionKind, keep: &Keep) -> Option<Keep> {
        self.failed.remove(kind);
        self.synced.insert(kind.clone(), keep.clone())
    }

    pub(crate) fn failed(&mut self, kind: &GroupVersionKind, problem: &str) {
        self.failed.insert(kind.clone(), problem.to_owned());
    }

    pub(crate) fn forgotten(&mut self, kind: &GroupVersionKind) {
        self.failed.remove(kind);
        self.synced.remove(kind);
    }

    pub(crate) fn is_synced(&self, kind: &GroupVersionKind) -> bool {
        self.synced.contains_key(kind)
    }

    /// Whether there is at least so much of every object of a kind.
    pub(crate) fn holds(&self, kind: &GroupVersionKind, keep: &Keep) -> bool {
        self.synced.get(kind).is_some_and(|it| it.covers(keep))
    }

    pub(crate) fn has_failed(&self, kind: &GroupVersionKind) -> bool {
        self.failed.contains_key(kind)
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = &GroupVersionKind> {
        self.synced.keys()
    }

    /// Why the loops over stored objects do not see all that a rule is about; `None` when they do, or soon will.
    pub(crate) fn blind_spot(&self, entry: &Entry, rules: &Rules) -> Option<String> {
        if !is_about_stored(entry, rules) {
            return None;
        }
        let kinds = entry.rule.iter().flat_map(|it| &it.matcher.kinds);
        let problems: Vec<_> = kinds.filter_map(|kind| self.problem(kind, rules)).collect();
        (!problems.is_empty()).then(|| problems.join("; "))
    }

    /// The kind of which more is to come before a rule is asked about it; `None` where enough is there, or nothing yet.
    pub(crate) fn thin_spot<'e>(&self, entry: &'e Entry, rules: &Rules) -> Option<&'e GroupVersionKind> {
        let lacks = |(kind, keep): &(&GroupVersionKind, &Keep)| self.is_synced(kind) && !self.holds(kind, keep);
        entry.own().iter().find(lacks).map(|it| it.0).filter(|_| is_about_stored(entry, rules))
    }

    /// Why lookups of a rule find nothing yet: a reason and a sentence.
    pub(crate) fn missing(&self, entry: &Entry, rules: &Rules) -> Option<(&'static str, String)> {
        if let Some(name) = entry.unknown.first() {
            return Some(("UnknownResource", format!("`cluster.{name}`: the API server serves no such resource")));
        }
        let problem = entry.needs().keys().find_map(|kind| self.problem(kind, rules));
        if let Some(problem) = problem {
            return Some(("NotListed", problem));
        }
        let (waiting, _) = entry.needs().iter().find(|(kind, keep)| !self.holds(kind, keep))?;
        Some(("Waiting", format!("objects of {} have not all arrived yet", waiting.kind)))
    }

    fn problem(&self, kind: &GroupVersionKind, rules: &Rules) -> Option<String> {
        let name = format!("{} {}", kind.api_version(), kind.kind);
        if rules.resources.kind(kind).is_none() {
            return Some(format!("{name} is not served by the API server"));
        }
        self.failed.get(kind).map(|problem| format!("{name} cannot be listed: {problem}"))
    }
}

/// Whether one of the loops over stored objects asks a rule.
pub(crate) fn is_about_stored(entry: &Entry, rules: &Rules) -> bool {
    let asks = |mode: &Mode| rules.settings.loops.contains(mode) && is_asked_by(entry, *mode);
    [Mode::Audit, Mode::Network].iter().any(asks)
}

/// What is read of the kinds that rules in force read besides the request: those of stored objects that are looked at, those that
/// are looked up, what the network is made of, and Namespaces, which may be exempt.
pub(crate) fn facts(rules: &Rules, sight: &Sight) -> Facts {
    let active = || rules.entries().iter().filter(|it| it.state.is_active());
    let mut wanted: BTreeMap<GroupVersionKind, Keep> = BTreeMap::new();
    let mut want = |kind: &GroupVersionKind, keep: &Keep| wanted.entry(kind.clone()).or_default().extend(keep);
    for entry in active().filter(|it| is_about_stored(it, rules)) {
        entry.own().iter().chain(entry.needs()).for_each(|(kind, keep)| want(kind, keep));
    }
    let observes = rules.settings.loops.contains(&Mode::Runtime);
    let observed = rules.active().filter(|_| observes).flat_map(|it| observed(it));
    let whole = observed.chain(active().flat_map(|it| &it.lookups));
    whole.chain(&rules.settings.watched).chain([&rules.namespace_kind]).for_each(|it| want(it, &Keep::All));
    // The checks read these, whatever rules there are.
    let model = if rules.settings.loops.contains(&Mode::Network) { network_kinds() } else { Vec::new() };
    model.iter().for_each(|it| want(it, &kanon_network::keep(it)));
    let asks_for_any = |it: &Entry| it.rule.as_ref().is_some_and(|it| it.referenced.is_open());
    let all = rules.settings.whole_objects || active().any(asks_for_any);
    let parts = wanted.iter().filter(|it| !all && *it.1 != Keep::All).map(|(kind, keep)| (kind.clone(), keep.clone()));
    let parts = parts.collect();
    let served: Vec<_> = wanted.keys().filter_map(|it| rules.resources.kind(it)).collect();
    // Of what `*` means there may be more tomorrow.
    let is_open = |it: &Entry| it.rule.as_ref().is_some_and(|rule| !rule.matcher.patterns.is_empty());
    let unknown = served.len() < wanted.len() || active().any(|it| !it.unknown.is_empty() || is_open(it));
    let kinds = served.into_iter().filter(|it| rules.settings.knows(it)).cloned().collect();
    // What cannot be had holds nobody up: the rules that want it fail by themselves.
    let required: BTreeSet<_> = active().filter(|it| enforces(it)).flat_map(|it| &it.lookups).collect();
    let is_served = |it: &&&GroupVersionKind| rules.resources.kind(it).is_some() && !sight.has_failed(it);
    let required = required.iter().filter(is_served).map(|it| (*it).clone()).collect();
    Facts { kinds, required, parts, unknown }
}

/// What a rule of events looks up: what they are about. A Secret is not kept only so that somebody may be told that it was read.
pub(crate) fn observed(rule: &Rule) -> impl Iterator<Item = &GroupVersionKind> {
    let is_asked = rule.modes.contains(&Mode::Runtime);
    let is_read = |it: &&GroupVersionKind| rule.reads_object || !(it.group.is_empty() && it.kind == "Secret");
    rule.matcher.kinds.iter().filter(move |it| is_asked && is_read(it))
}

/// Whether the rule may refuse a request.
fn enforces(entry: &Entry) -> bool {
    let denies = |rule: &Rule| rule.enforcement == Some(Enforcement::Deny) || rule.on_error == OnError::Deny;
    entry.rule.as_ref().is_some_and(|it| it.modes.contains(&Mode::Admission) && denies(it))
}
