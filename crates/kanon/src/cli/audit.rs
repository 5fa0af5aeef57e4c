//! Flags of the audit log, named as kube-apiserver's.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Args, ValueEnum};
use kanon_apiserver::AuditMode;

/// What is recorded of requests, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Audit log")]
pub(crate) struct AuditArgs {
    /// What is recorded: a Policy of audit.k8s.io/v1; nothing without one
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_policy_file: Option<PathBuf>,
    /// File of JSON lines; `-` is standard output
    #[arg(long, value_name = "FILE", requires = "audit_policy_file")]
    pub(crate) audit_log_path: Option<PathBuf>,
    /// Whether requests wait for their events: a full queue drops and counts them in mode `batch`
    #[arg(long, value_enum, default_value_t = Mode::Batch)]
    pub(crate) audit_log_mode: Mode,
    /// Megabytes after which the file is put aside; 0 means 100
    #[arg(long, value_name = "MB", default_value_t = 0)]
    pub(crate) audit_log_maxsize: u64,
    /// Files put aside that are kept; 0 keeps all
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) audit_log_maxbackup: usize,
    /// Days that files put aside are kept; 0 keeps them for ever
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    pub(crate) audit_log_maxage: u64,
    /// Events beyond `--audit-log-truncate-max-event-size` go without bodies
    #[arg(long)]
    pub(crate) audit_log_truncate_enabled: bool,
    /// Bytes of an event
    #[arg(long, value_name = "BYTES", default_value_t = 102_400)]
    pub(crate) audit_log_truncate_max_event_size: usize,
    /// Kubeconfig of a webhook that is sent the events
    #[arg(long, value_name = "FILE", requires = "audit_policy_file")]
    pub(crate) audit_webhook_config_file: Option<PathBuf>,
    /// Whether requests wait for the webhook
    #[arg(long, value_enum, default_value_t = Mode::Batch)]
    pub(crate) audit_webhook_mode: Mode,
    /// Events in one call to the webhook at most
    #[arg(long, value_name = "COUNT", default_value_t = 400)]
    pub(crate) audit_webhook_batch_max_size: usize,
    /// How long events gather at most, such as `30s`
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::duration)]
    pub(crate) audit_webhook_batch_max_wait: Duration,
    /// Events that may wait for the webhook
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub(crate) audit_webhook_batch_buffer_size: usize,
    /// Whether calls of mode `batch` are limited
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub(crate) audit_webhook_batch_throttle_enable: bool,
    /// Calls a second
    #[arg(long, value_name = "RATE", default_value_t = 10.0)]
    pub(crate) audit_webhook_batch_throttle_qps: f32,
    /// Calls at once after a pause
    #[arg(long, value_name = "COUNT", default_value_t = 15)]
    pub(crate) audit_webhook_batch_throttle_burst: u32,
    /// Events beyond `--audit-webhook-truncate-max-event-size` go without bodies, and calls hold no more than
    /// `--audit-webhook-truncate-max-batch-size`
    #[arg(long)]
    pub(crate) audit_webhook_truncate_enabled: bool,
    /// Bytes of an event
    #[arg(long, value_name = "BYTES", default_value_t = 102_400)]
    pub(crate) audit_webhook_truncate_max_event_size: usize,
    /// Bytes of the events of one call
    #[arg(long, value_name = "BYTES", default_value_t = 10_485_760)]
    pub(crate) audit_webhook_truncate_max_batch_size: usize,
    /// The first pause after a failed call
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = super::duration)]
    pub(crate) audit_webhook_initial_backoff: Duration,
}

/// Whether requests wait for their events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// They do not
    Batch,
    /// They wait
    Blocking,
    /// They wait, and are refused when their beginning cannot be recorded
    BlockingStrict,
}

impl From<Mode> for AuditMode {
    fn from(mode: Mode) -> AuditMode {
        match mode {
            Mode::Batch => AuditMode::Batch,
            Mode::Blocking => AuditMode::Blocking,
            Mode::BlockingStrict => AuditMode::BlockingStrict,
        }
    }
}
