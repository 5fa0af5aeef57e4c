//! Which policies are in force, and why the others are not: sources, names, precedence (spec/rules 1.9).

use std::collections::{BTreeMap, BTreeSet};

use kanon_core::{Kind, Scope};
use kanon_plane::PolicyKey;

use super::{FOLDER, Item, Settings};
use crate::{
    api::{CLUSTER_EXCEPTION, CLUSTER_RULE},
    lookups::resources::Resources,
    rule::{Mode, Rule},
};

impl Settings {
    /// Whether anything can be known of a kind: of what has no namespace, the Namespaces that are looked after, where there are such.
    pub(crate) fn knows(&self, kind: &Kind) -> bool {
        let is_namespace = kind.gvk.group.is_empty() && kind.gvk.kind == "Namespace";
        self.namespaces.is_empty() || kind.scope == Scope::Namespaced || is_namespace
    }
}

/// Why a rule takes part in decisions, or why not. The words are the reasons of condition `Ready` (spec/rules 1.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// In force.
    Active,
    /// In force, beside another object whose rule has the same name.
    NameCollision { with: String },
    /// Switched off.
    Disabled,
    /// `mode` is empty.
    NoMode,
    /// None of its loops runs in this process.
    LayerNotRunning,
    /// No revision has ever compiled.
    ParseError,
    /// A rule of a folder whose name another source has taken.
    Replaced { by: String },
    /// A PortalRule in a namespace that is never evaluated.
    NamespaceExcluded,
    /// It is about, or looks up, what a process does not know that looks after some namespaces alone.
    OutOfReach { what: String },
}

impl State {
    pub(crate) fn is_active(&self) -> bool {
        matches!(self, State::Active | State::NameCollision { .. })
    }

    pub(crate) fn reason(&self) -> &'static str {
        match self {
            State::Active => "Active",
            State::NameCollision { .. } => "NameCollision",
            State::Disabled => "Disabled",
            State::NoMode => "NoMode",
            State::LayerNotRunning => "LayerNotRunning",
            State::ParseError => "ParseError",
            State::Replaced { .. } => "Replaced",
            State::NamespaceExcluded => "NamespaceExcluded",
            State::OutOfReach { .. } => "OutOfReach",
        }
    }

    pub(crate) fn sentence(&self) -> String {
        match self {
            State::Active => "the rule is in force".to_owned(),
            State::NameCollision { with } => format!("the rule is in force, and so is {with} of the same name"),
            State::Disabled => "`enabled` is false".to_owned(),
            State::NoMode => "`mode` is empty: no loop evaluates the rule".to_owned(),
            State::LayerNotRunning => "none of the loops in `mode` runs in this process".to_owned(),
            State::ParseError => "no revision of the rule compiles".to_owned(),
            State::Replaced { by } => format!("{by} has the same name and is used instead"),
            State::OutOfReach { what } => format!("{what}, and this process knows objects of some namespaces alone"),
            State::NamespaceExcluded => "rules in an excluded system namespace are never evaluated".to_owned(),
        }
    }
}

/// The state of each policy (spec/rules 1.9): cluster objects before the folder, later files before earlier ones, objects
/// of one name side by side.
pub(super) fn states(
    items: &[Item],
    settings: &Settings,
    excluded: &BTreeSet<String>,
    resources: &Resources,
) -> Vec<State> {
    // Where each name is taken: positions of folder rules, and of objects with a usable revision.
    let mut folder: BTreeMap<(Option<&str>, &str), usize> = BTreeMap::new();
    let mut objects: BTreeMap<(Option<&str>, &str), Vec<usize>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        let Some(rule) = &item.rule else { continue };
        let id = (rule.home.as_deref(), rule.name.as_str());
        if item.key.origin == FOLDER {
            folder.insert(id, at);
        } else {
            objects.entry(id).or_default().push(at);
        }
    }
    let state = |(at, item): (usize, &Item)| {
        let Some(rule) = &item.rule else { return State::ParseError };
        let id = (rule.home.as_deref(), rule.name.as_str());
        let taken = objects.get(&id).map_or(&[][..], Vec::as_slice);
        let by = if item.key.origin == FOLDER {
            taken.first().or_else(|| folder.get(&id).filter(|last| **last != at))
        } else {
            None
        };
        let other = taken.iter().find(|it| **it != at && item.key.origin != FOLDER);
        let loops = |mode: &Mode| settings.loops.contains(mode);
        let beyond = || out_of_reach(rule, settings, resources);
        match (by.and_then(|it| items.get(*it)), other.and_then(|it| items.get(*it))) {
            (Some(winner), _) => State::Replaced { by: describe(&winner.key) },
            _ if !rule.enabled => State::Disabled,
            _ if rule.modes.is_empty() => State::NoMode,
            _ if rule.home.as_ref().is_some_and(|it| excluded.contains(it)) => State::NamespaceExcluded,
            _ if !rule.modes.iter().any(loops) => State::LayerNotRunning,
            (None, other) => match (beyond(), other) {
                (Some(what), _) => State::OutOfReach { what },
                (None, Some(other)) => State::NameCollision { with: describe(&other.key) },
                (None, None) => State::Active,
            },
        }
    };
    items.iter().enumerate().map(state).collect()
}

/// What of a rule nothing can be known of: a fragment that names it.
fn out_of_reach(rule: &Rule, settings: &Settings, resources: &Resources) -> Option<String> {
    let home = rule.home.as_ref();
    if settings.namespaces.is_empty() {
        return None;
    }
    if let Some(home) = home.filter(|it| !settings.namespaces.contains(it)) {
        return Some(format!("the rule is of namespace `{home}`"));
    }
    let mut referenced = rule.referenced.list.iter();
    let beyond = referenced.find(|it| it.kind(resources).is_some_and(|kind| !settings.knows(kind)));
    if let Some(it) = beyond {
        return Some(format!("the rule looks up `cluster.{}`, of which there are none in a namespace", it.text()));
    }
    if rule.referenced.live && home.is_none() {
        return Some("the rule asks the API server about all namespaces (`consistentCluster`)".to_owned());
    }
    let kinds = &rule.matcher.kinds;
    let is_apart = |kind: &_| resources.kind(kind).is_some_and(|it| it.scope == Scope::Cluster);
    let is_about_nothing = !kinds.is_empty() && rule.matcher.patterns.is_empty() && kinds.iter().all(is_apart);
    is_about_nothing.then(|| "the rule is about kinds without a namespace".to_owned())
}

/// A policy's source for people: `file base.yaml#0`, `PortalClusterRule no-root`, `PortalRule shop/no-root`.
pub(crate) fn describe(key: &PolicyKey) -> String {
    match key.origin.as_str() {
        FOLDER => format!("file {}", key.name),
        CLUSTER_RULE | CLUSTER_EXCEPTION => format!("{} {}", key.origin, key.name),
        _ => format!("{} {}/{}", key.origin, key.namespace, key.name),
    }
}
