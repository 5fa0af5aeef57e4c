//! The family's part in the circuit breaker: what admission decided goes in, a rule that denies too much is published anew.

use kanon_core::{Now, Outcome, Verdict};
use kanon_plane::Outbox;

use super::RulesFamily;
use crate::{decide::Tally, rule::Enforcement};

impl RulesFamily {
    /// Counts what rules with denials said of one request.
    pub(super) fn count_denials(&mut self, verdicts: &[Verdict], tally: &Tally, now: Now, out: &mut Outbox) {
        let mut broken = Vec::new();
        for row in &tally.rows {
            let Some(entry) = tally.rules.entries().get(row.entry()) else { continue };
            if entry.rule.as_ref().is_none_or(|it| it.enforcement != Some(Enforcement::Deny)) {
                continue;
            }
            let denied = verdicts.iter().any(|it| it.outcome == Outcome::Deny && it.policy == entry.policy);
            if self.breaker.asked(&entry.key, &entry.policy.revision, denied, now.mono) {
                broken.push((entry.key.clone(), entry.policy.revision.clone()));
            }
        }
        for (key, revision) in broken {
            if let Some(resource) = self.resources.get(&key) {
                resource.announce_break(&revision, out);
            }
            self.publish(Some(&key), now, out);
        }
    }
}
