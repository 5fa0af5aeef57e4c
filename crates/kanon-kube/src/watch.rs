//! Watches one kind, everywhere or in some corners ([`span`]): for each a pure state machine ([`machine`]) that says what to ask next,
//! and the task that asks.

mod lines;
mod machine;
mod span;

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt;
use kanon_core::{Figure, FigureKind, Figures, Input, Keep, Kind, Mono, Now, Object};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::{
    lines::Lines,
    machine::{Happened, Machine, Want},
    span::Arrivals,
};
use crate::client::{Api, Error};
pub use span::{Corner, Span};

/// How long one watch request lasts (kube-rs' and client-go's range; servers end them cleanly).
const WATCH_SECS: u64 = 290;
/// A watch without any byte for longer than it may last is dead.
const SILENCE_MAX: Duration = Duration::from_secs(WATCH_SECS + 30);
/// How often an object is read that cannot be watched by itself.
const AGAIN: Duration = Duration::from_secs(10);

/// Watches that broke off or could not begin (spec/rules 9.3).
const RECONNECTS: Figure = Figure {
    name: "portal_audit_watch_reconnects_total",
    kind: FigureKind::Counter,
    help: "Watches that broke off or could not begin",
    labels: &[],
};

/// What a watch goes by and tells.
pub struct Around<C> {
    /// The API server.
    pub api: Api,
    /// What is kept of objects, and what that has said before; when it grows, all of them are listed again.
    pub keep: watch::Receiver<Keep>,
    /// Time.
    pub clock: C,
    /// Where changes go.
    pub send: mpsc::Sender<Input>,
    /// Where failures are counted.
    pub figures: Arc<Figures>,
    /// Its end.
    pub stop: CancellationToken,
}

/// Watches what `span` says and hands every change on, until cancelled. [`Input::Synced`] says when all of it has arrived, and again with
/// more parts; [`Input::PlacesSynced`] where it is about places. Never ends by itself: errors are logged, counted and retried with back-off;
/// while the first list of a kind fails, [`Input::WatchFailed`] says so. It ends with the receiver of changes, too.
///
/// `before` are the objects that a watch has told of whose place this one takes: those of them that are gone are told as deleted, all
/// others once more. It gives what it has told of itself.
pub async fn run_watch<C>(span: Span, before: Vec<Object>, around: Around<C>) -> Vec<Object>
where
    C: Fn() -> Now + Clone + Send + Sync + 'static,
{
    let arrivals = Arc::new(Arrivals::of(&span));
    let mut tasks = JoinSet::new();
    for corner in &span.corners {
        let Around { api, mut keep, clock, send, figures, stop } = around.clone();
        let before = before.iter().filter(|it| corner.has(it)).cloned();
        let machine = Machine::new(keep.borrow_and_update().clone()).after(before);
        let (kind, arrivals, corner) = (Arc::clone(&span.kind), Arc::clone(&arrivals), corner.clone());
        let (alone, is_place, complained) = (corner.alone(&kind), span.places, false);
        let task = Task {
            machine,
            api,
            kind,
            corner,
            alone,
            complained,
            is_place,
            arrivals,
            keep,
            clock,
            send,
            figures,
            stop,
        };
        tasks.spawn(task.run());
    }
    let mut known = Vec::new();
    while let Some(told) = tasks.join_next().await {
        known.extend(told.unwrap_or_default());
    }
    known
}

impl<C: Clone> Clone for Around<C> {
    fn clone(&self) -> Self {
        Around {
            api: self.api.clone(),
            keep: self.keep.clone(),
            clock: self.clock.clone(),
            send: self.send.clone(),
            figures: Arc::clone(&self.figures),
            stop: self.stop.clone(),
        }
    }
}

/// All objects of a span, as a watch would deliver them first.
///
/// # Errors
/// The first page that cannot be read. A kind that is not installed gives an empty list.
pub async fn list(api: &Api, span: &Span) -> Result<Vec<Object>, Error> {
    let mut objects = Vec::new();
    for corner in &span.corners {
        match corner.alone(&span.kind) {
            Some(path) => objects.extend(api.get(&path).await?),
            None => {
                objects.extend(list_at(api, &span.kind.path(&corner.namespace), &corner.query(), usize::MAX).await?);
            }
        }
    }
    Ok(objects)
}

