//! What follows from violations, whichever loop found them: actions run, sinks are told.
//!
//! The loops call [`Responder::fired`] for a violation that is new and [`Responder::resolved`] for one that has ended;
//! how often and how fast anything leaves is decided here and nowhere else. A run that has to wait (rate, brake, a disruption
//! budget, an object that is not stored yet) waits here, and is called off when its finding ends.
//!
//! Duplicates are known by the rule's revision, the object with its UID and the action (spec/rules 8.2), remembered from a
//! success on and forgotten when the finding ends; meanwhile whatever is under way or waits is a duplicate too.

mod brake;
mod job;
mod line;
mod pace;
#[cfg(test)]
mod tests;
mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_core::{
    Change, Delivery, Digest, Done, EffectId, Figure, FigureKind, Figures, Input, Mono, Now, ObjectRef, Outcome,
    Review, Sink, Verdict,
};
use kanon_events::asks_about_parent;
use kanon_plane::{AlertParams, Outbox, PolicyKey, Prepared, Reach};

use crate::{
    alerts::{Alerts, Firing},
    decide::Tally,
    index::Entry,
    report::{Reports, is_report},
    rule::{Mode, Response, Work},
};
pub(crate) use brake::brake_kind;
pub use brake::{BRAKE_MAP, BUDGET};
use brake::{Brake, Held};
use job::{HOLD, Job, Task};
use pace::{Recent, Window};
use waiting::Waiting;

/// Actions by their end (spec/rules 8.1, 9.3).
pub(crate) const ACTIONS: Figure = Figure {
    name: "portal_actions_total",
    kind: FigureKind::Counter,
    help: "Actions of violated rules by their end",
    labels: &["action", "result"],
};
/// Violations that admission found (spec/rules 9.3, an addition).
const ADMISSION_VIOLATIONS: Figure = Figure {
    name: "portal_admission_violations_total",
    kind: FigureKind::Counter,
    help: "Violations found by admission",
    labels: &["rule", "severity", "action"],
};

/// Most runs that wait at once; more are dropped and counted.
const WAITING_MAX: usize = 10_000;

/// Which violations are alerted about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlertScope {
    /// Those of rules with an `alertmanager` action, the `alert` shorthand included.
    #[default]
    Rules,
    /// All.
    All,
}

/// What this process can do about violations.
#[derive(Clone, Debug, Default)]
pub struct Responses {
    /// Where counts go.
    pub figures: Arc<Figures>,
    /// Which violations an Alertmanager hears of; `None` where there is no Alertmanager.
    pub alerts: Option<AlertScope>,
    /// Namespace of the brake's ConfigMap; empty for no brake.
    pub namespace: String,
    /// Whether policy reports are written.
    pub reports: bool,
    /// Whether each violation is a line of the violation log.
    pub log: bool,
    /// Say what actions would do, and do nothing.
    pub dry_run: bool,
    /// Whether this process leads from the start.
    pub leads: bool,
}

/// The circumstances of a violation.
pub(crate) struct Occasion {
    pub mode: Mode,
    pub event_id: String,
    /// Whether there will be an object: a denied request leaves none.
    pub stored: bool,
}

impl Occasion {
    /// Whether the violation is a finding with an end of its own.
    pub(crate) fn lasts(&self) -> bool {
        matches!(self.mode, Mode::Audit | Mode::Network)
    }
}

/// A finding that lasts.
struct Standing {
    /// The rule's revision that found it last.
    revision: String,
    /// The containers that it is about.
    parts: BTreeSet<String>,
}

/// Paces and runs actions, and tells sinks.
pub(crate) struct Responder {
    settings: Responses,
    brake: Brake,
    alerts: Alerts,
    reports: Reports,
    leads: bool,
    /// What was done of each rate-limited action.
    windows: BTreeMap<(PolicyKey, usize), Window>,
    recent: Recent,
    /// Effects that have left and have not ended.
    under_way: BTreeMap<EffectId, Job>,
    waiting: Waiting,
    /// Targets of all runs under way or waiting.
    busy: BTreeSet<Digest>,
    /// Findings that last.
    standing: BTreeMap<Digest, Standing>,
    next: u64,
}

