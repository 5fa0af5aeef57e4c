//! Flags of admission.

use clap::{Args, ValueEnum};
use kanon_rules::EnforcementSwitch;

/// How requests are decided.
#[derive(Debug, Args)]
#[command(next_help_heading = "Admission")]
pub(crate) struct AdmissionArgs {
    /// What becomes of denials and warnings of rules: what the rules say, warnings only, or records only
    #[arg(long, value_enum, default_value_t = Enforcement::On)]
    enforcement: Enforcement,
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
