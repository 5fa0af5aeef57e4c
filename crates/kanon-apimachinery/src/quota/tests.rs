//! What objects use, which of them quotas count, what fits; and that sums are those of what is stored and claimed.

use jiff::SignedDuration;
use kanon_core::Operation;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    request::{Resolved, WriteOptions},
    testing::Cluster,
};

const NOW: &str = "2026-11-21T09:00:00Z";

fn check_used(collection: &str, object: Value, want: &str) {
    let fact = measure(collection, &Object::from_value(&object), NOW.parse().unwrap());
    let told: Vec<String> = fact.usage.iter().map(|(name, it)| format!("{name}={}", amounts::text(*it))).collect();
    assert_eq!(told.join(","), want, "{object}");
}

#[test]
fn objects_use_what_quotas_name() {
    check_used("core/configmaps/", json!({}), "configmaps=1,count/configmaps=1");
    check_used("apps/deployments/", json!({}), "count/deployments.apps=1");
    check_used("example.com/widgets/", json!({}), "count/widgets.example.com=1");
    let service = |spec: Value| json!({"spec": spec});
    let services = |ports: usize, balancers: usize| {
        format!("count/services=1,services=1,services.loadbalancers={balancers},services.nodeports={ports}")
    };
    let ports = json!([{"port": 80, "nodePort": 30000}, {"port": 81}]);
    check_used("core/services/", service(json!({"type": "ClusterIP", "ports": ports})), &services(0, 0));
    check_used("core/services/", service(json!({"type": "NodePort", "ports": ports})), &services(2, 0));
    check_used("core/services/", service(json!({"type": "LoadBalancer", "ports": ports})), &services(2, 1));
    let without = json!({"type": "LoadBalancer", "ports": ports, "allocateLoadBalancerNodePorts": false});
    check_used("core/services/", service(without), &services(1, 1));
    check_used(
        "core/persistentvolumeclaims/",
        json!({"spec": {"storageClassName": "gold", "resources": {"requests": {"storage": "2Gi"}}},
            "status": {"allocatedResources": {"storage": "3Gi"}}}),
        "count/persistentvolumeclaims=1,gold.storageclass.storage.k8s.io/persistentvolumeclaims=1,gold.storageclass.storage.k8s.io/requests.storage=3Gi,persistentvolumeclaims=1,requests.storage=3Gi",
    );
    let container = json!({"name": "c", "resources": {
        "requests": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "2", "hugepages-2Mi": "4Mi"},
        "limits": {"cpu": "2"}}});
    let pod = |status: Value| json!({"spec": {"containers": [container], "overhead": {"cpu": "100m", "memory": "1Gi"}}, "status": status});
    let whole = "count/pods=1,cpu=1100m,hugepages-2Mi=4Mi,limits.cpu=2100m,memory=2Gi,pods=1,requests.cpu=1100m,requests.hugepages-2Mi=4Mi,requests.memory=2Gi,requests.nvidia.com/gpu=2";
    check_used("core/pods/", pod(json!({"phase": "Running"})), whole);
    check_used("core/pods/", pod(json!({"phase": "Succeeded"})), "count/pods=1");
    let mut leaving = pod(json!({}));
    leaving["metadata"] = json!({"deletionTimestamp": "2026-11-21T09:00:00Z", "deletionGracePeriodSeconds": 30});
    check_used("core/pods/", leaving.clone(), whole);
    leaving["metadata"]["deletionTimestamp"] = "2026-11-21T08:59:29Z".into();
    check_used("core/pods/", leaving, "count/pods=1");
}

/// Which of the scopes a pod is in.
fn check_scopes(pod: Value, want: &[&str]) {
    let fact = measure("core/pods/", &Object::from_value(&pod), NOW.parse().unwrap());
    let class = |operator: &str| {
        json!({"scopeSelector": {"matchExpressions": [
        {"scopeName": "PriorityClass", "operator": operator, "values": if operator.ends_with("In") { json!(["high"]) } else { json!([]) }}]}})
    };
    let plain = |scope: &str| json!({"scopes": [scope]});
    let specs = [
        ("Terminating", plain("Terminating")),
        ("NotTerminating", plain("NotTerminating")),
        ("BestEffort", plain("BestEffort")),
        ("NotBestEffort", plain("NotBestEffort")),
        ("Cross", plain("CrossNamespacePodAffinity")),
        ("In", class("In")),
        ("NotIn", class("NotIn")),
        ("Exists", class("Exists")),
        ("DoesNotExist", class("DoesNotExist")),
    ];
    let is_in = |spec: &Value| bounds::Bounds::read(&Object::from_value(&json!({"spec": spec}))).selects(&fact);
    let told: Vec<&str> = specs.iter().filter(|(_, spec)| is_in(spec)).map(|(name, _)| *name).collect();
    assert_eq!(told, want, "{pod}");
}

