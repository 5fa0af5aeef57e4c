//! The stages together, over a real store: spec/kubernetes-api.md 4.1, 4.2, 4.5 to 4.8.

use serde_json::{Value, json};

use crate::testing::{Cluster, GATES, gate};

mod owners;
mod patches;

const PODS: &str = "/api/v1/namespaces/shop/pods";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";

fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
}

fn at(name: &str) -> String {
    format!("{GATES}/{name}")
}

fn message((code, body): (u16, Value)) -> (u16, String) {
    (code, body["message"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn create_stamps_and_defaults() {
    let mut cluster = Cluster::new();
    let mut body = gate("a");
    body["status"] = json!({"x": 1});
    let (code, object) = cluster.post(GATES, &body);
    assert_eq!(code, 201);
    let meta = &object["metadata"];
    assert_eq!(
        (&meta["uid"], &meta["creationTimestamp"], &meta["generation"], &meta["namespace"]),
        (&json!("uid-2"), &json!("2026-11-21T09:00:00Z"), &json!(1), &json!("shop"))
    );
    assert_eq!(object["spec"], json!({"expr": "true", "weight": 5}));
    assert!(object.get("status").is_none());
    assert_eq!(meta["managedFields"][0]["manager"], "tester");
    assert_eq!(cluster.get(&at("a")), (200, object));
}

#[test]
fn builtin_kinds_begin_with_their_empty_status() {
    let mut cluster = Cluster::new();
    let mut set = deployment("db");
    set["kind"] = json!("StatefulSet");
    set["spec"]["serviceName"] = json!("db");
    set["status"] = json!({"replicas": 7});
    let (_, created) = cluster.post("/apis/apps/v1/namespaces/shop/statefulsets", &set);
    assert_eq!(created["status"]["replicas"], 0, "{created}");
    let uri = "/apis/apps/v1/namespaces/shop/statefulsets/db";
    assert_eq!(cluster.merge(uri, &json!({"metadata": {"labels": {"a": "b"}}})).1["status"], created["status"]);
}

#[test]
fn creates_are_refused_in_upstreams_words() {
    let mut cluster = Cluster::new();
    cluster.post(GATES, &gate("a"));
    let check = |cluster: &mut Cluster, uri: &str, body: Value, code: u16, text: &str| {
        assert_eq!(message(cluster.post(uri, &body)), (code, text.to_owned()), "{body}");
    };
    let change = |change: &dyn Fn(&mut Value)| {
        let mut body = gate("b");
        change(&mut body);
        body
    };
    check(&mut cluster, GATES, gate("a"), 409, r#"gates.policy.example.io "a" already exists"#);
    check(
        &mut cluster,
        "/apis/policy.example.io/v1/namespaces/none/gates",
        gate("a"),
        404,
        r#"namespaces "none" not found"#,
    );
    check(
        &mut cluster,
        GATES,
        change(&|it| it["metadata"]["resourceVersion"] = json!("1")),
        500,
        "resourceVersion should not be set on objects to be created",
    );
    check(
        &mut cluster,
        GATES,
        change(&|it| it["metadata"]["namespace"] = json!("other")),
        400,
        "the namespace of the provided object does not match the namespace sent on the request",
    );
    check(
        &mut cluster,
        GATES,
        change(&|it| it["metadata"] = json!({})),
        422,
        r#"Gate.policy.example.io "" is invalid: metadata.name: Required value: name or generateName is required"#,
    );
    check(
        &mut cluster,
        GATES,
        change(&|it| it["spec"]["expr"] = json!("")),
        422,
        r#"Gate.policy.example.io "b" is invalid: spec.expr: Invalid value: "": spec.expr in body should be at least 1 chars long"#,
    );
    check(
        &mut cluster,
        &format!("{GATES}?fieldValidation=Strict"),
        change(&|it| it["spec"]["more"] = json!(1)),
        400,
        r#"Gate in version "v1" cannot be handled as a Gate: strict decoding error: unknown field "spec.more""#,
    );
}

#[test]
fn names_are_generated() {
    let mut cluster = Cluster::new();
    let mut body = gate("");
    body["metadata"] = json!({"generateName": "g-"});
    assert_eq!(cluster.post(GATES, &body).1["metadata"]["name"], "g-x0002");
}

#[test]
fn updates_count_generations_and_isolate_status() {
    let mut cluster = Cluster::new();
    let (_, mut object) = cluster.post(GATES, &gate("a"));
    object["spec"]["expr"] = json!("false");
    object["status"] = json!({"x": 1});
    let (code, changed) = cluster.put(&at("a"), &object);
    assert_eq!((code, &changed["metadata"]["generation"], changed.get("status")), (200, &json!(2), None));
    assert_eq!(message(cluster.put(&at("a"), &object)).0, 409);

    let mut status = changed.clone();
    status["spec"]["expr"] = json!("other");
    status["metadata"]["labels"] = json!({"a": "b"});
    status["status"] = json!({"x": 2});
    let (code, with_status) = cluster.put(&format!("{}/status", at("a")), &status);
    assert_eq!((code, &with_status["status"], &with_status["spec"]["expr"]), (200, &json!({"x": 2}), &json!("false")));
    assert_eq!((with_status["metadata"].get("labels"), &with_status["metadata"]["generation"]), (None, &json!(2)));

    let (_, labelled) = cluster.merge(&at("a"), &json!({"metadata": {"labels": {"a": "b"}}}));
    assert_eq!(labelled["metadata"]["generation"], 2);
    assert_eq!(labelled["status"], json!({"x": 2}));
}

#[test]
fn a_write_that_changes_nothing_keeps_the_version() {
    let mut cluster = Cluster::new();
    let (_, object) = cluster.post(GATES, &gate("a"));
    cluster.advance(60);
    for (method, kind) in [("PUT", "application/json"), ("PATCH", "application/merge-patch+json")] {
        let (code, same) = cluster.ask(method, &at("a"), kind, &object.to_string());
        assert_eq!((code, &same), (200, &object), "{method}");
    }
    let (_, applied) = cluster.apply(&format!("{}?fieldManager=m", at("b")), &gate("b"));
    cluster.advance(60);
    let (code, again) = cluster.apply(&format!("{}?fieldManager=m", at("b")), &gate("b"));
    assert_eq!((code, again), (200, applied));
}

#[test]
fn updates_are_refused_in_upstreams_words() {
    let mut cluster = Cluster::new();
    let (_, object) = cluster.post(GATES, &gate("a"));
    assert_eq!(
        message(cluster.put(&at("x"), &gate("x"))),
        (404, r#"gates.policy.example.io "x" not found"#.to_owned())
    );
    assert_eq!(
        message(cluster.put(&at("a"), &gate("a"))),
        (
            422,
            r#"gates.policy.example.io "a" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update"#
                .to_owned()
        )
    );
    assert_eq!(
        message(cluster.put(&at("a"), &gate("b"))),
        (400, "the name of the object (b) does not match the name on the URL (a)".to_owned())
    );
    let mut other = object.clone();
    other["metadata"]["uid"] = json!("other");
    assert_eq!(cluster.put(&at("a"), &other).0, 409);
    let stale = json!({"metadata": {"resourceVersion": "1"}, "spec": {"expr": "x"}});
    assert_eq!(
        message(cluster.merge(&at("a"), &stale)),
        (
            409,
            r#"Operation cannot be fulfilled on gates.policy.example.io "a": the object has been modified; please apply your changes to the latest version and try again"#
                .to_owned()
        )
    );
}

#[test]
fn patches_of_every_type_apply() {
    let mut cluster = Cluster::new();
    cluster.post(GATES, &gate("a"));
    let json_patch = |body: &str| ("PATCH", "application/json-patch+json", body.to_owned());
    let (method, kind, body) = json_patch(r#"[{"op":"replace","path":"/spec/expr","value":"1 < 2"}]"#);
    assert_eq!(cluster.ask(method, &at("a"), kind, &body).1["spec"]["expr"], "1 < 2");
    let (method, kind, body) = json_patch(r#"[{"op":"test","path":"/spec/expr","value":"x"}]"#);
    assert_eq!(
        message(cluster.ask(method, &at("a"), kind, &body)),
        (422, "the server rejected our request due to an error in our request".to_owned())
    );
    // As kubectl migrates managed fields: the version is there to be replaced, and counts.
    let version = cluster.get(&at("a")).1["metadata"]["resourceVersion"].clone();
    for (version, code) in [(version, 200), (json!("1"), 409)] {
        let body = json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": version}]);
        assert_eq!(cluster.ask("PATCH", &at("a"), "application/json-patch+json", &body.to_string()).0, code);
    }
    let strategic = "application/strategic-merge-patch+json";
    assert_eq!(cluster.ask("PATCH", &at("a"), strategic, "{}").0, 415);

    cluster.post(DEPLOYMENTS, &deployment("web"));
    let uri = format!("{DEPLOYMENTS}/web");
    let patch = r#"{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"j"}]}}}}"#;
    let (code, patched) = cluster.ask("PATCH", &uri, strategic, patch);
    let names: Vec<&Value> =
        patched["spec"]["template"]["spec"]["containers"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!((code, names), (200, vec![&json!("d"), &json!("c")]));
    assert_eq!(patched["metadata"]["generation"], 2);
    let strict = cluster.ask("PATCH", &format!("{uri}?fieldValidation=Strict"), strategic, r#"{"spec":{"x":1}}"#);
    assert_eq!(
        message(strict),
        (
            422,
            r#" "" is invalid: patch: Invalid value: "{\"spec\":{\"x\":1}}": strict decoding error: unknown field "spec.x""#
                .to_owned()
        )
    );
}

#[test]
fn apply_owns_conflicts_and_forces() {
    let mut cluster = Cluster::new();
    let uri = |manager: &str| format!("{}?fieldManager={manager}", at("a"));
    assert_eq!(cluster.apply(&uri("one"), &gate("a")).0, 201);
    let mut other = gate("a");
    other["spec"]["expr"] = json!("false");
    let (code, conflict) = cluster.apply(&uri("two"), &other);
    assert_eq!(
        (code, &conflict["message"]),
        (409, &json!(r#"Apply failed with 1 conflict: conflict with "one": .spec.expr"#))
    );
    let (code, forced) = cluster.apply(&format!("{}&force=true", uri("two")), &other);
    assert_eq!((code, &forced["spec"]["expr"], &forced["metadata"]["generation"]), (200, &json!("false"), &json!(2)));
    assert_eq!(
        message(cluster.apply(&at("a"), &other)),
        (
            422,
            r#"PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch"#
                .to_owned()
        )
    );
    other["spec"]["x"] = json!(1);
    assert_eq!(
        message(cluster.apply(&uri("two"), &other)),
        (
            500,
            "failed to create typed patch object (shop/a; policy.example.io/v1, Kind=Gate): .spec.x: field not declared in schema"
                .to_owned()
        )
    );
}

#[test]
fn dry_runs_store_nothing() {
    let mut cluster = Cluster::new();
    let (code, object) = cluster.post(&format!("{GATES}?dryRun=All"), &gate("a"));
    assert_eq!((code, &object["spec"]["weight"]), (201, &json!(5)));
    assert_eq!(cluster.get(&at("a")).0, 404);
    cluster.post(GATES, &gate("a"));
    let (code, changed) = cluster.merge(&format!("{}?dryRun=All", at("a")), &json!({"spec": {"expr": "x"}}));
    assert_eq!((code, &changed["spec"]["expr"]), (200, &json!("x")));
    assert_eq!(cluster.delete(&format!("{}?dryRun=All", at("a")), "").1["status"], "Success");
    assert_eq!(cluster.get(&at("a")).1["spec"]["expr"], "true");
}

#[test]
fn deletions_wait_for_finalizers() {
    let mut cluster = Cluster::new();
    let (_, plain) = cluster.post(GATES, &gate("a"));
    let (code, status) = cluster.delete(&at("a"), "");
    assert_eq!(
        (code, &status["status"], &status["details"]),
        (
            200,
            &json!("Success"),
            &json!({"name": "a", "group": "policy.example.io", "kind": "gates", "uid": plain["metadata"]["uid"]})
        )
    );
    assert_eq!(cluster.get(&at("a")).0, 404);

    let mut held = gate("b");
    held["metadata"]["finalizers"] = json!(["x.io/f"]);
    cluster.post(GATES, &held);
    let (code, marked) = cluster.delete(&at("b"), r#"{"propagationPolicy":"Background"}"#);
    let meta = &marked["metadata"];
    assert_eq!(
        (code, &meta["deletionTimestamp"], &meta["deletionGracePeriodSeconds"], &meta["generation"]),
        (200, &json!("2026-11-21T09:00:00Z"), &json!(0), &json!(2))
    );
    assert_eq!(cluster.delete(&at("b"), ""), (200, marked.clone()));
    let added = cluster.merge(&at("b"), &json!({"metadata": {"finalizers": ["x.io/f", "x.io/g"]}}));
    assert!(message(added).1.contains("no new finalizers can be added if the object is being deleted"));
    let (code, last) = cluster.merge(&at("b"), &json!({"metadata": {"finalizers": null}}));
    assert_eq!((code, &last["metadata"]["resourceVersion"]), (200, &marked["metadata"]["resourceVersion"]));
    assert_eq!(cluster.get(&at("b")).0, 404);
}

#[test]
fn deletions_check_preconditions_and_propagation() {
    let mut cluster = Cluster::new();
    cluster.post(GATES, &gate("a"));
    let (code, text) = message(cluster.delete(&at("a"), r#"{"preconditions":{"uid":"x"}}"#));
    assert_eq!(
        (code, text.as_str()),
        (
            409,
            r#"Operation cannot be fulfilled on Gate.policy.example.io "a": the UID in the precondition (x) does not match the UID in record (uid-2). The object might have been deleted and then recreated"#
        )
    );
    let (_, marked) = cluster.delete(&at("a"), r#"{"propagationPolicy":"Foreground"}"#);
    assert_eq!(marked["metadata"]["finalizers"], json!(["foregroundDeletion"]));
}

#[test]
fn pods_on_nodes_stop_gracefully() {
    let mut cluster = Cluster::new();
    cluster.post(PODS, &pod("free"));
    assert_eq!(cluster.delete(&format!("{PODS}/free"), "").1["kind"], "Status");
    let mut bound = pod("bound");
    bound["spec"]["nodeName"] = json!("n1");
    let (_, created) = cluster.post(PODS, &bound);
    assert!(created["metadata"].get("generation").is_none());
    assert_eq!(created["status"]["phase"], "Pending");
    let uri = format!("{PODS}/bound");
    let (_, marked) = cluster.delete(&uri, "");
    let meta = &marked["metadata"];
    assert_eq!(
        (&meta["deletionTimestamp"], &meta["deletionGracePeriodSeconds"]),
        (&json!("2026-11-21T09:00:30Z"), &json!(30))
    );
    assert_eq!(cluster.delete(&uri, r#"{"gracePeriodSeconds":0}"#).1["kind"], "Status");
    assert_eq!(cluster.get(&uri).0, 404);
}

#[test]
fn namespaces_empty_before_they_go() {
    let mut cluster = Cluster::new();
    let (_, namespace) = cluster.get("/api/v1/namespaces/shop");
    assert_eq!(
        (&namespace["status"]["phase"], &namespace["spec"]["finalizers"]),
        (&json!("Active"), &json!(["kubernetes"]))
    );
    assert_eq!(namespace["metadata"]["labels"]["kubernetes.io/metadata.name"], "shop");
    let (_, same) = cluster.merge("/api/v1/namespaces/shop", &json!({"metadata": {"labels": null}}));
    assert_eq!(same["metadata"]["labels"], namespace["metadata"]["labels"]);
    let (code, marked) = cluster.delete("/api/v1/namespaces/shop", "");
    assert_eq!((code, &marked["status"]["phase"]), (200, &json!("Terminating")));
    let (code, refused) = cluster.post(GATES, &gate("a"));
    assert_eq!((code, &refused["details"]["causes"][0]["reason"]), (403, &json!("NamespaceTerminating")));
    assert_eq!(cluster.delete("/api/v1/namespaces/shop", "").0, 409);
    let mut done = marked;
    done["spec"]["finalizers"] = json!([]);
    assert_eq!(cluster.put("/api/v1/namespaces/shop/finalize", &done).0, 200);
    assert_eq!(cluster.get("/api/v1/namespaces/shop").0, 404);
    cluster.post("/api/v1/namespaces", &json!({"metadata": {"name": "default"}}));
    assert_eq!(
        message(cluster.delete("/api/v1/namespaces/default", "")),
        (403, r#"namespaces "default" is forbidden: this namespace may not be deleted"#.to_owned())
    );
}

#[test]
fn scale_reads_and_writes_replicas() {
    let mut cluster = Cluster::new();
    cluster.post(DEPLOYMENTS, &deployment("web"));
    let uri = format!("{DEPLOYMENTS}/web/scale");
    let (code, scale) = cluster.merge(&uri, &json!({"spec": {"replicas": 3}}));
    assert_eq!((code, &scale["kind"], &scale["spec"]["replicas"]), (200, &json!("Scale"), &json!(3)));
    assert_eq!(scale["status"], json!({"replicas": 0, "selector": "app=web"}));
    let (_, parent) = cluster.get(&format!("{DEPLOYMENTS}/web"));
    assert_eq!((&parent["spec"]["replicas"], &parent["metadata"]["generation"]), (&json!(3), &json!(2)));
    let mut wanted = scale.clone();
    wanted["spec"] = json!({"replicas": -1});
    assert_eq!(cluster.put(&uri, &wanted).0, 422);
    wanted["spec"] = json!({"replicas": 1});
    assert_eq!(cluster.put(&uri, &wanted).1["spec"]["replicas"], 1);
    assert_eq!(cluster.put(&uri, &wanted).0, 409);
}

#[test]
fn definitions_wait_for_their_objects() {
    let mut cluster = Cluster::new();
    let uri = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let (code, crd) = cluster.post(uri, &crate::testing::gates_crd());
    assert_eq!((code, &crd["status"]["storedVersions"]), (201, &json!(["v1"])), "{crd}");
    let (_, marked) = cluster.delete(&format!("{uri}/gates.policy.example.io"), "");
    assert_eq!(marked["metadata"]["finalizers"], json!([crate::crd::CLEANUP_FINALIZER]));
    assert!(crate::crd::is_terminating(&marked));
}

#[test]
fn both_event_apis_show_the_same_events() {
    let mut cluster = Cluster::new();
    let event = json!({"metadata": {"name": "e"}, "regarding": {"kind": "Pod", "name": "p", "namespace": "shop"}, "reason": "R",
        "note": "n", "type": "Normal", "action": "a", "eventTime": "2026-11-21T09:00:00.000000Z", "reportingController": "x.io/c",
        "reportingInstance": "i"});
    let (code, created) = cluster.post("/apis/events.k8s.io/v1/namespaces/shop/events", &event);
    assert_eq!((code, &created["note"]), (201, &json!("n")), "{created}");
    let (_, core) = cluster.get("/api/v1/namespaces/shop/events/e");
    assert_eq!(
        (&core["message"], &core["involvedObject"]["name"], &core["apiVersion"]),
        (&json!("n"), &json!("p"), &json!("v1"))
    );
    let (_, list) = cluster.get("/api/v1/namespaces/shop/events?fieldSelector=involvedObject.name%3Dp");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
}
