//! The way from requests to the log: a bounded queue and the thread behind it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use kanon_apimachinery::audit::Event;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{
    AuditError, AuditMode, AuditOptions, AuditRecord, AuditTruncate, Counts, Plugin,
    file::LogFile,
    webhook::{Delivery, Webhook},
};

/// Events that may wait (kube-apiserver's `--audit-log-batch-buffer-size`).
const EVENTS: usize = 10_000;
/// Bytes of bodies that they may hold: a flood of large objects is dropped before memory runs out.
const BYTES: usize = 64 << 20;

/// Tells a waiting request whether one of its backends has the event.
pub(super) type Ack = mpsc::UnboundedSender<bool>;

enum Job {
    Event { event: Box<Event>, size: usize, ack: Option<Ack> },
    Stop(oneshot::Sender<()>),
}

/// The requests' end.
pub(super) struct Queue {
    jobs: mpsc::Sender<Job>,
    held: Arc<AtomicUsize>,
    /// How many backends requests wait for.
    blocking: usize,
    is_strict: bool,
    counts: Arc<Counts>,
}

struct Worker {
    log: Option<(LogFile, AuditMode)>,
    webhook: Option<Webhook>,
    /// Bounds of events for the log and for the webhook.
    truncate: [Option<AuditTruncate>; 2],
    tap: Option<broadcast::Sender<AuditRecord>>,
    held: Arc<AtomicUsize>,
    counts: Arc<Counts>,
}

impl Queue {
    pub(super) fn start(
        options: &AuditOptions,
        tap: broadcast::Sender<AuditRecord>,
        counts: Arc<Counts>,
    ) -> Result<Queue, AuditError> {
        let log = match &options.log {
            None => None,
            Some(log) => Some((LogFile::open(log)?, log.mode)),
        };
        let webhook = match &options.webhook {
            None => None,
            Some(webhook) => Some(Webhook::start(webhook, Arc::clone(&counts))?),
        };
        let modes = [options.log.as_ref().map(|it| it.mode), options.webhook.as_ref().map(|it| it.mode)];
        let blocking = modes.iter().flatten().filter(|it| **it != AuditMode::Batch).count();
        let is_strict = modes.contains(&Some(AuditMode::BlockingStrict));
        let held = Arc::new(AtomicUsize::new(0));
        let (sender, jobs) = mpsc::channel(EVENTS);
        let truncate =
            [options.log.as_ref().and_then(|it| it.truncate), options.webhook.as_ref().and_then(|it| it.truncate)];
        let worker =
            Worker { log, webhook, truncate, tap: Some(tap), held: Arc::clone(&held), counts: Arc::clone(&counts) };
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || worker.run(jobs))
            .map_err(AuditError::Thread)?;
        Ok(Queue { jobs: sender, held, blocking, is_strict, counts })
    }

    /// Whether a request whose beginning cannot be recorded is refused.
    pub(super) fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// Takes an event if there is room; never waits.
    pub(super) fn offer(&self, event: Event) {
        self.counts.events.fetch_add(1, Ordering::Relaxed);
        let size = size_of(&event);
        if self.held.fetch_add(size, Ordering::Relaxed) > BYTES {
            self.held.fetch_sub(size, Ordering::Relaxed);
            self.counts.lost(Plugin::Buffered, 1);
            return;
        }
        if self.jobs.try_send(Job::Event { event: Box::new(event), size, ack: None }).is_err() {
            self.held.fetch_sub(size, Ordering::Relaxed);
            self.counts.lost(Plugin::Buffered, 1);
        }
    }

    /// Takes an event, and waits for the blocking backends: whether all of them have it.
    pub(super) async fn put(&self, event: Event) -> bool {
        if self.blocking == 0 {
            self.offer(event);
            return true;
        }
        self.counts.events.fetch_add(1, Ordering::Relaxed);
        let size = size_of(&event);
        self.held.fetch_add(size, Ordering::Relaxed);
        let (ack, mut answers) = mpsc::unbounded_channel();
        if self.jobs.send(Job::Event { event: Box::new(event), size, ack: Some(ack) }).await.is_err() {
            self.held.fetch_sub(size, Ordering::Relaxed);
            self.counts.lost(Plugin::Buffered, 1);
            return false;
        }
        let mut written = true;
        for _ in 0..self.blocking {
            written &= answers.recv().await.unwrap_or_default();
        }
        written
    }

    pub(super) async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.jobs.send(Job::Stop(done)).await.is_ok() {
            // An error means that the thread ended already.
            let _ = ended.await;
        }
    }
}

fn size_of(event: &Event) -> usize {
    let sent = event.sent.as_ref().map_or(0, |it| it.bytes.len());
    let answered = event.outcome.as_ref().map_or(0, |it| it.body.iter().map(Bytes::len).sum());
    sent + answered
}

impl Worker {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            let mut next = Some(job);
            while let Some(job) = next {
                match job {
                    Job::Event { event, size, ack } => {
                        self.take(*event, ack);
                        self.held.fetch_sub(size, Ordering::Relaxed);
                    }
                    Job::Stop(done) => {
                        self.flush();
                        if let Some(webhook) = self.webhook.take() {
                            webhook.close();
                        }
                        // Whoever asked may have gone.
                        let _ = done.send(());
                        return;
                    }
                }
                next = jobs.try_recv().ok();
            }
            self.flush();
        }
    }

    fn take(&mut self, event: Event, ack: Option<Ack>) {
        let json = event.render();
        let within = |bounds: Option<AuditTruncate>| match bounds {
            Some(bounds) => event.render_within(&json, bounds.event_max),
            None => Some(json.clone()),
        };
        if let Some((log, mode)) = &mut self.log {
            let written = match within(self.truncate[0]) {
                Some(json) => log.write(&json, *mode != AuditMode::Batch),
                None => Err(std::io::Error::other("it is too large, even without bodies")),
            };
            if let Err(error) = &written {
                tracing::warn!(%error, "an audit event cannot be written");
                self.counts.lost(Plugin::Log, 1);
            }
            if let (Some(ack), true) = (&ack, *mode != AuditMode::Batch) {
                // The request may have gone.
                let _ = ack.send(written.is_ok());
            }
        }
        if let Some(webhook) = &self.webhook {
            match within(self.truncate[1]) {
                Some(json) => webhook.deliver(Delivery { json, ack }),
                // The sender goes, and whoever waits is told that it is lost.
                None => self.counts.lost(Plugin::Webhook, 1),
            }
        }
        if let Some(tap) = self.tap.as_ref().filter(|it| it.receiver_count() > 0) {
            // An error means that nobody listens any more.
            let _ = tap.send(AuditRecord { event: Arc::new(event), json });
        }
    }

    fn flush(&mut self) {
        if let Some((log, _)) = &mut self.log
            && let Err(error) = log.flush()
        {
            tracing::warn!(%error, "audit events cannot be written");
            self.counts.lost(Plugin::Log, 1);
        }
    }
}
