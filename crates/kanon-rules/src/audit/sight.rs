//! What of the cluster the rules can see: which kinds they need, which of them have arrived, which cannot be had.

use std::collections::{BTreeMap, BTreeSet};

use kanon_core::GroupVersionKind;
use kanon_plane::Facts;

use super::is_asked_by;
use crate::{
    index::{Entry, Rules},
    rule::Mode,
};

/// Kinds by what is known of their watches.
#[derive(Default)]
pub(crate) struct Sight {
    synced: BTreeSet<GroupVersionKind>,
    failed: BTreeMap<GroupVersionKind, String>,
}

impl Sight {
    /// Whether this is news.
    pub(crate) fn synced(&mut self, kind: &GroupVersionKind) -> bool {
        self.failed.remove(kind);
        self.synced.insert(kind.clone())
    }

    pub(crate) fn failed(&mut self, kind: &GroupVersionKind, problem: &str) {
        self.failed.insert(kind.clone(), problem.to_owned());
    }

    pub(crate) fn forgotten(&mut self, kind: &GroupVersionKind) {
        self.failed.remove(kind);
        self.synced.remove(kind);
    }

    pub(crate) fn is_synced(&self, kind: &GroupVersionKind) -> bool {
        self.synced.contains(kind)
    }

    pub(crate) fn has_failed(&self, kind: &GroupVersionKind) -> bool {
        self.failed.contains_key(kind)
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = &GroupVersionKind> {
        self.synced.iter()
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

    /// Why lookups of a rule find nothing yet: a reason and a sentence.
    pub(crate) fn missing(&self, entry: &Entry, rules: &Rules) -> Option<(&'static str, String)> {
        if let Some(name) = entry.unknown.first() {
            return Some(("UnknownResource", format!("`cluster.{name}`: the API server serves no such resource")));
        }
        let problem = entry.needs().find_map(|kind| self.problem(kind, rules));
        if let Some(problem) = problem {
            return Some(("NotListed", problem));
        }
        let waiting = entry.needs().find(|it| !self.is_synced(it))?;
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
fn is_about_stored(entry: &Entry, rules: &Rules) -> bool {
    let asks = |mode: &Mode| rules.settings.loops.contains(mode) && is_asked_by(entry, *mode);
    [Mode::Audit, Mode::Network].iter().any(asks)
}

/// The kinds that rules in force read besides the request: those of stored objects that are looked at, those that are looked up,
/// and Namespaces, which may be exempt.
pub(crate) fn facts(rules: &Rules) -> Facts {
    let active = || rules.entries().iter().filter(|it| it.state.is_active());
    let audited = active().filter(|it| is_about_stored(it, rules)).filter_map(|it| it.rule.as_ref());
    // What an event is about is looked up. A Secret is not kept only so that somebody may be told that it was read.
    let observes = rules.settings.loops.contains(&Mode::Runtime);
    let observed = rules.active().filter(|it| observes && it.modes.contains(&Mode::Runtime)).flat_map(|rule| {
        rule.matcher.kinds.iter().filter(|it| rule.reads_object || !(it.group.is_empty() && it.kind == "Secret"))
    });
    let wanted: BTreeSet<&GroupVersionKind> = audited
        .flat_map(|it| &it.matcher.kinds)
        .chain(observed)
        .chain(active().flat_map(|it| &it.lookups))
        .chain(active().filter(|it| is_about_stored(it, rules)).flat_map(|it| &it.model))
        .chain(&rules.settings.watched)
        .chain([&rules.namespace_kind])
        .collect();
    let kinds: Vec<_> = wanted.iter().filter_map(|it| rules.resources.kind(it)).cloned().collect();
    // Of what `*` means there may be more tomorrow.
    let is_open = |it: &Entry| it.rule.as_ref().is_some_and(|rule| !rule.matcher.patterns.is_empty());
    let unknown = kinds.len() < wanted.len() || active().any(|it| !it.unknown.is_empty() || is_open(it));
    Facts { kinds, unknown }
}
