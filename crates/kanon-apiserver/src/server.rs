//! A running server: its store, its listener, its controllers.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use kanon_apimachinery::{resource::Registry, status::ApiError};
use kanon_net::{Authority, CancellationToken, Leaf, ServerCertificate, Validity, bind, serve, tls_server_config};
use tokio::task::JoinHandle;

use crate::{
    access::{self, MASTERS, StaticTokens},
    admission::Webhooks,
    audit::{AuditError, AuditEvents, Auditor},
    authorize,
    cached::Cached,
    config::{Config, Leafs},
    controllers,
    core::Core,
    handlers::Documents,
    history,
    inflight::Gate,
    kubeconfig::{self, Credential},
    metrics::Metrics,
    numbers::Numbers,
    quotas::Quotas,
    service::ApiService,
    storage::{OpenError, Storage},
    tokens::Signer,
};

/// The administrator's name in certificates.
const ADMIN: &str = "kubernetes-admin";
/// How long leafs count: a year (spec/rules 4.8).
const LEAF_TIME: SignedDuration = SignedDuration::from_hours(24 * 365);
/// How often the leaf's age is looked at.
const ROTATION_CHECK: Duration = Duration::from_secs(3600);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// Certificates, or an address that is in use.
    #[error(transparent)]
    Net(#[from] kanon_net::Error),
    /// The key that signs tokens, beside the store.
    #[error("cannot read or make the key for tokens: {0}")]
    TokenKey(std::io::Error),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The first objects could not be written.
    #[error("cannot write the first objects: {0}")]
    Bootstrap(String),
}

/// The embedded API server.
#[derive(Debug)]
pub struct ApiServer;

/// A server that answers. Dropping it stops it at once; [`Running::stop`] lets requests end.
pub struct Running {
    service: ApiService,
    core: Arc<Core>,
    address: SocketAddr,
    authority: Arc<Authority>,
    admin: Leaf,
    tasks: Vec<JoinHandle<()>>,
}

impl ApiServer {
    /// Opens the store, writes what a new cluster begins with, listens. When this returns, requests are answered.
    ///
    /// # Errors
    /// A store that cannot be used, an address that is in use: the error names it.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let now = (config.clock)();
        let listener = bind(config.listen).await?;
        let address =
            listener.local_addr().map_err(|source| kanon_net::Error::Listen { address: config.listen, source })?;
        // Keys are made while the store opens.
        let keys = match config.leafs_for(address) {
            Some(known) => Keys::Known(known),
            None => {
                let (authority, names) = (Arc::clone(&config.authority), config.names.clone());
                Keys::Made(tokio::task::spawn_blocking(move || leafs(authority, &names, address.ip(), now.wall)))
            }
        };
        let core = open(&config, url_of(address)).await?;
        settle(&core, config.service_addresses.api_address(), address.port())
            .await
            .map_err(|error| StartError::Bootstrap(error.message))?;
        let Leafs { server, admin, .. } = match keys {
            Keys::Known(known) => known,
            Keys::Made(made) => made.await.map_err(|error| StartError::Bootstrap(error.to_string()))??,
        };
        let certificate = ServerCertificate::new(&server)?;
        let tls = tls_server_config(Arc::clone(&certificate), Some(config.authority.certificate_pem()))?;
        let service = ApiService::new(Arc::clone(&core));
        let mut tasks = controllers::start(&core, &config);
        tasks.push(tokio::spawn(serve(listener, Some(tls), service.clone(), config.limits, core.shutdown.clone())));
        tasks.push(tokio::spawn(history::run(Arc::clone(&core), config.history_age)));
        tasks.push(tokio::spawn(rotate(Arc::clone(&core), certificate, config.clone(), address)));
        Ok(Running { service, core, address, authority: config.authority, admin, tasks })
    }
}

/// Makes a new cluster what clients expect, and an old one what it was.
async fn settle(core: &Core, service: IpAddr, port: u16) -> Result<(), ApiError> {
    core.bootstrap(service, port).await?;
    controllers::crd::reconcile(core).await?;
    controllers::namespace::settle(core).await
}

async fn open(config: &Config, url: String) -> Result<Arc<Core>, StartError> {
    let (place, options) = (config.place.clone(), config.store);
    let cel = Arc::clone(&config.cel);
    let builtin = tokio::task::spawn_blocking(move || Registry::builtin().with_language(cel));
    let storage = tokio::task::spawn_blocking(move || Storage::open(&place, options));
    let failed = |error: tokio::task::JoinError| StartError::Bootstrap(error.to_string());
    let storage = storage.await.map_err(failed)??;
    let builtin = builtin.await.map_err(failed)?;
    let signer = Signer::open(&config.place).map_err(StartError::TokenKey)?;
    Ok(Arc::new(Core {
        storage,
        registry: ArcSwap::from_pointee(builtin.clone()),
        builtin,
        clock: Arc::clone(&config.clock),
        cel: Arc::clone(&config.cel),
        tokens: StaticTokens(config.tokens.clone()),
        webhooks: Webhooks::new(config.services.clone()),
        rules: Cached::new(authorize::SOURCES),
        served: controllers::crd::Served::default(),
        documents: Documents::default(),
        signer,
        metrics: Metrics::default(),
        numbers: Numbers::new(&config.service_addresses, config.service_node_ports),
        quotas: Quotas::new(),
        audit: Arc::new(Auditor::start(&config.audit)?),
        inflight: Gate::new(config.requests),
        limits: config.requests,
        authority_pem: config.authority.certificate_pem().to_owned(),
        url,
        shutdown: CancellationToken::new(),
    }))
}

