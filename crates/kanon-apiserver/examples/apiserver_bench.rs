//! Figures of the server on this machine (design §6): start to ready, durable creates, reads, watch fan-out. In one process,
//! over TLS and HTTP/2 on loopback where it says so. `cargo run --release -p kanon-apiserver --example apiserver_bench [folder]`
#![allow(clippy::disallowed_methods, reason = "a bench reads clocks and arguments")]
#![allow(clippy::disallowed_macros, reason = "a bench prints")]

use std::{
    error::Error,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kanon_apiserver::{ApiService, TestServer};
use kanon_cel::Cel;
use kanon_net::{HttpsClient, Trust, tls_client_config};
use serde_json::json;

type Res<T> = Result<T, Box<dyn Error + Send + Sync>>;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SPAN: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(30);

fn map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"colour": "blue", "size": "1"}})
        .to_string()
}

#[tokio::main]
async fn main() -> Res<()> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("apiserver_bench_{}", std::process::id()));
    let cel = || Arc::new(Cel::default());
    for (what, place) in [("in memory", None), ("new folder", Some(&folder)), ("that folder again", Some(&folder))] {
        let begin = Instant::now();
        let server = match place {
            None => TestServer::start(cel()).await?,
            Some(folder) => TestServer::start_in(cel(), folder).await?,
        };
        println!("start to ready, {what}: {:?}", begin.elapsed());
        server.stop().await;
    }
    let server = TestServer::start_in(cel(), &folder).await?;
    let service = server.running().admin_service();
    for clients in [1, 16, 64, 256] {
        let rate = run(clients, |client, number| {
            let service = service.clone();
            async move { create(&service, &format!("p{clients}-{client}-{number}")).await }
        })
        .await?;
        println!("durable creates, in process, {clients} clients: {rate:.0}/s");
    }
    let trust = Trust::Bundle(server.running().authority_pem().to_owned());
    let tls = tls_client_config(&trust, Some(server.running().admin()))?;
    let client = HttpsClient::new(tls, None);
    let url = format!("{}{MAPS}", server.url());
    for clients in [1, 16, 64] {
        let rate = run(clients, |number, at| {
            let (client, url) = (client.clone(), url.clone());
            async move { call(&client, Method::POST, &url, map(&format!("t{clients}-{number}-{at}"))).await }
        })
        .await?;
        println!("durable creates, TLS, {clients} clients: {rate:.0}/s");
    }
    for clients in [1, 64] {
        let rate = run(clients, |_, _| {
            let (client, url) = (client.clone(), format!("{url}/p1-0-0"));
            async move { call(&client, Method::GET, &url, String::new()).await }
        })
        .await?;
        println!("GET, TLS, {clients} clients: {rate:.0}/s");
    }
    let rate = run(2, |_, _| {
        let service = service.clone();
        async move { ask(&service, Method::GET, &format!("{MAPS}/p1-0-0"), String::new()).await.map(drop) }
    })
    .await?;
    println!("GET, in process: {rate:.0}/s");
    fan_out(&service).await?;
    server.stop().await;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// How many times a second `work` runs with so many at a time.
async fn run<F, W>(clients: usize, work: F) -> Res<f64>
where
    F: Fn(usize, usize) -> W,
    W: Future<Output = Res<()>> + Send + 'static,
{
    let done = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let one = |client: usize| {
        let (done, work) = (Arc::clone(&done), &work);
        async move {
            let mut number = 0;
            while begin.elapsed() < SPAN {
                tokio::spawn(work(client, number)).await??;
                number += 1;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Res::Ok(())
        }
    };
    try_join_all((0..clients).map(one)).await?;
    Ok(done.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64())
}

async fn create(service: &ApiService, name: &str) -> Res<()> {
    ask(service, Method::POST, MAPS, map(name)).await.map(drop)
}

async fn ask(service: &ApiService, method: Method, path: &str, body: String) -> Res<Bytes> {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let answer = service.handle(request.body(Full::<Bytes>::from(body))?).await;
    if !answer.status().is_success() {
        return Err(format!("{path}: {}", answer.status()).into());
    }
    Ok(answer.into_body().collect().await?.to_bytes())
}

async fn call(client: &HttpsClient, method: Method, url: &str, body: String) -> Res<()> {
    let request = Request::builder().method(method).uri(url).header("content-type", "application/json");
    let answer = client.call(request.body(Full::from(body))?, LIMIT, 1 << 20).await?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("{url}: {}", answer.status()).into()) }
}

/// Events delivered a second to many watchers of one collection.
async fn fan_out(service: &ApiService) -> Res<()> {
    const WATCHERS: usize = 200;
    const EVENTS: usize = 5_000;
    let list = ask(service, Method::GET, &format!("{MAPS}?limit=1"), String::new()).await?;
    let list: serde_json::Value = serde_json::from_slice(&list)?;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    let begin = Instant::now();
    let watchers: Vec<_> = (0..WATCHERS)
        .map(|_| {
            let (service, version) = (service.clone(), version.clone());
            tokio::spawn(async move {
                let path = format!("{MAPS}?watch=true&resourceVersion={version}");
                let request = Request::get(path).body(Full::<Bytes>::default())?;
                let mut body = service.handle(request).await.into_body();
                let mut seen = 0;
                while seen < EVENTS {
                    let Some(frame) = body.frame().await else { break };
                    let data = frame?.into_data().unwrap_or_default();
                    seen += data.iter().filter(|it| **it == b'\n').count();
                }
                Res::Ok(seen)
            })
        })
        .collect();
    let writers = (0..50).map(|writer| async move {
        for number in 0..EVENTS / 50 {
            create(service, &format!("f{writer}-{number}")).await?;
        }
        Res::Ok(())
    });
    try_join_all(writers).await?;
    let wrote = begin.elapsed();
    let mut seen = 0;
    for watcher in watchers {
        seen += watcher.await??;
    }
    let rate = seen as f64 / begin.elapsed().as_secs_f64();
    println!("watch fan-out, in process, {WATCHERS} watchers: {rate:.0} events/s ({EVENTS} writes took {wrote:?})");
    Ok(())
}
