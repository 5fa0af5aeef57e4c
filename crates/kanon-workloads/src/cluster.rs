//! The simulated cluster's view of the objects: a cache over the store, fed with every event, that knows whose turn it is.
//!
//! What is done about an object is decided from the cached state alone; the cache decides nothing.

mod known;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use kanon_store::{Entry, Event, EventKind, Key};

pub(crate) use known::{Known, Owner, Phase, TRACKING};

use crate::{
    Ask, Intent, Kind, controllers,
    index::{Groups, LabelIndex, SelectorIndex},
    pods,
    pods::address::Addresses,
    selector::{Labels, Selector},
    step::{Round, Step},
    value::later,
};

/// Objects that one plan decides about at most, and intents after which it stops: others get their turn in between.
const ITEMS_MAX: usize = 1024;
const INTENTS_MAX: usize = 2048;
/// Seconds after the first refusal, doubled with each further one up to the last.
const BACKOFF: (i64, u32) = (1, 8);

/// What is to be done now.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What to carry out. Those about different objects may go at the same time.
    pub intents: Vec<Intent>,
    /// What must be known besides; answer at once.
    pub asks: Vec<Ask>,
    /// When something is due even if nothing changes.
    pub deadline: Option<Timestamp>,
}

/// All objects that take part, and whose turn it is.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    known: BTreeMap<Key, Arc<Known>>,
    /// By their controller's uid.
    children: Groups,
    /// Pods and replica sets without a controller, by namespace.
    orphans: Groups,
    /// Pods without a node, under nothing; pods on a node, under its name.
    on_node: Groups,
    labels: LabelIndex,
    selectors: SelectorIndex,
    queue: VecDeque<Key>,
    queued: BTreeSet<Key>,
    timeline: BTreeSet<(Timestamp, Key)>,
    deadlines: BTreeMap<Key, Timestamp>,
    refusals: BTreeMap<Key, Refusal>,
    /// Scales of controllers of foreign kinds, by uid; none where they have none.
    scales: BTreeMap<String, Option<i64>>,
    addresses: Addresses,
    notes: u64,
}

/// What was refused last about an object.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    count: u32,
    /// When it is tried again.
    pub(crate) until: Timestamp,
    /// What was said.
    pub(crate) message: String,
}

