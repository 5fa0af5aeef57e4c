//! Random clusters: the model's answers beside a plain evaluator that follows the documentation's sentences on the raw JSON.

use std::net::IpAddr;

use kanon_core::{Change, Object};
use kanon_network::{Endpoint, Model, PortRef, Protocol};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use crate::kind_of;

/// "Network Policies" of the Kubernetes documentation, sentence by sentence.
mod plain {
    use super::{IpAddr, Value};

    #[derive(Clone, Copy, Debug)]
    pub(super) enum End<'v> {
        Pod(&'v Value),
        Address(IpAddr),
    }

    pub(super) struct World<'v> {
        pub(super) namespaces: &'v [Value],
        pub(super) policies: &'v [Value],
    }

    fn list(value: &Value) -> &[Value] {
        value.as_array().map_or(&[], Vec::as_slice)
    }

    /// "matchLabels … the requirements are ANDed": see "Labels and Selectors".
    fn fits(selector: &Value, labels: &Value) -> bool {
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            if labels[key] != *value {
                return false;
            }
        }
        for it in list(&selector["matchExpressions"]) {
            let value = &labels[it["key"].as_str().expect("a key")];
            let among = list(&it["values"]).contains(value);
            let holds = match it["operator"].as_str().expect("an operator") {
                "In" => !value.is_null() && among,
                "NotIn" => value.is_null() || !among,
                "Exists" => !value.is_null(),
                _ => value.is_null(),
            };
            if !holds {
                return false;
            }
        }
        true
    }

    fn bits(address: IpAddr) -> Vec<bool> {
        let bytes = match address {
            IpAddr::V4(it) => it.octets().to_vec(),
            IpAddr::V6(it) => it.octets().to_vec(),
        };
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1)).collect()
    }

    fn within(cidr: &str, address: IpAddr) -> bool {
        let (base, prefix) = cidr.split_once('/').expect("a CIDR");
        let (base, prefix): (IpAddr, usize) = (base.parse().expect("an address"), prefix.parse().expect("a prefix"));
        base.is_ipv4() == address.is_ipv4() && bits(base)[..prefix] == bits(address)[..prefix]
    }

    fn is_host_network(pod: &Value) -> bool {
        pod["spec"]["hostNetwork"] == true
    }

    impl World<'_> {
        /// "A pod is isolated for egress if there is any NetworkPolicy that both selects the pod and has "Egress" in its
        /// policyTypes"; the same for ingress.
        fn isolating(&self, pod: &Value, direction: &str) -> Vec<&Value> {
            let effective = |policy: &Value| {
                let spec = &policy["spec"];
                let types = list(&spec["policyTypes"]);
                if types.is_empty() {
                    // "Ingress will always be set and Egress will be set if the NetworkPolicy has any egress rules."
                    direction == "Ingress" || !list(&spec["egress"]).is_empty()
                } else {
                    types.iter().any(|it| it == direction)
                }
            };
            let chosen = self.policies.iter().filter(|it| {
                it["metadata"]["namespace"] == pod["metadata"]["namespace"]
                    && fits(&it["spec"]["podSelector"], &pod["metadata"]["labels"])
                    && effective(it)
            });
            chosen.collect()
        }

        fn is_peer(&self, policy: &Value, peer: &Value, end: End<'_>) -> bool {
            if let Some(cidr) = peer["ipBlock"]["cidr"].as_str() {
                let in_block = |address: IpAddr| {
                    within(cidr, address)
                        && !list(&peer["ipBlock"]["except"])
                            .iter()
                            .any(|it| within(it.as_str().expect("text"), address))
                };
                return match end {
                    End::Address(address) => in_block(address),
                    End::Pod(pod) => {
                        let ips = list(&pod["status"]["podIPs"]);
                        ips.iter().any(|it| in_block(it["ip"].as_str().expect("text").parse().expect("an address")))
                    }
                };
            }
            let End::Pod(pod) = end else { return false };
            // "it ignores hostNetwork pods when matching podSelector and namespaceSelector"
            if is_host_network(pod) {
                return false;
            }
            let home = &pod["metadata"]["namespace"];
            let in_scope = match &peer["namespaceSelector"] {
                Value::Null => policy["metadata"]["namespace"] == *home,
                selector => {
                    let namespace = self.namespaces.iter().find(|it| it["metadata"]["name"] == *home);
                    fits(selector, &namespace.expect("a namespace")["metadata"]["labels"])
                }
            };
            in_scope && fits(&peer["podSelector"], &pod["metadata"]["labels"])
        }

        fn is_port(entry: &Value, to: End<'_>, port: u16, protocol: &str) -> bool {
            if entry["protocol"].as_str().unwrap_or("TCP") != protocol {
                return false;
            }
            match &entry["port"] {
                Value::Null => true,
                Value::String(name) => {
                    let End::Pod(pod) = to else { return false };
                    let containers = list(&pod["spec"]["containers"]).iter();
                    let mut ports = containers.flat_map(|it| list(&it["ports"]));
                    let named =
                        ports.find(|it| it["name"] == **name && it["protocol"].as_str().unwrap_or("TCP") == protocol);
                    named.is_some_and(|it| it["containerPort"] == port)
                }
                number => {
                    let first = number.as_u64().expect("a number");
                    let last = entry["endPort"].as_u64().unwrap_or(first);
                    first <= u64::from(port) && u64::from(port) <= last
                }
            }
        }

        fn admits(
            &self,
            direction: &str,
            own: End<'_>,
            other: End<'_>,
            to: End<'_>,
            port: u16,
            protocol: &str,
        ) -> bool {
            let End::Pod(pod) = own else { return true };
            if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
                return false;
            }
            if is_host_network(pod) {
                return true;
            }
            if let End::Pod(other) = other {
                // "Pods cannot block access to themselves."
                if std::ptr::eq(pod, other) {
                    return true;
                }
                // "traffic to and from the node where a Pod is running is always allowed"
                if is_host_network(other) && other["spec"]["nodeName"] == pod["spec"]["nodeName"] {
                    return true;
                }
            }
            let isolating = self.isolating(pod, direction);
            if isolating.is_empty() {
                return true;
            }
            // "the set of connections the policies allow is the union of what they allow"
            isolating.iter().any(|policy| {
                let (field, peers) = if direction == "Ingress" { ("ingress", "from") } else { ("egress", "to") };
                list(&policy["spec"][field]).iter().any(|rule| {
                    let (peers, ports) = (list(&rule[peers]), list(&rule["ports"]));
                    (peers.is_empty() || peers.iter().any(|it| self.is_peer(policy, it, other)))
                        && (ports.is_empty() || ports.iter().any(|it| World::is_port(it, to, port, protocol)))
                })
            })
        }

        /// "For a connection from a source pod to a destination pod to be allowed, both the egress policy on the source pod and
        /// the ingress policy on the destination pod need to allow the connection."
        pub(super) fn can_reach(&self, from: End<'_>, to: End<'_>, port: u16, protocol: &str) -> bool {
            self.admits("Egress", from, to, to, port, protocol) && self.admits("Ingress", to, from, to, port, protocol)
        }
    }
}

