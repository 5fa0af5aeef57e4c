//! A server as a process of its own, which can be killed (`kill -9`) and started again with the same folder, address and authority.
//! The process is this test's program again, running nothing but the child's part.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use kanon_apiserver::{Place, TestServer};
use kanon_cel::Cel;
use kanon_net::{Authority, Validity};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// Set in the child: its folder, and the address to listen at.
const FOLDER: &str = "KANON_TEST_GO_FOLDER";
const ADDRESS: &str = "KANON_TEST_GO_ADDRESS";
/// The test that the child runs.
const CHILD: &str = "go::server::child_that_serves_until_it_is_killed";

/// Where the administrator's kubeconfig is.
pub(super) fn kubeconfig(folder: &Path) -> PathBuf {
    folder.join("kubeconfig")
}

/// The child's part: serves until it is killed, or nobody is there any more. Does nothing when run as an ordinary test.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_serves_until_it_is_killed() {
    let (Some(folder), Ok(address)) = (std::env::var_os(FOLDER), std::env::var(ADDRESS)) else { return };
    let folder = PathBuf::from(folder);
    let authority = Arc::new(Authority::load(&folder.join("authority")).expect("saved by the parent"));
    let server = TestServer::start_with(Arc::new(Cel::default()), |config| {
        config.authority = authority;
        config.place = Place::Folder(folder.join("state"));
        config.listen = address.parse().expect("an address");
        config.simulate_workloads = true;
    })
    .await
    .expect("starts");
    if !kubeconfig(&folder).exists() {
        std::fs::write(kubeconfig(&folder), server.kubeconfig()).expect("written");
    }
    println!("\nready {}", server.running().address());
    let wait = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(wait).await.expect("waits").expect("ends");
}

/// The process, and when there was none.
pub(super) struct Server {
    folder: PathBuf,
    address: SocketAddr,
    child: Child,
    /// Kept open: the child ends with them.
    _pipes: (ChildStdin, BufReader<ChildStdout>),
    killed: Timestamp,
    away: Vec<(Timestamp, Timestamp)>,
}

/// Starts the child and waits until it serves.
fn launch(folder: &Path, address: SocketAddr) -> (Child, (ChildStdin, BufReader<ChildStdout>), SocketAddr) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([CHILD, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(ADDRESS, address.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let (input, mut out) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("piped")));
    let mut line = String::new();
    loop {
        line.clear();
        assert!(out.read_line(&mut line).expect("readable") > 0, "the server does not start");
        if let Some(address) = line.strip_prefix("ready ") {
            let address = address.trim().parse().expect("an address");
            return (child, (input.expect("piped"), out), address);
        }
    }
}

impl Server {
    pub(super) fn start(folder: &Path) -> Server {
        let validity = Validity::starting(Timestamp::now(), SignedDuration::from_hours(24));
        Authority::create("go", validity).expect("made").save(&folder.join("authority")).expect("saved");
        let (child, pipes, address) = launch(folder, SocketAddr::from(([127, 0, 0, 1], 0)));
        Server { folder: folder.to_owned(), address, child, _pipes: pipes, killed: Timestamp::now(), away: Vec::new() }
    }

    /// A client that survives restarts.
    pub(super) async fn client(&self) -> Client {
        let file = Kubeconfig::read_from(kubeconfig(&self.folder)).expect("a kubeconfig");
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("usable");
        // An answer that was lost with the server is asked for again.
        config.read_timeout = Some(Duration::from_secs(10));
        Client::try_from(config).expect("a client")
    }

    /// Kills it in the middle of everything.
    pub(super) fn kill(&mut self) {
        self.killed = Timestamp::now();
        self.end();
    }

    /// Starts one that was killed again.
    pub(super) fn start_again(&mut self) {
        (self.child, self._pipes, _) = launch(&self.folder, self.address);
        self.away.push((self.killed, Timestamp::now()));
    }

    /// From when to when there was none.
    pub(super) fn away(&self) -> &[(Timestamp, Timestamp)] {
        &self.away
    }

    fn end(&mut self) {
        // SIGKILL, by its own id: nothing is flushed, nothing is closed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
