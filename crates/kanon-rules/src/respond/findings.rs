//! Findings that last: what stands, what ends, and what is taken back then.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kanon_core::{Digest, Now, Outcome, PolicyRef, Shards, Verdict};
use kanon_plane::{Outbox, PolicyKey, Prepared, Reach};

use super::{
    Occasion, Responder, event_id,
    job::{self, Job, Task},
    running::Meant,
};
use crate::{
    FAMILY,
    audit::findings::{Finding, Rest, ended},
    decide::VIOLATION,
    index::Entry,
    report::{RowResult, Stale},
    rule::{Mode, Response, Severity, Work},
    share::Share,
};

/// A finding that lasts.
pub(super) struct Standing {
    /// The rule's revision that found it last.
    revision: String,
    severity: &'static str,
    /// Where its object is.
    namespace: String,
    /// What of its consequences followed here.
    share: Share,
    /// The containers that it is about.
    parts: BTreeSet<String>,
    /// Those of them that are clean, and wait for the end.
    clean: BTreeSet<String>,
    /// Runs that waited when all of them were clean: they go on if the violation comes back.
    paused: Vec<Job>,
    /// What takes back what was done because of it, by what that does.
    undo: BTreeMap<Digest, Job>,
}

impl Standing {
    fn new(revision: &str, severity: &'static str, namespace: &str, share: Share, part: String) -> Standing {
        Standing {
            revision: revision.to_owned(),
            severity,
            namespace: namespace.to_owned(),
            share,
            parts: BTreeSet::from([part]),
            clean: BTreeSet::new(),
            paused: Vec::new(),
            undo: BTreeMap::new(),
        }
    }
}

/// What became of findings of before that nobody has found again.
pub(crate) struct Settled {
    /// Their ends, to be recorded.
    pub ended: Vec<Verdict>,
    /// Those that wait for their end, by rule and loop.
    pub resting: Vec<(PolicyKey, Mode, Finding)>,
}

/// What runs take back what was done, and how many findings still stand behind each.
#[derive(Default)]
pub(super) struct Undoing(BTreeMap<Digest, usize>);

impl Undoing {
    fn keep(&mut self, what: Digest) {
        *self.0.entry(what).or_default() += 1;
    }

    /// One finding less; whether none is left.
    fn let_go(&mut self, what: Digest) -> bool {
        match self.0.get_mut(&what) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            _ => {
                self.0.remove(&what);
                true
            }
        }
    }
}

impl Responder {
    /// What follows from a violation of a loop whose findings last: once an object, however many containers violate the rule,
    /// and again when the rule has changed.
    pub(super) fn stand(
        &mut self,
        entry: &Entry,
        verdict: &Verdict,
        occasion: &Occasion,
        share: Share,
        now: Now,
        out: &mut Outbox,
    ) {
        let finding = job::finding(verdict);
        let part = verdict.evidence.part.clone();
        let revision = &verdict.policy.revision;
        let severity = entry.rule.as_ref().and_then(|it| it.severity).map_or("", |it| it.as_str());
        match self.standing.get_mut(&finding) {
            Some(known) if known.revision == *revision => {
                known.clean.remove(&part);
                known.parts.insert(part);
                let more = share.minus(known.share);
                known.share = known.share.or(share);
                self.resume(finding, now, out);
                if !more.is_none() {
                    self.run(entry, verdict, occasion, more, now, out);
                }
            }
            known => {
                let is_known = known.is_some();
                // What an earlier revision did is taken back in the end, too.
                let (before, undo) = known.map(|it| (it.share, std::mem::take(&mut it.undo))).unwrap_or_default();
                let standing = Standing::new(revision, severity, &verdict.subject.namespace, share.or(before), part);
                let standing = Standing { undo, ..standing };
                self.standing.insert(finding, standing);
                if is_known {
                    self.call_off(finding);
                }
                let is_alerted = self.run(entry, verdict, occasion, share, now, out);
                if is_known && !is_alerted {
                    self.alerts.resolve(finding, now, out);
                }
            }
        }
    }

    /// Notes what takes back what has just been done because of a finding.
    pub(super) fn remember_undo(&mut self, finding: Digest, undo: Job) {
        let Some(what) = undo.deed() else { return };
        if let Some(standing) = self.standing.get_mut(&finding)
            && standing.undo.insert(what, undo).is_none()
        {
            self.undoing.keep(what);
        }
    }

