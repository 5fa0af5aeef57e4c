//! The listener and the client against each other, over real sockets on loopback.
#![allow(clippy::disallowed_methods, reason = "tests of a shell")]

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use jiff::{SignedDuration, Timestamp};
use kanon_net::{
    Authority, CallError, CancellationToken, HttpsClient, HttpsService, Leaf, Limits, Peer, ServerCertificate, Trust,
    Validity, bind, serve, tls_client_config, tls_server_config,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tower_service::Service as _;

const LIMIT: Duration = Duration::from_secs(10);

struct World {
    authority: Authority,
    certificate: Arc<ServerCertificate>,
    address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

fn validity() -> Validity {
    Validity::starting(Timestamp::now(), SignedDuration::from_hours(1))
}

/// Answers `VERSION CN,O…`; `/slow` takes a moment.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/slow" {
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    let peer = Peer::of(&request).expect("the listener put it there");
    let who = peer
        .identity
        .as_ref()
        .map(|it| format!("{} {}", it.common_name, it.organizations.join(",")))
        .unwrap_or_default();
    let version = if request.version() == Version::HTTP_2 { "h2" } else { "h1" };
    Ok(Response::new(Full::from(format!("{version} {who}"))))
}

async fn start(limits: Limits) -> World {
    let authority = Authority::create("test", validity()).expect("made");
    let leaf = authority.issue_server(&["localhost", "hook.shop.svc"], &[], validity()).expect("issued");
    let certificate = ServerCertificate::new(&leaf).expect("usable");
    let tls = tls_server_config(Arc::clone(&certificate), Some(authority.certificate_pem())).expect("config");
    let listener = bind("127.0.0.1:0".parse().expect("address")).await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(serve(listener, Some(tls), service_fn(answer), limits, shutdown.clone()));
    World { authority, certificate, address, shutdown, served }
}

impl World {
    fn client(&self, identity: Option<&Leaf>) -> HttpsClient {
        let trust = Trust::Bundle(self.authority.certificate_pem().to_owned());
        let tls = tls_client_config(&trust, identity).expect("config");
        let address = self.address;
        HttpsClient::new(tls, Some(Arc::new(move |_, _| Some(address))))
    }
}

async fn get(client: &HttpsClient, uri: &str) -> Result<String, CallError> {
    let request = Request::get(uri).body(Full::default()).expect("a request");
    let answer = client.call(request, LIMIT, 1024).await?;
    Ok(String::from_utf8_lossy(answer.body()).into_owned())
}

#[tokio::test]
async fn the_service_learns_who_calls() {
    let world = start(Limits::default()).await;
    let leaf = world.authority.issue_client("jane", &["ops"], validity()).expect("issued");
    assert_eq!(get(&world.client(Some(&leaf)), "https://hook.shop.svc/").await.as_deref(), Ok("h2 jane ops"));
    assert_eq!(get(&world.client(None), "https://localhost/").await.as_deref(), Ok("h2 "));
    let other = Authority::create("other", validity()).expect("made");
    let leaf = other.issue_client("jane", &["ops"], validity()).expect("issued");
    assert!(get(&world.client(Some(&leaf)), "https://localhost/").await.is_err());
    let wrong_name = get(&world.client(None), "https://elsewhere/").await.expect_err("not in the certificate");
    assert!(wrong_name.to_string().contains("certificate"), "{wrong_name}");
}

#[tokio::test]
async fn a_new_leaf_serves_new_connections() {
    let world = start(Limits::default()).await;
    let old = world.client(None);
    assert!(get(&old, "https://localhost/").await.is_ok());
    let leaf = world.authority.issue_server(&["renamed"], &[], validity()).expect("issued");
    world.certificate.replace(&leaf).expect("usable");
    assert!(get(&old, "https://localhost/").await.is_ok(), "the connection stands");
    assert!(get(&world.client(None), "https://renamed/").await.is_ok());
    assert!(get(&world.client(None), "https://localhost/").await.is_err());
}

#[tokio::test]
async fn shutdown_lets_requests_end() {
    let world = start(Limits::default()).await;
    let client = world.client(None);
    assert!(get(&client, "https://localhost/").await.is_ok());
    let slow = tokio::spawn(async move { get(&client, "https://localhost/slow").await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.shutdown.cancel();
    assert_eq!(slow.await.expect("no panic").as_deref(), Ok("h2 "));
    tokio::time::timeout(LIMIT, world.served).await.expect("ends").expect("no panic");
    assert!(TcpStream::connect(world.address).await.is_err());
}

#[tokio::test]
async fn plain_http_speaks_both_versions_and_slow_heads_end() {
    let listener = bind("127.0.0.1:0".parse().expect("address")).await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let shutdown = CancellationToken::new();
    tokio::spawn(serve(listener, None, service_fn(answer), limits, shutdown.clone()));
    for (sent, want) in [
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "HTTP/1.1 200 OK"),
        // A settings frame is the first thing that an HTTP/2 server says.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0", "\u{4}"),
        ("GET / HT", ""),
        ("PR", ""),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(sent.as_bytes()).await.expect("sent");
        let mut answer = vec![0; 64];
        let read = tokio::time::timeout(LIMIT, stream.read(&mut answer)).await.expect("in time");
        let answer = String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned();
        assert!(answer.contains(want) && answer.is_empty() == want.is_empty(), "{sent:?}: {answer:?}");
    }
    shutdown.cancel();
}

#[tokio::test]
async fn too_many_connections_are_closed_and_a_place_returns() {
    let world = start(Limits { connections_max: 1, ..Limits::default() }).await;
    let first = world.client(None);
    assert!(get(&first, "https://localhost/").await.is_ok());
    assert!(get(&world.client(None), "https://localhost/").await.is_err());
    drop(first);
    for _ in 0..100 {
        if get(&world.client(None), "https://localhost/").await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place never came back");
}

#[tokio::test]
async fn calls_that_begin_together_share_a_connection() {
    let world = start(Limits { connections_max: 1, ..Limits::default() }).await;
    let trust = Trust::Bundle(world.authority.certificate_pem().to_owned());
    let tls = tls_client_config(&trust, None).expect("config");
    let service: HttpsService<Full<Bytes>> = HttpsService::new(Arc::unwrap_or_clone(tls));
    let uri = format!("https://localhost:{}/", world.address.port());
    let calls: Vec<_> = (0..8)
        .map(|_| tokio::spawn(service.clone().call(Request::get(&uri).body(Full::default()).expect("a request"))))
        .collect();
    for call in calls {
        assert!(call.await.expect("no panic").is_ok(), "a second connection would have been closed");
    }
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let listener = bind("127.0.0.1:0".parse().expect("address")).await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let error = bind(address).await.expect_err("taken");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn long_answers_and_long_waits_are_errors() {
    let world = start(Limits::default()).await;
    let client = world.client(None);
    let request = || Request::get("https://localhost/slow").body(Full::default()).expect("a request");
    assert_eq!(client.call(request(), LIMIT, 1).await.map(drop), Err(CallError::TooLong(1)));
    let short = Duration::from_millis(20);
    assert_eq!(client.call(request(), short, 1024).await.map(drop), Err(CallError::Timeout(short)));
}
