//! The audit log: where events go, and how they get there without holding up requests.
//!
//! A request makes its events ([`trail`]) and puts them into a bounded queue. One thread renders them, writes the log file
//! ([`mod@file`]), hands them on to the webhook ([`webhook`]) and to whoever listens in this process ([`AuditEvents`]). In mode
//! `batch` (the default) a full queue drops events and counts them; in the blocking modes requests wait.

mod file;
mod kubeconfig;
mod queue;
mod trail;
mod webhook;

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use kanon_apimachinery::audit::{Decision, Event, Level, Policy};
use tokio::sync::broadcast;

pub(crate) use trail::Trail;

use queue::Queue;

/// Events that one listener in this process may lag behind.
const TAP: usize = 4096;

/// What is recorded, and where to.
#[derive(Clone, Debug, Default)]
pub struct AuditOptions {
    /// What is recorded; nothing without one.
    pub policy: Option<Policy>,
    /// A file of JSON lines.
    pub log: Option<AuditLog>,
    /// A webhook that is sent lists of events.
    pub webhook: Option<AuditWebhook>,
    /// Somebody in this process, whatever the policy says.
    pub observer: Option<AuditObserver>,
}

/// Somebody in this process who hears how requests are answered: once each, of a watch when it begins.
#[derive(Clone)]
pub struct AuditObserver {
    /// What is told of.
    pub policy: Policy,
    /// Whether anything is told of at the moment.
    pub wants: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Takes an event; never waits.
    pub hear: Arc<dyn Fn(Event) + Send + Sync>,
}

impl fmt::Debug for AuditObserver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "AuditObserver {{ policy: {:?} }}", self.policy)
    }
}

/// Whether requests wait for their events. Names as of kube-apiserver's `--audit-log-mode`; there, logs block by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditMode {
    /// They do not; what does not fit the queue is dropped and counted.
    #[default]
    Batch,
    /// They wait until each event is written, or could not be.
    Blocking,
    /// The same, and a request whose beginning cannot be recorded is refused.
    BlockingStrict,
}

/// Bounds of events and of what is sent at a time, named as kube-apiserver's `--audit-log-truncate-…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditTruncate {
    /// Bytes of an event, beyond which it goes without bodies; one that is too large all the same is dropped and counted.
    pub event_max: usize,
    /// Bytes of the events of one call.
    pub batch_max: usize,
}

impl Default for AuditTruncate {
    fn default() -> AuditTruncate {
        AuditTruncate { event_max: 100 << 10, batch_max: 10 << 20 }
    }
}

/// How often a webhook is called at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AuditThrottle {
    /// Calls a second, over time.
    pub rate: f32,
    /// Calls at once after a pause.
    pub burst: u32,
}

impl Default for AuditThrottle {
    fn default() -> AuditThrottle {
        AuditThrottle { rate: 10.0, burst: 15 }
    }
}

/// The log file.
#[derive(Clone, Debug)]
pub struct AuditLog {
    /// The file; `-` is standard output.
    pub path: PathBuf,
    /// Whether requests wait.
    pub mode: AuditMode,
    /// Bytes after which the file is put aside and a new one begun.
    pub size_max: u64,
    /// Files put aside that are kept; 0 keeps all.
    pub backups_max: usize,
    /// Files put aside before this are removed.
    pub age_max: Option<Duration>,
    /// Bounds of events; none unless told.
    pub truncate: Option<AuditTruncate>,
}

impl AuditLog {
    /// A log with kube-apiserver's defaults: 100 MB a file, all of them kept.
    pub fn new(path: impl Into<PathBuf>) -> AuditLog {
        AuditLog {
            path: path.into(),
            mode: AuditMode::Batch,
            size_max: 100 << 20,
            backups_max: 0,
            age_max: None,
            truncate: None,
        }
    }
}

/// The webhook.
#[derive(Clone, Debug)]
pub struct AuditWebhook {
    /// A kubeconfig file: its current context says where and as whom.
    pub kubeconfig: PathBuf,
    /// Whether requests wait.
    pub mode: AuditMode,
    /// Events in one call at most.
    pub batch_max: usize,
    /// How long events gather at most.
    pub batch_wait: Duration,
    /// Events that may wait.
    pub buffer: usize,
    /// The first pause after a failed call; each further one is half as long again.
    pub backoff: Duration,
    /// How often it is called in mode `batch`.
    pub throttle: Option<AuditThrottle>,
    /// Bounds of events and calls; none unless told.
    pub truncate: Option<AuditTruncate>,
}

impl AuditWebhook {
    /// A webhook with kube-apiserver's defaults.
    pub fn new(kubeconfig: impl Into<PathBuf>) -> AuditWebhook {
        AuditWebhook {
            kubeconfig: kubeconfig.into(),
            mode: AuditMode::Batch,
            batch_max: 400,
            batch_wait: Duration::from_secs(30),
            buffer: 10_000,
            backoff: Duration::from_secs(10),
            throttle: Some(AuditThrottle::default()),
            truncate: None,
        }
    }
}

/// Why auditing cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log file cannot be opened.
    #[error("cannot open the audit log `{}`: {source}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The webhook's kubeconfig cannot be used.
    #[error("the kubeconfig of the audit webhook `{}` cannot be used: {problem}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No thread to write with.
    #[error("cannot start the audit log: {0}")]
    Thread(std::io::Error),
}