    /// A finding ended: the object was fixed or deleted, or the rule is gone. `verdict` is the one it was fired with, or any
    /// later one of the same policy, subject and part. Sinks hear it; actions do not run, but what is to be taken back is.
    pub(crate) fn resolved(&mut self, verdict: &Verdict, mode: Mode, share: Share, now: Now, out: &mut Outbox) {
        if share.tells {
            self.reports.close(verdict);
        }
        let finding = job::finding(verdict);
        let Some(standing) = self.standing.get_mut(&finding) else { return };
        standing.parts.remove(&verdict.evidence.part);
        standing.clean.remove(&verdict.evidence.part);
        let severity = standing.severity;
        // Another container may still violate: then the object's finding lasts.
        let over = if standing.parts.is_empty() { self.standing.remove(&finding) } else { None };
        let occasion = Occasion { mode, event_id: event_id(verdict), stored: true };
        if share.tells {
            self.log(severity, &[], verdict, &occasion, out);
        }
        let Some(standing) = over else {
            self.pause(finding);
            return;
        };
        self.alerts.resolve(finding, now, out);
        self.call_off(finding);
        for at in 0..=crate::api::crds::ACTIONS_MAX {
            self.recent.forget(&job::target(verdict, at));
        }
        let is_to_undo = standing.share.acts && verdict.reason != ended::DELETED;
        for (what, undo) in standing.undo {
            if self.undoing.let_go(what) && is_to_undo {
                self.begin(undo, now, out);
            }
        }
    }

    /// The object of a finding is clean, and the finding waits for its end: what has not been done about it waits, too.
    pub(crate) fn rests(&mut self, verdict: &Verdict, since: Timestamp) {
        self.reports.rest(verdict, Some(since));
        let finding = job::finding(verdict);
        if let Some(standing) = self.standing.get_mut(&finding) {
            standing.clean.insert(verdict.evidence.part.clone());
            self.pause(finding);
        }
    }

    /// The violation came back before its finding ended: nothing is new.
    pub(crate) fn returned(&mut self, verdict: &Verdict, now: Now, out: &mut Outbox) {
        self.reports.rest(verdict, None);
        let finding = job::finding(verdict);
        if let Some(standing) = self.standing.get_mut(&finding) {
            standing.clean.remove(&verdict.evidence.part);
            self.resume(finding, now, out);
        }
    }

    /// Holds what waits because of a finding, when all of it is clean.
    fn pause(&mut self, finding: Digest) {
        if self.standing.get(&finding).is_some_and(|it| it.clean.len() == it.parts.len()) {
            let jobs = self.call_off(finding);
            if let Some(standing) = self.standing.get_mut(&finding) {
                standing.paused.extend(jobs);
            }
        }
    }

    fn resume(&mut self, finding: Digest, now: Now, out: &mut Outbox) {
        let paused = self.standing.get_mut(&finding).map(|it| std::mem::take(&mut it.paused));
        for job in paused.into_iter().flatten() {
            self.begin(job, now, out);
        }
        for job in self.under_way.values_mut().filter(|it| it.finding == Some(finding)) {
            job.called_off = false;
        }
    }