fn labels() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(select(vec!["app", "tier"]), select(vec!["a", "b", "c"]), 0..3)
        .prop_map(|it| json!(it))
}

fn selector() -> impl Strategy<Value = Value> {
    let operator = select(vec!["In", "NotIn", "Exists", "DoesNotExist"]);
    let expression = (select(vec!["app", "tier", "zone"]), operator, vec(select(vec!["a", "b"]), 1..3)).prop_map(
        |(key, operator, values)| match operator {
            "In" | "NotIn" => json!({"key": key, "operator": operator, "values": values}),
            _ => json!({"key": key, "operator": operator}),
        },
    );
    prop_oneof![
        Just(json!({})),
        labels().prop_map(|it| json!({"matchLabels": it})),
        vec(expression, 1..3).prop_map(|it| json!({"matchExpressions": it})),
    ]
}

const BLOCKS: [&str; 7] =
    ["0.0.0.0/0", "::/0", "10.0.0.0/24", "10.0.0.2/31", "10.0.0.4/30", "fd00::/64", "203.0.113.0/24"];

fn peer() -> impl Strategy<Value = Value> {
    prop_oneof![
        selector().prop_map(|it| json!({"podSelector": it})),
        selector().prop_map(|it| json!({"namespaceSelector": it})),
        (selector(), selector()).prop_map(|(a, b)| json!({"podSelector": a, "namespaceSelector": b})),
        (select(BLOCKS.to_vec()), vec(select(BLOCKS.to_vec()), 0..2))
            .prop_map(|(cidr, except)| json!({"ipBlock": {"cidr": cidr, "except": except}})),
    ]
}

