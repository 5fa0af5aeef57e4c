//! The wiring that `up` and `serve` share: the plane's loop, watches, effects, the admission webhook, metrics and probes,
//! all against one API server over HTTPS. The embedded server gets no short cut.

mod certificates;
mod definitions;
mod folders;
mod installed;
mod live;
mod readiness;
mod runtime;
mod sinks;
mod watches;
pub(crate) mod webhook;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::service::service_fn;
use kanon_core::{Figure, FigureKind, Figures, GroupVersionKind, Input, Keep, Kind, Now, Review};
use kanon_kube::{Api, Budget, Candidate, FIELD_MANAGER, Source};
use kanon_net::{CancellationToken, Limits};
use kanon_plane::{Family, LiveRead, ObjectStore, Plane, Settings, Views};
use kanon_runtime::{Clock, Feed, Handle, Intake, Shared, Told, log::DecisionLog};
use kanon_web::{Gauge, Metrics, Own, Probes, Reading, Snapshot, Webhook};
use tokio::{sync::mpsc, task::JoinSet};

use self::{
    folders::Folder,
    readiness::Readiness,
    watches::{Area, Watches},
};
use crate::{exit::Failure, families, languages};
pub(crate) use definitions::Definitions;
pub(crate) use installed::Installed;
pub(crate) use runtime::{Listen, RuntimeOptions};
pub(crate) use sinks::SinkOptions;

/// Effects on their way to the API server; a full queue holds the loop, which holds its inputs.
const EFFECTS_MAX: usize = 1024;

/// At the end, effects are carried out within this time.
const OUTLETS_MAX: Duration = Duration::from_secs(5);

/// What to run.
pub(crate) struct Options {
    /// The policy families, on their way.
    pub(crate) families: Families,
    /// The API server.
    pub(crate) source: Source,
    /// How many calls of it there may be.
    pub(crate) budget: Option<Budget>,
    /// Folder of the decision log; none is kept without one.
    pub(crate) log: Option<PathBuf>,
    /// Policies that are objects in the API server.
    pub(crate) definitions: Definitions,
    /// Folder with rule files.
    pub(crate) rules_folder: Option<PathBuf>,
    /// The admission webhook, where there is to be one.
    pub(crate) webhook: Option<webhook::Options>,
    /// Where metrics and probes are.
    pub(crate) metrics_addr: SocketAddr,
    /// Our namespace.
    pub(crate) namespace: String,
    /// The only namespaces that are looked after; where there are none, all are.
    pub(crate) namespaces: Vec<String>,
    /// Contend for the leases of this name, in our namespace, under this identity, one for each of so many shards; lead without
    /// asking when none.
    pub(crate) lease: Option<(&'static str, String, u32)>,
    /// What is done about violations, and who hears of them.
    pub(crate) sinks: SinkOptions,
    /// Where events of running workloads come from; none where rules are not asked about them.
    pub(crate) runtime: Option<RuntimeOptions>,
}

/// The families that a thread makes: the policies that are built into them are compiled meanwhile.
pub(crate) struct Families {
    made: tokio::task::JoinHandle<Vec<Box<dyn Family>>>,
    figures: Arc<Figures>,
}

/// Begins to make the families.
pub(crate) fn families(settings: families::Settings) -> Families {
    let figures = Arc::clone(&settings.responses.figures);
    Families { made: tokio::task::spawn_blocking(move || families::all(&languages::all(), &settings)), figures }
}

/// What runs.
pub(crate) struct Control {
    /// Metrics and probes.
    pub(crate) metrics_addr: SocketAddr,
    /// The webhook.
    pub(crate) webhook_addr: Option<SocketAddr>,
    /// Where audit events are taken.
    pub(crate) audit_addr: Option<SocketAddr>,
    /// Whether the probe tells of the end.
    ending: Arc<AtomicBool>,
    /// What ends with the process' stop token.
    tasks: JoinSet<()>,
    /// Puts events to rules.
    events: Option<std::thread::JoinHandle<()>>,
    plane: std::thread::JoinHandle<()>,
    /// What carries effects out.
    outlets: JoinSet<()>,
    ends: Ends,
}

/// What ends after the sources, one after the other: each takes what the one before it still hands on.
#[derive(Default)]
struct Ends {
    events: CancellationToken,
    plane: CancellationToken,
}

/// What the webhook reads, over the loop's published state.
struct Published {
    shared: Arc<Shared>,
    intake: Intake,
    clock: Clock,
    /// Where events of running workloads go.
    feed: Option<Feed>,
    /// Urgent: a request waits for what is read.
    api: Api,
    figures: Arc<Figures>,
}

impl Snapshot for Published {
    fn views(&self) -> Arc<Views> {
        self.shared.views.load_full()
    }

