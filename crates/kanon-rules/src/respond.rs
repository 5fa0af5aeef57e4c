//! What follows from violations, whichever loop found them: actions run, sinks are told.
//!
//! The loops call [`Responder::fired`] for a violation that is new and [`Responder::resolved`] for one that has ended;
//! how often and how fast anything leaves is decided here and nowhere else. A run that has to wait (rate, brake, a disruption
//! budget, an object that is not stored yet) waits here, and is called off when its finding ends.
//!
//! Duplicates are known by the rule's revision, the object with its UID and the action (spec/rules 8.2), remembered from a
//! success on and forgotten when the finding ends; meanwhile whatever is under way or waits is a duplicate too.
//!
//! `findings` keeps what lasts, `running` runs actions, `job` is one run; `templates` and `brake` are what an administrator says;
//! `unfinished` is what a process left half done, `denied` what there is no right to do.

mod brake;
mod denied;
mod findings;
mod job;
mod line;
mod pace;
mod running;
mod templates;
#[cfg(test)]
mod tests;
mod unfinished;
mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_core::{
    Change, Digest, EffectId, Figure, FigureKind, Figures, Input, Mono, Now, ObjectRef, Outcome, Review, Shards, Sink,
    Verdict,
};
use kanon_events::asks_about_parent;
use kanon_lang::Language;
use kanon_plane::{Outbox, PolicyKey, Reach};

use crate::{
    alerts::Alerts,
    decide::Tally,
    index::Entry,
    report::{ReportApi, Reports, RowResult},
    rule::{ActionSpec, Mode, Rule},
    share::Share,
};
use brake::Brake;
pub(crate) use brake::places;
pub use brake::{BRAKE_MAP, BUDGET};
pub(crate) use denied::Denied;
pub(crate) use findings::Settled;
use findings::{Standing, Undoing};
use job::Job;
use pace::{Recent, Window};
pub(crate) use templates::Extra;
use templates::Templates;
use unfinished::Unfinished;
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

