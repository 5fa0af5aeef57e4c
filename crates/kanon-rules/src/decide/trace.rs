//! Every evaluation of a question with the values on the way to it, of rules that find nothing too: what `explain` shows and what
//! tests count as covered.

use std::sync::Arc;

use kanon_core::{EvidenceValue, ExceptionEvidence, GroupVersionKind, Now, Object, PolicyRef, Review};
use kanon_lang::Value;
use kanon_plane::Lookups;

use super::Question;
use crate::{
    index::Rules,
    lookups::picture::Picture,
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
    /// The exception that covers it, where it is violated.
    pub exception: Option<ExceptionEvidence>,
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
        let mut traces = Vec::new();
        self.one_by_one(&question, lookups, &self.settings.limits, |it| {
            let explained = it.explain();
            let part = if it.rule.per_container { it.pass.part.to_owned() } else { String::new() };
            let is_violated = matches!(explained.result, Ok(Value::Bool(true)));
            let exception = is_violated.then(|| self.covering(&question, it.entry, &part, lookups)).flatten();
            traces.push(Trace {
                policy: it.entry.policy.clone(),
                rule: Arc::clone(it.rule),
                part,
                exception: exception.cloned(),
                result: match explained.result {
                    Ok(value) => Ok(matches!(value, Value::Bool(true))),
                    Err(error) => Err(error.message),
                },
                values: explained.values,
            });
        });
        traces
    }
}
