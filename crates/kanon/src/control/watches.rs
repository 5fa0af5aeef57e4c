//! Watches: one for each kind of policy, from the start; one for each kind that policies in force read, as long as they do, of whose
//! objects it keeps what they read; one for the places of a kind of which families read nothing else, until the whole kind is wanted,
//! whose watch takes its place. A kind that nobody serves yet is looked for again and again, less and less often.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kanon_core::{Figures, Input, Keep, Kind, Object, Place};
use kanon_kube::{Api, Around, Span};
use kanon_net::CancellationToken;
use kanon_plane::Facts;
use kanon_runtime::{Clock, Shared};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::Instant,
};

/// First pause between two looks for kinds that are not served yet; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// How long a kind with places is not asked for again whose objects may not be listed.
const REFUSED: Duration = Duration::from_secs(15);

/// How long what is read of a kind may grow before its objects are listed again: policies come one after the other.
const GROWING: Duration = Duration::from_millis(200);

/// A watch that may end before the process does.
struct Running {
    span: Span,
    stop: CancellationToken,
    task: JoinHandle<Vec<Object>>,
    keep: watch::Sender<Keep>,
}

/// All watches of the process.
pub(super) struct Watches {
    pub(super) api: Api,
    pub(super) clock: Clock,
    pub(super) send: mpsc::Sender<Input>,
    pub(super) shared: Arc<Shared>,
    pub(super) figures: Arc<Figures>,
    pub(super) stop: CancellationToken,
    /// What families read by place: it is watched there, but where the whole kind is.
    pub(super) places: Vec<Place>,
    pub(super) area: Area,
}

/// The namespaces in which something is watched; all where there are none.
pub(super) struct Area(pub(super) Vec<String>);

impl Area {
    pub(super) fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// All that can be seen of a kind.
    fn span(&self, kind: &Kind) -> Span {
        if self.is_all() { Span::everywhere(kind) } else { Span::within(kind, &self.0) }
    }

    /// Whether anything can be seen of a kind.
    pub(super) fn sees(&self, kind: &Kind) -> bool {
        !self.span(kind).corners.is_empty()
    }
}

impl Watches {
    /// Watches the kinds of policies for ever, and what they read as that changes.
    pub(super) fn start(self, tasks: &mut JoinSet<()>, policies: &[Kind]) {
        for kind in policies {
            // The sender goes: it stays so.
            let watch = self.watch(self.area.span(kind), Vec::new(), watch::channel(Keep::All).1, self.stop.clone());
            tasks.spawn(async move { drop(watch.await) });
        }
        tasks.spawn(self.follow(policies.to_vec()));
    }

    fn watch(
        &self,
        span: Span,
        before: Vec<Object>,
        keep: watch::Receiver<Keep>,
        stop: CancellationToken,
    ) -> impl Future<Output = Vec<Object>> + Send + use<> {
        let clock = self.clock;
        let clock = move || clock.now();
        let (api, send, figures) = (self.api.clone(), self.send.clone(), Arc::clone(&self.figures));
        kanon_kube::run_watch(span, before, Around { api, keep, clock, send, figures, stop })
    }

    /// What is to be watched besides policies, and how much of it: kinds, and the places of others.
    fn wanted(&self, facts: &Facts, policies: &[Kind]) -> BTreeMap<Kind, (Span, Keep)> {
        let kinds = facts.kinds.iter().filter(|it| !policies.contains(it));
        let mut wanted: BTreeMap<_, _> =
            kinds.map(|it| (it.clone(), (self.area.span(it), facts.keep(&it.gvk).clone()))).collect();
        for Place { kind, .. } in &self.places {
            wanted.entry(kind.clone()).or_insert_with(|| (Span::of_places(kind, &self.places), Keep::All));
        }
        wanted
    }

