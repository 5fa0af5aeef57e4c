use kanon_store::{Change, Draft, Event, Expect, Options, Write, Writer};
use serde_json::json;

use super::*;
use crate::testing;

mod settle;

const NOW: &str = "2026-01-02T00:00:00Z";

/// A store with objects in it, whose intents can be carried out as far as their decision needs.
struct World {
    registry: Registry,
    writer: Writer,
    memory: Memory,
    graph: Graph,
    now: jiff::Timestamp,
}

impl World {
    fn new() -> World {
        let (writer, memory) = Writer::in_memory(Options::default());
        let registry = Registry::builtin().with_crds([testing::gates()]);
        World { registry, writer, memory, graph: Graph::default(), now: NOW.parse().expect("a time") }
    }

    fn resource(&self, object: &Value) -> Arc<Resource> {
        let text = |name: &str| object[name].as_str().unwrap_or_default();
        Arc::clone(self.registry.by_api_version(text("apiVersion"), text("kind")).expect("known"))
    }

    fn key(&self, object: &Value) -> kanon_store::Key {
        let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
        self.resource(object).key(text("namespace"), text("name"))
    }

    fn write(&mut self, key: kanon_store::Key, change: Change) {
        let expect = self.memory.get(&key).map_or(Expect::Absent, |it| Expect::At(it.revision));
        self.writer.stage(Write { key, expect, change }, &self.memory).expect("expected");
        let batch = self.writer.commit().expect("memory");
        let events: Vec<Arc<Event>> = batch.events().to_vec();
        drop(self.memory.publish(batch));
        events.iter().for_each(|it| self.graph.apply(it));
    }

    fn put(&mut self, object: Value) {
        self.write(self.key(&object), Change::Put(Draft::new(&object).expect("an object")));
    }

    fn delete(&mut self, object: &Value) {
        self.write(self.key(object), Change::Delete(Draft::new(object).expect("an object")));
    }

    fn entry(&self, object: &Value) -> Arc<Entry> {
        self.memory.get(&self.key(object)).expect("there")
    }

    fn namespace(&self, object: &Value) -> Vec<String> {
        said(&namespace(&self.registry, &self.memory, &self.entry(object), "CA", self.now))
    }

    fn collect(&mut self) -> Vec<String> {
        said(&self.graph.plan(&self.registry, &self.memory))
    }
}

/// Intents in a line each.
fn said(intents: &[Intent]) -> Vec<String> {
    let line = |intent: &Intent| {
        let address = &intent.target().address;
        let path = format!("{}/{}/{}", address.resource_path(), address.namespace, address.name);
        match intent {
            Intent::Create(_, object) => {
                format!("create {path}{}", object["metadata"]["name"].as_str().unwrap_or_default())
            }
            Intent::Update(_, object) => format!(
                "update {path} {}",
                object["metadata"].get("finalizers").unwrap_or(&object["metadata"]["ownerReferences"])
            ),
            Intent::Delete(_, options) => {
                format!("delete {path} {}", options.propagation.map_or("", |it| it.as_str())).trim_end().to_owned()
            }
        }
    };
    intents.iter().map(line).collect()
}

fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    let mut object =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "uid": format!("uid-{name}")}});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn map(name: &str) -> Value {
    object("v1", "ConfigMap", "shop", name)
}

fn with(mut object: Value, member: &str, value: Value) -> Value {
    object["metadata"][member] = value;
    object
}

fn deleting(object: Value, finalizers: &[&str]) -> Value {
    with(with(object, "deletionTimestamp", NOW.into()), "finalizers", json!(finalizers))
}

