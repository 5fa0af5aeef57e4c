//! Flags of the runtime loop (spec/rules 7, 10).

use std::path::PathBuf;

use clap::Args;
use kanon_events::{PassedOver, Pattern};

use crate::{
    commands::serve::address,
    control::{Listen, RuntimeOptions},
    exit::Failure,
};

/// What happens to running workloads.
#[derive(Debug, Args)]
#[command(next_help_heading = "Events of running workloads")]
pub(crate) struct RuntimeArgs {
    /// Ask rules of mode `runtime` about exec, attach, port-forward, reading of secrets and the like
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, value_parser = super::switch, action = clap::ArgAction::Set)]
    pub(crate) runtime: bool,
    /// Address that takes audit events at `/audit`, over TLS [default when given without a value: 0.0.0.0:8444]
    #[arg(long, value_name = "ADDRESS", requires = "runtime", num_args = 0..=1, default_missing_value = "0.0.0.0:8444")]
    pub(crate) audit_listen: Option<String>,
    /// File with the bearer token of whoever may post audit events
    #[arg(long, value_name = "FILE", requires = "audit_listen")]
    pub(crate) audit_token_file: Option<PathBuf>,
    /// File with authorities (PEM); whoever has a client certificate of theirs may post audit events
    #[arg(long, value_name = "FILE", requires = "audit_listen")]
    pub(crate) audit_client_ca: Option<PathBuf>,
    /// Log of audit events to follow, one event a line, as kube-apiserver writes it
    #[arg(long, value_name = "FILE", requires = "runtime")]
    pub(crate) audit_log_file: Option<PathBuf>,
    /// User whose events are passed over, or the beginning of the name and `*`; repeatable
    #[arg(long, value_name = "USER", default_values = PassedOver::COMPONENTS)]
    pub(crate) runtime_ignore_user: Vec<Pattern>,
}

impl RuntimeArgs {
    /// The flags, checked; none when the loop does not run. `place` is the file that remembers how far the log was read.
    pub(crate) fn options(&self, place: Option<PathBuf>) -> Result<Option<RuntimeOptions>, Failure> {
        if !self.runtime {
            return Ok(None);
        }
        if self.audit_log_file.is_some() && place.is_none() {
            return Err(Failure::usage("--audit-log-file needs --data-dir: how far it was read is kept there"));
        }
        Ok(Some(RuntimeOptions {
            listen: self.listen()?,
            log_file: self.audit_log_file.clone(),
            place: place.unwrap_or_default(),
            ignored: self.runtime_ignore_user.clone(),
            own_server: None,
        }))
    }

    fn listen(&self) -> Result<Option<Listen>, Failure> {
        let Some(listen) = &self.audit_listen else { return Ok(None) };
        if self.audit_token_file.is_none() && self.audit_client_ca.is_none() {
            return Err(Failure::usage(
                "--audit-listen: whoever posts events can have actions run: name --audit-token-file or --audit-client-ca",
            ));
        }
        let read = |path: &PathBuf| {
            let failed = |error| format!("--audit-client-ca: failed to read `{}`: {error}", path.display());
            std::fs::read_to_string(path).map_err(|error| Failure::new(failed(error)))
        };
        Ok(Some(Listen {
            address: address("--audit-listen", listen)?,
            token_file: self.audit_token_file.clone(),
            client_ca: self.audit_client_ca.as_ref().map(read).transpose()?,
        }))
    }
}
