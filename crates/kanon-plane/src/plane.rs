//! The plane itself: families, their effects, their records, one deadline.

use std::sync::Arc;

use kanon_core::{Effect, FamilyId, GroupVersionKind, Input, Kind, Mono, Now, Rate};

use crate::{
    answer::Views,
    family::Family,
    lookups::ObjectStore,
    outbox::{Outbox, Queue},
    record::Payload,
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
    /// New views, when policies or settings changed.
    pub views: Option<Views>,
    /// A new snapshot of the looked-up objects, when one of them changed.
    pub objects: Option<ObjectStore>,
}

/// All families on one core.
pub struct Plane {
    families: Vec<Box<dyn Family>>,
    facts: Vec<GroupVersionKind>,
    objects: ObjectStore,
    views: Views,
    queue: Queue,
    settings: Settings,
    passes: u64,
}

impl Plane {
    /// A plane of these families, which decide in this order.
    pub fn new(families: Vec<Box<dyn Family>>, settings: Settings) -> Plane {
        let views = Views::new(families.iter().map(|it| it.view()).collect());
        let facts = families.iter().flat_map(|it| it.facts()).map(|it| it.gvk.clone()).collect();
        let queue = Queue::new(settings.status_rate, settings.status_burst, settings.leader);
        Plane { families, facts, objects: ObjectStore::default(), views, queue, settings, passes: 0 }
    }

    /// Every kind to watch, policies and facts, each once.
    pub fn kinds(&self) -> Vec<Kind> {
        let all = self.families.iter().flat_map(|it| it.kinds().iter().chain(it.facts()));
        let mut kinds: Vec<_> = all.cloned().collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// The CustomResourceDefinitions of all families.
    pub fn crds(&self) -> Vec<serde_json::Value> {
        self.families.iter().flat_map(|it| it.crds()).collect()
    }

    /// The views as they are now.
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// The looked-up objects as they are now.
    pub fn objects(&self) -> &ObjectStore {
        &self.objects
    }

    /// Whether effects leave: at the start as the settings say, then as [`Input::Leadership`] tells.
    pub fn leads(&self) -> bool {
        self.queue.leads()
    }

    /// Takes one input.
    pub fn handle(&mut self, input: &Input, now: Now) -> Step {
        let mut step = Step::default();
        self.prepare(input, now, &mut step);
        for at in 0..self.families.len() {
            let family = &mut self.families[at];
            if !concerns(input, family.id(), family.kinds()) {
                continue;
            }
            let mut out = Outbox::new(family.id());
            family.handle(input, now, &mut out);
            step.records.extend(out.records);
            for (effect, pace) in out.effects {
                self.queue.push(effect, pace);
            }
        }
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
        step
    }

    /// When the plane wants an [`Input::Tick`].
    pub fn next_deadline(&self) -> Option<Mono> {
        self.families.iter().filter_map(|it| it.next_deadline()).chain(self.queue.next_deadline()).min()
    }

    /// What concerns the plane itself.
    fn prepare(&mut self, input: &Input, now: Now, step: &mut Step) {
        match input {
            Input::Object { kind, change, object } if self.facts.contains(&kind.gvk) => {
                self.objects.apply(&kind.gvk, *change, object);
                step.objects = Some(self.objects.clone());
            }
            Input::Synced { kind } => {
                self.objects.synced(&kind.gvk);
                step.objects = Some(self.objects.clone());
            }
            Input::Leadership(leader) => self.queue.lead(*leader),
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
            Input::Object { .. } | Input::Folder { .. } | Input::Tick => {}
        }
    }
}

/// Whether a family wants to see an input.
fn concerns(input: &Input, id: FamilyId, kinds: &[Kind]) -> bool {
    let watches = |kind: &Arc<Kind>| kinds.contains(kind);
    match input {
        Input::Object { kind, .. } | Input::Synced { kind } => watches(kind),
        Input::Reviewed { family, .. } => *family == id,
        Input::Delivered(delivery) => delivery.family == id,
        Input::Folder { .. } | Input::Leadership(_) | Input::Tick => true,
    }
}
