//! Every evaluation of a question, one by one: for those who look at rules singly, while decisions ask them together. The same facts,
//! and the same choice of rules; nothing is told or counted.

use std::sync::Arc;

use kanon_lang::{Arena, EvalError, Explained, Limits, Program, Value};
use kanon_plane::Lookups;

use super::{ARENA_LEN, Question};
use crate::{
    facts::{Facts, Pass},
    index::{Entry, Rules},
    lookups::reader::Reader,
    rule::Rule,
};

/// One evaluation of one rule, to be made.
pub(super) struct Alone<'a> {
    /// Position of the rule's entry.
    pub at: usize,
    pub entry: &'a Entry,
    pub rule: &'a Arc<Rule>,
    /// What it is asked about.
    pub pass: &'a Pass<'a>,
    program: &'a dyn Program,
    limits: &'a Limits,
    arena: &'a Arena,
}

impl<'a> Alone<'a> {
    /// Makes it.
    pub(super) fn evaluate(&self) -> Result<Value<'a>, EvalError> {
        self.program.evaluate(&self.pass.values, self.limits, self.arena)
    }

    /// Makes it, with the values on the way.
    pub(super) fn explain(&self) -> Explained<'a> {
        self.program.explain(&self.pass.values, self.limits, self.arena)
    }
}

impl Rules {
    /// Goes through the evaluations of a question, in the order of rules and containers.
    pub(super) fn one_by_one(
        &self,
        question: &Question<'_>,
        lookups: &dyn Lookups,
        limits: &Limits,
        mut look: impl FnMut(Alone<'_>),
    ) {
        let namespace = question.namespace(self);
        if question.is_passed_over(self, namespace) {
            return;
        }
        let Question { kind, object, request, event, network, now, .. } = *question;
        let name = question.name();
        let arena = Arena::with_capacity(ARENA_LEN);
        let whole = Reader::new(lookups, &self.resources, question.overlay(namespace), network, None);
        let home = Reader::new(lookups, &self.resources, question.overlay(namespace), network, Some(namespace));
        let facts = match event {
            Some(event) => Facts::of_event(event, kind, object, now, &whole, &arena),
            None => Facts::new(kind, object, request, now, true, &whole, &arena),
        };
        let at_home = facts.seen_from(kind, object, &home, &arena);
        for bucket in self.candidates(kind, namespace) {
            for (at, entry, rule) in self.in_bucket(bucket) {
                let Some(shared) = entry.rule.as_ref().filter(|_| question.concerns(at, rule, namespace)) else {
                    continue;
                };
                let Some(program) = rule.program.as_deref() else { continue };
                let narrow = &rule.matcher.narrow;
                if narrow.is_by_object() && !narrow.admits_object(kind, object, name, namespace, lookups) {
                    continue;
                }
                let facts = if rule.home.is_some() { &at_home } else { &facts };
                let types = &narrow.container_types;
                let is_meant = |it: &&Pass<'_>| types.is_empty() || types.contains(&it.container_type);
                for pass in facts.passes(rule.per_container).iter().filter(is_meant) {
                    look(Alone { at: at as usize, entry, rule: shared, pass, program, limits, arena: &arena });
                    // What one looked up is not the next one's.
                    facts.reader.queries();
                }
            }
        }
    }
}
