//! Custom resources over HTTP: definitions that come, change and go, and what happens to their objects.

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use crate::world::World;

pub(crate) const GATES: &str = "/apis/policy.example.io/v1/namespaces/default/gates";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// Gates in these versions; the first one is stored.
pub(crate) fn crd(versions: &[&str]) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "expr": {"type": "string"}, "colour": {"type": "string"}, "weight": {"type": "integer", "default": 5, "maximum": 10},
        "replicas": {"type": "integer"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}});
    let version = |(at, name): (usize, &&str)| {
        json!({"name": name, "served": true, "storage": at == 0, "schema": schema, "selectableFields": [{"jsonPath": ".spec.colour"}],
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}}})
    };
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "gates.policy.example.io"},
        "spec": {"group": "policy.example.io", "scope": "Namespaced", "names": {"plural": "gates", "kind": "Gate"},
            "versions": versions.iter().enumerate().map(version).collect::<Vec<_>>()}})
}

pub(crate) fn gate(name: &str) -> Value {
    json!({"apiVersion": "policy.example.io/v1", "kind": "Gate", "metadata": {"name": name}, "spec": {"expr": "true"}})
}

/// Creates a definition and waits until it is served.
pub(crate) async fn define(world: &World, crd: &Value) {
    let (status, made) = world.post(DEFINITIONS, crd).await;
    assert_eq!(status, 201, "{made}");
    let version = crd["spec"]["versions"][0]["name"].as_str().unwrap_or_default();
    served(world, &format!("/apis/policy.example.io/{version}/gates"), 200).await;
}

/// Waits until a path answers so.
async fn served(world: &World, path: &str, want: u16) {
    let begin = std::time::Instant::now();
    while world.get(path).await.0 != want {
        assert!(begin.elapsed() < crate::world::LIMIT, "{path} never answered {want}");
        pause().await;
    }
}

/// Lets the server's own work go on between two looks.
async fn pause() {
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
}

async fn patch(world: &World, path: &str, body: &Value) -> (u16, Value) {
    world.ask(Method::PATCH, path, "application/merge-patch+json", &body.to_string()).await
}

/// Status, body and warnings of a merge patch.
async fn patch_with_warnings(world: &World, path: &str, body: &Value) -> (u16, Value, Vec<String>) {
    let request = Request::patch(path).header("content-type", "application/merge-patch+json");
    let answer = world.send(request.body(Full::from(body.to_string())).expect("a request")).await;
    let warnings = answer.headers().get_all("warning").iter();
    let warnings = warnings.filter_map(|it| it.to_str().ok().map(str::to_owned)).collect();
    let status = answer.status().as_u16();
    let text = answer.into_body().collect().await.expect("infallible").to_bytes();
    (status, serde_json::from_slice(&text).expect("JSON"), warnings)
}

