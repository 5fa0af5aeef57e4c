//! The family's part in exceptions: inputs to their register, and its news to the rules' snapshot.

use kanon_core::{Change, Input, Kind, Now, Object};
use kanon_plane::Outbox;

use super::RulesFamily;
use crate::audit::{findings::Findings, lock};

impl RulesFamily {
    /// An exception changed.
    pub(super) fn handle_exception(
        &mut self,
        kind: &Kind,
        change: Change,
        object: &Object,
        now: Now,
        out: &mut Outbox,
    ) {
        if self.exceptions.object(kind, change, object, now, out) {
            self.publish(None, now, out);
        }
    }

    /// What is to be done with every input, before anything else: who has ended covers nothing that comes later.
    pub(super) fn end_exceptions(&mut self, input: &Input, now: Now, out: &mut Outbox) {
        match input {
            Input::Synced { kind, .. } => self.exceptions.synced(kind),
            Input::Delivered(delivery) if delivery.result.is_err() => self.exceptions.undelivered(delivery, now),
            // A follower's statuses were held; what was last planned may be old.
            Input::Leadership(shards) if shards.leads() => self.exceptions.distrust(now),
            _ => {}
        }
        if self.exceptions.end(now, out) {
            self.publish(None, now, out);
        }
    }

    /// And after everything else: the count of what they cover, and the next end.
    pub(super) fn count_exceptions(&mut self, now: Now, out: &mut Outbox) {
        if self.exceptions.is_count_due(now) {
            let loops = [self.audit.findings(), self.network.patrol.findings()];
            let loops = loops.each_ref().map(|it| lock(it));
            let of_rules =
                loops.iter().flat_map(|it| Findings::excepted(it)).filter_map(|it| it.1.evidence.exception.as_deref());
            let of_checks = self.network.excepted().filter_map(|it| it.evidence.exception.as_deref());
            self.exceptions.count(of_rules.chain(of_checks), now);
            drop(loops);
            self.exceptions.plan(&self.rules, now, out);
        }
        self.exceptions.arm(now);
    }

    /// Whether the loops over stored objects may begin: what was found before is known, so that it is no news, and so are the
    /// exceptions, so that nothing is done about what they cover.
    pub(super) fn is_ready(&self) -> bool {
        self.respond.is_ready() && (!self.settings.awaits_exceptions || self.exceptions.have_arrived())
    }
}