impl Cluster {
    /// The cluster of all that is stored.
    pub fn new<'e>(entries: impl IntoIterator<Item = &'e Arc<Entry>>) -> Cluster {
        let mut cluster = Cluster::default();
        for entry in entries {
            cluster.put(entry);
        }
        cluster
    }

    /// Takes one event in. Every event has to come, in order; of kinds that take no part none is needed.
    pub fn apply(&mut self, event: &Event) {
        match event.kind {
            EventKind::Added | EventKind::Modified => self.put(&event.entry),
            EventKind::Deleted => self.remove(&event.entry.key),
        }
    }

    /// Whether anything is due at this time.
    pub fn is_due(&self, now: Timestamp) -> bool {
        !self.queue.is_empty() || self.timeline.first().is_some_and(|(at, _)| *at <= now)
    }

    /// The nodes that a cluster without any begins with.
    pub fn bootstrap(&self, now: Timestamp) -> Vec<Intent> {
        if self.of(Kind::Node, "").next().is_some() { Vec::new() } else { controllers::node::bootstrap(now) }
    }

    /// Decides about what is due, once, and about so much of it that others get their turn: ask again while
    /// [`Cluster::is_due`].
    pub fn plan(&mut self, now: Timestamp) -> Plan {
        self.wake(now);
        let mut round = Round { addresses: std::mem::take(&mut self.addresses), notes: self.notes, ..Round::default() };
        for _ in 0..ITEMS_MAX {
            let Some(key) = self.queue.pop_front() else { break };
            self.queued.remove(&key);
            let Some(item) = self.known.get(&key).cloned() else { continue };
            let wake = self.decide(&item, &mut round, now);
            self.set_deadline(&key, wake);
            if round.intents.len() >= INTENTS_MAX {
                break;
            }
        }
        self.addresses = round.addresses;
        self.notes = round.notes;
        Plan { intents: round.intents, asks: round.asks, deadline: self.deadline(now) }
    }

    fn decide(&self, item: &Known, round: &mut Round, now: Timestamp) -> Option<Timestamp> {
        let mut step = Step::new(self, round, item, now, self.refusals.get(&item.key));
        let refusal = step.refusal;
        if refusal.is_none() || item.tells_of_refusals() {
            match item.kind {
                Kind::Pod => pods::plan(&mut step),
                _ => controllers::plan(&mut step),
            }
        }
        let again = refusal.map(|it| it.until);
        again.into_iter().chain(step.wake).min()
    }

    /// Says that an intent was refused: why is told where a cluster tells it, and it is tried again after a while.
    pub fn refused(&mut self, intent: &Intent, message: &str, now: Timestamp) {
        let count = self.refusals.get(&intent.item).map_or(0, |it| it.count);
        // The others of one round say the same.
        if self.refusals.get(&intent.item).is_some_and(|it| it.until > now) {
            return;
        }
        let (first, last) = BACKOFF;
        let until = later(now, first << count.min(last));
        let refusal = Refusal { count: count + 1, until, message: message.to_owned() };
        self.refusals.insert(intent.item.clone(), refusal);
        self.mark(&intent.item);
    }

    /// Says that an intent was carried out.
    pub fn done(&mut self, intent: &Intent, now: Timestamp) {
        let over = self.refusals.get(&intent.item).is_some_and(|it| it.until <= now);
        if over && matches!(intent.action, crate::Action::Create(kind, _) if kind != Kind::Event) {
            self.refusals.remove(&intent.item);
            self.mark(&intent.item);
        }
    }

    /// Takes the answer to a question: the replicas that the object's `scale` wants, none where it has no scale or is gone.
    pub fn answer(&mut self, ask: &Ask, replicas: Option<i64>) {
        if self.scales.insert(ask.uid.clone(), replicas) != Some(replicas) {
            self.mark(&ask.item);
        }
    }

    fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        if self.queue.is_empty() { self.timeline.first().map(|(at, _)| *at) } else { Some(now) }
    }

    /// Moves what is due by time into the queue.
    fn wake(&mut self, now: Timestamp) {
        while self.timeline.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.timeline.pop_first() else { break };
            self.deadlines.remove(&key);
            self.mark(&key);
        }
    }

    fn set_deadline(&mut self, key: &Key, at: Option<Timestamp>) {
        if let Some(before) = self.deadlines.remove(key) {
            self.timeline.remove(&(before, key.clone()));
        }
        if let Some(at) = at {
            self.deadlines.insert(key.clone(), at);
            self.timeline.insert((at, key.clone()));
        }
    }

    /// Has an object looked at.
    fn mark(&mut self, key: &Key) {
        if self.known.get(key).is_some_and(|it| it.has_turns()) && self.queued.insert(key.clone()) {
            self.queue.push_back(key.clone());
        }
    }

    fn put(&mut self, entry: &Entry) {
        let Some(known) = Known::new(entry) else { return };
        let known = Arc::new(known);
        if let Some(old) = self.known.insert(known.key.clone(), Arc::clone(&known)) {
            self.unlist(&old);
            // Whoever selected it before has lost something.
            if old.labels != known.labels || old.owner != known.owner || old.selector != known.selector {
                self.touch(&old);
            }
        }
        self.enlist(&known);
        self.touch(&known);
    }

    fn remove(&mut self, key: &Key) {
        let Some(old) = self.known.remove(key) else { return };
        self.unlist(&old);
        self.set_deadline(key, None);
        self.refusals.remove(key);
        self.touch(&old);
        // A deployment that recreates waits for the pods of its old replica sets to be gone.
        if let Some(owner) = old.pod.as_ref().and(old.owner.as_ref()).and_then(|it| self.owner(&old.namespace, it)) {
            let above = owner.owner.as_ref().and_then(|it| it.key(&owner.namespace));
            above.iter().for_each(|it| self.mark(it));
        }
    }

    fn enlist(&mut self, it: &Known) {
        match &it.owner {
            Some(owner) => self.children.add(owner.uid.clone(), &it.key),
            None if it.can_be_adopted() => self.orphans.add(it.namespace.clone(), &it.key),
            None => {}
        }
        if let Some(pod) = &it.pod {
            self.labels.add(&it.namespace, &it.labels, &it.key);
            self.on_node.add(pod.node.clone(), &it.key);
            self.addresses.take(&pod.ip);
        }
        if let Some(selector) = &it.selector {
            self.selectors.add(&it.namespace, selector, &it.key);
        }
    }

    fn unlist(&mut self, it: &Known) {
        match &it.owner {
            Some(owner) => self.children.remove(&owner.uid, &it.key),
            None => self.orphans.remove(&it.namespace, &it.key),
        }
        if let Some(pod) = &it.pod {
            self.labels.remove(&it.namespace, &it.labels, &it.key);
            self.on_node.remove(&pod.node, &it.key);
            self.addresses.give_back(&pod.ip);
        }
        if let Some(selector) = &it.selector {
            self.selectors.remove(&it.namespace, selector, &it.key);
        }
    }

    /// Marks all that a change of this object concerns.
    fn touch(&mut self, it: &Known) {
        self.mark(&it.key);
        if let Some(owner) = it.owner.as_ref().and_then(|owner| owner.key(&it.namespace)) {
            self.mark(&owner);
        }
        match it.kind {
            Kind::Pod | Kind::ReplicaSet if it.owner.is_none() => self.touch_selecting(it, &it.labels, |_| true),
            Kind::Pod => self.touch_selecting(it, &it.labels, |kind| matches!(kind, Kind::Service | Kind::Budget)),
            Kind::Node => self.touch_node(it),
            Kind::Endpoints => self.mark(&Key::new(&Kind::Service.prefix(), &it.namespace, &it.name)),
            Kind::Service => self.mark(&Key::new(&Kind::Endpoints.prefix(), &it.namespace, &it.name)),
            Kind::EndpointSlice => {
                if let Some(service) = it.labels.get(controllers::endpoints::SERVICE_LABEL) {
                    self.mark(&Key::new(&Kind::Service.prefix(), &it.namespace, service));
                }
            }
            Kind::Lease => self.mark(&Key::new(&Kind::Node.prefix(), "", &it.name)),
            _ => {}
        }
        if let Some(labels) = &it.template_labels {
            // How many pods a budget expects is what their controllers want.
            self.touch_selecting(it, labels, |kind| kind == Kind::Budget);
        }
    }

    fn touch_selecting(&mut self, it: &Known, labels: &Labels, wanted: impl Fn(Kind) -> bool) {
        for key in self.selectors.candidates(&it.namespace, labels) {
            let fits = self.known.get(&key).is_some_and(|by| {
                wanted(by.kind) && by.selector.as_ref().is_some_and(|selector| selector.matches(labels))
            });
            if fits {
                self.mark(&key);
            }
        }
    }

    fn touch_node(&mut self, it: &Known) {
        let sets: Vec<Key> = self.of(Kind::DaemonSet, "").map(|it| it.key.clone()).collect();
        let pods: Vec<Key> = self.on_node.get("").chain(self.on_node.get(&it.name)).cloned().collect();
        sets.iter().chain(&pods).for_each(|key| self.mark(key));
    }
}

