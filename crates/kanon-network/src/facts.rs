//! Facts of namespaces, pods and policies as plain data (spec/rules 6.6): what rules of mode `network` read as `network.namespace`,
//! `network.pod` and `network.policy`, and what commands show.

use kanon_core::Labels;
use serde::Serialize;

use crate::{
    model::Namespace,
    pod::Pod,
    policy::{Direction, Policy, Rule},
};

/// `network.namespace`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceFacts {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// How many pods policies protect.
    pub pod_count: usize,
    /// How many policies there are.
    pub policy_count: usize,
    /// Whether a policy isolates every pod for ingress and admits nothing.
    pub default_deny_ingress: bool,
    /// The same for egress.
    pub default_deny_egress: bool,
    /// Pods that no policy isolates for ingress.
    pub unprotected_pods: Vec<String>,
}

/// `network.pod`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodFacts {
    /// Names of the policies that select it.
    pub policies: Vec<String>,
    /// Whether one of them isolates it for ingress.
    pub ingress_isolated: bool,
    /// Whether one of them isolates it for egress.
    pub egress_isolated: bool,
    /// Whether anybody may connect to it, on some port at least.
    pub ingress_open_to_all: bool,
    /// Whether it may connect to anybody, on some port at least.
    pub egress_open_to_all: bool,
    /// The ports that its containers announce, as `80/TCP`.
    pub exposed_ports: Vec<String>,
}

/// `network.policy`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyFacts {
    /// The pod selector as kubectl takes one; `<all>` for every pod, `<none>` for none.
    pub selects: String,
    /// The directions in which it isolates.
    pub types: Vec<&'static str>,
    /// What may come in.
    pub ingress: Vec<RuleFacts>,
    /// What may go out.
    pub egress: Vec<RuleFacts>,
    /// Keys of the pods that it selects now.
    pub selected_pods: Vec<String>,
}

/// A rule of [`PolicyFacts`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleFacts {
    /// The other ends; empty for everybody.
    pub peers: Vec<String>,
    /// The ports, as `80/TCP`; empty for all.
    pub ports: Vec<String>,
    /// Whether everybody is admitted.
    pub open_to_all: bool,
}

impl Namespace {
    /// Facts of the namespace.
    pub fn facts(&self) -> NamespaceFacts {
        let has_deny = |direction| self.policies.values().any(|it| it.is_default_deny(direction));
        let unprotected = self.protected().filter(|it| self.isolating(it, Direction::Ingress).next().is_none());
        NamespaceFacts {
            name: self.name.clone(),
            labels: self.labels.clone(),
            pod_count: self.protected().count(),
            policy_count: self.policies.len(),
            default_deny_ingress: has_deny(Direction::Ingress),
            default_deny_egress: has_deny(Direction::Egress),
            unprotected_pods: unprotected.map(|it| it.key()).collect(),
        }
    }

    /// Facts of a pod of the namespace, or of one with such labels.
    pub fn pod_facts(&self, pod: &Pod) -> PodFacts {
        // Policies do not apply to what has no network of its own.
        let isolates = |direction| pod.is_protected() && self.isolating(pod, direction).next().is_some();
        let open = |direction: Direction| {
            let mut rules = self.isolating(pod, direction).flat_map(|it| it.rules(direction));
            !isolates(direction) || rules.any(Rule::is_open_to_all)
        };
        PodFacts {
            policies: self.policies.values().filter(|it| it.selects(pod)).map(|it| it.name.clone()).collect(),
            ingress_isolated: isolates(Direction::Ingress),
            egress_isolated: isolates(Direction::Egress),
            ingress_open_to_all: open(Direction::Ingress),
            egress_open_to_all: open(Direction::Egress),
            exposed_ports: pod.ports.iter().map(|it| format!("{}/{}", it.number, it.protocol)).collect(),
        }
    }

    /// Facts of a policy of the namespace.
    pub fn policy_facts(&self, policy: &Policy) -> PolicyFacts {
        let types = [Direction::Ingress, Direction::Egress].into_iter().filter(|it| policy.is_effective(*it));
        PolicyFacts {
            selects: policy.selector.as_ref().map_or("<none>".to_owned(), ToString::to_string),
            types: types.map(Direction::as_str).collect(),
            ingress: policy.ingress.iter().map(Rule::facts).collect(),
            egress: policy.egress.iter().map(Rule::facts).collect(),
            selected_pods: self.selected(policy).map(|it| it.key()).collect(),
        }
    }
}

impl Rule {
    /// The rule in words.
    pub fn facts(&self) -> RuleFacts {
        RuleFacts {
            peers: self.peers.iter().flatten().map(ToString::to_string).collect(),
            ports: self.ports.iter().flatten().map(ToString::to_string).collect(),
            open_to_all: self.is_open_to_all(),
        }
    }
}
