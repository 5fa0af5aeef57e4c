//! The state of a loop over stored objects: which of them are to be looked at, by which rules, and what is open (spec/rules 5). The
//! audit is one such loop, the network's rules are another (`network`). Pure: it asks for scans through the outbox and takes their
//! results back; a worker thread of the shell runs them ([`scan`]).
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
pub(crate) mod scan;
pub(crate) mod sight;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kanon_core::{GroupVersionKind, Keep, Kind, Mono, Now, Object, Rate, Shards};
use kanon_plane::{Area, ObjectName, Outbox, PolicyKey, Which, Work};

use self::{
    dependencies::Dependencies,
    findings::{Change, Finding, Findings},
    guard::Guard,
    neighbours::Changed,
    pace::Pace,
    scan::{Found, Scanned},
    sight::Sight,
};
use crate::{
    api,
    exceptions::{Exception, are_same},
    index::{Entry, Rules},
    rule::{Mode, Rule},
    share::Share,
};

/// Objects in one scan: so few that a changed object does not wait long for its turn.
const CHUNK: usize = 2000;

/// Rules by key; `None` stands for all.
type Among = Option<Arc<BTreeSet<PolicyKey>>>;

/// A walk over all objects of a kind.
struct Sweep {
    kind: GroupVersionKind,
    policies: Among,
    last: Option<ObjectName>,
}

/// The scan under way.
struct Running {
    kind: GroupVersionKind,
    /// Whether results are of no use any more.
    moot: bool,
    /// What is asked again since it began: what it says of that is out of date.
    touched: Touched,
    /// Objects that changed and may be looked up in it.
    missed: Vec<Changed>,
    /// Namespaces whose network changed.
    networks: BTreeSet<String>,
    sweep: Option<Sweep>,
}

impl Running {
    fn new(kind: GroupVersionKind, sweep: Option<Sweep>) -> Running {
        let (touched, missed, networks) = (Touched::default(), Vec::new(), BTreeSet::new());
        Running { kind, moot: false, touched, missed, networks, sweep }
    }
}

/// Objects that all rules are asked about again, and those that some rules are: what others said of them stands.
#[derive(Default)]
struct Touched {
    whole: BTreeSet<ObjectName>,
    by_rule: BTreeMap<ObjectName, BTreeSet<PolicyKey>>,
}

impl Touched {
    fn note(&mut self, name: &ObjectName, rule: Option<&PolicyKey>) {
        match rule {
            Some(rule) => drop(self.by_rule.entry(name.clone()).or_default().insert(rule.clone())),
            None => drop(self.whole.insert(name.clone())),
        }
    }

    fn has_whole(&self, name: &ObjectName) -> bool {
        self.whole.contains(name)
    }

