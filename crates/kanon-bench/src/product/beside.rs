//! The embedded server beside another one under the same load, round by round in one run: upstream's server with etcd, as
//! `.ci/real-server` starts it. The load is that of peers.md's rows: custom objects with a rule and a default, durable creates over HTTPS, reads of
//! one, lists of all, watchers. What counts as ten times faster and smaller are the rows marked so.
//!
//! ```text
//! .ci/real-server cargo run --release -p kanon-bench -- beside
//! ```

use std::{
    env,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kanon_core::Object;
use kanon_kube::{Api, Source};
use tokio::time::sleep;

use super::{
    process::{Up, resident},
    server::load,
};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const THINGS: &str = "/apis/bench.example.io/v1/namespaces/default/things";
/// Objects that lists and memory are measured with.
const OBJECTS: u64 = 11_000;
/// Rounds of each load; the sides take turns.
const ROUNDS: usize = 3;

/// One of the two servers.
struct Side {
    source: Source,
    /// Process ids whose memory counts.
    processes: Vec<String>,
    ready: Duration,
    made: Arc<AtomicU64>,
}

impl Side {
    /// The definition, and clients once its objects are served.
    async fn define(&self) -> anyhow::Result<()> {
        let api = Api::connect(&self.source).await?;
        api.create(DEFINITIONS, &Object::parse(definition())?).await?;
        for _ in 0..400 {
            if api.create(THINGS, &self.thing("first")?).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(25)).await;
        }
        anyhow::bail!("objects of the new definition are not served after ten seconds")
    }

    fn thing(&self, name: &str) -> anyhow::Result<Object> {
        let text = format!(
            r#"{{"apiVersion":"bench.example.io/v1","kind":"Thing","metadata":{{"name":"{name}","labels":{{"app":"bench"}}}},"spec":{{"replicas":3,"image":"registry/app:1"}}}}"#
        );
        Ok(Object::parse(text)?)
    }

    async fn clients(&self, many: usize) -> anyhow::Result<Vec<Api>> {
        let mut apis = Vec::with_capacity(many);
        for _ in 0..many {
            apis.push(Api::connect(&self.source).await?);
        }
        Ok(apis)
    }

    async fn creates(self: &Arc<Self>, clients: usize) -> anyhow::Result<f64> {
        let (apis, side) = (self.clients(clients).await?, Arc::clone(self));
        load(clients, move |client| {
            let (api, side) = (apis[client].clone(), Arc::clone(&side));
            async move {
                let number = side.made.fetch_add(1, Ordering::Relaxed);
                api.create(THINGS, &side.thing(&format!("t{number}"))?).await?;
                Ok(())
            }
        })
        .await
    }

    async fn gets(self: &Arc<Self>, clients: usize) -> anyhow::Result<f64> {
        let apis = self.clients(clients).await?;
        load(clients, move |client| {
            let api = apis[client].clone();
            async move { Ok(api.get(&format!("{THINGS}/first")).await.map(drop)?) }
        })
        .await
    }

    /// Lists a second of all objects, from one client.
    async fn lists(self: &Arc<Self>) -> anyhow::Result<f64> {
        let api = Api::connect(&self.source).await?;
        load(1, move |_| {
            let api = api.clone();
            async move { Ok(api.get(THINGS).await.map(drop)?) }
        })
        .await
    }

    /// Makes objects until there are `wanted`.
    async fn fill(self: &Arc<Self>, wanted: u64) -> anyhow::Result<()> {
        let makers = self.clients(16).await?.into_iter().map(|api| {
            let side = Arc::clone(self);
            tokio::spawn(async move {
                loop {
                    let number = side.made.fetch_add(1, Ordering::Relaxed);
                    if number >= wanted {
                        return anyhow::Ok(());
                    }
                    api.create(THINGS, &side.thing(&format!("t{number}"))?).await?;
                }
            })
        });
        for maker in makers.collect::<Vec<_>>() {
            maker.await??;
        }
        Ok(())
    }

    /// Resident memory of all its processes, in MB.
    fn memory(&self) -> anyhow::Result<f64> {
        self.processes.iter().map(|it| resident(it)).sum()
    }
}