fn server_leaf(
    authority: &Authority,
    names: &[String],
    address: IpAddr,
    now: Timestamp,
) -> Result<Leaf, kanon_net::Error> {
    let known = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let names: Vec<&str> = known.into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    if !address.is_unspecified() && !addresses.contains(&address) {
        addresses.push(address);
    }
    authority.issue_server(&names, &addresses, Validity::starting(now, LEAF_TIME))
}

/// Certificates for a server that listens at `address`.
pub(crate) fn leafs(
    authority: Arc<Authority>,
    names: &[String],
    address: IpAddr,
    now: Timestamp,
) -> Result<Leafs, kanon_net::Error> {
    let server = server_leaf(&authority, names, address, now)?;
    let admin = authority.issue_client(ADMIN, &[MASTERS], Validity::starting(now, LEAF_TIME))?;
    Ok(Leafs { authority, server, admin })
}

/// Certificates at the start.
enum Keys {
    Known(Leafs),
    Made(JoinHandle<Result<Leafs, kanon_net::Error>>),
}

/// Replaces the server's leaf when its time comes.
async fn rotate(core: Arc<Core>, certificate: Arc<ServerCertificate>, config: Config, address: SocketAddr) {
    loop {
        tokio::select! {
            () = core.shutdown.cancelled() => return,
            () = tokio::time::sleep(ROTATION_CHECK) => {}
        }
        let now = core.now();
        if !certificate.should_rotate(now.wall) {
            continue;
        }
        let replaced = server_leaf(&config.authority, &config.names, address.ip(), now.wall)
            .and_then(|leaf| certificate.replace(&leaf));
        match replaced {
            Ok(()) => tracing::info!("the API server has a new certificate"),
            Err(error) => tracing::error!(%error, "the API server's certificate cannot be renewed"),
        }
    }
}

/// The URL of an address for clients on this machine.
fn url_of(address: SocketAddr) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    };
    format!("https://{host}:{}", address.port())
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients on this machine.
    pub fn url(&self) -> String {
        url_of(self.address)
    }

    /// A kubeconfig of an administrator, whom a client certificate puts in `system:masters`. A secret.
    pub fn admin_kubeconfig(&self) -> String {
        let credential = Credential::Certificate(&self.admin);
        kubeconfig::render(&self.url(), self.authority.certificate_pem(), &credential)
    }

    /// A kubeconfig of whoever has this bearer token. A secret.
    pub fn token_kubeconfig(&self, token: &str) -> String {
        kubeconfig::render(&self.url(), self.authority.certificate_pem(), &Credential::Token(token))
    }

    /// A kubeconfig of a user in at most two groups, with a client certificate of its own. A secret.
    ///
    /// # Errors
    /// Names that X.509 cannot hold, more than two groups.
    pub fn user_kubeconfig(&self, user: &str, groups: &[&str]) -> Result<String, kanon_net::Error> {
        let validity = Validity::starting(self.core.now().wall, LEAF_TIME);
        let leaf = self.authority.issue_client(user, groups, validity)?;
        Ok(kubeconfig::render(&self.url(), self.authority.certificate_pem(), &Credential::Certificate(&leaf)))
    }

    /// The certificate that clients must trust.
    pub fn authority_pem(&self) -> &str {
        self.authority.certificate_pem()
    }

    /// The administrator's certificate, for clients of this process.
    pub fn admin(&self) -> &Leaf {
        &self.admin
    }

    /// The server without its socket: who asks is read from each request.
    pub fn service(&self) -> ApiService {
        self.service.clone()
    }

    /// The server without its socket, for the administrator.
    pub fn admin_service(&self) -> ApiService {
        self.service.acting_as(access::user(ADMIN, &[MASTERS]))
    }

    /// The store below, for tests and benches.
    pub fn storage(&self) -> &Storage {
        &self.core.storage
    }

    /// The audit events from now on: what the policy of [`Config::audit`](crate::Config) lets through.
    pub fn audit_events(&self) -> AuditEvents {
        self.core.audit.listen()
    }

    /// Ends when it is cancelled: what long answers of other parts of the process may wait for.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.core.shutdown
    }

    /// Lets requests in work end, writes what is queued, and stops.
    pub async fn stop(mut self) {
        self.core.shutdown.cancel();
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has ended too.
            let _ = task.await;
        }
        self.core.storage.close().await;
        self.core.audit.close().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.core.shutdown.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}
