//! Events go an hour after they were written last, by the server's clock.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use kanon_core::{Mono, Now};
use serde_json::{Value, json};

use crate::world::{LIMIT, World};

const EVENTS: &str = "/api/v1/namespaces/default/events";

/// A server whose clock the test holds.
struct Held {
    world: World,
    time: Arc<Mutex<Timestamp>>,
}

impl Held {
    async fn start(age: Duration) -> Held {
        let time = Arc::new(Mutex::new("2026-01-02T00:00:00Z".parse::<Timestamp>().expect("a time")));
        let held = Arc::clone(&time);
        let world = World::start_with(|config| {
            config.clock = Arc::new(move || Now::new(*held.lock().expect("unpoisoned"), Mono::default()));
            config.event_ttl = age;
        })
        .await;
        Held { world, time }
    }

    fn pass(&self, minutes: i64) {
        *self.time.lock().expect("unpoisoned") += SignedDuration::from_mins(minutes);
    }

    async fn note(&self, name: &str) {
        let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name},
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "Seen", "count": 1});
        assert_eq!(self.world.post(EVENTS, &event).await.0, 201);
    }

    async fn names(&self) -> Vec<String> {
        let (_, list) = self.world.get(EVENTS).await;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|it| it["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    async fn becomes(&self, want: &[&str]) {
        let begin = Instant::now();
        while self.names().await != want {
            assert!(begin.elapsed() < LIMIT, "{:?} never became {want:?}", self.names().await);
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn events_go_an_hour_after_they_were_written_last() {
    let held = Held::start(Duration::from_secs(3600)).await;
    held.note("old").await;
    held.note("counted").await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}});
    held.world.post("/api/v1/namespaces/default/configmaps", &map).await;
    held.pass(40);
    let (code, _) = held
        .world
        .ask(Method::PATCH, &format!("{EVENTS}/counted"), "application/merge-patch+json", r#"{"count": 2}"#)
        .await;
    assert_eq!(code, 200);
    held.pass(30);
    let (_, list) = held.world.get(EVENTS).await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    held.note("new").await;
    held.becomes(&["counted", "new"]).await;
    held.pass(50);
    held.note("newest").await;
    held.becomes(&["new", "newest"]).await;
    // Watchers are told, and nothing else went.
    let path = format!("{EVENTS}?watch=true&timeoutSeconds=1&resourceVersion={version}");
    let (_, lines) = held.world.get(&path).await;
    let lines = lines.as_str().expect("lines");
    let gone: Vec<Value> = lines
        .lines()
        .map(|it| serde_json::from_str::<Value>(it).expect("JSON"))
        .filter(|it| it["type"] == "DELETED")
        .map(|it| it["object"]["metadata"]["name"].clone())
        .collect();
    assert_eq!(gone, ["old", "counted"]);
    assert_eq!(held.world.get("/api/v1/namespaces/default/configmaps/m").await.0, 200);
}

#[tokio::test]
async fn without_an_age_events_stay() {
    let held = Held::start(Duration::ZERO).await;
    held.note("old").await;
    held.pass(60 * 24 * 365);
    held.note("new").await;
    assert_eq!(held.names().await, ["new", "old"]);
}