    /// While the objects of a kind may not be listed its places are watched on: what stands there counts, whatever rules want besides.
    async fn hold_back(
        &self,
        wanted: &mut BTreeMap<Kind, (Span, Keep)>,
        running: &BTreeMap<Kind, Running>,
        refused: &mut BTreeMap<Kind, Instant>,
    ) {
        refused.retain(|kind, _| wanted.get(kind).is_some_and(|it| !it.0.places));
        for (kind, (span, keep)) in wanted.iter_mut() {
            let has_places = self.places.iter().any(|it| it.kind == *kind);
            let is_watched = running.get(kind).is_some_and(|it| !it.span.places);
            if span.places || !has_places || is_watched {
                continue;
            }
            if refused.get(kind).is_none_or(|at| *at <= Instant::now()) {
                let Err(error) = kanon_kube::may_list(&self.api, span).await else {
                    refused.remove(kind);
                    continue;
                };
                tracing::warn!(kind = kind.gvk.kind, %error, "a kind may not be listed: of it only what stands in its places is known");
                let failed = Input::WatchFailed { kind: Arc::new(kind.clone()), problem: error.to_string() };
                let _ = self.send.send(failed).await;
                refused.insert(kind.clone(), Instant::now() + REFUSED);
            }
            (*span, *keep) = (Span::of_places(kind, &self.places), Keep::All);
        }
    }

    async fn follow(self, policies: Vec<Kind>) {
        let mut published = self.shared.published.subscribe();
        let mut running: BTreeMap<Kind, Running> = BTreeMap::new();
        let mut served: Arc<[Kind]> = Arc::default();
        let (mut known, mut pause, mut look_at) = (Arc::<Facts>::default(), PAUSE_MIN, Instant::now());
        let mut grows_at: Option<Instant> = None;
        let mut refused: BTreeMap<Kind, Instant> = BTreeMap::new();
        loop {
            let facts = self.shared.facts.load_full();
            if facts != known {
                (pause, look_at) = (PAUSE_MIN, Instant::now());
                known = Arc::clone(&facts);
            }
            let mut wanted = self.wanted(&facts, &policies);
            self.hold_back(&mut wanted, &running, &mut refused).await;
            let is_over = |(kind, it): &(&Kind, &Running)| wanted.get(*kind).is_none_or(|wanted| wanted.0 != it.span);
            let over: Vec<_> = running.iter().filter(is_over).map(|it| it.0.clone()).collect();
            let mut told = BTreeMap::new();
            for kind in over {
                let Some(Running { span, stop, task, .. }) = running.remove(&kind) else { continue };
                stop.cancel();
                // What it still had to say comes before the end, and before its successor.
                told.insert(kind.clone(), task.await.unwrap_or_default());
                if !span.places {
                    let _ = self.send.send(Input::Unwatched { kind: Arc::new(kind) }).await;
                }
            }
            let mut grows = false;
            for (kind, (span, keep)) in wanted {
                match running.get(&kind) {
                    Some(it) if it.keep.borrow().covers(&keep) => {}
                    Some(it) if grows_at.is_some_and(|at| at <= Instant::now()) => {
                        it.keep.send_modify(|known| known.extend(&keep));
                    }
                    Some(_) => grows = true,
                    None => {
                        let before = told.remove(&kind).unwrap_or_default();
                        let (stop, (grow, keep)) = (self.stop.child_token(), watch::channel(keep));
                        let task = tokio::spawn(self.watch(span.clone(), before, keep, stop.clone()));
                        running.insert(kind, Running { span, stop, task, keep: grow });
                    }
                }
            }
            grows_at = grows.then(|| grows_at.unwrap_or_else(|| Instant::now() + GROWING));
            let again_at = refused.values().min().copied();
            tokio::select! {
                () = self.stop.cancelled() => break,
                _ = published.changed() => {}
                () = tokio::time::sleep_until(again_at.unwrap_or(look_at)), if again_at.is_some() => {}
                () = tokio::time::sleep_until(grows_at.unwrap_or(look_at)), if grows_at.is_some() => {}
                () = tokio::time::sleep_until(look_at), if facts.unknown => {
                    self.look(&mut served).await;
                    look_at = Instant::now() + pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        for it in running.into_values() {
            let _ = it.task.await;
        }
    }

    /// Asks what is served, and tells when that is news.
    async fn look(&self, served: &mut Arc<[Kind]>) {
        match kanon_kube::discover(&self.api).await {
            Ok(kinds) if *kinds != **served => {
                *served = kinds.into();
                let _ = self.send.send(Input::Resources { kinds: Arc::clone(served) }).await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the API server cannot be asked what it serves"),
        }
    }
}
