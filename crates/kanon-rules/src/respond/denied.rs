//! Actions that the API server did not let us do: what right is missing, for the rule's condition `ActionsReady` (spec/rules 12). One
//! for each action of a rule's revision, the first that was seen, so that nothing is written for each failure.

use std::collections::{BTreeMap, BTreeSet};

use kanon_plane::PolicyKey;

use super::job::Job;
use crate::index::Entry;

/// What is missing, by rule and place of the action in it.
#[derive(Default)]
pub(crate) struct Denied {
    by_rule: BTreeMap<PolicyKey, Lacking>,
    /// Rules of which something else is to be said than before.
    changed: BTreeSet<PolicyKey>,
}

struct Lacking {
    revision: String,
    /// The action's name and the right.
    by_action: BTreeMap<usize, (&'static str, String)>,
}

impl Denied {
    /// An action was refused for want of a right.
    pub(super) fn note(&mut self, job: &Job, right: &str) {
        let (key, at) = &job.counted;
        let revision = &job.verdict.policy.revision;
        let fresh = || Lacking { revision: revision.clone(), by_action: BTreeMap::new() };
        let of_rule = self.by_rule.entry(key.clone()).or_insert_with(fresh);
        if of_rule.revision != *revision {
            *of_rule = fresh();
        }
        if of_rule.by_action.contains_key(at) {
            return;
        }
        of_rule.by_action.insert(*at, (job.cause.action, right.to_owned()));
        self.changed.insert(key.clone());
    }

    /// An action was done.
    pub(super) fn done(&mut self, job: &Job) {
        let (key, at) = &job.counted;
        let Some(of_rule) = self.by_rule.get_mut(key) else { return };
        if of_rule.by_action.remove(at).is_some() {
            self.changed.insert(key.clone());
        }
        if of_rule.by_action.is_empty() {
            self.by_rule.remove(key);
        }
    }

    /// Forgets rules that are not there any more.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&PolicyKey) -> bool) {
        self.by_rule.retain(|key, _| is_there(key));
    }

    /// The next rule whose condition has changed.
    pub(crate) fn next_changed(&mut self) -> Option<PolicyKey> {
        self.changed.pop_first()
    }

    /// What the rule, in this revision, cannot have done, for people; nothing where all is well.
    pub(crate) fn of(&self, entry: &Entry) -> Option<String> {
        let of_rule = self.by_rule.get(&entry.key).filter(|it| it.revision == entry.policy.revision)?;
        let said = of_rule
            .by_action
            .values()
            .map(|(action, right)| format!("action `{action}` needs the right to {right}, which Kanon does not have"));
        let said = said.collect::<Vec<_>>().join("\n");
        Some(format!(
            "{said}\n`kanon rbac --cluster` prints what the rules need; it is tried again with the next violation"
        ))
    }
}
