//! Clients of the bench, with and without a socket, and what they measure with.

use std::{
    error::Error,
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
use kanon_net::{HttpsClient, Trust, tls_client_config};

pub(crate) type Res<T> = Result<T, Box<dyn Error + Send + Sync>>;

pub(crate) const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SPAN: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(30);

/// How many times a second `work` runs with so many at a time, and what one takes of a processor (client and server): on a
/// machine with neighbours the latter says more.
pub(crate) async fn rate<F, W>(clients: usize, work: F) -> Res<String>
where
    F: Fn(usize, usize) -> W + Send + Sync + 'static,
    W: Future<Output = Res<()>> + Send + 'static,
{
    let (done, work) = (Arc::new(AtomicUsize::new(0)), Arc::new(work));
    let (begin, before) = (Instant::now(), processor()?);
    let one = |client: usize| {
        let (done, work) = (Arc::clone(&done), Arc::clone(&work));
        async move {
            let task = tokio::spawn(async move {
                let mut number = 0;
                while begin.elapsed() < SPAN {
                    work(client, number).await?;
                    number += 1;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Res::Ok(())
            });
            task.await?
        }
    };
    try_join_all((0..clients).map(one)).await?;
    let done = done.load(Ordering::Relaxed) as f64;
    let (rate, each) = (done / begin.elapsed().as_secs_f64(), (processor()? - before) * 1e6 / done);
    Ok(format!("{rate:.0}/s, {each:.0} µs of a processor each"))
}

/// Seconds of processor time of this process.
fn processor() -> Res<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|it| it.parse::<f64>().ok()).unwrap_or_default();
    // User and system time in hundredths of a second (proc(5), fields 14 and 15).
    Ok((ticks(11) + ticks(12)) / 100.0)
}

/// A call in this process.
pub(crate) async fn ask(service: &ApiService, method: Method, path: &str, kind: &str, body: String) -> Res<Bytes> {
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    let answer = service.handle(request.body(Full::<Bytes>::from(body))?).await;
    if !answer.status().is_success() {
        return Err(format!("{path}: {}", answer.status()).into());
    }
    Ok(answer.into_body().collect().await?.to_bytes())
}

/// A call over TLS.
pub(crate) async fn call(client: &HttpsClient, method: Method, url: &str, kind: &str, body: String) -> Res<()> {
    let request = Request::builder().method(method).uri(url).header("content-type", kind);
    let answer = client.call(request.body(Full::from(body))?, LIMIT, 1 << 20).await?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("{url}: {}", answer.status()).into()) }
}

/// An administrator over TLS, with connections of its own.
pub(crate) fn admin(server: &TestServer) -> Res<HttpsClient> {
    let trust = Trust::Bundle(server.running().authority_pem().to_owned());
    Ok(HttpsClient::new(tls_client_config(&trust, Some(server.running().admin()))?, None))
}

/// Resident memory of this process in MB.
pub(crate) fn resident() -> Res<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}
