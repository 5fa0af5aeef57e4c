//! How long simulated workloads take to settle: N deployments of M pods, from the first request until all is available, then one
//! image changed everywhere. `cargo run --release -p kanon-apiserver --example workloads_bench [deployments] [pods] [folder]`
#![allow(clippy::disallowed_methods, reason = "a bench reads clocks and arguments")]
#![allow(clippy::disallowed_macros, reason = "a bench prints")]

use std::{error::Error, path::PathBuf, sync::Arc, time::Instant};

use futures_util::future::try_join_all;
use http::{Method, Request};
use http_body_util::Full;
use kanon_apiserver::{ApiService, Place, TestServer};
use kanon_cel::Cel;
use kanon_store::ListOptions;
use serde_json::json;

type Res<T> = Result<T, Box<dyn Error + Send + Sync>>;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

#[tokio::main]
async fn main() -> Res<()> {
    let mut args = std::env::args().skip(1);
    let count = args.next().map_or(Ok(1000), |it| it.parse::<usize>())?;
    let pods = args.next().map_or(Ok(10), |it| it.parse::<usize>())?;
    let place = args.next().map_or(Place::Memory, |it| Place::Folder(PathBuf::from(it)));
    let server = TestServer::start_with(Arc::new(Cel::default()), |config| {
        config.place = place;
        config.simulate_workloads = true;
    })
    .await?;
    let service = server.running().admin_service();
    let begin = Instant::now();
    for chunk in (0..count).collect::<Vec<_>>().chunks(64) {
        try_join_all(chunk.iter().map(|number| create(&service, *number, pods))).await?;
    }
    println!("{count} deployments created: {:?}", begin.elapsed());
    settled(&server, count, pods, 1).await;
    println!("{count} × {pods} pods available: {:?}", begin.elapsed());
    let begin = Instant::now();
    for chunk in (0..count).collect::<Vec<_>>().chunks(64) {
        try_join_all(chunk.iter().map(|number| change(&service, *number))).await?;
    }
    settled(&server, count, pods, 2).await;
    println!("all rolled to another image: {:?}", begin.elapsed());
    server.stop().await;
    Ok(())
}

/// Waits until every deployment has all its pods of that revision and nothing of another.
async fn settled(server: &TestServer, count: usize, pods: usize, generation: i64) {
    loop {
        let page = server.running().storage().read(|it| it.list("apps/deployments/", ListOptions::default()));
        let entries = page.map(|it| it.entries).unwrap_or_default();
        let done = entries.iter().filter(|it| {
            let number = |name: &str| it.object.at(&["status", name]).and_then(|it| it.as_i64()).unwrap_or_default();
            let wanted = i64::try_from(pods).unwrap_or_default();
            number("observedGeneration") == generation
                && ["replicas", "updatedReplicas", "availableReplicas"].iter().all(|name| number(name) == wanted)
        });
        if done.count() == count {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn create(service: &ApiService, number: usize, pods: usize) -> Res<()> {
    let name = format!("web-{number}");
    let labels = json!({"app": name});
    let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": pods, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "web:1"}]}}}});
    ask(service, Method::POST, DEPLOYMENTS, "application/json", body.to_string()).await
}

async fn change(service: &ApiService, number: usize) -> Res<()> {
    let body = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:2"}]}}}});
    let path = format!("{DEPLOYMENTS}/web-{number}");
    ask(service, Method::PATCH, &path, "application/strategic-merge-patch+json", body.to_string()).await
}

async fn ask(service: &ApiService, method: Method, path: &str, content_type: &str, body: String) -> Res<()> {
    let request = Request::builder().method(method).uri(path).header("content-type", content_type);
    let response = service.handle(request.body(Full::from(body))?).await;
    if response.status().is_success() { Ok(()) } else { Err(format!("{path}: {}", response.status()).into()) }
}
