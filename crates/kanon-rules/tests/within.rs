//! What a process knows that looks after some namespaces alone; and of a kind of which only some objects are read by place.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use common::{language, now};
use kanon_core::{Change, Input, Keep, Kind, Object};
use kanon_plane::{Payload, Plane, Settings as PlaneSettings};
use kanon_rules::{Mode, Responses, RulesFamily, Settings, api};
use serde_json::{Value, json};

fn kind(name: &str) -> Kind {
    match name {
        "PortalClusterRule" => api::cluster_rule(),
        "PortalRule" => api::portal_rule(),
        "ConfigMap" => Kind::namespaced("", "v1", "ConfigMap", "configmaps"),
        _ => Kind::namespaced("", "v1", "Pod", "pods"),
    }
}

struct World {
    plane: Plane,
    /// Reason of condition `Ready` by rule.
    ready: BTreeMap<String, String>,
    told: Vec<String>,
}

impl World {
    fn new(namespaces: &[&str]) -> World {
        let namespaces: Vec<_> = namespaces.iter().map(|it| (*it).to_owned()).collect();
        let loops = vec![Mode::Admission, Mode::Audit];
        let settings = Settings { loops, namespaces: namespaces.clone(), ..Settings::default() };
        let responses = Responses { leads: true, namespace: "own".into(), namespaces, ..Responses::default() };
        let family = RulesFamily::new(language(), settings).with_responses(responses);
        let plane = Plane::new(vec![Box::new(family)], PlaneSettings::default());
        World { plane, ready: BTreeMap::new(), told: Vec::new() }
    }

    fn input(&mut self, input: &Input) {
        let mut inputs = vec![input.clone()];
        while let Some(input) = inputs.pop() {
            let step = self.plane.handle(&input, now(1));
            for effect in step.effects {
                if let kanon_core::Action::Status { status, .. } = effect.action {
                    let conditions = status["conditions"].as_array().unwrap();
                    let ready = conditions.iter().find(|it| it["type"] == "Ready").unwrap();
                    self.ready.insert(effect.subject.name, ready["reason"].as_str().unwrap().to_owned());
                }
            }
            for payload in step.records {
                if let Payload::Decision(it) = payload {
                    self.told.push(format!("{} {}/{}", it.policy.name, it.subject.namespace, it.subject.name));
                }
            }
            inputs.extend(step.scans.iter().map(|it| it.run(self.plane.objects(), now(1))));
        }
    }

    fn apply(&mut self, object: &Value) {
        let kind = Arc::new(kind(object["kind"].as_str().unwrap()));
        self.input(&Input::Object { kind, change: Change::Applied, object: Object::from_value(object) });
    }

    fn synced(&mut self, name: &str) {
        self.input(&Input::Synced { kind: Arc::new(kind(name)), keep: Keep::All });
    }

    fn rule(&mut self, name: &str, home: Option<&str>, kinds: &[&str], rule: &str) {
        let gvk: Vec<_> = kinds.iter().map(|it| json!({"group": "", "version": "v1", "kind": it})).collect();
        let kind = if home.is_some() { "PortalRule" } else { "PortalClusterRule" };
        self.apply(&json!({"apiVersion": "portal.io/v1alpha1", "kind": kind,
            "metadata": {"name": name, "namespace": home, "uid": name, "generation": 1}, "spec": {"name": name, "enabled": true,
            "mode": ["audit"], "match": {"gvk": gvk}, "rule": rule}}));
    }

    fn watched(&self) -> Vec<&str> {
        self.plane.facts().kinds.iter().map(|it| &*it.plural).collect()
    }
}

fn object(kind: &str, namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}})
}

#[test]
fn rules_about_what_cannot_be_known_are_not_in_force_and_say_so() {
    let cases = [
        ("own-pods", Some("shop"), &["Pod"][..], "true", "Active"),
        ("of-all", None, &["Pod"], "len(cluster.pods.list('')) > 1", "Active"),
        ("namespace", None, &["Pod"], "cluster.namespaces.byName('', metadata.namespace) == nil", "Active"),
        ("mixed", None, &["Pod", "Node"], "true", "Active"),
        ("nodes", None, &["Node"], "true", "OutOfReach"),
        ("namespaces", None, &["Namespace"], "true", "OutOfReach"),
        ("looks", None, &["Pod"], "len(cluster.nodes.list('')) > 1", "OutOfReach"),
        ("looks-home", Some("shop"), &["Pod"], "len(cluster.nodes.list('')) > 1", "OutOfReach"),
        ("asks", None, &["Pod"], "len(consistentCluster.pods.list('')) > 1", "OutOfReach"),
        ("asks-home", Some("shop"), &["Pod"], "len(consistentCluster.pods.list('')) > 1", "Active"),
        ("foreign", Some("bar"), &["Pod"], "true", "OutOfReach"),
    ];
    let mut world = World::new(&["shop"]);
    for (name, home, kinds, rule, _) in cases {
        world.rule(name, home, kinds, rule);
    }
    let told: Vec<_> = cases.iter().map(|it| (it.0, &*world.ready[it.0])).collect();
    assert_eq!(told, cases.map(|it| (it.0, it.4)));
    assert_eq!(world.watched(), ["namespaces", "pods"]);
    assert!(!world.plane.facts().unknown);

    let mut whole = World::new(&[]);
    for (name, home, kinds, rule, _) in cases {
        whole.rule(name, home, kinds, rule);
    }
    assert!(whole.ready.values().all(|it| it == "Active"), "{:?}", whole.ready);
}

#[test]
fn objects_of_other_namespaces_are_nobodys() {
    let mut world = World::new(&["shop"]);
    for kind in ["PortalClusterRule", "PortalRule"] {
        world.synced(kind);
    }
    world.rule("pods", None, &["Pod"], "true");
    for namespace in ["shop", "bar"] {
        world.apply(&object("Pod", namespace, "a"));
    }
    world.synced("Pod");
    assert_eq!(world.told, ["pods shop/a"]);
}

#[test]
fn places_stay_when_their_kind_is_no_longer_watched() {
    let mut world = World::new(&[]);
    let names: Vec<_> = world.plane.places().iter().map(|it| (&*it.namespace, it.name.as_deref().unwrap())).collect();
    assert_eq!(names, ["alert-templates", "kanon-accounts", "kanon-brake"].map(|it| ("own", it)));
    let maps = Arc::new(kind("ConfigMap"));
    assert!(!world.watched().contains(&"configmaps"));
    world.input(&Input::PlacesSynced { kind: Arc::clone(&maps) });
    let held = |world: &World| {
        let objects = world.plane.objects();
        let count = ["own", "shop"].map(|it| objects.count(&maps.gvk, it));
        (objects.has_arrived(&maps.gvk), objects.holds(&maps.gvk, &Keep::default()), count)
    };
    assert_eq!(held(&world), (true, false, [0, 0]));

    // A rule wants all of them, and of each only the labels: whoever reads places wants the data.
    world.rule("maps", None, &["ConfigMap"], "object.metadata.labels?.x == 'y'");
    assert!(world.watched().contains(&"configmaps"));
    assert_eq!(world.plane.facts().keep(&maps.gvk), &Keep::All);
    world.apply(&object("ConfigMap", "own", "kanon-brake"));
    world.apply(&object("ConfigMap", "shop", "other"));
    world.synced("ConfigMap");
    assert_eq!(held(&world), (true, true, [1, 1]));
    world.input(&Input::Unwatched { kind: Arc::clone(&maps) });
    assert_eq!(held(&world), (true, false, [1, 0]));
}
