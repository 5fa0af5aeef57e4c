//! Bounds of the API server, named as kube-apiserver's where it has them.

use std::time::Duration;

use clap::Args;

/// How much may be asked at a time, and how long history and events are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Reading requests at work at a time, but for watches; others wait
    #[arg(long, value_name = "COUNT", default_value_t = 400)]
    pub(crate) max_requests_inflight: usize,
    /// Writing requests at work at a time; others wait
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    pub(crate) max_mutating_requests_inflight: usize,
    /// How long history is kept for watches that resume, such as `10m`
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = super::duration)]
    pub(crate) history_age: Duration,
    /// How long events are kept after they were written last, such as `1h`; `0s` keeps them for ever
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = super::duration)]
    pub(crate) event_ttl: Duration,
}
