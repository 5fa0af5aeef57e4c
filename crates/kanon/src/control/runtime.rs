//! The runtime loop's wiring: its sources (audit webhook, audit log, the embedded API server, reviews of admission), the queue that
//! they share, and the thread that puts events to rules.

use std::{convert::Infallible, net::SocketAddr, path::PathBuf, sync::Arc};

use hyper::service::service_fn;
use kanon_apiserver::{AuditEvent, AuditObserver, AuditPolicy};
use kanon_core::{Figures, Object};
use kanon_events::{Desk, Own, PassedOver, Pattern};
use kanon_kube::USER_AGENT;
use kanon_net::{CancellationToken, Limits, ServerCertificate, tls_server_config};
use kanon_runtime::{Clock, Events, Feed, Intake, LogFollower, Shared, Told};
use kanon_web::{AuditEndpoint, Credentials};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

use crate::exit::Failure;

/// Events of the embedded API server that wait to be rendered.
const RENDERED_MAX: usize = 4096;

/// What the embedded API server tells of: what anybody but itself and this process asks for, and how, but no secrets.
const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- {level: None, users: ['system:kanon', 'system:apiserver']}
- {level: Metadata, resources: [{group: '', resources: [secrets, configmaps, serviceaccounts/token]}]}
- {level: Metadata, resources: [{group: authentication.k8s.io}]}
- {level: Request}
";

/// Where events come from.
pub(crate) struct RuntimeOptions {
    /// A listener for audit webhooks.
    pub(crate) listen: Option<Listen>,
    /// An audit log.
    pub(crate) log_file: Option<PathBuf>,
    /// The file that remembers how far the log was read.
    pub(crate) place: PathBuf,
    /// Users whose events are passed over.
    pub(crate) ignored: Vec<Pattern>,
    /// The queue that the embedded API server tells of its requests; made here where there is none.
    pub(crate) own_server: Option<(Feed, Events)>,
}

/// A listener for audit webhooks.
pub(crate) struct Listen {
    /// Where.
    pub(crate) address: SocketAddr,
    /// A file with the bearer token.
    pub(crate) token_file: Option<PathBuf>,
    /// Authorities of client certificates, PEM.
    pub(crate) client_ca: Option<String>,
}

impl RuntimeOptions {
    /// Makes the embedded API server a source; gives what it has to tell to.
    ///
    /// # Errors
    /// The policy of what it tells cannot be read, which a test rules out.
    pub(crate) fn observe_server(&mut self, figures: &Arc<Figures>) -> Result<AuditObserver, Failure> {
        let policy = AuditPolicy::parse(POLICY).map_err(|error| Failure::new(error.to_string()))?;
        let (feed, events) = kanon_runtime::events(Arc::clone(figures));
        let (send, mut made) = mpsc::channel::<AuditEvent>(RENDERED_MAX);
        let (hears, renders) = (feed.clone(), feed.clone());
        let observer = AuditObserver {
            policy,
            wants: Arc::new({
                let feed = feed.clone();
                move || feed.is_wanted()
            }),
            hear: Arc::new(move |event| {
                if send.try_send(event).is_err() {
                    hears.dropped();
                }
            }),
        };
        // Bodies are read where no request waits. It ends with the server.
        tokio::spawn(async move {
            while let Some(event) = made.recv().await {
                match Object::parse(event.render()) {
                    Ok(event) => renders.offer(Told::Audit(event)),
                    Err(_) => renders.unreadable(),
                }
            }
        });
        self.own_server = Some((feed, events));
        Ok(observer)
    }
}

/// Sources that are ready, and the queue behind them.
pub(super) struct Sources {
    /// Where reviews are told.
    pub(super) feed: Feed,
    events: Events,
    listening: Option<(TcpListener, Listen)>,
    log: Option<LogFollower>,
    ignored: Vec<Pattern>,
    audited: bool,
}

/// Takes the address, finds the place in the log.
pub(super) async fn open(options: RuntimeOptions, figures: &Arc<Figures>) -> Result<Sources, Failure> {
    let RuntimeOptions { listen, log_file, place, ignored, own_server } = options;
    let audited = listen.is_some() || log_file.is_some() || own_server.is_some();
    let listening = match listen {
        Some(listen) => Some((kanon_net::bind(listen.address).await?, listen)),
        None => None,
    };
    let log = log_file.map(|path| LogFollower::open(path, place)).transpose()?;
    let (feed, events) = own_server.unwrap_or_else(|| kanon_runtime::events(Arc::clone(figures)));
    Ok(Sources { feed, events, listening, log, ignored, audited })
}

/// What the running process lends to the loop.
pub(super) struct Surroundings<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) intake: Intake,
    pub(super) clock: Clock,
    /// Our own user at the API server.
    pub(super) user: Option<String>,
    /// What the webhook shows, where there is one.
    pub(super) certificate: Option<Arc<ServerCertificate>>,
    /// Ends the sources.
    pub(super) stop: &'a CancellationToken,
    /// Ends the thread, after them.
    pub(super) end: &'a CancellationToken,
}

/// What runs.
pub(super) struct Running {
    /// Where audit events are taken.
    pub(super) address: Option<SocketAddr>,
    /// Ends after the sources.
    pub(super) thread: std::thread::JoinHandle<()>,
}

/// Starts the sources and the thread.
pub(super) fn run(sources: Sources, around: Surroundings<'_>, tasks: &mut JoinSet<()>) -> Result<Running, Failure> {
    let Sources { feed, events, listening, log, ignored, audited } = sources;
    let Surroundings { shared, intake, clock, user, certificate, stop, end } = around;
    let own = user.map(|user| Own { user, agent: agent() });
    let desk = Desk::new(PassedOver { own, users: ignored }, audited);
    let thread = kanon_runtime::observe(events, desk, Arc::clone(shared), intake, clock, end.clone())?;
    let mut address = None;
    if let Some((listener, Listen { token_file, client_ca, .. })) = listening {
        address = Some(listener.local_addr()?);
        let credentials = Credentials { token_file, certificates: client_ca.is_some() };
        let feed = feed.clone();
        let endpoint = AuditEndpoint::new(credentials, move |events| {
            events.into_iter().for_each(|it| feed.offer(Told::Audit(it)));
        });
        let endpoint = Arc::new(endpoint);
        let service = service_fn(move |request| {
            let endpoint = Arc::clone(&endpoint);
            async move { Ok::<_, Infallible>(endpoint.handle(request).await) }
        });
        let missing =
            || Failure::usage("--audit-listen shows the webhook's certificate: there is none without admission");
        let tls = tls_server_config(certificate.ok_or_else(missing)?, client_ca.as_deref())?;
        tasks.spawn(kanon_net::serve(listener, Some(tls), service, Limits::default(), stop.clone()));
    }
    if let Some(log) = log {
        tasks.spawn(log.run(feed, stop.clone()));
    }
    Ok(Running { address, thread })
}

/// What our requests' `User-Agent` begins with, whatever the version: replicas of an update know each other.
fn agent() -> &'static str {
    USER_AGENT.split_inclusive('/').next().unwrap_or(USER_AGENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_policy_can_be_read() {
        assert!(AuditPolicy::parse(POLICY).is_ok());
        assert_eq!(agent(), "kanon/");
    }
}
