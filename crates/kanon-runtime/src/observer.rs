//! From events of running workloads to decisions: a bounded queue, and a thread that puts each event to the families' views. What
//! they decide goes to the loop as an input, like answered reviews.
//!
//! Sources that must not wait drop what finds no room, and count it; the log file, which stays where it is, waits. When the process
//! ends, what has come is still decided about: nobody tells of it again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use kanon_core::{Figures, Input, Mono, Object, Outcome, Review};
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
/// At the end, what has come is decided about within this time.
const DRAIN_MAX: Duration = Duration::from_secs(5);
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

/// Starts the thread that puts events to the views, until `stop`: when the sources have ended, and while the loop still takes inputs.
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
            biased;
            () = settled => {}
            () = tokio::time::sleep(SETTLE_MAX) => {}
            () = stop.cancelled() => return self.give_up(),
        }
        while !stop.is_cancelled() {
            let wanted = self.shared.views.load().iter().any(|it| it.observes());
            self.events.wanted.store(wanted, Ordering::Relaxed);
            let now = self.clock.now().mono;
            let nap = self.desk.next_deadline().map_or(NAP_MAX, |at| at.since(now).min(NAP_MAX));
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
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
        if tokio::time::timeout(DRAIN_MAX, self.drain()).await.is_err() {
            tracing::warn!("the loop took no more events at the end");
        }
        self.give_up();
    }

    /// Decides about what has come, and about what waits for another source to tell of it, too.
    async fn drain(&mut self) {
        let end = self.clock.now().mono.after(DRAIN_MAX);
        self.events.queue.close();
        while self.clock.now().mono < end
            && let Ok(told) = self.events.queue.try_recv()
        {
            self.take(&told).await;
        }
        while self.clock.now().mono < end
            && let Some(event) = self.desk.due(Mono(Duration::MAX))
        {
            self.decide(&event).await;
        }
    }

    /// Counts what is left.
    fn give_up(&mut self) {
        let left = self.events.queue.len();
        if left > 0 {
            tracing::warn!(left, "events of running workloads are lost: there was no time for them before the end");
            self.events.figures.add(EVENTS, &[ANY, results::DROPPED], left.try_into().unwrap_or(i64::MAX));
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
            result = match verdicts.iter().map(|it| it.outcome).find(|it| !matches!(it, Outcome::Error | Outcome::Skip))
            {
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
    use kanon_core::{FamilyId, GroupVersionKind, Kind, Now, Operation, Resource, UserInfo};
    use kanon_plane::{AdmissionRule, Explanation, Lookups, Outbox, Plane, PolicySummary, Settings, Target};

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

    /// Hears of events, and counts what comes of them.
    struct Ears(Arc<AtomicUsize>);

    impl kanon_plane::Family for Ears {
        fn id(&self) -> FamilyId {
            FamilyId("ears")
        }

        fn kinds(&self) -> &[Kind] {
            &[]
        }

        fn crds(&self) -> Vec<serde_json::Value> {
            Vec::new()
        }

        fn handle(&mut self, input: &Input, _: Now, _: &mut Outbox) {
            if let Input::Observed { .. } = input {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn next_deadline(&self) -> Option<Mono> {
            None
        }

        fn view(&self) -> Arc<dyn View> {
            Arc::new(Hears)
        }
    }

    struct Hears;

    impl View for Hears {
        fn family(&self) -> FamilyId {
            FamilyId("ears")
        }

        fn admission_rules(&self) -> Vec<AdmissionRule> {
            Vec::new()
        }

        fn review(&self, _: &Review, _: &dyn Lookups, _: Now) -> Reviewed {
            Reviewed { verdicts: Vec::new(), counts: Arc::new(()) }
        }

        fn observes(&self) -> bool {
            true
        }

        fn observe(&self, _: &Event, _: &dyn Lookups, _: Now) -> Option<Reviewed> {
            Some(Reviewed { verdicts: Vec::new(), counts: Arc::new(()) })
        }

        fn policies(&self) -> Vec<PolicySummary> {
            Vec::new()
        }

        fn explain(&self, _: &Target, _: Now) -> Option<Explanation> {
            None
        }
    }

    fn told(number: usize) -> Told {
        let event = format!(
            r#"{{"auditID":"a-{number}","stage":"ResponseStarted","verb":"get","user":{{"username":"eve"}},
            "requestURI":"/api/v1/namespaces/shop/pods/p-{number}/exec?command=sh","responseStatus":{{"code":101}},
            "objectRef":{{"resource":"pods","namespace":"shop","name":"p-{number}","apiVersion":"v1","subresource":"exec"}},
            "requestReceivedTimestamp":"2026-11-21T09:00:00.000000Z"}}"#
        );
        Told::Audit(Object::parse(event).unwrap())
    }

    /// An exec that admission tells of, which waits for its audit event.
    fn review() -> Told {
        let resource = Resource { version: "v1".into(), resource: "pods".into(), ..Resource::default() };
        Told::Review(
            Arc::new(Review {
                uid: "r".into(),
                operation: Operation::Connect,
                kind: GroupVersionKind::new("", "v1", "PodExecOptions"),
                resource,
                sub_resource: "exec".into(),
                namespace: "shop".into(),
                name: "other".into(),
                user: UserInfo::default(),
                object: Some(Object::parse(r#"{"command":["sh"]}"#).unwrap()),
                old_object: None,
                options: None,
                dry_run: false,
            }),
            true,
        )
    }

    #[test]
    fn what_has_come_is_decided_about_at_the_end() {
        let (figures, heard) = (Arc::<Figures>::default(), Arc::<AtomicUsize>::default());
        let clock = Clock::start();
        let plane = Plane::new(vec![Box::new(Ears(Arc::clone(&heard)))], Settings::default());
        let (effects, _taken) = mpsc::channel(1);
        let last = CancellationToken::new();
        let handle = crate::drive::start(plane, None, clock, effects, last.clone()).unwrap();
        let (feed, events) = events(Arc::clone(&figures));
        (0..100).for_each(|it| feed.offer(told(it)));
        feed.offer(review());
        // It is told to end before it has begun.
        let stop = CancellationToken::new();
        stop.cancel();
        let desk = Desk::new(kanon_events::PassedOver::default(), true);
        observe(events, desk, handle.shared, handle.intake, clock, stop).unwrap().join().unwrap();
        feed.offer(told(100));
        last.cancel();
        handle.done.join().unwrap();
        assert_eq!(heard.load(Ordering::Relaxed), 101);
        assert_eq!(figures.value(EVENTS, &["exec", results::CLEAN]), 101);
        assert_eq!(figures.value(EVENTS, &[ANY, results::DROPPED]), 1);
    }
}
