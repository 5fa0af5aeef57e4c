//! Nobody grants what they do not have (spec/kubernetes-api.md 4.12): asked when a role or a binding is written.

use std::fmt::Write as _;

use kanon_core::UserInfo;
use serde_json::Value;

use super::{Attributes, GROUP, MASTERS, PolicyRule, ResourceAttributes, Rules, gathered, rule::covers};
use crate::{
    resource::Resource,
    status::{ApiError, Result},
};

impl Rules {
    /// Refuses a role with rules (of one that gathers: all rules there are, since anything may come to it later), or a binding to a role with rules, that the writer does not hold, unless the writer may
    /// `escalate` the role or `bind` it. Ask before admission of every create and update in the group; others pass.
    /// `role` is what a binding refers to, as stored; `cluster_roles` are all of them, for aggregated ones.
    ///
    /// # Errors
    /// 403 with what is missing.
    pub fn check_escalation(
        &self,
        user: &UserInfo,
        resource: &Resource,
        object: &Value,
        role: Option<&Value>,
        cluster_roles: &[Value],
    ) -> Result<()> {
        if resource.gvk.group != GROUP || user.groups.iter().any(|it| it == MASTERS) {
            return Ok(());
        }
        let text = |value: &Value, name: &str| value["metadata"][name].as_str().unwrap_or_default().to_owned();
        let namespace = text(object, "namespace");
        let (granted, verb, of) = match resource.gvk.kind.as_str() {
            "Role" | "ClusterRole" => (written(object), "escalate", None),
            "RoleBinding" | "ClusterRoleBinding" => {
                let reference = &object["roleRef"];
                let Some(role) = role else { return self.check_absent(user, object) };
                (wanted(role, cluster_roles), "bind", Some(reference))
            }
            _ => return Ok(()),
        };
        let (plural, name) = match of {
            None => (resource.plural.clone(), text(object, "name")),
            Some(reference) => role_of(reference),
        };
        if self.may(user, verb, &plural, &namespace, &name) {
            return Ok(());
        }
        let held = self.of_user(user, &namespace);
        let missing: Vec<PolicyRule> =
            granted.iter().flat_map(single).filter(|it| !held.iter().any(|held| includes(held, it))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let why = explanation(user, &missing);
        Err(ApiError::forbidden(&resource.group_resource(), &text(object, "name"), &why))
    }

    /// A binding to a role that is not there may only be made by those who may bind it.
    fn check_absent(&self, user: &UserInfo, object: &Value) -> Result<()> {
        let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
        let (plural, name) = role_of(&object["roleRef"]);
        if self.may(user, "bind", &plural, text("namespace"), &name) {
            return Ok(());
        }
        Err(ApiError::not_found(&crate::status::GroupResource::new(GROUP, plural.trim_end_matches('s')), &name))
    }

    fn may(&self, user: &UserInfo, verb: &str, plural: &str, namespace: &str, name: &str) -> bool {
        let attributes = Attributes::Resource(ResourceAttributes {
            verb: verb.to_owned(),
            namespace: namespace.to_owned(),
            group: GROUP.to_owned(),
            resource: plural.to_owned(),
            name: name.to_owned(),
            ..ResourceAttributes::default()
        });
        self.authorize(user, &attributes).allowed
    }
}

/// Plural and name of the role that a binding refers to.
fn role_of(reference: &Value) -> (String, String) {
    let member = |name: &str| reference[name].as_str().unwrap_or_default();
    (format!("{}s", member("kind").to_lowercase()), member("name").to_owned())
}

/// Whether a write grants something new, so that [`Rules::check_escalation`] has to be asked: a creation, or an update of what is
/// granted or to whom. Changing a label is open to everyone who may update the object.
pub fn changes_grant(resource: &Resource, object: &Value, old: Option<&Value>) -> bool {
    let Some(old) = old else { return true };
    let members = match resource.gvk.kind.as_str() {
        "Role" | "ClusterRole" => ["rules", "aggregationRule"],
        _ => ["roleRef", "subjects"],
    };
    // An absent member and an empty list are the same.
    let part = |value: &'_ Value, name: &str| {
        let part = &value[name];
        (!part.is_null() && part.as_array().is_none_or(|it| !it.is_empty())).then(|| part.clone())
    };
    resource.gvk.group == GROUP && members.iter().any(|name| part(object, name) != part(old, name))
}

