//! Flags of what follows from violations: actions and sinks.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use kanon_rules::AlertScope;
use kanon_sinks::{Alertmanager, LogWriter};

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
    /// The flags, checked; `log` is where the violation log goes when they do not say.
    pub(crate) fn options(&self, log: Option<&str>) -> Result<SinkOptions, Failure> {
        let read = |path: &PathBuf| {
            let read = std::fs::read_to_string(path);
            read.map_err(|error| {
                Failure::new(format!("--alertmanager-ca: failed to read `{}`: {error}", path.display()))
            })
        };
        let ca = self.alertmanager_ca.as_ref().map(read).transpose()?;
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
            reports: self.policy_report,
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
