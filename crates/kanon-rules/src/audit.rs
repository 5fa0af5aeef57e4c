//! The state of a loop over stored objects: which of them are to be looked at, by which rules, and what is open (spec/rules 5). The
//! audit is one such loop, the network's rules are another (`network`). Pure: it asks for scans through the outbox and takes their
//! results back; a worker thread of the shell runs them ([`scan`]). What is looked at next is `queue`'s, what comes back `results`'.
//!
//! One scan is under way at a time, so that results come in the order of what they rest on. Objects that change meanwhile are
//! looked at again, and what the running scan says of them does not count. A pair of rule and object is evaluated again only
//! when one of the two changed, or something that the rule reads besides.
//!
//! A replica audits the namespaces of its shards, and for the leader's actions all others by the rules that act (`share`). Whoever wins a
//! shard looks at everything once.

mod dependencies;
pub(crate) mod findings;
mod guard;
mod neighbours;
mod pace;
pub(crate) mod passes;
mod queue;
mod results;
pub(crate) mod scan;
pub(crate) mod sight;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kanon_core::{GroupVersionKind, Keep, Kind, Mono, Now, Object, Rate, Shards};
use kanon_plane::{Area, ObjectName, PolicyKey};

use self::{
    dependencies::Dependencies,
    findings::{Change, Finding, Findings},
    guard::Guard,
    pace::Pace,
    passes::{Asked, Passes},
    queue::{Running, Sweep},
    sight::Sight,
};
use crate::{
    api,
    exceptions::{Exception, are_same},
    index::{Entry, Rules},
    rule::{Mode, Rule},
    share::Share,
};

/// A rule in force.
struct InForce {
    revision: String,
    rule: Arc<Rule>,
    /// Kinds that it looks things up of.
    lookups: Vec<GroupVersionKind>,
    /// What it reads of the objects that it is about, by kind.
    own: BTreeMap<GroupVersionKind, Keep>,
    /// What must be there of other kinds before it is asked.
    needs: BTreeMap<GroupVersionKind, Keep>,
    /// Whether what follows from it counts for the whole cluster.
    acts: bool,
    /// Exceptions from it.
    exceptions: Vec<Arc<Exception>>,
}

impl InForce {
    /// Whether its verdict about an object may change though the object does not.
    fn looks_around(&self) -> bool {
        self.rule.reads_clock || !self.needs.is_empty()
    }

    /// Whether all that it reads is there; `has` says so of each kind.
    fn sees_all(&self, has: impl Fn(&GroupVersionKind, &Keep) -> bool) -> bool {
        self.own.iter().chain(&self.needs).all(|(kind, keep)| has(kind, keep))
    }
}

/// See the module.
pub(crate) struct Audit {
    mode: Mode,
    /// Whether this process runs the loop at all.
    runs: bool,
    /// Which namespaces this replica looks at.
    area: Area,
    /// What arrives of the cluster.
    pub(crate) sight: Sight,
    /// Rules in force in this loop.
    rules: BTreeMap<PolicyKey, InForce>,
    /// Kinds that they are about.
    kinds: BTreeSet<GroupVersionKind>,
    /// Changed objects, by the rules that are to look at them.
    dirty: BTreeMap<(GroupVersionKind, Option<PolicyKey>), BTreeSet<ObjectName>>,
    sweeps: VecDeque<Sweep>,
    /// How fast those of all rules go on.
    pace: Pace,
    running: Option<Running>,
    /// Whether changed objects have their turn after sweeps.
    sweeps_turn: bool,
    resync: Duration,
    resync_at: Option<Mono>,
    findings: Arc<Mutex<Findings>>,
    /// Kinds that rules look up.
    looked_up: BTreeSet<GroupVersionKind>,
    /// Those of them whose objects are known from the first.
    complete: BTreeSet<GroupVersionKind>,
    dependencies: Dependencies,
    guard: Guard,
    /// What passes are counted from.
    asked: Asked,
    /// Wishes that the guard put off.
    suppressed: i64,
}

