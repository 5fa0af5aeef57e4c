//! One rule, and what it allows.

use serde_json::{Value, json};

use super::{Attributes, ResourceAttributes, texts};

/// Verbs on resources, or on paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyRule {
    /// What may be done; `*` for everything.
    pub verbs: Vec<String>,
    /// API groups; `*` for all.
    pub api_groups: Vec<String>,
    /// Plurals, also with subresource; `*` for all, `*/scale` for that subresource of all.
    pub resources: Vec<String>,
    /// Names it is limited to; empty for all.
    pub resource_names: Vec<String>,
    /// Paths; `*` at the end for all below.
    pub paths: Vec<String>,
}

impl PolicyRule {
    /// Reads a rule of a role.
    pub fn from_value(value: &Value) -> PolicyRule {
        PolicyRule {
            verbs: texts(&value["verbs"]),
            api_groups: texts(&value["apiGroups"]),
            resources: texts(&value["resources"]),
            resource_names: texts(&value["resourceNames"]),
            paths: texts(&value["nonResourceURLs"]),
        }
    }

    /// Whether it allows what is asked for.
    pub fn allows(&self, attributes: &Attributes) -> bool {
        match attributes {
            Attributes::Resource(it) => {
                holds(&self.verbs, &it.verb)
                    && holds(&self.api_groups, &it.group)
                    && self.has_resource(it)
                    && (self.resource_names.is_empty() || self.resource_names.contains(&it.name))
            }
            Attributes::Path { verb, path } => holds(&self.verbs, verb) && self.paths.iter().any(|it| covers(it, path)),
        }
    }

    fn has_resource(&self, asked: &ResourceAttributes) -> bool {
        let combined = asked.combined();
        self.resources.iter().any(|it| {
            let any_with_sub = || it.strip_prefix("*/").is_some_and(|it| it == asked.subresource);
            it == "*" || *it == combined || (!asked.subresource.is_empty() && any_with_sub())
        })
    }

    /// The rule as SelfSubjectRulesReview shows it. For one about resources.
    pub fn resource_rule(&self) -> Value {
        let mut rule = json!({"verbs": self.verbs});
        let lists =
            [("apiGroups", &self.api_groups), ("resources", &self.resources), ("resourceNames", &self.resource_names)];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            rule[name] = json!(list);
        }
        rule
    }

    /// The same for one about paths.
    pub fn path_rule(&self) -> Value {
        json!({"verbs": self.verbs, "nonResourceURLs": self.paths})
    }
}

fn holds(list: &[String], word: &str) -> bool {
    list.iter().any(|it| it == "*" || it == word)
}

/// Whether a path of a rule, perhaps with `*` at its end, covers another path.
pub(super) fn covers(pattern: &str, path: &str) -> bool {
    pattern == path || pattern.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
}
