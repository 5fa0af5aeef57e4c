//! Intents carried out by the same stages that serve clients, until nothing is left to do.

use std::collections::BTreeSet;

use kanon_store::Revision;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Graph, Intent, definition, entries, namespace};
use crate::testing::{Cluster, GATES, established, gate};

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
/// Rounds of decisions; every case here needs fewer.
const ROUNDS: usize = 100;

fn uri(intent: &Intent) -> String {
    let target = intent.target();
    let (resource, address) = (&target.resource, &target.address);
    let root = resource.path();
    let base = match (root.rsplit_once('/'), address.object_namespace()) {
        (Some((version, plural)), namespace) if !namespace.is_empty() => {
            format!("{version}/namespaces/{namespace}/{plural}")
        }
        _ => root,
    };
    let parts = [base.as_str(), &address.name, &address.subresource];
    parts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("/")
}

/// Carries intents out; gives the codes that say more than "done".
fn carry_out(cluster: &mut Cluster, intents: Vec<Intent>) {
    for intent in intents {
        let uri = uri(&intent);
        let (code, body) = match &intent {
            Intent::Create(_, object) => cluster.post(&uri, object),
            Intent::Update(_, object) => cluster.put(&uri, object),
            Intent::Delete(_, options) => cluster.delete(&uri, &options.to_value().to_string()),
        };
        // Another intent of the same round may have been quicker.
        assert!(matches!(code, 200 | 201 | 404 | 409), "{uri}: {code} {body}");
    }
}

/// The garbage collector, fed with events as a shell does it.
struct Collector {
    graph: Graph,
    seen: Revision,
}

impl Collector {
    fn run(&mut self, cluster: &mut Cluster) {
        for _ in 0..ROUNDS {
            let events = cluster.memory.events_since("", self.seen, usize::MAX).expect("all history");
            events.iter().for_each(|it| self.graph.apply(it));
            self.seen = cluster.memory.revision();
            if !self.graph.is_due() {
                return;
            }
            let intents = self.graph.plan(&cluster.registry, &cluster.memory);
            carry_out(cluster, intents);
        }
        panic!("the collector does not settle");
    }
}

#[test]
fn a_namespace_goes_with_all_that_is_in_it() {
    let mut cluster = Cluster::new();
    let uri = "/api/v1/namespaces/shop";
    let decide = |cluster: &mut Cluster| {
        for _ in 0..ROUNDS {
            let Some(entry) = entries(&cluster.memory, "core/namespaces/").pop() else { return };
            let intents = namespace(&cluster.registry, &cluster.memory, &entry, "CA", cluster.now);
            if intents.is_empty() {
                return;
            }
            carry_out(cluster, intents);
        }
        panic!("the namespace does not settle");
    };
    decide(&mut cluster);
    assert_eq!(cluster.get(&format!("{MAPS}/kube-root-ca.crt")).1["data"], json!({"ca.crt": "CA"}));
    let mut held = gate("held");
    held["metadata"]["finalizers"] = json!(["example.io/keep"]);
    cluster.post(GATES, &held);
    cluster.post(GATES, &gate("free"));
    cluster.delete(uri, "");
    decide(&mut cluster);
    assert_eq!(cluster.get(uri).1["status"]["phase"], "Terminating");
    assert_eq!(cluster.get(&format!("{GATES}/free")).0, 404);
    cluster.merge(&format!("{GATES}/held"), &json!({"metadata": {"finalizers": null}}));
    decide(&mut cluster);
    assert_eq!(cluster.get(uri).0, 404);
    assert_eq!(entries(&cluster.memory, ""), []);
}

#[test]
fn a_definition_goes_with_its_objects() {
    let mut cluster = Cluster::new();
    let uri = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let (_, mut crd) = cluster.post(uri, &established());
    let uri = format!("{uri}/gates.policy.example.io");
    // What the definitions' controller does.
    crd["status"] = established()["status"].take();
    assert_eq!(cluster.put(&format!("{uri}/status"), &crd).0, 200);
    cluster.post(GATES, &gate("a"));
    cluster.delete(&uri, "");
    for _ in 0..2 {
        let entry = entries(&cluster.memory, "apiextensions.k8s.io/").pop().expect("there");
        let intents = definition(&cluster.registry, &cluster.memory, &entry);
        carry_out(&mut cluster, intents);
    }
    assert_eq!((cluster.get(&uri).0, cluster.memory.count("policy.example.io/gates/")), (404, 0));
}

/// Objects 0, 1, …; each owned by some of those before it.
fn forest() -> impl Strategy<Value = Vec<(Vec<usize>, bool)>> {
    let one = |at: usize| (prop::collection::vec(0..at.max(1), 0..3), any::<bool>());
    (2usize..9).prop_flat_map(move |len| (0..len).map(one).collect::<Vec<_>>())
}

fn make(cluster: &mut Cluster, forest: &[(Vec<usize>, bool)]) {
    let mut uids: Vec<Value> = Vec::new();
    for (at, (owners, blocks)) in forest.iter().enumerate() {
        let owners: BTreeSet<usize> = owners.iter().copied().filter(|it| *it < at).collect();
        let references: Vec<Value> = owners
            .into_iter()
            .map(|it| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": format!("m{it}"), "uid": uids[it], "blockOwnerDeletion": blocks}))
            .collect();
        let map = json!({"metadata": {"name": format!("m{at}"), "ownerReferences": references}});
        uids.push(cluster.post(MAPS, &map).1["metadata"]["uid"].clone());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn deletions_end_with_no_dangling_owner_and_nothing_held(
        forest in forest(),
        deletions in prop::collection::vec((0usize..9, prop::sample::select(vec!["Background", "Foreground", "Orphan"])), 1..4),
    ) {
        let mut cluster = Cluster::new();
        let mut collector = Collector { graph: Graph::new(&cluster.memory), seen: cluster.memory.revision() };
        make(&mut cluster, &forest);
        let mut only_orphans = true;
        let mut named = BTreeSet::new();
        for (at, policy) in deletions {
            only_orphans &= policy == "Orphan";
            named.insert(format!("m{at}"));
            cluster.delete(&format!("{MAPS}/m{at}"), &json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}).to_string());
            collector.run(&mut cluster);
        }
        let mut afresh = Graph::new(&cluster.memory);
        prop_assert_eq!(afresh.plan(&cluster.registry, &cluster.memory).len(), 0);
        let left: Vec<Value> = entries(&cluster.memory, "core/configmaps/").iter().map(|it| it.object.to_value()).collect();
        let uids: BTreeSet<&str> = left.iter().filter_map(|it| it["metadata"]["uid"].as_str()).collect();
        for object in &left {
            prop_assert!(object["metadata"].get("deletionTimestamp").is_none(), "{object} is held");
            for owner in object["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
                prop_assert!(uids.contains(owner["uid"].as_str().unwrap_or_default()), "{object} has an absent owner");
            }
        }
        for at in 0..forest.len() {
            let name = format!("m{at}");
            let is_left = left.iter().any(|it| it["metadata"]["name"] == name.as_str());
            prop_assert!(!(named.contains(&name) && is_left), "{name} was deleted");
            // Whoever has no owner, or only owners that leave orphans, goes only when asked to.
            let roots = forest.get(at).is_none_or(|(owners, _)| owners.iter().all(|it| *it >= at));
            prop_assert!(is_left || named.contains(&name) || !(roots || only_orphans), "{name} went by itself");
        }
    }
}
