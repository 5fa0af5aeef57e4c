//! A plane with the family in it, driven by objects and time.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kanon_core::{Action, Change, Effect, Input, Keep, Kind, Mono, Now, Object};
use kanon_plane::{Explanation, Plane, Settings as PlaneSettings, Step, Target};
use kanon_promotion::{PromotionFamily, Settings, api};
use serde_json::{Value, json};

/// A Tuesday.
pub(crate) const START: &str = "2026-04-07T10:00:00Z";

pub(crate) struct World {
    pub(crate) plane: Plane,
    pub(crate) wall: Timestamp,
    mono: Mono,
    /// Objects as the API server has them, with the statuses that were written.
    pub(crate) objects: Vec<Value>,
    pub(crate) events: Vec<String>,
    pub(crate) decisions: Vec<Value>,
    pub(crate) status_writes: usize,
}

impl World {
    /// A world whose kinds have all been listed.
    pub(crate) fn new() -> World {
        let mut world = World::unsynced(Settings::default());
        world.sync();
        world
    }

    pub(crate) fn unsynced(settings: Settings) -> World {
        let family = PromotionFamily::new(Arc::new(kanon_cel::Cel::default()), settings);
        World {
            plane: Plane::new(vec![Box::new(family)], PlaneSettings::default()),
            wall: START.parse().unwrap(),
            mono: Mono::default(),
            objects: Vec::new(),
            events: Vec::new(),
            decisions: Vec::new(),
            status_writes: 0,
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now::new(self.wall, self.mono)
    }

    pub(crate) fn sync(&mut self) {
        for kind in api::kinds() {
            self.send(Input::Synced { kind: Arc::new(kind), keep: Keep::All });
        }
    }

    pub(crate) fn send(&mut self, input: Input) {
        let step = self.plane.handle(&input, self.now());
        self.take(step);
    }

    fn take(&mut self, step: Step) {
        for record in &step.records {
            if let kanon_plane::Payload::Decision(verdict) = record {
                self.decisions.push(serde_json::to_value(verdict).unwrap());
            }
        }
        for Effect { subject, action, .. } in step.effects {
            match action {
                Action::Status { status, .. } => {
                    self.status_writes += 1;
                    let named = |it: &&mut Value| {
                        it["kind"] == *subject.gvk.kind
                            && it["metadata"]["name"] == *subject.name
                            && it["metadata"]["namespace"].as_str().unwrap_or_default() == subject.namespace
                    };
                    let Some(object) = self.objects.iter_mut().find(named) else { continue };
                    merge(&mut object["status"], status);
                    // The write comes back as a watch event, as it does from a server.
                    let object = object.clone();
                    self.deliver(Change::Applied, &object);
                }
                Action::Event { event_type, reason, message } => {
                    self.events.push(format!("{event_type:?} {reason} {}: {message}", subject.name));
                }
                other => panic!("nothing else is wanted: {other:?}"),
            }
        }
    }

    fn deliver(&mut self, change: Change, object: &Value) {
        let kind = kind(object["kind"].as_str().unwrap());
        let input = Input::Object { kind: Arc::new(kind), change, object: Object::from_value(object) };
        self.send(input);
    }

    /// Creates or updates an object; its status stays.
    pub(crate) fn apply(&mut self, mut object: Value) {
        let same = |it: &Value| {
            it["kind"] == object["kind"]
                && it["metadata"]["name"] == object["metadata"]["name"]
                && it["metadata"]["namespace"] == object["metadata"]["namespace"]
        };
        let known = self.objects.iter().position(same);
        match known {
            Some(at) => {
                if object.get("status").is_none() {
                    object["status"] = self.objects[at]["status"].clone();
                }
                self.objects[at] = object.clone();
            }
            None => self.objects.push(object.clone()),
        }
        self.deliver(Change::Applied, &object);
    }

    pub(crate) fn delete(&mut self, kind: &str, name: &str) {
        let named = |it: &Value| it["kind"] == kind && it["metadata"]["name"] == name;
        let at = self.objects.iter().position(named).unwrap();
        let object = self.objects.remove(at);
        self.deliver(Change::Deleted, &object);
    }

    pub(crate) fn object(&self, kind: &str, name: &str) -> &Value {
        let named = |it: &&Value| it["kind"] == kind && it["metadata"]["name"] == name;
        self.objects.iter().find(named).unwrap()
    }

    pub(crate) fn status(&self, kind: &str, name: &str) -> &Value {
        &self.object(kind, name)["status"]
    }

    /// `ready` and `reason` of a gate.
    pub(crate) fn gate(&self, name: &str) -> (bool, String) {
        let status = self.status("PolicyGate", name);
        (status["ready"].as_bool().unwrap_or_default(), status["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// Lets time pass, waking only where the plane asked for it; how often it woke.
    pub(crate) fn pass(&mut self, duration: Duration) -> usize {
        let end = self.mono.after(duration);
        let mut wakes = 0;
        while let Some(at) = self.plane.next_deadline().filter(|it| *it <= end) {
            self.advance(at.since(self.mono));
            self.send(Input::Tick);
            wakes += 1;
            assert!(wakes < 100_000, "it never sleeps");
        }
        self.advance(end.since(self.mono));
        wakes
    }

    /// Moves both clocks without telling anybody.
    pub(crate) fn advance(&mut self, duration: Duration) {
        self.mono = self.mono.after(duration);
        self.wall = self.wall.checked_add(jiff::SignedDuration::try_from(duration).unwrap()).unwrap();
    }

    pub(crate) fn explain(&self, target: &str) -> Option<Explanation> {
        let (kind, name) = target.split_once('/').unwrap();
        let target = Target { kind: kind.into(), name: name.into(), namespace: String::new() };
        self.plane.views().explain(&target, self.now())
    }
}

pub(crate) fn kind(name: &str) -> Kind {
    api::kinds().into_iter().find(|it| it.gvk.kind == name).unwrap()
}

pub(crate) fn object(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    let mut metadata = json!({"name": name, "uid": format!("{kind}-{namespace}-{name}"), "generation": 1});
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    json!({"apiVersion": "kardinal.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

/// `test` → `staging` → `prod`.
pub(crate) fn pipeline(namespace: &str, name: &str) -> Value {
    let spec = json!({"git": {"url": "x"}, "environments": [
        {"name": "test"}, {"name": "staging", "approval": "pr-review"}, {"name": "prod", "approval": "pr-review"}]});
    object("Pipeline", namespace, name, spec)
}

/// An image Bundle; `minute` is when it was created, after nine.
pub(crate) fn bundle(namespace: &str, name: &str, minute: u32, environments: Value) -> Value {
    let spec = json!({"type": "image", "pipeline": "my-app", "images": [{"repository": "app", "tag": "1.29.0"}],
        "provenance": {"author": "alice"}});
    let mut object = object("Bundle", namespace, name, spec);
    object["metadata"]["creationTimestamp"] = json!(format!("2026-04-07T09:{minute:02}:00Z"));
    object["status"] = json!({"environments": environments});
    object
}

/// A gate of the organisation on prod.
pub(crate) fn gate(name: &str, expression: &str) -> Value {
    let mut gate = object("PolicyGate", "platform-policies", name, json!({"expression": expression}));
    gate["metadata"]["labels"] = json!({"kardinal.io/applies-to": "prod"});
    gate
}

fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(&name);
        } else {
            merge(&mut target[name.as_str()], value);
        }
    }
}
