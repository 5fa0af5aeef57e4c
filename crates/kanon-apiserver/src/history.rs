//! Old history goes even where there is little of it: what is older than an age, as upstream's compactor does. The bounds by count
//! and bytes are the store's own.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use kanon_store::Revision;
use tokio::time::{Instant, sleep_until};

use crate::core::Core;

/// An age is told to within this part of it.
const PRECISION: u32 = 10;

/// Runs until the server stops. It sleeps while nothing is written and nothing gets old.
pub(crate) async fn run(core: Arc<Core>, age: Duration) {
    let step = (age / PRECISION).max(Duration::from_millis(1));
    let mut changes = core.storage.subscribe_all();
    // Where the store stood at some moments; the last of them also when it is out of the list again.
    let mut marks: VecDeque<(Instant, Revision)> = VecDeque::new();
    let mut last = Revision(0);
    let mut next_mark = Instant::now();
    loop {
        let now = Instant::now();
        let mut old = None;
        while let Some((_, revision)) = marks.pop_front_if(|(at, _)| *at + age <= now) {
            old = Some(revision);
        }
        if let Some(revision) = old {
            core.storage.compact_to(revision).await;
        }
        let revision = *changes.borrow_and_update();
        if revision > last && next_mark <= now {
            marks.push_back((now, revision));
            (last, next_mark) = (revision, now + step);
        }
        let is_marked = revision <= last;
        let wake = [marks.front().map(|(at, _)| *at + age), (!is_marked).then_some(next_mark)];
        let wake = wake.into_iter().flatten().min();
        tokio::select! {
            () = core.shutdown.cancelled() => return,
            changed = changes.changed(), if is_marked => if changed.is_err() { return },
            () = async { match wake { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {}
        }
    }
}