/// Whether a rule is in force in a loop.
pub(crate) fn is_asked_by(entry: &Entry, mode: Mode) -> bool {
    entry.state.is_active() && entry.rule.as_ref().is_some_and(|it| it.modes.contains(&mode))
}

impl Audit {
    /// The loop of a mode; `runs` says whether this process has it, `sweep` how many objects it looks at when it begins.
    pub(crate) fn new(mode: Mode, runs: bool, resync: Duration, sweep: Option<Rate>) -> Audit {
        Audit {
            mode,
            runs,
            area: Area { shards: Shards::none(), ..Area::default() },
            sight: Sight::default(),
            rules: BTreeMap::new(),
            kinds: BTreeSet::new(),
            dirty: BTreeMap::new(),
            sweeps: VecDeque::new(),
            pace: Pace::new(sweep),
            running: None,
            sweeps_turn: false,
            resync,
            resync_at: None,
            findings: Arc::default(),
            looked_up: BTreeSet::new(),
            complete: BTreeSet::new(),
            dependencies: Dependencies::default(),
            guard: Guard::default(),
            asked: Asked::default(),
            suppressed: 0,
        }
    }

    /// Whether this process runs the loop at all.
    pub(crate) fn runs(&self) -> bool {
        self.runs
    }

    /// How many wishes were put off since the last call.
    pub(crate) fn suppressed(&mut self) -> i64 {
        std::mem::take(&mut self.suppressed)
    }

