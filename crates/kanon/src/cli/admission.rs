//! Flags of admission.

use std::time::Duration;

use clap::{Args, ValueEnum};
use kanon_rules::EnforcementSwitch;

/// How requests are decided.
#[derive(Debug, Args)]
#[command(next_help_heading = "Admission")]
pub(crate) struct AdmissionArgs {
    /// What becomes of denials and warnings of rules: what the rules say, warnings only, or records only
    #[arg(long, value_enum, default_value_t = Enforcement::On)]
    enforcement: Enforcement,
    /// Share of requests, in percent, beyond which a rule that refuses them only warns until it is edited; at least 100
    /// requests in 5 minutes [default: rules may refuse all]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..100))]
    pub(crate) deny_breaker: Option<u8>,
}

/// How the process ends.
#[derive(Debug, Args)]
#[command(next_help_heading = "Admission")]
pub(crate) struct ShutdownArgs {
    /// How long requests are still answered after the probe says that the process ends
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = super::duration)]
    pub(crate) shutdown_delay: Duration,
}

/// `--enforcement`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Enforcement {
    /// What the rules say
    On,
    /// Denials are warnings
    Warn,
    /// Violations are only recorded
    Off,
}

impl AdmissionArgs {
    /// The switch over all of admission.
    pub(crate) fn switch(&self) -> EnforcementSwitch {
        match self.enforcement {
            Enforcement::On => EnforcementSwitch::On,
            Enforcement::Warn => EnforcementSwitch::Warn,
            Enforcement::Off => EnforcementSwitch::Off,
        }
    }
}
