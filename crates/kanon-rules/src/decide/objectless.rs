//! Requests whose object is missing, or is none (spec/rules 4.2, step 3): rules cannot be asked about them. Where what cannot be asked
//! is refused, so are they, by the rules of the kind that deny; else they pass, and a record says so.

use kanon_core::{NodeKind, Now, Object, Outcome, Review};
use kanon_plane::Lookups;

use super::{Decision, Question, verdicts::Writer};
use crate::{
    index::Rules,
    rule::{Enforcement, Mode},
};

/// What the request is about, if it is something that rules can look at.
pub(super) fn object_of(review: &Review) -> Option<&Object> {
    review.subject_object().filter(|it| it.root().kind() == NodeKind::Object)
}

impl Rules {
    pub(super) fn review_without_object(&self, review: &Review, lookups: &dyn Lookups, now: Now) -> Decision {
        let nothing = Object::null();
        let question =
            Question { request: Some(review), ..Question::new(&review.kind, &nothing, &[Mode::Admission], now) };
        let namespace = question.namespace(self);
        if question.is_passed_over(self, namespace) || question.is_exempt(self, namespace, lookups) {
            return Decision::default();
        }
        let outcome = if self.settings.fail_closed { Outcome::Deny } else { Outcome::Allow };
        let writer = Writer::new(self, &question, namespace, lookups, &self.settings.limits);
        let verdict = |at: u32| {
            let at = at as usize;
            let entry = self.entries().get(at)?;
            let rule = entry.rule.as_deref().filter(|it| it.enforcement == Some(Enforcement::Deny))?;
            Some((at, writer.objectless(entry, rule, outcome)))
        };
        let mut found: Vec<_> = self.plan(&question).entries().filter_map(verdict).collect();
        self.soften(&question, lookups, &mut found);
        Decision { found, rows: Vec::new() }
    }
}
