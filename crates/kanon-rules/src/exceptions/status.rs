//! `.status` of an exception, and when it is written: whatever says whether the exception counts at once, how much it covers at most
//! every 30 seconds.

use kanon_core::{EventType, Kind, Now, Object, ObjectRef};
use kanon_plane::Outbox;
use serde::{Deserialize, Serialize};

use super::Listed;
use crate::{
    index::Entry,
    plan::Version,
    status::{Condition, condition},
};

/// Longest list of rules in a status.
const RULES_MAX: usize = 64;

/// The status as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ExceptionStatus {
    /// The generation it is about.
    pub observed_generation: i64,
    /// Violations of stored objects that it covers.
    pub matched: u64,
    /// Rules that it may cover.
    pub rules: Vec<String>,
    /// `Valid` and `Expired`.
    pub conditions: Vec<Condition>,
}

/// An exception's object as it is known.
pub(super) struct Resource {
    kind: Kind,
    pub(super) subject: ObjectRef,
    version: Version,
    known: ExceptionStatus,
}

fn status_of(object: &Object) -> ExceptionStatus {
    // A status that is not ours to read is as good as none: it is replaced.
    object.at(&["status"]).and_then(|it| serde_json::from_str(it.raw()).ok()).unwrap_or_default()
}

impl Resource {
    pub(super) fn new(kind: &Kind, object: &Object) -> Resource {
        let text = |name: &str| object.str_at(&["metadata", name]).to_owned();
        let version = Version::of(object);
        let (namespace, name, uid) = (text("namespace"), text("name"), version.uid.clone());
        let subject = ObjectRef { gvk: kind.gvk.clone(), namespace, name, uid };
        Resource { kind: kind.clone(), subject, version, known: status_of(object) }
    }

    /// The same version again; whether it is one.
    pub(super) fn seen(&mut self, object: &Object) -> bool {
        let is_same = self.version == Version::of(object);
        if is_same {
            self.known = status_of(object);
        }
        is_same
    }

    /// A write was given up: nothing is known of what is written.
    pub(super) fn undelivered(&mut self) {
        self.known = ExceptionStatus::default();
    }

    /// Writes what `.status` does not say yet.
    pub(super) fn plan(&mut self, listed: &Listed, entries: &[Entry], matched: u64, now: Now, out: &mut Outbox) {
        let wanted = self.wanted(listed, entries, matched, now);
        if wanted == self.known {
            return;
        }
        let urgent =
            ExceptionStatus { matched: 0, ..wanted.clone() } != ExceptionStatus { matched: 0, ..self.known.clone() };
        if let Ok(json) = serde_json::to_value(&wanted) {
            out.status(&self.kind, self.subject.clone(), json, urgent);
        }
        self.known = wanted;
    }

    /// Tells people that a revision is broken, or that the exception has ended.
    pub(super) fn announce(&self, reason: &str, message: &str, cause: &str, out: &mut Outbox) {
        out.event(self.subject.clone(), EventType::Warning, reason, message, cause);
    }

    fn wanted(&self, listed: &Listed, entries: &[Entry], matched: u64, now: Now) -> ExceptionStatus {
        let make = |name: &str, state: (&str, &str, String)| {
            let before = self.known.conditions.iter().find(|it| it.condition == name);
            condition(name, state, self.version.generation, before, &now.rfc3339())
        };
        let exception = listed.exception.as_ref();
        let concerned = entries.iter().filter_map(|it| {
            let rule = it.rule.as_deref()?;
            exception.filter(|exception| exception.concerns(rule)).map(|_| match &rule.home {
                Some(home) => format!("{home}/{}", rule.name),
                None => rule.name.clone(),
            })
        });
        let mut rules: Vec<_> = concerned.take(RULES_MAX).collect();
        rules.sort();
        rules.dedup();
        let conditions = vec![make(VALID, valid(listed, entries)), make(EXPIRED, expired(listed))];
        ExceptionStatus { observed_generation: self.version.generation, matched, rules, conditions }
    }
}

const VALID: &str = "Valid";
const EXPIRED: &str = "Expired";

fn valid(listed: &Listed, entries: &[Entry]) -> (&'static str, &'static str, String) {
    match (&listed.problem, &listed.exception) {
        (Some(problem), Some(_)) => {
            ("False", "Invalid", format!("{problem}\nthe last revision without mistakes stays in force"))
        }
        (Some(problem), None) => ("False", "Invalid", problem.clone()),
        (None, _) => match listed.remarks(entries) {
            remarks if remarks.is_empty() => ("True", "Valid", "every field can be used".to_owned()),
            remarks => ("True", "ValidWithWarnings", remarks.join("\n")),
        },
    }
}

fn expired(listed: &Listed) -> (&'static str, &'static str, String) {
    match (&listed.exception, listed.is_over) {
        (None, _) => ("Unknown", "Invalid", "it was never in force".to_owned()),
        (Some(it), true) => {
            let at = it.expires().map(|it| it.to_string()).unwrap_or_default();
            ("True", "Expired", format!("it ended at {at} and covers nothing any more"))
        }
        (Some(it), false) => match it.expires() {
            Some(at) => ("False", "InForce", format!("it ends at {at}")),
            None => ("False", "InForce", "it has no end: `expires` is not set".to_owned()),
        },
    }
}
