//! Exceptions from rules: violations that somebody answers for, with a reason and perhaps an end (docs/decisions/0011). They change
//! what a violation comes to and never whether there is one, and they are asked in one place, the decision function.
//!
//! `validate` makes them, `register` holds them with their ends and statuses; here is what one covers. Pure: time is an argument.

pub(crate) mod register;
mod status;
mod validate;

use std::sync::Arc;

use jiff::Timestamp;
use kanon_core::{ExceptionEvidence, GroupVersionKind, Object, Operation, PolicyRef, UserInfo};
use kanon_network::Check;
use kanon_plane::{Lookups, PolicyKey};

use crate::{
    api,
    index::Entry,
    lookups::resources::ANY,
    narrow::fits,
    network::BUILT_IN,
    rule::{ExceptionScope, Matcher, Rule},
};

/// A checked exception.
pub(crate) struct Exception {
    /// How decisions name it.
    pub evidence: ExceptionEvidence,
    /// The namespace that it is confined to.
    pub home: Option<String>,
    pub rules: Vec<RuleNames>,
    matcher: Matcher,
    /// Patterns; none means all.
    containers: Vec<String>,
    images: Vec<String>,
    /// What a careful author should know.
    pub warnings: Vec<String>,
}

/// An entry of `spec.rules`.
pub(crate) struct RuleNames {
    /// As written.
    pub text: String,
    /// The kind of rules that it means; none means all.
    kind: Option<&'static str>,
    pattern: String,
}

impl RuleNames {
    /// Whether it means a rule of this kind and name, wherever that is written.
    fn mean(&self, kind: &str, name: &str) -> bool {
        self.kind.is_none_or(|it| it == kind) && fits(&self.pattern, name)
    }

    fn mean_rule(&self, rule: &Rule) -> bool {
        self.mean(if rule.home.is_some() { api::RULE } else { api::CLUSTER_RULE }, &rule.name)
    }

    /// Whether it means one rule, and no other may come.
    fn is_plain(&self) -> bool {
        !self.pattern.contains(['*', '?'])
    }
}

/// What was found to violate a rule.
pub(crate) struct Case<'c> {
    pub kind: &'c GroupVersionKind,
    pub object: &'c Object,
    pub name: &'c str,
    pub namespace: &'c str,
    /// What is asked for, where something is.
    pub operation: Option<Operation>,
    /// Who asks, where somebody does.
    pub user: Option<&'c UserInfo>,
    /// The container; empty for the object as a whole.
    pub container: &'c str,
    /// Its image as written.
    pub image: Option<&'c str>,
    /// Whether labels are known: of what the process itself checks they are not.
    pub has_labels: bool,
    pub lookups: &'c dyn Lookups,
}

impl Exception {
    /// When it ends, if it does.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        self.evidence.expires
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.expires().is_some_and(|at| at <= now)
    }

    /// Whether it may cover violations of a rule: it names it, and whoever granted it may free from it.
    pub(crate) fn concerns(&self, rule: &Rule) -> bool {
        self.may_free_from(rule) && self.rules.iter().any(|it| it.mean_rule(rule))
    }

    /// Whether it may cover what a check of the process itself finds: the platform's may.
    pub(crate) fn concerns_check(&self, check: Check) -> bool {
        self.home.is_none() && self.rules.iter().any(|it| it.mean(BUILT_IN, check.id()))
    }

    /// A namespace's own exceptions free from its own rules, and from those of the cluster that say so.
    fn may_free_from(&self, rule: &Rule) -> bool {
        match (&self.home, &rule.home) {
            (None, _) => true,
            (Some(home), Some(of_rule)) => home == of_rule,
            (Some(_), None) => rule.exceptions == ExceptionScope::Namespaced,
        }
    }

    /// What narrows it, for people: a field and what it says.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        let Matcher { kinds, patterns, include, exclude, narrow } = &self.matcher;
        let kinds: Vec<_> =
            patterns.iter().chain(kinds).map(|it| format!("{} {}", it.api_version(), it.kind)).collect();
        let mut words = vec![
            ("confined to", self.home.clone().unwrap_or_default()),
            ("kinds", kinds.join(", ")),
            ("include", include.join(", ")),
            ("exclude", exclude.join(", ")),
        ];
        words.extend(narrow.words());
        words.extend([("containers", self.containers.join(", ")), ("images", self.images.join(", "))]);
        words
    }

    /// Whether the labels of Namespaces count.
    pub(crate) fn reads_namespace(&self) -> bool {
        self.matcher.narrow.reads_namespace()
    }

    /// Whether it covers containers only.
    pub(crate) fn is_by_container(&self) -> bool {
        !self.containers.is_empty() || !self.images.is_empty()
    }

    /// Whether it covers a violation of a rule that it concerns.
    pub(crate) fn covers(&self, case: &Case<'_>, now: Timestamp) -> bool {
        let Case { kind, object, name, namespace, lookups, .. } = *case;
        let narrow = &self.matcher.narrow;
        !self.is_over(now)
            && self.home.as_ref().is_none_or(|home| home == namespace)
            && self.is_about(kind)
            && self.matcher.admits(namespace)
            && self.is_asked(case)
            && self.has_container(case)
            && (case.has_labels || !narrow.is_by_labels())
            && narrow.admits_object(kind, object, name, namespace, lookups)
    }

    fn is_about(&self, kind: &GroupVersionKind) -> bool {
        let Matcher { kinds, patterns, .. } = &self.matcher;
        let same = |pattern: &str, text: &str| pattern == ANY || pattern == text;
        (kinds.is_empty() && patterns.is_empty())
            || kinds.contains(kind)
            || patterns.iter().any(|it| {
                same(&it.group, &kind.group) && same(&it.version, &kind.version) && same(&it.kind, &kind.kind)
            })
    }

    /// Stored objects are nobody's request: what speaks of requests does not cover them.
    fn is_asked(&self, case: &Case<'_>) -> bool {
        let narrow = &self.matcher.narrow;
        match (case.operation, case.user) {
            (Some(operation), Some(user)) => narrow.admits_request(operation, user, true),
            (None, Some(user)) => narrow.operations.is_empty() && narrow.admits_subject(user),
            (_, None) => !narrow.is_by_request(),
        }
    }

    fn has_container(&self, case: &Case<'_>) -> bool {
        let among = |patterns: &[String], text: &str| patterns.is_empty() || patterns.iter().any(|it| fits(it, text));
        !self.is_by_container()
            || (!case.container.is_empty()
                && among(&self.containers, case.container)
                && (self.images.is_empty() || case.image.is_some_and(|it| among(&self.images, it))))
    }
}

