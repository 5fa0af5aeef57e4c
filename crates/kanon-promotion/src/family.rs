//! The family: routes objects and ticks to what it knows, asks the gates that this concerns, and keeps statuses. Decisions
//! are made by [`crate::decide`].
//!
//! Nothing is asked before every kind has been listed: a gate must not open because a window was not there yet.

mod agenda;
mod desk;
mod gates;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use kanon_core::{Change, EventType, FamilyId, Input, Kind, Mono, Now, Object, ObjectRef, Rate, TokenBucket};
use kanon_lang::Language;
use kanon_plane::{Applied, Family, Needs, Outbox, PolicyKey, PolicyStore, View};
use serde_json::{Value, json};

use crate::{
    api::{
        self, BUNDLE, CLOCK, FAMILY, GATE, METRIC, PIPELINE, PipelineSpec, PolicyGateSpec, ScheduleClockSpec, WINDOW,
    },
    bundle::Bundle,
    clock,
    collect::Meta,
    facts::{Facts, Key, Settings, read, text_map},
    gate::{Compiler, Gate, Problem},
    metric::Metric,
    namespaced::Namespaced,
    pipeline::Pipeline,
    status::{condition, dated, rfc3339, says},
    view::{PromotionView, Row},
    window::Window,
};
use agenda::{Agenda, Due};
use desk::Desk;
use gates::{GateId, GateState, merge};

/// How long after a failed status write a gate is asked again.
const RETRY: SignedDuration = SignedDuration::from_secs(30);

/// Statuses that tell nothing new but times: no more than the plane lets out.
const TIMES_PER_SECOND: std::num::NonZeroU32 = const { std::num::NonZeroU32::new(10).expect("10 is not 0") };
/// How many of them at once.
const TIMES_BURST: u32 = 50;

/// A clock or a window with what its status says.
struct Told {
    subject: ObjectRef,
    status: Value,
}

struct Clock {
    told: Told,
    interval: SignedDuration,
    last: Option<Timestamp>,
}

/// Owner of gates, Pipelines, Bundles, windows, clocks and metrics.
pub struct PromotionFamily {
    kinds: [Kind; 6],
    compiler: Compiler,
    store: PolicyStore<Gate>,
    ids: BTreeMap<PolicyKey, GateId>,
    /// By their ids; the places of those that are gone are free.
    gates: Vec<Option<Box<GateState>>>,
    free: Vec<GateId>,
    /// The gates as the view shows them.
    rows: Namespaced<Row>,
    facts: Facts,
    desk: Desk,
    /// Gates that have times to tell, in the order of their turns.
    owed: VecDeque<GateId>,
    pace: TokenBucket,
    /// When the next of them may be told.
    owed_at: Option<Mono>,
    /// Pipelines that make no sense, and why.
    broken: BTreeMap<Key, String>,
    windows: BTreeMap<String, Told>,
    clocks: BTreeMap<Key, Clock>,
    synced: BTreeSet<String>,
    agenda: Agenda,
    view: Arc<PromotionView>,
}

impl PromotionFamily {
    /// A family without gates. `language` compiles the expressions: CEL in the binary.
    pub fn new(language: Arc<dyn Language>, settings: Settings) -> PromotionFamily {
        let facts = Facts::new(settings);
        let view = PromotionView { gates: Namespaced::default(), broken: Arc::default(), facts: facts.clone() };
        PromotionFamily {
            kinds: api::kinds(),
            compiler: Compiler::new(language),
            store: PolicyStore::default(),
            ids: BTreeMap::new(),
            gates: Vec::new(),
            free: Vec::new(),
            rows: Namespaced::default(),
            facts,
            desk: Desk::default(),
            owed: VecDeque::new(),
            pace: TokenBucket::new(Rate::per_second(TIMES_PER_SECOND), TIMES_BURST),
            owed_at: None,
            broken: BTreeMap::new(),
            windows: BTreeMap::new(),
            clocks: BTreeMap::new(),
            synced: BTreeSet::new(),
            agenda: Agenda::default(),
            view: Arc::new(view),
        }
    }

    /// What admission and `explain` see, by its own type.
    pub fn promotion_view(&self) -> &Arc<PromotionView> {
        &self.view
    }

    fn is_synced(&self) -> bool {
        self.synced.len() == self.kinds.len()
    }

