//! Managers written in Go against the server: client-go's informers, leader election, work queues and typed clients, unmodified
//! (`tests/go/manager`). One leads, the other stands by; the leader is killed, the server is killed, and afterwards everything is as
//! the model says, and the managers' caches are what a fresh list says.
//!
//! `KANON_GO_MANAGER` names the program (`.ci/run` builds it); without it the test says so and passes. `KANON_GO_MINUTES=10` goes on for
//! ten minutes, with leases as long as controllers have them by default; `just go-manager` does both.

mod load;
mod manager;
mod server;
mod verdict;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{Api, Client, core::DynamicObject};
use serde_json::Value;
use tokio::time::{Instant, interval};

use self::{load::Load, manager::Manager, server::Server};
use crate::world::LIMIT;

/// The program, and how long to play with it.
const PROGRAM: &str = "KANON_GO_MANAGER";
const MINUTES: &str = "KANON_GO_MINUTES";

/// What managers accept of built-in kinds, by turns: as Go's controller framework asks, and protobuf alone.
const ACCEPTED: [&str; 2] =
    ["application/vnd.kubernetes.protobuf,application/json", "application/vnd.kubernetes.protobuf"];

/// Caches of a manager, and the resources that they hold.
const CACHES: [(&str, &str, &str); 7] = [
    ("pods", "v1", "Pod"),
    ("configmaps", "v1", "ConfigMap"),
    ("namespaces", "v1", "Namespace"),
    ("deployments", "apps/v1", "Deployment"),
    ("sites", "example.io/v1", "Site"),
    ("replicasets", "apps/v1", "ReplicaSet"),
    ("serviceaccounts", "v1", "ServiceAccount"),
];

/// Asks until the answer is none; says what the last one was when it takes too long.
async fn settle<F: Future<Output = Result<(), String>>>(what: &str, mut ask: impl FnMut() -> F) {
    let end = Instant::now() + LIMIT;
    let mut tick = interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        match ask().await {
            Ok(()) => return,
            Err(problem) => assert!(Instant::now() < end, "never {what}: {problem}"),
        }
    }
}

/// All there is of a kind.
async fn list(client: &Client, plural: &str, version: &str, kind: &str) -> Result<Vec<DynamicObject>, String> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &load::resource(plural, version, kind));
    Ok(api.list(&Default::default()).await.map_err(|it| it.to_string())?.items)
}

/// Everything that plays.
struct Stage {
    program: PathBuf,
    folder: tempfile::TempDir,
    server: Server,
    client: Client,
    load: Load,
    lease: Duration,
    managers: Vec<Manager>,
    /// Those that have ended, for what they said.
    past: Vec<Manager>,
    started: usize,
}

impl Stage {
    async fn new(program: PathBuf, lease: Duration) -> Stage {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(folder.path());
        let client = server.client().await;
        let load = Load::new(client.clone());
        let (managers, past) = (Vec::new(), Vec::new());
        Stage { program, folder, server, client, load, lease, managers, past, started: 0 }
    }

    /// One more manager.
    fn join(&mut self) {
        let (id, accept) = (format!("m{}", self.started), ACCEPTED[self.started % 2]);
        self.started += 1;
        let kubeconfig = server::kubeconfig(self.folder.path());
        self.managers.push(Manager::start(&self.program, &id, &kubeconfig, accept, self.lease));
    }