    fn has(&self, name: &ObjectName, rule: &PolicyKey) -> bool {
        self.has_whole(name) || self.by_rule.get(name).is_some_and(|it| it.contains(rule))
    }
}

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
        self.dependencies.forget_rules(|it| changed.contains(it) || !self.rules.contains_key(it));
        if changed.is_empty() && !gone {
            return Vec::new();
        }
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

    /// Takes the result of the scan under way; `None` for one that broke off.
    pub(crate) fn scanned(&mut self, scanned: Option<&Scanned>, now: Now) -> Vec<Change> {
        let Some(Running { kind, moot, touched, missed, networks, sweep }) = self.running.take() else {
            return Vec::new();
        };
        let Some(scanned) = scanned.filter(|_| !moot) else { return Vec::new() };
        let Work { which, policies, area, .. } = &scanned.work;
        // Only what is still in force as it was asked says something.
        let is_asked = |it: &&Entry| {
            policies.as_ref().is_none_or(|among| among.contains(&it.key))
                && is_asked_by(it, self.mode)
                && self
                    .rules
                    .get(&it.key)
                    .is_some_and(|now| now.revision == it.policy.revision && are_same(&now.exceptions, &it.exceptions))
                && it.sees(&kind, |kind, keep| self.sight.holds(kind, keep))
        };
        let asked: BTreeSet<PolicyKey> =
            scanned.rules.entries().iter().filter(is_asked).map(|it| it.key.clone()).collect();
        let share = |key: &PolicyKey, name: &ObjectName| {
            let counts = asked.contains(key) && !touched.has(name, key) && area.asks(key, &name.0);
            counts.then(|| self.share(key, &name.0)).filter(|it| !it.is_none())
        };
        let mut changes = Vec::new();
        let mut findings = lock(&self.findings);
        let mut said = BTreeSet::new();
        for Found { name, uid, verdicts } in &scanned.found {
            said.insert(name.clone());
            if touched.has_whole(name) {
                continue;
            }
            let found = Found { name: name.clone(), uid: uid.clone(), verdicts: verdicts.clone() };
            changes.extend(findings.take(&kind, found, &scanned.rules, |key| share(key, name), now));
        }
        for name in scanned.absent.iter().filter(|it| !touched.has_whole(it)) {
            changes.extend(findings.forget(&kind, name, now));
        }
        // Nothing was found about the others.
        let looked_at = |name: &ObjectName| match which {
            Which::Named(names) => names.contains(name),
            Which::Answered(_) => false,
            Which::After { last, .. } => {
                last.as_ref().is_none_or(|it| name > it) && scanned.next.as_ref().is_none_or(|it| name <= it)
            }
        };
        let silent = findings.names(&kind, |name| looked_at(name) && !said.contains(name) && !touched.has_whole(name));
        for (name, uid) in silent {
            let found = Found { name: name.clone(), uid, verdicts: Vec::new() };
            changes.extend(findings.take(&kind, found, &scanned.rules, |key| share(key, &name), now));
        }
        drop(findings);
        let counts = |key: &PolicyKey, name: &ObjectName| asked.contains(key) && !touched.has(name, key);
        self.note_queries(scanned, counts, &missed, now);
        for namespace in &networks {
            self.ask_around(namespace);
        }
        if let (Some(sweep), Some(next)) = (sweep, &scanned.next) {
            self.sweeps.push_front(Sweep { last: Some(next.clone()), ..sweep });
        }
        changes
    }

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
    fn next_sweep(&mut self, now: Now) -> Option<Sweep> {
        self.pace.rest();
        let is_first_look = self.sweeps.front()?.policies.is_none();
        if !is_first_look || self.pace.admits(CHUNK, now.mono) {
            return self.sweeps.pop_front();
        }
        let asked_for = self.sweeps.iter().position(|it| it.policies.is_some())?;
        self.sweeps.remove(asked_for)
    }

    fn scan_changed(&mut self, out: &mut Outbox) -> bool {
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
    fn is_watching(&self, kind: &GroupVersionKind, name: &ObjectName, rule: Option<&PolicyKey>) -> bool {
        let is_ours = match rule {
            Some(rule) => self.area.asks(rule, &name.0),
            None => self.area.covers(&name.0),
        };
        // Before that a sweep will see it anyway.
        is_ours && self.sight.is_synced(kind) && self.kinds.contains(kind)
    }

    fn touch(&mut self, kind: &GroupVersionKind, name: ObjectName, policy: Option<PolicyKey>) {
        if let Some(running) = self.running.as_mut().filter(|it| it.kind == *kind) {
            running.touched.note(&name, policy.as_ref());
        }
        self.dirty.entry((kind.clone(), policy)).or_default().insert(name);
    }

    /// All objects of the kinds of some rules.
    fn sweep_for(&mut self, policies: &BTreeSet<PolicyKey>) {
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

    fn sweep(&mut self, kind: GroupVersionKind, policies: Option<BTreeSet<PolicyKey>>) {
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

/// A panic elsewhere leaves findings as good as before.
pub(crate) fn lock(findings: &Mutex<Findings>) -> MutexGuard<'_, Findings> {
    findings.lock().unwrap_or_else(PoisonError::into_inner)
}
