//! One quota: what it bounds, and which objects it counts.

use std::collections::BTreeSet;

use kanon_core::{Node, Object};

use super::usage::{Fact, PodFact, collection_of};
use crate::amounts::{self, Amounts};

/// A quota as its spec says it.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) name: String,
    pub(super) hard: Amounts,
    conditions: Vec<Condition>,
    /// The spec's text: a quota whose status changed is the same.
    spec: String,
}

/// What a pod must be to be counted.
#[derive(Clone, Debug)]
struct Condition {
    scope: String,
    operator: String,
    values: Vec<String>,
}

impl Bounds {
    pub(super) fn read(quota: &Object) -> Bounds {
        let scopes = quota.at(&["spec", "scopes"]).into_iter().flat_map(Node::elements).map(|it| Condition {
            scope: owned(Some(it)),
            operator: "Exists".to_owned(),
            values: Vec::new(),
        });
        let expressions = quota.at(&["spec", "scopeSelector", "matchExpressions"]);
        let selector = expressions.into_iter().flat_map(Node::elements).map(|it| Condition {
            scope: owned(it.get("scopeName")),
            operator: owned(it.get("operator")),
            values: amounts::list(it, "values").map(|it| owned(Some(it))).collect(),
        });
        Bounds {
            name: quota.str_at(&["metadata", "name"]).to_owned(),
            hard: amounts::read(quota.at(&["spec", "hard"])),
            conditions: scopes.chain(selector).collect(),
            spec: spec_of(quota).to_owned(),
        }
    }

    /// Whether this was read from a quota with the same spec.
    pub(super) fn is_of(&self, quota: &Object) -> bool {
        self.name == quota.str_at(&["metadata", "name"]) && self.spec == spec_of(quota)
    }

    /// Whether an object is among those that are counted, if they use what is bounded.
    pub(super) fn selects(&self, fact: &Fact) -> bool {
        self.conditions.iter().all(|it| fact.pod.as_ref().is_some_and(|pod| it.holds(pod)))
    }

    /// What an object uses of what is bounded.
    pub(super) fn share(&self, fact: &Fact) -> Amounts {
        if !self.selects(fact) {
            return Amounts::new();
        }
        let bounded = fact.usage.iter().filter(|(name, _)| self.hard.contains_key(*name));
        bounded.map(|(name, amount)| (name.clone(), *amount)).collect()
    }

    /// Where the objects are that use what is bounded.
    pub(super) fn collections(&self) -> BTreeSet<String> {
        self.hard.keys().filter_map(|name| collection_of(name)).collect()
    }
}

fn spec_of(quota: &Object) -> &str {
    quota.at(&["spec"]).map(Node::raw).unwrap_or_default()
}

fn owned(node: Option<Node<'_>>) -> String {
    node.and_then(Node::as_str).unwrap_or_default().into_owned()
}

impl Condition {
    fn holds(&self, pod: &PodFact) -> bool {
        match self.scope.as_str() {
            "Terminating" => pod.has_deadline,
            "NotTerminating" => !pod.has_deadline,
            "BestEffort" => pod.is_best_effort,
            "NotBestEffort" => !pod.is_best_effort,
            "CrossNamespacePodAffinity" => pod.crosses_namespaces,
            "PriorityClass" => {
                let class = &pod.priority_class;
                match self.operator.as_str() {
                    "Exists" => !class.is_empty(),
                    "DoesNotExist" => class.is_empty(),
                    "In" => self.values.contains(class) && !class.is_empty(),
                    "NotIn" => !self.values.contains(class),
                    _ => false,
                }
            }
            _ => false,
        }
    }
}
