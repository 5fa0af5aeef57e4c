//! From objects to [`Rules`].

use std::{collections::BTreeMap, sync::Arc};

use kanon_store::{ListOptions, Memory};
use serde_json::Value;

use super::{Binding, Bindings, GROUP, PolicyRule, Rules, Subject};
use crate::selector::LabelSelector;

/// A role's namespace (empty for cluster roles) and name.
type RoleKey = (String, String);
type Roles = BTreeMap<RoleKey, Arc<Vec<PolicyRule>>>;

impl Rules {
    /// Compiles what is stored.
    pub fn from_memory(memory: &Memory) -> Rules {
        let list = |plural: &str| -> Vec<Value> {
            let page = memory.list(&format!("{GROUP}/{plural}/"), ListOptions::default());
            page.map(|it| it.entries.iter().map(|it| it.object.to_value()).collect()).unwrap_or_default()
        };
        Rules::compile(&list("roles"), &list("clusterroles"), &list("rolebindings"), &list("clusterrolebindings"))
    }

    /// Compiles objects. Cluster roles gather by `aggregationRule` themselves; what a controller has written is not needed.
    pub fn compile(
        roles: &[Value],
        cluster_roles: &[Value],
        role_bindings: &[Value],
        cluster_role_bindings: &[Value],
    ) -> Rules {
        let mut known = Roles::new();
        for role in roles.iter().chain(cluster_roles) {
            let rules = if role["aggregationRule"].is_object() {
                gathered(role, cluster_roles)
            } else {
                role["rules"].as_array().cloned().unwrap_or_default()
            };
            let rules = rules.iter().map(PolicyRule::from_value).collect();
            known.insert((text(role, "namespace"), text(role, "name")), Arc::new(rules));
        }
        let mut compiled = Rules::default();
        for object in cluster_role_bindings {
            compiled.cluster.push(binding(object, &known));
        }
        for object in role_bindings {
            let bindings: &mut Bindings = compiled.namespaces.entry(text(object, "namespace")).or_default();
            bindings.push(binding(object, &known));
        }
        compiled
    }
}

/// The rules of an aggregated cluster role: those of all whose labels its selectors match, in order of name, each once. Roles
/// that are gathered themselves contribute what they gather; a circle ends where it comes back to a role on the way.
pub fn gathered(role: &Value, all: &[Value]) -> Vec<Value> {
    let mut rules = Vec::new();
    gather(role, all, &mut vec![text(role, "name")], &mut rules);
    rules
}

fn gather(role: &Value, all: &[Value], path: &mut Vec<String>, out: &mut Vec<Value>) {
    let selectors = role["aggregationRule"]["clusterRoleSelectors"].as_array();
    let selectors: Vec<LabelSelector> =
        selectors.into_iter().flatten().filter_map(|it| LabelSelector::from_value(it).ok()).collect();
    let mut found: Vec<&Value> = all
        .iter()
        .filter(|it| selectors.iter().any(|selector| selector.matches_value(&it["metadata"]["labels"])))
        .collect();
    found.sort_by_key(|it| text(it, "name"));
    for part in found {
        let name = text(part, "name");
        if path.contains(&name) {
            continue;
        }
        if part["aggregationRule"].is_object() {
            path.push(name);
            gather(part, all, path, out);
            path.pop();
            continue;
        }
        for rule in part["rules"].as_array().into_iter().flatten() {
            if !out.contains(rule) {
                out.push(rule.clone());
            }
        }
    }
}

fn binding(object: &Value, roles: &Roles) -> Binding {
    let (name, namespace) = (text(object, "name"), text(object, "namespace"));
    let member = |member: &str| object["roleRef"][member].as_str().unwrap_or_default();
    let (kind, role) = (member("kind"), member("name"));
    let of = if kind == "Role" { namespace.clone() } else { String::new() };
    let rules = roles.get(&(of, role.to_owned())).cloned();
    let title = if namespace.is_empty() {
        format!("ClusterRoleBinding {name:?} of {kind} {role:?}")
    } else {
        // Upstream's order: name, then namespace.
        format!("RoleBinding {:?} of {kind} {role:?}", format!("{name}/{namespace}"))
    };
    Binding {
        title,
        rules: rules.ok_or_else(|| format!("{}.{GROUP} {role:?} not found", kind.to_lowercase())),
        subjects: object["subjects"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| subject(it, &namespace))
            .collect(),
    }
}

/// A subject and its description.
fn subject(value: &Value, binding_namespace: &str) -> Option<(Subject, String)> {
    let member = |name: &str| value[name].as_str().unwrap_or_default();
    let (kind, name) = (member("kind"), member("name"));
    match kind {
        "User" => Some((Subject::User(name.to_owned()), format!("{kind} {name:?}"))),
        "Group" => Some((Subject::Group(name.to_owned()), format!("{kind} {name:?}"))),
        "ServiceAccount" => {
            let own = member("namespace");
            let namespace = if own.is_empty() { binding_namespace } else { own };
            // An account is in a namespace; one without is nobody.
            let user = (!namespace.is_empty()).then(|| format!("system:serviceaccount:{namespace}:{name}"))?;
            Some((Subject::User(user), format!("{kind} {:?}", format!("{name}/{namespace}"))))
        }
        _ => None,
    }
}

fn text(object: &Value, name: &str) -> String {
    object["metadata"][name].as_str().unwrap_or_default().to_owned()
}
