//! From events of running workloads to decisions: a bounded queue, and a thread that puts each event to the families' views. What
//! they decide goes to the loop as an input, like answered reviews.
//!
//! Sources that must not wait drop what finds no room, and count it; the log file, which stays where it is, waits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use kanon_core::{Figures, Input, Object, Outcome, Review};
use kanon_events::{ANY, Desk, EVENTS, Event, Fate, of_audit, of_review, results};
use kanon_plane::{Reviewed, View};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    drive::{Intake, Shared},
};

/// Events that may wait, and the bytes they may take.
const EVENTS_MAX: usize = 10_000;
const BYTES_MAX: usize = 64 << 20;
/// What events are about is waited for this long at the start: a kind that cannot be listed must not hold up the others.
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// The thread looks at least this often whether anybody wants to hear of events.
const NAP_MAX: Duration = Duration::from_secs(60);

/// What a source tells of.
#[derive(Clone, Debug)]
pub enum Told {
    /// An audit event as it came.
    Audit(Object),
    /// A review of admission, and whether it was let through.
    Review(Arc<Review>, bool),
}

impl Told {
    fn size(&self) -> usize {
        match self {
            Told::Audit(object) => object.text().len(),
            Told::Review(..) => 0,
        }
    }
}

/// Where sources put events. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    queue: mpsc::Sender<Told>,
    held: Arc<AtomicUsize>,
    wanted: Arc<AtomicBool>,
    figures: Arc<Figures>,
}

/// The other end of a [`Feed`].
pub struct Events {
    queue: mpsc::Receiver<Told>,
    held: Arc<AtomicUsize>,
    wanted: Arc<AtomicBool>,
    figures: Arc<Figures>,
}

/// A queue of events.
pub fn events(figures: Arc<Figures>) -> (Feed, Events) {
    let (send, queue) = mpsc::channel(EVENTS_MAX);
    let (held, wanted) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let feed =
        Feed { queue: send, held: Arc::clone(&held), wanted: Arc::clone(&wanted), figures: Arc::clone(&figures) };
    (feed, Events { queue, held, wanted, figures })
}

impl Feed {
    /// Whether any policy is asked about events: a source that makes them for this alone can save itself the trouble.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Takes an event if there is room; never waits.
    pub fn offer(&self, told: Told) {
        let size = told.size();
        if self.held.fetch_add(size, Ordering::Relaxed) > BYTES_MAX || self.queue.try_send(told).is_err() {
            self.held.fetch_sub(size, Ordering::Relaxed);
            self.dropped();
        }
    }

    /// Counts an event that found no room on its way here.
    pub fn dropped(&self) {
        self.figures.add(EVENTS, &[ANY, results::DROPPED], 1);
    }

    /// Takes an event, waiting for room. Events after the end are dropped.
    pub async fn hand_on(&self, told: Told) {
        let size = told.size();
        self.held.fetch_add(size, Ordering::Relaxed);
        if self.queue.send(told).await.is_err() {
            self.held.fetch_sub(size, Ordering::Relaxed);
        }
    }

    /// Counts what is no event.
    pub fn unreadable(&self) {
        self.figures.add(EVENTS, &[ANY, results::ERROR], 1);
    }
}

/// Starts the thread that puts events to the views.
///
/// # Errors
/// When the system gives no thread.
pub fn observe(
    events: Events,
    desk: Desk,
    shared: Arc<Shared>,
    intake: Intake,
    clock: Clock,
    stop: CancellationToken,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let observer = Observer { events, desk, shared, intake, clock };
    std::thread::Builder::new().name("events".into()).spawn(move || runtime.block_on(observer.run(stop)))
}

struct Observer {
    events: Events,
    desk: Desk,
    shared: Arc<Shared>,
    intake: Intake,
    clock: Clock,
}

