//! Watches: a cursor over the shared history, read as fast as the client takes it, asleep while nothing happens. A client that
//! falls behind the history gets 410, and holds no memory of ours until then.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use kanon_apimachinery::{
    negotiate::{self, Encoding},
    protobuf,
    request::Resolved,
    status::Result,
    watch::{Next, Watcher},
};
use kanon_store::Revision;
use tokio::{
    sync::watch::Receiver,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use super::read;
use crate::{body::Body, core::Core, reply::Reply, service::Asked};

/// Events taken at a time.
const EVENTS: usize = 512;
/// How often a bookmark is sent (spec/kubernetes-api.md 4.4: about once a minute).
const BOOKMARK: Duration = Duration::from_secs(60);
/// Without `timeoutSeconds` a watch ends after this and up to as long again (spec 4.4: 30 to 60 minutes).
const TIME_MIN: u64 = 30 * 60;

pub(super) async fn watch(core: &Arc<Core>, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let answer = negotiate::answer(&asked.info.accept)?;
    let options = asked.info.list_options(resource, true)?;
    if options.send_initial_events == Some(true) {
        read::wait_for(core, options.version).await?;
    }
    let revision = core.storage.revision();
    let namespace = address.object_namespace();
    let watcher = Watcher::new(Arc::clone(resource), namespace, &options, answer.form, revision)?;
    let seconds = options.timeout_seconds.unwrap_or_else(|| {
        // Spread, so that the watches of a controller do not all end at once.
        TIME_MIN + Uuid::new_v4().as_u128() as u64 % TIME_MIN
    });
    let now = Instant::now();
    core.metrics.watch_began();
    let state = Stream {
        changes: core.storage.subscribe(watcher.prefix()),
        watcher,
        core: Arc::clone(core),
        // Far times must not overflow the clock.
        deadline: now + Duration::from_secs(seconds.min(365 * 24 * 3600)),
        bookmark: now + BOOKMARK,
        ended: false,
    };
    let lines = stream::unfold(state, Stream::next);
    let is_protobuf = answer.encoding == Encoding::Protobuf;
    let content_type = if is_protobuf { protobuf::WATCH } else { "application/json" };
    let mut reply = Reply::new(StatusCode::OK, content_type, Bytes::new());
    reply.body = if is_protobuf {
        Body::stream(lines.map(|lines| lines.iter().filter_map(|it| protobuf::frame(it)).collect()))
    } else {
        Body::stream(lines)
    };
    Ok(reply)
}

struct Stream {
    core: Arc<Core>,
    watcher: Watcher,
    changes: Receiver<Revision>,
    deadline: Instant,
    bookmark: Instant,
    ended: bool,
}

/// Why a stream that slept woke.
enum Woke {
    Change,
    Bookmark,
    End,
    Stop,
}

impl Stream {
    /// The next frames; waits until there are any.
    async fn next(mut self) -> Option<(Vec<Bytes>, Stream)> {
        let mut frames = Vec::new();
        while !self.ended {
            let next = self.take(&mut frames).await;
            if next == Next::End {
                self.ended = true;
            }
            if !frames.is_empty() {
                return Some((frames, self));
            }
            if next != Next::Wait {
                continue;
            }
            match self.sleep().await {
                Woke::Change => {}
                Woke::Stop => self.ended = true,
                woke @ (Woke::Bookmark | Woke::End) => {
                    self.ended = matches!(woke, Woke::End);
                    self.bookmark = Instant::now() + BOOKMARK;
                    // What other kinds did since moves the position, so that the client may resume from there.
                    if self.take(&mut frames).await != Next::End {
                        frames.extend(self.watcher.bookmark());
                    }
                    if !frames.is_empty() {
                        return Some((frames, self));
                    }
                }
            }
        }
        None
    }

    async fn take(&mut self, frames: &mut Vec<Bytes>) -> Next {
        // Before the look: a change that comes in between wakes us again.
        self.changes.mark_unchanged();
        let mut fetched = self.core.storage.read(|memory| self.watcher.fetch(memory, EVENTS));
        let resource = self.watcher.resource();
        if resource.custom().is_some_and(|it| it.converter.is_some()) {
            match self.core.all_shown(resource, fetched.states()).await {
                Ok(states) => fetched = fetched.replace(states),
                Err(error) => {
                    frames.push(Watcher::error_frame(&error));
                    return Next::End;
                }
            }
        }
        self.watcher.frames(fetched, EVENTS, self.core.now().wall, frames)
    }

    async fn sleep(&mut self) -> Woke {
        tokio::select! {
            changed = self.changes.changed() => if changed.is_ok() { Woke::Change } else { Woke::Stop },
            () = sleep_until(self.deadline) => Woke::End,
            () = sleep_until(self.bookmark) => Woke::Bookmark,
            () = self.core.shutdown.cancelled() => Woke::Stop,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.core.metrics.watch_ended();
    }
}
