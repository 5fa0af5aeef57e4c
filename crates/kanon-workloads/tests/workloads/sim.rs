//! A cluster in memory: store, write rules, garbage collection and the simulation, stepped by hand.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use kanon_apimachinery::{
    decode::Body,
    lifecycle::{self, Graph},
    request::{Address, DeleteOptions, Propagation, WriteOptions},
    resource::{Registry, Resource},
    write::{
        self, Context, Outcome, Stamp, create,
        delete::{self, Deletion},
        patch, update,
    },
};
use kanon_store::{Entry, ListOptions, Memory, Revision, Write, Writer};
use kanon_workloads::{Action, Cluster, Intent, Kind};
use serde_json::{Value, json};

/// Plans after which something turns in circles.
const ROUNDS: usize = 2000;

pub(crate) struct Sim {
    writer: Writer,
    pub(crate) memory: Memory,
    registry: Registry,
    pub(crate) now: Timestamp,
    made: u32,
    seen: Revision,
    cluster: Cluster,
    graph: Graph,
    /// Text that no pod's image may have: what an admission webhook would refuse.
    pub(crate) refused_image: Option<String>,
    /// What the scales of objects of foreign kinds say, by name.
    pub(crate) scales: BTreeMap<String, i64>,
    /// How many intents of each kind there were.
    pub(crate) counts: BTreeMap<String, usize>,
    /// Called after every round.
    pub(crate) watch: Option<fn(&Sim)>,
}

impl Sim {
    /// With namespace `shop` and the simulated nodes.
    pub(crate) fn new() -> Sim {
        let mut sim = Sim::without_nodes();
        let nodes = sim.cluster.bootstrap(sim.now);
        for intent in nodes {
            sim.carry_out(&intent).expect("a node");
        }
        sim.settle();
        sim
    }

    pub(crate) fn without_nodes() -> Sim {
        let options = kanon_store::Options::default();
        let database = kanon_store::database(kanon_store::Disk::new(), &options).expect("a fresh disk");
        let (writer, memory) = Writer::open(database, options).expect("a fresh store");
        let graph = Graph::new(&memory);
        let now = "2026-11-21T09:00:00Z".parse().expect("a time");
        let mut sim = Sim {
            writer,
            seen: memory.revision(),
            memory,
            registry: Registry::builtin(),
            now,
            made: 0,
            cluster: Cluster::default(),
            graph,
            refused_image: None,
            scales: BTreeMap::new(),
            counts: BTreeMap::new(),
            watch: None,
        };
        for name in ["default", "kube-node-lease", "shop"] {
            sim.create("", "namespaces", json!({"metadata": {"name": name}}));
        }
        sim
    }

    fn resource(&self, group: &str, plural: &str) -> Arc<Resource> {
        Arc::clone(self.registry.preferred(group, plural).expect("a built-in resource"))
    }

    fn address(resource: &Resource, namespace: &str, name: &str, part: &str) -> Address {
        let mut address = Address::default();
        address.group.clone_from(&resource.gvk.group);
        address.version.clone_from(&resource.gvk.version);
        address.resource.clone_from(&resource.plural);
        namespace.clone_into(&mut address.namespace);
        name.clone_into(&mut address.name);
        part.clone_into(&mut address.subresource);
        address
    }

    fn store(&mut self, write: Write) -> Result<Arc<Entry>, String> {
        let staged = self.writer.stage(write, &self.memory).map_err(|_| "moved".to_owned())?;
        let batch = self.writer.commit().expect("the disk works");
        drop(self.memory.publish(batch));
        Ok(staged.entry)
    }

