//! Audit policies: read once, with every mistake named; then asked for each request. The first rule that matches decides.

use std::fmt;

use kanon_core::UserInfo;
use serde::{Deserialize, Serialize};

use crate::rbac::{Attributes, ResourceAttributes};

const API_VERSION: &str = "audit.k8s.io/v1";

/// How much of a request is recorded. Ordered: each level has what the ones before have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Who, what, when, and how it ended.
    Metadata,
    /// The body of the request as well.
    Request,
    /// The body of the answer as well.
    RequestResponse,
}

/// A moment in a request's life at which an event is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Stage {
    /// The head arrived; nothing was decided.
    RequestReceived,
    /// The head of a long answer (a watch) went out.
    ResponseStarted,
    /// The answer is complete.
    ResponseComplete,
    /// The handler broke.
    Panic,
}

const LEVELS: [(&str, Level); 4] = [
    ("None", Level::None),
    ("Metadata", Level::Metadata),
    ("Request", Level::Request),
    ("RequestResponse", Level::RequestResponse),
];

const STAGES: [(&str, Stage); 4] = [
    ("RequestReceived", Stage::RequestReceived),
    ("ResponseStarted", Stage::ResponseStarted),
    ("ResponseComplete", Stage::ResponseComplete),
    ("Panic", Stage::Panic),
];

impl Level {
    /// The word in policies and events.
    pub fn as_str(self) -> &'static str {
        LEVELS.iter().find(|(_, it)| *it == self).map_or("", |(name, _)| name)
    }
}

impl Stage {
    /// The word in policies and events.
    pub fn as_str(self) -> &'static str {
        STAGES.iter().find(|(_, it)| *it == self).map_or("", |(name, _)| name)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What a policy says about a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// How much to record.
    pub level: Level,
    /// Whether `metadata.managedFields` is left out of bodies.
    pub omit_managed_fields: bool,
    omitted: u8,
}

impl Decision {
    /// Whether this stage of the request is recorded.
    pub fn records(self, stage: Stage) -> bool {
        self.level > Level::None && self.omitted & stage.bit() == 0
    }
}

/// A mistake in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, such as `rules[2].level`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.field, self.message)
    }
}

/// Why a text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Neither YAML nor JSON, or fields that no policy has.
    #[error("the audit policy cannot be read: {0}")]
    Syntax(String),
    /// Fields whose values make no sense.
    #[error("the audit policy is invalid: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Problem>),
}

/// A valid policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
    /// For requests that no rule matches there is nothing to record; kept for `RequestReceived` of nothing.
    omit_managed_fields: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    decision: Decision,
    wire: wire::Rule,
}

impl Policy {
    /// Reads a policy as YAML or JSON.
    ///
    /// # Errors
    /// Syntax, unknown fields; and all mistakes of its values at once.
    pub fn parse(text: &str) -> Result<Policy, PolicyError> {
        let policy: wire::Policy = serde_saphyr::from_str(text).map_err(|error| {
            let text = error.to_string();
            PolicyError::Syntax(text.lines().next().unwrap_or_default().to_owned())
        })?;
        let mut problems = Vec::new();
        check_type(&policy, &mut problems);
        let omitted = stages("omitStages", &policy.omit_stages, &mut problems);
        if policy.rules.is_empty() {
            problems.push(Problem { field: "rules".to_owned(), message: "at least one rule is required".to_owned() });
        }
        let mut rules = Vec::with_capacity(policy.rules.len());
        for (at, rule) in policy.rules.into_iter().enumerate() {
            let level = check_rule(&format!("rules[{at}]"), &rule, &mut problems);
            let own = stages(&format!("rules[{at}].omitStages"), &rule.omit_stages, &mut problems);
            let omit_managed_fields = rule.omit_managed_fields.unwrap_or(policy.omit_managed_fields);
            let decision = Decision { level, omit_managed_fields, omitted: omitted | own };
            rules.push(Rule { decision, wire: rule });
        }
        if problems.is_empty() {
            Ok(Policy { rules, omit_managed_fields: policy.omit_managed_fields })
        } else {
            Err(PolicyError::Invalid(problems))
        }
    }

    /// A policy that records this much of every request.
    pub fn all(level: Level) -> Policy {
        let decision = Decision { level, ..Decision::default() };
        Policy { rules: vec![Rule { decision, wire: wire::Rule::default() }], omit_managed_fields: false }
    }

    /// What to record of a request. The user is the one who was authenticated, not the one impersonated.
    pub fn decide(&self, user: Option<&UserInfo>, attributes: &Attributes) -> Decision {
        let rule = self.rules.iter().find(|it| it.matches(user, attributes));
        let nothing = Decision { omit_managed_fields: self.omit_managed_fields, ..Decision::default() };
        rule.map_or(nothing, |it| it.decision)
    }
}

