//! Role-based access control (spec/kubernetes-api.md 4.12): roles and bindings compiled into an immutable [`Rules`] snapshot when
//! one of them changes; a question is then answered without reading an object.

mod compile;
mod escalation;
mod rule;

use std::{collections::BTreeMap, sync::Arc};

use kanon_core::UserInfo;
use serde_json::Value;

pub use compile::gathered;
pub use escalation::changes_grant;
pub use rule::PolicyRule;

use crate::{
    request::{RequestInfo, Target},
    status::{ApiError, GroupResource},
};

/// API group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";
/// The group that may do everything, whatever the rules say.
pub const MASTERS: &str = "system:masters";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attributes {
    /// A resource.
    Resource(ResourceAttributes),
    /// A path that is no resource.
    Path {
        /// The HTTP method in lower case.
        verb: String,
        /// The path as sent, without query.
        path: String,
    },
}

/// A question about a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceAttributes {
    /// `get`, `list`, …, or any word (`impersonate`, `bind`).
    pub verb: String,
    /// Namespace; empty for the whole cluster.
    pub namespace: String,
    /// API group; empty for core.
    pub group: String,
    /// API version; rules do not look at it.
    pub version: String,
    /// Plural.
    pub resource: String,
    /// Subresource; empty for the object itself.
    pub subresource: String,
    /// Name; empty for collections.
    pub name: String,
}

/// The answer to a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// By which binding; or, when it is not allowed, which roles could not be found. May be empty.
    pub reason: String,
}

/// Everything that roles and bindings grant, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Bindings that count everywhere, by subject.
    cluster: Bindings,
    /// Bindings by namespace, then by subject.
    namespaces: BTreeMap<String, Bindings>,
}

/// Bindings in order of their names, and who is in which.
#[derive(Clone, Debug, Default)]
struct Bindings {
    list: Vec<Binding>,
    subjects: BTreeMap<Subject, Vec<usize>>,
}

#[derive(Clone, Debug)]
struct Binding {
    /// `ClusterRoleBinding "al" of ClusterRole "view"`
    title: String,
    /// The role's rules; or the text of its absence.
    rules: Result<Arc<Vec<PolicyRule>>, String>,
    /// The subjects in the order of the object, each with its description.
    subjects: Vec<(Subject, String)>,
}

/// Whom a binding names. Service accounts are users with a name of their own form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    User(String),
    Group(String),
}

impl Attributes {
    /// What a request asks for.
    pub fn of(info: &RequestInfo) -> Attributes {
        match &info.target {
            Target::Resource(verb, address) => Attributes::Resource(ResourceAttributes {
                verb: verb.as_str().to_owned(),
                namespace: address.namespace.clone(),
                group: address.group.clone(),
                version: address.version.clone(),
                resource: address.resource.clone(),
                subresource: address.subresource.clone(),
                name: address.name.clone(),
            }),
            Target::Path(_) => Attributes::Path { verb: info.verb(), path: info.path.clone() },
        }
    }

    /// The refusal (spec 4.1), with the decision's reason if there is one.
    pub fn forbidden(&self, user: &str, reason: &str) -> ApiError {
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        match self {
            Attributes::Resource(it) => {
                let place = match it.namespace.as_str() {
                    "" => "at the cluster scope".to_owned(),
                    namespace => format!("in the namespace {namespace:?}"),
                };
                let (verb, resource, group) = (&it.verb, it.combined(), &it.group);
                let why =
                    format!("User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {place}{reason}");
                ApiError::forbidden(&GroupResource::new(group, &it.resource), &it.name, &why)
            }
            Attributes::Path { verb, path } => {
                let mut error = ApiError::forbidden_path(user, verb, path);
                error.message.push_str(&reason);
                error
            }
        }
    }
}

impl ResourceAttributes {
    /// `pods`, or `pods/exec`.
    fn combined(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

impl Rules {
    /// Answers a question.
    pub fn authorize(&self, user: &UserInfo, attributes: &Attributes) -> Decision {
        if user.groups.iter().any(|it| it == MASTERS) {
            return Decision { allowed: true, reason: String::new() };
        }
        let namespace = match attributes {
            Attributes::Resource(it) => it.namespace.as_str(),
            Attributes::Path { .. } => "",
        };
        let mut missing: Vec<String> = Vec::new();
        for (binding, who) in self.bindings(user, namespace) {
            match &binding.rules {
                Ok(rules) if rules.iter().any(|it| it.allows(attributes)) => {
                    let reason = format!("RBAC: allowed by {} to {who}", binding.title);
                    return Decision { allowed: true, reason };
                }
                Ok(_) => {}
                Err(text) if missing.contains(text) => {}
                Err(text) => missing.push(text.clone()),
            }
        }
        let reason = match missing.as_slice() {
            [] => String::new(),
            [one] => format!("RBAC: {one}"),
            more => format!("RBAC: [{}]", more.join(", ")),
        };
        Decision { allowed: false, reason }
    }

    /// All rules that hold for a user in a namespace (empty: everywhere).
    pub fn of_user<'r>(&'r self, user: &UserInfo, namespace: &str) -> Vec<&'r PolicyRule> {
        let bindings = self.bindings(user, namespace);
        bindings.into_iter().filter_map(|(it, _)| it.rules.as_ref().ok()).flat_map(|it| it.iter()).collect()
    }

    /// Bindings that name the user, cluster-wide ones first, with the subject that does.
    fn bindings<'r>(&'r self, user: &UserInfo, namespace: &str) -> Vec<(&'r Binding, &'r str)> {
        let local = if namespace.is_empty() { None } else { self.namespaces.get(namespace) };
        let mut found = self.cluster.of(user);
        found.extend(local.map(|it| it.of(user)).unwrap_or_default());
        found
    }
}

impl Bindings {
    fn push(&mut self, binding: Binding) {
        let at = self.list.len();
        for (subject, _) in &binding.subjects {
            self.subjects.entry(subject.clone()).or_default().push(at);
        }
        self.list.push(binding);
    }

    fn of(&self, user: &UserInfo) -> Vec<(&Binding, &str)> {
        let own = std::iter::once(Subject::User(user.username.clone()));
        let mut found: Vec<usize> = own
            .chain(user.groups.iter().map(|it| Subject::Group(it.clone())))
            .filter_map(|it| self.subjects.get(&it))
            .flatten()
            .copied()
            .collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|at| self.list.get(at)).filter_map(|it| Some((it, it.names(user)?))).collect()
    }
}

impl Binding {
    /// How the first subject that the user is in is described.
    fn names(&self, user: &UserInfo) -> Option<&str> {
        let is_in = |subject: &Subject| match subject {
            Subject::User(name) => *name == user.username,
            Subject::Group(name) => user.groups.contains(name),
        };
        self.subjects.iter().find(|(subject, _)| is_in(subject)).map(|(_, text)| text.as_str())
    }
}

/// The texts of a list; what is no text is left out.
fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
