//! Who may reach whom: the answer, and the rules that decide it on each side. Both sides must admit the traffic: the source's
//! egress and the destination's ingress. Policies only add: a pod that one of them isolates may do what any of them admits.

use std::{fmt, net::IpAddr};

use serde::Serialize;

use crate::{
    model::{Model, Namespace},
    pod::Pod,
    policy::{Direction, NamespaceScope, Peer, Policy, Rule},
    ports::{PortMatch, PortRange, PortRef, Protocol},
};

/// An end of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'m> {
    /// A pod of the model.
    Pod(&'m Pod),
    /// An address that is no pod's.
    Address(IpAddr),
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// The destination has no such port.
    #[error("{pod} has no {protocol} port named `{name}`: it has {known}")]
    NoSuchPort {
        /// The destination.
        pod: String,
        /// The name asked for.
        name: String,
        /// The protocol asked for.
        protocol: Protocol,
        /// The ports that it has.
        known: String,
    },
    /// An address has no named ports.
    #[error("port `{name}`: {address} is no pod, whose ports have names: give a number")]
    NotAPod {
        /// The destination.
        address: IpAddr,
        /// The name asked for.
        name: String,
    },
}

/// The answer, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Whether declared policy lets the traffic through.
    pub reachable: bool,
    /// The port's number.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// What the source's policies say.
    pub egress: Side,
    /// What the destination's policies say.
    pub ingress: Side,
}

/// One side of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// Whether this side lets it through.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The policies that isolate the pod in this direction, as `namespace/name`.
    pub policies: Vec<String>,
    /// The rules that admit the traffic.
    pub admitted_by: Vec<RuleRef>,
}

/// Why a side decides as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Reason {
    /// No policy isolates the pod in this direction.
    NotIsolated,
    /// A rule admits it.
    Admitted,
    /// Policies isolate the pod, and none of their rules admits it.
    NoRule,
    /// The end is an address outside of the cluster.
    NotAPod,
    /// Policies do not apply to pods on the host network.
    HostNetwork,
    /// A pod always reaches itself.
    SamePod,
    /// Traffic between a pod and its node is always admitted.
    SameNode,
    /// The pod has ended.
    Ended,
}

impl Reason {
    /// A sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Reason::NotIsolated => "no policy isolates the pod in this direction",
            Reason::Admitted => "a rule admits it",
            Reason::NoRule => "policies isolate the pod, and no rule of theirs admits it",
            Reason::NotAPod => "no policy applies to an address outside of the cluster",
            Reason::HostNetwork => "no policy applies to a pod on the host network",
            Reason::SamePod => "a pod always reaches itself",
            Reason::SameNode => "traffic between a pod and its node is always admitted",
            Reason::Ended => "the pod has ended",
        }
    }
}

/// A rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RuleRef {
    /// The policy as `namespace/name`.
    pub policy: String,
    /// The rule's field path: `spec.ingress[0]`.
    pub rule: String,
}

impl fmt::Display for RuleRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.policy, self.rule)
    }
}

/// Where the namespaces of a question are found: a [`Model`], or whoever makes namespaces when they are asked for.
pub trait Namespaces {
    /// A namespace; `None` where nothing is known of it.
    fn namespace(&self, name: &str) -> Option<&Namespace>;
}

impl Namespaces for Model {
    fn namespace(&self, name: &str) -> Option<&Namespace> {
        Model::namespace(self, name)
    }
}

impl Model {
    /// The end that an address is: a live pod's, or nobody's here.
    pub fn endpoint_at(&self, address: IpAddr) -> Endpoint<'_> {
        self.pod_at(address).map_or(Endpoint::Address(address), Endpoint::Pod)
    }

    /// See [`can_reach`].
    ///
    /// # Errors
    /// A port name that the destination does not have.
    pub fn can_reach(
        &self,
        from: Endpoint<'_>,
        to: Endpoint<'_>,
        port: &PortRef,
        protocol: Protocol,
    ) -> Result<Answer, ReachError> {
        can_reach(self, from, to, port, protocol)
    }
}

/// Whether declared policy lets `from` open a connection to `to`, and what decides on each side. Looked at are the namespaces of
/// both ends.
///
/// # Errors
/// A port name that the destination does not have.
pub fn can_reach(
    namespaces: &dyn Namespaces,
    from: Endpoint<'_>,
    to: Endpoint<'_>,
    port: &PortRef,
    protocol: Protocol,
) -> Result<Answer, ReachError> {
    let port = number(to, port, protocol)?;
    let traffic = Traffic { from, to, port, protocol };
    let judge = Judge(namespaces);
    let egress = judge.side(&traffic, Direction::Egress);
    let ingress = judge.side(&traffic, Direction::Ingress);
    Ok(Answer { reachable: egress.allowed && ingress.allowed, port, protocol, egress, ingress })
}

/// Decides each side.
struct Judge<'m>(&'m dyn Namespaces);

