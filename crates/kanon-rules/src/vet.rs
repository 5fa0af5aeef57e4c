//! Looking at rules when they are stored, where administrators ask for it (spec/rules 1.5, 1.10): what is wrong with a rule is a warning to
//! its author or a denial, and an author may be held to what they may do themselves. By the same check that a stored rule passes.
//!
//! Nobody is locked out: deletions are never looked at, nor are changes that leave `spec` alone; exempt namespaces are exempt from
//! this too, and the switch over all of admission counts.

pub(crate) mod author;

use kanon_core::{GroupVersionKind, Node, Now, Object, Operation, Outcome, PolicyRef, Review, Scope, Verdict};
use kanon_plane::{AdmissionRule, Lookups, NAMESPACE_BYPASSED};

use crate::{
    FAMILY, api,
    decide::carries_bypass,
    index::{EnforcementSwitch, Rules},
    lint::advise,
    rule::{Mode, Rule},
    validate::{Compiler, validate},
};

/// Reasons of verdicts about rules.
const INVALID: &str = "RuleInvalid";
const ADVICE: &str = "RuleAdvice";

/// What becomes of a rule that is being stored and is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vetting {
    /// It is stored; `.status` says what is wrong.
    #[default]
    Off,
    /// Its author is warned, too.
    Warn,
    /// It is refused.
    Deny,
}

/// How rules are looked at when they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VetSettings {
    /// What becomes of broken ones.
    pub vetting: Vetting,
    /// Whether authors must have the rights that the actions of their rules need.
    pub authors: bool,
}

/// Looks at rules that are being stored.
pub(crate) struct Vet {
    pub(crate) settings: VetSettings,
    pub(crate) compiler: Compiler,
}

/// Whether the request stores a rule.
pub(crate) fn is_of_rule(kind: &GroupVersionKind) -> bool {
    kind.group == api::GROUP && [api::CLUSTER_RULE, api::RULE].contains(&kind.kind.as_str())
}

impl Vet {
    /// What the webhook must be asked about. Advisory: a webhook that cannot be asked must not keep anybody from mending a rule.
    pub(crate) fn admission_rules(&self) -> Vec<AdmissionRule> {
        if self.settings == VetSettings::default() {
            return Vec::new();
        }
        let line = |kind: kanon_core::Kind| AdmissionRule {
            group: kind.gvk.group,
            version: kind.gvk.version,
            kind: kind.gvk.kind,
            part: String::new(),
            advisory: true,
            operations: vec![Operation::Create, Operation::Update],
        };
        vec![line(api::cluster_rule()), line(api::portal_rule())]
    }

    /// What is to be said of a rule that is being stored.
    pub(crate) fn review(&self, rules: &Rules, review: &Review, lookups: &dyn Lookups, now: Now) -> Vec<Verdict> {
        let Some(object) = self.looked_at(rules, review) else { return Vec::new() };
        let stored = Stored { rules, review, object, now };
        if !review.namespace.is_empty()
            && lookups.get(&rules.namespace_kind, "", &review.namespace).is_some_and(carries_bypass)
        {
            let message = format!("not looked at: namespace `{}` carries the bypass annotation", review.namespace);
            return vec![stored.verdict(Outcome::Allow, NAMESPACE_BYPASSED, message)];
        }
        let mut found = self.check(&stored);
        if self.settings.authors {
            found.extend(author::check(&stored, &self.compiler.actions, lookups));
        }
        found.sort_by_key(|it| std::cmp::Reverse(it.outcome));
        found
    }

    /// The rule, where it is to be looked at.
    fn looked_at<'r>(&self, rules: &Rules, review: &'r Review) -> Option<&'r Object> {
        let is_asked = matches!(review.operation, Operation::Create | Operation::Update)
            && review.sub_resource.is_empty()
            && self.settings != VetSettings::default()
            && !rules.is_excluded(&review.namespace);
        let object = review.object.as_ref().filter(|_| is_asked)?;
        let spec = |it: &Object| it.at(&["spec"]).map(|it| it.to_value());
        let is_old = review.old_object.as_ref().is_some_and(|old| spec(old) == spec(object));
        (!is_old).then_some(object)
    }

    fn check(&self, stored: &Stored<'_>) -> Vec<Verdict> {
        let broken = match self.settings.vetting {
            Vetting::Off => return Vec::new(),
            Vetting::Warn => Outcome::Warn,
            Vetting::Deny => Outcome::Deny,
        };
        let spec = stored.object.at(&["spec"]).map(|it| it.to_value()).unwrap_or_default();
        match validate(&spec, stored.home(), &self.compiler) {
            Err(problem) => vec![stored.verdict(broken, INVALID, problem)],
            // Switched off it harms nobody, and may stay until somebody mends it.
            Ok(Rule { problem: Some(problem), .. }) => vec![stored.verdict(Outcome::Warn, INVALID, problem)],
            Ok(rule) => {
                let clustered =
                    |kind: &GroupVersionKind| Some(stored.rules.resources.kind(kind)?.scope == Scope::Cluster);
                let advice = advise(&rule, &*self.compiler.language(), clustered).into_iter();
                let notes = rule.referenced.notes(&stored.rules.resources);
                let texts = rule.remarks().cloned().chain(notes);
                let texts = texts.chain(advice.map(|it| format!("`{}`: {}", it.field, it.message)));
                texts.map(|it| stored.verdict(Outcome::Warn, ADVICE, it)).collect()
            }
        }
    }
}

/// A rule that is being stored.
pub(crate) struct Stored<'s> {
    pub(crate) rules: &'s Rules,
    pub(crate) review: &'s Review,
    pub(crate) object: &'s Object,
    now: Now,
}

impl Stored<'_> {
    /// The namespace that it is confined to.
    pub(crate) fn home(&self) -> Option<&str> {
        (self.review.kind.kind == api::RULE).then_some(self.review.namespace.as_str())
    }

    /// A verdict about it, as far as the switch over admission lets it stand.
    pub(crate) fn verdict(&self, outcome: Outcome, reason: &'static str, message: String) -> Verdict {
        let outcome = match (self.rules.settings.enforcement, outcome) {
            (EnforcementSwitch::Warn, Outcome::Deny) => Outcome::Warn,
            (EnforcementSwitch::Off, Outcome::Deny | Outcome::Warn) => Outcome::DryRun,
            (_, outcome) => outcome,
        };
        let name = match self.object.str_at(&["metadata", "name"]) {
            "" => self.object.str_at(&["metadata", "generateName"]),
            name => name,
        };
        let policy = PolicyRef {
            kind: self.review.kind.kind.clone(),
            namespace: self.review.namespace.clone(),
            name: name.to_owned(),
            ..PolicyRef::default()
        };
        let evidence = kanon_core::Evidence {
            user: self.review.user.username.clone(),
            operation: self.review.operation.as_str().to_owned(),
            expression: self.object.at(&["spec", "rule"]).and_then(Node::as_plain_str).unwrap_or_default().to_owned(),
            ..kanon_core::Evidence::default()
        };
        let occasion = Mode::Admission.as_str();
        let (subject, now) = (self.review.subject(), self.now);
        Verdict { family: FAMILY, policy, subject, occasion, outcome, reason, message, evidence, now }
    }
}