    fn object(&mut self, kind: &Kind, change: Change, object: &Object, now: Now, out: &mut Outbox) {
        let text = |name| object.str_at(&["metadata", name]).to_owned();
        let key = (text("namespace"), text("name"));
        let gone = change == Change::Deleted;
        match kind.gvk.kind.as_str() {
            it if it == GATE.kind => self.gate(object, gone, now, out),
            it if it == PIPELINE.kind => self.pipeline(&key, object, gone, now, out),
            it if it == BUNDLE.kind => {
                let bundle = if gone { None } else { Bundle::new(object).ok() };
                if self.facts.bundles.replace(&key, bundle) {
                    self.desk.changed_in(&key.0);
                    self.publish();
                    self.concerning_in(self.namespaces_of(&key.0), now, out, |_| true);
                }
            }
            it if it == METRIC.kind => {
                let metric = (!gone).then(|| Metric::of(object));
                let shared = self.facts.settings.policy_namespaces.contains(&key.0);
                if self.facts.metrics.replace(&key, metric) {
                    let reads = |it: &GateState| it.gate.as_ref().is_some_and(|it| it.references.mentions("metrics"));
                    if shared {
                        self.desk.changed_everywhere()
                    } else {
                        self.desk.changed_in(&key.0)
                    }
                    self.publish();
                    match shared {
                        true => self.concerning(now, out, reads),
                        false => self.concerning_in(self.namespaces_of(&key.0), now, out, reads),
                    }
                }
            }
            it if it == WINDOW.kind => self.window(key.1, object, gone, now, out),
            it if it == CLOCK.kind => self.clock(key, object, gone, now, out),
            _ => {}
        }
    }