impl Judge<'_> {
    fn side(&self, traffic: &Traffic<'_>, direction: Direction) -> Side {
        let simple = |allowed, reason| Side { allowed, reason, policies: Vec::new(), admitted_by: Vec::new() };
        if let Some((allowed, reason)) = traffic.without_policy(direction) {
            return simple(allowed, reason);
        }
        let Endpoint::Pod(pod) = traffic.own(direction) else { return simple(true, Reason::NotAPod) };
        let Some(namespace) = self.0.namespace(&pod.namespace) else { return simple(true, Reason::NotIsolated) };
        let isolating: Vec<_> = namespace.isolating(pod, direction).collect();
        if isolating.is_empty() {
            return simple(true, Reason::NotIsolated);
        }
        let mut admitted_by = Vec::new();
        for policy in &isolating {
            for (at, rule) in policy.rules(direction).iter().enumerate() {
                if self.admits(policy, rule, traffic, direction) {
                    let field = direction.as_str().to_lowercase();
                    admitted_by.push(RuleRef { policy: policy.path(), rule: format!("spec.{field}[{at}]") });
                }
            }
        }
        let allowed = !admitted_by.is_empty();
        let reason = if allowed { Reason::Admitted } else { Reason::NoRule };
        Side { allowed, reason, policies: isolating.iter().map(|it| it.path()).collect(), admitted_by }
    }

    fn admits(&self, policy: &Policy, rule: &Rule, traffic: &Traffic<'_>, direction: Direction) -> bool {
        let other = traffic.own(direction.other());
        rule.ports.as_ref().is_none_or(|it| it.iter().any(|it| traffic.fits(it)))
            && rule.peers.as_ref().is_none_or(|it| it.iter().any(|it| self.is_peer(policy, it, other)))
    }

    fn is_peer(&self, policy: &Policy, peer: &Peer, end: Endpoint<'_>) -> bool {
        match (peer, end) {
            (Peer::Nobody, _) => false,
            (Peer::Block(block, _), Endpoint::Address(address)) => block.contains(address),
            // A pod whose address is not known yet may get any.
            (Peer::Block(block, _), Endpoint::Pod(pod)) => match pod.own_addresses() {
                [] => block.is_everything(),
                addresses => addresses.iter().any(|it| block.contains(*it)),
            },
            (Peer::Pods { namespaces, pods }, Endpoint::Pod(pod)) => {
                // A pod on the host network looks like its node: selectors do not see it.
                !pod.host_network && pods.matches(&pod.labels) && self.is_in(policy, namespaces, pod)
            }
            (Peer::Pods { .. }, Endpoint::Address(_)) => false,
        }
    }

    fn is_in(&self, policy: &Policy, scope: &NamespaceScope, pod: &Pod) -> bool {
        match scope {
            NamespaceScope::Own => policy.namespace == pod.namespace,
            NamespaceScope::Selected(selector) => {
                self.0.namespace(&pod.namespace).is_some_and(|it| selector.matches(&it.labels))
            }
        }
    }
}

impl Policy {
    /// `namespace/name`
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Direction {
    /// The other one.
    pub fn other(self) -> Direction {
        match self {
            Direction::Ingress => Direction::Egress,
            Direction::Egress => Direction::Ingress,
        }
    }
}

impl Pod {
    /// The addresses it is seen under: on the host network the node's.
    fn own_addresses(&self) -> &[IpAddr] {
        if self.host_network && self.addresses.is_empty() { &self.node_addresses } else { &self.addresses }
    }
}

impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Pod(pod) => write!(out, "{}/{}", pod.namespace, pod.key()),
            Endpoint::Address(address) => address.fmt(out),
        }
    }
}

struct Traffic<'t> {
    from: Endpoint<'t>,
    to: Endpoint<'t>,
    port: u16,
    protocol: Protocol,
}

impl<'t> Traffic<'t> {
    /// The end that a direction's policies are about.
    fn own(&self, direction: Direction) -> Endpoint<'t> {
        match direction {
            Direction::Ingress => self.to,
            Direction::Egress => self.from,
        }
    }

    /// What is decided without looking at any policy.
    fn without_policy(&self, direction: Direction) -> Option<(bool, Reason)> {
        let Endpoint::Pod(own) = self.own(direction) else { return None };
        if own.ended {
            return Some((false, Reason::Ended));
        }
        if own.host_network {
            return Some((true, Reason::HostNetwork));
        }
        match self.own(direction.other()) {
            Endpoint::Pod(other) if own == other => Some((true, Reason::SamePod)),
            Endpoint::Pod(other) if other.host_network && !own.node.is_empty() && own.node == other.node => {
                Some((true, Reason::SameNode))
            }
            Endpoint::Address(address) if own.node_addresses.contains(&address) => Some((true, Reason::SameNode)),
            Endpoint::Pod(_) | Endpoint::Address(_) => None,
        }
    }

    fn fits(&self, port: &PortMatch) -> bool {
        port.protocol == self.protocol
            && match &port.range {
                PortRange::All => true,
                PortRange::Numbers(first, last) => (*first..=*last).contains(&self.port),
                PortRange::Named(name) => match self.to {
                    Endpoint::Pod(pod) => pod.port_named(name, self.protocol) == Some(self.port),
                    Endpoint::Address(_) => false,
                },
            }
    }
}

fn number(to: Endpoint<'_>, port: &PortRef, protocol: Protocol) -> Result<u16, ReachError> {
    match (port, to) {
        (PortRef::Number(number), _) => Ok(*number),
        (PortRef::Name(name), Endpoint::Address(address)) => Err(ReachError::NotAPod { address, name: name.clone() }),
        (PortRef::Name(name), Endpoint::Pod(pod)) => pod.port_named(name, protocol).ok_or_else(|| {
            let named = pod.ports.iter().filter(|it| !it.name.is_empty());
            let known: Vec<_> = named.map(|it| format!("{} ({}/{})", it.name, it.number, it.protocol)).collect();
            let known = if known.is_empty() { "no named port".to_owned() } else { known.join(", ") };
            ReachError::NoSuchPort { pod: to.to_string(), name: name.clone(), protocol, known }
        }),
    }
}
