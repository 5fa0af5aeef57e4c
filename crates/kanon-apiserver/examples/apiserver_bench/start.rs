//! Start to ready and memory, with nothing and with 100,000 objects.

use std::{path::Path, sync::Arc, time::Instant};

use kanon_apiserver::TestServer;
use kanon_cel::Cel;
use kanon_store::{Change, Draft, Expect, Key, Write};
use serde_json::json;

use crate::client::{Res, resident};

const OBJECTS: usize = 100_000;
/// Starts of test servers.
const STARTS: usize = 100;

pub(crate) async fn empty(folder: &Path) -> Res<()> {
    for (what, place) in [("in memory", None), ("new folder", Some(folder)), ("that folder again", Some(folder))] {
        let begin = Instant::now();
        let server = match place {
            None => TestServer::start(Arc::new(Cel::default())).await?,
            Some(folder) => TestServer::start_in(Arc::new(Cel::default()), folder).await?,
        };
        println!("start to ready, {what}: {:?}, memory {:.1} MB", begin.elapsed(), resident()?);
        server.stop().await;
    }
    Ok(())
}

/// What a test waits for: a server of its own with a client that got its first answer.
pub(crate) async fn for_tests() -> Res<()> {
    let cel: Arc<Cel> = Arc::new(Cel::default());
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let begin = Instant::now();
        let server = TestServer::start(Arc::clone(&cel) as _).await?;
        let started = begin.elapsed();
        server.client().apiserver_version().await?;
        times.push((started, begin.elapsed()));
        server.stop().await;
    }
    let median = |mut of: Vec<std::time::Duration>| {
        of.sort_unstable();
        of[STARTS / 2]
    };
    let (started, answered) = times.into_iter().unzip();
    println!(
        "TestServer, median of {STARTS}: started {:?}, first answer of its client {:?}",
        median(started),
        median(answered)
    );
    Ok(())
}

pub(crate) async fn large(folder: &Path) -> Res<()> {
    let server = TestServer::start_in(Arc::new(Cel::default()), folder).await?;
    let mut bytes = 0;
    let begin = Instant::now();
    for chunk in 0..OBJECTS / 1000 {
        let mut writes = Vec::with_capacity(1000);
        for number in 0..1000 {
            let name = format!("object-{chunk:03}-{number:03}");
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "default", "uid": format!("00000000-0000-4000-8000-{chunk:06}{number:06}"),
                    "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": "web", "tier": "front"}},
                "data": {"config": "x".repeat(700)}});
            bytes += object.to_string().len();
            let key = Key::new("core/configmaps", "default", &name);
            writes.push(Write { key, expect: Expect::Absent, change: Change::Put(Draft::new(&object)?) });
        }
        for outcome in server.running().storage().write_all(writes).await {
            outcome?;
        }
    }
    let rate = OBJECTS as f64 / begin.elapsed().as_secs_f64();
    println!("{OBJECTS} objects, {:.0} MB of JSON, written in batches of 1,000: {rate:.0}/s", bytes as f64 / 1e6);
    server.stop().await;
    let (before, begin) = (resident()?, Instant::now());
    let server = TestServer::start_in(Arc::new(Cel::default()), folder).await?;
    println!(
        "start to ready with {OBJECTS} objects: {:?}, memory {:.1} MB (before it {before:.1} MB)",
        begin.elapsed(),
        resident()?
    );
    server.stop().await;
    Ok(())
}