    /// The one that leads, once there is one. Others may have led before.
    async fn leader(&mut self, within: Duration) -> usize {
        let end = Instant::now() + within;
        let mut tick = interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            if let Some(at) = self.managers.iter().position(Manager::leads) {
                return at;
            }
            assert!(Instant::now() < end, "nobody leads within {within:?}: {:#?}", self.said());
        }
    }

    fn said(&self) -> BTreeMap<String, Vec<Value>> {
        self.managers.iter().map(|it| (it.id().to_owned(), it.lines())).collect()
    }

    /// Everything is as the model says, and known to all managers.
    async fn compare(&self) {
        settle("as the model says", || self.load.compare()).await;
        settle("known to all", || self.compare_caches()).await;
    }

    async fn compare_caches(&self) -> Result<(), String> {
        let mut fresh: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
        for (plural, version, kind) in CACHES {
            let versions = list(&self.client, plural, version, kind).await?.into_iter().map(|it| {
                let (namespace, name) = (it.metadata.namespace.unwrap_or_default(), it.metadata.name);
                let version = it.metadata.resource_version.unwrap_or_default();
                (format!("{namespace}/{}", name.unwrap_or_default()), version)
            });
            fresh.insert(plural, versions.collect());
        }
        for manager in &self.managers {
            let caches = manager.state().await["caches"].take();
            for (name, fresh) in &fresh {
                let cached: BTreeMap<String, String> =
                    serde_json::from_value(caches[name].clone()).map_err(|it| it.to_string())?;
                let differs = |key: &&String| cached.get(*key) != fresh.get(*key);
                let differing: Vec<&String> = fresh.keys().chain(cached.keys()).filter(differs).collect();
                if !differing.is_empty() {
                    return Err(format!("{} of {} differ: {differing:?}", name, manager.id()));
                }
            }
        }
        Ok(())
    }

    /// Writes go on; in the middle of them, the leader is killed.
    async fn kill_the_leader(&mut self) {
        let writes = self.load.begin();
        writes.half().await;
        let at = self.leader(LIMIT).await;
        let mut killed = self.managers.remove(at);
        killed.kill();
        self.past.push(killed);
        self.join();
        // Who waits does so for a lease after the last renewal that it saw, and looks once in a retry period and its jitter.
        self.leader(self.lease * 3 / 2 + Duration::from_secs(5)).await;
        writes.end().await;
        self.compare().await;
    }

    /// How often informers of each manager asked in vain.
    async fn unanswered(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        for manager in &self.managers {
            numbers.push(manager.state().await["counts"]["cache unanswered"].as_u64().unwrap_or_default());
        }
        numbers
    }

    /// Writes go on; in the middle of them, the server is killed, and starts again with what is on its disk once everybody has missed it.
    async fn kill_the_server(&mut self) {
        let before = self.leader(LIMIT).await;
        let known = self.unanswered().await;
        let writes = self.load.begin();
        writes.half().await;
        self.server.kill();
        settle("missed by all", || async {
            let missed = self.unanswered().await;
            // One request of an informer each.
            let all = missed.iter().zip(&known).all(|(now, before)| *now >= before + CACHES.len() as u64);
            if all { Ok(()) } else { Err(format!("{missed:?} after {known:?}")) }
        })
        .await;
        self.server.start_again();
        writes.end().await;
        self.compare().await;
        assert_eq!(self.leader(LIMIT).await, before, "the lease outlives the server");
        for manager in &self.managers {
            verdict::resumed(&manager.state().await["counts"], manager.accepts() == ACCEPTED[1]);
        }
    }

    /// The leader is told to stop: it gives its lease back, and the other need not wait until it runs out.
    async fn stop_the_leader(&mut self) {
        let at = self.leader(LIMIT).await;
        let mut stopped = self.managers.remove(at);
        stopped.stop().await;
        let begin = Instant::now();
        self.past.push(stopped);
        self.leader(self.lease / 2 + Duration::from_secs(1)).await;
        println!("the next leads after {:?}", begin.elapsed());
        self.join();
        self.compare().await;
    }

    /// Everything else that client-go does, once by each.
    async fn chores(&mut self) {
        for manager in &self.managers {
            manager.chores().await;
        }
        self.compare().await;
    }

    async fn end(mut self) {
        for manager in &mut self.managers {
            manager.stop().await;
        }
        self.past.append(&mut self.managers);
        let everything: Vec<Value> = self.past.iter().flat_map(Manager::lines).collect();
        verdict::check(&everything, self.server.away());
        verdict::one_leads_at_a_time(&self.past);
        println!(
            "{} managers, {} writes, {}",
            self.past.len(),
            self.load.written(),
            verdict::summary(&everything, self.server.away())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_managers_keep_up_while_leader_and_server_are_killed() {
    let Some(program) = std::env::var_os(PROGRAM).map(PathBuf::from) else {
        println!("skipped: {PROGRAM} names no program");
        return;
    };
    assert!(Path::new(&program).exists(), "{PROGRAM} is {}, which is not there", program.display());
    let minutes: u64 = std::env::var(MINUTES).ok().and_then(|it| it.parse().ok()).unwrap_or_default();
    let begin = Instant::now();
    let mut stage = Stage::new(program, Duration::from_secs(if minutes == 0 { 6 } else { 15 })).await;
    stage.join();
    stage.join();
    stage.leader(LIMIT).await;
    loop {
        stage.chores().await;
        stage.kill_the_server().await;
        stage.kill_the_leader().await;
        stage.stop_the_leader().await;
        if begin.elapsed() >= Duration::from_secs(minutes * 60) {
            break;
        }
    }
    stage.end().await;
    println!("after {:?}", begin.elapsed());
}
