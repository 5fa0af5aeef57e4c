//! The plane itself: families, their effects, their records, one deadline.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_core::{Effect, Input, Keep, Kind, Mono, Now, Place, Rate, Shards};

use crate::{
    answer::Views,
    family::{Facts, Family},
    lookups::ObjectStore,
    outbox::{Outbox, Queue},
    record::Payload,
    rights::Needs,
    scan::Scan,
};

/// How the plane behaves.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Status writes (spec/rules 1.7).
    pub status_rate: Rate,
    /// Status writes at once.
    pub status_burst: u32,
    /// One clean pass in this many is recorded; 1 records all, 0 none.
    pub sample_every: u64,
    /// Whether this process leads from the start.
    pub leader: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        let ten = const { std::num::NonZeroU32::new(10).expect("10 is not 0") };
        Settings { status_rate: Rate::per_second(ten), status_burst: 50, sample_every: 1000, leader: true }
    }
}

/// What follows from one input. INVARIANT: the shell makes `records` durable before it carries out `effects`.
#[derive(Default)]
pub struct Step {
    /// To chain and append to the log, in order.
    pub records: Vec<Payload>,
    /// To carry out: in order for one subject, in any order across subjects.
    pub effects: Vec<Effect>,
    /// To run on a worker thread, over [`Plane::objects`] as they are now.
    pub scans: Vec<Scan>,
    /// New views, when policies or settings changed.
    pub views: Option<Views>,
    /// What to watch besides policies, when that changed.
    pub facts: Option<Arc<Facts>>,
    /// Whether [`Plane::objects`] changed.
    pub objects: bool,
}

/// All families on one core.
pub struct Plane {
    families: Vec<Box<dyn Family>>,
    /// What families read by place.
    places: Vec<Place>,
    /// What each family reads besides its policies.
    wanted: Vec<Arc<Facts>>,
    /// All of that together.
    facts: Arc<Facts>,
    /// Whether `facts` may be out of date.
    refreshed: bool,
    objects: ObjectStore,
    views: Views,
    queue: Queue,
    settings: Settings,
    passes: u64,
    /// Whether families were told who leads.
    begun: bool,
}

impl Plane {
    /// A plane of these families, which decide in this order.
    pub fn new(families: Vec<Box<dyn Family>>, settings: Settings) -> Plane {
        let views = Views::new(families.iter().map(|it| it.view()).collect());
        let wanted: Vec<_> = families.iter().map(|it| it.facts()).collect();
        let places = places(&families);
        let facts = Arc::new(union(&wanted, &places));
        let queue = Queue::new(settings.status_rate, settings.status_burst, settings.leader);
        let objects = ObjectStore::default();
        Plane {
            families,
            places,
            wanted,
            facts,
            refreshed: false,
            objects,
            views,
            queue,
            settings,
            passes: 0,
            begun: false,
        }
    }

    /// The kinds of all families' policies, each once.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<_> = self.families.iter().flat_map(|it| it.kinds()).cloned().collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// Where objects stand that are read by place: none of them within another, none of a kind that [`Plane::kinds`] has.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The kinds that decisions read besides policies, as they are now.
    pub fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// The kinds of policies whose objects must have arrived before anything is answered.
    pub fn awaited(&self) -> Vec<Kind> {
        self.families.iter().flat_map(|it| it.awaited()).collect()
    }

    /// All rights that are needed as the policies are now.
    pub fn needs(&self) -> Needs {
        let mut all = Needs::default();
        for Needs { rights, unknown } in self.families.iter().map(|it| it.needs()) {
            all.rights.extend(rights);
            all.unknown.extend(unknown);
        }
        self.kinds().iter().for_each(|it| all.add_watch(it, ""));
        self.facts.kinds.iter().for_each(|it| all.add_watch(it, ""));
        // A kind that is watched takes the rights with it.
        let apart = self.places.iter().filter(|it| !self.facts.kinds.contains(&it.kind));
        apart.for_each(|it| all.add_place(it, ""));
        all
    }