fn owned(object: Value, owners: &[&str], blocks: bool) -> Value {
    let list: Vec<Value> = owners
        .iter()
        .map(|it| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": it, "uid": format!("uid-{it}"), "blockOwnerDeletion": blocks}))
        .collect();
    with(object, "ownerReferences", json!(list))
}

#[test]
fn first_objects_are_complete_and_valid() {
    let mut count = 0;
    let service = Service { cluster_ip: "10.96.0.1".to_owned(), port: 6443 };
    let objects = bootstrap(NOW.parse().expect("a time"), &service, &mut || {
        count += 1;
        format!("uid-{count}")
    });
    let mut world = World::new();
    for object in &objects {
        let resource = world.resource(object);
        assert_eq!(crate::shape::validate(&resource, object, None).0, [], "{}", object["metadata"]["name"]);
        assert_eq!(object["metadata"]["creationTimestamp"], NOW);
        let mut pruned = object.clone();
        assert_eq!(crate::shape::prune(&resource, &mut pruned), [""; 0], "{}", object["metadata"]["name"]);
        world.put(object.clone());
    }
    assert_eq!(world.memory.count("core/namespaces/"), 4);
    assert_eq!(count, objects.len());
    let rules = crate::rbac::Rules::from_memory(&world.memory);
    let edit = crate::rbac::gathered(
        &json!({"metadata": {"name": "edit"}, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}}]}}),
        &entries(&world.memory, "rbac.authorization.k8s.io/clusterroles/")
            .iter()
            .map(|it| it.object.to_value())
            .collect::<Vec<_>>(),
    );
    assert!(edit.iter().any(|it| it["verbs"] == json!(["get", "list", "watch"])), "edit gathers view");
    let nobody =
        kanon_core::UserInfo { groups: vec!["system:unauthenticated".to_owned()], ..kanon_core::UserInfo::default() };
    let version = crate::rbac::Attributes::Path { verb: "get".to_owned(), path: "/version".to_owned() };
    assert!(rules.authorize(&nobody, &version).allowed);
    // The three roles that gather have what they gather; where it was taken away it is written again.
    assert!(aggregate(&world.registry, &world.memory).is_empty());
    for mut role in objects.into_iter().filter(|it| it["aggregationRule"].is_object()) {
        role["rules"] = json!([]);
        world.put(role);
    }
    let intents = aggregate(&world.registry, &world.memory);
    assert_eq!(intents.len(), 3);
    for intent in intents {
        let Intent::Update(_, object) = intent else { panic!("an update") };
        world.put(object);
    }
    assert!(aggregate(&world.registry, &world.memory).is_empty());
}

#[test]
fn namespaces_get_their_account_and_certificate() {
    let shop = object("v1", "Namespace", "", "shop");
    let mut world = World::new();
    world.put(shop.clone());
    let (account, ca) = ("create serviceaccounts/shop/default", "create configmaps/shop/kube-root-ca.crt");
    assert_eq!(world.namespace(&shop), [account, ca]);
    world.put(object("v1", "ServiceAccount", "shop", "default"));
    let mut root = map(ROOT_CA);
    root["data"] = json!({"ca.crt": "old"});
    world.put(root.clone());
    assert_eq!(world.namespace(&shop), ["update configmaps/shop/kube-root-ca.crt null"]);
    root["data"] = json!({"ca.crt": "CA"});
    world.put(root);
    assert_eq!(world.namespace(&shop), [""; 0]);
}

#[test]
fn namespaces_end_when_they_are_empty() {
    let mut shop = with(object("v1", "Namespace", "", "shop"), "deletionTimestamp", NOW.into());
    shop["spec"] = json!({"finalizers": ["kubernetes"]});
    let (pod, gate) = (object("v1", "Pod", "shop", "p"), object("policy.example.io/v1", "Gate", "shop", "g"));
    let mut world = World::new();
    for it in [&shop, &pod, &gate, &map("m"), &object("v1", "ConfigMap", "shopping", "other")] {
        world.put(it.clone());
    }
    assert_eq!(world.namespace(&shop), ["delete pods/shop/p"], "pods first");
    world.delete(&pod);
    assert_eq!(world.namespace(&shop), ["delete configmaps/shop/m", "delete gates/shop/g"]);
    world.delete(&map("m"));
    world.put(deleting(gate.clone(), &["example.io/keep"]));
    let intents = namespace(&world.registry, &world.memory, &world.entry(&shop), "CA", world.now);
    let [Intent::Update(target, reported)] = intents.as_slice() else { panic!("one update: {intents:?}") };
    assert_eq!(target.address.subresource, "status");
    let condition = |name: &str| {
        reported["status"]["conditions"].as_array().into_iter().flatten().find(|it| it["type"] == name).expect("told")["message"].clone()
    };
    assert_eq!(
        condition("NamespaceContentRemaining"),
        "Some resources are remaining: gates.policy.example.io has 1 resource instances"
    );
    assert_eq!(
        condition("NamespaceFinalizersRemaining"),
        "Some content in the namespace has finalizers remaining: example.io/keep in 1 resource instances"
    );
    world.put(reported.clone());
    assert_eq!(world.namespace(&shop), [""; 0], "told once");
    world.delete(&gate);
    assert_eq!(world.namespace(&shop), ["update namespaces/finalize/shop/shop null"]);
}

#[test]
fn definitions_take_their_objects_with_them() {
    let crd = deleting(testing::established(), &[crate::crd::CLEANUP_FINALIZER, "example.io/mine"]);
    let gate = object("policy.example.io/v1", "Gate", "shop", "g");
    let mut world = World::new();
    world.put(crd.clone());
    world.put(gate.clone());
    let plan = |world: &World| said(&definition(&world.registry, &world.memory, &world.entry(&crd)));
    assert_eq!(plan(&world), ["delete gates/shop/g"]);
    world.put(deleting(gate.clone(), &["example.io/keep"]));
    assert_eq!(plan(&world), [""; 0], "waits");
    world.delete(&gate);
    assert_eq!(plan(&world), ["update customresourcedefinitions//gates.policy.example.io [\"example.io/mine\"]"]);
}