fn port() -> impl Strategy<Value = Value> {
    let protocol = select(vec![Value::Null, json!("TCP"), json!("UDP"), json!("SCTP")]);
    let range = prop_oneof![
        Just((Value::Null, Value::Null)),
        (1_u16..5).prop_map(|it| (json!(it), Value::Null)),
        (1_u16..4, 0_u16..3).prop_map(|(first, more)| (json!(first), json!(first + more))),
        select(vec!["http", "sql"]).prop_map(|it| (json!(it), Value::Null)),
    ];
    (protocol, range).prop_map(|(protocol, (port, end))| {
        let mut entry = json!({});
        for (name, value) in [("protocol", protocol), ("port", port), ("endPort", end)] {
            if !value.is_null() {
                entry[name] = value;
            }
        }
        entry
    })
}

fn rules(peers: &'static str) -> impl Strategy<Value = Value> {
    let absent = |strategy: BoxedStrategy<Vec<Value>>| prop_oneof![1 => Just(None), 3 => strategy.prop_map(Some)];
    let rule = (absent(vec(peer(), 0..3).boxed()), absent(vec(port(), 0..3).boxed())).prop_map(move |(list, ports)| {
        let mut rule = json!({});
        if let Some(list) = list {
            rule[peers] = json!(list);
        }
        if let Some(ports) = ports {
            rule["ports"] = json!(ports);
        }
        rule
    });
    absent(vec(rule, 0..3).boxed()).prop_map(|it| it.map_or(Value::Null, |it| json!(it)))
}

fn policy() -> impl Strategy<Value = Value> {
    let types = select(vec![Value::Null, json!(["Ingress"]), json!(["Egress"]), json!(["Ingress", "Egress"])]);
    let place = (0..4_u8, select(vec!["x", "y"]));
    (place, selector(), types, rules("from"), rules("to")).prop_map(
        |((name, namespace), selector, types, ingress, egress)| {
            let mut spec = json!({"podSelector": selector});
            for (name, value) in [("policyTypes", types), ("ingress", ingress), ("egress", egress)] {
                if !value.is_null() {
                    spec[name] = value;
                }
            }
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": format!("p{name}"), "namespace": namespace}, "spec": spec})
        },
    )
}

fn pods() -> impl Strategy<Value = Vec<Value>> {
    let port = (select(vec!["http", "sql"]), 1_u16..5, select(vec!["TCP", "UDP"]));
    let pod = (select(vec!["x", "y"]), labels(), vec(port, 0..3), 0..8_u8, select(vec!["n1", "n2"]));
    vec(pod, 2..6).prop_map(|pods| {
        let pod = |(at, (namespace, labels, ports, odd, node)): (usize, (&str, Value, Vec<_>, u8, &str))| {
            let ports: Vec<_> = ports
                .into_iter()
                .map(|(name, port, protocol)| json!({"name": name, "containerPort": port, "protocol": protocol}))
                .collect();
            let addresses = json!([{"ip": format!("10.0.0.{}", at + 1)}, {"ip": format!("fd00::{}", at + 1)}]);
            json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("pod{at}"), "namespace": namespace, "labels": labels},
                "spec": {"nodeName": node, "hostNetwork": odd == 0, "containers": [{"name": "c", "ports": ports}]},
                "status": {"phase": if odd == 1 { "Failed" } else { "Running" }, "podIPs": addresses}})
        };
        pods.into_iter().enumerate().map(pod).collect()
    })
}

