use serde_json::{Value, json};

use super::*;
use crate::{
    negotiate::MetaVersion,
    testing::{Cluster, GATES, gate},
};

fn watcher(cluster: &Cluster, query: &str, form: Form) -> Watcher {
    let resource = cluster.registry.resource("policy.example.io", "v1", "gates").unwrap();
    let info = Cluster::info("GET", &format!("{GATES}?watch=1&{query}"), "");
    let options = info.list_options(resource, true).unwrap();
    Watcher::new(Arc::clone(resource), "shop", &options, form, cluster.memory.revision()).unwrap()
}

/// All frames until the watch would wait or end.
fn drain(cluster: &Cluster, watcher: &mut Watcher) -> Vec<Value> {
    let mut out = Vec::new();
    loop {
        let fetched = watcher.fetch(&cluster.memory, 2);
        if watcher.frames(fetched, 2, cluster.now, &mut out) != Next::More {
            return out.iter().map(|it| serde_json::from_slice(it).unwrap()).collect();
        }
    }
}

/// `TYPE name@version` of each frame.
fn shown(frames: &[Value]) -> Vec<String> {
    let one = |it: &Value| {
        let meta = &it["object"]["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        format!("{} {}@{}", text(&it["type"]), text(&meta["name"]), text(&meta["resourceVersion"]))
    };
    frames.iter().map(one).collect()
}

fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    for name in ["a", "b"] {
        cluster.post(GATES, &gate(name));
    }
    cluster
}

#[test]
fn a_watch_shows_what_is_there_and_what_happens() {
    let mut cluster = cluster();
    let mut watch = watcher(&cluster, "", Form::Object);
    assert_eq!(shown(&drain(&cluster, &mut watch)), ["ADDED a@3", "ADDED b@4"]);
    cluster.merge(&format!("{GATES}/a"), &json!({"spec": {"expr": "x"}}));
    cluster.post("/api/v1/namespaces", &json!({"metadata": {"name": "other"}}));
    cluster.delete(&format!("{GATES}/b"), "");
    cluster.post(GATES, &gate("c"));
    assert_eq!(shown(&drain(&cluster, &mut watch)), ["MODIFIED a@5", "DELETED b@7", "ADDED c@8"]);
    assert_eq!(drain(&cluster, &mut watch), Vec::<Value>::new());
    let mut later = watcher(&cluster, "resourceVersion=5", Form::Object);
    assert_eq!(shown(&drain(&cluster, &mut later)), ["DELETED b@7", "ADDED c@8"]);
}

#[test]
fn selectors_turn_changes_into_arrivals_and_departures() {
    let mut cluster = cluster();
    let mut watch = watcher(&cluster, "labelSelector=on%3Dyes", Form::Object);
    assert!(drain(&cluster, &mut watch).is_empty());
    cluster.merge(&format!("{GATES}/a"), &json!({"metadata": {"labels": {"on": "yes"}}}));
    cluster.merge(&format!("{GATES}/a"), &json!({"spec": {"expr": "x"}}));
    cluster.merge(&format!("{GATES}/a"), &json!({"metadata": {"labels": {"on": "no"}}}));
    cluster.merge(&format!("{GATES}/a"), &json!({"spec": {"expr": "y"}}));
    let frames = drain(&cluster, &mut watch);
    assert_eq!(shown(&frames), ["ADDED a@5", "MODIFIED a@6", "DELETED a@7"]);
    assert_eq!(frames[2]["object"]["metadata"]["labels"]["on"], "yes");
}

#[test]
fn streaming_lists_end_with_an_annotated_bookmark() {
    let cluster = cluster();
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = watcher(&cluster, query, Form::Object);
    let frames = drain(&cluster, &mut watch);
    assert_eq!(shown(&frames), ["ADDED a@3", "ADDED b@4", "BOOKMARK -@4"]);
    assert_eq!(
        frames[2]["object"],
        json!({"kind": "Gate", "apiVersion": "policy.example.io/v1", "metadata": {"resourceVersion": "4",
            "annotations": {"k8s.io/initial-events-end": "true"}}})
    );
    let bookmark: Value = serde_json::from_slice(&watch.bookmark().unwrap()).unwrap();
    assert_eq!((&bookmark["type"], bookmark["object"]["metadata"].get("annotations")), (&json!("BOOKMARK"), None));
    assert_eq!(watcher(&cluster, "resourceVersion=3", Form::Object).bookmark(), None);
    let mut quiet = watcher(&cluster, "sendInitialEvents=false&resourceVersionMatch=NotOlderThan", Form::Object);
    assert!(drain(&cluster, &mut quiet).is_empty());
}

#[test]
fn history_that_is_gone_ends_the_watch() {
    let mut cluster = cluster();
    cluster.compact();
    let mut watch = watcher(&cluster, "resourceVersion=3", Form::Object);
    let frames = drain(&cluster, &mut watch);
    assert_eq!(
        frames,
        [json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "too old resource version: 3 (4)", "reason": "Expired", "code": 410}})]
    );
}

#[test]
fn other_forms_show_rows_and_metadata() {
    let cluster = cluster();
    let mut rows = watcher(&cluster, "", Form::Table(MetaVersion::V1));
    let frames = drain(&cluster, &mut rows);
    assert_eq!(
        (&frames[0]["object"]["kind"], &frames[0]["object"]["rows"][0]["cells"]),
        (&json!("Table"), &json!(["a", "0s"]))
    );
    let columns = |at: usize| frames[at]["object"]["columnDefinitions"].as_array().map(Vec::len);
    assert_eq!((columns(0), columns(1)), (Some(2), None));
    let mut partial = watcher(&cluster, "", Form::Partial(MetaVersion::V1));
    let frames = drain(&cluster, &mut partial);
    assert_eq!(
        (&frames[1]["object"]["kind"], frames[1]["object"].get("spec")),
        (&json!("PartialObjectMetadata"), None)
    );
}
