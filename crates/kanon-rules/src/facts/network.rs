//! `network`: what rules of mode `network` read of the policies around an object (spec/rules 6.6). Everything is found when it is
//! read. What it rests on is noted by the reader, which also keeps a namespace's own rules in their namespace.

use std::net::IpAddr;

use kanon_core::{GroupVersionKind, Node, Object};
use kanon_lang::{Arena, EvalError, Record, Value};
use kanon_network::{
    Endpoint, Kinds, Namespace, Namespaces, Pod, PortRef, Protocol, ReachError, can_reach,
    facts::{NamespaceFacts, PodFacts, PolicyFacts, RuleFacts},
};

use super::record;
use crate::lookups::{cluster::fail, reader::Reader};

/// `network` of an object; nil where the loop shows none.
pub(super) fn value<'a>(
    kind: &'a GroupVersionKind,
    object: &'a Object,
    reader: &'a Reader<'a>,
    arena: &'a Arena,
) -> Value<'a> {
    if !reader.shows_network() {
        return Value::Null;
    }
    // A Namespace lives in none, and is about its own.
    let own = if *kind == Kinds::namespace().gvk { "name" } else { "namespace" };
    record(arena, Network { kind, object, namespace: object.str_at(&["metadata", own]), reader })
}

/// See the module.
struct Network<'q> {
    kind: &'q GroupVersionKind,
    object: &'q Object,
    /// The object's own.
    namespace: &'q str,
    reader: &'q Reader<'q>,
}

impl<'q> Network<'q> {
    fn around(&self) -> Option<&'q Namespace> {
        self.reader.scene(self.namespace)?.namespace()
    }

    fn of_namespace<'a>(&'a self, arena: &'a Arena) -> Option<Value<'a>> {
        let scene = self.reader.scene(self.namespace)?;
        self.reader.rests_on(&Kinds::namespace(), "", [self.namespace]);
        self.reader.rests_on_policies(self.namespace, scene.namespace()?.policies.keys().map(String::as_str));
        Some(record(arena, OfNamespace(scene.facts()?)))
    }

    fn of_pod<'a>(&'a self, arena: &'a Arena) -> Option<Value<'a>> {
        let pod = Pod::of(self.kind, self.object)?;
        let facts = self.around()?.pod_facts(&pod);
        self.reader.rests_on_policies(self.namespace, facts.policies.iter().map(String::as_str));
        Some(of_pod(&facts, arena))
    }

    fn of_policy<'a>(&'a self, arena: &'a Arena) -> Option<Value<'a>> {
        if *self.kind != Kinds::policy().gvk {
            return None;
        }
        let namespace = self.around()?;
        let policy = namespace.policies.get(self.object.str_at(&["metadata", "name"]))?;
        let facts = namespace.policy_facts(policy);
        self.reader.rests_on(&Kinds::pod(), self.namespace, facts.selected_pods.iter().map(String::as_str));
        Some(of_policy(&facts, arena))
    }
}

impl Record for Network<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let found = match name {
            "namespace" => self.of_namespace(arena),
            "pod" => self.of_pod(arena),
            "policy" => self.of_policy(arena),
            "canReach" => Some(record(arena, CanReach { reader: self.reader, namespace: self.namespace })),
            _ => return None,
        };
        Some(found.unwrap_or(Value::Null))
    }

    fn names(&self) -> &'static [&'static str] {
        &["canReach", "namespace", "pod", "policy"]
    }
}

/// `network.namespace`
struct OfNamespace<'q>(&'q NamespaceFacts);

impl Record for OfNamespace<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let facts = self.0;
        Some(match name {
            "name" => Value::Str(&facts.name),
            "labels" => {
                let labels = facts.labels.iter().map(|(key, value)| (Value::Str(key), Value::Str(value)));
                Value::Map(arena.alloc_slice_fill_iter(labels))
            }
            "podCount" => count(facts.pod_count),
            "policyCount" => count(facts.policy_count),
            "defaultDenyIngress" => Value::Bool(facts.default_deny_ingress),
            "defaultDenyEgress" => Value::Bool(facts.default_deny_egress),
            "unprotectedPods" => texts(&facts.unprotected_pods, arena),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        &["defaultDenyEgress", "defaultDenyIngress", "labels", "name", "podCount", "policyCount", "unprotectedPods"]
    }
}

