//! The rows of spec/kubernetes-api.md 4.1 that a client can cause, as they come over HTTP; and everything that is no resource.

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use crate::world::World;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}

#[tokio::test]
async fn failures_have_upstreams_words() {
    let world = World::start().await;
    assert_eq!(world.post(MAPS, &map("here")).await.0, 201);
    let json = "application/json";
    let merge = "application/merge-patch+json";
    let here = &format!("{MAPS}/here");
    let absent = &format!("{MAPS}/absent");
    let stale = &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "here", "resourceVersion": "1"}})
        .to_string();
    let here_body = &map("here").to_string();
    let versioned =
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "resourceVersion": "1"}})
            .to_string();
    let unknown = &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "nope": 1}).to_string();
    let large = &"x".repeat(3 * 1024 * 1024 + 1);
    let cases: &[(Method, &str, &str, &str, u16, &str, &str)] = &[
        (Method::GET, absent, "", "", 404, "NotFound", "configmaps \"absent\" not found"),
        (Method::POST, MAPS, json, here_body, 409, "AlreadyExists", "configmaps \"here\" already exists"),
        (
            Method::PUT,
            here,
            json,
            stale,
            409,
            "Conflict",
            "Operation cannot be fulfilled on configmaps \"here\": the object has been modified; please apply your changes to the latest version and try again",
        ),
        (
            Method::POST,
            "/api/v1/namespaces/nowhere/configmaps",
            json,
            here_body,
            404,
            "NotFound",
            "namespaces \"nowhere\" not found",
        ),
        (Method::POST, MAPS, json, versioned, 500, "", "resourceVersion should not be set on objects to be created"),
        (Method::POST, MAPS, json, "{", 400, "BadRequest", "unexpected end of JSON input"),
        (
            Method::POST,
            MAPS,
            "text/plain",
            "{}",
            415,
            "UnsupportedMediaType",
            "accepted media types include: application/json",
        ),
        (Method::POST, MAPS, json, large, 413, "RequestEntityTooLarge", "limit is 3145728"),
        (
            Method::POST,
            &format!("{MAPS}?fieldValidation=Strict"),
            json,
            unknown,
            400,
            "BadRequest",
            "strict decoding error: unknown field \"nope\"",
        ),
        (Method::POST, &format!("{MAPS}?dryRun=Some"), json, unknown, 422, "Invalid", "dryRun: Unsupported value"),
        (
            Method::PATCH,
            here,
            "application/json-patch+json",
            r#"[{"op":"test","path":"/data/a","value":"z"}]"#,
            422,
            "Invalid",
            "the server rejected our request due to an error in our request",
        ),
        (
            Method::PATCH,
            here,
            merge,
            r#"{"metadata":{"resourceVersion":"1"}}"#,
            409,
            "Conflict",
            "the object has been modified",
        ),
        (
            Method::PATCH,
            here,
            "application/apply-patch+yaml",
            here_body,
            422,
            "Invalid",
            "fieldManager: Required value: is required for apply patch",
        ),
        (
            Method::GET,
            &format!("{MAPS}?labelSelector=a%3D%3D%3Db"),
            "",
            "",
            400,
            "BadRequest",
            "unable to parse requirement",
        ),
        (Method::GET, &format!("{MAPS}?fieldSelector=spec.x%3Da"), "", "", 400, "BadRequest", "spec.x"),
        (Method::GET, &format!("{MAPS}?continue=nonsense"), "", "", 400, "BadRequest", "continue key is not valid"),
        (
            Method::GET,
            &format!("{MAPS}?resourceVersionMatch=Exact"),
            "",
            "",
            422,
            "Invalid",
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            Method::DELETE,
            here,
            json,
            r#"{"preconditions":{"uid":"x"}}"#,
            409,
            "Conflict",
            "the UID in the precondition (x) does not match the UID in record (",
        ),
        (Method::DELETE, "/api/v1/namespaces/default", "", "", 403, "Forbidden", "this namespace may not be deleted"),
        (
            Method::POST,
            "/api/v1/configmaps",
            json,
            here_body,
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        ),
        (Method::GET, "/api/v1/namespaces/default/pods/x/log", "", "", 404, "NotFound", "pods \"x\" not found"),
    ];
    for (method, path, content_type, body, code, reason, message) in cases {
        let (status, value) = world.ask(method.clone(), path, content_type, body).await;
        assert_eq!((status, value["code"].as_u64()), (*code, Some(u64::from(*code))), "{method} {path}: {value}");
        assert_eq!(value["reason"].as_str().unwrap_or_default(), *reason, "{method} {path}: {value}");
        assert!(value["message"].as_str().unwrap_or_default().contains(message), "{method} {path}: {value}");
        assert_eq!((value["kind"].as_str(), value["status"].as_str()), (Some("Status"), Some("Failure")));
    }
}

