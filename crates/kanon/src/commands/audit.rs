//! From the flags of the audit log to what the server is started with.

use std::{path::Path, time::Duration};

use kanon_apiserver::{AuditLog, AuditOptions, AuditThrottle, AuditTruncate, AuditWebhook};

use crate::{cli::AuditArgs, exit::Failure};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads the policy; the files of log and webhook are opened by the server.
pub(crate) fn options(args: &AuditArgs) -> Result<AuditOptions, Failure> {
    let policy = args.audit_policy_file.as_deref().map(policy).transpose()?;
    let log = args.audit_log_path.as_ref().map(|path| {
        let log = AuditLog::new(path);
        AuditLog {
            mode: args.audit_log_mode.into(),
            size_max: match args.audit_log_maxsize {
                0 => log.size_max,
                megabytes => megabytes.saturating_mul(1 << 20),
            },
            backups_max: args.audit_log_maxbackup,
            age_max: u32::try_from(args.audit_log_maxage).ok().filter(|it| *it > 0).map(|days| DAY * days),
            truncate: args.audit_log_truncate_enabled.then(|| AuditTruncate {
                event_max: args.audit_log_truncate_max_event_size,
                ..AuditTruncate::default()
            }),
            ..log
        }
    });
    let webhook = args.audit_webhook_config_file.as_ref().map(|path| AuditWebhook {
        mode: args.audit_webhook_mode.into(),
        batch_max: args.audit_webhook_batch_max_size.max(1),
        batch_wait: args.audit_webhook_batch_max_wait,
        buffer: args.audit_webhook_batch_buffer_size,
        backoff: args.audit_webhook_initial_backoff,
        throttle: args.audit_webhook_batch_throttle_enable.then_some(AuditThrottle {
            rate: args.audit_webhook_batch_throttle_qps,
            burst: args.audit_webhook_batch_throttle_burst,
        }),
        truncate: args.audit_webhook_truncate_enabled.then_some(AuditTruncate {
            event_max: args.audit_webhook_truncate_max_event_size,
            batch_max: args.audit_webhook_truncate_max_batch_size,
        }),
        ..AuditWebhook::new(path)
    });
    Ok(AuditOptions { policy, log, webhook, observer: None })
}

fn policy(path: &Path) -> Result<kanon_apiserver::AuditPolicy, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("failed to read `{}`: {error}", path.display())))?;
    kanon_apiserver::AuditPolicy::parse(&text).map_err(|error| Failure::new(format!("`{}`: {error}", path.display())))
}
