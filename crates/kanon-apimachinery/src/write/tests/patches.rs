//! Bounds and odd corners of patches.

use super::*;

fn json_patch(cluster: &mut Cluster, operations: &Value) -> (u16, Value) {
    cluster.ask("PATCH", &at("a"), "application/json-patch+json", &operations.to_string())
}

#[test]
fn json_patches_are_bounded() {
    let mut cluster = Cluster::new();
    cluster.post(GATES, &gate("a"));
    let test = json!({"op": "test", "path": "/spec/expr", "value": "true"});
    assert_eq!(json_patch(&mut cluster, &json!(vec![test.clone(); 10_000])).0, 200);
    assert_eq!(
        message(json_patch(&mut cluster, &json!(vec![test; 10_001]))),
        (413, "The allowed maximum operations in a JSON patch is 10000, got 10001".to_owned())
    );
    // Each copy doubles what is there: sixty of them would not fit the world.
    let mut copies = vec![json!({"op": "add", "path": "/metadata/annotations", "value": {"k": "v"}})];
    copies.extend((0..60).map(|it| json!({"op": "copy", "from": "/metadata", "path": format!("/metadata/a{it}")})));
    assert_eq!(json_patch(&mut cluster, &json!(copies)).0, 422);
    let copy = json!([{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}},
        {"op": "copy", "from": "/metadata/labels/a", "path": "/metadata/labels/c"}]);
    assert_eq!(json_patch(&mut cluster, &copy).1["metadata"]["labels"], json!({"a": "b", "c": "b"}));
}

#[test]
fn json_patches_that_do_not_fit_change_nothing() {
    let mut cluster = Cluster::new();
    let (_, before) = cluster.post(GATES, &gate("a"));
    for operations in [
        json!([{"op": "replace", "path": "/spec/expr", "value": "x"}, {"op": "test", "path": "/spec/expr", "value": "y"}]),
        json!([{"op": "remove", "path": "/spec/nothing"}]),
        json!([{"op": "replace", "path": "/spec/nothing", "value": 1}]),
        json!([{"op": "add", "path": "/spec/no/where", "value": 1}]),
        json!([{"op": "move", "from": "/spec/nothing", "path": "/spec/expr"}]),
        json!([{"op": "copy", "from": "/spec/nothing", "path": "/spec/expr"}]),
    ] {
        let (code, text) = message(json_patch(&mut cluster, &operations));
        assert_eq!(
            (code, text.as_str()),
            (422, "the server rejected our request due to an error in our request"),
            "{operations}"
        );
    }
    for (operations, code) in [(json!({}), 400), (json!([{"op": "explode", "path": "/"}]), 400), (json!([]), 200)] {
        assert_eq!(json_patch(&mut cluster, &operations).0, code, "{operations}");
    }
    assert_eq!(cluster.get(&at("a")).1, before);
}

#[test]
fn null_in_a_merge_patch_takes_away_and_defaults_come_back() {
    let mut cluster = Cluster::new();
    let mut body = gate("a");
    body["spec"]["weight"] = json!(9);
    body["metadata"]["labels"] = json!({"a": "b"});
    cluster.post(GATES, &body);
    let (code, patched) =
        cluster.merge(&at("a"), &json!({"spec": {"weight": null}, "metadata": {"labels": {"a": null, "new": null}}}));
    assert_eq!((code, &patched["spec"]["weight"]), (200, &json!(5)));
    assert_eq!(patched["metadata"].get("labels").cloned().unwrap_or(json!({})), json!({}));
    // A list is replaced, and null in it stays for the schema to judge.
    let (_, pod) = cluster.post(PODS, &pod("p"));
    assert_eq!(pod["spec"]["containers"].as_array().map(Vec::len), Some(1));
    let (code, _) = cluster.merge(&format!("{PODS}/p"), &json!({"spec": {"containers": null}}));
    assert_eq!(code, 422);
}

#[test]
fn a_strategic_patch_of_two_ports_keeps_both() {
    let mut cluster = Cluster::new();
    let mut body = deployment("web");
    body["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 81, "protocol": "TCP", "name": "admin"}]);
    cluster.post(DEPLOYMENTS, &body);
    let ports = json!([{"containerPort": 80, "name": "web"}, {"containerPort": 81, "$patch": "delete"}]);
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "ports": ports}]}}}});
    let uri = format!("{DEPLOYMENTS}/web");
    let (code, patched) = cluster.ask("PATCH", &uri, "application/strategic-merge-patch+json", &patch.to_string());
    assert_eq!(code, 200, "{patched}");
    assert_eq!(
        patched["spec"]["template"]["spec"]["containers"][0]["ports"],
        json!([{"containerPort": 80, "protocol": "TCP", "name": "web"}])
    );
    let (code, text) = message(cluster.ask("PATCH", &uri, "application/strategic-merge-patch+json", "[]"));
    assert_eq!(code, 400, "{text}");
}

#[test]
fn services_keep_the_address_they_were_given() {
    let mut cluster = Cluster::new();
    let services = "/api/v1/namespaces/shop/services";
    let mut body = json!({"metadata": {"name": "web"}, "spec": {"clusterIP": "10.0.0.9", "ports": [{"port": 80}]}});
    assert_eq!(cluster.post(services, &body).0, 201);
    body["spec"] = json!({"ports": [{"port": 81}]});
    let (code, object) = cluster.put(&format!("{services}/web"), &body);
    assert_eq!(
        (code, &object["spec"]["clusterIP"], &object["spec"]["ports"][0]["port"]),
        (200, &json!("10.0.0.9"), &json!(81))
    );
    body["spec"]["clusterIP"] = json!("10.0.0.8");
    let (code, text) = message(cluster.put(&format!("{services}/web"), &body));
    assert_eq!(code, 422);
    assert!(
        text.ends_with(r#"spec.clusterIPs[0]: Invalid value: []string{"10.0.0.8"}: may not change once set"#),
        "{text}"
    );
}
