//! Flags of what follows from violations: actions and sinks.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use kanon_rules::{AlertScope, ReportApi, Responses};
use kanon_sinks::{Alertmanager, LogWriter, Receivers};

use crate::{control::SinkOptions, exit::Failure};

/// What is done about violations, and who hears of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Actions and sinks")]
pub(crate) struct SinkArgs {
    /// Alertmanager's API, such as http://HOST:9093/api/v2/alerts; USER:PASSWORD@ before the host is basic authentication
    #[arg(long, value_name = "URL", env = "KANON_ALERTMANAGER_URL", hide_env_values = true)]
    pub(crate) alertmanager_url: Option<String>,
    /// Authorities, PEM, that Alertmanager's certificate is checked against [default: the system's]
    #[arg(long, value_name = "FILE", requires = "alertmanager_url")]
    pub(crate) alertmanager_ca: Option<PathBuf>,
    /// Which violations are alerted about: those of rules with `alert` or an `alertmanager` action, or all
    #[arg(long, value_enum, default_value_t = Scope::Rules)]
    pub(crate) alertmanager_scope: Scope,
    /// File of JSON lines, one a violation; `-` is standard output [default: none for `up`, `-` for `serve`]
    #[arg(long, value_name = "FILE")]
    pub(crate) violations_log: Option<PathBuf>,
    /// Write policy reports of what violates the rules
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        value_parser = super::switch, action = clap::ArgAction::Set)]
    pub(crate) policy_report: bool,
    /// Whether actions run, or only say in the log what they would do
    #[arg(long, value_enum, default_value_t = Actions::Run)]
    pub(crate) actions: Actions,
    #[command(flatten)]
    pub(crate) further: FurtherArgs,
}

/// What an administrator allows or adds.
#[derive(Debug, Args)]
#[command(next_help_heading = "Actions and sinks")]
pub(crate) struct FurtherArgs {
    /// Label that every alert has besides the documented ones; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) alertmanager_label: Vec<(String, String)>,
    /// Folder with templates of alerts, one a file, besides the ConfigMap `alert-templates`; read again when it changes
    #[arg(long, value_name = "DIR")]
    pub(crate) alert_templates: Option<PathBuf>,
    /// API that policy reports are written in
    #[arg(long, value_enum, default_value_t = Apis::Wgpolicyk8s)]
    pub(crate) reports_api: Apis,
    /// Action that rules may have done only where this says so; repeatable
    #[arg(long, value_name = "ACTION", value_parser = ["cordon", "quarantine", "recreate-sa", "scale"])]
    pub(crate) allow_action: Vec<String>,
    /// Receiver that rules may name in a `webhook` action; repeatable
    #[arg(long, value_name = "NAME=URL", value_parser = pair, requires = "action_webhook_secret")]
    pub(crate) action_webhook: Vec<(String, String)>,
    /// File with the secret that documents for receivers are signed with
    #[arg(long, value_name = "FILE", requires = "action_webhook")]
    pub(crate) action_webhook_secret: Option<PathBuf>,
    /// Authorities, PEM, that receivers' certificates are checked against [default: the system's]
    #[arg(long, value_name = "FILE", requires = "action_webhook")]
    pub(crate) action_webhook_ca: Option<PathBuf>,
}

/// The APIs for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Apis {
    /// PolicyReport and ClusterPolicyReport
    Wgpolicyk8s,
    /// Report and ClusterReport
    Openreports,
    /// All four
    Both,
}

impl FurtherArgs {
    fn receivers(&self) -> Result<Option<Receivers>, Failure> {
        let Some(file) = &self.action_webhook_secret else { return Ok(None) };
        let secret = std::fs::read(file).map_err(|error| {
            Failure::new(format!("--action-webhook-secret: failed to read `{}`: {error}", file.display()))
        })?;
        // A line's end is not part of a secret that somebody typed.
        let secret = secret.trim_ascii_end();
        if secret.is_empty() {
            return Err(Failure::new(format!("--action-webhook-secret: `{}` is empty", file.display())));
        }
        let ca = self.action_webhook_ca.as_ref().map(|it| read("--action-webhook-ca", it)).transpose()?;
        let urls = self.action_webhook.iter().cloned().collect();
        let receivers = Receivers::new(&urls, secret, ca);
        Ok(Some(receivers.map_err(|error| Failure::usage(format!("--action-webhook: {error}")))?))
    }

