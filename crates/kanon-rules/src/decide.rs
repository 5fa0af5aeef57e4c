//! The one decision function: rules, an object, perhaps a request → verdicts. Admission, offline checks and tests ask here.
//!
//! Which rules a question is for is a [`Plan`]: made for each request, and once for all objects of a kind in a namespace where the
//! audit goes through them. On the clean path nothing else is allocated but an arena and room for what rules share: facts are
//! read from the object's text, rules are found by kind and asked together ([`together`]). Evidence is computed for violations
//! and failed evaluations only.
//!
//! Two decisions of ours. A deletion is shown only to rules that read `request.operation`: a rule about what an object
//! *is* must not keep people from deleting the object. An update that changes nothing but finalizers, owner references or
//! status, or an object that is being deleted, is never denied (spec/rules 4.7); its violation is recorded.

mod alone;
mod bookkeeping;
mod except;
mod objectless;
#[cfg(test)]
mod reference;
mod soften;
mod time;
mod timing;
mod together;
mod trace;
mod verdicts;

use std::sync::Arc;

use kanon_core::{GroupVersionKind, Node, Now, Object, Operation, Outcome, Review, UserInfo, Verdict};
use kanon_events::{Event, asks_about_parent};
use kanon_lang::{Arena, Memo};
use kanon_plane::Lookups;

use crate::{
    api::BYPASS_ANNOTATION,
    facts::Facts,
    index::{Entry, Rules},
    lookups::{
        picture::Picture,
        reader::{Overlay, Query, Reader},
    },
    rule::{Mode, Rule},
};
pub(crate) use except::EXCEPTED;
pub use time::timed_limits;
pub use timing::Timing;
pub(crate) use timing::{Timed, Times};
pub(crate) use together::Plan;
use together::{Answers, Scope};
pub use trace::Trace;
pub(crate) use verdicts::VIOLATION;
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
    /// Those of them that exceeded a limit.
    pub over_budget: u32,
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
    /// What its rules took by themselves, where they were timed.
    pub(crate) times: Times,
}

impl Tally {
    /// Each rule's name and counts.
    pub fn counts(&self) -> impl Iterator<Item = (&str, &RuleTally)> {
        let named = |row| Some((self.rules.entries().get(RuleTally::entry(row))?.policy.name.as_str(), row));
        self.rows.iter().filter_map(named)
    }
}

impl RuleTally {
    /// The same rule, before it did anything.
    pub(crate) fn without_counts(&self) -> RuleTally {
        RuleTally { entry: self.entry, ..RuleTally::default() }
    }

    /// Adds what the same rule did in the next decision, but for its evaluations.
    pub(crate) fn absorb(&mut self, next: RuleTally) {
        self.violations += next.violations;
        self.errors += next.errors;
        self.over_budget += next.over_budget;
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
}

impl Decision {
    /// What was found, without positions.
    pub(crate) fn verdicts(found: Vec<(usize, Verdict)>) -> Vec<Verdict> {
        found.into_iter().map(|it| it.1).collect()
    }
}

/// What came of asking the rules of a plan about one object.
#[derive(Default)]
pub(crate) struct Answer {
    /// As [`Decision::found`].
    pub found: Vec<(usize, Verdict)>,
    /// Row in the plan and counts of each rule that gave something else than `false`.
    pub unclean: Vec<(u32, RuleTally)>,
    /// What rules looked up, by position of their entry.
    pub queries: Vec<(usize, Vec<Query>)>,
    /// How often a rule is evaluated that reads `container`.
    pub passes: u32,
    /// Whether the namespace is exempt, so that nothing was evaluated.
    pub exempt: bool,
}

/// Room to evaluate in, kept from one object to the next.
#[derive(Default)]
pub(crate) struct Room {
    arena: Arena,
    memo: Memo<'static>,
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
    /// The network around it, for the loop that shows it.
    pub network: Option<&'q Picture<'q>>,
    /// Whether it is about the object as it was before the request: nothing is taken back then.
    pub is_old: bool,
    pub now: Now,
}

impl Rules {
    /// Decides about an admission request.
    pub(crate) fn review(&self, review: &Review, lookups: &dyn Lookups, now: Now) -> Decision {
        if !asks_about_parent(review) && objectless::object_of(review).is_none() {
            return self.review_without_object(review, lookups, now);
        }
        self.put(review, lookups, now, |question| self.decide(question, lookups))
    }

