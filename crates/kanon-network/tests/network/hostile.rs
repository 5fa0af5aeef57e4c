//! Objects that nobody validated: manifests may hold anything. Whatever they do, there is a model, and it answers.

use kanon_core::Object;
use kanon_network::{Check, Endpoint, Model, Options, PortRef, Protocol, checks};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

const KEYS: [&str; 26] = [
    "podSelector",
    "namespaceSelector",
    "matchLabels",
    "matchExpressions",
    "key",
    "operator",
    "values",
    "policyTypes",
    "ingress",
    "egress",
    "from",
    "to",
    "ports",
    "port",
    "endPort",
    "protocol",
    "ipBlock",
    "cidr",
    "except",
    "containers",
    "name",
    "containerPort",
    "hostNetwork",
    "nodeName",
    "podIPs",
    "ip",
];
const TEXTS: [&str; 12] =
    ["", "In", "Exists", "Ingress", "TCP", "10.0.0.0/8", "::/0", "1.2.3.4/33", "é\u{0}\"\\", "http", "10.0.0.1", "a"];

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        select(vec![-1_i64, 0, 1, 80, 65_535, 65_536, i64::MAX]).prop_map(Value::from),
        select(TEXTS.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((select(KEYS.to_vec()), inner), 0..5)
                .prop_map(|it| Value::Object(it.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_has_a_place_in_the_model(specs in vec((anything(), anything(), 0..3_usize), 1..6)) {
        let kinds = [("networking.k8s.io/v1", "NetworkPolicy"), ("v1", "Pod"), ("v1", "Namespace")];
        let objects: Vec<_> = specs.iter().enumerate().map(|(at, (spec, more, kind))| {
            let (api_version, kind) = kinds[*kind];
            Object::from_value(&json!({"apiVersion": api_version, "kind": kind, "spec": spec, "status": more,
                "metadata": {"name": format!("o{at}"), "namespace": "shop", "labels": more}}))
        }).collect();
        let model = Model::of_objects(&objects, "default");
        let options = Options { on: Check::ALL.into(), ..Options::default() };
        for namespace in model.namespaces() {
            let found = checks::check(namespace, &options);
            prop_assert!(found.windows(2).all(|it| it[0].key < it[1].key), "keys are unique and in order");
            for policy in namespace.policies.values() {
                prop_assert!(!namespace.policy_facts(policy).selects.is_empty());
            }
            for pod in namespace.pods.values() {
                let answer = model.can_reach(Endpoint::Pod(pod), Endpoint::Pod(pod), &PortRef::Number(80), Protocol::Tcp);
                // A pod reaches itself unless it has ended.
                prop_assert_eq!(answer.map(|it| it.reachable), Ok(!pod.ended));
            }
        }
    }
}
