//! Receivers outside of Kubernetes: [`Alertmanager`] over HTTP(S), [`Receivers`] that rules name, and the log of violations.
//!
//! Effects for them are taken by [`Sinks::take`], which never waits: a receiver that is slow or dead holds nothing up. What
//! waits for Alertmanager waits in a bounded queue, the newest word about each alert; what does not fit is counted.
//!
//! It knows no policy family: documents come ready made.
#![allow(
    clippy::disallowed_methods,
    reason = "a shell: it sleeps between attempts and starts tasks for the pure middle"
)]

mod alertmanager;
mod queue;
mod webhook;

use std::{io::Write, sync::Arc};

use kanon_core::{
    Action, Delivery, Done, Effect, EffectId, Failure, FamilyId, Figure, FigureKind, Figures, Input, ObjectRef, Sink,
};
use kanon_net::CancellationToken;
use tokio::sync::{Notify, mpsc};

pub use alertmanager::{Alertmanager, ConfigError};
use queue::Queue;
pub use webhook::Receivers;
use webhook::WEBHOOK;

/// Attempts that failed, by sink (spec/rules 9.3).
const ERRORS: Figure = Figure {
    name: "portal_sink_errors_total",
    kind: FigureKind::Counter,
    help: "Attempts to reach a sink that failed",
    labels: &["sink"],
};
/// What waits.
const DEPTH: Figure =
    Figure { name: "portal_queue_depth", kind: FigureKind::Gauge, help: "What waits in a queue", labels: &["queue"] };
/// What was dropped because its queue was full.
const SPILLED: Figure = Figure {
    name: "kanon_sink_spilled_total",
    kind: FigureKind::Counter,
    help: "Documents that were dropped because the queue of their sink was full",
    labels: &["sink"],
};
const ALERTMANAGER: &str = "alertmanager";
const LOG: &str = "log";

/// Where the lines of the violation log go.
pub type LogWriter = Box<dyn Write + Send>;

/// The sinks of a process.
pub struct Sinks {
    alerts: Option<Arc<Alerts>>,
    receivers: Option<Receivers>,
    log: Option<LogWriter>,
    figures: Arc<Figures>,
    inputs: mpsc::Sender<Input>,
}

/// What waits for Alertmanager, and who is to be told.
pub(crate) struct Alerts {
    pub(crate) queue: Queue,
    pub(crate) news: Notify,
    pub(crate) figures: Arc<Figures>,
    pub(crate) inputs: mpsc::Sender<Input>,
}

impl Sinks {
    /// Sinks that report ends through `inputs`, and the future that does the posting until `stop`: one last try, then it ends.
    pub fn new(
        alertmanager: Option<Alertmanager>,
        receivers: Option<Receivers>,
        log: Option<LogWriter>,
        figures: Arc<Figures>,
        inputs: mpsc::Sender<Input>,
        stop: CancellationToken,
    ) -> (Sinks, impl Future<Output = ()> + Send + 'static) {
        let alerts = alertmanager.as_ref().map(|_| {
            let (figures, inputs) = (Arc::clone(&figures), inputs.clone());
            Arc::new(Alerts { queue: Queue::default(), news: Notify::new(), figures, inputs })
        });
        // Known from the start, so that dashboards tell 0 from nothing.
        for sink in alertmanager.iter().map(|_| ALERTMANAGER).chain(log.iter().map(|_| LOG)) {
            figures.add(ERRORS, &[sink], 0);
            figures.add(SPILLED, &[sink], 0);
        }
        if receivers.is_some() {
            figures.add(ERRORS, &[WEBHOOK], 0);
        }
        let posting = alertmanager.zip(alerts.clone());
        let run = async move {
            if let Some((alertmanager, alerts)) = posting {
                alertmanager.post_all(&alerts, stop).await;
            }
        };
        (Sinks { alerts, receivers, log, figures, inputs }, run)
    }

    /// Takes an effect if it is for a sink; gives others back. Never waits.
    pub fn take(&mut self, effect: Effect) -> Option<Effect> {
        let Action::Send { sink, body } = &effect.action else { return Some(effect) };
        match sink {
            Sink::Log => {
                if let Some(log) = &mut self.log
                    && writeln!(log, "{body}").and_then(|()| log.flush()).is_err()
                {
                    self.figures.add(ERRORS, &[LOG], 1);
                }
            }
            Sink::Webhook => match &self.receivers {
                Some(receivers) => receivers.send(&effect, body, &self.figures, &self.inputs),
                None => {
                    if let Some(pending) = Pending::of(&effect) {
                        tell(&self.inputs, pending, Err("no receiver is configured"));
                    }
                }
            },
            Sink::Alertmanager => match &self.alerts {
                Some(alerts) => {
                    for lost in alerts.queue.push(&effect, body) {
                        self.figures.add(SPILLED, &[ALERTMANAGER], 1);
                        for pending in lost.pending {
                            tell(&self.inputs, pending, Err("the queue of Alertmanager's alerts is full"));
                        }
                    }
                    self.figures.set(DEPTH, &[ALERTMANAGER], alerts.queue.len());
                    alerts.news.notify_one();
                }
                None => {
                    if let Some(pending) = Pending::of(&effect) {
                        tell(&self.inputs, pending, Err("no Alertmanager is configured"));
                    }
                }
            },
        }
        None
    }
}

/// An effect whose end is to be told.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    effect: EffectId,
    family: FamilyId,
    subject: ObjectRef,
}

impl Pending {
    /// Repeats need no answer.
    pub(crate) fn of(effect: &Effect) -> Option<Pending> {
        let Effect { id, family, subject, echo, .. } = effect;
        (!echo).then(|| Pending { effect: id.clone(), family: *family, subject: subject.clone() })
    }
}

/// Tells the end of an effect. Where the loop cannot take it now, a task waits.
pub(crate) fn tell(inputs: &mpsc::Sender<Input>, pending: Pending, result: Result<(), &str>) {
    let result = match result {
        Ok(()) => Ok(Done::Done),
        Err(message) => Err(Failure::given_up(message)),
    };
    tell_end(inputs, pending, result);
}

/// The same for an end that says more.
pub(crate) fn tell_end(inputs: &mpsc::Sender<Input>, pending: Pending, result: Result<Done, Failure>) {
    let Pending { effect, family, subject } = pending;
    let input = Input::Delivered(Delivery { effect, family, subject, result });
    if let Err(mpsc::error::TrySendError::Full(input)) = inputs.try_send(input) {
        let inputs = inputs.clone();
        tokio::spawn(async move { inputs.send(input).await });
    }
}
