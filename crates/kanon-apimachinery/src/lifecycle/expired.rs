//! Events that are over: they tell what happened lately, and go some time after they were written last (kube-apiserver:
//! `--event-ttl`).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kanon_core::Object;
use kanon_store::{Entry, ListOptions, Memory};

/// Where both forms of events are stored.
const PREFIX: &str = "core/events/";

/// Events that were not written for `age`, and when the next one will be over.
pub fn expired_events(memory: &Memory, now: Timestamp, age: SignedDuration) -> (Vec<Arc<Entry>>, Option<Timestamp>) {
    let mut over = Vec::new();
    let mut next: Option<Timestamp> = None;
    // The current state is never compacted away.
    let page = memory.list(PREFIX, ListOptions::default());
    for entry in page.map(|it| it.entries).unwrap_or_default() {
        let Some(end) = written(&entry.object).and_then(|it| it.checked_add(age).ok()) else { continue };
        if end <= now {
            over.push(entry);
        } else {
            next = Some(next.map_or(end, |it| it.min(end)));
        }
    }
    (over, next)
}

/// When an object was written last: everybody who writes stands in its managed fields with the time.
fn written(object: &Object) -> Option<Timestamp> {
    let created = object.str_at(&["metadata", "creationTimestamp"]).parse().ok();
    let managers = object.at(&["metadata", "managedFields"]).into_iter().flat_map(|it| it.elements());
    let times = managers.filter_map(|it| it.get("time")?.as_str()?.parse().ok());
    times.chain(created).max()
}