#[tokio::test]
async fn a_collection_is_deleted_by_selector() {
    let world = World::start().await;
    for name in ["a", "b", "c"] {
        let mut map = map(name);
        map["metadata"]["labels"] = json!({"keep": (name == "b").to_string()});
        assert_eq!(world.post(MAPS, &map).await.0, 201);
    }
    let (status, list) = world.ask(Method::DELETE, &format!("{MAPS}?labelSelector=keep%3Dfalse"), "", "").await;
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().into_iter().flatten();
        items.filter_map(|it| it["metadata"]["name"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!((status, names(&list)), (200, vec!["a".to_owned(), "c".to_owned()]));
    let (_, rest) = world.get(&format!("{MAPS}?labelSelector=keep")).await;
    assert_eq!(names(&rest), ["b"]);
    let (status, refused) = world.post("/api/v1/namespaces/default/pods/x/exec", &json!({})).await;
    assert_eq!((status, refused["reason"].as_str()), (404, Some("NotFound")));
    let (status, refused) = world.post("/api/v1/namespaces/default/services/x/proxy", &json!({})).await;
    assert_eq!((status, refused["reason"].as_str()), (501, Some("NotImplemented")));
}

#[tokio::test]
async fn a_version_ahead_is_a_timeout_after_waiting() {
    let world = World::start().await;
    let (status, value) = world.get(&format!("{MAPS}?resourceVersion=99999")).await;
    assert_eq!((status, value["reason"].as_str()), (504, Some("Timeout")), "{value}");
    assert!(
        value["message"]
            .as_str()
            .unwrap_or_default()
            .starts_with("Timeout: Too large resource version: 99999, current: ")
    );
}

#[tokio::test]
async fn other_endpoints_answer() {
    let world = World::start().await;
    for (path, want) in [
        ("/healthz", "ok"),
        ("/livez", "ok"),
        ("/readyz?verbose", "[+]ping ok\n[+]store ok\n[+]shutdown ok\nreadyz check passed\n"),
        ("/readyz/ping", "ok"),
    ] {
        assert_eq!(world.get(path).await, (200, Value::from(want)), "{path}");
    }
    assert_eq!(world.get("/nothing").await, (404, Value::from("404 page not found\n")));
    assert_eq!(world.get("/apis/nothing.io/v1/things").await.0, 404);
    let (_, version) = world.get("/version").await;
    assert!(version["gitVersion"].as_str().unwrap_or_default().starts_with("v1.32."), "{version}");
    let (_, root) = world.get("/").await;
    assert!(root["paths"].as_array().is_some_and(|it| it.iter().any(|it| it == "/apis/apps/v1")));
    let (_, metrics) = world.get("/metrics").await;
    assert!(metrics.as_str().unwrap_or_default().contains("kanon_store_revision "), "{metrics}");
    let (_, groups) = world.get("/apis").await;
    assert_eq!(groups["kind"], "APIGroupList");
    let (_, index) = world.get("/openapi/v3").await;
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap_or_default();
    let (status, document) = world.get(url).await;
    assert_eq!((status, document["openapi"].as_str()), (200, Some("3.0.0")));
}

#[tokio::test]
async fn every_answer_has_its_headers_and_warnings_come_along() {
    let world = World::start().await;
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "nope": 1}).to_string();
    let request = Request::post(MAPS).header("content-type", "application/json").body(Full::from(body));
    let answer = world.send(request.expect("a request")).await;
    let headers = answer.headers();
    assert_eq!(answer.status().as_u16(), 201);
    assert_eq!(headers["cache-control"], "no-cache, private");
    assert!(headers.contains_key("audit-id"));
    assert_eq!(headers["warning"], r#"299 - "unknown field \"nope\"""#);
}

#[tokio::test]
async fn anonymous_and_unknown_users_are_refused() {
    let world = World::start().await;
    let service = world.server.running().service();
    for (path, token, want) in [
        ("/healthz", None, 200),
        ("/version", None, 200),
        ("/api/v1/namespaces", None, 403),
        ("/api/v1/namespaces", Some("Bearer nonsense"), 401),
    ] {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let answer = service.handle(request.body(Full::<bytes::Bytes>::default()).expect("a request")).await;
        assert_eq!(answer.status().as_u16(), want, "{path} {token:?}");
    }
}

#[tokio::test]
async fn the_client_chooses_the_form() {
    let world = World::start().await;
    for (accept, content_type, kind) in [
        ("application/json", "application/json", "ConfigMapList"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "application/json", "Table"),
        (
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            "application/json",
            "PartialObjectMetadataList",
        ),
        ("application/yaml", "application/yaml", "ConfigMapList"),
    ] {
        let request = Request::get(MAPS).header("accept", accept).body(Full::default()).expect("a request");
        let answer = world.send(request).await;
        assert_eq!(answer.headers()["content-type"], content_type, "{accept}");
        let body = answer.into_body().collect().await.expect("infallible").to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains(kind), "{accept}: {text}");
    }
    let request = Request::get(MAPS).header("accept", "text/html").body(Full::default()).expect("a request");
    assert_eq!(world.send(request).await.status().as_u16(), 406);
}

