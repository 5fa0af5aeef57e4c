//! The four checks of the original (spec/rules 6.3).

use kanon_core::Selector;

use super::{Check, Found, count};
use crate::policy::{Direction, Peer, Policy};

pub(super) fn check(found: &mut Found<'_>) {
    let namespace = found.namespace;
    let pods = namespace.protected().count();
    let denies = namespace.policies.values().any(|it| it.is_default_deny(Direction::Ingress));
    if pods > 0 && !denies {
        let pods = count(pods, "pod");
        let message = format!("namespace `{}` has {pods} and no default-deny policy for ingress", namespace.name);
        found.on_namespace(Check::DefaultDenyMissing, message);
    }
    for policy in namespace.policies.values() {
        broad(found, policy);
        without_pods(found, policy);
    }
}

fn broad(found: &mut Found<'_>, policy: &Policy) {
    for (rule_at, rule) in policy.egress.iter().enumerate() {
        for (peer_at, peer) in rule.peers.iter().flatten().enumerate() {
            if let Peer::Block(block, written) = peer
                && block.is_broad()
            {
                let message = format!(
                    "policy `{}` lets pods reach `{written}`: rule[{rule_at}].to[{peer_at}] is broad",
                    policy.path()
                );
                found.on_policy(Check::BroadCidr, policy, Some((rule_at, Some(peer_at))), message);
            }
        }
    }
}

fn without_pods(found: &mut Found<'_>, policy: &Policy) {
    match &policy.selector {
        Some(it) if Selector::is_empty(it) => {
            if !policy.states_types && policy.ingress.is_empty() && policy.egress.is_empty() {
                let message = format!(
                    "policy `{}` selects every pod and has neither rules nor policyTypes: state policyTypes",
                    policy.path()
                );
                found.on_policy(Check::PolicyWithoutTargets, policy, None, message);
            }
        }
        selector => {
            if found.namespace.selected(policy).next().is_none() {
                let selector =
                    selector.as_ref().map_or("a selector that cannot be read".to_owned(), |it| format!("`{it}`"));
                let message = format!("policy `{}` selects no pod: {selector} fits none", policy.path());
                found.on_policy(Check::UnreachableSelector, policy, None, message);
            }
        }
    }
}