    /// The CustomResourceDefinitions of all families.
    pub fn crds(&self) -> Vec<serde_json::Value> {
        self.families.iter().flat_map(|it| it.crds()).collect()
    }

    /// The views as they are now.
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// The objects as they are now, of every kind that is watched.
    pub fn objects(&self) -> &ObjectStore {
        &self.objects
    }

    /// Whether this process leads, so that all effects leave: at the start as the settings say, then as [`Input::Leadership`] tells.
    pub fn leads(&self) -> bool {
        self.queue.leads()
    }

    /// Takes one input.
    pub fn handle(&mut self, input: &Input, now: Now) -> Step {
        let mut step = Step::default();
        if !std::mem::replace(&mut self.begun, true) && self.leads() {
            self.route(&Input::Leadership(Shards::all()), now, &mut step);
        }
        self.prepare(input, now, &mut step);
        self.route(input, now, &mut step);
        step.effects = self.queue.drain(now.mono);
        // What others can see is recorded first; an echo says nothing that a record does not.
        let visible = step.effects.iter().filter(|it| !it.echo);
        let visible = visible.map(|it| Payload::Effect { now, effect: Box::new(it.clone()) });
        step.records.extend(visible.collect::<Vec<_>>());
        let views = Views::new(self.families.iter().map(|it| it.view()).collect());
        if !views.same(&self.views) {
            self.views = views.clone();
            step.views = Some(views);
        }
        if self.refreshed {
            self.refreshed = false;
            let facts = union(&self.wanted, &self.places);
            if facts != *self.facts {
                self.facts = Arc::new(facts);
                step.facts = Some(Arc::clone(&self.facts));
            }
        }
        step
    }

    /// Gives an input to the families that it concerns.
    fn route(&mut self, input: &Input, now: Now, step: &mut Step) {
        for at in 0..self.families.len() {
            if concerns(input, &*self.families[at], &self.wanted[at]) {
                self.give(at, input, now, step);
            }
        }
    }

    fn give(&mut self, at: usize, input: &Input, now: Now, step: &mut Step) {
        let family = &mut self.families[at];
        let mut out = Outbox::new(family.id()).beside(&self.objects);
        family.handle(input, now, &mut out);
        step.records.extend(out.records);
        let view = family.view();
        let scan = |work| Scan { family: family.id(), view: Arc::clone(&view), work: Arc::new(work) };
        step.scans.extend(out.scans.into_iter().map(scan));
        for (effect, pace) in out.effects {
            self.queue.push(effect, pace);
        }
        let facts = self.families[at].facts();
        if Arc::ptr_eq(&facts, &self.wanted[at]) {
            return;
        }
        let before = std::mem::replace(&mut self.wanted[at], facts);
        self.refreshed = true;
        // A kind that others had watched long since is there at once.
        let new = self.wanted[at].kinds.iter().filter(|it| !before.kinds.contains(it));
        let facts = &self.wanted[at];
        let enough = |it: &Kind| self.objects.held(&it.gvk).filter(|held| held.covers(facts.keep(&it.gvk))).cloned();
        let synced: Vec<_> = new.filter_map(|it| Some((Arc::new(it.clone()), enough(it)?))).collect();
        for (kind, keep) in synced {
            self.give(at, &Input::Synced { kind, keep }, now, step);
        }
    }

    /// When the plane wants an [`Input::Tick`].
    pub fn next_deadline(&self) -> Option<Mono> {
        self.families.iter().filter_map(|it| it.next_deadline()).chain(self.queue.next_deadline()).min()
    }