#[tokio::test]
async fn objects_older_than_a_rule_may_be_changed_elsewhere() {
    let world = World::start().await;
    define(&world, &crd(&["v1"])).await;
    let mut old = gate("old");
    old["spec"]["colour"] = json!("red");
    old["spec"]["weight"] = json!(9);
    assert_eq!(world.post(GATES, &old).await.0, 201);
    // The definition becomes stricter: by a rule, and by the schema.
    let definition = format!("{DEFINITIONS}/gates.policy.example.io");
    let mut changed = world.get(&definition).await.1;
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    let schema = changed.pointer_mut(spec).expect("declared");
    schema["properties"]["weight"]["maximum"] = json!(6);
    schema["properties"]["colour"]["x-kubernetes-validations"] =
        json!([{"rule": "self != 'red'", "message": "not red"}]);
    let (status, stored) = world.ask(Method::PUT, &definition, "application/json", &changed.to_string()).await;
    assert_eq!(status, 200, "{stored}");
    let at = format!("{GATES}/old");
    let strict = async || patch(&world, &format!("{at}?dryRun=All"), &json!({"spec": {"weight": 8}})).await.0 == 422;
    let begin = std::time::Instant::now();
    while !strict().await {
        assert!(begin.elapsed() < crate::world::LIMIT, "the definition's change is never seen");
        pause().await;
    }
    let (status, object, warnings) = patch_with_warnings(&world, &at, &json!({"spec": {"expr": "false"}})).await;
    assert_eq!((status, &object["spec"]["expr"]), (200, &json!("false")), "{object}");
    assert_eq!(warnings, [r#"299 - "spec.colour: Invalid value: \"string\": not red""#]);
    let (status, refused) = patch(&world, &at, &json!({"spec": {"weight": 7}})).await;
    assert_eq!(status, 422, "{refused}");
    let text = "spec.weight: Invalid value: 7: spec.weight in body should be less than or equal to 6";
    assert!(refused["message"].as_str().unwrap_or_default().ends_with(text), "{refused}");
    assert_eq!(patch(&world, &at, &json!({"spec": {"colour": "blue", "weight": 6}})).await.0, 200);
    assert_eq!(patch(&world, &at, &json!({"spec": {"colour": "red"}})).await.0, 422);
}

#[tokio::test]
async fn fields_that_a_definition_names_can_be_selected() {
    let world = World::start().await;
    define(&world, &crd(&["v1"])).await;
    for (name, colour) in [("a", "red"), ("b", "blue")] {
        let mut body = gate(name);
        body["spec"]["colour"] = colour.into();
        assert_eq!(world.post(GATES, &body).await.0, 201);
    }
    let list = world.get(&format!("{GATES}?fieldSelector=spec.colour%3Dred")).await;
    let names: Vec<&Value> =
        list.1["items"].as_array().into_iter().flatten().map(|it| &it["metadata"]["name"]).collect();
    assert_eq!((list.0, names), (200, vec![&json!("a")]));
    assert_eq!(world.get(&format!("{GATES}?fieldSelector=spec.expr%3Dtrue")).await.0, 400);
}

#[tokio::test]
async fn clients_of_deprecated_versions_are_warned() {
    let world = World::start().await;
    let mut definition = crd(&["v1", "v1beta1"]);
    definition["spec"]["versions"][1]["deprecated"] = json!(true);
    define(&world, &definition).await;
    let request = Request::get(GATES.replace("/v1/", "/v1beta1/")).body(Full::default()).expect("a request");
    let answer = world.send(request).await;
    assert_eq!(
        answer.headers()["warning"],
        r#"299 - "policy.example.io/v1beta1 Gate is deprecated; use policy.example.io/v1 Gate""#
    );
    let request = Request::get(GATES).body(Full::default()).expect("a request");
    assert!(!world.send(request).await.headers().contains_key("warning"));
}

#[tokio::test]
async fn names_that_are_taken_are_not_served_until_they_are_free() {
    let world = World::start().await;
    define(&world, &crd(&["v1"])).await;
    let mut other = crd(&["v1"]);
    other["metadata"]["name"] = json!("doors.policy.example.io");
    other["spec"]["names"] = json!({"plural": "doors", "kind": "Gate"});
    let (status, made) = world.post(DEFINITIONS, &other).await;
    assert_eq!(status, 201, "{made}");
    let at = format!("{DEFINITIONS}/doors.policy.example.io");
    let condition = async |kind: &str| {
        let begin = std::time::Instant::now();
        loop {
            let status = world.get(&at).await.1["status"].clone();
            let found = status["conditions"].as_array().into_iter().flatten().find(|it| it["type"] == kind).cloned();
            if let Some(found) = found {
                return found;
            }
            assert!(begin.elapsed() < crate::world::LIMIT, "no condition {kind}");
            pause().await;
        }
    };
    let names = condition("NamesAccepted").await;
    assert_eq!(
        (&names["status"], &names["reason"], &names["message"]),
        (&json!("False"), &json!("ListKindConflict"), &json!(r#""GateList" is already in use"#))
    );
    assert_eq!(condition("Established").await["status"], "False");
    assert_eq!(world.get("/apis/policy.example.io/v1/doors").await.0, 404);
    let gates = format!("{DEFINITIONS}/gates.policy.example.io");
    assert_eq!(world.ask(Method::DELETE, &gates, "", "").await.0, 200);
    served(&world, "/apis/policy.example.io/v1/doors", 200).await;
}

#[tokio::test]
async fn a_definition_that_goes_takes_its_objects_along() {
    let world = World::start().await;
    define(&world, &crd(&["v1"])).await;
    let mut held = gate("held");
    held["metadata"]["finalizers"] = json!(["example.io/hold"]);
    assert_eq!((world.post(GATES, &held).await.0, world.post(GATES, &gate("free")).await.0), (201, 201));
    let at = format!("{DEFINITIONS}/gates.policy.example.io");
    assert_eq!(world.ask(Method::DELETE, &at, "", "").await.0, 200);
    served(&world, &format!("{GATES}/free"), 404).await;
    let definition = world.get(&at).await.1;
    assert_eq!(definition["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
    assert!(conditions.clone().any(|it| it["type"] == "Terminating" && it["status"] == "True"), "{definition}");
    let (status, refused) = world.post(GATES, &gate("late")).await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (405, Some("create not allowed while custom resource definition is terminating"))
    );
    assert_eq!(patch(&world, &format!("{GATES}/held"), &json!({"metadata": {"finalizers": null}})).await.0, 200);
    served(&world, &at, 404).await;
    served(&world, GATES, 404).await;
}

#[tokio::test]
async fn scale_moves_the_replicas_of_the_path() {
    let world = World::start().await;
    define(&world, &crd(&["v1"])).await;
    let mut body = gate("a");
    body["spec"]["replicas"] = json!(2);
    assert_eq!(world.post(GATES, &body).await.0, 201);
    let (status, scale) = patch(&world, &format!("{GATES}/a/scale"), &json!({"spec": {"replicas": 3}})).await;
    assert_eq!(
        (status, &scale["kind"], &scale["spec"], &scale["status"]),
        (200, &json!("Scale"), &json!({"replicas": 3}), &json!({"replicas": 0}))
    );
    assert_eq!(world.get(&format!("{GATES}/a")).await.1["spec"]["replicas"], 3);
}
