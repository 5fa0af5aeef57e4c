//! The snapshot of all rules: which of them are in force, and which may concern an object, by kind.
//!
//! A PortalRule is confined by where it stands: rules of a namespace are kept under that namespace's name and are reached
//! through an object's namespace only. There is no way from another namespace, or from an object without one, to them.

mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use kanon_core::{GroupVersionKind, Keep, PolicyRef, Rate};
use kanon_lang::{Limits, Program, RuleSet};
use kanon_plane::PolicyKey;

use crate::{
    decide::Timing,
    exceptions::{self, Exception, Listed},
    facts::pod::PodShapes,
    lookups::{picture::network_kinds, resources::Resources},
    rule::{Mode, Rule},
    vet::VetSettings,
};
pub(crate) use state::{State, describe};

/// The origin of rules from a folder.
pub(crate) const FOLDER: &str = "folder";
/// Namespaces that are never evaluated, whatever the settings say (spec/rules 4.5).
const SYSTEM_NAMESPACES: &[&str] = &["kube-system", "kube-public", "kube-node-lease"];

/// See [`Settings::resync`] (spec/rules 5.1).
pub const RESYNC: Duration = Duration::from_secs(600);

/// What becomes of denials and warnings of admission, whatever the rules say (spec/rules 4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnforcementSwitch {
    /// What the rules say.
    #[default]
    On,
    /// Denials are warnings.
    Warn,
    /// Violations are only recorded.
    Off,
}

/// How the family behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespaces that admission passes over, besides `kube-system`, `kube-public` and `kube-node-lease`: at least the one
    /// that Kanon is installed in.
    pub excluded_namespaces: Vec<String>,
    /// The only namespaces whose objects this process knows and looks after; where there are none, all are, and what has no namespace, too.
    pub namespaces: Vec<String>,
    /// The loops that this process runs.
    pub loops: Vec<Mode>,
    /// Kinds that make pods besides Kubernetes' own.
    pub shapes: PodShapes,
    /// Kinds that are watched whatever the rules read.
    pub watched: Vec<GroupVersionKind>,
    /// Whether everything is kept of watched objects, and not what is read alone.
    pub whole_objects: bool,
    /// How often the audit asks again for verdicts that may change by themselves.
    pub resync: Duration,
    /// How many objects the audit looks at when it begins, after ten times as many at once; as fast as it can where nothing is said.
    pub sweep: Option<Rate>,
    /// Whether what the audit evaluates counts: not where a command only has a look.
    pub counts: bool,
    /// The switch over all of admission.
    pub enforcement: EnforcementSwitch,
    /// The share of requests, in percent, beyond which a rule's denials become warnings.
    pub breaker: Option<u8>,
    /// Whether requests are refused that rules cannot be asked about.
    pub fail_closed: bool,
    /// How rules are looked at when they are stored.
    pub vet: VetSettings,
    /// Whether exceptions are objects that arrive: loops over stored objects wait for them.
    pub awaits_exceptions: bool,
    /// What one evaluation may cost.
    pub limits: Limits,
    /// How often rules are timed, by the clock of `limits`; never where there is nothing.
    pub timing: Option<Arc<Timing>>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            excluded_namespaces: Vec::new(),
            namespaces: Vec::new(),
            loops: vec![Mode::Admission],
            shapes: PodShapes::default(),
            watched: Vec::new(),
            whole_objects: false,
            resync: RESYNC,
            sweep: None,
            counts: true,
            enforcement: EnforcementSwitch::On,
            breaker: None,
            fail_closed: false,
            vet: VetSettings::default(),
            awaits_exceptions: false,
            limits: Limits::default(),
            timing: None,
        }
    }
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
    /// Whether its denials are warnings, because there were too many.
    pub broken: bool,
    pub counts: Arc<Counts>,
}

/// One policy of the snapshot.
pub(crate) struct Entry {
    pub key: PolicyKey,
    pub policy: PolicyRef,
    pub rule: Option<Arc<Rule>>,
    pub problem: Option<String>,
    /// Whether its denials are warnings, because there were too many.
    pub broken: bool,
    pub state: State,
    pub counts: Arc<Counts>,
    /// Kinds that it looks things up of.
    pub lookups: Vec<GroupVersionKind>,
    /// Kinds that the network model is made of, where it reads that.
    pub model: Vec<GroupVersionKind>,
    /// What it reads of the stored objects that it is about, by kind.
    own: BTreeMap<GroupVersionKind, Keep>,
    /// What must be there of other kinds before it is asked about them.
    needs: BTreeMap<GroupVersionKind, Keep>,
    /// Resources that it names and nobody serves.
    pub unknown: Vec<String>,
    /// What the author should know about the resources it names.
    pub notes: Vec<String>,
    /// Exceptions from it that are in force.
    pub exceptions: Vec<Arc<Exception>>,
}

