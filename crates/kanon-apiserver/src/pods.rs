//! Pods on their way through admission. What new ones get is `kanon_apimachinery::pods`'s, what they may do is that of
//! `kanon_apimachinery::pod_security`.

use std::{sync::Arc, time::Duration};

use kanon_apimachinery::{
    pod_security::{self, Look},
    pods,
    status::Result,
    write::{Context, Finished, Prepared},
};
use kanon_core::Operation;
use kanon_store::{Entry, Key, ListOptions};
use serde_json::Value;

use crate::{admission::Warnings, core::Core, ids, storage::Storage};

/// How often, and how far apart, the account of a namespace that was just made is looked for (upstream: for a second or two).
const LOOKS: usize = 15;
const PAUSE: Duration = Duration::from_millis(100);

impl Core {
    /// Completes a pod that is about to be made; nothing for other writes.
    ///
    /// # Errors
    /// 403 without what it needs.
    pub(crate) async fn complete_pod(&self, ctx: &Context<'_>, prepared: &Prepared, object: &mut Value) -> Result<()> {
        if prepared.operation != Operation::Create || !ctx.resource.is_core("Pod") {
            return Ok(());
        }
        let namespace = ctx.address.object_namespace();
        for _ in 0..LOOKS {
            if !self.storage.read(|memory| pods::is_early(memory, namespace, object)) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let suffix = ids::stamp().suffix;
        self.storage.read(|memory| pods::complete(memory, namespace, object, &suffix))
    }

    /// Holds pods and what makes them to the standards of their namespace. A refusal has its notes, too.
    ///
    /// # Errors
    /// 403 for what violates the enforced standards, 422 for labels that name none.
    pub(crate) fn secure_pods(
        &self,
        ctx: &Context<'_>,
        operation: Operation,
        finished: &Finished,
        notes: &Warnings,
    ) -> Result<()> {
        let (told, verdict) = pod_security::judge(&self.storage, ctx, operation, finished);
        notes.add(told.warnings);
        notes.annotate(told.annotations);
        verdict
    }
}

impl Look for Storage {
    fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        Storage::get(self, key)
    }

    fn list(&self, prefix: &str) -> Vec<Arc<Entry>> {
        // The current state is never compacted away.
        let page = self.read(|memory| memory.list(prefix, ListOptions::default()));
        page.map(|it| it.entries).unwrap_or_default()
    }
}
