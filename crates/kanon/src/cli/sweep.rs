//! How fast everything is looked at when the audit begins.

use clap::Args;
use kanon_core::Rate;

use crate::families::Audit;

/// The first look.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Audit of stored objects")]
pub(crate) struct SweepArgs {
    /// Objects that are looked at when this process begins to lead, after ten times as many at once; `none` sets no bound. What
    /// changes, and what a new rule asks for, does not wait for it
    #[arg(long, value_name = "COUNT/UNIT", default_value = "20000/s", value_parser = rate)]
    sweep_rate: SweepRate,
}

/// A rate, or no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SweepRate(Option<Rate>);

impl SweepArgs {
    /// The loop's settings with this bound.
    pub(crate) fn shaping(self, audit: Audit) -> Audit {
        Audit { sweep: self.sweep_rate.0, ..audit }
    }
}

fn rate(text: &str) -> Result<SweepRate, kanon_core::ParseRateError> {
    if text == "none" {
        return Ok(SweepRate(None));
    }
    text.parse().map(|it| SweepRate(Some(it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_or_none() {
        assert_eq!(rate("none"), Ok(SweepRate(None)));
        assert_eq!(rate("500/s").unwrap().0.unwrap().count(), 500);
        assert!(rate("0/s").is_err() && rate("").is_err());
    }
}
