//! Keeps the webhook answering and registered: a TLS listener, a configuration in the API server that follows the policies,
//! and certificates that are renewed without a restart. Of several replicas the leader registers: its address, unless
//! `--webhook-url` names a service; then the replicas must share the folder of the authority. Where an installer brought
//! certificates and configuration, `installed` follows those instead.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::service::service_fn;
use jiff::Timestamp;
use kanon_kube::Api;
use kanon_net::{CancellationToken, Limits, tls_server_config};
use kanon_plane::AdmissionRule;
use kanon_runtime::Shared;
use kanon_web::Webhook;
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    certificates::Certificates,
    installed::{FolderCertificates, Installed},
};
use crate::exit::Failure;

/// How often certificates are looked at.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(3600);
/// Pause before a failed registration is tried again.
const REGISTER_PAUSE: Duration = Duration::from_secs(1);

/// How the webhook is served.
pub(crate) struct Options {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Further names in its certificate.
    pub(crate) names: Vec<String>,
    /// Refuse what it cannot be asked about.
    pub(crate) fail_closed: bool,
    /// Whose certificates and registration those are.
    pub(crate) setup: Setup,
}

/// Whose certificates and registration.
pub(crate) enum Setup {
    /// Our own.
    Own {
        /// Folder of the authority.
        authority: PathBuf,
        /// Under which URL the API server reaches the webhook; from the address when none.
        url: Option<String>,
    },
    /// An installer's.
    Installed(Installed),
}

/// A listener with its certificates, not yet answering.
pub(super) struct Listening {
    listener: TcpListener,
    certificates: Shown,
}

/// The certificates of either setup.
enum Shown {
    Own { certificates: Box<Certificates>, authority: PathBuf, url: String },
    Installed(FolderCertificates),
}

impl Listening {
    /// Where it listens.
    pub(super) fn address(&self) -> Result<SocketAddr, Failure> {
        Ok(self.listener.local_addr()?)
    }

    /// What the listener shows; renewed as long as the webhook runs.
    pub(super) fn certificate(&self) -> Arc<kanon_net::ServerCertificate> {
        match &self.certificates {
            Shown::Own { certificates, .. } => Arc::clone(&certificates.server),
            Shown::Installed(it) => Arc::clone(&it.server),
        }
    }
}

/// Takes the address and makes the certificates.
pub(super) async fn listen(options: &Options, now: Timestamp) -> Result<Listening, Failure> {
    let listener = kanon_net::bind(options.listen).await?;
    let address = reachable(listener.local_addr()?);
    let mut names = vec!["localhost".to_owned()];
    names.extend(options.names.iter().cloned());
    let certificates = match &options.setup {
        Setup::Own { authority, url } => {
            let url = url.clone().unwrap_or_else(|| format!("https://{address}/validate"));
            let certificates = Box::new(Certificates::load(authority, names, vec![address.ip()], now)?);
            Shown::Own { certificates, authority: authority.clone(), url }
        }
        Setup::Installed(installed) => Shown::Installed(FolderCertificates::load(installed.clone(), &names, now)?),
    };
    Ok(Listening { listener, certificates })
}

/// A listener on every address is reached on this machine by the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

/// What the webhook works with.
pub(super) struct Parts<'p> {
    pub(super) service: Arc<Webhook>,
    pub(super) api: &'p Api,
    pub(super) shared: &'p Arc<Shared>,
    pub(super) registered: &'p Arc<AtomicBool>,
    /// Refuse what it cannot be asked about.
    pub(super) fail_closed: bool,
    /// Our namespace, which is never asked about.
    pub(super) namespace: &'p str,
    /// Who we are to the API server.
    pub(super) own_user: Option<String>,
    pub(super) stop: &'p CancellationToken,
}