    /// Asks what a request asks: about its object, or about the parent of what it is for. Nothing where there is neither.
    fn put<T: Default>(
        &self,
        review: &Review,
        lookups: &dyn Lookups,
        now: Now,
        ask: impl FnOnce(&Question<'_>) -> T,
    ) -> T {
        if asks_about_parent(review) {
            return self.put_event(review, lookups, now, ask);
        }
        let Some(object) = objectless::object_of(review) else { return T::default() };
        ask(&Question { request: Some(review), ..Question::new(&review.kind, object, &[Mode::Admission], now) })
    }

    /// Decides about an object without a request, as `kanon check` does: rules of any of these loops, no lookups.
    pub fn review_object(&self, object: &Object, modes: &[Mode], now: Now) -> Vec<Verdict> {
        self.review_among(object, modes, &kanon_plane::NoLookups, now)
    }

    /// The same among other objects.
    pub fn review_among(&self, object: &Object, modes: &[Mode], lookups: &dyn Lookups, now: Now) -> Vec<Verdict> {
        let kind = GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
        Decision::verdicts(self.decide(&Question::new(&kind, object, modes, now), lookups).found)
    }

    /// What rules of mode `network` say of an object, given the network around it.
    pub fn review_network(
        &self,
        object: &Object,
        network: &Picture<'_>,
        lookups: &dyn Lookups,
        now: Now,
    ) -> Vec<Verdict> {
        let kind = GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
        let question = Question { network: Some(network), ..Question::new(&kind, object, &[Mode::Network], now) };
        Decision::verdicts(self.decide(&question, lookups).found)
    }

    pub(crate) fn decide(&self, question: &Question<'_>, lookups: &dyn Lookups) -> Decision {
        if question.is_passed_over(self, question.namespace(self)) {
            return Decision::default();
        }
        let plan = self.plan(question);
        let mut room = Room { arena: Arena::with_capacity(ARENA_LEN), memo: Memo::default() };
        let answer = self.ask(question, &plan, lookups, &mut room);
        let mut rows: Vec<_> = if answer.exempt { Vec::new() } else { plan.counts(1, answer.passes).collect() };
        for (row, tally) in answer.unclean {
            if let Some(clean) = rows.get_mut(row as usize) {
                *clean = tally;
            }
        }
        rows.retain(|it| it.evaluations > 0);
        Decision { found: answer.found, rows }
    }

    /// The rules that a question is for. It holds for every object of the kind in that namespace.
    pub(crate) fn plan<'r>(&'r self, question: &Question<'_>) -> Plan<'r> {
        let namespace = question.namespace(self);
        let buckets = self.candidates(question.kind, namespace);
        Plan::new(self, buckets, |at, rule| question.concerns(at, rule, namespace))
    }

    /// Asks the rules of a plan that was made for such a question.
    pub(crate) fn ask(
        &self,
        question: &Question<'_>,
        plan: &Plan<'_>,
        lookups: &dyn Lookups,
        room: &mut Room,
    ) -> Answer {
        let mut answer = Answer::default();
        if plan.is_empty() {
            return answer;
        }
        let namespace = question.namespace(self);
        if question.is_exempt(self, namespace, lookups) {
            let writer = Writer::new(self, question, namespace, lookups, &self.settings.limits);
            let entries = plan.entries().filter_map(|at| Some((at as usize, self.entries().get(at as usize)?)));
            let bypass = |(at, entry): (usize, &Entry)| Some((at, writer.bypass(entry, entry.rule.as_deref()?)));
            return Answer { exempt: true, found: entries.filter_map(bypass).collect(), ..answer };
        }
        // The cluster's rules look from everywhere, a namespace's own from there.
        let network = question.network;
        let whole = Reader::new(lookups, &self.resources, question.overlay(namespace), network, None);
        let home = Reader::new(lookups, &self.resources, question.overlay(namespace), network, Some(namespace));
        let Room { arena, memo } = room;
        arena.reset();
        let (arena, settings) = (&*arena, &self.settings.limits);
        let own_limits = time::limits_of(question, settings, lookups);
        let limits = own_limits.as_ref().unwrap_or(settings);
        let Question { kind, object, request, event, now, .. } = *question;
        let facts = match event {
            Some(event) => Facts::of_event(event, kind, object, now, &whole, arena),
            None => Facts::new(kind, object, request, now, plan.by_container, &whole, arena),
        };
        let at_home = plan.looks_up_at_home().then(|| facts.seen_from(kind, object, &home, arena));
        let mut answers = Answers::default();
        let name = question.name();
        let admits = |rule: &Rule| rule.matcher.narrow.admits_object(kind, object, name, namespace, lookups);
        let scope = Scope { rules: self, limits, arena, admits: &admits, namespace };
        let used = answers.ask(plan, &facts, at_home.as_ref(), &scope, std::mem::take(memo).renew());
        *memo = used.renew();
        answer.passes = facts.passes(true).len() as u32;
        answer.queries = std::mem::take(&mut answers.queries);
        if answers.is_clean() {
            return answer;
        }
        let writer = Writer::new(self, question, namespace, lookups, limits);
        let facts = [&facts, at_home.as_ref().unwrap_or(&facts)];
        answer.unclean = answers.finish(plan, self, &writer, facts, arena, &mut answer.found);
        self.except(question, namespace, lookups, &mut answer);
        // Stable: rules in order among equals.
        answer.found.sort_by_key(|it| std::cmp::Reverse(it.1.outcome));
        self.soften(question, lookups, &mut answer.found);
        answer
    }
}

impl<'q> Question<'q> {
    /// About an object, to all rules of these loops.
    pub(crate) fn new(kind: &'q GroupVersionKind, object: &'q Object, modes: &'q [Mode], now: Now) -> Question<'q> {
        Question { kind, object, request: None, event: None, modes, among: None, network: None, is_old: false, now }
    }

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

    /// The object's name, or that of the request.
    fn name(&self) -> &'q str {
        match self.object.str_at(&["metadata", "name"]) {
            "" => self.request.map_or("", |it| &it.name),
            name => name,
        }
    }

