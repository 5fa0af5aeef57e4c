//! What clients see of the store's limits: history that is too old, a disk that is full.

use std::time::{Duration, Instant};

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kanon_apiserver::Place;
use kanon_store::Disk;
use serde_json::{Value, json};

use crate::world::{LIMIT, World};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str, size: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"fill": "x".repeat(size)}})
}

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|it| it.parse().ok()).expect("a version")
}

/// The first event of a watch from a version.
async fn first_event(world: &World, version: u64) -> Value {
    let request = Request::get(format!("{MAPS}?watch=true&timeoutSeconds=1&resourceVersion={version}"));
    let answer = world.send(request.body(Full::default()).expect("a request")).await;
    let body = answer.into_body().collect().await.expect("infallible").to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("text");
    text.lines().next().map(|it| serde_json::from_str(it).expect("JSON")).unwrap_or_default()
}

#[tokio::test]
async fn history_goes_with_age_even_where_there_is_little_of_it() {
    let world = World::start_with(|config| config.history_age = Duration::from_millis(300)).await;
    let (_, one) = world.post(MAPS, &map("one", 1)).await;
    let (_, two) = world.post(MAPS, &map("two", 1)).await;
    let begin = Instant::now();
    while first_event(&world, version(&one)).await["object"]["code"] != 410 {
        assert!(begin.elapsed() < LIMIT, "history does not get old");
    }
    // What is there stays, and whoever is up to date may go on.
    assert_eq!(first_event(&world, version(&two)).await, Value::Null);
    assert_eq!(world.get(&format!("{MAPS}/one")).await.0, 200);
    let (_, three) = world.post(MAPS, &map("three", 1)).await;
    let event = first_event(&world, version(&two)).await;
    assert_eq!((&event["type"], version(&event["object"])), (&json!("ADDED"), version(&three)));
}

#[tokio::test]
async fn on_a_full_disk_reads_go_on_and_writes_fail_in_words_until_there_is_space() {
    let disk = Disk::new();
    let place = disk.clone();
    let world = World::start_with(|config| config.place = Place::Disk(place)).await;
    let (code, kept) = world.post(MAPS, &map("kept", 100)).await;
    assert_eq!(code, 201);
    disk.set_space(Some(disk.content().len()));
    let mut acknowledged = Vec::new();
    let mut refusals = 0;
    for number in 0..40 {
        let name = format!("m{number}");
        let (code, answer) = world.post(MAPS, &map(&name, 200_000)).await;
        if code == 201 {
            acknowledged.push((name, version(&answer)));
            continue;
        }
        refusals += 1;
        let message = answer["message"].as_str().unwrap_or_default();
        assert_eq!((code, &answer["reason"]), (500, &json!("InternalError")), "{answer}");
        assert!(message.contains("the write could not be made durable") && message.contains("space"), "{message}");
        assert_eq!(world.get(&format!("{MAPS}/{name}")).await.0, 404, "nothing of it is visible");
    }
    assert!(refusals > 0, "the disk is full at last");
    assert_eq!(world.get(&format!("{MAPS}/kept")).await.1, kept, "reads go on");
    assert_eq!(world.ask(Method::GET, "/readyz", "", "").await.0, 200);
    disk.set_space(None);
    let (code, later) = world.post(MAPS, &map("later", 200_000)).await;
    assert_eq!(code, 201, "it goes on without a restart: {later}");
    let highest = acknowledged.iter().map(|it| it.1).max().unwrap_or_default();
    assert!(version(&later) > highest.max(version(&kept)));
    world.server.stop().await;

    let world = World::start_with(|config| config.place = Place::Disk(Disk::with(disk.content()))).await;
    let (_, list) = world.get(MAPS).await;
    let names: Vec<&str> =
        list["items"].as_array().expect("items").iter().filter_map(|it| it["metadata"]["name"].as_str()).collect();
    let mut want: Vec<&str> = acknowledged.iter().map(|it| it.0.as_str()).chain(["kept", "later"]).collect();
    want.sort_unstable();
    assert_eq!(names.iter().copied().filter(|it| *it != "kube-root-ca.crt").collect::<Vec<_>>(), want);
}
