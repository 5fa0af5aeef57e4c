//! Violations that exceptions cover: what would refuse, warn or be found is skipped, and says why. Asked after there is a violation,
//! so that who has no exceptions pays nothing for them.

use kanon_core::{ExceptionEvidence, Outcome};
use kanon_plane::Lookups;

use super::{Answer, Question, verdicts::VIOLATION};
use crate::{
    exceptions::Case,
    facts::pod,
    index::{Entry, Rules},
    lookups::reader::Query,
};

/// Reason of such verdicts.
pub(crate) const EXCEPTED: &str = "ViolationExcepted";

impl Rules {
    /// Skips what exceptions cover.
    pub(super) fn except(&self, question: &Question<'_>, namespace: &str, lookups: &dyn Lookups, answer: &mut Answer) {
        // Whether the object violated the rule before is asked of the rule alone.
        if question.is_old {
            return;
        }
        let Answer { found, unclean, queries, .. } = answer;
        for (at, verdict) in found.iter_mut() {
            let counts = !matches!(verdict.outcome, Outcome::Allow | Outcome::Error);
            let Some(entry) = self.entries().get(*at).filter(|it| counts && !it.exceptions.is_empty()) else {
                continue;
            };
            if entry.exceptions.iter().any(|it| it.reads_namespace()) && !namespace.is_empty() {
                let name = namespace.to_owned();
                note(queries, *at, Query::Named { kind: self.namespace_kind.clone(), namespace: String::new(), name });
            }
            let Some(exception) = self.covering(question, entry, &verdict.evidence.part, lookups) else { continue };
            if verdict.reason == VIOLATION
                && let Some((_, tally)) = unclean.iter_mut().find(|it| it.1.entry() == *at)
            {
                tally.violations = tally.violations.saturating_sub(1);
            }
            (verdict.outcome, verdict.reason) = (Outcome::Skip, EXCEPTED);
            verdict.evidence.exception = Some(Box::new(exception.clone()));
        }
    }

    /// The exception that covers a violation of a rule by a container; by the object as a whole where that is empty.
    pub(super) fn covering<'r>(
        &self,
        question: &Question<'_>,
        entry: &'r Entry,
        container: &str,
        lookups: &dyn Lookups,
    ) -> Option<&'r ExceptionEvidence> {
        let image = self.image(question, entry, container);
        let case = Case {
            kind: question.kind,
            object: question.object,
            name: question.name(),
            namespace: question.namespace(self),
            operation: question.request.map(|it| it.operation),
            user: question.user(),
            container,
            image: image.as_deref(),
            has_labels: true,
            lookups,
        };
        entry.exceptions.iter().find(|it| it.covers(&case, question.now.wall)).map(|it| &it.evidence)
    }

    /// The image of the containers of a name, where all have the same and somebody asks.
    fn image<'q>(&self, question: &Question<'q>, entry: &Entry, container: &str) -> Option<std::borrow::Cow<'q, str>> {
        let is_asked = !container.is_empty() && entry.exceptions.iter().any(|it| it.is_by_container());
        let spec = is_asked.then(|| self.resources.shapes.spec(question.kind, question.object.root())).flatten()?;
        let mut images = pod::containers(spec).filter(|it| it.name() == container).map(|it| it.image_text());
        let first = images.next()??;
        images.all(|it| it.as_ref() == Some(&first)).then_some(first)
    }
}

/// Adds to what a rule looked at.
fn note(queries: &mut Vec<(usize, Vec<Query>)>, at: usize, query: Query) {
    match queries.iter_mut().find(|it| it.0 == at) {
        Some((_, known)) => known.push(query),
        None => queries.push((at, vec![query])),
    }
}
