//! The loop. One task owns the plane; inputs come over bounded queues; records are durable before effects leave.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use kanon_core::{Effect, Input, Mono, Shards};
use kanon_plane::{Facts, ObjectStore, Payload, Plane, Step, Views};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    log::DecisionLog,
    scanner::{self, Scans},
};

/// Object events, folders, outcomes: a full queue makes its senders wait, which slows watches and loses nothing.
const INPUTS_MAX: usize = 4096;
/// Answered reviews: a full queue drops, and counts what it drops (spec/rules 4.3).
const REVIEWS_MAX: usize = 8192;
/// Inputs taken together before one write to the log.
const BATCH_MAX: usize = 512;
/// At the end, effects are handed on within this time.
const LAST_MAX: Duration = Duration::from_secs(5);
/// The loop wakes at least this often, so that a jump of the wall clock is noticed (design §8, "Time").
const NAP_MAX: Duration = Duration::from_secs(60);

/// What readers see, published by the loop.
pub struct Shared {
    /// The views of all families.
    pub views: ArcSwap<Views>,
    /// The watched objects.
    pub objects: ArcSwap<ObjectStore>,
    /// What to watch besides policies.
    pub facts: ArcSwap<Facts>,
    /// The shards of this process.
    pub shards: ArcSwap<Shards>,
    /// Changes whenever new views were published, or other kinds are to be watched, or all objects of a kind have arrived, or
    /// shards were won or lost.
    pub published: watch::Sender<u64>,
    /// Reviews whose counts were lost to a full queue: clean ones, and ones with verdicts.
    pub dropped: [AtomicU64; 2],
    /// Records in the decision log.
    pub records: AtomicU64,
    /// Appends to the decision log that failed.
    pub log_errors: AtomicU64,
}

impl Shared {
    /// Whether this process leads: others decide, and hold their effects.
    pub fn leads(&self) -> bool {
        self.shards.load().leads()
    }
}

/// Where inputs go in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    inputs: mpsc::Sender<Input>,
    reviews: mpsc::Sender<Input>,
    shared: Arc<Shared>,
}

impl Intake {
    /// Hands an input to the loop, waiting while its queue is full. Inputs after the end of the loop are dropped.
    pub async fn send(&self, input: Input) {
        let _ = self.inputs.send(input).await;
    }

    /// The queue itself, for shells that hold many senders.
    pub fn sender(&self) -> mpsc::Sender<Input> {
        self.inputs.clone()
    }