/// An event as those who listen get it.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// What happened.
    pub event: Arc<Event>,
    /// Its JSON, as in the log.
    pub json: Bytes,
}

/// The events of this process from now on; none without a policy. One that reads too slowly misses some, and is told how many.
pub struct AuditEvents {
    receiver: broadcast::Receiver<AuditRecord>,
    /// Events missed so far.
    pub missed: u64,
}

impl AuditEvents {
    /// The next event; none when the server has stopped, or records nothing.
    pub async fn next(&mut self) -> Option<AuditRecord> {
        loop {
            match self.receiver.recv().await {
                Ok(record) => return Some(record),
                Err(broadcast::error::RecvError::Lagged(count)) => self.missed += count,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Figures of the audit log, named as upstream's.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    events: AtomicU64,
    /// Of the queue, the log, the webhook.
    errors: [AtomicU64; 3],
    levels: [AtomicU64; 4],
    rejected: AtomicU64,
}

/// Where events can be lost.
#[derive(Clone, Copy, Debug)]
enum Plugin {
    Buffered,
    Log,
    Webhook,
}

impl Counts {
    fn lost(&self, plugin: Plugin, events: usize) {
        self.errors[plugin as usize].fetch_add(events as u64, Ordering::Relaxed);
    }

    /// The figures in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        let read = |it: &AtomicU64| it.load(Ordering::Relaxed);
        let mut text = format!(
            "# TYPE apiserver_audit_event_total counter\napiserver_audit_event_total {}\n\
             # TYPE apiserver_audit_requests_rejected_total counter\napiserver_audit_requests_rejected_total {}\n\
             # TYPE apiserver_audit_error_total counter\n",
            read(&self.events),
            read(&self.rejected)
        );
        for (plugin, count) in ["buffered", "log", "webhook"].iter().zip(&self.errors) {
            text.push_str(&format!("apiserver_audit_error_total{{plugin=\"{plugin}\"}} {}\n", read(count)));
        }
        text.push_str("# TYPE apiserver_audit_level_total counter\n");
        for (level, count) in ["None", "Metadata", "Request", "RequestResponse"].iter().zip(&self.levels) {
            text.push_str(&format!("apiserver_audit_level_total{{level=\"{level}\"}} {}\n", read(count)));
        }
        text
    }
}

/// What requests report to.
pub(crate) struct Auditor {
    policy: Option<Policy>,
    queue: Option<Queue>,
    observer: Option<AuditObserver>,
    /// None without a policy; gone when the server has stopped, so that listeners end.
    tap: Mutex<Option<broadcast::Sender<AuditRecord>>>,
    pub(crate) counts: Arc<Counts>,
}

impl Auditor {
    /// Opens the log, reads the webhook's kubeconfig, starts the thread. Without a policy nothing is opened or recorded.
    ///
    /// # Errors
    /// A file that cannot be used; the error names it.
    pub(crate) fn start(options: &AuditOptions) -> Result<Auditor, AuditError> {
        let counts = Arc::new(Counts::default());
        // Without a policy there is nothing to tap, and its room would be most of what a small server takes.
        let tap = options.policy.is_some().then(|| broadcast::channel(TAP).0);
        let queue = match &tap {
            None => None,
            Some(tap) => Some(Queue::start(options, tap.clone(), Arc::clone(&counts))?),
        };
        let (policy, observer) = (options.policy.clone(), options.observer.clone());
        Ok(Auditor { policy, queue, observer, tap: Mutex::new(tap), counts })
    }

    /// Whether anybody hears of requests at all.
    pub(crate) fn is_on(&self) -> bool {
        self.queue.is_some() || self.observer.as_ref().is_some_and(|it| (it.wants)())
    }

    /// What the observer hears of a request.
    fn observed(
        &self,
        user: Option<&kanon_core::UserInfo>,
        attributes: &kanon_apimachinery::rbac::Attributes,
    ) -> Decision {
        let observer = self.observer.as_ref().filter(|it| (it.wants)());
        observer.map_or_else(Decision::default, |it| it.policy.decide(user, attributes))
    }

    /// The events from now on.
    pub(crate) fn listen(&self) -> AuditEvents {
        let tap = self.tap.lock().unwrap_or_else(PoisonError::into_inner);
        // After the end there is nothing to hear.
        let receiver = tap.as_ref().map_or_else(|| broadcast::channel(1).1, broadcast::Sender::subscribe);
        AuditEvents { receiver, missed: 0 }
    }

    /// Writes out what waits, and ends.
    pub(crate) async fn close(&self) {
        self.tap.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(queue) = &self.queue {
            queue.close().await;
        }
    }

    fn decide(
        &self,
        user: Option<&kanon_core::UserInfo>,
        attributes: &kanon_apimachinery::rbac::Attributes,
    ) -> Decision {
        let decision = self.policy.as_ref().map_or_else(Decision::default, |it| it.decide(user, attributes));
        if self.policy.is_some() {
            let at = [Level::None, Level::Metadata, Level::Request, Level::RequestResponse]
                .iter()
                .position(|it| *it == decision.level);
            if let Some(count) = at.and_then(|at| self.counts.levels.get(at)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        decision
    }
}
