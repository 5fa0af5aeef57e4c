//! Open findings and how they end (spec/rules 5.2). A finding belongs to one object (by UID), one rule and one container. It
//! opens when an evaluation says so for the first time, and ends when an evaluation no longer does, when the object or the rule
//! is gone, or when the rule changed so that it is not about the object any more. An evaluation that fails says nothing: what
//! was open stays open.
//!
//! A rule with `resolveAfter` wants its objects to be clean for some time first: until then the finding *rests*. It stands in
//! reports and alerts, and a violation meanwhile is no news. An evaluation that fails ends the rest: nobody knows.
//!
//! A violation that an exception covers is no finding. It is known as long as it is so, and ends the finding that it was, at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use kanon_core::{Evidence, GroupVersionKind, Mono, Now, Outcome, Verdict};
use kanon_plane::{ObjectName, PolicyKey};

use super::scan::Found;
use crate::{index::Rules, share::Share};

/// Why findings end: reasons of their records.
pub(crate) mod ended {
    /// The object no longer violates the rule.
    pub(crate) const FIXED: &str = "FindingFixed";
    /// The object is gone.
    pub(crate) const DELETED: &str = "ObjectDeleted";
    /// The rule is gone, switched off, or not about the object any more.
    pub(crate) const RULE: &str = "RuleWithdrawn";
    /// An exception covers it.
    pub(crate) const EXCEPTED: &str = "FindingExcepted";
    /// Nobody looked when the object was fixed or deleted.
    pub(crate) const UNSEEN: &str = "EndedUnseen";
}

/// A rule and the container it was asked about.
type Key = (PolicyKey, String);

/// A violation that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// The newest verdict, without the values that the log has.
    pub verdict: Verdict,
    /// When it opened.
    pub since: Timestamp,
    /// The rule's severity; empty when it states none.
    pub severity: &'static str,
    /// What of its consequences followed here.
    pub share: Share,
    /// While its object is clean, and was not for long enough.
    pub rests: Option<Rest>,
}

/// Since when an object is clean, and until when that is watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rest {
    pub since: Timestamp,
    /// What the rule asks for.
    after: Duration,
    due: Mono,
}

impl Rest {
    /// An object is clean since then; nothing where that is long enough.
    pub(crate) fn new(since: Timestamp, after: Duration, now: Now) -> Option<Rest> {
        // A clock that was put back makes nothing wait for longer.
        let past = Duration::try_from(now.wall.duration_since(since)).unwrap_or_default();
        let left = after.checked_sub(past).filter(|it| !it.is_zero())?;
        Some(Rest { since, after, due: now.mono.after(left) })
    }

    /// When the finding ends.
    pub(crate) fn until(&self) -> Timestamp {
        self.since.checked_add(self.after).unwrap_or(Timestamp::MAX)
    }
}

#[derive(Default)]
struct OfObject {
    uid: String,
    open: BTreeMap<Key, Finding>,
    /// Rules whose last evaluation failed.
    failing: BTreeMap<Key, Verdict>,
    /// Violations that an exception covers.
    excepted: BTreeMap<Key, Verdict>,
}

impl OfObject {
    fn is_clean(&self) -> bool {
        self.open.is_empty() && self.failing.is_empty() && self.excepted.is_empty()
    }
}

/// All open findings.
#[derive(Default)]
pub(crate) struct Findings {
    kinds: BTreeMap<GroupVersionKind, BTreeMap<ObjectName, OfObject>>,
    /// When resting findings end; those that have gone on are here, too.
    due: BTreeSet<(Mono, GroupVersionKind, ObjectName, Key)>,
}