impl Rule {
    fn matches(&self, user: Option<&UserInfo>, attributes: &Attributes) -> bool {
        let rule = &self.wire;
        let has = |list: &[String], text: &str| list.iter().any(|it| it == text);
        let named = rule.users.is_empty() || user.is_some_and(|it| has(&rule.users, &it.username));
        let grouped =
            rule.user_groups.is_empty() || user.is_some_and(|it| it.groups.iter().any(|it| has(&rule.user_groups, it)));
        let verb = match attributes {
            Attributes::Resource(it) => &it.verb,
            Attributes::Path { verb, .. } => verb,
        };
        if !named || !grouped || !(rule.verbs.is_empty() || has(&rule.verbs, verb)) {
            return false;
        }
        match attributes {
            Attributes::Resource(it) => {
                // A rule about other paths does not match resources, a rule about nothing does.
                let is_about_resources = !rule.namespaces.is_empty() || !rule.resources.is_empty();
                (is_about_resources || rule.non_resource_urls.is_empty())
                    && (rule.namespaces.is_empty() || has(&rule.namespaces, &it.namespace))
                    && (rule.resources.is_empty() || rule.resources.iter().any(|group| group.matches(it)))
            }
            Attributes::Path { path, .. } => {
                rule.namespaces.is_empty()
                    && rule.resources.is_empty()
                    && (rule.non_resource_urls.is_empty()
                        || rule.non_resource_urls.iter().any(|it| path_matches(path, it)))
            }
        }
    }
}

impl wire::GroupResources {
    fn matches(&self, it: &ResourceAttributes) -> bool {
        if self.group != it.group {
            return false;
        }
        if self.resources.is_empty() {
            return true;
        }
        if !self.resource_names.is_empty() && !self.resource_names.contains(&it.name) {
            return false;
        }
        let part = it.subresource.as_str();
        self.resources.iter().any(|spec| match spec.split_once('/') {
            None => spec == "*" || (*spec == it.resource && part.is_empty()),
            Some(("*", wanted)) => !part.is_empty() && wanted == part,
            // As upstream: `pods/*` means pods and all of their parts.
            Some((resource, "*")) => resource == it.resource,
            Some((resource, wanted)) => resource == it.resource && wanted == part,
        })
    }
}

fn path_matches(path: &str, spec: &str) -> bool {
    match spec.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == spec,
    }
}

fn check_type(policy: &wire::Policy, problems: &mut Vec<Problem>) {
    for (field, found, wanted) in [("apiVersion", &policy.api_version, API_VERSION), ("kind", &policy.kind, "Policy")] {
        if found != wanted {
            problems.push(Problem { field: field.to_owned(), message: format!("must be `{wanted}`, not `{found}`") });
        }
    }
}

fn check_rule(path: &str, rule: &wire::Rule, problems: &mut Vec<Problem>) -> Level {
    let mut wrong = |field: &str, message: String| problems.push(Problem { field: format!("{path}{field}"), message });
    let level = LEVELS.iter().find(|(name, _)| *name == rule.level).map(|(_, level)| *level);
    if level.is_none() {
        let known = LEVELS.map(|(name, _)| format!("`{name}`")).join(", ");
        let found = if rule.level.is_empty() { "is required".to_owned() } else { format!("`{}`", rule.level) };
        wrong(".level", format!("{found}: must be one of {known}"));
    }
    let about_resources = !rule.resources.is_empty() || !rule.namespaces.is_empty();
    if about_resources && !rule.non_resource_urls.is_empty() {
        wrong(".nonResourceURLs", "a rule cannot be about resources and about other paths".to_owned());
    }
    for (at, url) in rule.non_resource_urls.iter().enumerate() {
        let field = format!(".nonResourceURLs[{at}]");
        if url != "*" && !url.starts_with('/') {
            wrong(&field, format!("`{url}` must begin with `/`"));
        }
        if url.strip_suffix('*').unwrap_or(url).contains('*') {
            wrong(&field, format!("`{url}` may have `*` at its end only"));
        }
    }
    for (at, group) in rule.resources.iter().enumerate() {
        let field = format!(".resources[{at}]");
        if group.group.contains('/') {
            wrong(&field, format!("the group `{}` must not have a version", group.group));
        }
        if group.resources.is_empty() && !group.resource_names.is_empty() {
            wrong(&field, "`resourceNames` needs at least one resource".to_owned());
        }
    }
    level.unwrap_or_default()
}

fn stages(field: &str, names: &[String], problems: &mut Vec<Problem>) -> u8 {
    let mut bits = 0;
    for (at, name) in names.iter().enumerate() {
        match STAGES.iter().find(|(known, _)| known == name) {
            Some((_, stage)) => bits |= stage.bit(),
            None => {
                let known = STAGES.map(|(name, _)| format!("`{name}`")).join(", ");
                let message = format!("`{name}`: must be one of {known}");
                problems.push(Problem { field: format!("{field}[{at}]"), message });
            }
        }
    }
    bits
}

/// Policies as users write them.
mod wire {
    use serde::de::IgnoredAny;

    use super::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct Policy {
        #[serde(default)]
        pub(super) api_version: String,
        #[serde(default)]
        pub(super) kind: String,
        #[serde(default, rename = "metadata")]
        _metadata: Option<IgnoredAny>,
        #[serde(default)]
        pub(super) rules: Vec<Rule>,
        #[serde(default)]
        pub(super) omit_stages: Vec<String>,
        #[serde(default)]
        pub(super) omit_managed_fields: bool,
    }

    #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    pub(super) struct Rule {
        pub(super) level: String,
        pub(super) users: Vec<String>,
        pub(super) user_groups: Vec<String>,
        pub(super) verbs: Vec<String>,
        pub(super) resources: Vec<GroupResources>,
        pub(super) namespaces: Vec<String>,
        #[serde(rename = "nonResourceURLs")]
        pub(super) non_resource_urls: Vec<String>,
        pub(super) omit_stages: Vec<String>,
        pub(super) omit_managed_fields: Option<bool>,
    }

    #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    pub(super) struct GroupResources {
        pub(super) group: String,
        pub(super) resources: Vec<String>,
        pub(super) resource_names: Vec<String>,
    }
}
