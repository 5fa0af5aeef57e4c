//! Writing verdicts: what a violation or a failed evaluation comes to, and what it rests on.

use kanon_core::{Evidence, Object, ObjectRef, Outcome, ReadEvidence, Verdict};
use kanon_lang::{Arena, ErrorKind, EvalError, Limits};
use kanon_plane::{Lookups, NAMESPACE_BYPASSED};

use super::{Question, outcome_of};
use crate::{
    FAMILY,
    facts::Pass,
    index::{Entry, Rules},
    lookups::reader::Reader,
    rule::{Mode, OnError, Rule},
};

/// Reasons of this family's verdicts.
pub(crate) const VIOLATION: &str = "RuleViolated";
const ERROR: &str = "EvaluationError";
const OBJECTLESS: &str = "NoObject";

/// What an evaluation gave, where it was not `false`.
pub(super) enum Finding {
    Violation,
    Error(EvalError),
}

/// Writes the verdicts of one question.
pub(super) struct Writer<'q> {
    question: &'q Question<'q>,
    namespace: &'q str,
    subject: ObjectRef,
    /// What every verdict of the question rests on.
    basis: Evidence,
    /// What an explanation may cost.
    limits: &'q Limits,
}

impl<'q> Writer<'q> {
    pub(super) fn new(
        rules: &Rules,
        question: &'q Question<'q>,
        namespace: &'q str,
        lookups: &dyn Lookups,
        limits: &'q Limits,
    ) -> Writer<'q> {
        let looks = question.request.is_some() && !namespace.is_empty();
        let looked_up = looks.then(|| lookups.get(&rules.namespace_kind, "", namespace));
        let read = looked_up.map(|found| ReadEvidence {
            object: ObjectRef { gvk: rules.namespace_kind.clone(), name: namespace.to_owned(), ..ObjectRef::default() },
            resource_version: found.map(version).unwrap_or_default(),
            live: false,
        });
        let request = question.request;
        let subject = subject(question, namespace);
        // Of an event the object is looked up, and may be gone.
        let about = question.event.filter(|it| !it.name.is_empty()).map(|_| ReadEvidence {
            object: ObjectRef { uid: String::new(), ..subject.clone() },
            resource_version: version(question.object),
            live: false,
        });
        let basis = Evidence {
            reads: read.into_iter().chain(about).collect(),
            user: question.user().map(|it| it.username.clone()).unwrap_or_default(),
            operation: match (question.event, request) {
                (Some(event), None) => event.class().to_owned(),
                (_, Some(request)) => request.operation.as_str().to_owned(),
                (None, None) => String::new(),
            },
            event: question.event.map(|it| it.id.clone()).unwrap_or_default(),
            ..Evidence::default()
        };
        Writer { question, namespace, subject, basis, limits }
    }

    /// The request passed without a look because its namespace is exempt.
    pub(super) fn bypass(&self, entry: &Entry, rule: &Rule) -> Verdict {
        let message = format!("not evaluated: namespace `{}` carries the bypass annotation", self.namespace);
        self.write(entry, rule, Outcome::Allow, NAMESPACE_BYPASSED, message, self.evidence(rule, ""))
    }

    /// The request has nothing that could be looked at.
    pub(super) fn objectless(&self, entry: &Entry, rule: &Rule, outcome: Outcome) -> Verdict {
        let message = "the request has no object to be looked at".to_owned();
        self.write(entry, rule, outcome, OBJECTLESS, message, self.evidence(rule, ""))
    }

    /// The error without what it may say of a Secret's content.
    pub(super) fn conceal(&self, error: EvalError) -> EvalError {
        if !self.question.is_about_secret() {
            return error;
        }
        EvalError { message: "evaluation failed (details are withheld for Secrets)".to_owned(), ..error }
    }

    pub(super) fn verdict<'a>(
        &self,
        entry: &Entry,
        rule: &'a Rule,
        pass: &'a Pass<'a>,
        reader: &'a Reader<'a>,
        arena: &'a Arena,
        finding: Finding,
    ) -> Verdict {
        let part = if rule.per_container { pass.part } else { "" };
        let mut evidence = self.evidence(rule, part);
        let limits = self.limits;
        // What took too much would take it again.
        let is_costly = matches!(&finding, Finding::Error(error) if error.kind == ErrorKind::Budget);
        let explain = || {
            let program = rule.program.as_deref().filter(|_| !is_costly);
            program.map(|it| it.explain(&pass.values, limits, arena).values).unwrap_or_default()
        };
        if rule.looks_around() {
            let (values, reads) = reader.gather(explain);
            evidence.values = values;
            evidence.reads.extend(reads);
            if rule.looks_up() {
                // What another object holds is not this one's to tell.
                evidence.values.retain(|it| it.value.is_boolean() || it.value.is_number() || it.value.is_null());
            }
        } else {
            evidence.values = explain();
        }
        if self.question.is_about_secret() {
            // What a Secret holds never reaches the log: truth values explain the rule, the rest stays out.
            evidence.values.retain(|it| it.value.is_boolean() || it.value.is_null());
        }
        match finding {
            Finding::Violation => {
                let outcome = outcome_of(rule, self.question.occasion(rule));
                let message = rule.message.render(&pass.values, limits, arena);
                self.write(entry, rule, outcome, VIOLATION, message, evidence)
            }
            Finding::Error(error) => {
                let outcome = match (self.question.occasion(rule), rule.on_error) {
                    (Mode::Admission, OnError::Warn) => Outcome::Warn,
                    (Mode::Admission, OnError::Deny) => Outcome::Deny,
                    // Whoever wants errors to deny wants them found (spec/rules 2.10).
                    (Mode::Audit | Mode::Network, OnError::Deny) => Outcome::DryRun,
                    (Mode::Admission, OnError::Skip) | (Mode::Audit | Mode::Network | Mode::Runtime, _) => {
                        Outcome::Error
                    }
                };
                let message = format!("could not be evaluated: {}", error.message);
                self.write(entry, rule, outcome, ERROR, message, evidence)
            }
        }
    }

    fn evidence(&self, rule: &Rule, part: &str) -> Evidence {
        Evidence { expression: rule.expression.clone(), part: part.to_owned(), ..self.basis.clone() }
    }

    fn write(
        &self,
        entry: &Entry,
        rule: &Rule,
        outcome: Outcome,
        reason: &'static str,
        message: String,
        evidence: Evidence,
    ) -> Verdict {
        Verdict {
            family: FAMILY,
            policy: entry.policy.clone(),
            subject: self.subject.clone(),
            occasion: self.question.occasion(rule).as_str(),
            outcome,
            reason,
            message,
            evidence,
            now: self.question.now,
        }
    }
}

fn subject(question: &Question<'_>, namespace: &str) -> ObjectRef {
    let metadata = |name: &str| question.object.str_at(&["metadata", name]).to_owned();
    let asked = question.request.map(|it| &it.name).or(question.event.map(|it| &it.name));
    let name = asked.filter(|it| !it.is_empty()).cloned().unwrap_or_else(|| metadata("name"));
    ObjectRef { gvk: question.kind.clone(), namespace: namespace.to_owned(), name, uid: metadata("uid") }
}

fn version(object: &Object) -> String {
    object.str_at(&["metadata", "resourceVersion"]).to_owned()
}
