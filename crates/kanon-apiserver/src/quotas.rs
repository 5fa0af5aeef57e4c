//! Quotas: what a write will use is claimed until its outcome stands in the store, and what is used is shown before the client is
//! answered. What fits is `kanon_apimachinery::quota`'s to say; statuses are written by `controllers::quotas`.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kanon_apimachinery::{
    quota::{self, Claim, Ledger},
    status::Result,
    write::{Context, Finished},
};
use kanon_core::Operation;
use kanon_store::Revision;
use tokio::{sync::watch, time::timeout};

use crate::{
    core::Core,
    handlers::write::{Carried, Done},
};

/// How long a client waits for a quota's status to tell of its write; a webhook may hold that up.
const SHOWN_WAIT: Duration = Duration::from_secs(1);

/// The ledger that all writes share.
#[derive(Debug)]
pub(crate) struct Quotas {
    ledger: Mutex<Ledger>,
    /// Up to here statuses tell what is used.
    shown: watch::Sender<Revision>,
}

impl Quotas {
    pub(crate) fn new() -> Quotas {
        Quotas { ledger: Mutex::default(), shown: watch::Sender::new(Revision(0)) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn shown(&self, revision: Revision) {
        self.shown.send_replace(revision);
    }
}

/// A claim that goes back when the write is over, however it ends.
pub(crate) struct Charged<'q> {
    quotas: &'q Quotas,
    claim: Claim,
}

impl Core {
    /// Claims what a finished write will use; none where nothing is bounded, or it uses no more than before.
    ///
    /// # Errors
    /// 403 where it does not fit.
    pub(crate) fn charge(
        &self,
        ctx: &Context<'_>,
        operation: Operation,
        finished: &Finished,
    ) -> Result<Option<Charged<'_>>> {
        let namespace = ctx.address.object_namespace();
        let is_bounded = |memory: &_| quota::is_bounded(memory, namespace);
        if !quota::concern(ctx, operation, finished.part) || !self.storage.read(is_bounded) {
            return Ok(None);
        }
        let quotas = &self.quotas;
        let mut ledger = quotas.lock();
        let (object, old) = (&finished.object, finished.old_object.as_ref());
        let claim = self.storage.read(|memory| ledger.charge(memory, ctx, object, old))?;
        Ok(claim.map(|claim| Charged { quotas, claim }))
    }

    /// Waits until the statuses of quotas tell of a write that was charged.
    pub(crate) async fn show_charge(&self, carried: &Carried) {
        if let (true, Done::Entry(entry)) = (carried.charged, &carried.done) {
            let mut shown = self.quotas.shown.subscribe();
            let told = shown.wait_for(|it| *it >= entry.revision);
            // Told or not, the write stands.
            let _ = timeout(SHOWN_WAIT, told).await;
        }
    }
}

impl Drop for Charged<'_> {
    fn drop(&mut self) {
        self.quotas.lock().release(&self.claim);
    }
}
