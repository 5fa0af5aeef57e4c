//! The one decision function: rules, an object, perhaps a request → verdicts. Admission, offline checks and tests ask here.
//!
//! On the clean path nothing is allocated but one arena, the tally and room for what rules share: facts are read from the
//! object's text, rules are found by kind and asked together ([`together`]). Evidence is computed for violations and failed evaluations only.
//!
//! Two decisions of ours. A deletion is shown only to rules that read `request.operation`: a rule about what an object
//! *is* must not keep people from deleting the object. An update that changes nothing but finalizers, owner references or
//! status, or an object that is being deleted, is never denied (spec/rules 4.7); its violation is recorded.

mod bookkeeping;
#[cfg(test)]
mod reference;
mod together;
mod verdicts;

use std::sync::Arc;

use kanon_core::{GroupVersionKind, Node, Now, Object, Operation, Outcome, Review, UserInfo, Verdict};
use kanon_events::{Event, asks_about_parent};
use kanon_lang::Arena;
use kanon_plane::Lookups;

use crate::{
    api::BYPASS_ANNOTATION,
    facts::Facts,
    index::{Bucket, Rules},
    lookups::reader::{Overlay, Query, Reader},
    rule::{Mode, Rule},
};
use together::Asked;
use verdicts::Writer;

/// The API group that webhooks never look at, so that break-glass always works (spec/rules 4.5).
pub(crate) const WEBHOOK_GROUP: &str = "admissionregistration.k8s.io";

/// The arena begins with so much: one allocation for most reviews instead of a series of growing ones.
const ARENA_LEN: usize = 8 << 10;

/// What one rule did in one decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleTally {
    entry: u32,
    /// Evaluations: one a container for rules that read `container`.
    pub evaluations: u32,
    /// Evaluations that gave `true`.
    pub violations: u32,
    /// Evaluations that gave no value.
    pub errors: u32,
    /// Errors after the last evaluation that gave one.
    pub errors_at_end: u32,
    /// The last error's text.
    pub last_error: Option<String>,
}

/// The counts of one decision, handed back to the family.
pub struct Tally {
    /// The snapshot that decided.
    pub(crate) rules: Arc<Rules>,
    /// One a rule that was evaluated.
    pub rows: Vec<RuleTally>,
}

impl Tally {
    /// Each rule's name and counts.
    pub fn counts(&self) -> impl Iterator<Item = (&str, &RuleTally)> {
        let named = |row| Some((self.rules.entries().get(RuleTally::entry(row))?.policy.name.as_str(), row));
        self.rows.iter().filter_map(named)
    }
}

impl RuleTally {
    /// Adds what the same rule did in the next decision.
    pub(crate) fn absorb(&mut self, next: RuleTally) {
        self.evaluations += next.evaluations;
        self.violations += next.violations;
        self.errors += next.errors;
        let all_failed = next.errors == next.evaluations;
        self.errors_at_end = if all_failed { self.errors_at_end + next.errors_at_end } else { next.errors_at_end };
        self.last_error = next.last_error.or(self.last_error.take());
    }

    /// Position of the rule's entry in the snapshot.
    pub(crate) fn entry(&self) -> usize {
        self.entry as usize
    }
}

/// What came of one question.
#[derive(Default)]
pub(crate) struct Decision {
    /// Violations, failed evaluations and bypasses, worst first, each with the position of its rule's entry.
    pub found: Vec<(usize, Verdict)>,
    pub rows: Vec<RuleTally>,
    /// What rules looked up, by position of their entry.
    pub queries: Vec<(usize, Vec<Query>)>,
}

impl Decision {
    /// What was found, without positions.
    pub(crate) fn verdicts(found: Vec<(usize, Verdict)>) -> Vec<Verdict> {
        found.into_iter().map(|it| it.1).collect()
    }
}