/// What plans read.
impl Cluster {
    pub(crate) fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Arc<Known>> {
        self.known.get(&Key::new(&kind.prefix(), namespace, name))
    }

    /// All of a kind, in a namespace or everywhere.
    pub(crate) fn of(&self, kind: Kind, namespace: &str) -> impl Iterator<Item = &Arc<Known>> {
        let prefix = if namespace.is_empty() {
            format!("{}/", kind.prefix())
        } else {
            format!("{}/{namespace}/", kind.prefix())
        };
        let from = self.known.range::<str, _>((std::ops::Bound::Included(prefix.as_str()), std::ops::Bound::Unbounded));
        from.map(|(_, it)| it).take_while(move |it| it.key.as_str().starts_with(&prefix))
    }

    /// Whose controller this is, by uid: objects of a kind.
    pub(crate) fn children(&self, uid: &str, kind: Kind) -> impl Iterator<Item = &Arc<Known>> {
        self.children.get(uid).filter_map(|key| self.known.get(key)).filter(move |it| it.kind == kind)
    }

    /// Objects of a kind without a controller.
    pub(crate) fn orphans(&self, namespace: &str, kind: Kind) -> impl Iterator<Item = &Arc<Known>> {
        self.orphans.get(namespace).filter_map(|key| self.known.get(key)).filter(move |it| it.kind == kind)
    }

    /// The owner itself, where it is the one that is meant.
    pub(crate) fn owner(&self, namespace: &str, owner: &Owner) -> Option<&Arc<Known>> {
        self.known.get(&owner.key(namespace)?).filter(|it| it.uid == owner.uid)
    }

    /// The pods of a selector.
    pub(crate) fn selected(&self, namespace: &str, selector: &Selector) -> Vec<&Arc<Known>> {
        let fits = |it: &&Arc<Known>| selector.matches(&it.labels);
        match self.labels.candidates(namespace, selector) {
            Some(keys) => keys.filter_map(|key| self.known.get(key)).filter(fits).collect(),
            None => self.of(Kind::Pod, namespace).filter(fits).collect(),
        }
    }

    /// What was answered about a controller of a foreign kind.
    pub(crate) fn foreign_scale(&self, uid: &str) -> Option<Option<i64>> {
        self.scales.get(uid).copied()
    }

    /// How many pods are on a node.
    pub(crate) fn pods_on(&self, node: &str) -> usize {
        self.on_node.len(node)
    }
}
