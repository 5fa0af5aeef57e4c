//! A server for tests: in memory, on a free loopback port, up within a few milliseconds, gone when it is dropped. With feature
//! `client` it hands out clients of the `kube` crate (docs/test-server.md).

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};
use kanon_core::{Mono, Now};
use kanon_lang::Language;
use kanon_net::{Authority, Validity};

use crate::{
    config::{Config, Leafs},
    core::Clock,
    server::{self, ApiServer, Running, StartError},
    storage::Place,
};

/// How long the authority of tests counts; longer than any of them runs.
const AUTHORITY_TIME: SignedDuration = SignedDuration::from_hours(24 * 366);

/// The real clock.
pub fn clock() -> Clock {
    let started = Instant::now();
    Arc::new(move || Now::new(Timestamp::now(), Mono(started.elapsed())))
}

/// The certificates of all servers of this process, made once: half of a start would be keys, which a client within the process
/// does not even use.
fn leafs() -> Result<Leafs, StartError> {
    static LEAFS: Mutex<Option<Leafs>> = Mutex::new(None);
    let mut known = LEAFS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = &*known {
        return Ok(known.clone());
    }
    let now = Timestamp::now();
    let authority = Authority::create("kanon-test", Validity::starting(now, AUTHORITY_TIME))?;
    let made = server::leafs(Arc::new(authority), &[], Ipv4Addr::LOCALHOST.into(), now)?;
    *known = Some(made.clone());
    Ok(made)
}

/// A running server with everything that a client needs.
pub struct TestServer {
    running: Running,
}

impl TestServer {
    /// Starts an empty server in memory.
    ///
    /// # Errors
    /// No free port, no randomness.
    pub async fn start(cel: Arc<dyn Language>) -> Result<TestServer, StartError> {
        TestServer::start_with(cel, |_| {}).await
    }

    /// Starts a server after `adjust` changed its configuration.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub async fn start_with(
        cel: Arc<dyn Language>,
        adjust: impl FnOnce(&mut Config),
    ) -> Result<TestServer, StartError> {
        let leafs = leafs()?;
        let mut config = Config::new(Place::Memory, Arc::clone(&leafs.authority), cel, clock());
        config.leafs = Some(leafs);
        adjust(&mut config);
        Ok(TestServer { running: ApiServer::start(config).await? })
    }

    /// Starts a server that keeps its objects in a folder.
    ///
    /// # Errors
    /// A folder that cannot be used.
    pub async fn start_in(cel: Arc<dyn Language>, folder: impl Into<PathBuf>) -> Result<TestServer, StartError> {
        let place = Place::Folder(folder.into());
        TestServer::start_with(cel, |config| config.place = place).await
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.running.url()
    }

    /// An administrator's kubeconfig.
    pub fn kubeconfig(&self) -> String {
        self.running.admin_kubeconfig()
    }

    /// A client of the `kube` crate, as the administrator, in namespace `default`. It speaks to the server within this process: no
    /// socket and no TLS; watches, patches and errors are those of any server. It needs a tokio runtime.
    #[cfg(feature = "client")]
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.running.admin_service(), "default")
    }

    /// The same as somebody else, who may do what roles and bindings say: `client_as("alice", &["developers"])`.
    #[cfg(feature = "client")]
    pub fn client_as(&self, user: &str, groups: &[&str]) -> kube::Client {
        let user = crate::access::user(user, groups);
        kube::Client::new(self.running.service().acting_as(user), "default")
    }

    /// The server itself.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Stops it in good order.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}
