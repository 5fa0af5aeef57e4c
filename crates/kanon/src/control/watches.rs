//! Watches: one for each kind of policy, from the start; one for each kind that policies in force read, as long as they do, of whose
//! objects it keeps what they read. A kind that nobody serves yet is looked for again and again, less and less often.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kanon_core::{Figures, Input, Keep, Kind};
use kanon_kube::Api;
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

/// How long what is read of a kind may grow before its objects are listed again: policies come one after the other.
const GROWING: Duration = Duration::from_millis(200);

/// A watch that may end before the process does.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
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
}

impl Watches {
    /// Watches the kinds of policies for ever, and what they read as that changes.
    pub(super) fn start(self, tasks: &mut JoinSet<()>, policies: &[Kind]) {
        for kind in policies {
            // The sender goes: it stays so.
            tasks.spawn(self.watch(kind, watch::channel(Keep::All).1, self.stop.clone()));
        }
        tasks.spawn(self.follow(policies.to_vec()));
    }

    fn watch(
        &self,
        kind: &Kind,
        keep: watch::Receiver<Keep>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock;
        let now = move || clock.now();
        let (api, send, figures) = (self.api.clone(), self.send.clone(), Arc::clone(&self.figures));
        kanon_kube::run_watch(api, Arc::new(kind.clone()), keep, now, send, figures, stop)
    }

    async fn follow(self, policies: Vec<Kind>) {
        let mut published = self.shared.published.subscribe();
        let mut running: BTreeMap<Kind, Running> = BTreeMap::new();
        let mut served: Arc<[Kind]> = Arc::default();
        let (mut known, mut pause, mut look_at) = (Arc::<Facts>::default(), PAUSE_MIN, Instant::now());
        let mut grows_at: Option<Instant> = None;
        loop {
            let facts = self.shared.facts.load_full();
            if facts != known {
                (pause, look_at) = (PAUSE_MIN, Instant::now());
                known = Arc::clone(&facts);
            }
            let gone: Vec<_> = running.keys().filter(|it| !facts.kinds.contains(it)).cloned().collect();
            for kind in gone {
                let Some(Running { stop, task, .. }) = running.remove(&kind) else { continue };
                stop.cancel();
                // What it still had to say comes before the end.
                let _ = task.await;
                let _ = self.send.send(Input::Unwatched { kind: Arc::new(kind) }).await;
            }
            let mut grows = false;
            for kind in facts.kinds.iter().filter(|it| !policies.contains(it)) {
                let keep = facts.keep(&kind.gvk);
                match running.get(kind) {
                    Some(it) if it.keep.borrow().covers(keep) => {}
                    Some(it) if grows_at.is_some_and(|at| at <= Instant::now()) => {
                        it.keep.send_modify(|known| known.extend(keep));
                    }
                    Some(_) => grows = true,
                    None => {
                        let (stop, (grow, keep)) = (self.stop.child_token(), watch::channel(keep.clone()));
                        let task = tokio::spawn(self.watch(kind, keep, stop.clone()));
                        running.insert(kind.clone(), Running { stop, task, keep: grow });
                    }
                }
            }
            grows_at = grows.then(|| grows_at.unwrap_or_else(|| Instant::now() + GROWING));
            tokio::select! {
                () = self.stop.cancelled() => break,
                _ = published.changed() => {}
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