impl Responder {
    pub(crate) fn new(settings: Responses) -> Responder {
        Responder {
            brake: Brake::new(&settings.namespace),
            alerts: Alerts::default(),
            reports: Reports::default(),
            leads: settings.leads,
            settings,
            windows: BTreeMap::new(),
            recent: Recent::default(),
            under_way: BTreeMap::new(),
            waiting: Waiting::default(),
            busy: BTreeSet::new(),
            standing: BTreeMap::new(),
            next: 0,
        }
    }

    /// What follows from one admission request.
    pub(crate) fn admission(
        &mut self,
        review: &Review,
        verdicts: &[Verdict],
        tally: &Tally,
        now: Now,
        out: &mut Outbox,
    ) {
        let is_denied = verdicts.iter().any(|it| it.outcome == Outcome::Deny);
        let is_gone = review.operation == kanon_core::Operation::Delete;
        // What is connected to is there, whatever becomes of the request.
        let stored = asks_about_parent(review) || (!is_denied && !is_gone);
        let occasion = Occasion { mode: Mode::Admission, event_id: review.uid.replace('-', ""), stored };
        for row in tally.rows.iter().filter(|it| it.violations > 0) {
            let Some(entry) = tally.rules.entries().get(row.entry()) else { continue };
            let Some(rule) = &entry.rule else { continue };
            let severity = rule.severity.map_or("", |it| it.as_str());
            let action = rule.enforcement.map_or("", |it| it.as_str());
            let labels = [rule.name.as_str(), severity, action];
            self.settings.figures.add(ADMISSION_VIOLATIONS, &labels, row.violations.into());
            // One run a rule and object, however many containers violate it.
            let verdict = verdicts.iter().find(|it| it.policy == entry.policy && it.outcome != Outcome::Error);
            for verdict in verdicts.iter().filter(|it| it.policy == entry.policy && it.outcome != Outcome::Error) {
                self.log(entry, verdict, &occasion, out);
            }
            // A dry run has no other consequences (spec/rules 4.3).
            if let Some(verdict) = verdict.filter(|_| !review.dry_run) {
                // What is never stored has a new UID at every attempt; it is the same violation all the same.
                let mut verdict = verdict.clone();
                if !occasion.stored {
                    verdict.subject.uid.clear();
                }
                self.report(entry, &verdict, &occasion, now);
                self.run(entry, &verdict, &occasion, now, out);
            }
        }
    }

    /// What follows from one event of a running workload: there is no end to wait for.
    pub(crate) fn observed(&mut self, verdicts: &[Verdict], tally: &Tally, now: Now, out: &mut Outbox) {
        for verdict in verdicts.iter().filter(|it| it.outcome != Outcome::Error) {
            let mut entries = tally.rows.iter().filter_map(|row| tally.rules.entries().get(row.entry()));
            if let Some(entry) = entries.find(|it| it.policy == verdict.policy) {
                self.fired(entry, verdict, Mode::Runtime, now, out);
            }
        }
    }

    /// A violation that is new: found by audit, network or runtime. Its actions run, its sinks are told. A loop that knows
    /// containers calls it once for each that violates (`verdict.evidence.part`).
    pub(crate) fn fired(&mut self, entry: &Entry, verdict: &Verdict, mode: Mode, now: Now, out: &mut Outbox) {
        let occasion = Occasion { mode, event_id: event_id(verdict), stored: true };
        self.log(entry, verdict, &occasion, out);
        self.report(entry, verdict, &occasion, now);
        if occasion.lasts() {
            self.stand(entry, verdict, &occasion, now, out);
        } else {
            self.run(entry, verdict, &occasion, now, out);
        }
    }

    /// A finding ended: the object was fixed or deleted, or the rule is gone. `verdict` is the one it was fired with, or any
    /// later one of the same policy, subject and part. Sinks hear it; actions do not run.
    pub(crate) fn resolved(&mut self, verdict: &Verdict, _mode: Mode, now: Now, out: &mut Outbox) {
        self.reports.close(verdict);
        let finding = job::finding(verdict);
        let Some(standing) = self.standing.get_mut(&finding) else { return };
        standing.parts.remove(&verdict.evidence.part);
        if !standing.parts.is_empty() {
            // Another container still violates: the object's finding lasts.
            return;
        }
        self.standing.remove(&finding);
        self.alerts.resolve(finding, now, out);
        self.call_off(finding);
        for at in 0..=crate::api::crds::ACTIONS_MAX {
            self.recent.forget(&job::target(verdict, at));
        }
    }