    /// What concerns the plane itself.
    fn prepare(&mut self, input: &Input, now: Now, step: &mut Step) {
        match input {
            Input::Object { kind, change, object } => {
                self.objects.apply(&kind.gvk, *change, object);
                step.objects = true;
            }
            Input::Synced { kind, keep } => {
                self.objects.synced(&kind.gvk, keep);
                if self.places.iter().any(|it| it.kind == **kind) {
                    self.objects.places_synced(&kind.gvk);
                }
                step.objects = true;
            }
            Input::Unwatched { kind } => {
                self.objects.forget_all_but(&kind.gvk, |object| self.places.iter().any(|it| it.has(kind, object)));
                step.objects = true;
            }
            Input::PlacesSynced { kind } => {
                self.objects.places_synced(&kind.gvk);
                step.objects = true;
            }
            Input::Leadership(shards) => self.queue.lead(shards.leads()),
            Input::Delivered(delivery) => {
                let error = delivery.result.as_ref().err().map(|it| it.message.clone()).unwrap_or_default();
                if !error.is_empty() {
                    step.records.push(Payload::Outcome { now, effect: delivery.effect.clone(), error });
                }
            }
            Input::Reviewed { review, verdicts, .. } => {
                step.records.extend(verdicts.iter().map(|it| Payload::Decision(Box::new(it.clone()))));
                if verdicts.is_empty() && self.settings.sample_every > 0 {
                    self.passes += 1;
                    if self.passes == self.settings.sample_every {
                        step.records.push(Payload::Passes { now, count: self.passes, subject: review.subject() });
                        self.passes = 0;
                    }
                }
            }
            Input::Observed { verdicts, .. } => {
                step.records.extend(verdicts.iter().map(|it| Payload::Decision(Box::new(it.clone()))));
            }
            Input::WatchFailed { .. }
            | Input::Resources { .. }
            | Input::Scanned { .. }
            | Input::Folder { .. }
            | Input::AlertTemplates { .. }
            | Input::Tick => {}
        }
    }
}

/// Whether a family wants to see an input.
fn concerns(input: &Input, family: &dyn Family, facts: &Facts) -> bool {
    let watches = |kind: &Kind| family.kinds().contains(kind) || facts.kinds.contains(kind);
    let has_places = |kind: &Kind| family.places().iter().any(|it| it.kind == *kind);
    match input {
        Input::Object { kind, object, .. } => watches(kind) || family.places().iter().any(|it| it.has(kind, object)),
        Input::WatchFailed { kind, .. } => watches(kind),
        Input::Synced { kind, .. } => watches(kind) || has_places(kind),
        Input::PlacesSynced { kind } => has_places(kind),
        Input::Reviewed { family: of, .. } | Input::Observed { family: of, .. } | Input::Scanned { family: of, .. } => {
            *of == family.id()
        }
        Input::Delivered(delivery) => delivery.family == family.id(),
        // Whoever wanted a kind once has to hear that it is gone, though nobody wants it any more.
        Input::Unwatched { .. }
        | Input::Resources { .. }
        | Input::Folder { .. }
        | Input::AlertTemplates { .. }
        | Input::Leadership(_)
        | Input::Tick => true,
    }
}

/// What all families read by place.
fn places(families: &[Box<dyn Family>]) -> Vec<Place> {
    let is_of_policies = |kind: &Kind| families.iter().any(|it| it.kinds().contains(kind));
    let all: BTreeSet<_> = families.iter().flat_map(|it| it.places()).filter(|it| !is_of_policies(&it.kind)).collect();
    all.iter().filter(|it| !all.iter().any(|other| other != *it && other.covers(it))).map(|it| (*it).clone()).collect()
}

/// What all families read; of kinds with places everything, as of policies.
fn union(wanted: &[Arc<Facts>], places: &[Place]) -> Facts {
    let mut kinds: Vec<_> = wanted.iter().flat_map(|it| &it.kinds).cloned().collect();
    kinds.sort();
    kinds.dedup();
    let mut required: Vec<_> = wanted.iter().flat_map(|it| &it.required).cloned().collect();
    required.sort();
    required.dedup();
    let mut parts = BTreeMap::new();
    for kind in &kinds {
        let mut keep = Keep::default();
        let readers = wanted.iter().filter(|it| it.kinds.contains(kind));
        readers.for_each(|it| keep.extend(it.keep(&kind.gvk)));
        if keep != Keep::All && places.iter().all(|it| it.kind != *kind) {
            parts.insert(kind.gvk.clone(), keep);
        }
    }
    Facts { kinds, required, parts, unknown: wanted.iter().any(|it| it.unknown) }
}
