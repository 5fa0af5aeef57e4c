//! Admission: the engine alone, and over TLS beside a webhook that decides nothing.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use jiff::{SignedDuration, Timestamp};
use kanon_core::{Input, Now, PolicyFile};
use kanon_net::{
    Authority, CancellationToken, HttpsClient, Limits, ServerCertificate, Trust, Validity, tls_client_config,
    tls_server_config,
};
use kanon_plane::{ObjectStore, Plane, Settings, Views};
use kanon_rules::RulesFamily;
use kanon_runtime::Clock;
use kanon_web::{Metrics, Snapshot, Webhook, parse_review};

use super::samples;
use crate::{median, report};

/// How long one round lasts.
const ROUND: Duration = Duration::from_secs(2);
/// Rounds of each side, interleaved.
const ROUNDS: usize = 5;
/// Connections that send at once.
const CONNECTIONS: usize = 8;

fn views(clock: Clock, rules: String) -> Views {
    let family = RulesFamily::new(Arc::new(kanon_expr::Expr::default()), kanon_rules::Settings::default());
    let mut plane = Plane::new(vec![Box::new(family)], Settings::default());
    let files = vec![PolicyFile { path: "rules.yaml".into(), text: rules.into() }];
    plane.handle(&Input::Folder { files, unreadable: Vec::new() }, clock.now());
    plane.views().clone()
}

/// Reviews a second on one core, parsing included.
pub(crate) fn engine(reviews: &[Bytes]) -> anyhow::Result<()> {
    rate(reviews, "16 rules", samples::rules(), "≥ 60,000")?;
    rate(reviews, "2,000 rules of tenants", samples::tenants(2_000), "-")
}

fn rate(reviews: &[Bytes], what: &str, rules: String, target: &str) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (views, objects) = (views(clock, rules), ObjectStore::default());
    let round = || -> anyhow::Result<f64> {
        let started = Instant::now();
        let mut done = 0;
        while started.elapsed() < ROUND / 4 {
            for review in reviews {
                let review = parse_review(review.clone())?;
                std::hint::black_box(views.review(&review, &objects, clock.now()));
            }
            done += reviews.len();
        }
        Ok(done as f64 / started.elapsed().as_secs_f64())
    };
    let rates = (0..7).map(|_| round()).collect::<Result<Vec<_>, _>>()?;
    let rate = format!("{:.0} reviews/s/core", median(rates));
    report(&format!("admission, engine with parsing, {what}"), &rate, target, "Gatekeeper's bench 358 / 703");
    Ok(())
}

struct Fixed {
    views: Arc<Views>,
    objects: Arc<ObjectStore>,
    clock: Clock,
}

impl Snapshot for Fixed {
    fn views(&self) -> Arc<Views> {
        Arc::clone(&self.views)
    }

    fn objects(&self) -> Arc<ObjectStore> {
        Arc::clone(&self.objects)
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn post(&self, input: Input) {
        std::hint::black_box(input);
    }
}

/// Requests a second over TLS, and the ratio to a null webhook in the same process.
pub(crate) async fn over_tls(reviews: &[Bytes]) -> anyhow::Result<()> {
    let clock = Clock::start();
    let validity = Validity::starting(Timestamp::now(), SignedDuration::from_hours(24));
    let authority = Authority::create("bench", validity)?;
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let leaf = authority.issue_server(&["localhost"], &[loopback], validity)?;
    let tls = tls_server_config(ServerCertificate::new(&leaf)?, None)?;
    let stop = CancellationToken::new();

    let snapshot = Fixed { views: Arc::new(views(clock, samples::rules())), objects: Arc::default(), clock };
    let webhook = Arc::new(Webhook::new(Arc::new(snapshot), Arc::new(Metrics::new(Vec::new(), Arc::default()))));
    let real = service_fn(move |request: Request<Incoming>| {
        let webhook = Arc::clone(&webhook);
        async move { Ok::<_, Infallible>(webhook.handle(request).await) }
    });
    let null = service_fn(|request: Request<Incoming>| async move {
        // It reads the body and answers as a webhook that admits everything must.
        let read = request.into_body().collect().await.map_or(0, |it| it.to_bytes().len());
        std::hint::black_box(read);
        let body =
            br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"","allowed":true}}"#;
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(body))))
    });
    let listen = || kanon_net::bind(SocketAddr::new(loopback, 0));
    let (real_listener, null_listener) = (listen().await?, listen().await?);
    let urls = [real_listener.local_addr()?, null_listener.local_addr()?].map(|it| format!("https://{it}/validate"));
    tokio::spawn(kanon_net::serve(real_listener, Some(Arc::clone(&tls)), real, Limits::default(), stop.clone()));
    tokio::spawn(kanon_net::serve(null_listener, Some(tls), null, Limits::default(), stop.clone()));

    let trust = Trust::Bundle(authority.certificate_pem().to_owned());
    let client = HttpsClient::new(tls_client_config(&trust, None)?, None);
    let (mut rates, mut nulls, mut ratios, mut latencies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (rate, mut latency) = load(&client, &urls[0], reviews).await?;
        let (null, _) = load(&client, &urls[1], reviews).await?;
        rates.push(rate);
        nulls.push(null);
        ratios.push(rate / null);
        latency.sort_unstable();
        latencies.push(latency.get(latency.len() * 99 / 100).map_or(f64::NAN, |it| it.as_secs_f64() * 1e3));
    }
    stop.cancel();
    let rate = format!("{:.0} req/s, null {:.0}", median(rates), median(nulls));
    report("admission over TLS, 16 rules, 8 connections", &rate, "", "Portal 4,069 (20 rules)");
    report("  ratio to the null webhook", &format!("{:.2}", median(ratios)), "≥ 0.6", "");
    let p99 = format!("p99 {:.2} ms", median(latencies));
    report("  latency, client on the same two cores", &p99, "≤ 1 ms at 10,000 req/s", "Portal 9.2 ms");
    Ok(())
}

async fn load(client: &HttpsClient, url: &str, reviews: &[Bytes]) -> anyhow::Result<(f64, Vec<Duration>)> {
    let started = Instant::now();
    let senders = (0..CONNECTIONS).map(|sender| {
        let (client, url, reviews) = (client.clone(), url.to_owned(), reviews.to_vec());
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            for review in reviews.iter().cycle().skip(sender * 97) {
                if started.elapsed() > ROUND {
                    break;
                }
                let sent = Instant::now();
                let request = Request::post(&url).body(Full::new(review.clone()))?;
                client.call(request, Duration::from_secs(10), 1 << 20).await?;
                latencies.push(sent.elapsed());
            }
            anyhow::Ok(latencies)
        })
    });
    let mut all = Vec::new();
    for sender in senders.collect::<Vec<_>>() {
        all.extend(sender.await??);
    }
    Ok((all.len() as f64 / started.elapsed().as_secs_f64(), all))
}