    /// The request's object as if it were stored already, or deleted.
    fn overlay(&self, namespace: &'q str) -> Option<Overlay<'q>> {
        // A part of the object is asked for; nothing of it is stored.
        let request = self.request.filter(|_| self.event.is_none())?;
        let stored = matches!(request.operation, Operation::Create | Operation::Update | Operation::Delete);
        let name = self.name();
        let object = (request.operation != Operation::Delete).then_some(self.object);
        stored.then_some(Overlay { kind: self.kind, namespace, name, object })
    }

    /// Who asks, or whose event it is.
    fn user(&self) -> Option<&'q UserInfo> {
        self.request.map(|it| &it.user).or(self.event.map(|it| &it.user))
    }

    /// Whether the request's namespace is exempt from rules.
    fn is_exempt(&self, rules: &Rules, namespace: &str, lookups: &dyn Lookups) -> bool {
        let looks = self.request.is_some() && !namespace.is_empty();
        looks && lookups.get(&rules.namespace_kind, "", namespace).is_some_and(carries_bypass)
    }

    /// Whether admission does not look at all (spec/rules 4.5).
    fn is_passed_over(&self, rules: &Rules, namespace: &str) -> bool {
        self.request.is_some_and(|request| {
            rules.is_excluded(namespace)
                || rules.is_excluded(&request.namespace)
                || self.kind.group == WEBHOOK_GROUP
                || (request.operation == Operation::Delete && self.is_own_definition())
        })
    }

    /// Whether it is the definition of rules: who wants to be rid of them must get rid of them.
    fn is_own_definition(&self) -> bool {
        let group = self.name().split_once('.').map_or("", |it| it.1);
        self.kind.kind == "CustomResourceDefinition" && group == crate::api::GROUP
    }

    fn concerns(&self, at: u32, rule: &Rule, namespace: &str) -> bool {
        self.among.is_none_or(|it| it.get(at as usize).copied().unwrap_or_default())
            && rule.modes.iter().any(|mode| self.modes.contains(mode))
            && self
                .request
                .is_none_or(|it| rule.matcher.narrow.admits_request(it.operation, &it.user, rule.reads_operation))
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
pub(crate) fn carries_bypass(namespace: &Object) -> bool {
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
