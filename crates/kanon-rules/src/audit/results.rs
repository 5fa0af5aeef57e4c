//! What a scan found, compared with what was open. What changed while it ran does not count.

use std::collections::BTreeSet;

use kanon_core::Now;
use kanon_plane::{ObjectName, PolicyKey, Which, Work};

use super::{
    Audit,
    findings::Change,
    is_asked_by, lock,
    queue::{Running, Sweep},
    scan::{Found, Scanned},
};
use crate::{exceptions::are_same, index::Entry};

impl Audit {
    /// Takes the result of the scan under way; `None` for one that broke off.
    pub(crate) fn scanned(&mut self, scanned: Option<&Scanned>, now: Now) -> Vec<Change> {
        let Some(Running { kind, moot, touched, missed, networks, sweep }) = self.running.take() else {
            return Vec::new();
        };
        let Some(scanned) = scanned.filter(|_| !moot) else { return Vec::new() };
        let Work { which, policies, area, .. } = &scanned.work;
        // Only what is still in force as it was asked says something.
        let is_asked = |it: &&Entry| {
            policies.as_ref().is_none_or(|among| among.contains(&it.key))
                && is_asked_by(it, self.mode)
                && self
                    .rules
                    .get(&it.key)
                    .is_some_and(|now| now.revision == it.policy.revision && are_same(&now.exceptions, &it.exceptions))
                && it.sees(&kind, |kind, keep| self.sight.holds(kind, keep))
        };
        let asked: BTreeSet<PolicyKey> =
            scanned.rules.entries().iter().filter(is_asked).map(|it| it.key.clone()).collect();
        let share = |key: &PolicyKey, name: &ObjectName| {
            let counts = asked.contains(key) && !touched.has(name, key) && area.asks(key, &name.0);
            counts.then(|| self.share(key, &name.0)).filter(|it| !it.is_none())
        };
        let mut changes = Vec::new();
        let mut findings = lock(&self.findings);
        let mut said = BTreeSet::new();
        for Found { name, uid, verdicts } in &scanned.found {
            said.insert(name.clone());
            if touched.has_whole(name) {
                continue;
            }
            let found = Found { name: name.clone(), uid: uid.clone(), verdicts: verdicts.clone() };
            changes.extend(findings.take(&kind, found, &scanned.rules, |key| share(key, name), now));
        }
        for name in scanned.absent.iter().filter(|it| !touched.has_whole(it)) {
            changes.extend(findings.forget(&kind, name, now));
        }
        // Nothing was found about the others.
        let looked_at = |name: &ObjectName| match which {
            Which::Named(names) => names.contains(name),
            Which::Answered(_) => false,
            Which::After { last, .. } => {
                last.as_ref().is_none_or(|it| name > it) && scanned.next.as_ref().is_none_or(|it| name <= it)
            }
        };
        let silent = findings.names(&kind, |name| looked_at(name) && !said.contains(name) && !touched.has_whole(name));
        for (name, uid) in silent {
            let found = Found { name: name.clone(), uid, verdicts: Vec::new() };
            changes.extend(findings.take(&kind, found, &scanned.rules, |key| share(key, &name), now));
        }
        drop(findings);
        let counts = |key: &PolicyKey, name: &ObjectName| asked.contains(key) && !touched.has(name, key);
        self.note_queries(scanned, counts, &missed, now);
        for namespace in &networks {
            self.ask_around(namespace);
        }
        match (sweep, &scanned.next) {
            (Some(sweep), Some(next)) => self.sweeps.push_front(Sweep { last: Some(next.clone()), ..sweep }),
            (Some(_), None) => self.asked.add(&kind, asked),
            (None, _) => {}
        }
        changes
    }
}