/// An exception as a snapshot lists it.
pub(crate) struct Listed {
    pub key: PolicyKey,
    pub policy: PolicyRef,
    /// The revision in force, or over.
    pub exception: Option<Arc<Exception>>,
    /// Why the newest revision is not in force.
    pub problem: Option<String>,
    /// Whether it has ended.
    pub is_over: bool,
}

impl Listed {
    /// The exception, where it counts.
    pub(crate) fn in_force(&self) -> Option<&Arc<Exception>> {
        self.exception.as_ref().filter(|_| !self.is_over)
    }

    /// A word for what became of it.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.exception, self.is_over) {
            (None, _) => "Invalid",
            (Some(_), true) => "Expired",
            (Some(_), false) => "InForce",
        }
    }

    /// What a careful author should know: of what it says, and of the rules that it names.
    pub(crate) fn remarks(&self, entries: &[Entry]) -> Vec<String> {
        let Some(exception) = &self.exception else { return Vec::new() };
        let mut remarks = exception.warnings.clone();
        for (at, names) in exception.rules.iter().enumerate() {
            if exception.home.is_none() && Check::ALL.into_iter().any(|it| names.mean(BUILT_IN, it.id())) {
                continue;
            }
            let rules = entries.iter().filter_map(|it| it.rule.as_deref());
            let named: Vec<_> = rules.filter(|it| names.mean_rule(it)).collect();
            let free: Vec<_> = named.iter().filter(|it| exception.may_free_from(it)).collect();
            let place = format!("`rules[{at}]`");
            match (named.is_empty(), free.as_slice()) {
                (true, _) => remarks.push(format!("{place}: there is no rule `{}`", names.text)),
                (false, []) => remarks.push(format!(
                    "{place}: rule `{}` takes no exceptions of namespaces: it must say `exceptions: namespaced`",
                    names.text
                )),
                (false, [rule]) if exception.is_by_container() && names.is_plain() && !rule.per_container => {
                    remarks.push(format!(
                        "{place}: rule `{}` is not asked about containers: `containers` and `images` cover nothing of it",
                        names.text
                    ));
                }
                (false, _) => {}
            }
        }
        remarks
    }
}

/// Those in force that a check concerns.
pub(crate) fn from_check(listed: &[Listed], check: Check) -> Vec<Arc<Exception>> {
    listed.iter().filter_map(Listed::in_force).filter(|it| it.concerns_check(check)).cloned().collect()
}

/// Those in force from a rule.
pub(crate) fn from_rule(listed: &[Listed], rule: &Rule) -> Vec<Arc<Exception>> {
    listed.iter().filter_map(Listed::in_force).filter(|it| it.concerns(rule)).cloned().collect()
}

/// Whether two rules have the same exceptions.
pub(crate) fn are_same(a: &[Arc<Exception>], b: &[Arc<Exception>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b))
}
