//! The snapshot of all rules: which of them are in force, and which may concern an object, by kind.
//!
//! A PortalRule is confined by where it stands: rules of a namespace are kept under that namespace's name and are reached
//! through an object's namespace only. There is no way from another namespace, or from an object without one, to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use kanon_core::{GroupVersionKind, PolicyFile, PolicyRef};
use kanon_lang::{Language, Limits};
use kanon_plane::PolicyKey;

use crate::{
    api::CLUSTER_RULE,
    documents::read_file,
    rule::{Mode, Rule},
    validate::{Compiler, validate},
};

/// The origin of rules from a folder.
pub(crate) const FOLDER: &str = "folder";
/// Namespaces that are never evaluated, whatever the settings say (spec/rules 4.5).
const SYSTEM_NAMESPACES: &[&str] = &["kube-system", "kube-public", "kube-node-lease"];

/// How the family behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespaces that admission passes over, besides `kube-system`, `kube-public` and `kube-node-lease`: at least the one
    /// that Kanon is installed in.
    pub excluded_namespaces: Vec<String>,
    /// The loops that this process runs.
    pub loops: Vec<Mode>,
    /// What one evaluation may cost.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { excluded_namespaces: Vec::new(), loops: vec![Mode::Admission], limits: Limits::default() }
    }
}

/// Something wrong, or hardly meant, in a rule document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, or document in it: `base.yaml#0`.
    pub place: String,
    /// The rule's name; empty where it could not be read.
    pub rule: String,
    /// What it is; may have several lines.
    pub message: String,
    /// Whether the rule works all the same.
    pub warning: bool,
}

/// Counts of one rule at one generation. Shared between the family, which adds, and its views, which show.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub evaluations: AtomicU64,
    pub violations: AtomicU64,
    pub errors: AtomicU64,
    /// Errors since the last evaluation that gave a value.
    pub errors_in_a_row: AtomicU64,
    /// Whether there is something that `.status` does not say yet.
    pub unreported: AtomicBool,
}

impl Counts {
    pub(crate) fn pair(&self) -> (u64, u64) {
        (self.evaluations.load(Relaxed), self.violations.load(Relaxed))
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
            State::NamespaceExcluded => "rules in an excluded system namespace are never evaluated".to_owned(),
        }
    }
}

/// What the family knows of one policy, for [`Rules::new`].
pub(crate) struct Item {
    pub key: PolicyKey,
    /// The best known name.
    pub name: String,
    /// First digits of the digest of the newest text.
    pub revision: String,
    /// The revision in force, or parked.
    pub rule: Option<Arc<Rule>>,
    /// Why the newest revision is not in force.
    pub problem: Option<String>,
    pub counts: Arc<Counts>,
}

/// One policy of the snapshot.
pub(crate) struct Entry {
    pub key: PolicyKey,
    pub policy: PolicyRef,
    pub rule: Option<Arc<Rule>>,
    pub problem: Option<String>,
    pub state: State,
    pub counts: Arc<Counts>,
}

impl Entry {
    /// The loops it is active in, of those that run.
    pub(crate) fn active_on(&self, loops: &[Mode]) -> Vec<Mode> {
        let modes = self.rule.iter().flat_map(|rule| &rule.modes).copied();
        if self.state.is_active() { modes.filter(|mode| loops.contains(mode)).collect() } else { Vec::new() }
    }
}

/// Rules that may concern one kind.
#[derive(Default)]
struct Bucket {
    /// Positions of entries, in order.
    entries: Vec<u32>,
    /// Whether one of them reads `container`.
    by_container: bool,
}

type ByKind = BTreeMap<GroupVersionKind, Bucket>;

/// An immutable set of rules: the one thing that answers for admission, offline checks and tests.
pub struct Rules {
    entries: Vec<Entry>,
    cluster: ByKind,
    tenants: BTreeMap<String, ByKind>,
    excluded: BTreeSet<String>,
    pub(crate) settings: Settings,
    pub(crate) namespace_kind: GroupVersionKind,
}

impl Rules {
    /// The rules of folder files, without a cluster, and everything wrong with them. Broken rules take no part.
    pub fn from_documents(
        files: &[PolicyFile],
        language: Arc<dyn Language>,
        settings: Settings,
    ) -> (Rules, Vec<Problem>) {
        let compiler = Compiler::new(language);
        let (mut items, mut problems) = (Vec::new(), Vec::new());
        for file in files {
            let (documents, unreadable) = read_file(file).unwrap_or_else(|it| (Vec::new(), vec![it]));
            for it in unreadable {
                problems.push(Problem { place: it.place, rule: String::new(), message: it.problem, warning: false });
            }
            for document in documents {
                let rule = validate(&document.spec, document.home.as_deref(), &compiler);
                let name = document.spec["name"].as_str().unwrap_or_default().to_owned();
                let problem = |message: &str, warning| Problem {
                    place: document.place.clone(),
                    rule: name.clone(),
                    message: message.to_owned(),
                    warning,
                };
                match &rule {
                    Ok(rule) => {
                        problems.extend(rule.problem.iter().map(|it| problem(it, false)));
                        problems.extend(rule.warnings.iter().map(|it| problem(it, true)));
                    }
                    Err(message) => problems.push(problem(message, false)),
                }
                let text = document.spec.to_string();
                items.push(Item {
                    revision: kanon_core::Digest::of(&[text.as_bytes()]).short(),
                    key: PolicyKey { origin: FOLDER.into(), namespace: String::new(), name: document.place.clone() },
                    problem: rule.as_ref().err().cloned(),
                    rule: rule.ok().map(Arc::new),
                    counts: Arc::default(),
                    name,
                });
            }
        }
        let rules = Rules::new(items, settings);
        for entry in &rules.entries {
            if let State::Replaced { .. } = entry.state {
                let (place, rule) = (entry.key.name.clone(), entry.policy.name.clone());
                problems.push(Problem { place, rule, message: entry.state.sentence(), warning: true });
            }
        }
        (rules, problems)
    }

