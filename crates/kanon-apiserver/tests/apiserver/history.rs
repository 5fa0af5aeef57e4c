//! Watches under concurrent writers: every event once, in order, and nothing missing; from the start and from a version in
//! between, whole collections and single namespaces.

use std::collections::BTreeMap;

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use crate::world::{LIMIT, World};

const WRITERS: usize = 8;
const ROUNDS: usize = 30;

/// Reads a watch until it has seen `last`; gives `(type, version, name)` of each event.
async fn follow(world: &World, query: &str, last: &str) -> Vec<(String, u64, String)> {
    let request = Request::get(format!("/api/v1/configmaps?watch=true{query}")).body(Full::default());
    let mut body = world.send(request.expect("a request")).await.into_body();
    let mut events = Vec::new();
    let mut rest = Vec::new();
    while let Some(frame) = tokio::time::timeout(LIMIT, body.frame()).await.expect("in time") {
        rest.extend_from_slice(&frame.expect("infallible").into_data().expect("data"));
        while let Some(end) = rest.iter().position(|it| *it == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let event: Value = serde_json::from_slice(&line).expect("a line of JSON");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let metadata = &event["object"]["metadata"];
            let version = text(&metadata["resourceVersion"]).parse().expect("a version");
            events.push((text(&event["type"]), version, text(&metadata["name"])));
            if metadata["name"] == last {
                return events;
            }
        }
    }
    panic!("the watch ended before {last}");
}

/// Creates, changes and deletes objects of its own, among others that do the same.
async fn write(world: &World, writer: usize) {
    let maps = "/api/v1/namespaces/default/configmaps";
    for round in 0..ROUNDS {
        let name = format!("w{writer}-{round}");
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": "0"}});
        assert_eq!(world.post(maps, &object).await.0, 201);
        for number in 1..3 {
            let patch = json!({"data": {"n": number.to_string()}}).to_string();
            let path = format!("{maps}/{name}");
            assert_eq!(world.ask(Method::PATCH, &path, "application/merge-patch+json", &patch).await.0, 200);
        }
        if round % 2 == 0 {
            assert_eq!(world.ask(Method::DELETE, &format!("{maps}/{name}"), "", "").await.0, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_see_every_event_once_and_in_order() {
    let world = World::start().await;
    let (_, list) = world.get("/api/v1/configmaps").await;
    let start = list["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
    let follower = |query: String| {
        let world = &world;
        async move { follow(world, &query, "the-end").await }
    };
    let writers = async {
        futures_util::future::join_all((0..WRITERS).map(|it| write(&world, it))).await;
        let end = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "the-end"}});
        assert_eq!(world.post("/api/v1/namespaces/default/configmaps", &end).await.0, 201);
    };
    let watchers = futures_util::future::join_all((0..4).map(|_| follower(format!("&resourceVersion={start}"))));
    let ((), seen) = futures_util::future::join(writers, watchers).await;
    let whole = &seen[0];
    // Four events an object that is deleted, three of the others, and the last.
    assert_eq!(whole.len(), WRITERS * (ROUNDS / 2) * (4 + 3) + 1);
    for other in &seen {
        assert_eq!(other, whole);
    }
    assert!(whole.windows(2).all(|pair| pair[0].1 < pair[1].1), "versions grow");
    check_each_object(whole);
    for at in [0, whole.len() / 3, whole.len() - 2] {
        let resumed = follow(&world, &format!("&resourceVersion={}", whole[at].1), "the-end").await;
        assert_eq!(resumed, whole[at + 1..], "resumed after event {at}");
    }
}

/// Each object begins with ADDED, and nothing follows its DELETED.
fn check_each_object(events: &[(String, u64, String)]) {
    let mut objects: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (kind, _, name) in events {
        objects.entry(name).or_default().push(kind);
    }
    for (name, kinds) in objects {
        let want: &[&str] = match kinds.len() {
            1 => &["ADDED"],
            3 => &["ADDED", "MODIFIED", "MODIFIED"],
            _ => &["ADDED", "MODIFIED", "MODIFIED", "DELETED"],
        };
        assert_eq!(kinds, want, "{name}");
    }
}

#[tokio::test]
async fn a_watch_from_a_forgotten_version_is_told_so() {
    let world = World::start_with(|config| config.store.history_events = 4).await;
    for number in 0..10 {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("n{number}")}});
        assert_eq!(world.post("/api/v1/namespaces/default/configmaps", &object).await.0, 201);
    }
    let request = Request::get("/api/v1/configmaps?watch=true&resourceVersion=2").body(Full::default());
    let answer = world.send(request.expect("a request")).await;
    assert_eq!(answer.status().as_u16(), 200);
    let body = tokio::time::timeout(LIMIT, answer.into_body().collect()).await.expect("ends").expect("infallible");
    let event: Value = serde_json::from_slice(&body.to_bytes()).expect("one line");
    assert_eq!((event["type"].as_str(), event["object"]["code"].as_u64()), (Some("ERROR"), Some(410)), "{event}");
    assert_eq!(event["object"]["reason"], "Expired");
}

#[tokio::test]
async fn bookmarks_end_the_start_and_the_watch() {
    let world = World::start().await;
    let query =
        "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1";
    let request = Request::get(format!("/api/v1/namespaces?{query}")).body(Full::default());
    let answer = world.send(request.expect("a request")).await;
    let body = tokio::time::timeout(LIMIT, answer.into_body().collect()).await.expect("ends").expect("infallible");
    let text = String::from_utf8(body.to_bytes().to_vec()).expect("text");
    let events: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).expect("JSON")).collect();
    let kinds: Vec<&str> = events.iter().filter_map(|it| it["type"].as_str()).collect();
    assert_eq!(kinds, ["ADDED", "ADDED", "ADDED", "ADDED", "BOOKMARK", "BOOKMARK"]);
    assert_eq!(events[4]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}