    fn gate(&mut self, object: &Object, gone: bool, now: Now, out: &mut Outbox) {
        let meta = Meta::of(object);
        let (namespace, name) = (meta.subject.namespace.clone(), meta.subject.name.clone());
        let key = PolicyKey { origin: GATE.kind.to_owned(), namespace, name };
        let place = (key.namespace.clone(), key.name.clone());
        if gone {
            self.store.remove(&key);
            if let Some(id) = self.ids.remove(&key)
                && let Some(state) = self.gates.get_mut(id).and_then(Option::take)
            {
                self.free.push(id);
                self.agenda.set_gate(id, state.next, None);
            }
            self.rows.remove(&place);
            self.publish();
            return;
        }
        let mut problem = None;
        let text = object.at(&["spec"]).map_or("{}", |it| it.raw());
        let compiler = &self.compiler;
        let applied = self.store.apply(key.clone(), text.as_bytes(), |_| {
            let spec = read::<PolicyGateSpec>(object, "spec").map_err(Problem::Field);
            let gate = spec.and_then(|it| compiler.gate(&it));
            gate.map_err(|it| {
                let text = it.to_string();
                problem = Some(it);
                text
            })
        });
        let Some(entry) = self.store.get(&key) else { return };
        let status = || object.at(&["status"]).map(|it| it.to_value()).unwrap_or_default();
        let id = *self.ids.entry(key).or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.gates.push(None);
                self.gates.len() - 1
            })
        });
        let Some(known) = self.gates.get_mut(id) else { return };
        let mut news = known.is_none() || applied != Applied::Unchanged;
        let new = |desk: &mut Desk| GateState::new(meta.clone(), status(), desk);
        let state = known.get_or_insert_with(|| Box::new(new(&mut self.desk)));
        // Another object of this name, or another status than ours: begin with what is there.
        if state.meta.subject.uid != meta.subject.uid {
            let before = std::mem::replace(&mut **state, new(&mut self.desk));
            (state.is_queued, state.next) = (before.is_queued, before.next);
            news = true;
        }
        let same = |it: &Meta| (it.labels().clone(), it.annotations.clone());
        news |= same(&state.meta) != same(&meta);
        state.meta = meta;
        if applied != Applied::Unchanged || state.gate.is_none() {
            state.gate = entry.good.clone();
            state.revision = entry.revision.short();
        }
        if applied != Applied::Unchanged {
            state.problem = problem;
        }
        if applied == Applied::Broken
            && let Some(problem) = &state.problem
        {
            let (subject, revision) = (state.meta.subject.clone(), state.revision.clone());
            let kept = if state.gate.is_some() { "; the last good revision stays in force" } else { "" };
            let message = format!("{}{kept}", problem.reason(true));
            out.event(subject, EventType::Warning, "GateInvalid", &message, &revision);
        }
        if news {
            let row = Row {
                meta: state.meta.clone(),
                gate: state.gate.clone(),
                problem: state.problem.clone(),
                told: object.str_at(&["status", "reason"]).to_owned(),
            };
            state.is_new = true;
            self.rows.insert(place, row);
            self.publish();
            self.ask(id, now, out);
        }
    }

    fn pipeline(&mut self, key: &Key, object: &Object, gone: bool, now: Now, out: &mut Outbox) {
        let spec = read::<PipelineSpec>(object, "spec");
        let pipeline = spec.and_then(|it| Pipeline::new(&it, text_map(object, "labels")));
        let problem = pipeline.as_ref().err().cloned().filter(|_| !gone);
        let before = match &problem {
            Some(problem) => self.broken.insert(key.clone(), problem.clone()),
            None => self.broken.remove(key),
        };
        // Gates of namespaces that it names no more are concerned too.
        let mut concerned = self.namespaces_of(&key.0);
        // A Pipeline that is broken now keeps its last good shape.
        let changed = match (gone, pipeline) {
            (true, _) => self.facts.pipelines.replace(key, None),
            (false, Ok(it)) => self.facts.pipelines.replace(key, Some(it)),
            (false, Err(_)) => false,
        };
        if changed || before != problem {
            self.desk.changed_in(&key.0);
            self.publish();
            concerned.extend(self.namespaces_of(&key.0));
            self.concerning_in(concerned, now, out, |_| true);
        }
        if gone {
            return;
        }
        let present = object.at(&["status"]).map(|it| it.to_value()).unwrap_or_default();
        let ready = match &problem {
            None => condition("Ready", true, "Valid", "the Pipeline is valid".to_owned()),
            Some(problem) => condition("Ready", false, "ValidationFailed", problem.clone()),
        };
        let paused = self.facts.pipelines.get(key).is_some_and(|it| it.paused);
        let paused = condition("Paused", paused, if paused { "Paused" } else { "Running" }, String::new());
        let conditions = [dated(ready, &present, now), dated(paused, &present, now)];
        let status = json!({"conditions": conditions});
        if !says(&present, &status) {
            out.status(&self.kinds[1], subject(&self.kinds[1], object), status, true);
        }
    }

    fn window(&mut self, name: String, object: &Object, gone: bool, now: Now, out: &mut Outbox) {
        let stored = object.at(&["status", "active"]).and_then(|it| it.as_bool()).unwrap_or_default();
        let window = (!gone).then(|| Window::new(&read(object, "spec").unwrap_or_default(), stored));
        let changed = replace(&mut self.facts.windows, name.clone(), window);
        if changed {
            self.desk.changed_everywhere();
        }
        if gone {
            self.windows.remove(&name);
            self.agenda.set(Due::Window(name.clone()), None);
        } else {
            let status = object.at(&["status"]).map(|it| it.to_value()).unwrap_or_default();
            self.windows.insert(name.clone(), Told { subject: subject(&self.kinds[3], object), status });
            self.tell_window(&name, now, out);
        }
        if changed {
            self.publish();
            self.concerning(now, out, |it| it.gate.as_ref().is_some_and(|it| it.references.mentions("changewindow")));
        }
    }

    /// Writes whether a window blocks, and comes back when that changes.
    fn tell_window(&mut self, name: &str, now: Now, out: &mut Outbox) {
        let (Some(window), Some(told)) = (self.facts.windows.get(name), self.windows.get_mut(name)) else { return };
        let active = window.is_active(now.wall);
        let next = window.next_change(now.wall);
        let reason = match (window.problem(), active) {
            (Some(problem), _) => format!("blocks, because {problem}"),
            (None, true) if !window.reason.is_empty() => window.reason.clone(),
            (None, true) => "changes are blocked now".to_owned(),
            (None, false) => "changes are allowed now".to_owned(),
        };
        let status = json!({"active": active, "reason": reason, "nextChangeAt": next.map(rfc3339)});
        if !says(&told.status, &status) {
            out.status(&self.kinds[3], told.subject.clone(), status.clone(), true);
            merge(&mut told.status, status);
        }
        self.agenda.set(Due::Window(name.to_owned()), next);
    }

    fn clock(&mut self, key: Key, object: &Object, gone: bool, now: Now, out: &mut Outbox) {
        if gone {
            self.clocks.remove(&key);
            self.agenda.set(Due::Clock(key), None);
            return;
        }
        let spec: ScheduleClockSpec = read(object, "spec").unwrap_or_default();
        let interval = clock::interval(&spec.interval);
        let ticked: Option<Timestamp> = object.str_at(&["status", "tick"]).parse().ok();
        let before = self.clocks.get(&key).and_then(|it| it.last);
        let last = before.max(ticked);
        let status = object.at(&["status"]).map(|it| it.to_value()).unwrap_or_default();
        let told = Told { subject: subject(&self.kinds[4], object), status };
        self.agenda.set(Due::Clock(key.clone()), Some(clock::next_tick(last, interval, now.wall)));
        // A tick that somebody else wrote.
        let foreign = self.clocks.contains_key(&key) && ticked > before;
        self.clocks.insert(key, Clock { told, interval, last });
        if foreign {
            self.concerning(now, out, GateState::is_live);
        }
    }

    fn tick(&mut self, key: &Key, now: Now, out: &mut Outbox) {
        let Some(clock) = self.clocks.get_mut(key) else { return };
        let second = Timestamp::from_second(now.wall.as_second()).unwrap_or(now.wall);
        clock.last = Some(second);
        let status = json!({"tick": rfc3339(second)});
        out.status(&self.kinds[4], clock.told.subject.clone(), status, false);
        let next = clock::next_tick(clock.last, clock.interval, now.wall);
        self.agenda.set(Due::Clock(key.clone()), Some(next));
        self.concerning(now, out, GateState::is_live);
    }

    /// The namespaces whose gates a Bundle or Pipeline of this namespace may concern.
    fn namespaces_of(&self, namespace: &str) -> BTreeSet<String> {
        let named = self.facts.pipelines.in_namespace(namespace).flat_map(|(_, it)| &it.policy_namespaces);
        let named = named.chain(&self.facts.settings.policy_namespaces).cloned();
        named.chain([namespace.to_owned()]).collect()
    }

    /// Asks every gate that passes the filter.
    fn concerning(&mut self, now: Now, out: &mut Outbox, which: impl Fn(&GateState) -> bool) {
        let known = self.gates.iter().enumerate().filter_map(|(id, it)| Some((id, it.as_ref()?)));
        let ids: Vec<_> = known.filter(|it| which(it.1)).map(|it| it.0).collect();
        ids.into_iter().for_each(|id| self.ask(id, now, out));
    }

    /// Asks every gate of these namespaces that passes the filter.
    fn concerning_in(
        &mut self,
        namespaces: BTreeSet<String>,
        now: Now,
        out: &mut Outbox,
        which: impl Fn(&GateState) -> bool,
    ) {
        let mut ids = Vec::new();
        for namespace in namespaces {
            let first = PolicyKey { origin: GATE.kind.to_owned(), namespace, name: String::new() };
            let here = self.ids.range(&first..).take_while(|it| it.0.namespace == first.namespace).map(|it| *it.1);
            ids.extend(here.filter(|id| self.state(*id).is_some_and(&which)));
        }
        ids.into_iter().for_each(|id| self.ask(id, now, out));
    }

    fn ask(&mut self, id: GateId, now: Now, out: &mut Outbox) {
        if !self.is_synced() {
            return;
        }
        let Some(state) = self.gates.get_mut(id).and_then(Option::as_mut) else { return };
        let before = state.next;
        state.ask(&self.facts, &mut self.desk, now, out);
        if state.is_owed && !state.is_queued {
            state.is_queued = true;
            self.owed.push_back(id);
        }
        self.agenda.set_gate(id, before, state.next);
    }

    fn state(&self, id: GateId) -> Option<&GateState> {
        self.gates.get(id)?.as_deref()
    }

    /// Tells the times that are owed, as many as the pace allows.
    fn settle(&mut self, now: Now, out: &mut Outbox) {
        self.owed_at = None;
        while let Some(id) = self.owed.front() {
            let state = self.gates.get_mut(*id).and_then(Option::as_mut);
            if state.as_ref().is_some_and(|it| it.is_owed)
                && let Err(at) = self.pace.take(now.mono)
            {
                self.owed_at = Some(at);
                return;
            }
            self.owed.pop_front();
            if let Some(state) = state {
                state.is_queued = false;
                if state.is_owed {
                    state.say(false, out);
                }
            }
        }
    }

    /// Shows what is known. Before everything is listed, nothing that is shown would be true.
    fn publish(&mut self) {
        if !self.is_synced() {
            return;
        }
        let (gates, broken) = (self.rows.clone(), Arc::new(self.broken.clone()));
        self.view = Arc::new(PromotionView { gates, broken, facts: self.facts.clone() });
    }

    /// Everything whose time has come.
    fn run(&mut self, now: Now, out: &mut Outbox) {
        while let Some(due) = self.agenda.take(now.wall) {
            match due {
                Due::Gates(at, ids) => {
                    for id in ids {
                        // One that was asked meanwhile has another deadline.
                        if self.state(id).is_some_and(|it| it.next == Some(at)) {
                            self.ask(id, now, out);
                        }
                    }
                }
                Due::Window(name) => {
                    self.tell_window(&name, now, out);
                    self.concerning(now, out, |it| {
                        it.is_live() && it.gate.as_ref().is_some_and(|it| it.references.mentions("changewindow"))
                    });
                }
                Due::Clock(key) => self.tick(&key, now, out),
            }
        }
    }
}

