//! The family's part in the network loop: inputs to its state, and what changed to records, figures and responses.

use std::sync::Arc;

use kanon_core::{Figure, FigureKind, Input, Now};
use kanon_plane::Outbox;

use super::{
    RulesFamily,
    auditing::{OPEN, SUPPRESSED, belongs_to},
};
use crate::{
    audit::{scan::Scanned, sight::facts},
    index::Rules,
    network::{Network, NetworkSettings, Told},
    rule::Mode,
};

/// Findings of the network loop (spec/rules 9.3): each once, when it begins. A user's rule counts under its name.
pub(crate) const FINDINGS: Figure = Figure {
    name: "portal_np_findings",
    kind: FigureKind::Counter,
    help: "Findings of the checks of network policies, and of rules of mode network",
    labels: &["check"],
};

impl RulesFamily {
    /// The same family, which runs the network loop. Its actions are those that are known by now.
    #[must_use]
    pub fn with_network(mut self, settings: &NetworkSettings) -> RulesFamily {
        self.network = Network::new(settings, self.settings.resync, &self.compiler);
        if !self.settings.loops.contains(&Mode::Network) {
            self.settings.loops.push(Mode::Network);
        }
        self.rules = Arc::new(Rules::new(Vec::new(), Vec::new(), self.settings.clone(), Arc::clone(&self.served)));
        self.facts = Arc::new(facts(&self.rules, &self.audit.sight));
        self.view = self.watching();
        self
    }

    /// What the network loop has to do with an input.
    pub(super) fn network_input(&mut self, input: &Input, now: Now, out: &mut Outbox) {
        let patrol = &mut self.network.patrol;
        let changes = match input {
            Input::Object { kind, change, object } => self.network.object(&kind.gvk, *change, object, now),
            Input::Synced { kind, keep } => {
                self.network.kind_synced(&kind.gvk, keep, now.mono);
                Vec::new()
            }
            Input::WatchFailed { kind, problem } => {
                patrol.sight.failed(&kind.gvk, problem);
                Vec::new()
            }
            Input::Unwatched { kind } => self.network.kind_forgotten(&kind.gvk, now),
            Input::Scanned { result, .. } if belongs_to(&**result, Mode::Network) => {
                let scanned = result.downcast_ref::<Scanned>();
                let counts = self.settings.counts && patrol.is_awaited();
                if let Some(scanned) = scanned.filter(|_| counts) {
                    self.count_scan(scanned, Mode::Network, now, out);
                }
                self.network.patrol.scanned(scanned, now)
            }
            Input::Leadership(shards) => {
                let forgotten = patrol.lead(*shards, now);
                forgotten.iter().for_each(|it| self.gauge(&it.verdict, it.severity, -1));
                let (forgotten, news) = self.network.lead(*shards, now);
                for it in forgotten {
                    let labels = [it.key.check.id(), it.severity.as_str(), &it.subject.namespace];
                    self.figures.add(OPEN, &labels, -1);
                }
                news.into_iter().for_each(|told| self.tell(told, now, out));
                Vec::new()
            }
            Input::Tick => patrol.tick(now),
            Input::Resources { .. }
            | Input::PlacesSynced { .. }
            | Input::Scanned { .. }
            | Input::Folder { .. }
            | Input::AlertTemplates { .. }
            | Input::Reviewed { .. }
            | Input::Observed { .. }
            | Input::Delivered(_) => Vec::new(),
        };
        self.follow(changes, Mode::Network, now, out);
        if self.is_ready() {
            for told in self.network.check(now) {
                self.tell(told, now, out);
            }
        }
        let suppressed = self.network.patrol.suppressed();
        if suppressed > 0 {
            self.figures.add(SUPPRESSED, &[], suppressed);
        }
    }

    /// Whether every loop over stored objects has looked at everything once.
    pub(super) fn is_settled(&self) -> bool {
        let (audits, checks) = (self.audit.runs(), self.network.runs());
        (audits || checks)
            && (!audits || self.audit.is_settled(&self.kinds))
            && (!checks || self.network.is_settled(&self.kinds))
    }

    pub(super) fn tell(&mut self, told: Told, now: Now, out: &mut Outbox) {
        match told {
            Told::Opened { check, verdict, severity, before, share } => {
                self.gauge(&verdict, severity, i64::from(share.tells));
                let is_news = match self.network.rule(check) {
                    Some(entry) => self.respond.fired(entry, &verdict, Mode::Network, share, now, out),
                    None => share.tells,
                };
                match before {
                    None if is_news => self.figures.add(FINDINGS, &[check.id()], 1),
                    None => {}
                    Some(before) => self.gauge(&verdict, before, -i64::from(share.tells)),
                }
                if is_news {
                    out.verdict(verdict);
                }
            }
            Told::Reworded { check, verdict, share } => {
                // Its sinks hear the new words; what was done about it is not done again.
                if let Some(entry) = self.network.rule(check) {
                    self.respond.fired(entry, &verdict, Mode::Network, share, now, out);
                }
                if share.tells {
                    out.verdict(verdict);
                }
            }
            Told::Excepted { check, verdict } => {
                self.exceptions.recount(now);
                let entry = self.network.rule(check);
                if entry.is_none_or(|it| self.respond.excepted(it, &verdict, Mode::Network, now)) {
                    out.verdict(verdict);
                }
            }
            Told::Bared { verdict } => {
                self.exceptions.recount(now);
                self.respond.bared(&verdict);
            }
            Told::Ended { verdict, severity, share } => {
                self.gauge(&verdict, severity, -i64::from(share.tells));
                self.respond.resolved(&verdict, Mode::Network, share, now, out);
                if share.tells {
                    out.verdict(verdict);
                }
            }
        }
    }
}
