//! The flag that spreads the audit over replicas.

use clap::Args;
use kanon_core::Shards;

/// How the audit is spread.
#[derive(Debug, Args)]
#[command(next_help_heading = "Audit of stored objects")]
pub(crate) struct ShardArgs {
    /// Shards that the audit's namespaces are spread over, each held by one replica at a time; the same for all replicas
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(Shards::MAX)))]
    pub(crate) audit_shards: u32,
}
