//! Whether rules are timed (spec/rules 9.3).

use std::num::NonZeroU64;

use clap::Args;

/// What rules cost.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Time that rules take")]
pub(crate) struct TimingArgs {
    /// Time every rule by itself, once more after one question in so many of each loop, and show it as `portal_rule_eval_seconds`
    /// [default when given without a value: 100]
    #[arg(long, value_name = "COUNT", num_args = 0..=1, require_equals = true, default_missing_value = "100", value_parser = count)]
    pub(crate) time_rules: Option<NonZeroU64>,
}

fn count(text: &str) -> Result<NonZeroU64, String> {
    text.parse().map_err(|_| "write a whole number of questions, 1 or more".to_owned())
}
