//! The family's part in the network loop: inputs to its state, and what changed to records, figures and responses.

use kanon_core::{Figure, FigureKind, Input, Now};
use kanon_plane::Outbox;

use super::{RulesFamily, auditing::OPEN};
use crate::{
    network::{Network, NetworkSettings, Told},
    rule::Mode,
};

/// Findings of the built-in checks (spec/rules 9.3): each once, when it begins.
pub(crate) const FINDINGS: Figure = Figure {
    name: "portal_np_findings",
    kind: FigureKind::Counter,
    help: "Findings of the built-in checks of network policies",
    labels: &["check"],
};

impl RulesFamily {
    /// The same family, which runs the network loop. Its actions are those that are known by now.
    #[must_use]
    pub fn with_network(mut self, settings: &NetworkSettings) -> RulesFamily {
        self.network = Network::new(settings, &self.compiler);
        self
    }

    /// What the network loop has to do with an input.
    pub(super) fn network_input(&mut self, input: &Input, now: Now, out: &mut Outbox) {
        match input {
            Input::Object { kind, change, object } => self.network.object(&kind.gvk, *change, object, now.mono),
            Input::Synced { kind } => self.network.kind_synced(&kind.gvk, now.mono),
            Input::Unwatched { kind } => self.network.kind_forgotten(&kind.gvk),
            Input::Leadership(leads) => {
                for it in self.network.lead(*leads, now.mono) {
                    let labels = [it.key.check.id(), it.severity.as_str(), &it.subject.namespace];
                    self.figures.add(OPEN, &labels, -1);
                }
            }
            Input::WatchFailed { .. }
            | Input::Resources { .. }
            | Input::Scanned { .. }
            | Input::Folder { .. }
            | Input::Reviewed { .. }
            | Input::Observed { .. }
            | Input::Delivered(_)
            | Input::Tick => {}
        }
        for told in self.network.check(now) {
            self.tell(told, now, out);
        }
    }

    fn tell(&mut self, told: Told, now: Now, out: &mut Outbox) {
        match told {
            Told::Opened { check, verdict, severity, before } => {
                match before {
                    None => self.figures.add(FINDINGS, &[check.id()], 1),
                    Some(before) => self.gauge(&verdict, before, -1),
                }
                self.gauge(&verdict, severity, 1);
                if let Some(entry) = self.network.rule(check) {
                    self.respond.fired(entry, &verdict, Mode::Network, now, out);
                }
                out.verdict(verdict);
            }
            Told::Reworded { check, verdict } => {
                // Its sinks hear the new words; what was done about it is not done again.
                if let Some(entry) = self.network.rule(check) {
                    self.respond.fired(entry, &verdict, Mode::Network, now, out);
                }
                out.verdict(verdict);
            }
            Told::Ended { verdict, severity } => {
                self.gauge(&verdict, severity, -1);
                self.respond.resolved(&verdict, Mode::Network, now, out);
                out.verdict(verdict);
            }
        }
    }
}
