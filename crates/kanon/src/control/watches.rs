//! Watches: one for each kind of policy, from the start; one for each kind that policies in force read, as long as they do. A kind
//! that nobody serves yet is looked for again and again, less and less often.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kanon_core::{Figures, Input, Kind};
use kanon_kube::Api;
use kanon_net::CancellationToken;
use kanon_plane::Facts;
use kanon_runtime::{Clock, Shared};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::Instant,
};

/// First pause between two looks for kinds that are not served yet; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(15);

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
            tasks.spawn(self.watch(kind, self.stop.clone()));
        }
        tasks.spawn(self.follow(policies.to_vec()));
    }

    fn watch(&self, kind: &Kind, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock;
        let now = move || clock.now();
        let (api, send, figures) = (self.api.clone(), self.send.clone(), Arc::clone(&self.figures));
        kanon_kube::run_watch(api, Arc::new(kind.clone()), now, send, figures, stop)
    }

    async fn follow(self, policies: Vec<Kind>) {
        let mut published = self.shared.published.subscribe();
        let mut running: BTreeMap<Kind, (CancellationToken, JoinHandle<()>)> = BTreeMap::new();
        let mut served: Arc<[Kind]> = Arc::default();
        let (mut known, mut pause, mut look_at) = (Arc::<Facts>::default(), PAUSE_MIN, Instant::now());
        loop {
            let facts = self.shared.facts.load_full();
            if facts != known {
                (pause, look_at) = (PAUSE_MIN, Instant::now());
                known = Arc::clone(&facts);
            }
            let gone: Vec<_> = running.keys().filter(|it| !facts.kinds.contains(it)).cloned().collect();
            for kind in gone {
                let Some((stop, task)) = running.remove(&kind) else { continue };
                stop.cancel();
                // What it still had to say comes before the end.
                let _ = task.await;
                let _ = self.send.send(Input::Unwatched { kind: Arc::new(kind) }).await;
            }
            for kind in facts.kinds.iter().filter(|it| !policies.contains(it)) {
                if !running.contains_key(kind) {
                    let stop = self.stop.child_token();
                    let task = tokio::spawn(self.watch(kind, stop.clone()));
                    running.insert(kind.clone(), (stop, task));
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                _ = published.changed() => {}
                () = tokio::time::sleep_until(look_at), if facts.unknown => {
                    self.look(&mut served).await;
                    look_at = Instant::now() + pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        for (_, task) in running.into_values() {
            let _ = task.await;
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
