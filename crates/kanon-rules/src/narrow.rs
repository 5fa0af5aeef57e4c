//! What narrows a rule beyond kinds and namespaces (spec/rules 1.11): labels of the object and of its namespace, names, operations,
//! who asks, types of containers. Each is optional, and all that are there must fit.
//!
//! Operations and subjects are those of a request: in loops over stored objects there is none, and they do not narrow.

use kanon_core::{GroupVersionKind, Labels, Object, Operation, Selector, UserInfo, labels};
use kanon_plane::Lookups;
use serde_json::Value;

use crate::{api, validate::Mistakes};

/// Container types, as `container.containerType` has them.
pub(crate) const CONTAINER_TYPES: [&str; 3] = ["standard", "init", "ephemeral"];
/// Operations, as AdmissionReview has them.
pub(crate) const OPERATIONS: [Operation; 4] =
    [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect];

/// The label that the API server gives every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Narrow {
    labels: Selector,
    namespace_labels: Selector,
    /// Patterns; none means all names.
    names: Vec<String>,
    /// None means those of spec/rules 4.7.
    pub operations: Vec<Operation>,
    include: Subjects,
    exclude: Subjects,
    /// None means all.
    pub container_types: Vec<&'static str>,
}

/// Users, groups and service accounts, as patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Subjects {
    users: Vec<String>,
    groups: Vec<String>,
}

impl Subjects {
    fn of(wire: &api::SubjectsSpec, path: &str, mistakes: &mut Mistakes) -> Subjects {
        let mut users = wire.users.clone();
        for (at, account) in wire.service_accounts.iter().enumerate() {
            match account.split_once('/') {
                Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
                    users.push(format!("system:serviceaccount:{namespace}:{name}"));
                }
                _ => mistakes.add(
                    format!("{path}.serviceAccounts[{at}]"),
                    format!("`{account}` is no service account: write `namespace/name`"),
                ),
            }
        }
        Subjects { users, groups: wire.groups.clone() }
    }

    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    fn has(&self, user: &UserInfo) -> bool {
        self.users.iter().any(|it| fits(it, &user.username))
            || self.groups.iter().any(|it| user.groups.iter().any(|group| fits(it, group)))
    }
}

impl Narrow {
    /// Checks the fields of `match`, and the types of containers.
    pub(crate) fn of(matcher: &api::MatcherSpec, types: &[String], mistakes: &mut Mistakes) -> Narrow {
        let mut selector = |field: &str, value: &Value| {
            let object = Object::from_value(value);
            let node = Some(object.root()).filter(|it| !it.is_null());
            Selector::of(node).map_err(|it| mistakes.add(format!("match.{field}"), it)).unwrap_or_default()
        };
        let labels = selector("labelSelector", &matcher.label_selector);
        let namespace_labels = selector("namespaceSelector", &matcher.namespace_selector);
        let mut operations = Vec::new();
        for (at, text) in matcher.operations.iter().enumerate() {
            match OPERATIONS.into_iter().find(|it| it.as_str() == text) {
                Some(it) => operations.push(it),
                None => mistakes.add(
                    format!("match.operations[{at}]"),
                    format!("`{text}` is not one of {}", OPERATIONS.map(Operation::as_str).join(", ")),
                ),
            }
        }
        let mut container_types = Vec::new();
        for (at, text) in types.iter().enumerate() {
            match CONTAINER_TYPES.into_iter().find(|it| it == text) {
                Some(it) => container_types.push(it),
                None => mistakes.add(
                    format!("containerTypes[{at}]"),
                    format!("`{text}` is not one of {}", CONTAINER_TYPES.join(", ")),
                ),
            }
        }
        let include = Subjects::of(&matcher.subjects.include, "match.subjects.include", mistakes);
        let exclude = Subjects::of(&matcher.subjects.exclude, "match.subjects.exclude", mistakes);
        let names = matcher.names.clone();
        Narrow { labels, namespace_labels, names, operations, include, exclude, container_types }
    }

