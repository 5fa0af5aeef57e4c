//! What `TestServer` promises to others' tests: a client that works at once, as whoever, on a server that nobody else sees.

use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::json;

use crate::world::{LIMIT, World};

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"a": "b"}})).expect("a map")
}

#[tokio::test]
async fn a_client_reads_writes_and_watches_within_the_process() {
    let world = World::start().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(world.server.client());
    let made = maps.create(&PostParams::default(), &map("one")).await.expect("created");
    let version = made.metadata.resource_version.expect("a version");
    let mut events = maps.watch(&WatchParams::default(), &version).await.expect("a watch").boxed();
    let patch = Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"c": "d"}}));
    maps.patch("one", &PatchParams::apply("tester"), &patch).await.expect("applied");
    maps.delete("one", &DeleteParams::default()).await.expect("deleted");
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let event = tokio::time::timeout(LIMIT, events.try_next()).await.expect("in time").expect("an event");
        match event.expect("the watch goes on") {
            WatchEvent::Modified(it) => seen.push(("modified", it.data.map(|it| it.len()))),
            WatchEvent::Deleted(it) => seen.push(("deleted", it.data.map(|it| it.len()))),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, [("modified", Some(2)), ("deleted", Some(2))]);
    assert!(maps.get_opt("one").await.expect("an answer").is_none());
}

#[tokio::test]
async fn clients_are_who_the_test_says() {
    let world = World::start().await;
    let all: Api<Namespace> = Api::all(world.server.client_as("alice", &["developers"]));
    let refused = all.list(&kube::api::ListParams::default()).await.expect_err("refused").to_string();
    assert!(refused.contains("User \"alice\" cannot list resource \"namespaces\""), "{refused}");
    let masters: Api<Namespace> = Api::all(world.server.client_as("bob", &["system:masters"]));
    assert!(masters.get("default").await.is_ok());
}

#[tokio::test]
async fn servers_side_by_side_do_not_see_each_other() {
    let (one, other) = (World::start().await, World::start().await);
    let maps: [Api<ConfigMap>; 2] = [&one, &other].map(|it| Api::default_namespaced(it.server.client()));
    maps[0].create(&PostParams::default(), &map("mine")).await.expect("created");
    assert!(maps[1].get_opt("mine").await.expect("an answer").is_none());
}