/// What is asked: about an object, by a loop, perhaps because of a request.
pub(crate) struct Question<'q> {
    pub kind: &'q GroupVersionKind,
    pub object: &'q Object,
    pub request: Option<&'q Review>,
    /// The event of a running workload that asks, or that the request is: the object is what it is about, null when gone.
    pub event: Option<&'q Event>,
    /// The loops that ask.
    pub modes: &'q [Mode],
    /// Which rules are asked, by position of their entry; all when there is none.
    pub among: Option<&'q [bool]>,
    pub now: Now,
}

impl Rules {
    /// Decides about an admission request.
    pub(crate) fn review(&self, review: &Review, lookups: &dyn Lookups, now: Now) -> Decision {
        if asks_about_parent(review) {
            return self.review_event(review, lookups, now);
        }
        let Some(object) = review.subject_object() else { return Decision::default() };
        let (request, modes) = (Some(review), &[Mode::Admission]);
        self.decide(&Question { kind: &review.kind, object, request, event: None, modes, among: None, now }, lookups)
    }

    /// Decides about an object without a request, as `kanon check` does: rules of any of these loops, no lookups.
    pub fn review_object(&self, object: &Object, modes: &[Mode], now: Now) -> Vec<Verdict> {
        self.review_among(object, modes, &kanon_plane::NoLookups, now)
    }

    /// The same among other objects.
    pub fn review_among(&self, object: &Object, modes: &[Mode], lookups: &dyn Lookups, now: Now) -> Vec<Verdict> {
        let kind = GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
        let question = Question { kind: &kind, object, request: None, event: None, modes, among: None, now };
        Decision::verdicts(self.decide(&question, lookups).found)
    }

    pub(crate) fn decide(&self, question: &Question<'_>, lookups: &dyn Lookups) -> Decision {
        let mut decision = Decision::default();
        let namespace = question.namespace(self);
        if question.is_passed_over(self, namespace) {
            return decision;
        }
        let buckets = self.candidates(question.kind, namespace);
        let by_container = buckets.clone().any(Bucket::is_by_container);
        // The cluster's rules look from everywhere, a namespace's own from there.
        let whole = Reader::new(lookups, &self.resources, question.overlay(namespace), None);
        let home = Reader::new(lookups, &self.resources, question.overlay(namespace), Some(namespace));
        let arena = Arena::with_capacity(ARENA_LEN);
        let (mut prepared, mut at_home) = (None, None);
        let mut asked = Asked::default();
        for bucket in buckets {
            asked.begin(bucket.len());
            for (at, entry, rule) in self.in_bucket(bucket) {
                if !question.concerns(at, rule, namespace) {
                    asked.pass_over();
                    continue;
                }
                let (writer, facts) = prepared.get_or_insert_with(|| {
                    let Question { kind, object, request, event, now, .. } = *question;
                    let facts = match event {
                        Some(event) => Facts::of_event(event, kind, object, now, &whole, &arena),
                        None => Facts::new(kind, object, request, now, by_container, &whole, &arena),
                    };
                    (Writer::new(self, question, namespace, lookups), facts)
                });
                if writer.bypassed {
                    decision.found.push((at as usize, writer.bypass(entry, rule)));
                    asked.pass_over();
                } else {
                    asked.ask(at, facts.passes(rule.per_container).len());
                }
            }
            if let Some((_, facts)) = &prepared {
                let confined = bucket.is_confined() && bucket.looks_up();
                let facts = if confined { at_home.insert(facts.seen_from(&home, &arena)) } else { facts };
                asked.answer(self.programs(bucket), facts, &self.settings.limits, &arena);
            }
        }
        if let Some((writer, facts)) = &prepared {
            decision.queries = std::mem::take(&mut asked.queries);
            let facts = [facts, at_home.as_ref().unwrap_or(facts)];
            decision.rows = asked.finish(self, writer, facts, &arena, &mut decision.found);
        }
        // Stable: rules in order among equals.
        decision.found.sort_by_key(|it| std::cmp::Reverse(it.1.outcome));
        if question.is_bookkeeping() {
            verdicts::tolerate(&mut decision.found);
        }
        decision
    }
}