    fn objects(&self) -> Arc<ObjectStore> {
        self.shared.objects.load_full()
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn post(&self, input: Input) {
        self.intake.reviewed(input);
    }

    fn answered(&self, review: &Arc<Review>, allowed: bool) {
        let feed = self.feed.as_ref().filter(|it| it.is_wanted() && kanon_events::is_event(review));
        if let Some(feed) = feed {
            feed.offer(Told::Review(Arc::clone(review), allowed));
        }
    }

    fn read(&self, reads: Vec<LiveRead>, within: Duration) -> Reading<'_> {
        Box::pin(live::read(&self.api, &self.figures, reads, within))
    }
}

/// Starts everything; when it returns, all policies are loaded and the webhook is registered.
pub(crate) async fn start(mut options: Options, clock: Clock, stop: &CancellationToken) -> Result<Control, Failure> {
    let area = Area(std::mem::take(&mut options.namespaces));
    let fails_closed = options.webhook.as_ref().is_some_and(|it| it.fail_closed);
    if fails_closed && area.0.contains(&options.namespace) {
        tracing::warn!(
            "the webhook is asked about its own namespace: while it is down, nothing starts there again by itself"
        );
    }
    let (leader, ends) = (options.lease.is_none(), Ends::default());
    let api = Api::connect(&options.source).await?;
    let api = match options.budget.take() {
        Some(budget) => api.within(budget),
        None => api,
    };
    let figures = Arc::clone(&options.families.figures);
    let families = (&mut options.families.made).await.map_err(|error| Failure::new(error.to_string()))?;
    let plane = Plane::new(families, Settings { leader, ..Settings::default() });
    // The CRDs take a round trip to be established; certificates and listeners are made meanwhile.
    let listen = async {
        match &options.webhook {
            Some(webhook) => webhook::listen(webhook, clock.now().wall).await.map(Some),
            None => Ok(None),
        }
    };
    let (kinds, webhook, user) =
        tokio::join!(definitions::of_policies(&api, &plane, options.definitions, &area), listen, api.own_user());
    let kinds = kinds?;
    let unwatched: Vec<_> = plane.kinds().into_iter().filter(|it| !kinds.contains(it)).collect();
    let places = plane.places().to_vec();
    let is_watched = |it: &Kind| kinds.contains(it) || places.iter().any(|place| place.kind == *it);
    let awaited: Vec<_> = plane.awaited().into_iter().filter(is_watched).collect();
    let user = user?;
    let own = user.clone().map(|user| Own { user, manager: FIELD_MANAGER });
    let webhook = webhook?;
    let webhook_addr = webhook.as_ref().map(webhook::Listening::address).transpose()?;
    let sources = match options.runtime.take() {
        Some(it) => Some(runtime::open(it, &figures).await?),
        None => None,
    };
    let log = |folder: &PathBuf| DecisionLog::open(folder, kanon_runtime::log::Options::default(), clock.now());
    let log = options.log.as_ref().map(log).transpose()?;
    let (effects, effect_queue) = mpsc::channel(EFFECTS_MAX);
    let Handle { intake, shared, done } = kanon_runtime::start(plane, log, clock, effects, ends.plane.clone())?;

    let (mut tasks, mut outlets) = (JoinSet::new(), JoinSet::new());
    let rules = options.rules_folder.clone().map(Folder::of_rules);
    let templates = options.sinks.templates.clone().map(Folder::of_templates);
    for folder in rules.into_iter().chain(templates) {
        folder.follow(&mut tasks, &intake, stop).await?;
    }
    // What nobody watches is known to be empty.
    for kind in unwatched {
        intake.send(Input::Synced { kind: Arc::new(kind), keep: Keep::All }).await;
    }
    let watches = Watches {
        api: api.clone(),
        clock,
        send: intake.sender(),
        shared: Arc::clone(&shared),
        figures: Arc::clone(&figures),
        stop: stop.clone(),
        places,
        area,
    };
    watches.start(&mut tasks, &kinds);
    let effect_queue = sinks::split(&mut outlets, &mut options.sinks, effect_queue, &intake);
    let home = (options.namespace.clone(), user.clone());
    let (now, send) = (jiff::Timestamp::now, intake.sender());
    outlets.spawn(kanon_kube::run_effects(api.clone(), home, effect_queue, now, send));
    if let Some((name, identity, shards)) = &options.lease {
        let (namespace, name, identity) = (options.namespace.clone(), (*name).to_owned(), identity.clone());
        let candidate = Candidate { namespace, name, identity };
        let now = move || clock.now();
        let send = intake.sender();
        tasks.spawn(kanon_kube::run_elections(api.urgent(), candidate, *shards, now, send, stop.clone()));
    }

    let feed = sources.as_ref().map(|it| it.feed.clone());
    let (shows, decides) = (webhook.as_ref().map(webhook::Listening::certificate), intake.clone());

    let metrics = Arc::new(Metrics::new(gauges(&shared), Arc::clone(&figures)));
    let snapshot = Arc::new(Published { shared: Arc::clone(&shared), intake, clock, feed, api: api.urgent(), figures });
    let registered = Arc::new(AtomicBool::new(options.webhook.is_none()));
    if let (Some(listening), Some(asked)) = (webhook, &options.webhook) {
        let parts = webhook::Parts {
            service: Arc::new(Webhook::new(snapshot, Arc::clone(&metrics)).sparing(own).fail_closed(asked.fail_closed)),
            api: &api,
            shared: &shared,
            registered: &registered,
            fail_closed: asked.fail_closed,
            namespace: &options.namespace,
            own_user: user.clone(),
            stop,
        };
        webhook::run(&mut tasks, listening, parts);
    }

    let ending = Arc::<AtomicBool>::default();
    let readiness = Readiness {
        shared: Arc::clone(&shared),
        policies: awaited,
        registered,
        ending: Arc::clone(&ending),
        arrived: Arc::default(),
    };
    let of_rules = {
        let shared = Arc::clone(&shared);
        move |as_json| folders::page(&shared.views.load(), as_json)
    };
    let waiting = {
        let readiness = readiness.clone();
        move || readiness.waiting()
    };
    let probes = Arc::new(Probes::new(metrics, waiting).with_rules(of_rules));
    let listener = kanon_net::bind(options.metrics_addr).await?;
    let metrics_addr = listener.local_addr()?;
    let service = service_fn(move |request| {
        let response = probes.handle(&request);
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    tasks.spawn(kanon_net::serve(listener, None, service, Limits::default(), stop.clone()));

    readiness.reached().await?;
    // Before rules are known nobody could be asked about an event.
    let end = &ends.events;
    let around = runtime::Surroundings { shared: &shared, intake: decides, clock, user, certificate: shows, stop, end };
    let observing = sources.map(|it| runtime::run(it, around, &mut tasks)).transpose()?;
    let (audit_addr, events) = observing.map_or((None, None), |it| (it.address, Some(it.thread)));
    Ok(Control { metrics_addr, webhook_addr, audit_addr, ending, tasks, events, plane: done, outlets, ends })
}

impl Control {
    /// From now on the probe says that the process is not ready; everything is answered as before.
    pub(crate) fn announce_end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    /// Ends everything in order: listeners drain, then rules are asked about the events that have come, then the loop records what was
    /// decided and closes the log, then what follows from it is carried out, as far as there is time.
    pub(crate) async fn stopped(mut self) {
        while self.tasks.join_next().await.is_some() {}
        self.ends.events.cancel();
        ended(self.events).await;
        self.ends.plane.cancel();
        ended(Some(self.plane)).await;
        let carried_out = async { while self.outlets.join_next().await.is_some() {} };
        if tokio::time::timeout(OUTLETS_MAX, carried_out).await.is_err() {
            tracing::warn!("effects were not carried out in time at the end");
        }
    }
}

/// Waits for a thread. A panic of it was logged there.
async fn ended(thread: Option<std::thread::JoinHandle<()>>) {
    let _ = tokio::task::spawn_blocking(move || thread.map(std::thread::JoinHandle::join)).await;
}

fn gauges(shared: &Arc<Shared>) -> Vec<Gauge> {
    let gauge = |name, help, read: fn(&Shared) -> u64| {
        let shared = Arc::clone(shared);
        Gauge::number(name, help, move || whole(read(&shared)))
    };
    vec![
        gauge("kanon_log_records", "Records in the decision log", |it| it.records.load(Ordering::Relaxed)),
        gauge("kanon_log_errors", "Failed appends to the decision log", |it| it.log_errors.load(Ordering::Relaxed)),
        gauge("kanon_reviews_dropped_clean", "Clean reviews whose counts were dropped", |it| {
            it.dropped[0].load(Ordering::Relaxed)
        }),
        gauge("kanon_reviews_dropped_verdicts", "Reviews whose verdicts were dropped", |it| {
            it.dropped[1].load(Ordering::Relaxed)
        }),
        shards_held(shared),
        cached(shared, "portal_cache_objects", "Objects that are cached", |it| it.1),
        cached(shared, "portal_cache_bytes", "Bytes that cached objects take with their indexes", |it| it.2),
    ]
}

/// The shards of the audit that this process holds; the holder of shard 0 leads.
fn shards_held(shared: &Arc<Shared>) -> Gauge {
    let shared = Arc::clone(shared);
    let help = "Whether this process holds the lease of a shard of the audit; that of shard 0 is the lead";
    let figure = Figure { name: "portal_leader", kind: FigureKind::Gauge, help, labels: &["shard"] };
    let series = move || {
        let held = shared.shards.load();
        (0..held.count()).map(|it| (vec![it.to_string()], held.has(it).into())).collect()
    };
    Gauge { figure, read: Box::new(series) }
}

/// Something about the cached objects of each kind.
fn cached(
    shared: &Arc<Shared>,
    name: &'static str,
    help: &'static str,
    read: fn(&(&GroupVersionKind, usize, usize)) -> usize,
) -> Gauge {
    let shared = Arc::clone(shared);
    let figure = Figure { name, kind: FigureKind::Gauge, help, labels: &["gvk"] };
    let series =
        move || shared.objects.load().sizes().map(|it| (vec![it.0.to_string()], whole(read(&it) as u64))).collect();
    Gauge { figure, read: Box::new(series) }
}

fn whole(number: u64) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
