//! Which gates apply where (spec/promotion-gates 2.2, 2.3): scopes, environments, selectors, and the places at which a gate is
//! asked now.

use std::collections::BTreeMap;

use kanon_core::{Object, ObjectRef};

use crate::{
    api::{GATE, GROUP, VERSION, label},
    facts::{Facts, Key, Target, text_map},
    gate::Gate,
    pipeline::Pipeline,
};

/// What is known of a gate's object besides its spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The object.
    pub subject: ObjectRef,
    /// Its labels; the role is one with them.
    labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.generation`.
    pub generation: i64,
    /// Told by the labels; asked for at every tick.
    role: Role,
}

/// What a gate is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Written by a person, for every Bundle that comes.
    #[default]
    Template,
    /// Permits skipping an environment; never asked in between.
    SkipPermission,
    /// Pauses a Pipeline.
    Freeze,
    /// Made for one Bundle and environment.
    Instance,
}

impl Role {
    fn of(labels: &BTreeMap<String, String>) -> Role {
        let is = |name: &str, value: &str| labels.get(name).is_some_and(|it| it == value);
        if labels.contains_key(label::BUNDLE) {
            Role::Instance
        } else if is(label::FREEZE, "true") {
            Role::Freeze
        } else if is(label::TYPE, label::SKIP_PERMISSION) {
            Role::SkipPermission
        } else {
            Role::Template
        }
    }
}

/// Whose gate it is: told by where it lives, not by its label (2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In a policy namespace.
    Org,
    /// Anywhere else.
    Team,
}

impl Scope {
    /// As the label has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Org => "org",
            Scope::Team => "team",
        }
    }
}

impl Meta {
    /// Reads an object's metadata.
    pub fn of(object: &Object) -> Meta {
        let text = |name| object.str_at(&["metadata", name]).to_owned();
        let gvk = kanon_core::GroupVersionKind::new(GROUP, VERSION, GATE.kind);
        let labels = text_map(object, "labels");
        Meta {
            subject: ObjectRef { gvk, namespace: text("namespace"), name: text("name"), uid: text("uid") },
            role: Role::of(&labels),
            labels,
            annotations: text_map(object, "annotations"),
            generation: object.at(&["metadata", "generation"]).and_then(|it| it.as_i64()).unwrap_or_default(),
        }
    }

    /// Its labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// What the gate is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whose it is.
    pub fn scope(&self, facts: &Facts) -> Scope {
        let org = facts.settings.policy_namespaces.contains(&self.subject.namespace);
        if org { Scope::Org } else { Scope::Team }
    }

    /// The environments that label and annotation name, without the patterns of the spec.
    pub fn named_environments(&self) -> Vec<&str> {
        let both = [self.labels.get(label::APPLIES_TO), self.annotations.get(label::APPLIES_TO)];
        let parts = both.into_iter().flatten().flat_map(|it| it.split(','));
        let mut names: Vec<_> = parts.map(str::trim).filter(|it| !it.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What `applies-to` amounts to, for people.
    pub fn applies_to(&self, gate: Option<&Gate>) -> String {
        let patterns = gate.map(|it| it.applies_to.as_slice()).unwrap_or_default();
        let all: Vec<_> = self.named_environments().into_iter().chain(patterns.iter().map(String::as_str)).collect();
        if all.is_empty() { "-".to_owned() } else { all.join(",") }
    }

    /// Whether the gate is for an environment of this name (2.2.2).
    pub fn matches(&self, gate: &Gate, environment: &str) -> bool {
        self.named_environments().contains(&environment) || gate.applies_to.iter().any(|it| glob(it, environment))
    }
}

/// Namespaces whose gates a Pipeline gets (2.2.1).
pub fn namespaces<'f>(facts: &'f Facts, namespace: &'f str, pipeline: &'f Pipeline) -> Vec<&'f str> {
    let own = pipeline.policy_namespaces.iter().map(String::as_str);
    let mut all: Vec<&str> = Vec::new();
    if own.len() == 0 || !facts.settings.replace_policy_namespaces {
        all.extend(facts.settings.policy_namespaces.iter().map(String::as_str));
    }
    all.extend(own);
    all.push(namespace);
    let mut seen = Vec::new();
    all.retain(|it| {
        !seen.contains(it) && {
            seen.push(it);
            true
        }
    });
    all
}

/// Whether a gate is collected for a Pipeline at all.
pub fn is_collected(facts: &Facts, meta: &Meta, gate: &Gate, key: &Key, pipeline: &Pipeline) -> bool {
    namespaces(facts, &key.0, pipeline).contains(&meta.subject.namespace.as_str())
        && gate.selector.as_ref().is_none_or(|it| it.matches(&pipeline.labels))
}

/// Where a gate is asked now: an instance at its own place; a template at every environment it applies to that the Bundle on
/// its way passes through. Freeze gates and skip permissions are asked nowhere.
pub fn targets(facts: &Facts, meta: &Meta, gate: &Gate) -> Vec<Target> {
    match meta.role() {
        Role::Freeze | Role::SkipPermission => Vec::new(),
        Role::Instance => {
            let target = instance(meta);
            let key = (target.namespace.clone(), target.bundle.clone());
            // Finished Bundles are not looked at again (2.5.1).
            let finished = facts.bundles.get(&key).is_some_and(|it| it.is_terminal());
            if finished { Vec::new() } else { vec![target] }
        }
        Role::Template => {
            let mut found = Vec::new();
            for (key, pipeline) in facts.pipelines.iter() {
                if !is_collected(facts, meta, gate, key, pipeline) {
                    continue;
                }
                let Some(bundle) = facts.active_bundle(key) else { continue };
                let included = pipeline.included(&bundle.input.target, &bundle.input.skip);
                let matching = included.into_iter().filter(|it| meta.matches(gate, &it.name));
                found.extend(matching.map(|it| Target {
                    namespace: key.0.clone(),
                    pipeline: key.1.clone(),
                    environment: it.name.clone(),
                    bundle: bundle.input.name.clone(),
                }));
            }
            found
        }
    }
}

/// The place that an instance was made for.
fn instance(meta: &Meta) -> Target {
    let text = |name: &str| meta.labels.get(name).cloned().unwrap_or_default();
    Target {
        namespace: meta.subject.namespace.clone(),
        pipeline: text(label::PIPELINE),
        environment: text(label::ENVIRONMENT),
        bundle: text(label::BUNDLE),
    }
}

/// `*` stands for any text, everything else for itself.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let parts: Vec<&str> = rest.split('*').collect();
    let Some((last, middle)) = parts.split_last() else { return true };
    for part in middle {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs_match_whole_names() {
        for (pattern, text, want) in [
            ("prod", "prod", true),
            ("prod", "prod-eu", false),
            ("prod-*", "prod-eu", true),
            ("prod-*", "prod", false),
            ("*", "", true),
            ("*-eu-*", "prod-eu-1", true),
            ("a*b*c", "abc", true),
            ("a*bc", "abcb", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        }
    }
}
