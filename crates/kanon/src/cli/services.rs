//! Where the API server takes the numbers of services from, named as kube-apiserver's flags.

use clap::Args;
use kanon_apiserver::{AddressRanges, NodePorts};

/// Addresses and node ports of services.
#[derive(Debug, Args)]
#[command(next_help_heading = "Services")]
pub(crate) struct ServiceArgs {
    /// Cluster addresses of services: a range, or one of each family of which the first is the default, such as
    /// `10.96.0.0/12,fd00:10:96::/108`
    #[arg(long, value_name = "RANGES", default_value_t)]
    pub(crate) service_cluster_ip_range: AddressRanges,
    /// Node ports of services
    #[arg(long, value_name = "RANGE", default_value_t)]
    pub(crate) service_node_port_range: NodePorts,
}