/// Prints both sides and how many times the one is the other.
pub(crate) async fn run() -> anyhow::Result<()> {
    let kubeconfig = env::var("KANON_REAL_KUBECONFIG")
        .map_err(|_| anyhow::anyhow!("no other server: start this through `.ci/real-server`"))?;
    let pids = env::var("KANON_REAL_PIDS").unwrap_or_default();
    let ready = env::var("KANON_REAL_READY_MS").ok().and_then(|it| it.parse().ok()).unwrap_or_default();
    let side = |source, processes, ready| Arc::new(Side { source, processes, ready, made: Arc::default() });
    let up = Up::start()?;
    let ours = side(Source::File(up.kubeconfig.clone()), vec![up.process()], up.ready);
    let processes = pids.split_whitespace().map(str::to_owned).collect();
    let other = side(Source::File(PathBuf::from(kubeconfig)), processes, Duration::from_millis(ready));
    println!("{:<58} {:>12} {:>12} {:>8}", "", "kanon", "upstream", "times");
    row("start to ready, ms *", ours.ready.as_secs_f64() * 1e3, other.ready.as_secs_f64() * 1e3, false);
    sleep(Duration::from_secs(5)).await;
    row("memory idle, MB (upstream: with etcd) *", ours.memory()?, other.memory()?, false);
    for side in [&ours, &other] {
        side.define().await?;
    }
    // Memory first, with as many objects on both sides; the loads after it leave more where more was done.
    for side in [&ours, &other] {
        side.fill(OBJECTS).await?;
    }
    sleep(Duration::from_secs(5)).await;
    row(&format!("memory with {OBJECTS} objects, MB *"), ours.memory()?, other.memory()?, false);
    let (mut first, mut second) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        first = first.max(ours.lists().await?);
        second = second.max(other.lists().await?);
    }
    row(&format!("LIST of {OBJECTS}, lists/s"), first, second, true);
    for clients in [1, 16] {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            first.push(ours.gets(clients).await?);
            second.push(other.gets(clients).await?);
        }
        row(&format!("GET of one object, {clients} clients, /s *"), crate::median(first), crate::median(second), true);
    }
    for clients in [1, 16, 64] {
        let mark = if clients == 64 { "" } else { " *" };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            first.push(ours.creates(clients).await?);
            second.push(other.creates(clients).await?);
        }
        let what = format!("durable create (rule, defaults), {clients} clients, /s{mark}");
        row(&what, crate::median(first), crate::median(second), true);
    }
    println!("* the rows of kube-apiserver in peers.md: these are to be ten times better");
    Ok(())
}

/// One line; `more` is better where rates are compared.
fn row(what: &str, ours: f64, other: f64, more: bool) {
    let times = if more { ours / other } else { other / ours };
    println!("{what:<58} {ours:>12.1} {other:>12.1} {times:>7.1}×");
}

fn definition() -> String {
    let spec = r#"{"type":"object","required":["replicas"],"x-kubernetes-validations":[{"rule":"self.replicas <= self.limit"}],"properties":{"replicas":{"type":"integer"},"limit":{"type":"integer","default":10},"image":{"type":"string","maxLength":100},"mode":{"type":"string","enum":["A","B"],"default":"A"}}}"#;
    format!(
        r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{{"name":"things.bench.example.io"}},"spec":{{"group":"bench.example.io","scope":"Namespaced","names":{{"plural":"things","kind":"Thing"}},"versions":[{{"name":"v1","served":true,"storage":true,"schema":{{"openAPIV3Schema":{{"type":"object","properties":{{"spec":{spec}}}}}}}}}]}}}}"#
    )
}
