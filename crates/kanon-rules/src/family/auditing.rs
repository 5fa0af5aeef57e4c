//! The family's part in the audit: inputs to the audit's state, and what changed to records, figures, responses and counts.

use std::{any::Any, sync::Arc};

use kanon_core::{Figure, FigureKind, Input, Now, Verdict};
use kanon_plane::{BrokenScan, Outbox};

use super::{RulesFamily, figures::show_times, networking::FINDINGS};
use crate::{
    audit::{findings::Change, scan::Scanned, sight::facts},
    index::Entry,
    lookups::resources::Resources,
    respond::Settled,
    rule::Mode,
};

/// Violations that the audit found (spec/rules 9.3): each once, when it begins.
pub(crate) const VIOLATIONS: Figure = Figure {
    name: "portal_audit_violations",
    kind: FigureKind::Counter,
    help: "Violations found by the audit",
    labels: &["rule", "severity", "gvk"],
};

/// Violations that have not ended.
pub(crate) const OPEN: Figure = Figure {
    name: "portal_open_findings",
    kind: FigureKind::Gauge,
    help: "Violations found by the audit that have not ended",
    labels: &["rule", "severity", "namespace"],
};

/// Evaluations that were put off because rules seem to chase each other.
pub(crate) const SUPPRESSED: Figure = Figure {
    name: "portal_lookup_cycle_suppressed_total",
    kind: FigureKind::Counter,
    help: "Evaluations put off because looked-up objects change too often",
    labels: &[],
};

/// Whether a loop asked for a scan.
pub(super) fn belongs_to(result: &(dyn Any + Send + Sync), mode: Mode) -> bool {
    let whole = result.downcast_ref::<Scanned>().map(|it| it.work.occasion);
    let broken = || result.downcast_ref::<BrokenScan>().map(|it| it.work.occasion);
    whole.or_else(broken) == Some(mode.as_str())
}

impl RulesFamily {
    /// What the audit has to do with an input.
    pub(super) fn audit_input(&mut self, input: &Input, now: Now, out: &mut Outbox) {
        let changes = match input {
            Input::Object { kind, change: kanon_core::Change::Applied, object } => {
                self.audit.object_changed(&kind.gvk, object, now);
                Vec::new()
            }
            Input::Object { kind, change: kanon_core::Change::Deleted, object } => {
                self.audit.object_deleted(&kind.gvk, object, now)
            }
            Input::Synced { kind, keep } => {
                self.audit.kind_synced(&kind.gvk, keep);
                self.report_sight(now, out);
                Vec::new()
            }
            Input::WatchFailed { kind, problem } => {
                self.audit.sight.failed(&kind.gvk, problem);
                self.report_sight(now, out);
                Vec::new()
            }
            Input::Unwatched { kind } => self.audit.kind_forgotten(&kind.gvk, now),
            Input::Resources { kinds } => {
                let served = Resources::with(kinds).shaped(self.settings.shapes.clone());
                self.served = Arc::new(served.confined(!self.settings.namespaces.is_empty()));
                self.publish(None, now, out);
                self.report_sight(now, out);
                Vec::new()
            }
            Input::Scanned { result, .. } if belongs_to(&**result, Mode::Audit) => {
                let scanned = result.downcast_ref::<Scanned>();
                if let Some(scanned) = scanned.filter(|_| self.settings.counts && self.audit.is_awaited()) {
                    self.count_scan(scanned, Mode::Audit, now, out);
                }
                self.audit.scanned(scanned, now)
            }
            Input::Leadership(shards) => {
                let forgotten = self.audit.lead(*shards, now);
                forgotten.iter().for_each(|it| self.gauge(&it.verdict, it.severity, -1));
                Vec::new()
            }
            Input::Tick => self.audit.tick(now),
            Input::Scanned { .. }
            | Input::PlacesSynced { .. }
            | Input::Folder { .. }
            | Input::AlertTemplates { .. }
            | Input::Reviewed { .. }
            | Input::Observed { .. }
            | Input::Delivered(_) => Vec::new(),
        };
        self.follow(changes, Mode::Audit, now, out);
        let suppressed = self.audit.suppressed();
        if suppressed > 0 {
            self.figures.add(SUPPRESSED, &[], suppressed);
        }
    }

    /// The rules were swapped.
    pub(super) fn audit_rules(&mut self, now: Now, out: &mut Outbox) {
        self.publish_facts();
        let changes = self.audit.rules_changed(&self.rules, now);
        self.follow(changes, Mode::Audit, now, out);
        let changes = self.network.patrol.rules_changed(&self.rules, now);
        self.follow(changes, Mode::Network, now, out);
        let rules = Arc::clone(&self.rules);
        let told = self.network.exceptions_changed(&rules, now);
        told.into_iter().for_each(|it| self.tell(it, now, out));
    }