    /// A loop has looked at everything once: what reports of before say beyond that is not so any more.
    pub(crate) fn settled(&mut self, now: Now, out: &mut Outbox) {
        for stale in self.reports.settle() {
            if stale.row.is_alerted() {
                self.alerts.end(&stale, now, out);
            }
        }
    }

    /// Deliveries, the lead, the brake and deadlines: what waits may go on. The family calls it with every input, after it
    /// has handled the input itself.
    pub(crate) fn handle(&mut self, input: &Input, now: Now, out: &mut Outbox) {
        match input {
            Input::Delivered(delivery) => {
                self.delivered(delivery, now);
                self.reports.delivered(delivery, &self.settings.figures, now.mono);
            }
            Input::Object { kind, change, object } if self.settings.reports && is_report(kind) => match change {
                Change::Applied => self.reports.seen(object, now),
                Change::Deleted => self.reports.deleted(object),
            },
            Input::Leadership(leads) => {
                self.leads = *leads;
                self.begin_anew();
                self.waiting.release(now.mono);
            }
            _ => {}
        }
        let known = match input {
            Input::Synced { kind } | Input::WatchFailed { kind, .. } => self.reports.known(kind),
            _ => false,
        };
        if self.brake.handle(input) || known {
            self.waiting.release(now.mono);
        }
        while let Some((number, job)) = self.waiting.next(now.mono) {
            self.attempt(number, job, now, out);
        }
        self.alerts.tick(now, out);
        if self.leads {
            self.reports.write(now, out);
        }
    }