fn namespaces() -> impl Strategy<Value = Vec<Value>> {
    (labels(), labels()).prop_map(|(x, y)| {
        let namespace = |name: &str, mut labels: Value| {
            labels["kubernetes.io/metadata.name"] = json!(name);
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        };
        vec![namespace("x", x), namespace("y", y)]
    })
}

/// Policies of one name replace each other, as in a cluster.
fn last_of_each(policies: Vec<Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for policy in policies {
        kept.retain(|it| it["metadata"] != policy["metadata"]);
        kept.push(policy);
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn answers_agree_with_the_documentation(
        namespaces in namespaces(), pods in pods(), policies in vec(policy(), 0..5),
    ) {
        let policies = last_of_each(policies);
        let objects: Vec<_> = namespaces.iter().chain(&pods).chain(&policies).map(Object::from_value).collect();
        let model = Model::of_objects(&objects, "default");
        let world = plain::World { namespaces: &namespaces, policies: &policies };
        let outside: Vec<IpAddr> = ["203.0.113.7", "2001:db8::7", "198.51.100.1"].iter().map(|it| it.parse().unwrap()).collect();
        let mut ends: Vec<(plain::End<'_>, Endpoint<'_>)> = Vec::new();
        for pod in &pods {
            let text = |name: &str| pod["metadata"][name].as_str().unwrap();
            ends.push((plain::End::Pod(pod), Endpoint::Pod(model.find_pods(text("namespace"), text("name"))[0])));
        }
        ends.extend(outside.iter().map(|it| (plain::End::Address(*it), Endpoint::Address(*it))));
        for (plain_from, from) in &ends {
            for (plain_to, to) in &ends {
                for port in 1..5 {
                    for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
                        let ours = model.can_reach(*from, *to, &PortRef::Number(port), protocol).unwrap();
                        let want = world.can_reach(*plain_from, *plain_to, port, protocol.as_str());
                        prop_assert_eq!(ours.reachable, want, "{} -> {} {}/{}: {:#?}", from, to, port, protocol, ours);
                        // What admits is named exactly where rules decide.
                        for side in [&ours.egress, &ours.ingress] {
                            prop_assert_eq!(side.admitted_by.is_empty(), side.reason != kanon_network::Reason::Admitted);
                        }
                    }
                }
            }
        }
    }

    /// However changes arrive, the model is that of the objects that are left; and a snapshot stays as it was.
    #[test]
    fn changes_lead_where_a_fresh_look_leads(
        namespaces in namespaces(), pods in pods(), policies in vec(policy(), 0..6),
        order in vec((any::<prop::sample::Index>(), any::<bool>()), 0..40),
    ) {
        let all: Vec<_> = namespaces.iter().chain(&pods).chain(&policies).map(Object::from_value).collect();
        let id = |it: &Object| (it.str_at(&["kind"]).to_owned(), it.str_at(&["metadata", "namespace"]).to_owned(),
            it.str_at(&["metadata", "name"]).to_owned());
        let mut there = std::collections::BTreeMap::new();
        let mut model = Model::default();
        for (index, delete) in order {
            let object = &all[index.index(all.len())];
            let before = model.clone();
            let shown = format!("{before:?}");
            let change = if delete { Change::Deleted } else { Change::Applied };
            let touched = model.apply(&kind_of(object), change, object);
            if delete { there.remove(&id(object)); } else { there.insert(id(object), object.clone()); }
            prop_assert_eq!(format!("{before:?}"), shown);
            if touched.is_none() {
                prop_assert_eq!(format!("{before:?}"), format!("{model:?}"));
            }
        }
        let fresh = Model::of_objects(there.values(), "default");
        prop_assert_eq!(format!("{model:?}"), format!("{fresh:?}"));
    }
}