/// What changed.
pub(crate) enum Change {
    /// A violation is new, or one of an earlier revision of the rule, which had the severity `before`, or more of what follows
    /// from it is this replica's now: the share.
    Opened { key: PolicyKey, verdict: Verdict, severity: &'static str, before: Option<&'static str>, share: Share },
    /// The object is clean, and the finding waits for its end.
    Rests { verdict: Verdict, since: Timestamp },
    /// The object of a finding that waited for its end is not clean.
    Returned { verdict: Verdict },
    /// A violation ended.
    Ended { verdict: Verdict, severity: &'static str, share: Share },
    /// An evaluation fails that did not before.
    Failed { key: PolicyKey, verdict: Verdict },
    /// An evaluation that failed does not any more, or is not made.
    Recovered { verdict: Verdict },
    /// An exception covers a violation, or another one does than before.
    Excepted { key: PolicyKey, verdict: Verdict },
    /// What an exception covered is fixed, or gone, or not covered any more.
    Bared { verdict: Verdict },
}

impl Findings {
    /// Takes in what was found about one object by the rules that `asked` gives a share for; gives what changed.
    pub(crate) fn take(
        &mut self,
        kind: &GroupVersionKind,
        found: Found,
        rules: &Rules,
        asked: impl Fn(&PolicyKey) -> Option<Share>,
        now: Now,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let Found { name, uid, verdicts } = found;
        let of_kind = self.kinds.entry(kind.clone()).or_default();
        if of_kind.get(&name).is_some_and(|it| it.uid != uid) {
            // Another object under the same name.
            end(of_kind, &name, |_| true, ended::DELETED, now, &mut changes);
        }
        let object = of_kind.entry(name.clone()).or_default();
        object.uid = uid;
        let (mut seen, mut failing, mut excepted) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut covered = BTreeSet::new();
        for (at, verdict) in verdicts {
            let Some(entry) = rules.entries().get(at) else { continue };
            let Some(share) = asked(&entry.key) else { continue };
            let key = (entry.key.clone(), verdict.evidence.part.clone());
            seen.push(key.clone());
            if verdict.outcome == Outcome::Skip {
                covered.insert(key.clone());
                if share.tells {
                    let known = object.excepted.get(&key);
                    let name = |it: &Verdict| it.evidence.exception.as_ref().map(|it| it.name());
                    if let Some(known) = known.filter(|it| name(it) != name(&verdict)) {
                        changes.push(Change::Bared { verdict: known.clone() });
                    }
                    if known.is_none_or(|it| !is_same_exception(it, &verdict)) {
                        changes.push(Change::Excepted { key: key.0.clone(), verdict: verdict.clone() });
                    }
                    excepted.insert(key, without_values(verdict));
                }
                continue;
            }
            if let Some(open) = object.open.get_mut(&key)
                && open.rests.take().is_some()
            {
                changes.push(Change::Returned { verdict: open.verdict.clone() });
            }
            if verdict.outcome == Outcome::Error {
                if !share.tells {
                    continue;
                }
                if !object.failing.contains_key(&key) {
                    changes.push(Change::Failed { key: key.0.clone(), verdict: verdict.clone() });
                }
                failing.insert(key, without_values(verdict));
                continue;
            }
            let severity = entry.rule.as_ref().and_then(|it| it.severity).map_or("", |it| it.as_str());
            let known = object.open.get(&key);
            let same = known.filter(|it| it.verdict.policy.revision == verdict.policy.revision);
            let news = share.minus(same.map(|it| it.share).unwrap_or_default());
            if same.is_none() || !news.is_none() {
                let before = known.filter(|it| it.share.tells && news.tells).map(|it| it.severity);
                changes.push(Change::Opened {
                    key: key.0.clone(),
                    verdict: verdict.clone(),
                    severity,
                    before,
                    share: news,
                });
            }
            let since = known.map_or(now.wall, |it| it.since);
            let share = share.or(known.map(|it| it.share).unwrap_or_default());
            let finding = Finding { verdict: without_values(verdict), since, severity, share, rests: None };
            object.open.insert(key, finding);
        }
        let is_asked = |key: &Key| asked(&key.0).is_some();
        let over = replace(&mut object.failing, failing, is_asked);
        changes.extend(over.into_iter().map(|verdict| Change::Recovered { verdict }));
        let over = replace(&mut object.excepted, excepted, is_asked);
        changes.extend(over.into_iter().map(|verdict| Change::Bared { verdict }));
        for (key, finding) in object.open.iter_mut().filter(|it| asked(&it.0.0).is_some() && !seen.contains(it.0)) {
            let after = resolve_after(rules, &key.0);
            match finding.rests {
                Some(rest) if rest.after == after => continue,
                Some(rest) => finding.rests = Rest::new(rest.since, after, now),
                None => {
                    finding.rests = Rest::new(now.wall, after, now);
                    if let Some(Rest { since, .. }) = finding.rests {
                        changes.push(Change::Rests { verdict: finding.verdict.clone(), since });
                    }
                }
            }
            if let Some(rest) = finding.rests {
                self.due.insert((rest.due, kind.clone(), name.clone(), key.clone()));
            }
        }
        let rests: BTreeSet<Key> =
            object.open.iter().filter(|it| it.1.rests.is_some()).map(|it| it.0.clone()).collect();
        let is_over = |key: &Key| asked(&key.0).is_some() && !seen.contains(key) && !rests.contains(key);
        end(of_kind, &name, is_over, ended::FIXED, now, &mut changes);
        end(of_kind, &name, |key| covered.contains(key), ended::EXCEPTED, now, &mut changes);
        changes
    }