    fn write(
        &mut self,
        resource: &Arc<Resource>,
        address: &Address,
        prepare: impl FnOnce(&Context<'_>, Option<&Arc<Entry>>) -> kanon_apimachinery::status::Result<write::Prepared>,
    ) -> Result<(), String> {
        let options = WriteOptions { field_manager: "tester".to_owned(), ..WriteOptions::default() };
        let ctx = Context { resource, address, options: &options, now: self.now };
        let current = self.memory.get(&resource.key(address.object_namespace(), &address.name));
        let prepared = prepare(&ctx, current.as_ref()).map_err(|error| error.message)?;
        self.made += 1;
        let stamp = Stamp { uid: format!("uid-{}", self.made), suffix: format!("x{:04}", self.made) };
        let mutated = prepared.object.clone();
        let finished = prepared.finish(&ctx, mutated, false, &stamp).map_err(|error| error.message)?;
        match finished.outcome {
            Outcome::Store(write) | Outcome::Remove(write, _) => self.store(write).map(drop),
            Outcome::Unchanged(_) | Outcome::DryRun(_) => Ok(()),
        }
    }

    /// POST into `shop`.
    pub(crate) fn create(&mut self, group: &str, plural: &str, mut object: Value) {
        let resource = self.resource(group, plural);
        let namespace = if resource.is_namespaced() { "shop" } else { "" };
        object["apiVersion"] = resource.api_version().into();
        object["kind"] = resource.gvk.kind.as_str().into();
        self.post(&resource, namespace, object).expect("created");
    }

    fn post(&mut self, resource: &Arc<Resource>, namespace: &str, object: Value) -> Result<(), String> {
        let address = Sim::address(resource, namespace, "", "");
        let body = Body { value: object, duplicates: Vec::new() };
        self.write(resource, &address, |ctx, _| create::prepare(ctx, body))
    }

    /// A merge patch of an object or its status.
    pub(crate) fn patch(&mut self, path: &str, change: Value) {
        self.try_patch(path, change).expect("patched");
    }

    /// The same, which may be refused.
    pub(crate) fn try_patch(&mut self, path: &str, change: Value) -> Result<(), String> {
        let (resource, name, part) = self.place(path);
        let namespace = if resource.is_namespaced() { "shop" } else { "" };
        let address = Sim::address(&resource, namespace, &name, &part);
        let patch = patch::Patch::Merge(change);
        self.write(&resource, &address, |ctx, current| patch::prepare(ctx, &patch, current))
    }

    /// `apps/deployments/web`, `nodes/node-1`, `pods/a/status`.
    fn place(&self, path: &str) -> (Arc<Resource>, String, String) {
        let mut parts: Vec<&str> = path.split('/').collect();
        let group = match parts[0] {
            "apps" | "batch" | "policy" => parts.remove(0),
            "discovery" => {
                parts.remove(0);
                "discovery.k8s.io"
            }
            _ => "",
        };
        let name = parts.get(1).copied().unwrap_or_default().to_owned();
        (self.resource(group, parts[0]), name, parts.get(2).copied().unwrap_or_default().to_owned())
    }

    /// DELETE as a client does it.
    pub(crate) fn delete(&mut self, path: &str) {
        let (resource, name, _) = self.place(path);
        let namespace = if resource.is_namespaced() { "shop" } else { "" };
        let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
        self.remove(&resource, namespace, &name, &options).expect("deleted");
    }

    fn remove(
        &mut self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), String> {
        let address = Sim::address(resource, namespace, name, "");
        let current = self.memory.get(&resource.key(namespace, name));
        let plan = delete::plan(resource, &address, options, current.as_ref(), self.now);
        match plan.map_err(|error| error.message)? {
            Deletion::Remove(write, _) | Deletion::Mark(write) => self.store(write).map(drop),
            Deletion::Nothing(_) | Deletion::DryRun(_) => Ok(()),
        }
    }

    /// An object of `shop`; null where it is not there.
    pub(crate) fn get(&self, path: &str) -> Value {
        let (resource, name, _) = self.place(path);
        let namespace = if resource.is_namespaced() { "shop" } else { "" };
        self.memory.get(&resource.key(namespace, &name)).map(|it| it.object.to_value()).unwrap_or_default()
    }

    /// All objects of a kind in `shop`, or without a namespace.
    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        let (resource, ..) = self.place(path);
        let prefix = resource.list_prefix(if resource.is_namespaced() { "shop" } else { "" });
        let page = self.memory.list(&prefix, ListOptions::default()).expect("now");
        page.entries.iter().map(|it| it.object.to_value()).collect()
    }

    /// Names of pods in `shop` that are not on their way out, with a label.
    pub(crate) fn pods(&self, label: &str) -> Vec<Value> {
        let (key, value) = label.split_once('=').expect("key=value");
        let live = |it: &Value| it["metadata"]["deletionTimestamp"].is_null() && it["metadata"]["labels"][key] == value;
        self.list("pods").into_iter().filter(live).collect()
    }

    /// Reasons of the Events about an object, in the order of their names' objects.
    pub(crate) fn notes(&self, about: &str) -> Vec<String> {
        let all = self.list("events").into_iter().filter(|it| it["involvedObject"]["name"] == about);
        all.map(|it| format!("{}: {}", text(&it["reason"]), text(&it["message"]))).collect()
    }

    /// Lets everything happen that happens at this time.
    pub(crate) fn settle(&mut self) {
        for _ in 0..ROUNDS {
            self.feed();
            let collected = self.collect();
            self.feed();
            if !self.cluster.is_due(self.now) {
                if collected {
                    continue;
                }
                return;
            }
            let plan = self.cluster.plan(self.now);
            for ask in &plan.asks {
                self.cluster.answer(ask, self.scales.get(&ask.name).copied());
            }
            for intent in plan.intents {
                let what = match &intent.action {
                    Action::Create(kind, _) => format!("create {}", kind.name()),
                    Action::Update(kind, _) => format!("update {}", kind.name()),
                    Action::Status(kind, _) => format!("status {}", kind.name()),
                    Action::Bind { .. } => "bind".to_owned(),
                    Action::Delete { kind, .. } => format!("delete {}", kind.name()),
                };
                *self.counts.entry(what).or_default() += 1;
                match self.carry_out(&intent) {
                    Ok(()) => {
                        self.cluster.done(&intent, self.now);
                        for note in intent.notes {
                            let namespace = text(&note["metadata"]["namespace"]).to_owned();
                            let events = self.resource("", "events");
                            // The same note twice in a second is one.
                            let _ = self.post(&events, &namespace, note);
                        }
                    }
                    Err(why) if why.starts_with("denied") => self.cluster.refused(&intent, &why, self.now),
                    Err(why) => assert!(
                        ["moved", "not found", "precondition", "UID", "modified"].iter().any(|it| why.contains(it)),
                        "{why}: {intent:?}"
                    ),
                }
            }
            if let Some(watch) = self.watch {
                watch(self);
            }
        }
        panic!("never settles: {:?}", self.counts);
    }