#[test]
fn scopes_tell_pods_apart() {
    check_scopes(json!({"spec": {}}), &["NotTerminating", "BestEffort", "NotIn", "DoesNotExist"]);
    check_scopes(
        json!({"spec": {"activeDeadlineSeconds": 0, "priorityClassName": "high",
            "containers": [{"resources": {"requests": {"cpu": "1"}}}]}}),
        &["Terminating", "NotBestEffort", "In", "Exists"],
    );
    check_scopes(
        json!({"spec": {"priorityClassName": "low", "affinity": {"podAntiAffinity":
            {"preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": {"namespaceSelector": {}}}]}}}}),
        &["NotTerminating", "BestEffort", "Cross", "NotIn", "Exists"],
    );
}

/// A cluster, its ledger, and what is claimed in it.
struct Room {
    cluster: Cluster,
    ledger: Ledger,
}

impl Room {
    /// Namespace `shop` with these quotas: `q0`, `q1`, ….
    fn new(specs: &[Value]) -> Room {
        let mut room = Room { cluster: Cluster::new(), ledger: Ledger::default() };
        for (at, spec) in specs.iter().enumerate() {
            let quota = json!({"metadata": {"name": format!("q{at}")}, "spec": spec});
            room.put("/api/v1/namespaces/shop/resourcequotas", &quota);
        }
        room
    }

    fn put(&mut self, path: &str, object: &Value) {
        let (code, told) = self.cluster.post(path, object);
        assert_eq!(code, 201, "{told}");
    }

    /// Charges a new object, or a changed one.
    fn charge(
        &mut self,
        path: &str,
        object: &Value,
        old: Option<&Value>,
    ) -> std::result::Result<Option<Claim>, String> {
        let info = Cluster::info("POST", path, "application/json");
        let Resolved { resource, address, .. } = info.resolve(&self.cluster.registry).expect("served");
        let options = WriteOptions::default();
        let ctx = Context { resource: &resource, address: &address, options: &options, now: self.cluster.now };
        let operation = if old.is_some() { Operation::Update } else { Operation::Create };
        assert!(concern(&ctx, operation, Part::Object) && is_bounded(&self.cluster.memory, "shop"));
        self.ledger.charge(&self.cluster.memory, &ctx, object, old).map_err(|it| it.message)
    }

    fn statuses(&mut self) -> Vec<Value> {
        let Cluster { memory, registry, now, .. } = &self.cluster;
        self.ledger.statuses(memory, registry, "shop", *now).into_iter().map(|it| it.1).collect()
    }
}

const PODS: &str = "/api/v1/namespaces/shop/pods";
const SERVICES: &str = "/api/v1/namespaces/shop/services";

fn pod(name: &str, resources: Value) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}]}})
}

#[test]
fn what_does_not_fit_is_refused_in_upstreams_words() {
    let mut room = Room::new(&[json!({"hard": {"pods": "2", "requests.cpu": "1"}})]);
    let half = json!({"requests": {"cpu": "500m"}});
    room.put(PODS, &pod("a", half.clone()));
    assert_eq!(
        room.charge(PODS, &pod("b", json!({})), None).unwrap_err(),
        "pods \"b\" is forbidden: failed quota: q0: must specify requests.cpu for: c"
    );
    assert_eq!(
        room.charge(PODS, &pod("b", json!({"requests": {"cpu": "600m"}})), None).unwrap_err(),
        "pods \"b\" is forbidden: exceeded quota: q0, requested: requests.cpu=600m, used: requests.cpu=500m, limited: requests.cpu=1"
    );
    let claim = room.charge(PODS, &pod("b", half.clone()), None).unwrap().expect("it is charged");
    assert_eq!(
        room.charge(PODS, &pod("c", half.clone()), None).unwrap_err(),
        "pods \"c\" is forbidden: exceeded quota: q0, requested: pods=1,requests.cpu=500m, used: pods=2,requests.cpu=1, limited: pods=2,requests.cpu=1"
    );
    room.ledger.release(&claim);
    assert!(room.charge(PODS, &pod("c", half), None).is_ok());
}

