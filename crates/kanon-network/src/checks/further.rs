//! Checks that the original does not have (spec/rules 6.6); off unless asked for.

use super::{Check, Found, count};
use crate::{
    pod::Pod,
    policy::{Direction, Peer, Policy, Rule},
    ports::{PortMatch, PortRange, Protocol},
};

/// How many names a message gives.
const NAMES_MAX: usize = 3;

const DNS: u16 = 53;

pub(super) fn check(found: &mut Found<'_>) {
    let namespace = found.namespace;
    let pods = namespace.protected().count();
    let denies = namespace.policies.values().any(|it| it.is_default_deny(Direction::Egress));
    if pods > 0 && !denies {
        let pods = count(pods, "pod");
        let message = format!("namespace `{}` has {pods} and no default-deny policy for egress", namespace.name);
        found.on_namespace(Check::DefaultDenyEgressMissing, message);
    }
    if found.wants(Check::PodUncovered) {
        uncovered(found, pods);
    }
    for policy in namespace.policies.values() {
        open(found, policy);
        if found.wants(Check::UnknownPort) {
            unknown_ports(found, policy);
        }
        if found.wants(Check::RedundantPolicy) {
            redundant(found, policy);
        }
    }
}

fn uncovered(found: &mut Found<'_>, pods: usize) {
    let namespace = found.namespace;
    let open = namespace.facts().unprotected_pods;
    if namespace.policies.is_empty() || open.is_empty() {
        return;
    }
    let names = open.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = if open.len() > NAMES_MAX { ", …" } else { "" };
    let message = format!(
        "namespace `{}` has {}, none of which isolates {} of its {} for ingress: {names}{more}",
        namespace.name,
        count(namespace.policies.len(), "policy"),
        open.len(),
        count(pods, "pod"),
    );
    found.on_namespace(Check::PodUncovered, message);
}

fn open(found: &mut Found<'_>, policy: &Policy) {
    for (at, rule) in policy.ingress.iter().enumerate() {
        let everyone = |it: &Peer| it.is_everyone() || it.is_every_pod();
        let (part, whom) = match &rule.peers {
            None => (None, "everybody".to_owned()),
            Some(peers) => match peers.iter().position(everyone) {
                Some(part) => (Some(part), format!("every one of `{}`", peers[part])),
                None => continue,
            },
        };
        let message = format!("policy `{}` admits {whom}: rule[{at}] of ingress", policy.path());
        found.on_policy(Check::IngressFromAnywhere, policy, Some((at, part)), message);
    }
    for (at, rule) in policy.egress.iter().enumerate() {
        if rule.peers.is_none() && !is_dns(rule) {
            let message =
                format!("policy `{}` lets pods reach everybody: rule[{at}] of egress has no `to`", policy.path());
            found.on_policy(Check::EgressToAnywhere, policy, Some((at, None)), message);
        }
    }
}

/// Whether a rule is about asking for names only.
fn is_dns(rule: &Rule) -> bool {
    let is_dns = |it: &PortMatch| it.range == PortRange::Numbers(DNS, DNS) && it.protocol != Protocol::Sctp;
    rule.ports.as_ref().is_some_and(|it| it.iter().all(is_dns))
}

fn unknown_ports(found: &mut Found<'_>, policy: &Policy) {
    let pods: Vec<_> = found.namespace.selected(policy).cloned().collect();
    // Announcing ports is a courtesy: only where every pod is courteous can something be said.
    if pods.is_empty() || pods.iter().any(|it| it.ports.is_empty()) {
        return;
    }
    for (at, rule) in policy.ingress.iter().enumerate() {
        for (port_at, port) in rule.ports.iter().flatten().enumerate() {
            if !pods.iter().any(|it| announces(it, port)) {
                let message =
                    format!("policy `{}` admits port {port}, which no pod that it selects announces", policy.path());
                found.on_policy(Check::UnknownPort, policy, Some((at, Some(port_at))), message);
            }
        }
    }
}

fn announces(pod: &Pod, port: &PortMatch) -> bool {
    let mut ports = pod.ports.iter().filter(|it| it.protocol == port.protocol);
    match &port.range {
        PortRange::All => true,
        PortRange::Numbers(first, last) => ports.any(|it| (*first..=*last).contains(&it.number)),
        PortRange::Named(name) => ports.any(|it| it.name == *name),
    }
}

fn redundant(found: &mut Found<'_>, policy: &Policy) {
    // A default deny says what it is for, whatever else isolates the pods.
    if policy.ingress.is_empty() && policy.egress.is_empty() {
        return;
    }
    let others = found.namespace.policies.values().filter(|it| it.name != policy.name);
    // Of twins the first by name stays.
    let mut covering = others.filter(|it| covers(it, policy) && !(covers(policy, it) && policy.name < it.name));
    if let Some(other) = covering.next() {
        let message = format!("policy `{}` adds nothing to `{}`", policy.path(), other.path());
        found.on_policy(Check::RedundantPolicy, policy, None, message);
    }
}

/// Whether `a` isolates all that `b` isolates, and admits all that it admits. What cannot be compared simply is not covered.
fn covers(a: &Policy, b: &Policy) -> bool {
    let selects = a.selects_all() || (a.selector.is_some() && a.selector == b.selector);
    selects
        && [Direction::Ingress, Direction::Egress].into_iter().filter(|it| b.is_effective(*it)).all(|direction| {
            a.is_effective(direction)
                && b.rules(direction).iter().all(|b| {
                    a.rules(direction).iter().any(|a| {
                        let peers = a.peers.is_none() || a.peers == b.peers;
                        let ports = a.ports.is_none() || a.ports == b.ports;
                        peers && ports
                    })
                })
        })
}