impl Entry {
    /// What must be there of other kinds before it is asked about stored objects.
    pub(crate) fn needs(&self) -> &BTreeMap<GroupVersionKind, Keep> {
        &self.needs
    }

    /// What it reads of the stored objects that it is about, by kind.
    pub(crate) fn own(&self) -> &BTreeMap<GroupVersionKind, Keep> {
        &self.own
    }

    /// Whether it may be asked about stored objects of a kind, given what there is of each kind.
    pub(crate) fn sees(&self, kind: &GroupVersionKind, holds: impl Fn(&GroupVersionKind, &Keep) -> bool) -> bool {
        self.own.get(kind).is_none_or(|it| holds(kind, it)) && self.needs.iter().all(|(kind, keep)| holds(kind, keep))
    }

    /// The loops it is active in, of those that run.
    pub(crate) fn active_on(&self, loops: &[Mode]) -> Vec<Mode> {
        let modes = self.rule.iter().flat_map(|rule| &rule.modes).copied();
        if self.state.is_active() { modes.filter(|mode| loops.contains(mode)).collect() } else { Vec::new() }
    }
}

/// Rules that may concern one kind.
#[derive(Default)]
pub(crate) struct Bucket {
    /// Positions of entries, in order.
    entries: Vec<u32>,
    /// Whether one of them looks things up.
    looks_up: bool,
    /// Whether they are a namespace's own.
    confined: bool,
    /// Their programs, made when the first object comes: while policies are loaded, snapshots come and go.
    programs: OnceLock<Programs>,
}

/// The programs of a bucket, each with its rule's position in the bucket.
pub(crate) struct Programs {
    /// Those that are asked once about an object.
    pub whole: (RuleSet, Vec<u32>),
    /// Those that are asked about each container.
    pub by_container: (RuleSet, Vec<u32>),
    /// Those that look things up, or not at every object: each is asked alone, so that it is known what it read.
    pub alone: Vec<u32>,
    /// Their programs, and whether they are asked about each container.
    singles: Vec<(Arc<dyn Program>, bool)>,
}

impl Programs {
    /// The program of a rule that is asked alone, by its place in the bucket.
    pub(crate) fn one(&self, place: u32) -> Option<(&dyn Program, bool)> {
        let at = self.alone.binary_search(&place).ok()?;
        self.singles.get(at).map(|it| (&*it.0, it.1))
    }
}

type ByKind = BTreeMap<GroupVersionKind, Bucket>;

/// An immutable set of rules: the one thing that answers for admission, offline checks and tests.
pub struct Rules {
    entries: Vec<Entry>,
    exceptions: Vec<Listed>,
    cluster: ByKind,
    tenants: BTreeMap<String, ByKind>,
    excluded: BTreeSet<String>,
    pub(crate) settings: Settings,
    pub(crate) resources: Arc<Resources>,
    pub(crate) namespace_kind: GroupVersionKind,
}