    /// When something that waits is due.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        let reports = if self.leads { self.reports.next_deadline() } else { None };
        [self.waiting.next_deadline(), self.alerts.next_deadline(), reports].into_iter().flatten().min()
    }

    fn log(&self, entry: &Entry, verdict: &Verdict, occasion: &Occasion, out: &mut Outbox) {
        if self.settings.log {
            let line = line::render(entry.rule.as_deref(), verdict, occasion);
            // The decision is recorded; the replica that found it says it.
            let id = EffectId::new(&occasion.event_id, "log", &verdict.policy.name);
            out.send(id, verdict.subject.clone(), Sink::Log, line, true, true);
        }
    }

    fn report(&mut self, entry: &Entry, verdict: &Verdict, occasion: &Occasion, now: Now) {
        let Some(rule) = entry.rule.as_ref().filter(|_| self.settings.reports) else { return };
        let severity = rule.severity.map_or("", |it| it.as_str());
        let enforcement = rule.enforcement.map_or("", |it| it.as_str());
        self.reports.open(verdict, occasion, (severity, enforcement), now);
    }

    /// What follows from a violation of a loop whose findings last: once an object, however many containers violate the rule,
    /// and again when the rule has changed.
    fn stand(&mut self, entry: &Entry, verdict: &Verdict, occasion: &Occasion, now: Now, out: &mut Outbox) {
        let finding = job::finding(verdict);
        let part = verdict.evidence.part.clone();
        let revision = &verdict.policy.revision;
        match self.standing.get_mut(&finding) {
            Some(known) if known.revision == *revision => {
                known.parts.insert(part);
            }
            known => {
                let is_known = known.is_some();
                let standing = Standing { revision: revision.clone(), parts: BTreeSet::from([part]) };
                self.standing.insert(finding, standing);
                if is_known {
                    self.call_off(finding);
                }
                let is_alerted = self.run(entry, verdict, occasion, now, out);
                if is_known && !is_alerted {
                    self.alerts.resolve(finding, now, out);
                }
            }
        }
    }

    /// Calls off what waits because of a finding; what is under way is not tried again.
    fn call_off(&mut self, finding: Digest) {
        for job in self.waiting.call_off(finding) {
            self.busy.remove(&job.target);
        }
        for job in self.under_way.values_mut().filter(|it| it.finding == Some(finding)) {
            job.called_off = true;
        }
    }

    /// Runs the actions of a violation, in order; says whether an alert is among them.
    fn run(&mut self, entry: &Entry, verdict: &Verdict, occasion: &Occasion, now: Now, out: &mut Outbox) -> bool {
        let Some(rule) = &entry.rule else { return false };
        let reach = rule.home.as_deref().map_or_else(Reach::cluster, Reach::namespace);
        let mut alerted = false;
        for (at, response) in rule.responses.iter().enumerate() {
            let Response { spec, work } = response;
            if !spec.on.is_empty() && !spec.on.contains(&occasion.mode) {
                continue;
            }
            let (id, window, destructive, prepared) = match work {
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
            let task = match prepared {
                Prepared::Object(_) if !occasion.stored => {
                    self.count(id, "skipped");
                    continue;
                }
                Prepared::Object(render) => match render(verdict, &reach) {
                    Ok(wanted) => Task::Object(Box::new(wanted)),
                    Err(_) => {
                        self.count(id, "error");
                        continue;
                    }
                },
                Prepared::Alert(params) => {
                    alerted = true;
                    Task::Alert(params.clone())
                }
                Prepared::Report => {
                    self.count(id, "ok");
                    continue;
                }
            };
            let job = Job::new(entry, at, (id, window, destructive), spec, (verdict, occasion), task, now.mono);
            self.begin(job, now, out);
        }
        if !alerted && self.settings.alerts == Some(AlertScope::All) {
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

    fn begin(&mut self, job: Job, now: Now, out: &mut Outbox) {
        if self.busy.contains(&job.target) || self.recent.holds(&job.target, now.mono) {
            self.count(job.cause.action, "duplicate");
            return;
        }
        if self.waiting.len() >= WAITING_MAX {
            self.count("*", "dropped");
            return;
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
    fn attempt(&mut self, number: u64, mut job: Job, now: Now, out: &mut Outbox) {
        let is_lasting_alert = job.finding.is_some() && matches!(job.task, Task::Alert(_));
        if is_lasting_alert && self.settings.reports && !self.reports.are_known() {
            // A finding that an earlier process reported began then.
            self.waiting.put(number, job, None);
            return;
        }
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
            }
            Task::Alert(params) => {
                let firing = Firing {
                    verdict: &job.verdict,
                    severity: job.severity,
                    mode: job.mode,
                    event_id: &job.cause.event_id,
                    runbook_url: &params.runbook_url,
                    finding: job.finding,
                    since: self.reports.since(&job.verdict).filter(|_| job.finding.is_some()).unwrap_or(now.wall),
                };
                self.reports.alerted(&job.verdict);
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

    fn delivered(&mut self, delivery: &Delivery, now: Now) {
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
        if !result.is_empty() {
            self.count(job.cause.action, result);
        }
        match again {
            Some(at) => {
                let number = self.next;
                self.next += 1;
                self.waiting.put(number, job, Some(at));
            }
            None => {
                self.busy.remove(&job.target);
                if result == "ok" && !job.called_off {
                    self.recent.note(job.target, now.mono.after(job.remember), now.mono);
                }
            }
        }
    }

    /// Findings that last are the leader's, who finds them all anew; what admission let through stays this replica's.
    fn begin_anew(&mut self) {
        self.standing.clear();
        self.alerts = Alerts::default();
        self.reports.begin_anew();
        for finding in self.waiting.findings() {
            self.call_off(finding);
        }
    }

    /// Counts why a run waits, once each.
    fn tell(&self, job: &mut Job, result: &'static str) {
        if job.told != Some(result) {
            self.count(job.cause.action, result);
            job.told = Some(result);
        }
    }

    fn count(&self, action: &str, result: &str) {
        self.settings.figures.add(ACTIONS, &[action, result], 1);
    }
}

/// The action that alerts.
pub(crate) const ALERTMANAGER: &str = "alertmanager";

/// The id of the event that a finding was made in (spec/rules 3): its own, or else the object and the moment.
fn event_id(verdict: &Verdict) -> String {
    if !verdict.evidence.event.is_empty() {
        return verdict.evidence.event.clone();
    }
    let ObjectRef { gvk, namespace, name, .. } = &verdict.subject;
    format!("{gvk}/{namespace}/{name}/{}", verdict.now.wall.as_nanosecond())
}
