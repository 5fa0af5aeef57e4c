//! Watches one kind: a pure state machine ([`machine`]) that says what to ask next, and the task that asks.

mod lines;
mod machine;

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt;
use kanon_core::{Figure, FigureKind, Figures, Input, Keep, Kind, Mono, Now, Object};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::{
    lines::Lines,
    machine::{Happened, Machine, Want},
};
use crate::client::{Api, Error};

/// How long one watch request lasts (kube-rs' and client-go's range; servers end them cleanly).
const WATCH_SECS: u64 = 290;
/// A watch without any byte for longer than it may last is dead.
const SILENCE_MAX: Duration = Duration::from_secs(WATCH_SECS + 30);

/// Watches that broke off or could not begin (spec/rules 9.3).
const RECONNECTS: Figure = Figure {
    name: "portal_audit_watch_reconnects_total",
    kind: FigureKind::Counter,
    help: "Watches that broke off or could not begin",
    labels: &[],
};

/// Watches `kind` in all namespaces and hands every change to `send`, until cancelled. Of each object it keeps what `keep` says, and
/// what that has said before; when that grows, all objects are listed again and [`Input::Synced`] says so. Never ends by itself: errors are
/// logged, counted in `figures` and retried with back-off; while the first list fails, [`Input::WatchFailed`] says so. It ends
/// with the receiver of `send`.
pub async fn run_watch(
    api: Api,
    kind: Arc<Kind>,
    mut keep: watch::Receiver<Keep>,
    clock: impl Fn() -> Now + Send + Sync,
    send: mpsc::Sender<Input>,
    figures: Arc<Figures>,
    stop: CancellationToken,
) {
    let machine = Machine::new(keep.borrow_and_update().clone());
    let mut task = Task { machine, api, kind, keep, clock, send, figures };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            go_on = task.step() => if !go_on { return },
        }
    }
}

/// All objects of a kind, as a watch would deliver them first.
///
/// # Errors
/// The first page that cannot be read. A kind that is not installed gives an empty list.
pub async fn list(api: &Api, kind: &Kind) -> Result<Vec<Object>, Error> {
    list_at(api, &kind.path(""), "", usize::MAX).await
}

/// All objects at the path of a collection; `query` begins with `&` where there is more to ask. More than `most` are an error.
pub(crate) async fn list_at(api: &Api, path: &str, query: &str, most: usize) -> Result<Vec<Object>, Error> {
    let mut machine = Machine::new(Keep::All);
    let mut objects = Vec::new();
    while let Want::List { next } = machine.want() {
        let Some(page) = api.get(&list_path(path, query, next)).await? else { break };
        let outcome = machine.handle(Happened::Page(page), Mono::default());
        objects.extend(outcome.changes.into_iter().map(|(_, object)| object));
        if objects.len() > most {
            return Err(Error::Answer(format!("there are more than {most} objects")));
        }
    }
    Ok(objects)
}

fn list_path(path: &str, query: &str, next: Option<String>) -> String {
    let next = next.map_or(String::new(), |it| format!("&continue={it}"));
    format!("{path}?limit=500{query}{next}")
}

struct Task<C> {
    machine: Machine,
    api: Api,
    kind: Arc<Kind>,
    keep: watch::Receiver<Keep>,
    clock: C,
    send: mpsc::Sender<Input>,
    figures: Arc<Figures>,
}

impl<C: Fn() -> Now + Send + Sync> Task<C> {
    /// Asks for what the machine wants next; `false` when nobody listens any more.
    async fn step(&mut self) -> bool {
        let keep = self.keep.borrow_and_update().clone();
        self.machine.grow(&keep);
        match self.machine.want() {
            Want::Wait { until } => {
                tokio::time::sleep(until.since((self.clock)().mono)).await;
                self.deliver(Happened::Woke).await
            }
            Want::List { next } => {
                let page = self.api.get(&list_path(&self.kind.path(""), "", next)).await;
                let happened = match page {
                    Ok(Some(page)) => Happened::Page(page),
                    Ok(None) => Happened::Failed { code: Some(404), message: "the kind is not installed".into() },
                    Err(error) => failed(&error),
                };
                self.deliver(happened).await
            }
            Want::Watch { resource_version } => self.watch(&resource_version).await,
        }
    }

    async fn watch(&mut self, version: &str) -> bool {
        let query =
            format!("watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECS}&resourceVersion={version}");
        let mut body = match self.api.stream(&format!("{}?{query}", self.kind.path(""))).await {
            Ok(body) => body,
            Err(error) => return self.deliver(failed(&error)).await,
        };
        let mut lines = Lines::default();
        loop {
            // Only here nothing is half delivered.
            let frame = tokio::select! {
                Ok(()) = self.keep.changed() => return true,
                frame = tokio::time::timeout(SILENCE_MAX, body.frame()) => frame,
            };
            let frame = match frame {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    return self.deliver(Happened::Failed { code: None, message: error.to_string() }).await;
                }
                Ok(None) | Err(_) => return self.deliver(Happened::Ended).await,
            };
            let Ok(data) = frame.into_data() else { continue };
            for line in lines.push(data) {
                if !self.deliver(Happened::Line(line)).await {
                    return false;
                }
                if !matches!(self.machine.want(), Want::Watch { .. }) {
                    return true;
                }
            }
        }
    }

    async fn deliver(&mut self, happened: Happened) -> bool {
        let kind = &self.kind;
        if let Happened::Failed { code, message } = &happened {
            tracing::warn!(kind = kind.gvk.kind, code, message, "watch failed, trying again");
            self.figures.add(RECONNECTS, &[], 1);
            let failed = Input::WatchFailed { kind: Arc::clone(kind), problem: message.clone() };
            if !self.machine.is_synced() && self.send.send(failed).await.is_err() {
                return false;
            }
        }
        let outcome = self.machine.handle(happened, (self.clock)().mono);
        for (change, object) in outcome.changes {
            if self.send.send(Input::Object { kind: Arc::clone(kind), change, object }).await.is_err() {
                return false;
            }
        }
        match outcome.synced {
            Some(keep) => self.send.send(Input::Synced { kind: Arc::clone(kind), keep }).await.is_ok(),
            None => true,
        }
    }
}

fn failed(error: &Error) -> Happened {
    Happened::Failed { code: error.code(), message: error.to_string() }
}