impl Rules {
    /// The snapshot of these policies and of the exceptions from them; of folder rules with one name the last counts.
    pub(crate) fn new(
        items: Vec<Item>,
        exceptions: Vec<Listed>,
        settings: Settings,
        resources: Arc<Resources>,
    ) -> Rules {
        let mut excluded: BTreeSet<_> = SYSTEM_NAMESPACES.iter().map(|it| (*it).to_owned()).collect();
        excluded.extend(settings.excluded_namespaces.iter().cloned());
        let states = state::states(&items, &settings, &excluded, &resources);
        let entries = items.into_iter().zip(states);
        let entries = entries.map(|(item, state)| entry(item, state, &resources, &exceptions)).collect();
        let namespace_kind = GroupVersionKind::new("", "v1", "Namespace");
        let (cluster, tenants) = (ByKind::new(), BTreeMap::new());
        let mut rules = Rules { entries, exceptions, cluster, tenants, excluded, settings, resources, namespace_kind };
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
                bucket.looks_up |= rule.looks_around();
                bucket.confined = rule.home.is_some();
            }
        }
    }

    /// Every policy, in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Every exception, in order.
    pub(crate) fn exceptions(&self) -> &[Listed] {
        &self.exceptions
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

    /// The rules in force for objects of a kind in a namespace: the cluster's, then the namespace's own.
    pub(crate) fn candidates<'r>(
        &'r self,
        kind: &GroupVersionKind,
        namespace: &str,
    ) -> impl Iterator<Item = &'r Bucket> + Clone + use<'r> {
        let of_all = self.cluster.get(kind).filter(|_| self.looks_after(namespace));
        let own = self.tenants.get(namespace).and_then(|it| it.get(kind));
        [of_all, own].into_iter().flatten()
    }

    /// Whether objects of a namespace are this process's to look after; what has none has an empty one.
    fn looks_after(&self, namespace: &str) -> bool {
        let namespaces = &self.settings.namespaces;
        namespaces.is_empty() || namespaces.iter().any(|it| it == namespace)
    }

    /// The entries of a bucket with their positions, in order.
    pub(crate) fn in_bucket<'r>(&'r self, bucket: &'r Bucket) -> impl Iterator<Item = (u32, &'r Entry, &'r Rule)> {
        bucket.entries.iter().filter_map(|at| {
            let entry = self.entries.get(*at as usize)?;
            Some((*at, entry, entry.rule.as_deref()?))
        })
    }

    /// The programs of a bucket.
    pub(crate) fn programs<'r>(&'r self, bucket: &'r Bucket) -> &'r Programs {
        bucket.programs.get_or_init(|| {
            let set = |by_container: bool| {
                let fits = |rule: &Rule| rule.per_container == by_container && !rule.is_alone();
                let rules = self.in_bucket(bucket).enumerate().filter(|it| fits(it.1.2));
                let programs = rules.filter_map(|(at, (_, _, rule))| Some((at as u32, rule.program.clone()?)));
                let (places, programs): (Vec<_>, Vec<_>) = programs.unzip();
                (RuleSet::new(programs), places)
            };
            let alone = self.in_bucket(bucket).enumerate().filter_map(|(at, (_, _, rule))| {
                let program = rule.program.clone().filter(|_| rule.is_alone())?;
                Some((at as u32, (program, rule.per_container)))
            });
            let (alone, singles) = alone.unzip();
            Programs { whole: set(false), by_container: set(true), alone, singles }
        })
    }
}

impl Bucket {
    /// How many rules there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the rules are a namespace's own.
    pub(crate) fn is_confined(&self) -> bool {
        self.confined
    }

    /// Whether a rule looks things up.
    pub(crate) fn looks_up(&self) -> bool {
        self.looks_up
    }
}

/// A policy of a snapshot.
pub(crate) fn entry(item: Item, state: State, resources: &Resources, listed: &[Listed]) -> Entry {
    let Item { key, name, revision, rule, problem, broken, counts } = item;
    let rule = rule.map(|it| it.of_served(resources));
    let home = rule.as_ref().and_then(|it| it.home.clone());
    let namespace = home.unwrap_or_else(|| key.namespace.clone());
    let policy = PolicyRef { kind: key.origin.clone(), namespace, name, revision };
    let (mut lookups, unknown) = rule.as_ref().map(|it| it.referenced.resolve(resources)).unwrap_or_default();
    let exceptions = rule.as_ref().map(|it| exceptions::from_rule(listed, it)).unwrap_or_default();
    let reads_namespace = |it: &Arc<Rule>| it.matcher.narrow.reads_namespace();
    if rule.as_ref().is_some_and(reads_namespace) || exceptions.iter().any(|it| it.reads_namespace()) {
        lookups.push(GroupVersionKind::new("", "v1", "Namespace"));
        lookups.sort_by_key(GroupVersionKind::to_string);
        lookups.dedup();
    }
    let notes = rule.as_ref().map(|it| it.referenced.notes(resources)).unwrap_or_default();
    let sees_network = rule.as_ref().is_some_and(|it| it.reads_network && it.modes.contains(&Mode::Network));
    let model = if sees_network { network_kinds() } else { Vec::new() };
    let mut needs: BTreeMap<_, _> = model.iter().map(|it| (it.clone(), kanon_network::keep(it))).collect();
    let kinds = rule.iter().flat_map(|rule| rule.matcher.kinds.iter().map(move |it| (it, rule)));
    let own = kinds.map(|(kind, rule)| (kind.clone(), rule.reads.keep(kind, &resources.shapes))).collect();
    needs.extend(lookups.iter().map(|it| (it.clone(), Keep::All)));
    Entry { key, policy, rule, problem, broken, state, counts, lookups, model, own, needs, unknown, notes, exceptions }
}
