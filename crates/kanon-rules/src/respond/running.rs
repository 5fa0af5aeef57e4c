//! Runs of actions: which there are, what holds them back, how they end.

use std::borrow::Cow;

use kanon_core::{Delivery, Done, Failure, Now, Verdict};
use kanon_plane::{AlertParams, Outbox, Prepared};
use serde_json::{Value, json};

use super::{
    ALERTMANAGER, AlertScope, Occasion, Responder, WAITING_MAX,
    brake::Held,
    findings::undoing,
    job::{HOLD, Job, Task},
};
use crate::{
    alerts::Firing,
    index::Entry,
    rule::{Response, Work},
    share::Share,
};

/// Which actions of a violation are meant.
pub(super) struct Meant {
    pub(super) share: Share,
    pub(super) only_alerts: bool,
}

impl Responder {
    /// Runs those actions of a violation that are this replica's, in order; says whether an alert is among them.
    pub(super) fn run(
        &mut self,
        entry: &Entry,
        verdict: &Verdict,
        occasion: &Occasion,
        share: Share,
        now: Now,
        out: &mut Outbox,
    ) -> bool {
        self.run_those(entry, verdict, occasion, Meant { share, only_alerts: false }, now, out)
    }

    /// The same of the actions that are meant.
    pub(super) fn run_those(
        &mut self,
        entry: &Entry,
        verdict: &Verdict,
        occasion: &Occasion,
        meant: Meant,
        now: Now,
        out: &mut Outbox,
    ) -> bool {
        let Meant { share, only_alerts } = meant;
        let Some(rule) = &entry.rule else { return false };
        let reach = self.reach(rule);
        let mut alerted = false;
        if share.tells && !share.acts && occasion.lasts() {
            // The leader does and takes back; what this finding wants is not taken back here because of another.
            for undo in undoing(&reach, entry, verdict, occasion, now) {
                self.remember_undo(super::job::finding(verdict), undo);
            }
        }
        for (at, response) in rule.responses.iter().enumerate() {
            let Response { spec, work } = response;
            if !spec.on.is_empty() && !spec.on.contains(&occasion.mode) {
                continue;
            }
            if !share.takes(response.acts()) {
                alerted |= matches!(work, Work::Run { prepared: Prepared::Alert(_), .. });
                continue;
            }
            let (id, window, destructive, prepared) = match work {
                Work::Run { prepared, .. } if only_alerts && !matches!(prepared, Prepared::Alert(_)) => continue,
                Work::Run { id, window, destructive, prepared } => (*id, *window, *destructive, prepared),
                Work::Unknown => {
                    self.count(&spec.action, "unknown");
                    continue;
                }
                Work::Unusable => {
                    self.count(&spec.action, "error");
                    continue;
                }
            };
            let mut takes_back = None;
            let task = match prepared {
                Prepared::Object { .. } if !occasion.stored => {
                    self.count(id, "skipped");
                    continue;
                }
                Prepared::Object { act, undo } => match act(&self.begun(verdict, occasion), &reach) {
                    Ok(wanted) => {
                        takes_back = undo.as_ref().and_then(|it| it(verdict, &reach).ok());
                        Task::Object(Box::new(wanted))
                    }
                    Err(_) => {
                        self.count(id, "error");
                        continue;
                    }
                },
                Prepared::Hook(to) => Task::Hook(to.clone()),
                Prepared::Alert(params) => {
                    alerted = true;
                    Task::Alert(params.clone())
                }
                Prepared::Report => {
                    self.count(id, "ok");
                    continue;
                }
            };
            let mut job = Job::new(entry, at, (id, window, destructive), spec, (verdict, occasion), task, now.mono);
            job.undo = takes_back.map(|it| Box::new(job.undoing(it)));
            self.begin(job, now, out);
        }
        if !alerted && share.tells && self.settings.alerts == Some(AlertScope::All) {
            let spec = crate::rule::ActionSpec {
                action: ALERTMANAGER.to_owned(),
                on: Vec::new(),
                rate: None,
                params: serde_json::Map::new(),
            };
            let at = rule.responses.len();
            let kind = (ALERTMANAGER, std::time::Duration::from_mins(5), false);
            let task = Task::Alert(AlertParams::default());
            self.begin(Job::new(entry, at, kind, &spec, (verdict, occasion), task, now.mono), now, out);
            alerted = true;
        }
        alerted
    }

