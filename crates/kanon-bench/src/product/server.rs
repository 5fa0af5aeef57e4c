//! The embedded API server over HTTPS: durable creates and reads, against `kanon up` in a process of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kanon_core::Object;
use kanon_kube::{Api, Source};

use super::process::Up;
use crate::report;

const ROUND: Duration = Duration::from_secs(4);

/// Prints the figures. Each client has a connection of its own, as clients have; the last row of creates shows many on one.
pub(crate) async fn run() -> anyhow::Result<()> {
    let up = Up::start()?;
    let number = Arc::new(AtomicU64::new(0));
    for (clients, connections) in [(1, 1), (16, 16), (64, 64), (64, 1)] {
        let apis = connect(&up, connections).await?;
        let number = Arc::clone(&number);
        let rate = load(clients, move |client| {
            let (api, number) = (apis[client % connections].clone(), Arc::clone(&number));
            async move {
                let name = number.fetch_add(1, Ordering::Relaxed);
                let text = format!(
                    r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"m{name}"}},"data":{{"k":"v"}}}}"#
                );
                api.create("/api/v1/namespaces/default/configmaps", &Object::parse(text)?).await?;
                Ok(())
            }
        })
        .await?;
        let target = if clients == 64 { "≥ 15,000/s" } else { "" };
        let peer = if clients == 1 { "kube-apiserver 405/s" } else { "kube-apiserver 563/s (16)" };
        let what = format!("durable creates over HTTPS, {clients} clients, connections: {connections}");
        report(&what, &format!("{rate:.0}/s"), target, peer);
    }
    let objects = number.load(Ordering::Relaxed);
    let memory = format!("{:.0} MB resident", up.resident()?);
    report(
        &format!("memory with {objects} objects and their history"),
        &memory,
        "",
        "kube-apiserver + etcd 1.4 GB with 11,000",
    );
    for clients in [1, 16] {
        let apis = connect(&up, clients).await?;
        let rate = load(clients, move |client| {
            let api = apis[client].clone();
            async move { Ok(api.get("/api/v1/namespaces/default/configmaps/m0").await.map(drop)?) }
        })
        .await?;
        let peer = if clients == 1 { "kube-apiserver 884/s" } else { "kube-apiserver 1,513/s" };
        report(&format!("GET of one object over HTTPS, {clients} clients"), &format!("{rate:.0}/s"), "", peer);
    }
    Ok(())
}

/// Clients with a connection each.
async fn connect(up: &Up, connections: usize) -> anyhow::Result<Vec<Api>> {
    let mut apis = Vec::with_capacity(connections);
    for _ in 0..connections {
        apis.push(Api::connect(&Source::File(up.kubeconfig.clone())).await?);
    }
    Ok(apis)
}

/// Calls a second, of so many clients at a time.
pub(super) async fn load<F, R>(clients: usize, request: F) -> anyhow::Result<f64>
where
    F: Fn(usize) -> R + Clone + Send + 'static,
    R: Future<Output = anyhow::Result<()>> + Send,
{
    let started = Instant::now();
    let senders = (0..clients).map(|client| {
        let request = request.clone();
        tokio::spawn(async move {
            let mut done = 0u64;
            while started.elapsed() < ROUND {
                request(client).await?;
                done += 1;
            }
            anyhow::Ok(done)
        })
    });
    let mut total = 0;
    for sender in senders.collect::<Vec<_>>() {
        total += sender.await??;
    }
    Ok(total as f64 / started.elapsed().as_secs_f64())
}