    /// The loops have looked at everything once: what reports of before say beyond that is not so any more. `rule_of` gives the
    /// rule in force in a loop, if there is one
    pub(crate) fn settled<'r>(
        &mut self,
        rule_of: impl Fn(&PolicyRef, Mode) -> Option<&'r Entry>,
        now: Now,
        out: &mut Outbox,
    ) -> Settled {
        let rest_of = |stale: &Stale| {
            let rule = rule_of(&stale.policy, stale.mode)?.rule.as_ref()?;
            let is_about =
                stale.result == RowResult::Fail && rule.is_about(&stale.subject.gvk, &stale.subject.namespace);
            Rest::new(stale.clean.unwrap_or(now.wall), rule.resolve_after, now).filter(|_| is_about)
        };
        let mut settled = Settled { ended: Vec::new(), resting: Vec::new() };
        for (stale, rest) in self.reports.settle(rest_of) {
            match (rest, rule_of(&stale.policy, stale.mode)) {
                _ if stale.result != RowResult::Fail => {}
                (Some(rest), Some(entry)) => settled.resting.push(self.remember(&stale, rest, entry, now, out)),
                _ => settled.ended.push(self.end_stale(stale, &rule_of, now, out)),
            }
        }
        settled
    }

    /// Goes on with a finding whose object is clean now, as far as it was seen: its alert stands, and what was done about it is
    /// taken back when it ends.
    fn remember(
        &mut self,
        stale: &Stale,
        rest: Rest,
        entry: &Entry,
        now: Now,
        out: &mut Outbox,
    ) -> (PolicyKey, Mode, Finding) {
        let Stale { policy, mode, subject, part, since, event_id, message, .. } = stale;
        let verdict = Verdict {
            family: FAMILY,
            policy: policy.clone(),
            subject: subject.clone(),
            occasion: mode.as_str(),
            outcome: Outcome::DryRun,
            reason: VIOLATION,
            message: message.clone(),
            evidence: kanon_core::Evidence { part: part.clone(), ..kanon_core::Evidence::default() },
            now,
        };
        let severity = stale.severity.parse().map_or("", Severity::as_str);
        let finding = job::finding(&verdict);
        let acts = entry.rule.as_ref().is_some_and(|it| it.acts(mode));
        let share = Share::of(self.shards, acts, &subject.namespace);
        let standing = Standing::new(&policy.revision, severity, &subject.namespace, share, part.clone());
        let standing = self.standing.entry(finding).or_insert(standing);
        standing.parts.insert(part.clone());
        standing.clean.insert(part.clone());
        let occasion = Occasion { mode: *mode, event_id: event_id.clone(), stored: true };
        if stale.alert.is_some() {
            self.run_those(entry, &verdict, &occasion, Meant { share, only_alerts: true }, now, out);
            if entry.rule.as_ref().and_then(|it| it.severity).map_or("", Severity::as_str) != severity {
                self.alerts.end(stale, now, out);
            }
        }
        let reach = entry.rule.as_ref().map_or_else(Reach::cluster, |it| self.reach(it));
        for undo in undoing(&reach, entry, &verdict, &occasion, now) {
            self.remember_undo(finding, undo);
        }
        (entry.key.clone(), *mode, Finding { verdict, since: *since, severity, share, rests: Some(rest) })
    }

    fn end_stale<'r>(
        &mut self,
        stale: Stale,
        rule_of: &impl Fn(&PolicyRef, Mode) -> Option<&'r Entry>,
        now: Now,
        out: &mut Outbox,
    ) -> Verdict {
        let Stale { policy, mode, subject, .. } = &stale;
        let entry = rule_of(policy, *mode);
        let is_about = |it: &&Entry| {
            *mode == Mode::Network || it.rule.as_ref().is_some_and(|it| it.is_about(&subject.gvk, &subject.namespace))
        };
        let verdict = Verdict {
            family: FAMILY,
            policy: policy.clone(),
            subject: subject.clone(),
            occasion: mode.as_str(),
            outcome: Outcome::Allow,
            reason: if entry.filter(is_about).is_some() { ended::UNSEEN } else { ended::RULE },
            message: "resolved".to_owned(),
            evidence: kanon_core::Evidence { part: stale.part.clone(), ..kanon_core::Evidence::default() },
            now,
        };
        let occasion = Occasion { mode: *mode, event_id: event_id(&verdict), stored: true };
        self.log(&stale.severity, &[], &verdict, &occasion, out);
        if stale.alert.is_some() {
            self.alerts.end(&stale, now, out);
        }
        // What the leader did about it, before it was this replica's.
        self.forget(job::finding(&verdict));
        let undo = entry.and_then(|it| Some(undoing(&self.reach(it.rule.as_ref()?), it, &verdict, &occasion, now)));
        for undo in undo.unwrap_or_default() {
            // Another finding may want it to stay.
            if undo.deed().is_some_and(|it| !self.undoing.0.contains_key(&it)) {
                self.begin(undo, now, out);
            }
        }
        verdict
    }

    /// Calls off what waits because of a finding, and gives it; what is under way is not tried again.
    pub(super) fn call_off(&mut self, finding: Digest) -> Vec<Job> {
        let jobs = self.waiting.call_off(finding);
        for job in &jobs {
            self.busy.remove(&job.target);
        }
        for job in self.under_way.values_mut().filter(|it| it.finding == Some(finding)) {
            job.called_off = true;
        }
        jobs
    }

    /// Other shards are this process's: of the findings that last, what is somebody else's now is forgotten without a word, who finds
    /// them anew. What admission let through stays this replica's.
    pub(super) fn lead(&mut self, shards: Shards, now: Now) {
        self.shards = shards;
        let share = |namespace: &str| Share::at_most(shards, namespace);
        self.standing.values_mut().for_each(|it| it.share = it.share.and(share(&it.namespace)));
        let over: Vec<_> = self.standing.iter().filter(|it| it.1.share.is_none()).map(|it| *it.0).collect();
        over.into_iter().for_each(|it| self.forget(it));
        self.alerts.hand_over(share);
        self.reports.lead(shards, now);
        let is_over = |job: &Job| job.finding.is_some() && !share(&job.verdict.subject.namespace).takes(job.acts);
        for job in self.waiting.call_off_all(is_over) {
            self.busy.remove(&job.target);
        }
        for job in self.under_way.values_mut().filter(|it| is_over(it)) {
            job.called_off = true;
        }
    }

    /// Forgets a finding that nothing more follows from here.
    fn forget(&mut self, finding: Digest) {
        for what in self.standing.remove(&finding).into_iter().flat_map(|it| it.undo.into_keys()) {
            self.undoing.let_go(what);
        }
        self.call_off(finding);
    }
}

/// The runs that take back what a rule's actions did about a violation.
pub(super) fn undoing(reach: &Reach, entry: &Entry, verdict: &Verdict, occasion: &Occasion, now: Now) -> Vec<Job> {
    let Some(rule) = &entry.rule else { return Vec::new() };
    let responses = rule.responses.iter().enumerate();
    let undoing = responses.filter_map(|(at, Response { spec, work })| {
        let Work::Run { id, window, destructive, prepared: Prepared::Object { undo: Some(undo), .. } } = work else {
            return None;
        };
        let runs = spec.on.is_empty() || spec.on.contains(&occasion.mode);
        let wanted = undo(verdict, reach).ok().filter(|_| runs)?;
        let task = Task::Object(Box::new(wanted.clone()));
        let done = Job::new(entry, at, (id, *window, *destructive), spec, (verdict, occasion), task, now.mono);
        Some(done.undoing(wanted))
    });
    undoing.collect()
}