/// `network.pod`
fn of_pod<'a>(facts: &PodFacts, arena: &'a Arena) -> Value<'a> {
    let PodFacts {
        policies,
        ingress_isolated,
        egress_isolated,
        ingress_open_to_all,
        egress_open_to_all,
        exposed_ports,
    } = facts;
    map(
        [
            ("policies", texts(policies, arena)),
            ("ingressIsolated", Value::Bool(*ingress_isolated)),
            ("egressIsolated", Value::Bool(*egress_isolated)),
            ("ingressOpenToAll", Value::Bool(*ingress_open_to_all)),
            ("egressOpenToAll", Value::Bool(*egress_open_to_all)),
            ("exposedPorts", texts(exposed_ports, arena)),
        ],
        arena,
    )
}

/// `network.policy`
fn of_policy<'a>(facts: &PolicyFacts, arena: &'a Arena) -> Value<'a> {
    let PolicyFacts { selects, types, ingress, egress, selected_pods } = facts;
    let rules = |list: &[RuleFacts]| {
        Value::List(arena.alloc_slice_fill_iter(list.iter().map(|RuleFacts { peers, ports, open_to_all }| {
            let open = Value::Bool(*open_to_all);
            map([("peers", texts(peers, arena)), ("ports", texts(ports, arena)), ("openToAll", open)], arena)
        })))
    };
    map(
        [
            ("selects", Value::Str(arena.alloc_str(selects))),
            ("types", Value::List(arena.alloc_slice_fill_iter(types.iter().map(|it| Value::Str(it))))),
            ("ingress", rules(ingress)),
            ("egress", rules(egress)),
            ("selectedPods", texts(selected_pods, arena)),
        ],
        arena,
    )
}

fn map<'a, const N: usize>(members: [(&'static str, Value<'a>); N], arena: &'a Arena) -> Value<'a> {
    Value::Map(arena.alloc(members.map(|(name, value)| (Value::Str(name), value))))
}

fn texts<'a>(list: &[String], arena: &'a Arena) -> Value<'a> {
    Value::List(arena.alloc_slice_fill_iter(list.iter().map(|it| Value::Str(arena.alloc_str(it)))))
}

fn count<'a>(number: usize) -> Value<'a> {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// `network.canReach`
struct CanReach<'q> {
    reader: &'q Reader<'q>,
    /// Of pods whose namespace is not named.
    namespace: &'q str,
}

/// An end of the traffic in question.
enum End<'q> {
    Known(&'q Pod),
    Made(Box<Pod>),
    Address(IpAddr),
    /// A pod that is not there, or that the rule does not see.
    Gone,
}

impl End<'_> {
    fn endpoint(&self) -> Option<Endpoint<'_>> {
        match self {
            End::Known(pod) => Some(Endpoint::Pod(pod)),
            End::Made(pod) => Some(Endpoint::Pod(pod)),
            End::Address(address) => Some(Endpoint::Address(*address)),
            End::Gone => None,
        }
    }
}

/// The namespaces that a rule sees.
struct Seen<'q>(&'q Reader<'q>);

impl Namespaces for Seen<'_> {
    fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.0.scene(name)?.namespace()
    }
}