    /// Ends what has rested for long enough.
    pub(crate) fn end_rests(&mut self, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        while self.due.first().is_some_and(|it| it.0 <= now.mono) {
            let Some((due, kind, name, key)) = self.due.pop_first() else { break };
            let Some(of_kind) = self.kinds.get_mut(&kind) else { continue };
            let finding = of_kind.get(&name).and_then(|it| it.open.get(&key));
            if finding.and_then(|it| it.rests).is_some_and(|it| it.due == due) {
                end(of_kind, &name, |it| *it == key, ended::FIXED, now, &mut changes);
            }
        }
        changes
    }

    /// When the next of them may end.
    pub(crate) fn next_end(&self) -> Option<Mono> {
        self.due.first().map(|it| it.0)
    }

    /// Takes over a resting finding of an earlier process.
    pub(crate) fn remember(&mut self, policy: PolicyKey, finding: Finding) {
        let subject = &finding.verdict.subject;
        let (kind, name) = (subject.gvk.clone(), (subject.namespace.clone(), subject.name.clone()));
        let key = (policy, finding.verdict.evidence.part.clone());
        let object = self.kinds.entry(kind.clone()).or_default().entry(name.clone()).or_default();
        object.uid.clone_from(&subject.uid);
        if let Some(rest) = finding.rests {
            self.due.insert((rest.due, kind, name, key.clone()));
        }
        object.open.insert(key, finding);
    }

    /// Objects of a kind with open findings, from one name to another.
    pub(crate) fn names(
        &self,
        kind: &GroupVersionKind,
        is_meant: impl Fn(&ObjectName) -> bool,
    ) -> Vec<(ObjectName, String)> {
        let of_kind = self.kinds.get(kind).into_iter().flatten();
        of_kind.filter(|it| is_meant(it.0)).map(|(name, it)| (name.clone(), it.uid.clone())).collect()
    }

    /// How many pairs of a rule that is meant and an object of a namespace something was found about.
    pub(crate) fn pairs(
        &self,
        kind: &GroupVersionKind,
        namespace: &str,
        is_meant: impl Fn(&PolicyKey) -> bool,
    ) -> usize {
        let Some(of_kind) = self.kinds.get(kind) else { return 0 };
        let objects = of_kind.range((namespace.to_owned(), String::new())..).take_while(|it| it.0.0 == namespace);
        let rules = |it: &OfObject| {
            let keys = it.open.keys().chain(it.failing.keys()).chain(it.excepted.keys()).map(|it| &it.0);
            keys.filter(|it| is_meant(it)).collect::<BTreeSet<_>>().len()
        };
        objects.map(|it| rules(it.1)).sum()
    }

    /// An object is gone.
    pub(crate) fn forget(&mut self, kind: &GroupVersionKind, name: &ObjectName, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(of_kind) = self.kinds.get_mut(kind) {
            end(of_kind, name, |_| true, ended::DELETED, now, &mut changes);
            of_kind.remove(name);
        }
        changes
    }

    /// Ends the findings of rules that are not about their objects any more.
    pub(crate) fn withdraw(
        &mut self,
        stays: impl Fn(&PolicyKey, &GroupVersionKind, &str) -> bool,
        now: Now,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for (kind, of_kind) in &mut self.kinds {
            let names: Vec<_> = of_kind.keys().cloned().collect();
            for name in names {
                end(of_kind, &name, |key| !stays(&key.0, kind, &name.0), ended::RULE, now, &mut changes);
            }
        }
        changes
    }

