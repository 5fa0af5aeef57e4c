//! What a server is started with.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use kanon_apimachinery::services::{AddressRanges, NodePorts};
use kanon_core::UserInfo;
use kanon_lang::Language;
use kanon_net::{Authority, Leaf, Limits, Resolve};

use crate::{audit::AuditOptions, core::Clock, inflight::RequestLimits, storage::Place};

/// What a server is started with.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 means any.
    pub listen: SocketAddr,
    /// Where objects are kept.
    pub place: Place,
    /// Bounds of the store.
    pub store: kanon_store::Options,
    /// Issues the server's and the administrator's certificates, and verifies those of clients.
    pub authority: Arc<Authority>,
    /// More names under which the server is reached, besides loopback and `kubernetes.default.svc`.
    pub names: Vec<String>,
    /// CEL, for validation rules and match conditions.
    pub cel: Arc<dyn Language>,
    /// The clock.
    pub clock: Clock,
    /// Bearer tokens and whose they are.
    pub tokens: BTreeMap<String, UserInfo>,
    /// Finds webhooks given as a service (`<service>.<namespace>.svc` and its port), before DNS.
    pub services: Option<Resolve>,
    /// Bounds of the listener.
    pub limits: Limits,
    /// Bounds of requests.
    pub requests: RequestLimits,
    /// What is recorded of requests, and where.
    pub audit: AuditOptions,
    /// How long history is kept for watches that resume and lists that continue, however little there is of it.
    pub history_age: Duration,
    /// How long events are kept after they were written last; zero keeps them for ever.
    pub event_ttl: Duration,
    /// Where cluster addresses of services come from.
    pub service_addresses: AddressRanges,
    /// Where their node ports come from.
    pub service_node_ports: NodePorts,
    /// Whether deployments, jobs, pods and what belongs to them go through their statuses as if something ran
    /// (`kanon_workloads`). Without it nothing pretends.
    pub simulate_workloads: bool,
    /// Certificates that are there already.
    pub(crate) leafs: Option<Leafs>,
}

/// The certificates of a server on loopback that has no further names.
#[derive(Clone)]
pub(crate) struct Leafs {
    /// Who issued them.
    pub(crate) authority: Arc<Authority>,
    /// The server's.
    pub(crate) server: Leaf,
    /// The administrator's.
    pub(crate) admin: Leaf,
}

impl Config {
    /// A server on any free loopback port that keeps its objects in `place`.
    pub fn new(place: Place, authority: Arc<Authority>, cel: Arc<dyn Language>, clock: Clock) -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            place,
            store: kanon_store::Options::default(),
            authority,
            names: Vec::new(),
            cel,
            clock,
            tokens: BTreeMap::new(),
            services: None,
            limits: Limits::default(),
            requests: RequestLimits::default(),
            audit: AuditOptions::default(),
            // kube-apiserver compacts every five minutes what is older than that.
            history_age: Duration::from_secs(10 * 60),
            // As kube-apiserver's.
            event_ttl: Duration::from_secs(60 * 60),
            service_addresses: AddressRanges::default(),
            service_node_ports: NodePorts::default(),
            simulate_workloads: false,
            leafs: None,
        }
    }

    /// The certificates that are there already, where they fit what else was configured.
    pub(crate) fn leafs_for(&self, address: SocketAddr) -> Option<Leafs> {
        let fits = |it: &&Leafs| Arc::ptr_eq(&it.authority, &self.authority);
        self.leafs.as_ref().filter(fits).filter(|_| self.names.is_empty() && address.ip().is_loopback()).cloned()
    }
}