#[test]
fn only_what_is_bounded_is_charged() {
    let mut room =
        Room::new(&[json!({"hard": {"services": "1", "count/gates.policy.example.io": "1", "secrets": "0"}})]);
    assert!(room.charge(PODS, &pod("a", json!({})), None).unwrap().is_none());
    let configmap = json!({"metadata": {"name": "a"}});
    assert!(room.charge("/api/v1/namespaces/shop/configmaps", &configmap, None).unwrap().is_none());
    assert!(
        room.charge("/api/v1/namespaces/shop/secrets", &configmap, None).unwrap_err().contains("limited: secrets=0")
    );
    let gates = "/apis/policy.example.io/v1/namespaces/shop/gates";
    let gate = json!({"apiVersion": "policy.example.io/v1", "kind": "Gate", "metadata": {"name": "g"}});
    let claim = room.charge(gates, &gate, None).unwrap();
    assert!(claim.is_some());
    assert!(room.charge(gates, &json!({"metadata": {"name": "h"}}), None).unwrap_err().contains("used: count/gates"));
}

#[test]
fn updates_are_charged_for_what_they_add() {
    let mut room = Room::new(&[json!({"hard": {"services": "1", "services.nodeports": "1"}})]);
    let service = |kind: &str, ports: Value| json!({"metadata": {"name": "s"}, "spec": {"type": kind, "ports": ports}});
    let one = json!([{"port": 80}]);
    let before = service("ClusterIP", one.clone());
    room.put(SERVICES, &before);
    assert!(room.charge(SERVICES, &before, Some(&before)).unwrap().is_none());
    let claim = room.charge(SERVICES, &service("NodePort", one), Some(&before)).unwrap().expect("it is charged");
    room.ledger.release(&claim);
    let two = json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]);
    assert_eq!(
        room.charge(SERVICES, &service("NodePort", two), Some(&before)).unwrap_err(),
        "services \"s\" is forbidden: exceeded quota: q0, requested: services.nodeports=2, used: services.nodeports=0, limited: services.nodeports=1"
    );
}

#[test]
fn statuses_tell_what_is_stored() {
    let specs = [
        json!({"hard": {"pods": "5", "memory": "1Gi", "count/cats.example.com": "1"}}),
        json!({"hard": {"pods": "1"}, "scopes": ["BestEffort"]}),
    ];
    let mut room = Room::new(&specs);
    let hard = |at: usize| specs[at]["hard"].clone();
    room.put(PODS, &pod("a", json!({"requests": {"memory": "512Mi"}})));
    let claim = room.charge(PODS, &pod("b", json!({"requests": {"memory": "1Mi"}})), None).unwrap();
    // What is not served is not said to be used, and what is claimed not yet.
    let want = [
        json!({"hard": hard(0), "used": {"pods": "1", "memory": "512Mi"}}),
        json!({"hard": hard(1), "used": {"pods": "0"}}),
    ];
    assert_eq!(room.statuses(), want);
    drop(claim);
    for (at, status) in want.iter().enumerate() {
        let path = format!("/api/v1/namespaces/shop/resourcequotas/q{at}");
        let (code, told) = room.cluster.merge(&format!("{path}/status"), &json!({"status": status}));
        assert_eq!(code, 200, "{told}");
    }
    assert_eq!(room.statuses(), [] as [Value; 0]);
    let seen = Some(room.cluster.memory.revision());
    room.put("/api/v1/namespaces/shop/configmaps", &json!({"metadata": {"name": "uncounted"}}));
    let Cluster { memory, now, .. } = &room.cluster;
    assert!(room.ledger.changed(memory, seen, *now).is_empty());
    room.put(PODS, &pod("late", json!({"requests": {"memory": "1Mi"}})));
    let Cluster { memory, now, .. } = &room.cluster;
    assert_eq!(room.ledger.changed(memory, seen, *now), BTreeSet::from(["shop".to_owned()]));
}