    /// The verdict with the time the violation began, which a report may know from before this process.
    fn begun<'v>(&self, verdict: &'v Verdict, occasion: &Occasion) -> Cow<'v, Verdict> {
        match self.reports.since(verdict).filter(|it| occasion.lasts() && *it != verdict.now.wall) {
            None => Cow::Borrowed(verdict),
            Some(wall) => Cow::Owned(Verdict { now: Now { wall, ..verdict.now }, ..verdict.clone() }),
        }
    }

    pub(super) fn begin(&mut self, mut job: Job, now: Now, out: &mut Outbox) {
        // An alert that this process had, and left to another for a while, is its own again.
        let is_alert = matches!(job.task, Task::Alert(_));
        let is_anew = is_alert && job.finding.is_some_and(|it| !self.alerts.stands(&it));
        if self.busy.contains(&job.target) || (!is_anew && self.recent.holds(&job.target, now.mono)) {
            self.count(job.cause.action, "duplicate");
            return;
        }
        if self.waiting.len() >= WAITING_MAX {
            self.count("*", "dropped");
            return;
        }
        if job.takes_back {
            // It was made when there was something to take back.
            job.since = now.mono;
        }
        self.busy.insert(job.target);
        let number = self.next;
        self.next += 1;
        if job.held {
            self.waiting.put(number, job, Some(now.mono.after(HOLD)));
        } else {
            self.attempt(number, job, now, out);
        }
    }

    /// Does what is to be done, unless something holds it back.
    pub(super) fn attempt(&mut self, number: u64, mut job: Job, now: Now, out: &mut Outbox) {
        let rate = job.rate.and_then(|rate| self.windows.get_mut(&job.counted)?.free_at(rate, now.mono));
        if let Some(at) = rate {
            self.tell(&mut job, "ratelimited");
            // What does not last is not worth doing later.
            if job.finding.is_some() {
                self.waiting.put(number, job, Some(at));
            } else {
                self.busy.remove(&job.target);
            }
            return;
        }
        if job.destructive {
            match self.brake.holds(now.mono) {
                None => self.brake.spend(now.mono),
                Some(Held::Brake) => {
                    self.tell(&mut job, "braked");
                    self.waiting.put(number, job, None);
                    return;
                }
                Some(Held::Budget(at)) => {
                    self.tell(&mut job, "ratelimited");
                    self.waiting.put(number, job, Some(at));
                    return;
                }
            }
        }
        if job.rate.is_some() {
            self.windows.retain(|_, it| !it.is_over(now.mono));
            self.windows.entry(job.counted.clone()).or_default().note(now.mono);
        }
        match &job.task {
            Task::Object(wanted) => {
                let cause = kanon_core::Cause { dry_run: self.settings.dry_run, ..job.cause.clone() };
                out.act(job.id.clone(), wanted, cause, job.own);
                if let (Some(finding), Some(undo)) = (job.finding, job.undo.take()) {
                    self.remember_undo(finding, *undo);
                }
            }
            Task::Hook(to) => {
                let cause = kanon_core::Cause { dry_run: self.settings.dry_run, ..job.cause.clone() };
                out.call(job.id.clone(), job.verdict.subject.clone(), document(to, &job), cause);
            }
            Task::Alert(params) => {
                let Verdict { policy, subject, evidence, message, .. } = &job.verdict;
                let fields = [
                    &policy.name,
                    job.severity,
                    &subject.namespace,
                    &subject.gvk.kind,
                    &subject.name,
                    &subject.uid,
                    job.mode.as_str(),
                    message,
                    &evidence.part,
                    &evidence.operation,
                ];
                let extra = self.templates.extra(&params.template, &fields, &self.settings.figures);
                self.reports.alerted(&job.verdict, &extra.labels);
                let firing = Firing {
                    verdict: &job.verdict,
                    severity: job.severity,
                    mode: job.mode,
                    event_id: &job.cause.event_id,
                    runbook_url: &params.runbook_url,
                    extra: &extra,
                    finding: job.finding,
                    acts: job.acts,
                    since: self.reports.since(&job.verdict).filter(|_| job.finding.is_some()).unwrap_or(now.wall),
                };
                if !self.alerts.fire(job.id.clone(), &firing, now, out) {
                    // Another finding with the same labels stands behind the alert already.
                    self.count(job.cause.action, "duplicate");
                    self.busy.remove(&job.target);
                    return;
                }
            }
        }
        self.under_way.insert(job.id.clone(), job);
    }

    pub(super) fn delivered(&mut self, delivery: &Delivery, now: Now) {
        let Some(mut job) = self.under_way.remove(&delivery.effect) else { return };
        let is_evict = matches!(&job.task, Task::Object(it) if matches!(it.action(), kanon_core::Action::Evict { .. }));
        let (result, again) = match &delivery.result {
            Ok(Done::Done | Done::Count(_)) => ("ok", None),
            Ok(Done::Absent) => match job.after_absence(now.mono) {
                None if is_evict && !job.held => ("ok", None),
                None => ("skipped", None),
                Some(at) => ("", Some(at)),
            },
            Ok(Done::Replaced) => ("skipped", None),
            Err(failure) if failure.later => match job.after_refusal(now.mono) {
                None => ("error", None),
                Some(at) => ("retrying", Some(at)),
            },
            Err(_) => ("error", None),
        };
        match &delivery.result {
            Err(Failure { lacks: Some(right), .. }) => self.denied.note(&job, right),
            Ok(Done::Done | Done::Count(_)) => self.denied.done(&job),
            _ => {}
        }
        if !result.is_empty() {
            self.count(job.cause.action, if job.takes_back && result == "ok" { "undone" } else { result });
        }
        match again {
            Some(at) => {
                let number = self.next;
                self.next += 1;
                self.waiting.put(number, job, Some(at));
            }
            None => {
                self.busy.remove(&job.target);
                if result == "ok" && !job.called_off && !job.takes_back {
                    self.recent.note(job.target, now.mono.after(job.remember), now.mono);
                }
            }
        }
    }

    /// Counts why a run waits, once each.
    fn tell(&self, job: &mut Job, result: &'static str) {
        if job.told != Some(result) {
            self.count(job.cause.action, result);
            job.told = Some(result);
        }
    }
}

/// What a receiver by HTTP is told, under the name it has here.
fn document(to: &str, job: &Job) -> Value {
    let Verdict { policy, subject, evidence, message, outcome, now, .. } = &job.verdict;
    json!({"to": to, "event": {
        "id": job.id, "time": now.wall.to_string(), "rule": policy.name, "severity": job.severity,
        "mode": job.mode.as_str(), "decision": outcome.as_str(), "message": message,
        "object": {
            "apiVersion": subject.gvk.api_version(), "kind": subject.gvk.kind, "namespace": subject.namespace,
            "name": subject.name, "uid": subject.uid,
        },
        "container": evidence.part, "operation": evidence.operation, "user": evidence.user,
        "eventID": job.cause.event_id,
    }})
}
