//! Flags of the process as a client of the API server, named as those of Kubernetes' own components.

use std::num::NonZeroU32;

use clap::Args;
use kanon_core::Rate;
use kanon_kube::Budget;

/// How much the API server is asked.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "API server")]
pub(crate) struct ClientArgs {
    /// Calls of the API server a second; watches do not count, the lease and what admission requests wait for never wait. 0 sets
    /// no bound
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    kube_api_qps: u32,
    /// Calls at once after a pause
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    kube_api_burst: u32,
}

impl ClientArgs {
    /// The budget, if there is to be one.
    pub(crate) fn budget(self) -> Option<Budget> {
        let rate = Rate::per_second(NonZeroU32::new(self.kube_api_qps)?);
        Some(Budget::new(rate, self.kube_api_burst))
    }
}
