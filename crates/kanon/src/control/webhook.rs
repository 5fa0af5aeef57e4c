//! Keeps the webhook answering and registered: a TLS listener, a configuration in the API server that follows the policies,
//! and certificates that are renewed without a restart. Of several replicas the leader registers: its address, unless
//! `--webhook-url` names a service; then the replicas must share the folder of the authority.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
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

use super::{Options, certificates::Certificates};
use crate::exit::Failure;

/// How often certificates are looked at.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(3600);
/// Pause before a failed registration is tried again.
const REGISTER_PAUSE: Duration = Duration::from_secs(1);

/// A listener with its certificates, not yet answering.
pub(super) struct Listening {
    listener: TcpListener,
    certificates: Certificates,
    url: String,
}

impl Listening {
    /// What the listener shows; renewed as long as the webhook runs.
    pub(super) fn certificate(&self) -> Arc<kanon_net::ServerCertificate> {
        Arc::clone(&self.certificates.server)
    }
}

/// Takes the address and makes the certificates.
pub(super) async fn listen(options: &Options, now: Timestamp) -> Result<Listening, Failure> {
    let listener = kanon_net::bind(options.webhook_listen).await?;
    let address = reachable(listener.local_addr()?);
    let mut names = vec!["localhost".to_owned()];
    names.extend(options.webhook_dns.iter().cloned());
    let certificates = Certificates::load(&options.authority, names, vec![address.ip()], now)?;
    let url = options.webhook_url.clone().unwrap_or_else(|| format!("https://{address}/validate"));
    Ok(Listening { listener, certificates, url })
}

/// A listener on every address is reached on this machine by the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

/// Answers, and keeps the registration and the certificates current.
#[expect(clippy::too_many_arguments, reason = "wiring: each is one part of the process, used once")]
pub(super) fn run(
    tasks: &mut JoinSet<()>,
    listening: Listening,
    service: Arc<Webhook>,
    api: &Api,
    options: &Options,
    shared: &Arc<Shared>,
    registered: &Arc<AtomicBool>,
    stop: &CancellationToken,
) {
    let Listening { listener, certificates, url } = listening;
    match tls_server_config(Arc::clone(&certificates.server), None) {
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
    let registration = Registration {
        api: api.clone(),
        webhook: kanon_kube::Webhook {
            url,
            ca_pem: certificates.bundle(),
            fail_closed: options.fail_closed,
            own_namespace: options.namespace.clone(),
        },
        certificates,
        folder: options.authority.clone(),
        shared: Arc::clone(shared),
        registered: Arc::clone(registered),
        new_authority: false,
    };
    tasks.spawn(registration.run(stop.clone()));
}

struct Registration {
    api: Api,
    webhook: kanon_kube::Webhook,
    certificates: Certificates,
    folder: std::path::PathBuf,
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
            let pause = if !self.shared.leader.load(Ordering::Acquire) {
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