    /// Forgets what is somebody else's now; `share` says what may be ours in a namespace. Nothing ended, so nobody is told. Gives
    /// the findings that are not told of here any more.
    pub(crate) fn hand_over(&mut self, share: impl Fn(&str) -> Share) -> Vec<Finding> {
        let mut over = Vec::new();
        for of_kind in self.kinds.values_mut() {
            of_kind.retain(|(namespace, _), object| {
                let ours = share(namespace);
                if !ours.tells {
                    object.failing.clear();
                    object.excepted.clear();
                }
                object.open.retain(|_, finding| {
                    if finding.share.tells && !ours.tells {
                        over.push(finding.clone());
                    }
                    finding.share = finding.share.and(ours);
                    !finding.share.is_none()
                });
                !object.is_clean()
            });
        }
        over
    }

    /// Violations that exceptions cover, in order of object, each with its rule.
    pub(crate) fn excepted(&self) -> impl Iterator<Item = (&PolicyKey, &Verdict)> {
        let objects = self.kinds.values().flat_map(|it| it.values());
        objects.flat_map(|it| &it.excepted).map(|it| (&it.0.0, it.1))
    }

    /// The open findings of a rule, in order of object.
    pub(crate) fn of_rule<'f>(&'f self, key: &'f PolicyKey) -> impl Iterator<Item = &'f Finding> {
        let objects = self.kinds.values().flat_map(|it| it.values());
        objects.flat_map(|it| &it.open).filter(move |it| it.0.0 == *key).map(|it| it.1)
    }
}

fn end(
    of_kind: &mut BTreeMap<ObjectName, OfObject>,
    name: &ObjectName,
    ends: impl Fn(&Key) -> bool,
    reason: &'static str,
    now: Now,
    changes: &mut Vec<Change>,
) {
    let Some(object) = of_kind.get_mut(name) else { return };
    if [ended::DELETED, ended::RULE].contains(&reason) {
        let take_out =
            |map: &mut BTreeMap<Key, Verdict>| map.extract_if(.., |key, _| ends(key)).map(|it| it.1).collect();
        let (failing, excepted): (Vec<_>, Vec<_>) = (take_out(&mut object.failing), take_out(&mut object.excepted));
        changes.extend(failing.into_iter().map(|verdict| Change::Recovered { verdict }));
        changes.extend(excepted.into_iter().map(|verdict| Change::Bared { verdict }));
    }
    let over: Vec<Key> = object.open.keys().filter(|it| ends(it)).cloned().collect();
    for key in over {
        let Some(Finding { verdict, severity, share, .. }) = object.open.remove(&key) else { continue };
        let message = if reason == ended::EXCEPTED { "an exception covers it" } else { "resolved" }.to_owned();
        let verdict = Verdict { outcome: Outcome::Allow, reason, message, now, ..verdict };
        changes.push(Change::Ended { verdict, severity, share });
    }
    if object.is_clean() {
        of_kind.remove(name);
    }
}

/// How long objects must be clean for a rule.
fn resolve_after(rules: &Rules, key: &PolicyKey) -> Duration {
    let entry = rules.entries().iter().find(|it| it.key == *key);
    entry.and_then(|it| it.rule.as_ref()).map_or(Duration::ZERO, |it| it.resolve_after)
}

/// Takes in what is so now of the keys that were asked about; gives what was so and is not.
fn replace(
    known: &mut BTreeMap<Key, Verdict>,
    mut now: BTreeMap<Key, Verdict>,
    is_asked: impl Fn(&Key) -> bool,
) -> Vec<Verdict> {
    let (others, before): (BTreeMap<_, _>, BTreeMap<_, _>) =
        std::mem::take(known).into_iter().partition(|it| !is_asked(&it.0));
    let over = before.into_iter().filter(|it| !now.contains_key(&it.0)).map(|it| it.1).collect();
    *known = others;
    known.append(&mut now);
    over
}

/// Whether two verdicts on the same violation name the same exception.
fn is_same_exception(a: &Verdict, b: &Verdict) -> bool {
    a.policy.revision == b.policy.revision && a.evidence.exception == b.evidence.exception
}

/// What is kept: the log has the values and the reads.
fn without_values(verdict: Verdict) -> Verdict {
    let Verdict { evidence: Evidence { part, exception, .. }, .. } = &verdict;
    let (part, exception) = (part.clone(), exception.clone());
    Verdict { evidence: Evidence { part, exception, ..Evidence::default() }, ..verdict }
}