/// Answers, and keeps the registration and the certificates current.
pub(super) fn run(tasks: &mut JoinSet<()>, listening: Listening, parts: Parts<'_>) {
    let Parts { service, api, shared, registered, fail_closed, namespace, own_user, stop } = parts;
    let server = listening.certificate();
    let Listening { listener, certificates } = listening;
    match tls_server_config(server, None) {
        Ok(tls) => {
            let service = service_fn(move |request| {
                let service = Arc::clone(&service);
                async move { Ok::<_, Infallible>(service.handle(request).await) }
            });
            tasks.spawn(kanon_net::serve(listener, Some(tls), service, Limits::default(), stop.clone()));
        }
        // Cannot happen with a certificate that was just made; the probe will say that the webhook is not registered.
        Err(error) => return tracing::error!(%error, "the webhook cannot serve TLS"),
    }
    match certificates {
        Shown::Own { certificates, authority, url } => {
            let registration = Registration {
                api: api.clone(),
                webhook: kanon_kube::Webhook {
                    name: "kanon".to_owned(),
                    endpoint: kanon_kube::Endpoint::Url(url),
                    ca_pem: certificates.bundle(),
                    fail_closed,
                    // With rights in some namespaces alone nobody registers himself.
                    namespaces: Vec::new(),
                    own_namespace: namespace.to_owned(),
                    own_user,
                    own_groups: vec![kanon_rules::api::GROUP],
                },
                certificates: *certificates,
                folder: authority,
                shared: Arc::clone(shared),
                registered: Arc::clone(registered),
                new_authority: false,
            };
            tasks.spawn(registration.run(stop.clone()));
        }
        Shown::Installed(certificates) => {
            // Whether the API server asks is the installer's matter.
            registered.store(true, Ordering::Release);
            certificates.follow(tasks, api, shared, stop);
        }
    }
}

struct Registration {
    api: Api,
    webhook: kanon_kube::Webhook,
    certificates: Certificates,
    folder: PathBuf,
    shared: Arc<Shared>,
    registered: Arc<AtomicBool>,
    /// The API server has still to be told of a new authority; until then the old one's leaf is shown.
    new_authority: bool,
}

impl Registration {
    async fn run(mut self, stop: CancellationToken) {
        let mut published = self.shared.published.subscribe();
        let mut known: Option<Vec<AdmissionRule>> = None;
        loop {
            let rules = self.shared.views.load().admission_rules();
            let pause = if !self.shared.leads() {
                // The leader's registration stands; ours is written when we lead.
                known = None;
                CERTIFICATE_LOOK
            } else if known.as_ref() == Some(&rules) {
                CERTIFICATE_LOOK
            } else {
                match kanon_kube::install_webhook(&self.api, &rules, &self.webhook).await {
                    Ok(()) => {
                        known = Some(rules);
                        let force = std::mem::take(&mut self.new_authority);
                        self.renew_leaf(force);
                        if !self.registered.swap(true, Ordering::AcqRel) {
                            self.shared.published.send_modify(|version| *version += 1);
                        }
                        CERTIFICATE_LOOK
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the webhook could not be registered, trying again");
                        REGISTER_PAUSE
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                _ = published.changed() => {}
                () = tokio::time::sleep(pause) => {
                    if self.renew(Timestamp::now()) {
                        known = None;
                    }
                }
            }
            if !self.new_authority {
                self.renew_leaf(false);
            }
        }
    }

    fn renew_leaf(&self, force: bool) {
        if let Err(error) = self.certificates.renew_leaf(force, Timestamp::now()) {
            tracing::error!(%error, "the webhook's certificate could not be renewed");
        }
    }

    /// Whether the bundle changed, so that the registration must be written again.
    fn renew(&mut self, now: Timestamp) -> bool {
        match self.certificates.renew_authority(&self.folder, now) {
            Ok(true) => {
                self.webhook.ca_pem = self.certificates.bundle();
                self.new_authority = true;
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::error!(%error, "the webhook's authority could not be renewed");
                false
            }
        }
    }
}