#[tokio::test]
async fn a_list_is_the_same_in_yaml_and_comes_piece_by_piece() {
    let world = World::start().await;
    for number in 0..40 {
        let mut map = map(&format!("map-{number}"));
        map["data"] = json!({"long": "x".repeat(4000), "lines": "a: b\n- c\n", "odd": "yes", "empty": ""});
        assert_eq!(world.post(MAPS, &map).await.0, 201);
    }
    let table = ";as=Table;v=v1;g=meta.k8s.io";
    for (path, form) in [(MAPS, ""), (MAPS, table), ("/api/v1/namespaces/default/pods", ""), ("/api/v1/pods", table)] {
        let ask = async |accept: &str| {
            let request = Request::get(path).header("accept", format!("{accept}{form}")).body(Full::default());
            let mut body = world.send(request.expect("a request")).await.into_body();
            let (mut text, mut longest) = (Vec::new(), 0);
            while let Some(frame) = body.frame().await {
                let data = frame.expect("infallible").into_data().expect("data");
                longest = longest.max(data.len());
                text.extend_from_slice(&data);
            }
            (text, longest)
        };
        let (yaml, longest) = ask("application/yaml").await;
        let (plain, _) = ask("application/json").await;
        let read: Value = serde_saphyr::from_slice(&yaml).expect("YAML");
        assert_eq!(read, serde_json::from_slice::<Value>(&plain).expect("JSON"), "{path}{form}");
        assert!(longest < 64 << 10, "a piece of {longest} bytes");
    }
}

#[tokio::test]
async fn pages_belong_to_the_first_ones_version() {
    let world = World::start().await;
    for name in ["a", "b", "c", "d"] {
        assert_eq!(world.post(MAPS, &map(name)).await.0, 201);
    }
    let (_, first) = world.get(&format!("{MAPS}?limit=2")).await;
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    assert_eq!(world.ask(Method::DELETE, &format!("{MAPS}/d"), "", "").await.0, 200);
    let token = first["metadata"]["continue"].as_str().unwrap_or_default();
    let (_, second) = world.get(&format!("{MAPS}?limit=5&continue={token}")).await;
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let names: Vec<&str> =
        second["items"].as_array().into_iter().flatten().filter_map(|it| it["metadata"]["name"].as_str()).collect();
    assert_eq!(names, ["c", "d", "kube-root-ca.crt"]);
}

#[tokio::test]
async fn lists_in_protobuf_are_those_in_json_however_long() {
    let world = World::start().await;
    let mut revision = String::new();
    // More than is kept while a list is measured.
    for number in 0..12 {
        let mut map = map(&format!("m{number}"));
        map["data"]["a"] = "long ".repeat(8 << 10).into();
        let (status, made) = world.post(MAPS, &map).await;
        assert_eq!(status, 201);
        revision = made["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    }
    for selector in ["", "&limit=2"] {
        let path = format!("{MAPS}?resourceVersion={revision}&resourceVersionMatch=Exact{selector}");
        let list = async |accept: &str| {
            let request = Request::get(&path).header("accept", accept).body(Full::default()).expect("a request");
            let response = world.send(request).await;
            let kind = response.headers()["content-type"].to_str().unwrap_or_default().to_owned();
            (kind, response.into_body().collect().await.expect("infallible").to_bytes())
        };
        let (kind, streamed) = list("application/vnd.kubernetes.protobuf").await;
        assert_eq!(kind, "application/vnd.kubernetes.protobuf");
        let whole = list("application/json").await.1;
        let whole = kanon_apimachinery::protobuf::object(&whole).expect("it has this form");
        assert!(streamed == whole, "{selector}: {} bytes, not the {} of one piece", streamed.len(), whole.len());
    }
}

#[tokio::test]
async fn owners_take_their_dependants_along() {
    let world = World::start().await;
    let (_, owner) = world.post(MAPS, &map("owner")).await;
    let uid = &owner["metadata"]["uid"];
    for (name, blocks) in [("one", true), ("two", false)] {
        let mut dependant = map(name);
        dependant["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
            "uid": uid, "blockOwnerDeletion": blocks}]);
        assert_eq!(world.post(MAPS, &dependant).await.0, 201);
    }
    let (status, marked) =
        world.ask(Method::DELETE, &format!("{MAPS}/owner?propagationPolicy=Foreground"), "", "").await;
    assert_eq!((status, &marked["metadata"]["finalizers"]), (200, &json!(["foregroundDeletion"])));
    for name in ["one", "two", "owner"] {
        settles(&world, &format!("{MAPS}/{name}"), 404).await;
    }
}

