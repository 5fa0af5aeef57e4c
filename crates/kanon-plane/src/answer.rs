//! One answer to an admission request, out of all families' verdicts.

use std::{collections::BTreeMap, sync::Arc};

use kanon_core::{FamilyId, Now, Outcome, Review, Verdict};

use crate::{
    family::{AdmissionRule, Explanation, Reviewed, Target, View},
    lookups::Lookups,
};

/// Longest single warning, in bytes (spec/rules 4.2: the API server cuts longer ones).
const WARNING_LEN: usize = 256;
/// All warnings together, in bytes.
const WARNINGS_LEN: usize = 4096;

/// The reason of verdicts that only say that a namespace's owner switched the policies off; counted apart (spec/rules 9.3).
pub const NAMESPACE_BYPASSED: &str = "NamespaceBypassed";

/// The views of all families: what the webhook, `check` and `explain` hold.
#[derive(Clone, Default)]
pub struct Views {
    views: Vec<Arc<dyn View>>,
}

/// What to tell the API server, and what to tell the plane afterwards.
pub struct Answer {
    /// Whether the request may pass.
    pub allowed: bool,
    /// Why not: `<policy>: <message>`, joined by `; `.
    pub message: String,
    /// One sentence each.
    pub warnings: Vec<String>,
    /// What the API server's audit is told: which violations exceptions cover.
    pub annotations: BTreeMap<&'static str, String>,
    /// The strongest outcome.
    pub outcome: Outcome,
    /// Each family's part.
    pub reviewed: Vec<(FamilyId, Reviewed)>,
}

impl Views {
    /// The views in the order in which families decide.
    pub fn new(views: Vec<Arc<dyn View>>) -> Views {
        Views { views }
    }

    /// Whether both are the very same views.
    pub fn same(&self, other: &Views) -> bool {
        self.views.len() == other.views.len() && self.views.iter().zip(&other.views).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// Every view.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn View>> {
        self.views.iter()
    }

    /// What the webhook must be asked about, without repeats.
    pub fn admission_rules(&self) -> Vec<AdmissionRule> {
        let mut rules: Vec<_> = self.views.iter().flat_map(|view| view.admission_rules()).collect();
        rules.sort();
        rules.dedup();
        rules
    }

    /// The first family's explanation of a target.
    pub fn explain(&self, target: &Target, now: Now) -> Option<Explanation> {
        self.views.iter().find_map(|view| view.explain(target, now))
    }

    /// Whether a family never refuses such a request.
    pub fn spares(&self, review: &Review) -> bool {
        self.views.iter().any(|view| view.spares(review))
    }

    /// Decides about one admission request. Deny dominates; warnings go out with a denial too.
    pub fn review(&self, review: &Review, lookups: &dyn Lookups, now: Now) -> Answer {
        let reviewed: Vec<_> =
            self.views.iter().map(|view| (view.family(), view.review(review, lookups, now))).collect();
        let verdicts = || reviewed.iter().flat_map(|(_, it)| &it.verdicts);
        let outcome = verdicts().map(|it| it.outcome).filter(|it| *it != Outcome::Error).max();
        let outcome = outcome.unwrap_or(Outcome::Allow);
        let denials = texts(verdicts().filter(|it| it.outcome == Outcome::Deny));
        let mut warnings = lines(verdicts().filter(|it| it.outcome == Outcome::Warn));
        limit(&mut warnings);
        let annotations = annotations(verdicts());
        Answer {
            allowed: outcome != Outcome::Deny,
            message: denials.join("; "),
            warnings,
            annotations,
            outcome,
            reviewed,
        }
    }
}

/// The annotation with what exceptions cover; the API server puts the webhook's name before it.
const EXCEPTIONS: &str = "exceptions";

fn annotations<'v>(verdicts: impl Iterator<Item = &'v Verdict>) -> BTreeMap<&'static str, String> {
    let mut texts = Vec::new();
    for (policy, exception) in verdicts.filter_map(|it| Some((&it.policy, it.evidence.exception.as_deref()?))) {
        let text = format!("{}: {exception}", policy.name);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let mut text = texts.join("; ");
    let cut = (0..=text.len().min(WARNINGS_LEN)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(cut);
    if text.is_empty() { BTreeMap::new() } else { BTreeMap::from([(EXCEPTIONS, text)]) }
}

/// What is said of a request about which nothing was decided in time.
pub const TIMED_OUT: &str = "policy evaluation timed out";

impl Answer {
    /// The same, when the time of the request is over: a denial stands. Else the request is refused if `refuses` says so, and
    /// allowed with a warning if not (spec/rules 4.4).
    pub fn out_of_time(&mut self, refuses: bool) {
        if !self.allowed {
            return;
        }
        if refuses {
            TIMED_OUT.clone_into(&mut self.message);
            (self.allowed, self.outcome) = (false, Outcome::Deny);
        } else {
            self.warnings.insert(0, TIMED_OUT.to_owned());
            limit(&mut self.warnings);
            self.outcome = self.outcome.max(Outcome::Warn);
        }
    }
}

/// `<policy>: <message>` of each verdict, each text once (a rule says the same of every container).
fn texts<'v>(verdicts: impl Iterator<Item = &'v Verdict>) -> Vec<String> {
    let mut texts = Vec::new();
    for verdict in verdicts {
        let text = format!("{}: {}", verdict.policy.name, verdict.message);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// The same of each line: an API server drops warnings of several, since they travel in headers.
fn lines<'v>(verdicts: impl Iterator<Item = &'v Verdict>) -> Vec<String> {
    let mut lines = Vec::new();
    for verdict in verdicts {
        for line in verdict.message.lines() {
            let text = format!("{}: {}", verdict.policy.name, line.replace(char::is_control, " "));
            if !lines.contains(&text) {
                lines.push(text);
            }
        }
    }
    lines
}

fn limit(warnings: &mut Vec<String>) {
    let mut total = 0;
    for warning in warnings.iter_mut() {
        if warning.len() > WARNING_LEN {
            let cut = (0..=WARNING_LEN - 3).rev().find(|at| warning.is_char_boundary(*at)).unwrap_or(0);
            warning.truncate(cut);
            warning.push_str("...");
        }
    }
    warnings.retain(|warning| {
        total += warning.len();
        total <= WARNINGS_LEN
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_warnings_are_cut_at_a_character() {
        let mut warnings = vec!["é".repeat(200); 20];
        limit(&mut warnings);
        assert!(warnings.iter().all(|it| it.len() <= WARNING_LEN && it.ends_with("...")));
        assert!(warnings.iter().map(String::len).sum::<usize>() <= WARNINGS_LEN);
    }
}
