//! Clients that are slow, broken, greedy or malicious: no panic, bounded memory, good traffic unharmed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kanon_apiserver::Body;
use kanon_core::UserInfo;
use kanon_net::{Trust, tls_client_config};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Mutex,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::world::{LIMIT, World};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Memory is the process's: those who measure it run one after the other, whatever runs the tests.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Resident memory of this process (server and clients), in MB.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap_or_default() / 1024
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

/// Connects as the administrator, speaking this protocol.
async fn connect(world: &World, protocol: &[u8]) -> TlsStream<TcpStream> {
    let running = world.server.running();
    let trust = Trust::Bundle(running.authority_pem().to_owned());
    let mut config = (*tls_client_config(&trust, Some(running.admin())).expect("a client")).clone();
    config.alpn_protocols = vec![protocol.to_vec()];
    let tcp = TcpStream::connect(running.address()).await.expect("connected");
    let name = "localhost".try_into().expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("a handshake")
}

/// What ordinary clients do still works, and quickly.
async fn all_is_well(world: &World, name: &str) {
    let begin = std::time::Instant::now();
    assert_eq!(world.post(MAPS, &map(name)).await.0, 201);
    let mut stream = connect(world, b"http/1.1").await;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer)).await.expect("in time").expect("read");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

async fn inflight(world: &World) -> Vec<u64> {
    let (_, text) = world.get("/metrics").await;
    let lines = text.as_str().unwrap_or_default().lines();
    let counts = lines.filter_map(|it| it.strip_prefix("apiserver_current_inflight_requests{")?.split_once("} "));
    counts.filter_map(|(_, count)| count.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_cost_little() {
    let _alone = ALONE.lock().await;
    let world = World::start().await;
    all_is_well(&world, "before").await;
    let before = resident();
    let mut idle = Vec::new();
    for number in 0..1000 {
        let protocol: &[u8] = if number % 2 == 0 { b"http/1.1" } else { b"h2" };
        let mut stream = connect(&world, protocol).await;
        if number % 2 == 1 {
            // The preface and empty settings: a connection that could be used.
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sent");
        }
        idle.push(stream);
    }
    all_is_well(&world, "among").await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 200, "both ends of 1,000 connections hold {grown} MB");
    drop(idle);
    all_is_well(&world, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_and_slow_bodies_end_in_time() {
    let _alone = ALONE.lock().await;
    let world = World::start_with(|config| {
        config.limits.head = Duration::from_millis(200);
        config.limits.handshake = Duration::from_millis(200);
        config.requests.body_time = Duration::from_millis(200);
    })
    .await;
    let mut head = connect(&world, b"http/1.1").await;
    head.write_all(b"GET /version HTTP/1.1\r\nx: ").await.expect("sent");
    let mut body = connect(&world, b"http/1.1").await;
    let request =
        format!("POST {MAPS} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\ncontent-type: application/json\r\n\r\n{{");
    body.write_all(request.as_bytes()).await.expect("sent");
    let mut silent = TcpStream::connect(world.server.running().address()).await.expect("connected");
    let mut answer = vec![0; 4096];
    let read = timeout(LIMIT, body.read(&mut answer)).await.expect("in time").expect("read");
    assert!(answer[..read].starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer[..read]));
    // Closed, in order or not.
    let _ = timeout(LIMIT, head.read_to_end(&mut answer)).await.expect("the head is not waited for");
    let _ = timeout(LIMIT, silent.read_to_end(&mut answer)).await.expect("the handshake is not waited for");
    all_is_well(&world, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_nothing_of_an_answer_is_let_go() {
    let _alone = ALONE.lock().await;
    let world = World::start_with(|config| config.limits.stall = Duration::from_millis(300)).await;
    for number in 0..20 {
        let mut object = map(&format!("m{number}"));
        object["data"] = json!({"fill": "x".repeat(1_000_000)});
        assert_eq!(world.post(MAPS, &object).await.0, 201);
    }
    let request = format!("GET {MAPS} HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut stalled = Vec::new();
    for _ in 0..10 {
        let mut stream = connect(&world, b"http/1.1").await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        stalled.push(stream);
    }
    let begin = std::time::Instant::now();
    while inflight(&world).await != [1, 0] {
        assert!(begin.elapsed() < LIMIT, "their places are given back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    all_is_well(&world, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_and_aborted_bodies_leave_nothing_behind() {
    let _alone = ALONE.lock().await;
    let world = World::start().await;
    all_is_well(&world, "before").await;
    let before = resident();
    for _ in 0..10 {
        let stream = TokioIo::new(connect(&world, b"h2").await);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.expect("h2");
        let driver = tokio::spawn(connection);
        for _ in 0..300 {
            if sender.ready().await.is_err() {
                // The server has had enough of this connection.
                break;
            }
            let url = format!("https://localhost{MAPS}");
            let request = Request::get(url).body(Empty::<Bytes>::new()).expect("a request");
            let mut answer = Box::pin(sender.send_request(request));
            // Sent, then taken back.
            let _ = timeout(Duration::from_micros(1), answer.as_mut()).await;
        }
        drop(sender);
        driver.abort();
    }
    for _ in 0..200 {
        let mut stream = connect(&world, b"http/1.1").await;
        let head = format!(
            "POST {MAPS} HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\ncontent-type: application/json\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(&[b'{'; 10_000]).await.expect("sent");
    }
    let begin = std::time::Instant::now();
    // The question itself is one of those at work.
    while inflight(&world).await != [1, 0] {
        assert!(begin.elapsed() < LIMIT, "places are given back: {:?}", inflight(&world).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 150, "{grown} MB are left");
    all_is_well(&world, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_make_no_sense_are_refused_in_words() {
    let _alone = ALONE.lock().await;
    let world = World::start().await;
    let before = resident();
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let json_type = "application/json";
    let lists = nested("[", "]");
    let objects = nested("{\"a\":", "}").replace(":}", ":1}");
    let yaml = format!("a: {}", nested("[", "]"));
    let twice = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}"#;
    let deep = format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"deep"}},"data":{lists}}}"#);
    let strict = format!("{MAPS}?fieldValidation=Strict");
    for (path, content_type, body, want) in [
        (MAPS, json_type, lists.as_str(), 400),
        (MAPS, json_type, objects.as_str(), 400),
        (MAPS, json_type, deep.as_str(), 400),
        (MAPS, "application/yaml", yaml.as_str(), 400),
        (strict.as_str(), json_type, twice, 400),
        (MAPS, json_type, twice, 201),
        (MAPS, "application/yaml", "a: &a [*a, *a]", 400),
        (MAPS, json_type, "\u{feff}{}", 400),
        (MAPS, "application/vnd.kubernetes.protobuf", "k8s\0\u{1}\u{1}", 400),
    ] {
        let (code, status) = world.ask(Method::POST, path, content_type, body).await;
        assert_eq!(code, want, "{} {status}", &body[..body.len().min(40)]);
        assert!(want == 201 || status["message"].as_str().is_some_and(|it| it.len() < 4096), "{status}");
    }
    for body in
        [&b"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"\xff\"}}"[..], b"\xff\xfe", b"\0"]
    {
        let request = Request::post(MAPS).header("content-type", json_type);
        let answer = world.send(request.body(Full::from(body.to_vec())).expect("a request")).await;
        assert_eq!(answer.status().as_u16(), 400, "{body:?}");
    }
    // Patches are bodies too.
    let here = format!("{MAPS}/twice");
    for (content_type, body) in [
        ("application/merge-patch+json", &objects),
        ("application/json-patch+json", &lists),
        ("application/apply-patch+yaml", &yaml),
    ] {
        let (code, _) = world.ask(Method::PATCH, &format!("{here}?fieldManager=a"), content_type, body).await;
        assert!((400..500).contains(&code), "{content_type}: {code}");
    }
    // Aliases that would unfold to billions of nodes.
    let bomb = (1..12).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, it| {
        let refers = vec![format!("*a{}", it - 1); 10].join(",");
        format!("{text}a{it}: &a{it} [{refers}]\n")
    });
    assert_eq!(world.ask(Method::POST, MAPS, "application/yaml", &bomb).await.0, 400);
    let grown = resident().saturating_sub(before);
    assert!(grown < 150, "{grown} MB are left");
    all_is_well(&world, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_three_megabytes_pass_and_larger_ones_do_not() {
    let _alone = ALONE.lock().await;
    let world = World::start().await;
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "blobs.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "blobs", "kind": "Blob"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    assert_eq!(world.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &crd).await.0, 201);
    let blobs = "/apis/example.com/v1/namespaces/default/blobs";
    let begin = std::time::Instant::now();
    while world.get(blobs).await.0 != 200 {
        assert!(begin.elapsed() < LIMIT, "the kind is served");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = resident();
    let blob = |name: usize, size: usize| json!({"apiVersion": "example.com/v1", "kind": "Blob", "metadata": {"name": format!("b{name}")}, "fill": "x".repeat(size)});
    for name in 0..8 {
        let (code, answer) = world.post(blobs, &blob(name, 3 * 1024 * 1024 - 200)).await;
        assert_eq!(code, 201, "{}", answer["message"]);
    }
    let (code, answer) = world.post(blobs, &blob(9, 3 * 1024 * 1024)).await;
    assert_eq!((code, &answer["reason"]), (413, &json!("RequestEntityTooLarge")));
    let (code, list) = world.get(blobs).await;
    assert_eq!((code, list["items"].as_array().map(Vec::len)), (200, Some(8)));
    drop(list);
    let grown = resident().saturating_sub(before);
    assert!(grown < 300, "8 objects of 3 MB hold {grown} MB");
    all_is_well(&world, "after").await;
}

/// Reads watch lines until one has this text.
async fn until(mut body: Body, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        let Some(frame) = timeout(LIMIT, body.frame()).await.expect("in time") else { break };
        let data = frame.expect("infallible").into_data().unwrap_or_default();
        seen.push_str(&String::from_utf8_lossy(&data));
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_watcher_is_told_and_others_see_everything() {
    let _alone = ALONE.lock().await;
    let world = World::start_with(|config| config.store.history_events = 50).await;
    let watch = |query: &'static str| Request::get(format!("{MAPS}?watch=true{query}")).body(Full::default());
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(world.send(watch("").expect("a request")).await.into_body());
    }
    // One that reads, and one that has begun to.
    let fast = world.send(watch("").expect("a request")).await.into_body();
    let fast = tokio::spawn(until(fast, "\"name\":\"m-last\""));
    for body in &mut slow {
        body.frame().await.expect("the first objects").expect("infallible");
    }
    let before = resident();
    for number in 0..1000 {
        let mut object = map(&format!("m{number}"));
        object["data"] = json!({"fill": "x".repeat(10_000)});
        assert_eq!(world.post(MAPS, &object).await.0, 201);
        assert_eq!(world.ask(Method::DELETE, &format!("{MAPS}/m{number}"), "", "").await.0, 200);
        if number % 10 == 0 {
            // Whoever reads keeps up; the others do not get the chance.
            tokio::task::yield_now().await;
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 100, "20 MB of events for 100 watchers hold {grown} MB");
    assert_eq!(world.post(MAPS, &map("m-last")).await.0, 201);
    let seen = fast.await.expect("read");
    let is_told = seen.contains("\"code\":410");
    assert!(is_told || (0..1000).all(|it| seen.contains(&format!("\"name\":\"m{it}\""))), "all or 410");
    for body in slow {
        let seen = until(body, "\n\n never").await;
        let last: Value = serde_json::from_str(seen.lines().last().expect("a line")).expect("JSON");
        assert_eq!((&last["type"], &last["object"]["code"]), (&json!("ERROR"), &json!(410)));
    }
}

#[tokio::test]
async fn whoever_asks_too_much_is_asked_to_wait_and_others_go_on() {
    let _alone = ALONE.lock().await;
    let world = World::start_with(|config| {
        config.requests.reads_max = 8;
        config.requests.reserved = 2;
        config.requests.wait = Duration::from_millis(100);
    })
    .await;
    let user = |name: &str| {
        let groups = vec!["system:masters".to_owned()];
        world.server.running().service().acting_as(UserInfo {
            username: name.to_owned(),
            groups,
            ..UserInfo::default()
        })
    };
    let ask = || Request::get(MAPS).body(Full::<Bytes>::default()).expect("a request");
    // Answers that nobody takes: their places stay taken.
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(user("greedy").handle(ask()).await);
        assert_eq!(held.last().map(|it| it.status().as_u16()), Some(200));
    }
    let refused = user("greedy").handle(ask()).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &http::HeaderValue::from_static("1"))
    );
    let body = refused.into_body().collect().await.expect("infallible").to_bytes();
    let status: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&status["reason"], &status["details"]["retryAfterSeconds"]), (&json!("TooManyRequests"), &json!(1)));
    for name in ["modest", "system:kube-scheduler"] {
        assert_eq!(user(name).handle(ask()).await.status().as_u16(), 200, "{name}");
    }
    drop(held);
    assert_eq!(user("greedy").handle(ask()).await.status().as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_any_length_are_made_as_they_are_taken() {
    let _alone = ALONE.lock().await;
    let world = World::start().await;
    let pods = "/api/v1/namespaces/default/pods";
    let labels: Value =
        (0..20).map(|it| (format!("label-{it}"), json!("x".repeat(40)))).collect::<serde_json::Map<_, _>>().into();
    for number in 0..2000 {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("p{number:04}"), "labels": labels},
            "spec": {"containers": [{"name": "c", "image": "i"}]}});
        assert_eq!(world.post(pods, &pod).await.0, 201);
    }
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    for (accept, query, list) in [
        (table, "", "rows"),
        (table, "?includeObject=Object", "rows"),
        (partial, "", "items"),
        ("application/json", "", "items"),
        ("application/json", "?pretty=true", "items"),
    ] {
        let before = resident();
        let mut bodies = Vec::new();
        for _ in 0..50 {
            let request = Request::get(format!("{pods}{query}")).header("accept", accept).body(Full::default());
            let mut body = world.send(request.expect("a request")).await.into_body();
            let first = body.frame().await.expect("a frame").expect("infallible").into_data().expect("data");
            assert!(first.starts_with(b"{"));
            bodies.push((first, body));
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < 60, "{accept}{query}: 50 answers that have begun hold {grown} MB");
        let (first, body) = bodies.pop().expect("one");
        let rest = body.collect().await.expect("infallible").to_bytes();
        let whole: Value = serde_json::from_slice(&[first, rest].concat()).expect("JSON");
        assert_eq!(whole[list].as_array().map(Vec::len), Some(2000), "{accept}{query}");
    }
}