    fn publish_facts(&mut self) {
        let facts = facts(&self.rules, &self.audit.sight);
        if facts != *self.facts {
            self.facts = Arc::new(facts);
        }
    }

    /// Statuses that say what the rules can see.
    fn report_sight(&mut self, now: Now, out: &mut Outbox) {
        self.publish_facts();
        self.plan(|_, _| true, now, out);
    }

    pub(super) fn count_scan(&mut self, scanned: &Scanned, mode: Mode, now: Now, out: &mut Outbox) {
        let object = |at| scanned.failed.iter().find(|it| it.0 == at).map(|it| &it.1);
        self.count_rows(&scanned.rules, &scanned.rows, mode, object, now, out);
        show_times(&self.figures, &scanned.rules, &scanned.times, mode);
    }

    /// When the loops have looked at everything once, what was open before and nobody has found again has ended.
    pub(super) fn settle(&mut self, now: Now, out: &mut Outbox) {
        if !self.is_settled() {
            return;
        }
        let (rules, network) = (&self.rules, &self.network);
        let rule_of = |policy: &kanon_core::PolicyRef, mode| {
            let is_it = |it: &&Entry| {
                let is_in_force = it.state.is_active() && it.rule.as_ref().is_some_and(|it| it.modes.contains(&mode));
                is_in_force && (&it.policy.namespace, &it.policy.name) == (&policy.namespace, &policy.name)
            };
            let check = if mode == Mode::Network { network.rule_named(&policy.name) } else { None };
            check.or_else(|| rules.entries().iter().find(is_it))
        };
        let Settled { ended, resting } = self.respond.settled(rule_of, now, out);
        for ended in ended {
            out.verdict(ended);
        }
        for (key, mode, finding) in resting {
            self.gauge(&finding.verdict, finding.severity, 1);
            let of_loop = if mode == Mode::Network { &mut self.network.patrol } else { &mut self.audit };
            of_loop.remember(key, finding);
        }
    }

    /// What follows from what a loop over stored objects found.
    pub(super) fn follow(&mut self, changes: Vec<Change>, mode: Mode, now: Now, out: &mut Outbox) {
        for change in changes {
            match change {
                Change::Opened { key, verdict, severity, before, share } => {
                    before.into_iter().for_each(|before| self.gauge(&verdict, before, -1));
                    self.gauge(&verdict, severity, i64::from(share.tells));
                    let entry = self.positions.get(&key).and_then(|at| self.rules.entries().get(*at));
                    let is_news = match entry {
                        Some(entry) => self.respond.fired(entry, &verdict, mode, share, now, out),
                        None => share.tells,
                    };
                    let (name, kind) = (&verdict.policy.name, verdict.subject.gvk.to_string());
                    match (before, mode) {
                        (None, Mode::Network) if is_news => self.figures.add(FINDINGS, &[name], 1),
                        (None, _) if is_news => self.figures.add(VIOLATIONS, &[name, severity, &kind], 1),
                        _ => {}
                    }
                    if is_news {
                        out.verdict(verdict);
                    }
                }
                Change::Rests { verdict, since } => self.respond.rests(&verdict, since),
                Change::Returned { verdict } => self.respond.returned(&verdict, now, out),
                Change::Ended { verdict, severity, share } => {
                    self.gauge(&verdict, severity, -i64::from(share.tells));
                    self.respond.resolved(&verdict, mode, share, now, out);
                    if share.tells {
                        out.verdict(verdict);
                    }
                }
                Change::Failed { key, verdict } => {
                    let entry = self.positions.get(&key).and_then(|at| self.rules.entries().get(*at));
                    if entry.is_none_or(|it| self.respond.failed(it, &verdict, mode, now)) {
                        out.verdict(verdict);
                    }
                }
                Change::Recovered { verdict } => self.respond.recovered(&verdict),
                Change::Excepted { key, verdict } => {
                    self.exceptions.recount(now);
                    let entry = self.positions.get(&key).and_then(|at| self.rules.entries().get(*at));
                    if entry.is_none_or(|it| self.respond.excepted(it, &verdict, mode, now)) {
                        out.verdict(verdict);
                    }
                }
                Change::Bared { verdict } => {
                    self.exceptions.recount(now);
                    self.respond.bared(&verdict);
                }
            }
        }
    }

    pub(super) fn gauge(&self, verdict: &Verdict, severity: &str, by: i64) {
        self.figures.add(OPEN, &[&verdict.policy.name, severity, &verdict.subject.namespace], by);
    }
}