/// What writing a role grants.
fn written(role: &Value) -> Vec<PolicyRule> {
    let mut rules = own(role);
    if role["aggregationRule"].is_object() {
        let all = || vec!["*".to_owned()];
        rules.push(PolicyRule { verbs: all(), api_groups: all(), resources: all(), ..PolicyRule::default() });
        rules.push(PolicyRule { verbs: all(), paths: all(), ..PolicyRule::default() });
    }
    rules
}

fn own(role: &Value) -> Vec<PolicyRule> {
    role["rules"].as_array().into_iter().flatten().map(PolicyRule::from_value).collect()
}

/// What binding a role grants.
fn wanted(role: &Value, cluster_roles: &[Value]) -> Vec<PolicyRule> {
    let mut rules = own(role);
    rules.extend(gathered(role, cluster_roles).iter().map(PolicyRule::from_value));
    rules
}

/// A rule in parts that name one verb of one thing each, so that another rule holds such a part wholly or not at all.
fn single(rule: &PolicyRule) -> Vec<PolicyRule> {
    let names: Vec<Vec<String>> = if rule.resource_names.is_empty() {
        vec![Vec::new()]
    } else {
        rule.resource_names.iter().map(|it| vec![it.clone()]).collect()
    };
    let mut parts = Vec::new();
    for verb in &rule.verbs {
        let verbs = vec![verb.clone()];
        for (group, resource) in
            rule.api_groups.iter().flat_map(|group| rule.resources.iter().map(move |it| (group, it)))
        {
            parts.extend(names.iter().map(|names| PolicyRule {
                verbs: verbs.clone(),
                api_groups: vec![group.clone()],
                resources: vec![resource.clone()],
                resource_names: names.clone(),
                paths: Vec::new(),
            }));
        }
        let path =
            |path: &String| PolicyRule { verbs: verbs.clone(), paths: vec![path.clone()], ..PolicyRule::default() };
        parts.extend(rule.paths.iter().map(path));
    }
    parts
}

/// Whether `held` grants all of `part`, which names one thing.
fn includes(held: &PolicyRule, part: &PolicyRule) -> bool {
    let has = |list: &[String], wanted: &[String]| {
        wanted.iter().all(|it| list.contains(it) || list.iter().any(|it| it == "*"))
    };
    let resource = |wanted: &String| {
        let sub = wanted.split_once('/').map(|(_, sub)| format!("*/{sub}"));
        held.resources.iter().any(|it| it == "*" || it == wanted || Some(it) == sub.as_ref())
    };
    has(&held.verbs, &part.verbs)
        && has(&held.api_groups, &part.api_groups)
        && part.resources.iter().all(resource)
        && (held.resource_names.is_empty()
            || (!part.resource_names.is_empty()
                && part.resource_names.iter().all(|it| held.resource_names.contains(it))))
        && part.paths.iter().all(|it| held.paths.iter().any(|held| covers(held, it)))
}

fn explanation(user: &UserInfo, missing: &[PolicyRule]) -> String {
    let list =
        |words: &[String]| format!("[{}]", words.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(" "));
    let mut text = format!(
        "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:",
        user.username,
        list(&user.groups)
    );
    for rule in missing {
        let members = [
            ("APIGroups", &rule.api_groups),
            ("NonResourceURLs", &rule.paths),
            ("Resources", &rule.resources),
            ("ResourceNames", &rule.resource_names),
            ("Verbs", &rule.verbs),
        ];
        let members: Vec<String> = members
            .into_iter()
            .filter(|(_, words)| !words.is_empty())
            .map(|(name, words)| format!("{name}:{}", list(words)))
            .collect();
        // Writing to a string does not fail.
        let _ = write!(text, "\n{{{}}}", members.join(", "));
    }
    text
}
