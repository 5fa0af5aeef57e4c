//! Where effects go: to the sinks, which never hold anybody up, or to the API server.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use kanon_core::{Effect, Figures};
use kanon_net::CancellationToken;
use kanon_rules::{AlertScope, ReportApi, Responses};
use kanon_runtime::Intake;
use kanon_sinks::{Alertmanager, LogWriter, Receivers, Sinks};
use tokio::{sync::mpsc, task::JoinSet};

/// What is done about violations, and who hears of them.
pub(crate) struct SinkOptions {
    /// Who is alerted.
    pub(crate) alertmanager: Option<Alertmanager>,
    /// About what.
    pub(crate) scope: AlertScope,
    /// Where lines of the violation log go.
    pub(crate) log: Option<LogWriter>,
    /// Folder with templates of alerts.
    pub(crate) templates: Option<PathBuf>,
    /// Labels that every alert has besides the documented ones.
    pub(crate) labels: BTreeMap<String, String>,
    /// Receivers that rules may name.
    pub(crate) receivers: Option<Receivers>,
    /// Their names.
    pub(crate) hooks: BTreeSet<String>,
    /// Actions that run only where this says so.
    pub(crate) allowed: BTreeSet<String>,
    /// Which reports are written.
    pub(crate) reports: Vec<ReportApi>,
    /// Say what actions would do, and do nothing.
    pub(crate) dry_run: bool,
    /// Where the process counts.
    pub(crate) figures: Arc<Figures>,
}

impl SinkOptions {
    /// What the rules family is told of it.
    pub(crate) fn responses(&self, namespace: &str, leads: bool) -> Responses {
        Responses {
            figures: Arc::clone(&self.figures),
            alerts: self.alertmanager.is_some().then_some(self.scope),
            alert_labels: self.labels.clone(),
            hooks: self.hooks.clone(),
            allowed: Some(self.allowed.clone()),
            namespace: namespace.to_owned(),
            reports: self.reports.clone(),
            log: self.log.is_some(),
            dry_run: self.dry_run,
            leads,
            ..Responses::default()
        }
    }
}

/// Starts the sinks, which end after the effects; gives those that are not for them.
pub(super) fn split(
    tasks: &mut JoinSet<()>,
    options: &mut SinkOptions,
    mut effects: mpsc::Receiver<Effect>,
    intake: &Intake,
) -> mpsc::Receiver<Effect> {
    let (alertmanager, receivers, log) = (options.alertmanager.take(), options.receivers.take(), options.log.take());
    let last = CancellationToken::new();
    let (mut sinks, posting) =
        Sinks::new(alertmanager, receivers, log, Arc::clone(&options.figures), intake.sender(), last.clone());
    tasks.spawn(posting);
    let (others, queue) = mpsc::channel(super::EFFECTS_MAX);
    tasks.spawn(async move {
        // What was taken is posted after the last of them has come.
        let _end = last.drop_guard();
        while let Some(effect) = effects.recv().await {
            if let Some(effect) = sinks.take(effect) {
                let _ = others.send(effect).await;
            }
        }
    });
    queue
}
