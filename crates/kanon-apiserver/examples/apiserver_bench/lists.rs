//! LIST of 10,000 pods: when the first byte is there, when the last, and what the server's memory grows by.

use std::{path::Path, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kanon_apiserver::{ApiService, TestServer};
use kanon_cel::Cel;
use serde_json::json;

use crate::client::{Res, ask, resident};

const PODS: &str = "/api/v1/namespaces/default/pods";
const COUNT: usize = 10_000;

pub(crate) async fn pods(folder: &Path) -> Res<()> {
    let server = TestServer::start_in(Arc::new(Cel::default()), folder).await?;
    let service = server.running().admin_service();
    let makers = (0..50).map(|maker| {
        let service = service.clone();
        async move {
            for number in (maker..COUNT).step_by(50) {
                let pod = json!({"apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": format!("pod-{number:05}"), "labels": {"app": "web", "tier": format!("t{}", number % 10)}},
                    "spec": {"containers": [{"name": "web", "image": "registry/web:1", "env": [{"name": "A", "value": "b"}],
                        "ports": [{"containerPort": 80}], "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]}});
                ask(&service, Method::POST, PODS, "application/json", pod.to_string()).await?;
            }
            Res::Ok(())
        }
    });
    try_join_all(makers).await?;
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    for (what, accept, query) in
        [("JSON", "application/json", ""), ("JSON, indented", "application/json", "?pretty=true"), ("Table", table, "")]
    {
        // Once to warm up.
        list(&service, accept, query).await?;
        let before = resident()?;
        let (first, total, len, peak) = list(&service, accept, query).await?;
        println!(
            "LIST of {COUNT} pods as {what}: first byte {first:?}, all {:.1} MB {total:?}, memory +{:.1} MB",
            len as f64 / 1e6,
            peak - before
        );
    }
    server.stop().await;
    Ok(())
}

async fn list(
    service: &ApiService,
    accept: &str,
    query: &str,
) -> Res<(std::time::Duration, std::time::Duration, usize, f64)> {
    let begin = Instant::now();
    let request = Request::get(format!("{PODS}{query}")).header("accept", accept).body(Full::<Bytes>::default())?;
    let mut body = service.handle(request).await.into_body();
    let (mut first, mut len, mut peak, mut frames) = (None, 0, 0.0_f64, 0);
    while let Some(frame) = body.frame().await {
        len += frame?.data_ref().map_or(0, Bytes::len);
        first.get_or_insert_with(|| begin.elapsed());
        frames += 1;
        if frames % 50 == 0 {
            peak = peak.max(resident()?);
        }
    }
    let total = begin.elapsed();
    Ok((first.unwrap_or(total), total, len, peak.max(resident()?)))
}