/// What the collector does with these objects, after `gone` are deleted.
fn check_collected(objects: &[Value], gone: &[Value], want: &[&str]) {
    let mut world = World::new();
    for it in objects {
        world.put(it.clone());
    }
    world.collect();
    for it in gone {
        world.delete(it);
    }
    for it in objects.iter().filter(|it| !gone.contains(it)) {
        world.graph.mark(&world.key(it));
    }
    assert_eq!(world.collect(), want);
    // A graph that is built later comes to the same about those that have owners.
    let mut later = Graph::new(&world.memory);
    assert_eq!(said(&later.plan(&world.registry, &world.memory)), want, "later");
    assert!(!later.is_due());
}

#[test]
fn garbage_is_collected() {
    let (a, b) = (map("a"), map("b"));
    let gone_refs = |owners: &[&str]| owned(map("c"), owners, true);
    check_collected(&[a.clone(), gone_refs(&["a"])], &[], &[]);
    check_collected(
        &[a.clone(), gone_refs(&["a"])],
        std::slice::from_ref(&a),
        &["delete configmaps/shop/c Background"],
    );
    check_collected(&[gone_refs(&["a"])], &[], &["delete configmaps/shop/c Background"]);
    check_collected(
        &[with(a.clone(), "uid", "another".into()), gone_refs(&["a"])],
        &[],
        &["delete configmaps/shop/c Background"],
    );
    let kept =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "b", "uid": "uid-b", "blockOwnerDeletion": true}]);
    check_collected(
        &[a.clone(), b, gone_refs(&["a", "b"])],
        std::slice::from_ref(&a),
        &[&format!("update configmaps/shop/c {kept}")],
    );
    let mut unknown = gone_refs(&["a"]);
    unknown["metadata"]["ownerReferences"][0]["kind"] = "Nobody".into();
    check_collected(&[unknown], &[], &[]);
    // An owner in a namespace cannot own what is in none.
    check_collected(&[owned(object("v1", "Node", "", "n"), &["a"], true)], &[], &[]);
    check_collected(&[deleting(gone_refs(&["a"]), &["example.io/keep"])], &[], &[]);
}

#[test]
fn foreground_deletion_waits_for_those_that_block() {
    let owner = deleting(map("a"), &["foregroundDeletion"]);
    let released = "update configmaps/shop/a null";
    check_collected(std::slice::from_ref(&owner), &[], &[released]);
    check_collected(&[owner.clone(), owned(map("c"), &["a"], true)], &[], &["delete configmaps/shop/c Background"]);
    check_collected(
        &[owner.clone(), owned(map("c"), &["a"], false)],
        &[],
        &[released, "delete configmaps/shop/c Background"],
    );
    // Those in between are deleted in the foreground themselves.
    let (middle, last) = (owned(map("c"), &["a"], true), owned(map("d"), &["c"], true));
    check_collected(&[owner.clone(), middle, last], &[], &["delete configmaps/shop/c Foreground"]);
    let held = deleting(owned(map("c"), &["a"], true), &["example.io/keep"]);
    check_collected(&[owner, held], &[], &[]);
}

#[test]
fn owners_in_a_circle_are_released() {
    let first = deleting(owned(map("a"), &["b"], true), &["foregroundDeletion"]);
    let second = owned(map("b"), &["a"], true);
    let open =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "uid-a", "blockOwnerDeletion": false}]);
    check_collected(
        &[first, second],
        &[],
        &[&format!("update configmaps/shop/b {open}"), "delete configmaps/shop/b Foreground"],
    );
}

#[test]
fn orphans_forget_their_owner_before_it_goes() {
    let owner = deleting(map("a"), &["orphan", "example.io/keep"]);
    check_collected(&[owner.clone(), owned(map("c"), &["a"], true)], &[], &["update configmaps/shop/c null"]);
    check_collected(&[owner, map("c")], &[], &["update configmaps/shop/a [\"example.io/keep\"]"]);
}

#[test]
fn owners_are_looked_at_again_when_a_dependant_goes() {
    let (owner, dependant) = (deleting(map("a"), &["foregroundDeletion"]), owned(map("c"), &["a"], true));
    let mut world = World::new();
    world.put(owner);
    world.put(dependant.clone());
    assert_eq!(world.collect(), ["delete configmaps/shop/c Background"]);
    assert!(!world.graph.is_due());
    world.delete(&dependant);
    assert_eq!(world.collect(), ["update configmaps/shop/a null"]);
}
