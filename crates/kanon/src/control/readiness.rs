//! What the process still waits for before it is ready (spec/rules 4.6): policies, namespaces, what enforcing rules look up, and the
//! registration of its webhook.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kanon_core::{GroupVersionKind, Kind};
use kanon_plane::Lookups;
use kanon_runtime::Shared;

use crate::exit::Failure;

/// How long policies may take to load at the start.
const READY_MAX: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Clone)]
pub(super) struct Readiness {
    pub(super) shared: Arc<Shared>,
    /// The kinds of policies, but for those that decisions can do without.
    pub(super) policies: Vec<Kind>,
    /// Whether the webhook is registered.
    pub(super) registered: Arc<AtomicBool>,
    /// Whether the process ends.
    pub(super) ending: Arc<AtomicBool>,
    /// Whether all that enforcing rules looked up at the start was there once. A rule that comes later must not take every replica
    /// out of service at once: until its objects are here it fails by itself.
    pub(super) arrived: Arc<AtomicBool>,
}

impl Readiness {
    /// What is waited for; nothing when all is ready.
    pub(super) fn waiting(&self) -> Vec<String> {
        let end = self.ending.load(Ordering::Acquire).then(|| "its end".to_owned());
        self.loading().into_iter().chain(self.lookups()).chain(end).collect()
    }

    /// What nothing can be decided without.
    fn loading(&self) -> Vec<String> {
        let objects = self.shared.objects.load();
        let namespaces = GroupVersionKind::new("", "v1", "Namespace");
        let unsynced = self.policies.iter().filter(|it| !objects.has_arrived(&it.gvk)).map(|it| it.plural.clone());
        // A follower's webhook answers too, but the leader's is registered.
        let missing = self.shared.leads() && !self.registered.load(Ordering::Acquire);
        let webhook = missing.then(|| "webhook registration".to_owned());
        let exempt = (!objects.is_synced(&namespaces)).then(|| "namespaces".to_owned());
        unsynced.chain(exempt).chain(webhook).collect()
    }

    /// What enforcing rules of admission look up and has not arrived.
    fn lookups(&self) -> Vec<String> {
        if self.arrived.load(Ordering::Acquire) {
            return Vec::new();
        }
        // In this order: when the objects say that all policies are there, the facts are theirs.
        let objects = self.shared.objects.load();
        let facts = self.shared.facts.load();
        let missing = facts.required.iter().filter(|it| !objects.is_synced(it));
        let missing: Vec<_> = missing.map(|it| format!("{} that rules look up", it.kind)).collect();
        // Which rules there are is not known before.
        if missing.is_empty() && self.policies.iter().all(|it| objects.has_arrived(&it.gvk)) {
            self.arrived.store(true, Ordering::Release);
        }
        missing
    }

    /// Waits until all is ready. Looked-up objects that take their time hold the probe only.
    pub(super) async fn reached(&self) -> Result<(), Failure> {
        let mut published = self.shared.published.subscribe();
        let ready = async {
            while !self.waiting().is_empty() {
                // Registration tells by the same channel.
                let _ = published.changed().await;
            }
        };
        if tokio::time::timeout(READY_MAX, ready).await.is_ok() {
            return Ok(());
        }
        match self.loading() {
            late if late.is_empty() => Ok(()),
            late => Err(Failure::new(format!("not ready after a minute: waiting for {}", late.join(", ")))),
        }
    }
}
