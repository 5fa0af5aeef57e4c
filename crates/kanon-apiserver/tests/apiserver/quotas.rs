//! Quotas under many clients at a time, and over a restart; what is refused in which words is in the scenarios.

use std::sync::Arc;

use http::Method;
use kanon_apiserver::Place;
use kanon_store::{EventKind, Revision};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::world::{LIMIT, World};

const PODS: &str = "/api/v1/namespaces/default/pods";
const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";
const ROOM: usize = 7;

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}]}})
}

fn quota(hard: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}})
}

/// The most pods that there ever were at a time, and how many there are.
fn counts(world: &World) -> (usize, usize) {
    let events = world.server.running().storage().read(|it| it.events_since("core/pods/", Revision(1), usize::MAX));
    let (mut most, mut count) = (0, 0_usize);
    for event in events.expect("nothing is forgotten yet") {
        match event.kind {
            EventKind::Added => count += 1,
            EventKind::Deleted => count -= 1,
            EventKind::Modified => {}
        }
        most = most.max(count);
    }
    (most, count)
}

/// Waits until the quota tells that so many pods are used.
async fn told(world: &World, pods: usize) {
    let mut changes = world.server.running().storage().subscribe("core/resourcequotas/");
    let is_told = async {
        loop {
            changes.mark_unchanged();
            let (_, quota) = world.get(&format!("{QUOTAS}/q")).await;
            if quota["status"]["used"]["pods"] == json!(pods.to_string()) {
                return;
            }
            changes.changed().await.expect("the server runs");
        }
    };
    timeout(LIMIT, is_told).await.expect("the quota tells of it");
}

/// All at once: as many creates as clients, of which a part is of the same names, and deletions in between.
async fn storm(world: &Arc<World>, seed: usize) -> usize {
    let tasks = (0..48_usize).map(|at| {
        let world = Arc::clone(world);
        // A walk through 48 names and back that is another for each seed.
        let name = format!("p{}", (at * (2 * seed + 1) + seed) % 31);
        tokio::spawn(async move {
            if seed > 0 && at % 3 == 0 {
                world.ask(Method::DELETE, &format!("{PODS}/{name}"), "", "").await;
                return 0;
            }
            let dry = if at % 7 == 0 { "?dryRun=All" } else { "" };
            let (code, told) = world.post(&format!("{PODS}{dry}"), &pod(&name)).await;
            assert!(matches!(code, 201 | 403 | 409), "{told}");
            if code == 403 {
                let message = told["message"].as_str().expect("a message");
                assert!(message.contains("is forbidden: exceeded quota: q, requested: "), "{message}");
            }
            usize::from(code == 201 && dry.is_empty())
        })
    });
    let mut made = 0;
    for task in tasks.collect::<Vec<_>>() {
        made += task.await.expect("it ends");
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_never_exceed_a_quota() {
    let world = Arc::new(World::start().await);
    let hard = json!({"pods": ROOM.to_string(), "requests.cpu": ROOM.to_string()});
    assert_eq!(world.post(QUOTAS, &quota(&hard)).await.0, 201);
    assert_eq!(storm(&world, 0).await, ROOM, "no room is lost either");
    for seed in 1..12 {
        storm(&world, seed).await;
        let (most, count) = counts(&world);
        assert_eq!(most, ROOM, "seed {seed}");
        told(&world, count).await;
        // After every storm what is free can be had, all of it.
        for at in count..ROOM {
            let (code, told) = world.post(PODS, &pod(&format!("rest-{seed}-{at}"))).await;
            assert_eq!(code, 201, "{told}");
        }
        assert_eq!(world.post(PODS, &pod("over")).await.0, 403, "seed {seed}");
    }
}

#[tokio::test]
async fn what_is_used_lasts_over_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = || async {
        let place = Place::Folder(folder.path().to_owned());
        World::start_with(|config| config.place = place).await
    };
    let world = start().await;
    assert_eq!(world.post(QUOTAS, &quota(&json!({"pods": "2"}))).await.0, 201);
    assert_eq!(world.post(PODS, &pod("a")).await.0, 201);
    let (_, before) = world.get(&format!("{QUOTAS}/q")).await;
    assert_eq!(before["status"], json!({"hard": {"pods": "2"}, "used": {"pods": "1"}}), "as soon as it is answered");
    world.server.stop().await;

    let world = start().await;
    assert_eq!(world.post(PODS, &pod("b")).await.0, 201);
    assert_eq!(world.post(PODS, &pod("c")).await.0, 403);
    told(&world, 2).await;
    assert_eq!(world.ask(Method::DELETE, &format!("{PODS}/a"), "", "").await.0, 200);
    told(&world, 1).await;
    // Nothing goes on being written where nothing happens.
    let (_, quiet) = world.get(&format!("{QUOTAS}/q")).await;
    assert_eq!(world.post("/api/v1/namespaces/default/configmaps", &json!({"metadata": {"name": "m"}})).await.0, 201);
    assert_eq!(world.get(&format!("{QUOTAS}/q")).await.1, quiet);
    world.server.stop().await;
}