    /// Lets time pass, stopping at each deadline.
    pub(crate) fn pass(&mut self, seconds: i64) {
        let end = self.now + SignedDuration::from_secs(seconds);
        loop {
            self.settle();
            let next = self.cluster.plan(self.now).deadline.filter(|it| *it <= end);
            match next {
                Some(next) if next > self.now => self.now = next,
                Some(_) => {}
                None => break,
            }
        }
        self.now = end;
        self.settle();
    }

    fn feed(&mut self) {
        let events = self.memory.events_since("", self.seen, usize::MAX).expect("history");
        for event in &events {
            self.cluster.apply(event);
            self.graph.apply(event);
        }
        self.seen = self.memory.revision();
    }

    /// The garbage collector. True where it did anything.
    fn collect(&mut self) -> bool {
        let intents = self.graph.plan(&self.registry, &self.memory);
        for intent in &intents {
            let (resource, address) = (&intent.target().resource, &intent.target().address);
            let outcome = match intent {
                lifecycle::Intent::Delete(_, options) => {
                    self.remove(resource, &address.namespace, &address.name, options)
                }
                lifecycle::Intent::Update(_, object) | lifecycle::Intent::Create(_, object) => {
                    let body = Body { value: object.clone(), duplicates: Vec::new() };
                    self.write(resource, address, |ctx, current| update::prepare(ctx, body, current))
                }
            };
            // What is gone already is gone.
            let _ = outcome;
        }
        !intents.is_empty()
    }

    fn carry_out(&mut self, intent: &Intent) -> Result<(), String> {
        let name = |object: &Value, member: &str| text(&object["metadata"][member]).to_owned();
        match &intent.action {
            Action::Create(kind, object) => {
                let image = text(&object["spec"]["containers"][0]["image"]);
                if *kind == Kind::Pod && self.refused_image.as_deref().is_some_and(|it| image.contains(it)) {
                    return Err("denied the request: image".to_owned());
                }
                let resource = self.resource(kind.group(), kind.plural());
                self.post(&resource, &name(object, "namespace"), object.clone())
            }
            Action::Update(kind, object) | Action::Status(kind, object) => {
                let part = if matches!(intent.action, Action::Status(..)) { "status" } else { "" };
                let resource = self.resource(kind.group(), kind.plural());
                let address = Sim::address(&resource, &name(object, "namespace"), &name(object, "name"), part);
                let body = Body { value: object.clone(), duplicates: Vec::new() };
                self.write(&resource, &address, |ctx, current| update::prepare(ctx, body, current))
            }
            Action::Bind { namespace, name, node } => {
                let resource = self.resource("", "pods");
                let key = resource.key(namespace, name);
                let Some(entry) = self.memory.get(&key) else { return Err("not found".to_owned()) };
                let mut pod = entry.object.to_value();
                pod["spec"]["nodeName"] = node.as_str().into();
                let draft = kanon_store::Draft::new(&pod).expect("an object");
                let expect = kanon_store::Expect::At(entry.revision);
                self.store(Write { key, expect, change: kanon_store::Change::Put(draft) }).map(drop)
            }
            Action::Delete { kind, namespace, name, uid, grace } => {
                let resource = self.resource(kind.group(), kind.plural());
                let options =
                    DeleteOptions { uid: Some(uid.clone()), grace_period_seconds: *grace, ..DeleteOptions::default() };
                self.remove(&resource, namespace, name, &options)
            }
        }
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A pod template with a label and an image.
pub(crate) fn template(app: &str, image: &str) -> Value {
    json!({"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "main", "image": image}]}})
}

/// A deployment of `replicas` pods.
pub(crate) fn deployment(name: &str, replicas: i64, image: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"replicas": replicas,
        "selector": {"matchLabels": {"app": name}}, "template": template(name, image)}})
}

/// Members of a status as one line, for comparing.
pub(crate) fn numbers(object: &Value, names: &[&str]) -> String {
    let one = |name: &&str| format!("{name}={}", object["status"][*name].as_i64().unwrap_or_default());
    names.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// `status reason` of a condition.
pub(crate) fn condition(object: &Value, kind: &str) -> String {
    let list = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = list.iter().find(|it| it["type"] == kind).cloned().unwrap_or_default();
    format!("{} {}", text(&found["status"]), text(&found["reason"])).trim().to_owned()
}