    /// What narrows, for people: a field and what it says.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        let selector = |it: &Selector| if it.is_empty() { String::new() } else { it.to_string() };
        let subjects = |it: &Subjects| {
            let groups = it.groups.iter().map(|it| format!("group {it}"));
            it.users.iter().cloned().chain(groups).collect::<Vec<_>>().join(", ")
        };
        let operations: Vec<_> = self.operations.iter().map(|it| it.as_str()).collect();
        let all = [
            ("labels", selector(&self.labels)),
            ("namespace labels", selector(&self.namespace_labels)),
            ("names", self.names.join(", ")),
            ("operations", operations.join(", ")),
            ("subjects", subjects(&self.include)),
            ("not subjects", subjects(&self.exclude)),
            ("container types", self.container_types.join(", ")),
        ];
        all.into_iter().filter(|it| !it.1.is_empty()).collect()
    }

    /// Whether it depends on the object, beyond its kind and namespace: such a rule is asked alone.
    pub(crate) fn is_by_object(&self) -> bool {
        !self.labels.is_empty() || !self.names.is_empty() || !self.container_types.is_empty() || self.reads_namespace()
    }

    /// Whether labels count, of the object or of its Namespace.
    pub(crate) fn is_by_labels(&self) -> bool {
        !self.labels.is_empty() || self.reads_namespace()
    }

    /// Whether it speaks of requests.
    pub(crate) fn is_by_request(&self) -> bool {
        !self.operations.is_empty() || !self.include.is_empty() || !self.exclude.is_empty()
    }

    /// Whether a user is its business.
    pub(crate) fn admits_subject(&self, user: &UserInfo) -> bool {
        (self.include.is_empty() || self.include.has(user)) && !self.exclude.has(user)
    }

    /// Whether the labels of the Namespace count.
    pub(crate) fn reads_namespace(&self) -> bool {
        !self.namespace_labels.is_empty()
    }

    /// Whether a request of this operation by this user is its business; deletions are, unless they are listed, where the
    /// rule `sees_deletions`.
    pub(crate) fn admits_request(&self, operation: Operation, user: &UserInfo, sees_deletions: bool) -> bool {
        let is_seen = match self.operations.as_slice() {
            [] => operation != Operation::Delete || sees_deletions,
            listed => listed.contains(&operation),
        };
        is_seen && self.admits_subject(user)
    }

    /// Whether the object fits; `name` is its name, or that of the request.
    pub(crate) fn admits_object(
        &self,
        kind: &GroupVersionKind,
        object: &Object,
        name: &str,
        namespace: &str,
        lookups: &dyn Lookups,
    ) -> bool {
        let is_named = self.names.is_empty() || self.names.iter().any(|it| fits(it, name));
        is_named && self.labels.matches_object(object) && self.admits_namespace(kind, object, namespace, lookups)
    }

    /// A Namespace is looked at itself; what has none fits, as for webhooks.
    fn admits_namespace(
        &self,
        kind: &GroupVersionKind,
        object: &Object,
        namespace: &str,
        lookups: &dyn Lookups,
    ) -> bool {
        if !self.reads_namespace() {
            return true;
        }
        let of_namespaces = GroupVersionKind::new("", "v1", "Namespace");
        let name = if *kind == of_namespaces { object.str_at(&["metadata", "name"]) } else { namespace };
        if name.is_empty() {
            return true;
        }
        let found = if *kind == of_namespaces { Some(object) } else { lookups.get(&of_namespaces, "", name) };
        let mut known: Labels = labels(found.and_then(|it| it.at(&["metadata", "labels"])));
        known.entry(NAME_LABEL.to_owned()).or_insert_with(|| name.to_owned());
        self.namespace_labels.matches(&known)
    }
}

/// Whether a text fits a pattern, in which `*` stands for any text and `?` for one character.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Where to go on when what follows the last `*` does not fit: it takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, from));
                at += 1;
            }
            Some(it) if *it == '?' || text.get(from) == Some(it) => (at, from) = (at + 1, from + 1),
            _ => match star {
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    (at, from) = (after, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_none_or(|rest| rest.iter().all(|it| *it == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_text() {
        for (pattern, text, want) in [
            ("web", "web", true),
            ("web", "web-1", false),
            ("web-*", "web-1", true),
            ("*-db", "shop-db", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("w?b", "wéb", true),
            ("w?b", "wb", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("**a", "a", true),
        ] {
            assert_eq!(fits(pattern, text), want, "{pattern} {text}");
        }
    }
}
