//! Statuses of quotas: what is bounded and what is used. Looks at a namespace when its quotas changed or what they count; sleeps
//! while there is no quota.

use std::sync::Arc;

use jiff::Timestamp;
use kanon_apimachinery::{lifecycle::quota_status, quota::PREFIX, status::Result};
use kanon_store::Revision;
use tokio::time::{Duration, sleep};

use super::{RETRY, carry_out, complain, until};
use crate::core::Core;

/// The clock is looked at this often while something waits for it: it may be a held one, and jump.
const LOOK: Duration = Duration::from_secs(10);

pub(super) async fn run(core: Arc<Core>) {
    let (mut all, mut own) = (core.storage.subscribe_all(), core.storage.subscribe(PREFIX));
    let mut seen = None;
    loop {
        all.mark_unchanged();
        own.mark_unchanged();
        let settled = settle(&core, &mut seen).await.inspect_err(|error| complain(&core, PREFIX, error));
        let is_idle = core.storage.read(|memory| memory.count(PREFIX) == 0);
        let again = async {
            match settled {
                Ok(Some(deadline)) => sleep(until(core.now().wall, deadline).min(LOOK)).await,
                Ok(None) => std::future::pending().await,
                Err(_) => sleep(RETRY).await,
            }
        };
        tokio::select! {
            () = core.shutdown.cancelled() => return,
            changed = own.changed() => if changed.is_err() { return },
            changed = all.changed(), if !is_idle => if changed.is_err() { return },
            () = again => {}
        }
    }
}

/// Writes the statuses that are not right since `seen`, and tells when time alone will make one wrong.
async fn settle(core: &Core, seen: &mut Option<Revision>) -> Result<Option<Timestamp>> {
    let (now, registry) = (core.now().wall, core.registry.load_full());
    let (revision, namespaces) = {
        let ledger = core.quotas.lock();
        core.storage.read(|memory| (memory.revision(), ledger.changed(memory, *seen, now)))
    };
    let mut intents = Vec::new();
    for namespace in namespaces {
        let mut ledger = core.quotas.lock();
        let wrong = core.storage.read(|memory| ledger.statuses(memory, &registry, &namespace, now));
        intents.extend(wrong.into_iter().filter_map(|(quota, status)| quota_status(&registry, &quota, status)));
    }
    carry_out(core, intents).await?;
    *seen = Some(revision);
    core.quotas.shown(revision);
    Ok(core.quotas.lock().deadline())
}
