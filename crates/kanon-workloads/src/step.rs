//! One object's turn: what it may read, and where its intents go.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    Action, Actor, Ask, Intent, Kind,
    cluster::{Cluster, Known, Owner, Refusal},
    names,
    pods::{address::Addresses, fit::Machine},
    value::{rfc3339, text},
};

/// What the turns of one plan share: they see each other's choices before the store has them.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) intents: Vec<Intent>,
    pub(crate) asks: Vec<Ask>,
    /// Pods bound in this round, by node.
    pub(crate) placed: BTreeMap<String, usize>,
    pub(crate) addresses: Addresses,
    /// Events so far: they are listed by name, so their names count up within a second.
    pub(crate) notes: u64,
    /// Objects that were written in this round, by uid: a second write would only conflict.
    pub(crate) written: BTreeSet<String>,
    /// The nodes, read once.
    pub(crate) nodes: Option<Arc<Vec<Machine>>>,
}

/// One object's turn.
pub(crate) struct Step<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) round: &'a mut Round,
    pub(crate) item: &'a Known,
    pub(crate) now: Timestamp,
    /// What was refused about it, while it is not tried again.
    pub(crate) refusal: Option<&'a Refusal>,
    /// What was refused last, until something is done again.
    pub(crate) trouble: Option<&'a Refusal>,
    /// When its next turn is due even if nothing changes.
    pub(crate) wake: Option<Timestamp>,
    pub(crate) actor: Actor,
    /// Where its intents begin in the round's.
    first: usize,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        round: &'a mut Round,
        item: &'a Known,
        now: Timestamp,
        trouble: Option<&'a Refusal>,
    ) -> Step<'a> {
        let first = round.intents.len();
        let refusal = trouble.filter(|it| it.until > now);
        Step { cluster, round, item, now, refusal, trouble, wake: None, actor: Actor::Scheduler, first }
    }

    /// The time as objects have it.
    pub(crate) fn stamp(&self) -> String {
        rfc3339(self.now)
    }

    /// The nodes of the cluster.
    pub(crate) fn machines(&mut self) -> Arc<Vec<Machine>> {
        let all = || Arc::new(self.cluster.of(Kind::Node, "").map(|it| Machine::of(it)).collect());
        Arc::clone(self.round.nodes.get_or_insert_with(all))
    }

    /// Asks for another turn at a time, or at once where that is over: then with the next second.
    pub(crate) fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |it| it.min(at)));
    }

    /// What the scale of a controller of a foreign kind was said to be: none where it has none. Nothing where nobody said yet;
    /// it is asked each time, and another answer gives another turn.
    pub(crate) fn foreign_scale(&mut self, owner: &Owner) -> Option<Option<i64>> {
        let (api_version, kind) = owner.written.clone();
        let (namespace, item) = (self.item.namespace.clone(), self.item.key.clone());
        let ask = Ask { item, api_version, kind, namespace, name: owner.name.clone(), uid: owner.uid.clone() };
        self.round.asks.push(ask);
        self.cluster.foreign_scale(&owner.uid)
    }

    fn push(&mut self, action: Action) {
        let intent = Intent { item: self.item.key.clone(), actor: self.actor.clone(), action, notes: Vec::new() };
        self.round.intents.push(intent);
    }

    /// Whether this is the first write of an object in this round. Else there is another turn at once, after the first is seen.
    fn is_first(&mut self, uid: &str) -> bool {
        let is_first = self.round.written.insert(uid.to_owned());
        if !is_first {
            self.wake_at(self.now);
        }
        is_first
    }

    pub(crate) fn create(&mut self, kind: Kind, mut object: Value) {
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = kind.name().into();
        self.push(Action::Create(kind, object));
    }

    /// Writes an object, unless somebody wrote it in this round: then false, and there will be another turn.
    pub(crate) fn update(&mut self, kind: Kind, object: Value) -> bool {
        let is_first = self.is_first(text(&object["metadata"]["uid"]));
        if is_first {
            self.push(Action::Update(kind, object));
        }
        is_first
    }

    /// Writes an object's status where it differs from the one known, unless somebody wrote the object in this round.
    pub(crate) fn status(&mut self, known: &Known, mut object: Value, status: Value) {
        if object["status"] != status && self.is_first(&known.uid) {
            object["status"] = status;
            self.push(Action::Status(known.kind, object));
        }
    }

    /// Deletes an object, once in a round.
    pub(crate) fn delete(&mut self, known: &Known, grace: Option<i64>) {
        if self.is_first(&known.uid) {
            self.push(Action::Delete {
                kind: known.kind,
                namespace: known.namespace.clone(),
                name: known.name.clone(),
                uid: known.uid.clone(),
                grace,
            });
        }
    }

    pub(crate) fn bind(&mut self, node: &str) {
        *self.round.placed.entry(node.to_owned()).or_default() += 1;
        let (namespace, name) = (self.item.namespace.clone(), self.item.name.clone());
        self.push(Action::Bind { namespace, name, node: node.to_owned() });
    }

    /// Whether this turn has wanted anything yet.
    pub(crate) fn is_idle(&self) -> bool {
        self.round.intents.len() == self.first
    }

    /// Notes something ordinary about an object, once the turn's last intent is carried out.
    pub(crate) fn event(&mut self, about: &Known, reason: &str, message: &str) {
        self.note(about, "Normal", reason, message, "");
    }

    /// Notes something that went wrong.
    pub(crate) fn warning(&mut self, about: &Known, reason: &str, message: &str) {
        self.note(about, "Warning", reason, message, "");
    }

    /// Notes something about a part of an object (`spec.containers{web}`).
    pub(crate) fn note(&mut self, about: &Known, kind: &str, reason: &str, message: &str, part: &str) {
        let now = self.stamp();
        let order = if self.is_idle() {
            // Nothing is written that would keep it from being said again: the same in the same second has the same name.
            names::digits(&[&about.uid, reason, message, part, &now])
        } else {
            self.round.notes += 1;
            let nanos = u64::try_from(self.now.as_nanosecond()).unwrap_or_default();
            format!("{:016x}", nanos.wrapping_add(self.round.notes))
        };
        let event = self.noted(about, (kind, reason, message), part, &now, &order);
        let first = self.first;
        match self.round.intents.get_mut(first..).and_then(<[Intent]>::last_mut) {
            Some(intent) => intent.notes.push(event),
            None => self.push(Action::Create(Kind::Event, event)),
        }
    }

    /// Notes what began at `since`, by itself, however often it is said.
    pub(crate) fn note_once(&mut self, about: &Known, reason: &str, message: &str, part: &str, since: &str) {
        let order = names::digits(&[&about.uid, reason, message, part, since]);
        let event = self.noted(about, ("Normal", reason, message), part, since, &order);
        self.push(Action::Create(Kind::Event, event));
    }

    fn noted(
        &self,
        about: &Known,
        (kind, reason, message): (&str, &str, &str),
        part: &str,
        now: &str,
        order: &str,
    ) -> Value {
        // Events of objects without a namespace are in the default one.
        let namespace = if about.namespace.is_empty() { "default" } else { &about.namespace };
        let name = format!("{}.{order}", about.name);
        let mut involved = json!({
            "apiVersion": about.kind.api_version(),
            "kind": about.kind.name(),
            "name": about.name,
            "uid": about.uid,
            "resourceVersion": about.object.str_at(&["metadata", "resourceVersion"]),
        });
        if !about.namespace.is_empty() {
            involved["namespace"] = about.namespace.as_str().into();
        }
        if !part.is_empty() {
            involved["fieldPath"] = part.into();
        }
        let component = self.actor.component();
        let mut source = json!({"component": component});
        let instance = if let Actor::Kubelet(node) = &self.actor { node.clone() } else { String::new() };
        if !instance.is_empty() {
            source["host"] = instance.as_str().into();
        }
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": kind,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": source,
            "reportingComponent": component,
            "reportingInstance": instance,
        })
    }
}

/// The owner reference of a controller.
pub(crate) fn controlled_by(known: &Known) -> Value {
    json!({
        "apiVersion": known.kind.api_version(),
        "kind": known.kind.name(),
        "name": known.name,
        "uid": known.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}
