//! Events go some time after they were written last. Like upstream's leases this asks nobody: no request, no admission, no
//! finalizers; watchers see the deletions.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kanon_apimachinery::lifecycle::expired_events;
use kanon_store::{Change, Draft, Entry, Expect, Revision, Write};
use tokio::{sync::watch, time::sleep};

use super::until;
use crate::{core::Core, storage::WriteError};

/// Where both forms of events are stored.
const EVENTS: &str = "core/events/";
/// An age is told to within this part of it: events that end at about the same time are looked at once.
const PRECISION: u32 = 100;
/// The clock is looked at this often while there are events: it may be a held one, and jump.
const LOOK: Duration = Duration::from_secs(10);
/// Deletions of one commit.
const AT_ONCE: usize = 512;

/// Runs until the server stops. An age of zero keeps events for ever. It sleeps while there are none.
pub(super) async fn run(core: Arc<Core>, age: Duration) {
    let Ok(span) = SignedDuration::try_from(age) else { return };
    if age.is_zero() {
        return;
    }
    let slack = SignedDuration::try_from(age / PRECISION).unwrap_or_default();
    let mut changes = core.storage.subscribe(EVENTS);
    loop {
        changes.mark_unchanged();
        let next = sweep(&core, span).await.and_then(|it| it.checked_add(slack).ok());
        if !wait(&core, next, &mut changes).await {
            return;
        }
    }
}

/// Waits for a time of the server's clock, and without one for an event; a change of events is a reason to look at the clock.
/// False when the server ends.
async fn wait(core: &Core, at: Option<Timestamp>, changes: &mut watch::Receiver<Revision>) -> bool {
    loop {
        let left = at.map(|at| until(core.now().wall, at));
        if left.is_some_and(|it| it.is_zero()) {
            return true;
        }
        let look = async {
            match left {
                Some(left) => sleep(left.min(LOOK)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = core.shutdown.cancelled() => return false,
            changed = changes.changed() => {
                if changed.is_err() {
                    return false;
                }
                if at.is_none() {
                    return true;
                }
            }
            () = look => {}
        }
    }
}

/// Deletes what is over, and tells when the next one will be.
async fn sweep(core: &Core, age: SignedDuration) -> Option<Timestamp> {
    let now = core.now().wall;
    let (over, mut next) = core.storage.read(|memory| expired_events(memory, now, age));
    for some in over.chunks(AT_ONCE) {
        let write = |entry: &Arc<Entry>| {
            // What is stored is an object.
            let last = Draft::of(&entry.object).ok()?;
            Some(Write { key: entry.key.clone(), expect: Expect::At(entry.revision), change: Change::Delete(last) })
        };
        for outcome in core.storage.write_all(some.iter().filter_map(write).collect()).await {
            // One that was written meanwhile is not over; where the disk failed, it is tried again.
            if matches!(outcome, Err(WriteError::Failed(_))) {
                next = Some(now);
            }
        }
    }
    next
}