    /// Hands an answered review to the loop without ever waiting. Clean ones are dropped first: they leave half of the queue
    /// to those that carry verdicts.
    pub fn reviewed(&self, input: Input) {
        let has_verdicts = matches!(&input, Input::Reviewed { verdicts, .. } if !verdicts.is_empty());
        let free = self.reviews.capacity();
        let fits = if has_verdicts { free > 0 } else { free > REVIEWS_MAX / 2 };
        if !fits || self.reviews.try_send(input).is_err() {
            self.shared.dropped[usize::from(has_verdicts)].fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The running loop.
pub struct Handle {
    /// Where inputs go in.
    pub intake: Intake,
    /// What readers see.
    pub shared: Arc<Shared>,
    /// Ends when the loop has stopped and the log is closed.
    pub done: std::thread::JoinHandle<()>,
}

/// Starts the loop on a thread of its own. Effects go to `effects`; the executor answers with [`Input::Delivered`]. With `stop` it takes
/// what has come, records it, hands on what follows, and ends.
///
/// # Errors
/// When the system gives no thread.
pub fn start(
    plane: Plane,
    log: Option<DecisionLog>,
    clock: Clock,
    effects: mpsc::Sender<Effect>,
    stop: CancellationToken,
) -> std::io::Result<Handle> {
    let shared = Arc::new(Shared {
        views: ArcSwap::from_pointee(plane.views().clone()),
        objects: ArcSwap::from_pointee(plane.objects().clone()),
        facts: ArcSwap::new(Arc::clone(plane.facts())),
        shards: ArcSwap::from_pointee(Shards::lead(plane.leads())),
        published: watch::Sender::new(0),
        dropped: [AtomicU64::new(0), AtomicU64::new(0)],
        records: AtomicU64::new(log.as_ref().map_or(0, |it| it.chain().seq())),
        log_errors: AtomicU64::new(0),
    });
    let (inputs, input_queue) = mpsc::channel(INPUTS_MAX);
    let (reviews, review_queue) = mpsc::channel(REVIEWS_MAX);
    let intake = Intake { inputs, reviews, shared: Arc::clone(&shared) };
    let scans = scanner::start(clock, intake.inputs.clone())?;
    let driver = Driver {
        plane,
        log,
        clock,
        effects,
        scans,
        shared: Arc::clone(&shared),
        unwritten: Vec::new(),
        held: Vec::new(),
        stale: false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let run = move || runtime.block_on(driver.run(input_queue, review_queue, stop));
    let done = std::thread::Builder::new().name("plane".into()).spawn(run)?;
    Ok(Handle { intake, shared, done })
}

struct Driver {
    plane: Plane,
    log: Option<DecisionLog>,
    clock: Clock,
    effects: mpsc::Sender<Effect>,
    scans: Scans,
    shared: Arc<Shared>,
    /// Records that the disk did not take yet.
    unwritten: Vec<Payload>,
    /// Effects that wait for their records.
    held: Vec<Effect>,
    /// Whether the published objects are old.
    stale: bool,
}

impl Driver {
    async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut reviews: mpsc::Receiver<Input>,
        stop: CancellationToken,
    ) {
        loop {
            let nap = self.nap();
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(input) = inputs.recv() => input,
                Some(input) = reviews.recv() => input,
                () = tokio::time::sleep(nap) => Input::Tick,
            };
            self.take(&first);
            for _ in 1..BATCH_MAX {
                let Ok(input) = inputs.try_recv().or_else(|_| reviews.try_recv()) else { break };
                self.take(&input);
            }
            self.release().await;
        }
        // What was already decided is recorded before the log closes, and what follows from it leaves.
        while let Ok(input) = inputs.try_recv().or_else(|_| reviews.try_recv()) {
            self.take(&input);
        }
        if tokio::time::timeout(LAST_MAX, self.release()).await.is_err() {
            tracing::warn!(effects = self.held.len(), "effects were not taken in time at the end");
        }
    }

    fn nap(&self) -> Duration {
        if !self.unwritten.is_empty() {
            return Duration::from_secs(1);
        }
        let now = self.clock.now().mono;
        self.plane.next_deadline().map_or(NAP_MAX, |at: Mono| at.since(now).min(NAP_MAX))
    }

    fn take(&mut self, input: &Input) {
        let Step { records, effects, scans, views, facts, objects } = self.plane.handle(input, self.clock.now());
        // A snapshot for every object would make the next change copy; readers get one a batch.
        self.stale |= objects;
        let mut news =
            views.is_some() || facts.is_some() || matches!(input, Input::Synced { .. } | Input::PlacesSynced { .. });
        if let Input::Leadership(shards) = input {
            self.shared.shards.store(Arc::new(*shards));
            news = true;
        }
        for scan in scans {
            self.scans.run(scan, self.plane.objects().clone());
        }
        if let Some(facts) = facts {
            self.shared.facts.store(facts);
        }
        if let Some(views) = views {
            self.shared.views.store(Arc::new(views));
        }
        if news {
            self.publish_objects();
            self.shared.published.send_modify(|version| *version += 1);
        }
        self.unwritten.extend(records);
        self.held.extend(effects);
    }

    fn publish_objects(&mut self) {
        if std::mem::take(&mut self.stale) {
            self.shared.objects.store(Arc::new(self.plane.objects().clone()));
        }
    }

    /// Publishes objects, writes what is unwritten, then lets the held effects go.
    async fn release(&mut self) {
        self.publish_objects();
        if !self.write() {
            return;
        }
        for effect in self.held.drain(..) {
            let _ = self.effects.send(effect).await;
        }
    }

    /// Whether all records are durable.
    fn write(&mut self) -> bool {
        let Some(log) = &mut self.log else {
            self.unwritten.clear();
            return true;
        };
        match log.append(&self.unwritten, self.clock.now().wall) {
            Ok(()) => {
                self.unwritten.clear();
                self.shared.records.store(log.chain().seq(), Ordering::Relaxed);
                true
            }
            Err(error) => {
                // Kept and tried again; effects wait. Past the bound the oldest go, counted as errors.
                self.shared.log_errors.fetch_add(1, Ordering::Relaxed);
                let surplus = self.unwritten.len().saturating_sub(REVIEWS_MAX);
                self.unwritten.drain(..surplus);
                tracing::error!(%error, surplus, "decision records could not be written; effects wait");
                false
            }
        }
    }
}