/// Whether all objects of a span may be listed.
///
/// # Errors
/// Why they cannot be.
pub async fn may_list(api: &Api, span: &Span) -> Result<(), Error> {
    for corner in &span.corners {
        api.get(&format!("{}?limit=1{}", span.kind.path(&corner.namespace), corner.query())).await?;
    }
    Ok(())
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

/// The watch of one corner.
struct Task<C> {
    machine: Machine,
    api: Api,
    kind: Arc<Kind>,
    corner: Corner,
    /// Where its object is read that cannot be watched.
    alone: Option<String>,
    /// Whether it was said that it may not be read.
    complained: bool,
    is_place: bool,
    arrivals: Arc<Arrivals>,
    keep: watch::Receiver<Keep>,
    clock: C,
    send: mpsc::Sender<Input>,
    figures: Arc<Figures>,
    stop: CancellationToken,
}

impl<C: Fn() -> Now + Send + Sync> Task<C> {
    /// Runs until it is cancelled, or nobody listens any more; what it has told of.
    async fn run(mut self) -> Vec<Object> {
        while !self.stop.is_cancelled() && self.step().await {}
        self.machine.into_known()
    }

    /// Asks for what the machine wants next; `false` when it is over. Whatever came is handed on whole, so that the end finds nothing half
    /// told.
    async fn step(&mut self) -> bool {
        let keep = self.keep.borrow_and_update().clone();
        self.machine.grow(&keep);
        let stop = self.stop.clone();
        match self.machine.want() {
            Want::Wait { until } => {
                let pause = tokio::time::sleep(until.since((self.clock)().mono));
                match stop.run_until_cancelled(pause).await {
                    Some(()) => self.deliver(Happened::Woke).await,
                    None => false,
                }
            }
            Want::List { next } => match stop.run_until_cancelled(self.list(next)).await {
                Some(happened) => self.deliver(happened).await,
                None => false,
            },
            Want::Watch { .. } if self.alone.is_some() => {
                match stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await {
                    Some(()) => self.deliver(Happened::Due).await,
                    None => false,
                }
            }
            Want::Watch { resource_version } => self.watch(&resource_version, &stop).await,
        }
    }

    async fn list(&mut self, next: Option<String>) -> Happened {
        let Corner { namespace, .. } = &self.corner;
        let page = match self.alone.clone() {
            Some(path) => return self.read(&path).await,
            None => self.api.get(&list_path(&self.kind.path(namespace), &self.corner.query(), next)).await,
        };
        match page {
            Ok(Some(page)) => Happened::Page(page),
            Ok(None) => Happened::Failed { code: Some(404), message: "the kind is not installed".into() },
            Err(error) => failed(&error),
        }
    }

    /// Reads the object that cannot be watched. Where it may not be read, it counts as not there: nobody can know more of it.
    async fn read(&mut self, path: &str) -> Happened {
        let found = match self.api.get(path).await {
            Ok(found) => {
                self.complained = false;
                found
            }
            Err(Error::Status { code: 403, message, .. }) => {
                if !std::mem::replace(&mut self.complained, true) {
                    let (kind, problem) = (&self.kind.gvk.kind, message);
                    tracing::warn!(kind, problem, "an object may not be read: nothing is known of it");
                }
                None
            }
            Err(error) => return failed(&error),
        };
        let items = found.map_or(String::new(), |it| String::from_utf8_lossy(it.text()).into_owned());
        let (api_version, kind) = (self.kind.gvk.api_version(), &self.kind.gvk.kind);
        let list = format!(r#"{{"apiVersion":"{api_version}","kind":"{kind}List","metadata":{{}},"items":[{items}]}}"#);
        match Object::parse(list) {
            Ok(page) => Happened::Page(page),
            Err(error) => Happened::Failed { code: None, message: error.to_string() },
        }
    }

    async fn watch(&mut self, version: &str, stop: &CancellationToken) -> bool {
        let query =
            format!("watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECS}&resourceVersion={version}");
        let path = format!("{}?{query}{}", self.kind.path(&self.corner.namespace), self.corner.query());
        let mut body = match stop.run_until_cancelled(self.api.stream(&path)).await {
            None => return false,
            Some(Ok(body)) => body,
            Some(Err(error)) => return self.deliver(failed(&error)).await,
        };
        let mut lines = Lines::default();
        loop {
            // Only here nothing is half delivered.
            let frame = tokio::select! {
                () = stop.cancelled() => return false,
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
            let namespace = &self.corner.namespace;
            tracing::warn!(kind = kind.gvk.kind, namespace, code, message, "watch failed, trying again");
            self.figures.add(RECONNECTS, &[], 1);
            let failed = Input::WatchFailed { kind: Arc::clone(kind), problem: message.clone() };
            // Whether the kind can be had nobody asks who wants a place.
            if !self.is_place && !self.machine.is_synced() && self.send.send(failed).await.is_err() {
                return false;
            }
        }
        let outcome = self.machine.handle(happened, (self.clock)().mono);
        for (change, object) in outcome.changes {
            if self.send.send(Input::Object { kind: Arc::clone(kind), change, object }).await.is_err() {
                return false;
            }
        }
        let Some(keep) = outcome.synced.filter(|it| self.arrivals.arrived(&self.corner, it)) else { return true };
        let kind = Arc::clone(kind);
        let synced = if self.is_place { Input::PlacesSynced { kind } } else { Input::Synced { kind, keep } };
        self.send.send(synced).await.is_ok()
    }
}

fn failed(error: &Error) -> Happened {
    Happened::Failed { code: error.code(), message: error.to_string() }
}