    /// What passes as it is now.
    pub(crate) fn passes(&self) -> Passes<'_> {
        Passes::new(self)
    }

    /// Whether that may have changed since the last call, though no finding did.
    pub(crate) fn take_change_of_passes(&mut self) -> bool {
        std::mem::take(&mut self.asked.changed)
    }

    /// What is open, shared with views.
    pub(crate) fn findings(&self) -> Arc<Mutex<Findings>> {
        Arc::clone(&self.findings)
    }

    /// Whether a scan is under way whose result counts.
    pub(crate) fn is_awaited(&self) -> bool {
        self.running.as_ref().is_some_and(|it| !it.moot)
    }

    fn open(&self) -> MutexGuard<'_, Findings> {
        lock(&self.findings)
    }

    /// The snapshot was swapped: what is new or changed is asked about everything at once, what is gone ends.
    pub(crate) fn rules_changed(&mut self, rules: &Rules, now: Now) -> Vec<Change> {
        if !self.runs {
            return Vec::new();
        }
        let audited = rules.entries().iter().filter(|it| is_asked_by(it, self.mode));
        let in_force = |it: &Entry| {
            let (revision, rule, lookups) = (it.policy.revision.clone(), it.rule.clone()?, it.lookups.clone());
            let (own, needs) = (it.own().clone(), it.needs().clone());
            let (acts, exceptions) = (rule.acts(&self.mode), it.exceptions.clone());
            Some((it.key.clone(), InForce { revision, rule, lookups, own, needs, acts, exceptions }))
        };
        let new: BTreeMap<_, _> = audited.filter_map(in_force).collect();
        let old = std::mem::replace(&mut self.rules, new);
        self.kinds = self.rules.values().flat_map(|it| &it.rule.matcher.kinds).cloned().collect();
        self.look_beyond();
        let is_new = |it: &(&PolicyKey, &InForce)| {
            old.get(it.0).is_none_or(|was| {
                let of = |it: &InForce| (it.revision.clone(), it.lookups.clone(), it.rule.matcher.kinds.clone());
                of(was) != of(it.1) || !are_same(&was.exceptions, &it.1.exceptions)
            })
        };
        let changed: BTreeSet<_> = self.rules.iter().filter(|it| is_new(it)).map(|it| it.0.clone()).collect();
        let gone = old.keys().any(|it| !self.rules.contains_key(it));
        self.looked_up = self.rules.values().flat_map(|it| &it.lookups).cloned().collect();
        let is_over = |it: &PolicyKey| changed.contains(it) || !self.rules.contains_key(it);
        self.dependencies.forget_rules(is_over);
        if changed.is_empty() && !gone {
            return Vec::new();
        }
        self.asked.forget_rules(is_over);
        self.sweep_for(&changed);
        let (rules, area) = (&self.rules, &self.area);
        let stays = |key: &PolicyKey, kind: &GroupVersionKind, namespace: &str| {
            area.asks(key, namespace) && rules.get(key).is_some_and(|it| it.rule.is_about(kind, namespace))
        };
        lock(&self.findings).withdraw(stays, now)
    }

    /// All objects of a kind are known, with these parts.
    pub(crate) fn kind_synced(&mut self, kind: &GroupVersionKind, keep: &Keep) {
        let before = self.sight.synced(kind, keep);
        if before.as_ref() == Some(keep) {
            return;
        }
        // What is delivered again is not all there is.
        if before.is_none() && self.looked_up.contains(kind) {
            self.complete.insert(kind.clone());
        }
        // Rules that read so much of this kind were not asked so far.
        let lacked = |it: &Keep| before.as_ref().is_none_or(|before| !before.covers(it));
        let keys = |is_meant: &dyn Fn(&InForce) -> bool| -> BTreeSet<PolicyKey> {
            self.rules.iter().filter(|it| is_meant(it.1)).map(|it| it.0.clone()).collect()
        };
        let about = keys(&|it| it.own.get(kind).is_some_and(lacked));
        let reading = keys(&|it| it.needs.get(kind).is_some_and(lacked));
        if !about.is_empty() {
            self.sweep(kind.clone(), before.map(|_| about));
        }
        self.sweep_for(&reading);
    }

    /// A kind is not watched any more.
    pub(crate) fn kind_forgotten(&mut self, kind: &GroupVersionKind, now: Now) -> Vec<Change> {
        self.sight.forgotten(kind);
        self.complete.remove(kind);
        self.dependencies.forget_kind(kind);
        self.asked.forget_kind(kind);
        self.dirty.retain(|key, _| key.0 != *kind);
        self.sweeps.retain(|it| it.kind != *kind);
        if let Some(running) = self.running.as_mut().filter(|it| it.kind == *kind) {
            running.moot = true;
            running.sweep = None;
        }
        self.open().withdraw(|_, it, _| it != kind, now)
    }

    /// An object is new or changed.
    pub(crate) fn object_changed(&mut self, kind: &GroupVersionKind, object: &Object, now: Now) {
        let name = scan::name(object);
        if self.is_watching(kind, &name, None) {
            self.touch(kind, name.clone(), None);
            self.asked.changed = true;
        }
        self.neighbour_changed(kind, &name, Some(object), now);
    }

    /// An object is new or changed, and is looked at later ([`Audit::look_at`]): whether it is to be. What a scan under way says
    /// of it is out of date.
    pub(crate) fn object_settles(&mut self, kind: &GroupVersionKind, object: &Object, now: Now) -> Option<ObjectName> {
        let name = scan::name(object);
        self.neighbour_changed(kind, &name, Some(object), now);
        if let Some(running) = self.running.as_mut().filter(|it| it.kind == *kind) {
            running.touched.note(&name, None);
        }
        self.is_watching(kind, &name, None).then_some(name)
    }

    /// Looks at an object again.
    pub(crate) fn look_at(&mut self, kind: &GroupVersionKind, name: ObjectName) {
        if self.is_watching(kind, &name, None) {
            self.touch(kind, name, None);
        }
    }

    /// An object is gone.
    pub(crate) fn object_deleted(&mut self, kind: &GroupVersionKind, object: &Object, now: Now) -> Vec<Change> {
        let name = scan::name(object);
        self.neighbour_changed(kind, &name, None, now);
        if !self.is_watching(kind, &name, None) {
            return Vec::new();
        }
        self.asked.changed = true;
        self.dependencies.forget(kind, &name);
        for (_, names) in self.dirty.iter_mut().filter(|it| it.0.0 == *kind) {
            names.remove(&name);
        }
        if let Some(running) = self.running.as_mut().filter(|it| it.kind == *kind) {
            running.touched.note(&name, None);
        }
        self.open().forget(kind, &name, now)
    }

    /// Other shards are this replica's now: all that is in them is looked at once. Gives what was open in those that were lost.
    pub(crate) fn lead(&mut self, shards: Shards, now: Now) -> Vec<Finding> {
        self.area.shards = shards;
        self.look_beyond();
        self.dirty.clear();
        self.sweeps.clear();
        if let Some(running) = &mut self.running {
            running.moot = true;
            running.sweep = None;
        }
        self.resync_at = (!shards.is_empty() && self.runs).then(|| now.mono.after(self.resync));
        // Findings without an end would stay open here for ever; whoever holds their shard now has its own.
        let forgotten = self.open().hand_over(|namespace| Share::at_most(shards, namespace));
        self.dependencies.forget_rules(|_| true);
        self.asked.forget_rules(|_| true);
        self.guard.clear();
        let kinds: Vec<_> = self.sight.kinds().cloned().collect();
        kinds.into_iter().for_each(|kind| self.sweep(kind, None));
        forgotten
    }

    /// Which rules are asked about objects of other shards, too.
    fn look_beyond(&mut self) {
        let looks = self.area.shards.leads() && !self.area.shards.is_all();
        let acting = self.rules.iter().filter(|it| looks && it.1.acts).map(|it| it.0.clone());
        self.area.beyond = Arc::new(acting.collect());
    }

    /// What is this replica's of a rule's findings in a namespace.
    fn share(&self, key: &PolicyKey, namespace: &str) -> Share {
        Share::of(self.area.shards, self.rules.get(key).is_some_and(|it| it.acts), namespace)
    }

    /// Whether this replica looks at anything.
    fn is_idle(&self) -> bool {
        self.area.shards.is_empty()
    }

    /// What is due: verdicts that change by themselves are asked for again.
    pub(crate) fn tick(&mut self, now: Now) -> Vec<Change> {
        if self.resync_at.is_some_and(|at| at <= now.mono) {
            self.resync_at = Some(now.mono.after(self.resync));
            let by_itself = self.rules.iter().filter(|it| it.1.looks_around());
            let by_itself: BTreeSet<_> = by_itself.map(|it| it.0.clone()).collect();
            self.sweep_for(&by_itself);
        }
        self.ask_those_that_waited(now);
        self.open().end_rests(now)
    }

    /// Takes over a resting finding of an earlier process; whether its object is still there is to be seen.
    pub(crate) fn remember(&mut self, policy: PolicyKey, finding: Finding) {
        let subject = &finding.verdict.subject;
        let (kind, name) = (subject.gvk.clone(), (subject.namespace.clone(), subject.name.clone()));
        self.open().remember(policy.clone(), finding);
        self.touch(&kind, name, Some(policy));
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        let resync = self.resync_at.filter(|_| self.rules.values().any(InForce::looks_around));
        let ends = self.open().next_end();
        [resync, self.guard.next_deadline(), self.pace.wake(), ends].into_iter().flatten().min()
    }

    /// Whether everything that can be looked at was looked at, given that the family's own kinds have arrived.
    pub(crate) fn is_settled(&self, own: &[Kind]) -> bool {
        self.runs
            && !self.is_idle()
            && self.running.is_none()
            && self.sweeps.is_empty()
            && self.dirty.is_empty()
            // For exceptions the loop has waited before it began.
            && own.iter().all(|it| api::is_exception(it) || self.sight.is_synced(&it.gvk))
            && self
                .rules
                .values()
                .all(|it| it.sees_all(|kind, keep| self.sight.holds(kind, keep) || self.sight.has_failed(kind)))
    }
}

/// A panic elsewhere leaves findings as good as before.
pub(crate) fn lock(findings: &Mutex<Findings>) -> MutexGuard<'_, Findings> {
    findings.lock().unwrap_or_else(PoisonError::into_inner)
}