impl<'q> CanReach<'q> {
    fn run(&self, args: &[Value<'_>]) -> Result<bool, EvalError> {
        let (from, to, port, protocol) = match args {
            [from, to, port] => (from, to, port, Value::Null),
            [from, to, port, protocol] => (from, to, port, *protocol),
            _ => return Err(fail("`network.canReach` takes who, whom, a port and a protocol".to_owned())),
        };
        let (from, to) = (self.end(*from)?, self.end(*to)?);
        let (port, protocol) = (port_of(*port)?, protocol_of(protocol)?);
        let (Some(from), Some(to)) = (from.endpoint(), to.endpoint()) else { return Ok(false) };
        match can_reach(&Seen(self.reader), from, to, &port, protocol) {
            Ok(answer) => {
                for policy in answer.egress.policies.iter().chain(&answer.ingress.policies) {
                    if let Some((namespace, name)) = policy.split_once('/') {
                        self.reader.rests_on_policies(namespace, [name]);
                    }
                }
                Ok(answer.reachable)
            }
            // What a pod does not offer cannot be reached on it.
            Err(ReachError::NoSuchPort { .. }) => Ok(false),
            Err(error @ ReachError::NotAPod { .. }) => Err(fail(format!("`network.canReach`: {error}"))),
        }
    }

    fn end(&self, value: Value<'_>) -> Result<End<'q>, EvalError> {
        match value {
            Value::Str(text) => self.named(text),
            Value::Node(node) => self.object(node),
            value if value.is_nil() => Ok(End::Gone),
            _ => {
                Err(fail("`network.canReach`: an end is a pod, a workload, `namespace/name` or an address".to_owned()))
            }
        }
    }

    /// `10.0.0.1`, `web-0`, `shop/web-0`, `shop/deployment/web`
    fn named(&self, text: &str) -> Result<End<'q>, EvalError> {
        if let Ok(address) = text.parse() {
            return Ok(End::Address(address));
        }
        let (namespace, name) = text.split_once('/').unwrap_or((self.namespace, text));
        if namespace.is_empty() || name.is_empty() {
            return Err(fail(format!("`network.canReach`: `{text}` is no pod: write `namespace/name`")));
        }
        self.reader.rests_on(&Kinds::pod(), namespace, [name]);
        let Some(scene) = self.reader.scene(namespace) else { return Ok(End::Gone) };
        match scene.model().find_pods(namespace, name)[..] {
            [] => Ok(End::Gone),
            [pod] => Ok(End::Known(pod)),
            [..] => Err(fail(format!(
                "`network.canReach`: `{text}` is more than one workload: write `namespace/kind/name`"
            ))),
        }
    }

    /// The object of the rule, or one that it looked up.
    fn object(&self, node: Node<'_>) -> Result<End<'q>, EvalError> {
        let object = node.to_object();
        let kind = GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
        let Some(mut pod) = Pod::of(&kind, &object) else {
            return Err(fail(format!(
                "`network.canReach`: {} `{}` has no pods",
                kind.kind,
                object.str_at(&["metadata", "name"])
            )));
        };
        if pod.namespace.is_empty() {
            self.namespace.clone_into(&mut pod.namespace);
        }
        if self.reader.scene(&pod.namespace).is_none() {
            return Ok(End::Gone);
        }
        if pod.kind == "Pod" {
            self.reader.rests_on(&Kinds::pod(), &pod.namespace, [pod.name.as_str()]);
        }
        Ok(End::Made(Box::new(pod)))
    }
}

impl Record for CanReach<'_> {
    fn get<'a>(&'a self, _: &str, _: &'a Arena) -> Option<Value<'a>> {
        None
    }

    fn names(&self) -> &[&str] {
        &[]
    }

    fn call<'a>(&'a self, args: &[Value<'a>], _: &'a Arena) -> Option<Result<Value<'a>, EvalError>> {
        Some(self.run(args).map(Value::Bool))
    }
}

fn port_of(value: Value<'_>) -> Result<PortRef, EvalError> {
    let port = match value {
        Value::Int(number) => number.to_string().parse(),
        Value::Str(text) => text.parse(),
        _ => Err("a port is a number or a name".to_owned()),
    };
    port.map_err(|it: String| fail(format!("`network.canReach`: {it}")))
}

fn protocol_of(value: Value<'_>) -> Result<Protocol, EvalError> {
    match value {
        Value::Str(text) => text.parse().map_err(|it| fail(format!("`network.canReach`: {it}"))),
        value if value.is_nil() => Ok(Protocol::Tcp),
        _ => Err(fail("`network.canReach`: a protocol is TCP, UDP or SCTP".to_owned())),
    }
}