    fn report_apis(&self) -> Vec<ReportApi> {
        match self.reports_api {
            Apis::Wgpolicyk8s => vec![ReportApi::WgPolicy],
            Apis::Openreports => vec![ReportApi::OpenReports],
            Apis::Both => vec![ReportApi::WgPolicy, ReportApi::OpenReports],
        }
    }
}

/// `NAME=VALUE`
fn pair(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|it| !it.0.is_empty());
    let (name, value) = parts.ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn read(flag: &str, path: &Path) -> Result<String, Failure> {
    let read = std::fs::read_to_string(path);
    read.map_err(|error| Failure::new(format!("{flag}: failed to read `{}`: {error}", path.display())))
}

/// Which violations are alerted about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// Those of rules that ask for it
    Rules,
    /// All
    All,
}

/// Whether actions run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Actions {
    /// They run
    Run,
    /// They say what they would do
    DryRun,
}

impl SinkArgs {
    /// Whether an action may run whose effects are not in the namespace of what violated a rule.
    pub(crate) fn may_cordon(&self) -> bool {
        self.further.allow_action.iter().any(|it| it == "cordon")
    }

    /// What the rules may have done and written, for whoever runs nothing: no file is opened.
    pub(crate) fn possible(&self, namespace: &str) -> Responses {
        Responses {
            alerts: Some(AlertScope::Rules),
            hooks: self.hooks(),
            allowed: Some(self.allowed()),
            namespace: namespace.to_owned(),
            reports: self.reports(),
            dry_run: self.actions == Actions::DryRun,
            ..Responses::default()
        }
    }

    fn hooks(&self) -> BTreeSet<String> {
        self.further.action_webhook.iter().map(|it| it.0.clone()).collect()
    }

    fn allowed(&self) -> BTreeSet<String> {
        self.further.allow_action.iter().cloned().collect()
    }

    fn reports(&self) -> Vec<ReportApi> {
        if self.policy_report { self.further.report_apis() } else { Vec::new() }
    }

    /// The flags, checked; `log` is where the violation log goes when they do not say.
    pub(crate) fn options(&self, log: Option<&str>) -> Result<SinkOptions, Failure> {
        let ca = self.alertmanager_ca.as_ref().map(|it| read("--alertmanager-ca", it)).transpose()?;
        let url = self.alertmanager_url.as_deref().filter(|it| !it.is_empty());
        let alertmanager = url.map(|url| Alertmanager::new(url, ca)).transpose();
        let log = self.violations_log.as_deref().or(log.map(Path::new)).map(writer).transpose()?;
        Ok(SinkOptions {
            alertmanager: alertmanager.map_err(|error| Failure::usage(format!("--alertmanager-url: {error}")))?,
            scope: match self.alertmanager_scope {
                Scope::Rules => AlertScope::Rules,
                Scope::All => AlertScope::All,
            },
            log,
            templates: self.further.alert_templates.clone(),
            labels: self.further.alertmanager_label.iter().cloned().collect::<BTreeMap<_, _>>(),
            receivers: self.further.receivers()?,
            hooks: self.hooks(),
            allowed: self.allowed(),
            reports: self.reports(),
            dry_run: self.actions == Actions::DryRun,
            figures: Arc::default(),
        })
    }
}

/// A file that is added to, or standard output.
fn writer(path: &Path) -> Result<LogWriter, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdout()));
    }
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let file =
        file.map_err(|error| Failure::new(format!("--violations-log: failed to open `{}`: {error}", path.display())))?;
    Ok(Box::new(file))
}