#[test]
fn pods_that_hang_are_counted_no_longer() {
    let mut room = Room::new(&[json!({"hard": {"pods": "1", "count/pods": "9"}})]);
    let mut bound = pod("a", json!({}));
    bound["spec"]["nodeName"] = "n".into();
    room.put(PODS, &bound);
    let used = |pods: &str| json!({"pods": pods, "count/pods": "1"});
    assert_eq!(room.statuses()[0]["used"], used("1"));
    assert_eq!(room.ledger.deadline(), None);
    let (code, told) = room.cluster.delete(&format!("{PODS}/a"), "");
    assert_eq!(code, 200, "{told}");
    assert_eq!(room.statuses()[0]["used"], used("1"), "it has its grace");
    let deadline = room.ledger.deadline().expect("the clock will change it");
    let seen = Some(room.cluster.memory.revision());
    room.cluster.now = deadline + SignedDuration::from_secs(1);
    let Cluster { memory, now, .. } = &room.cluster;
    assert!(room.ledger.changed(memory, seen, *now).contains("shop"));
    assert_eq!(room.statuses()[0]["used"], used("0"));
    assert_eq!(room.ledger.deadline(), None);
    assert!(room.charge(PODS, &pod("b", json!({})), None).is_ok());
}

/// What may happen to one of a few pods.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin(usize),
    Store(usize),
    End(usize),
    Delete(usize),
    OtherQuota(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let slot = 0..5_usize;
    prop_oneof![
        slot.clone().prop_map(Step::Begin),
        slot.clone().prop_map(Step::Store),
        slot.clone().prop_map(Step::End),
        slot.clone().prop_map(Step::Delete),
        slot.prop_map(Step::OtherQuota),
    ]
}

proptest! {
    /// Writes begin, are stored or not, and end, in any order: what is stored never exceeds the bound that stood when it was
    /// claimed, room is taken once, and all of it comes back.
    #[test]
    fn room_is_taken_once_and_comes_back(steps in prop::collection::vec(step(), 1..60)) {
        let mut room = Room::new(&[json!({"hard": {"pods": "3"}})]);
        let mut claims: BTreeMap<usize, Claim> = BTreeMap::new();
        let mut stored: BTreeSet<usize> = BTreeSet::new();
        for step in steps {
            let taken = |claims: &BTreeMap<usize, Claim>, stored: &BTreeSet<usize>| {
                claims.keys().chain(stored).collect::<BTreeSet<_>>().len()
            };
            match step {
                Step::Begin(slot) if !claims.contains_key(&slot) && !stored.contains(&slot) => {
                    let fits = taken(&claims, &stored) < 3;
                    let outcome = room.charge(PODS, &pod(&format!("p{slot}"), json!({})), None);
                    prop_assert_eq!(outcome.is_ok(), fits, "{:?}", outcome);
                    if let Ok(Some(claim)) = outcome {
                        claims.insert(slot, claim);
                    }
                }
                Step::Store(slot) if claims.contains_key(&slot) && stored.insert(slot) => {
                    room.put(PODS, &pod(&format!("p{slot}"), json!({})));
                }
                Step::End(slot) => {
                    if let Some(claim) = claims.remove(&slot) {
                        room.ledger.release(&claim);
                    }
                }
                Step::Delete(slot) if stored.remove(&slot) => {
                    room.cluster.delete(&format!("{PODS}/p{slot}"), "");
                }
                // Another name is bounded as well: all is counted anew, and claims stay.
                Step::OtherQuota(amount) => {
                    let hard = json!({"spec": {"hard": {"pods": "3", "secrets": amount.to_string()}}});
                    let path = "/api/v1/namespaces/shop/resourcequotas/q0";
                    prop_assert_eq!(room.cluster.merge(path, &hard).0, 200);
                }
                _ => {}
            }
            let want = if stored.is_empty() { "0".to_owned() } else { stored.len().to_string() };
            let statuses = room.statuses();
            prop_assert_eq!(&statuses[0]["used"]["pods"], &json!(want));
        }
    }
}