/// Violations that exceptions cover: in the lasting loops each once, when it begins.
pub(crate) const EXCEPTED: Figure = Figure {
    name: "portal_excepted_violations_total",
    kind: FigureKind::Counter,
    help: "Violations that exceptions cover",
    labels: &["rule", "exception", "mode"],
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
    /// Labels that every alert has besides the documented ones.
    pub alert_labels: BTreeMap<String, String>,
    /// Receivers by HTTP that rules may name.
    pub hooks: BTreeSet<String>,
    /// Actions that run only where this says so; `None` for all.
    pub allowed: Option<BTreeSet<String>>,
    /// Namespace of the ConfigMaps with the brake and the templates of alerts; empty for none.
    pub namespace: String,
    /// The only namespaces in which anything is done; where there are none, all are.
    pub namespaces: Vec<String>,
    /// Which reports are written.
    pub reports: Vec<ReportApi>,
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

/// Paces and runs actions, and tells sinks.
pub(crate) struct Responder {
    settings: Responses,
    brake: Brake,
    templates: Templates,
    unfinished: Unfinished,
    /// What there is no right to do.
    pub(crate) denied: Denied,
    alerts: Alerts,
    reports: Reports,
    /// The shards of this process.
    shards: Shards,
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
    undoing: Undoing,
    next: u64,
}

impl Responder {
    /// A responder; `language` reads the templates of alerts.
    pub(crate) fn new(settings: Responses, language: Arc<dyn Language>) -> Responder {
        Responder {
            brake: Brake::new(&settings.namespace),
            templates: Templates::new(language, &settings.namespace, &settings.alert_labels),
            unfinished: Unfinished::new(&settings.namespace),
            denied: Denied::default(),
            alerts: Alerts::default(),
            reports: Reports::new(&settings.reports, settings.leads),
            shards: Shards::lead(settings.leads),
            settings,
            windows: BTreeMap::new(),
            recent: Recent::default(),
            under_way: BTreeMap::new(),
            waiting: Waiting::default(),
            busy: BTreeSet::new(),
            standing: BTreeMap::new(),
            undoing: Undoing::default(),
            next: 0,
        }
    }

    /// What this process can do about violations.
    pub(crate) fn settings(&self) -> &Responses {
        &self.settings
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
        for verdict in verdicts {
            self.count_excepted(verdict, Mode::Admission);
        }
        for row in tally.rows.iter().filter(|it| it.violations > 0) {
            let Some(entry) = tally.rules.entries().get(row.entry()) else { continue };
            let Some(rule) = &entry.rule else { continue };
            let severity = rule.severity.map_or("", |it| it.as_str());
            let action = rule.enforcement.map_or("", |it| it.as_str());
            let labels = [rule.name.as_str(), severity, action];
            self.settings.figures.add(ADMISSION_VIOLATIONS, &labels, row.violations.into());
            // One run a rule and object, however many containers violate it.
            let counts = |it: &&Verdict| it.policy == entry.policy && is_violation(it);
            let verdict = verdicts.iter().find(counts);
            for verdict in verdicts.iter().filter(counts) {
                self.log(severity, &rule.actions, verdict, &occasion, out);
            }
            // A dry run has no other consequences (spec/rules 4.3).
            if let Some(verdict) = verdict.filter(|_| !review.dry_run) {
                // What is never stored has a new UID at every attempt; it is the same violation all the same.
                let mut verdict = verdict.clone();
                if !occasion.stored {
                    verdict.subject.uid.clear();
                }
                self.report(entry, &verdict, &occasion, now);
                self.run(entry, &verdict, &occasion, Share::ALL, now, out);
            }
        }
    }

    /// What follows from one event of a running workload: there is no end to wait for.
    pub(crate) fn observed(&mut self, verdicts: &[Verdict], tally: &Tally, now: Now, out: &mut Outbox) {
        for verdict in verdicts {
            self.count_excepted(verdict, Mode::Runtime);
        }
        for verdict in verdicts.iter().filter(|it| is_violation(it)) {
            let mut entries = tally.rows.iter().filter_map(|row| tally.rules.entries().get(row.entry()));
            if let Some(entry) = entries.find(|it| it.policy == verdict.policy) {
                self.fired(entry, verdict, Mode::Runtime, Share::ALL, now, out);
            }
        }
    }

    /// A violation that is new: found by audit, network or runtime. Its actions run, its sinks are told. A loop that knows
    /// containers calls it once for each that violates (`verdict.evidence.part`). Says whether it is news: not if a report of
    /// before this process led says so already; then it goes on. `share` is what is this replica's of what follows.
    pub(crate) fn fired(
        &mut self,
        entry: &Entry,
        verdict: &Verdict,
        mode: Mode,
        share: Share,
        now: Now,
        out: &mut Outbox,
    ) -> bool {
        let occasion = Occasion { mode, event_id: event_id(verdict), stored: true };
        let is_news = share.tells && self.report(entry, verdict, &occasion, now);
        if is_news && let Some(rule) = &entry.rule {
            let severity = rule.severity.map_or("", |it| it.as_str());
            self.log(severity, &rule.actions, verdict, &occasion, out);
        }
        if occasion.lasts() {
            self.stand(entry, verdict, &occasion, share, now, out);
        } else {
            self.run(entry, verdict, &occasion, share, now, out);
        }
        is_news
    }

    /// An evaluation of a lasting loop fails that did not before: a row of the reports. Says whether it is news.
    pub(crate) fn failed(&mut self, entry: &Entry, verdict: &Verdict, mode: Mode, now: Now) -> bool {
        let occasion = Occasion { mode, event_id: event_id(verdict), stored: true };
        self.report(entry, verdict, &occasion, now)
    }

    /// An evaluation that failed does not any more, or is not made.
    pub(crate) fn recovered(&mut self, verdict: &Verdict) {
        self.reports.over(RowResult::Error, verdict);
    }

    /// An exception covers a violation of a lasting loop: a row of the reports. Says whether it is news.
    pub(crate) fn excepted(&mut self, entry: &Entry, verdict: &Verdict, mode: Mode, now: Now) -> bool {
        let occasion = Occasion { mode, event_id: event_id(verdict), stored: true };
        let is_news = self.report(entry, verdict, &occasion, now);
        if is_news {
            self.count_excepted(verdict, mode);
        }
        is_news
    }

    /// What an exception covered is fixed, or gone, or not covered any more.
    pub(crate) fn bared(&mut self, verdict: &Verdict) {
        self.reports.over(RowResult::Skip, verdict);
    }

    fn count_excepted(&self, verdict: &Verdict, mode: Mode) {
        if let Some(exception) = &verdict.evidence.exception {
            self.settings.figures.add(EXCEPTED, &[&verdict.policy.name, &exception.name(), mode.as_str()], 1);
        }
    }

    /// What passes may have changed.
    pub(crate) fn recount(&mut self, now: Now) {
        self.reports.recount(now);
    }

    /// Whether loops may begin: what was found before is known.
    pub(crate) fn is_ready(&self) -> bool {
        self.reports.are_known()
    }

    /// Deliveries, the lead, the brake and deadlines: what waits may go on. The family calls it with every input, after it
    /// has handled the input itself; `passes` counts for the reports.
    pub(crate) fn handle(&mut self, input: &Input, passes: impl Fn(&str) -> usize, now: Now, out: &mut Outbox) {
        match input {
            Input::Delivered(delivery) => {
                self.delivered(delivery, now);
                self.reports.delivered(delivery, &self.settings.figures, now.mono);
            }
            Input::Object { kind, change, object } => match change {
                Change::Applied => self.reports.seen(kind, object, now),
                Change::Deleted => self.reports.deleted(kind, object),
            },
            Input::Leadership(shards) => {
                self.lead(*shards, now);
                self.waiting.release(now.mono);
            }
            _ => {}
        }
        self.templates.handle(input, &self.settings.figures, out);
        let known = match input {
            Input::Synced { kind, .. } | Input::WatchFailed { kind, .. } => self.reports.known(kind),
            _ => false,
        };
        if self.brake.handle(input) || known {
            self.waiting.release(now.mono);
        }
        while let Some((number, job)) = self.waiting.next(now.mono) {
            self.attempt(number, job, now, out);
        }
        self.unfinished.handle(input, now.mono);
        self.unfinished.go_on(self.shards.leads(), now, out);
        self.alerts.tick(now, out);
        self.reports.write(passes, now, out);
    }

    /// When something that waits is due.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        let reports = self.reports.next_deadline();
        let unfinished = self.unfinished.next_deadline(self.shards.leads());
        [self.waiting.next_deadline(), self.alerts.next_deadline(), unfinished, reports].into_iter().flatten().min()
    }

    fn log(&self, severity: &str, actions: &[ActionSpec], verdict: &Verdict, occasion: &Occasion, out: &mut Outbox) {
        if self.settings.log {
            let line = line::render(severity, actions, verdict, occasion);
            // The decision is recorded; the replica that found it says it.
            let id = EffectId::new(&occasion.event_id, "log", &verdict.policy.name);
            out.send(id, verdict.subject.clone(), Sink::Log, line, true);
        }
    }

    fn report(&mut self, entry: &Entry, verdict: &Verdict, occasion: &Occasion, now: Now) -> bool {
        let Some(rule) = entry.rule.as_ref() else { return true };
        let severity = rule.severity.map_or("", |it| it.as_str());
        let enforcement = rule.enforcement.map_or("", |it| it.as_str());
        self.reports.open(verdict, occasion, (severity, enforcement), now)
    }

    /// Where a rule may have things done.
    fn reach(&self, rule: &Rule) -> Reach {
        match (&rule.home, &*self.settings.namespaces) {
            (Some(home), _) => Reach::namespace(home),
            (None, []) => Reach::cluster(),
            (None, namespaces) => Reach::namespaces(namespaces),
        }
    }

    fn count(&self, action: &str, result: &str) {
        self.settings.figures.add(ACTIONS, &[action, result], 1);
    }
}

/// Whether something follows from a verdict.
fn is_violation(verdict: &Verdict) -> bool {
    !matches!(verdict.outcome, Outcome::Error | Outcome::Skip)
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