impl Family for PromotionFamily {
    fn id(&self) -> FamilyId {
        FAMILY
    }

    fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for at in [0, 1, 3, 4] {
            needs.add_status(&self.kinds[at], "statuses of gates");
        }
        needs.add_events("decisions of gates");
        needs
    }

    fn crds(&self) -> Vec<serde_json::Value> {
        api::crds()
    }

    fn handle(&mut self, input: &Input, now: Now, out: &mut Outbox) {
        let jumped = self.agenda.meet(now);
        match input {
            Input::Object { kind, change, object } => {
                self.object(kind, *change, object, now, out);
            }
            Input::Synced { kind, .. } => {
                let first = !self.is_synced();
                self.synced.insert(kind.gvk.kind.clone());
                if first && self.is_synced() {
                    self.publish();
                    self.concerning(now, out, |_| true);
                }
            }
            Input::Delivered(delivery) if delivery.result.is_err() => {
                let again = now.wall.checked_add(RETRY).ok();
                let ObjectRef { namespace, name, .. } = delivery.subject.clone();
                let id = self.ids.get(&PolicyKey { origin: GATE.kind.to_owned(), namespace, name });
                let state = id.and_then(|it| self.gates.get_mut(*it)?.as_mut());
                if let (Some(id), Some(state)) = (id, state.filter(|it| it.meta.subject == delivery.subject)) {
                    self.agenda.set_gate(*id, state.next, again);
                    state.next = again;
                }
            }
            // A follower's statuses were held and may be old.
            Input::Leadership(shards) if shards.leads() => {
                self.gates.iter_mut().flatten().for_each(|it| it.is_new = true);
                self.concerning(now, out, |_| true);
            }
            Input::Folder { .. }
            | Input::AlertTemplates { .. }
            | Input::Reviewed { .. }
            | Input::Observed { .. }
            | Input::Delivered(_)
            | Input::Leadership(_)
            | Input::WatchFailed { .. }
            | Input::PlacesSynced { .. }
            | Input::Unwatched { .. }
            | Input::Resources { .. }
            | Input::Scanned { .. }
            | Input::Tick => {}
        }
        if jumped {
            self.concerning(now, out, GateState::is_live);
            let windows: Vec<_> = self.windows.keys().cloned().collect();
            windows.iter().for_each(|it| self.tell_window(it, now, out));
        }
        self.run(now, out);
        self.settle(now, out);
    }

    fn next_deadline(&self) -> Option<Mono> {
        self.agenda.next().into_iter().chain(self.owed_at).min()
    }

    fn view(&self) -> Arc<dyn View> {
        self.view.clone()
    }
}

/// Puts a fact in or takes it out; whether that changed anything.
fn replace<K: Ord + Clone, V: Clone + PartialEq>(map: &mut Arc<BTreeMap<K, V>>, key: K, value: Option<V>) -> bool {
    if map.get(&key) == value.as_ref() {
        return false;
    }
    let map = Arc::make_mut(map);
    match value {
        Some(value) => _ = map.insert(key, value),
        None => _ = map.remove(&key),
    }
    true
}

fn subject(kind: &Kind, object: &Object) -> ObjectRef {
    let text = |name| object.str_at(&["metadata", name]).to_owned();
    ObjectRef { gvk: kind.gvk.clone(), namespace: text("namespace"), name: text("name"), uid: text("uid") }
}
