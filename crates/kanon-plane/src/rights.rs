//! What a process needs to be allowed to do, as families know it: what they have written, and whose policies want it. Whoever grants
//! rights learns from it what they are for. Reading the kinds of policies and facts goes without saying: [`Plane::needs`] adds it.
//!
//! [`Plane::needs`]: crate::Plane::needs

use std::collections::BTreeSet;

use kanon_core::{Kind, Place, Scope};

use crate::Right;

/// One right that is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// To do what.
    pub right: Right,
    /// Objects that it is limited to; all where there are none.
    pub names: Vec<String>,
    /// The namespace that it is limited to.
    pub namespace: Option<String>,
    /// What for: a fragment, such as `rule no-root`; may be empty.
    pub reason: String,
}

/// What a family needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The rights.
    pub rights: BTreeSet<Need>,
    /// What it is not known how to ask for: whose kinds nobody serves. A sentence each.
    pub unknown: Vec<String>,
}

impl Needs {
    /// Notes a right everywhere.
    pub fn add(&mut self, right: Right, reason: &str) {
        self.rights.insert(Need { right, names: Vec::new(), namespace: None, reason: reason.to_owned() });
    }

    /// Notes the right to create Events, which every family does.
    pub fn add_events(&mut self, reason: &str) {
        self.add(Right::new("create", "", "events"), reason);
    }

    /// Notes the right to write the status of objects of a kind.
    pub fn add_status(&mut self, kind: &Kind, reason: &str) {
        let right = Right { part: "status", ..Right::new("patch", &kind.gvk.group, &kind.plural) };
        self.add(right, reason);
    }

    /// Notes the rights to apply manifests of a kind: the API server asks for both.
    pub fn add_apply(&mut self, kind: &Kind, names: &[&str], namespace: Option<&str>, reason: &str) {
        for verb in ["create", "patch"] {
            self.rights.insert(Need {
                right: Right::new(verb, &kind.gvk.group, &kind.plural),
                names: names.iter().map(|it| (*it).to_owned()).collect(),
                namespace: namespace.filter(|_| kind.scope == Scope::Namespaced).map(str::to_owned),
                reason: reason.to_owned(),
            });
        }
    }

    /// Notes the rights to watch a kind.
    pub fn add_watch(&mut self, kind: &Kind, reason: &str) {
        for verb in ["list", "watch"] {
            self.add(Right::new(verb, &kind.gvk.group, &kind.plural), reason);
        }
    }

    /// The same for a process that knows some namespaces alone: what is needed everywhere is needed there, and of what has no namespace only
    /// the Namespaces themselves, each of which is read. `scope` says where a resource's objects live.
    #[must_use]
    pub fn within(self, namespaces: &[String], scope: impl Fn(&Right) -> Scope) -> Needs {
        let Needs { rights, unknown } = self;
        let mut narrow = BTreeSet::new();
        for need in rights {
            if need.namespace.is_some() {
                narrow.insert(need);
                continue;
            }
            let Need { right, names, reason, .. } = need;
            for namespace in namespaces {
                let (right, names) = match scope(&right) {
                    Scope::Namespaced => (right.clone(), names.clone()),
                    Scope::Cluster if right.group.is_empty() && right.resource == "namespaces" => {
                        (right.to("get"), vec![namespace.clone()])
                    }
                    Scope::Cluster => continue,
                };
                narrow.insert(Need { right, names, namespace: Some(namespace.clone()), reason: reason.clone() });
            }
        }
        Needs { rights: narrow, unknown }
    }

    /// Notes the right to create Events in one namespace.
    pub fn add_events_in(&mut self, namespace: &str, reason: &str) {
        let right = Right::new("create", "", "events");
        let namespace = Some(namespace.to_owned());
        self.rights.insert(Need { right, names: Vec::new(), namespace, reason: reason.to_owned() });
    }

    /// Notes the rights to watch a place.
    pub fn add_place(&mut self, place: &Place, reason: &str) {
        for verb in ["list", "watch"] {
            self.rights.insert(Need {
                right: Right::new(verb, &place.kind.gvk.group, &place.kind.plural),
                names: place.name.iter().cloned().collect(),
                namespace: Some(place.namespace.clone()),
                reason: reason.to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_everywhere_is_needed_in_each_namespace() {
        let mut needs = Needs::default();
        needs.add_watch(&Kind::namespaced("", "v1", "Pod", "pods"), "rule a");
        needs.add_watch(&Kind::cluster("", "v1", "Namespace", "namespaces"), "");
        needs.add_watch(&Kind::cluster("", "v1", "Node", "nodes"), "rule b");
        needs.add_events_in("own", "policies");
        let cluster = ["namespaces", "nodes"];
        let scope = |it: &Right| if cluster.contains(&&*it.resource) { Scope::Cluster } else { Scope::Namespaced };
        let needs = needs.within(&["a".into(), "b".into()], scope);
        let shown: Vec<_> = needs
            .rights
            .iter()
            .map(|it| {
                let place = it.namespace.as_deref().unwrap_or("-");
                format!("{} {} {} {}", it.right.verb, it.right.resource, it.names.join(","), place)
            })
            .collect();
        let want = [
            "create events  own",
            "get namespaces a a",
            "get namespaces b b",
            "list pods  a",
            "list pods  b",
            "watch pods  a",
            "watch pods  b",
        ];
        assert_eq!(shown, want);
    }
}
