//! Events delivered a second to many watchers of one collection.

use std::{path::Path, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kanon_apiserver::TestServer;
use kanon_cel::Cel;
use serde_json::json;

use crate::client::{MAPS, Res, ask, resident};

const EVENTS: usize = 5_000;
const WRITERS: usize = 50;

pub(crate) async fn fan_out(folder: &Path, watchers: usize) -> Res<()> {
    let server = TestServer::start_in(Arc::new(Cel::default()), folder).await?;
    let service = server.running().admin_service();
    let version = server.running().storage().revision();
    let before = resident()?;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..watchers)
        .map(|_| {
            let service = service.clone();
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
    let writers = (0..WRITERS).map(|writer| {
        let service = service.clone();
        async move {
            for number in 0..EVENTS / WRITERS {
                let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": format!("f{writer}-{number}")}, "data": {"colour": "blue"}});
                ask(&service, Method::POST, MAPS, "application/json", map.to_string()).await?;
            }
            Res::Ok(())
        }
    });
    try_join_all(writers).await?;
    let wrote = begin.elapsed();
    let mut seen = 0;
    for task in tasks {
        seen += task.await??;
    }
    let rate = seen as f64 / begin.elapsed().as_secs_f64();
    println!(
        "watch fan-out, in process, {watchers} watchers: {rate:.0} events/s ({EVENTS} writes took {wrote:?}, memory +{:.1} MB)",
        resident()? - before
    );
    server.stop().await;
    Ok(())
}