impl<'q> Question<'q> {
    /// The namespace that rules are matched with: the object's, or else the request's. Requests about a Namespace carry
    /// its own name there, and a Namespace lives in none.
    fn namespace(&self, rules: &Rules) -> &'q str {
        match self.object.str_at(&["metadata", "namespace"]) {
            "" if *self.kind == rules.namespace_kind => "",
            "" => match (self.request, self.event) {
                (Some(request), _) => &request.namespace,
                (None, Some(event)) => &event.namespace,
                (None, None) => "",
            },
            namespace => namespace,
        }
    }

    /// The request's object as if it were stored already, or deleted.
    fn overlay(&self, namespace: &'q str) -> Option<Overlay<'q>> {
        // A part of the object is asked for; nothing of it is stored.
        let request = self.request.filter(|_| self.event.is_none())?;
        let stored = matches!(request.operation, Operation::Create | Operation::Update | Operation::Delete);
        let name = match self.object.str_at(&["metadata", "name"]) {
            "" => request.name.as_str(),
            name => name,
        };
        let object = (request.operation != Operation::Delete).then_some(self.object);
        stored.then_some(Overlay { kind: self.kind, namespace, name, object })
    }

    /// Who asks, or whose event it is.
    fn user(&self) -> Option<&'q UserInfo> {
        self.request.map(|it| &it.user).or(self.event.map(|it| &it.user))
    }

    /// Whether admission does not look at all (spec/rules 4.5).
    fn is_passed_over(&self, rules: &Rules, namespace: &str) -> bool {
        self.request.is_some_and(|request| {
            rules.is_excluded(namespace) || rules.is_excluded(&request.namespace) || self.kind.group == WEBHOOK_GROUP
        })
    }

    fn concerns(&self, at: u32, rule: &Rule, namespace: &str) -> bool {
        let deletes = self.request.is_some_and(|it| it.operation == Operation::Delete);
        self.among.is_none_or(|it| it.get(at as usize).copied().unwrap_or_default())
            && rule.modes.iter().any(|mode| self.modes.contains(mode))
            && (!deletes || rule.reads_operation)
            && self.event.is_none_or(|event| rule.modes.contains(&Mode::Runtime) && rule.events.admits(event))
            && rule.matcher.admits(namespace)
    }

    fn is_bookkeeping(&self) -> bool {
        let Some(Review { operation: Operation::Update, old_object: Some(old), object: Some(new), .. }) = self.request
        else {
            return false;
        };
        bookkeeping::is_being_deleted(new) || bookkeeping::changes_nothing_else(old, new)
    }

    /// Whether the object's content must stay out of records, messages and status.
    fn is_about_secret(&self) -> bool {
        self.kind.group.is_empty() && self.kind.kind == "Secret"
    }

    /// The loop that a rule answers here.
    fn occasion(&self, rule: &Rule) -> Mode {
        rule.modes.iter().copied().find(|mode| self.modes.contains(mode)).unwrap_or(Mode::Admission)
    }
}

/// Whether a Namespace carries the bypass annotation (spec/rules 4.2).
fn carries_bypass(namespace: &Object) -> bool {
    let value = namespace.at(&["metadata", "annotations", BYPASS_ANNOTATION]).and_then(Node::as_plain_str);
    value.is_some_and(|it| it.eq_ignore_ascii_case("true"))
}

/// What a violation comes to in admission; other loops only record it.
fn outcome_of(rule: &Rule, occasion: Mode) -> Outcome {
    use crate::rule::Enforcement;
    match (occasion, rule.enforcement) {
        (Mode::Admission, Some(Enforcement::Deny)) => Outcome::Deny,
        (Mode::Admission, Some(Enforcement::Warn)) => Outcome::Warn,
        (Mode::Admission, Some(Enforcement::DryRun) | None) | (Mode::Audit | Mode::Network | Mode::Runtime, _) => {
            Outcome::DryRun
        }
    }
}
