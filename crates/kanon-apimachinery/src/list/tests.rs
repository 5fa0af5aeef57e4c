use serde_json::{Value, json};

use crate::testing::{Cluster, GATES, gate};

fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    for name in ["a", "b", "c", "d"] {
        let mut body = gate(name);
        body["metadata"]["labels"] = json!({"odd": (name == "a" || name == "c").to_string()});
        cluster.post(GATES, &body);
    }
    cluster
}

fn names(list: &Value) -> String {
    list["items"].as_array().into_iter().flatten().filter_map(|it| it["metadata"]["name"].as_str()).collect()
}

#[test]
fn lists_have_kind_version_and_items() {
    let mut cluster = cluster();
    let (code, list) = cluster.get(GATES);
    assert_eq!((code, &list["kind"], &list["apiVersion"]), (200, &json!("GateList"), &json!("policy.example.io/v1")));
    assert_eq!(list["metadata"], json!({"continue": "", "resourceVersion": "6"}));
    assert_eq!(names(&list), "abcd");
    assert_eq!(list["items"][0]["kind"], "Gate");
    assert_eq!(cluster.get("/apis/policy.example.io/v1/gates").1, list);
    assert_eq!(names(&cluster.get(&format!("{GATES}?labelSelector=odd%3Dtrue")).1), "ac");
    assert_eq!(names(&cluster.get(&format!("{GATES}?fieldSelector=metadata.name%3Db")).1), "b");
    assert_eq!(names(&cluster.get("/api/v1/namespaces/none/pods").1), "");
}

#[test]
fn pages_show_the_first_pages_state() {
    let mut cluster = cluster();
    let (_, first) = cluster.get(&format!("{GATES}?limit=2"));
    assert_eq!((names(&first).as_str(), &first["metadata"]["remainingItemCount"]), ("ab", &json!(2)));
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    cluster.delete(&format!("{GATES}/c"), "");
    let (_, second) = cluster.get(&format!("{GATES}?limit=2&continue={token}"));
    assert_eq!(
        (names(&second).as_str(), &second["metadata"]),
        ("cd", &json!({"continue": "", "resourceVersion": "6"}))
    );
    cluster.compact();
    let (code, expired) = cluster.get(&format!("{GATES}?limit=2&continue={token}"));
    assert_eq!((code, &expired["reason"]), (410, &json!("Expired")));
    assert_eq!(cluster.get(&format!("{GATES}?continue=%21")).0, 400);
}

#[test]
fn selected_pages_count_what_is_selected() {
    let mut cluster = cluster();
    let (_, first) = cluster.get(&format!("{GATES}?limit=1&labelSelector=odd%3Dtrue"));
    assert_eq!((names(&first).as_str(), first["metadata"].get("remainingItemCount")), ("a", None));
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    let (_, second) = cluster.get(&format!("{GATES}?limit=1&labelSelector=odd%3Dtrue&continue={token}"));
    assert_eq!((names(&second).as_str(), &second["metadata"]["continue"]), ("c", &json!("")));
    let (_, any) = cluster.get(&format!("{GATES}?limit=1&resourceVersion=0"));
    assert_eq!((names(&any).as_str(), &any["metadata"]["continue"]), ("abcd", &json!("")));
}

#[test]
fn versions_are_honoured() {
    let mut cluster = cluster();
    assert_eq!(names(&cluster.get(&format!("{GATES}?resourceVersion=4&resourceVersionMatch=Exact")).1), "ab");
    assert_eq!(names(&cluster.get(&format!("{GATES}?resourceVersion=4")).1), "abcd");
    assert_eq!(names(&cluster.get(&format!("{GATES}?resourceVersion=0")).1), "abcd");
    let (code, ahead) = cluster.get(&format!("{GATES}?resourceVersion=99"));
    assert_eq!((code, &ahead["message"]), (504, &json!("Timeout: Too large resource version: 99, current: 6")));
    cluster.compact();
    assert_eq!(cluster.get(&format!("{GATES}?resourceVersion=4&resourceVersionMatch=Exact")).0, 410);
}

#[test]
fn partial_lists_have_metadata_only() {
    let cluster = cluster();
    let resource = cluster.registry.resource("policy.example.io", "v1", "gates").unwrap();
    let options = crate::request::ListOptions::default();
    let listing = super::read(&cluster.memory, resource, "shop", &options).unwrap();
    let list: Value = serde_json::from_slice(&listing.partial(crate::negotiate::MetaVersion::V1).concat()).unwrap();
    assert_eq!(
        (&list["kind"], &list["items"][0]["kind"]),
        (&json!("PartialObjectMetadataList"), &json!("PartialObjectMetadata"))
    );
    assert_eq!((list["items"][0].get("spec"), &list["items"][0]["metadata"]["name"]), (None, &json!("a")));
}