    /// The snapshot of these policies; of folder rules with one name the last counts.
    pub(crate) fn new(items: Vec<Item>, settings: Settings) -> Rules {
        let mut excluded: BTreeSet<_> = SYSTEM_NAMESPACES.iter().map(|it| (*it).to_owned()).collect();
        excluded.extend(settings.excluded_namespaces.iter().cloned());
        let states = states(&items, &settings, &excluded);
        let entries = items.into_iter().zip(states).map(|(item, state)| entry(item, state)).collect();
        let namespace_kind = GroupVersionKind::new("", "v1", "Namespace");
        let mut rules =
            Rules { entries, cluster: ByKind::new(), tenants: BTreeMap::new(), excluded, settings, namespace_kind };
        rules.fill();
        rules
    }

    fn fill(&mut self) {
        for (at, entry) in self.entries.iter().enumerate() {
            let Some(rule) = entry.rule.as_ref().filter(|_| entry.state.is_active()) else { continue };
            let by_kind = match &rule.home {
                Some(home) => self.tenants.entry(home.clone()).or_default(),
                None => &mut self.cluster,
            };
            for kind in &rule.matcher.kinds {
                let bucket = by_kind.entry(kind.clone()).or_default();
                // There are far fewer policies than 2³²: each is an object in the API or in a file.
                bucket.entries.push(at as u32);
                bucket.by_container |= rule.per_container;
            }
        }
    }

    /// Every policy, in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many policies there are, broken and disabled ones too.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no policy at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The rules in force, in order.
    pub fn active(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.entries.iter().filter(|it| it.state.is_active()).filter_map(|it| it.rule.as_ref())
    }

    /// Whether admission passes a namespace over.
    pub(crate) fn is_excluded(&self, namespace: &str) -> bool {
        self.excluded.contains(namespace)
    }

    /// The rules in force for objects of a kind in a namespace; and whether one of them reads `container`.
    pub(crate) fn candidates<'r>(
        &'r self,
        kind: &GroupVersionKind,
        namespace: &str,
    ) -> (impl Iterator<Item = (u32, &'r Entry, &'r Rule)> + use<'r>, bool) {
        let cluster = self.cluster.get(kind);
        let own = self.tenants.get(namespace).and_then(|it| it.get(kind));
        let by_container = [cluster, own].into_iter().flatten().any(|it| it.by_container);
        let positions = [cluster, own].into_iter().flatten().flat_map(|it| &it.entries);
        let found = positions.filter_map(|at| {
            let entry = self.entries.get(*at as usize)?;
            Some((*at, entry, entry.rule.as_deref()?))
        });
        (found, by_container)
    }
}

fn entry(item: Item, state: State) -> Entry {
    let Item { key, name, revision, rule, problem, counts } = item;
    let home = rule.as_ref().and_then(|it| it.home.clone());
    let namespace = home.unwrap_or_else(|| key.namespace.clone());
    let policy = PolicyRef { kind: key.origin.clone(), namespace, name, revision };
    Entry { key, policy, rule, problem, state, counts }
}

/// The state of each policy (spec/rules 1.9): cluster objects before the folder, later files before earlier ones, objects
/// of one name side by side.
fn states(items: &[Item], settings: &Settings, excluded: &BTreeSet<String>) -> Vec<State> {
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
        match (by.and_then(|it| items.get(*it)), other.and_then(|it| items.get(*it))) {
            (Some(winner), _) => State::Replaced { by: describe(&winner.key) },
            _ if !rule.enabled => State::Disabled,
            _ if rule.modes.is_empty() => State::NoMode,
            _ if rule.home.as_ref().is_some_and(|it| excluded.contains(it)) => State::NamespaceExcluded,
            _ if !rule.modes.iter().any(loops) => State::LayerNotRunning,
            (None, Some(other)) => State::NameCollision { with: describe(&other.key) },
            (None, None) => State::Active,
        }
    };
    items.iter().enumerate().map(state).collect()
}

/// A policy's source for people: `file base.yaml#0`, `PortalClusterRule no-root`, `PortalRule shop/no-root`.
pub(crate) fn describe(key: &PolicyKey) -> String {
    match key.origin.as_str() {
        FOLDER => format!("file {}", key.name),
        CLUSTER_RULE => format!("{} {}", key.origin, key.name),
        _ => format!("{} {}/{}", key.origin, key.namespace, key.name),
    }
}
