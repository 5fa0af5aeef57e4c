//! Flags about rules that are being stored.

use clap::{Args, ValueEnum};
use kanon_rules::{VetSettings, Vetting};

/// How rules are looked at when they are stored.
#[derive(Debug, Args)]
#[command(next_help_heading = "Admission")]
pub(crate) struct VetArgs {
    /// What becomes of a rule that is stored and broken: nothing but its status, a warning to its author, or a denial; with
    /// `warn` and `deny` authors are also warned of what is hardly meant
    #[arg(long, value_enum, default_value_t = Validate::Off)]
    validate_rules: Validate,
    /// Refuse rules whose authors may not do themselves what the rules' actions do
    #[arg(long)]
    author_check: bool,
}

/// `--validate-rules`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Validate {
    /// Status only
    Off,
    /// Warnings
    Warn,
    /// Denials
    Deny,
}

impl VetArgs {
    /// What they say.
    pub(crate) fn settings(&self) -> VetSettings {
        let vetting = match self.validate_rules {
            Validate::Off => Vetting::Off,
            Validate::Warn => Vetting::Warn,
            Validate::Deny => Vetting::Deny,
        };
        VetSettings { vetting, authors: self.author_check }
    }
}