#[tokio::test]
async fn a_namespace_that_ends_takes_its_objects_along_and_waits_for_finalizers() {
    let world = World::start().await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    assert_eq!(world.post("/api/v1/namespaces", &namespace).await.0, 201);
    let maps = "/api/v1/namespaces/shop/configmaps";
    settles(&world, &format!("{maps}/kube-root-ca.crt"), 200).await;
    let mut held = map("held");
    held["metadata"]["finalizers"] = json!(["example.io/hold"]);
    assert_eq!(world.post(maps, &held).await.0, 201);
    let (_, ending) = world.ask(Method::DELETE, "/api/v1/namespaces/shop", "", "").await;
    assert_eq!(ending["status"]["phase"], "Terminating", "{ending}");
    settles(&world, &format!("{maps}/kube-root-ca.crt"), 404).await;
    assert_eq!(world.post(maps, &map("late")).await.0, 403);
    assert_eq!(world.get("/api/v1/namespaces/shop").await.0, 200);
    let release = r#"{"metadata":{"finalizers":null}}"#;
    assert_eq!(world.ask(Method::PATCH, &format!("{maps}/held"), "application/merge-patch+json", release).await.0, 200);
    settles(&world, "/api/v1/namespaces/shop", 404).await;
}

#[tokio::test]
async fn evictions_respect_budgets() {
    let world = World::start().await;
    let pods = "/api/v1/namespaces/default/pods";
    for name in ["a", "b"] {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}});
        assert_eq!(world.post(pods, &pod).await.0, 201);
        let running = r#"{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}"#;
        assert_eq!(
            world.ask(Method::PATCH, &format!("{pods}/{name}/status"), "application/merge-patch+json", running).await.0,
            200
        );
    }
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    assert_eq!(world.post(budgets, &budget).await.0, 201);
    let eviction = |name: &str| json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}});
    let (code, answer) = world.post(&format!("{pods}/a/eviction"), &eviction("a")).await;
    let unseen = "The disruption budget web is still being processed by the server.";
    assert_eq!((code, answer["details"]["causes"][0]["message"].as_str()), (429, Some(unseen)), "{answer}");
    let status = r#"{"status":{"disruptionsAllowed":1,"currentHealthy":2,"desiredHealthy":1,"expectedPods":2,"observedGeneration":1}}"#;
    assert_eq!(
        world.ask(Method::PATCH, &format!("{budgets}/web/status"), "application/merge-patch+json", status).await.0,
        200
    );
    let (code, answer) = world.post(&format!("{pods}/a/eviction"), &eviction("a")).await;
    assert_eq!((code, answer["status"].as_str()), (201, Some("Success")), "{answer}");
    let (code, answer) = world.post(&format!("{pods}/b/eviction"), &eviction("b")).await;
    assert_eq!((code, answer["reason"].as_str()), (429, Some("TooManyRequests")), "{answer}");
    assert_eq!(answer["details"]["causes"][0]["reason"], "DisruptionBudget");
    let (_, budget) = world.get(&format!("{budgets}/web")).await;
    assert!(budget["status"]["disruptedPods"]["a"].is_string(), "{budget}");
    // A pod that is not well is not missed while enough others are.
    let sick = r#"{"status":{"conditions":[{"type":"Ready","status":"False"}]}}"#;
    let path = format!("{pods}/b/status");
    assert_eq!(world.ask(Method::PATCH, &path, "application/merge-patch+json", sick).await.0, 200);
    assert_eq!(world.post(&format!("{pods}/b/eviction"), &eviction("b")).await.0, 201);
}

/// Waits until a GET answers so.
async fn settles(world: &World, path: &str, want: u16) {
    let begin = std::time::Instant::now();
    loop {
        let (status, value) = world.get(path).await;
        if status == want {
            return;
        }
        assert!(begin.elapsed() < crate::world::LIMIT, "{path} stays {status}: {value}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
