//! Every evaluation of a question with the values on the way to it, of rules that find nothing too: what `explain` shows and what
//! tests count as covered. The same facts as in a decision, and the same choice of rules; nothing is told or counted.

use std::sync::Arc;

use kanon_core::{EvidenceValue, GroupVersionKind, Now, Object, PolicyRef, Review};
use kanon_lang::{Arena, Value};
use kanon_plane::Lookups;

use super::{ARENA_LEN, Question};
use crate::{
    facts::{Facts, Pass},
    index::Rules,
    lookups::{picture::Picture, reader::Reader},
    rule::{Mode, Rule},
};

/// One evaluation of one rule.
#[derive(Clone)]
pub struct Trace {
    /// Which policy.
    pub policy: PolicyRef,
    /// Its rule.
    pub rule: Arc<Rule>,
    /// The container's name; empty where the rule is about the whole object.
    pub part: String,
    /// Whether the rule is violated, or why that cannot be told.
    pub result: Result<bool, String>,
    /// Values of its sub-expressions, outermost first.
    pub values: Vec<EvidenceValue>,
}

impl Rules {
    /// Every evaluation of an object by the rules of these loops, with the request that brings it and the network around it where
    /// there are any.
    pub fn trace(
        &self,
        object: &Object,
        request: Option<&Review>,
        network: Option<&Picture<'_>>,
        modes: &[Mode],
        lookups: &dyn Lookups,
        now: Now,
    ) -> Vec<Trace> {
        let kind = match request {
            Some(review) => review.kind.clone(),
            None => GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"])),
        };
        let question = Question { request, network, ..Question::new(&kind, object, modes, now) };
        let namespace = question.namespace(self);
        if question.is_passed_over(self, namespace) {
            return Vec::new();
        }
        let name = question.name();
        let arena = Arena::with_capacity(ARENA_LEN);
        let whole = Reader::new(lookups, &self.resources, question.overlay(namespace), network, None);
        let home = Reader::new(lookups, &self.resources, question.overlay(namespace), network, Some(namespace));
        let facts = Facts::new(&kind, object, request, now, true, &whole, &arena);
        let at_home = facts.seen_from(&kind, object, &home, &arena);
        let mut traces = Vec::new();
        for bucket in self.candidates(&kind, namespace) {
            for (at, entry, rule) in self.in_bucket(bucket) {
                let Some(shared) = entry.rule.as_ref().filter(|_| question.concerns(at, rule, namespace)) else {
                    continue;
                };
                let Some(program) = rule.program.as_deref() else { continue };
                let narrow = &rule.matcher.narrow;
                if narrow.is_by_object() && !narrow.admits_object(&kind, object, name, namespace, lookups) {
                    continue;
                }
                let facts = if rule.home.is_some() { &at_home } else { &facts };
                let types = &narrow.container_types;
                let is_meant = |it: &&Pass<'_>| types.is_empty() || types.contains(&it.container_type);
                for pass in facts.passes(rule.per_container).iter().filter(is_meant) {
                    let explained = program.explain(&pass.values, &self.settings.limits, &arena);
                    traces.push(Trace {
                        policy: entry.policy.clone(),
                        rule: Arc::clone(shared),
                        part: if rule.per_container { pass.part.to_owned() } else { String::new() },
                        result: match explained.result {
                            Ok(value) => Ok(matches!(value, Value::Bool(true))),
                            Err(error) => Err(error.message),
                        },
                        values: explained.values,
                    });
                }
            }
        }
        traces
    }
}