impl Observer {
    async fn run(mut self, stop: CancellationToken) {
        let mut published = self.shared.published.subscribe();
        let settled = async { while !self.is_settled() && published.changed().await.is_ok() {} };
        tokio::select! {
            () = stop.cancelled() => return,
            () = settled => {}
            () = tokio::time::sleep(SETTLE_MAX) => {}
        }
        loop {
            let wanted = self.shared.views.load().iter().any(|it| it.observes());
            self.events.wanted.store(wanted, Ordering::Relaxed);
            let now = self.clock.now().mono;
            let nap = self.desk.next_deadline().map_or(NAP_MAX, |at| at.since(now).min(NAP_MAX));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Ok(()) = published.changed() => {}
                Some(told) = self.events.queue.recv() => {
                    self.events.held.fetch_sub(told.size(), Ordering::Relaxed);
                    self.take(&told).await;
                }
                () = tokio::time::sleep(nap) => {}
            }
            while let Some(event) = self.desk.due(self.clock.now().mono) {
                self.decide(&event).await;
            }
        }
    }

    /// Whether all that decisions read has arrived.
    fn is_settled(&self) -> bool {
        let (facts, objects) = (self.shared.facts.load(), self.shared.objects.load());
        facts.kinds.iter().all(|it| objects.holds(&it.gvk, facts.keep(&it.gvk)))
    }

    async fn take(&mut self, told: &Told) {
        let now = self.clock.now();
        let event = match told {
            Told::Audit(object) => match of_audit(object) {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!(%error, "an audit event cannot be read");
                    self.count(ANY, results::ERROR);
                    None
                }
            },
            Told::Review(review, allowed) => of_review(review, now.wall).map(|it| it.answered(*allowed)),
        };
        let Some(event) = event else { return };
        let class = event.class();
        match self.desk.take(event, now) {
            Fate::Ready(event) => self.decide(&event).await,
            Fate::Waits => {}
            Fate::Passed(why) => self.count(class, why),
        }
    }

    async fn decide(&self, event: &Event) {
        let views = self.shared.views.load_full();
        let mut result = results::UNMATCHED;
        for view in views.iter() {
            // A bug in an engine must fail this one event, not the process.
            let observed = catch_unwind(AssertUnwindSafe(|| self.ask(&**view, event)));
            let Ok(observed) = observed else {
                tracing::error!(id = event.id, class = event.class(), "the decision about an event panicked");
                result = results::ERROR;
                continue;
            };
            let Some(Reviewed { verdicts, counts }) = observed else { continue };
            result = match verdicts.iter().map(|it| it.outcome).find(|it| *it != Outcome::Error) {
                Some(_) => results::VIOLATION,
                None if result == results::UNMATCHED => results::CLEAN,
                None => result,
            };
            self.intake.send(Input::Observed { family: view.family(), verdicts, counts }).await;
        }
        self.count(event.class(), result);
    }

    fn ask(&self, view: &dyn View, event: &Event) -> Option<Reviewed> {
        view.observe(event, &**self.shared.objects.load(), self.clock.now())
    }

    fn count(&self, class: &str, result: &str) {
        self.events.figures.add(EVENTS, &[class, result], 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_dropped_and_counted() {
        let figures: Arc<Figures> = Arc::default();
        let (feed, mut events) = events(Arc::clone(&figures));
        let object = Object::parse(format!(r#"{{"text":"{}"}}"#, "x".repeat(BYTES_MAX / 2))).unwrap();
        for _ in 0..4 {
            feed.offer(Told::Audit(object.clone()));
        }
        // What is beyond the bound when it arrives is not taken.
        assert_eq!(figures.value(EVENTS, &[ANY, results::DROPPED]), 2);
        while events.queue.try_recv().is_ok() {}
        drop(events);
        feed.held.store(0, Ordering::Relaxed);
        feed.offer(Told::Audit(Object::null()));
        assert_eq!(figures.value(EVENTS, &[ANY, results::DROPPED]), 3);
    }
}
