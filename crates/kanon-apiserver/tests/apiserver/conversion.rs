//! Conversion webhooks: one kind in two versions that differ in more than their name, written and read through both.

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use crate::{
    custom::define,
    hook::{Hook, hook},
    world::World,
};

const ONE: &str = "/apis/policy.example.io/v1/namespaces/default/gates";
const TWO: &str = "/apis/policy.example.io/v2/namespaces/default/gates";
const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gates.policy.example.io";

/// Version 1, stored, has `expr`; version 2 has `expression`, and a default of its own.
fn gates(hook: &Hook, path: &str) -> Value {
    let schema = |field: &str, default: i64| {
        json!({"openAPIV3Schema": {"type": "object", "properties": {
            "spec": {"type": "object", "properties": {field: {"type": "string", "minLength": 2}, "weight": {"type": "integer", "default": default}}},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}})
    };
    let column = |field: &str| json!([{"name": "What", "type": "string", "jsonPath": format!(".spec.{field}")}]);
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "gates.policy.example.io"},
        "spec": {"group": "policy.example.io", "scope": "Namespaced", "names": {"plural": "gates", "kind": "Gate"},
            "conversion": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {
                "url": format!("https://127.0.0.1:{}{path}", hook.address.port()), "caBundle": hook.bundle}}},
            "versions": [
                {"name": "v1", "served": true, "storage": true, "schema": schema("expr", 5), "subresources": {"status": {}},
                    "additionalPrinterColumns": column("expr")},
                {"name": "v2", "served": true, "storage": false, "schema": schema("expression", 5), "subresources": {"status": {}},
                    "additionalPrinterColumns": column("expression")}]}})
}

async fn world(hook: &Hook, path: &str) -> World {
    let world = World::start().await;
    define(&world, &gates(hook, path)).await;
    world
}

fn one(name: &str, expr: &str) -> Value {
    json!({"apiVersion": "policy.example.io/v1", "kind": "Gate", "metadata": {"name": name}, "spec": {"expr": expr}})
}

fn two(name: &str, expression: &str) -> Value {
    json!({"apiVersion": "policy.example.io/v2", "kind": "Gate", "metadata": {"name": name}, "spec": {"expression": expression}})
}

async fn apply(world: &World, path: &str, manager: &str, body: &Value) -> (u16, Value) {
    let path = format!("{path}?fieldManager={manager}");
    world.ask(Method::PATCH, &path, "application/apply-patch+yaml", &body.to_string()).await
}

/// Lines of a watch from the beginning, as far as it goes in a second.
async fn watch(world: &World, path: &str) -> Vec<Value> {
    let request = Request::get(format!("{path}?watch=true&timeoutSeconds=1&resourceVersion=0")).body(Full::default());
    let body = world.send(request.expect("a request")).await.into_body();
    let text = body.collect().await.expect("infallible").to_bytes();
    text.split(|it| *it == b'\n')
        .filter(|it| !it.is_empty())
        .map(|it| serde_json::from_slice(it).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn objects_are_read_and_written_in_both_versions() {
    let hook = hook().await;
    let world = world(&hook, "/convert").await;
    let (code, made) = world.post(ONE, &one("first", "aa")).await;
    assert_eq!((code, &made["spec"]), (201, &json!({"expr": "aa", "weight": 5})));
    assert_eq!(hook.asked.lock().await.len(), 0, "nobody is asked about what is in its version");
    let (code, made) = world.post(TWO, &two("second", "bb")).await;
    assert_eq!(
        (code, &made["spec"], &made["apiVersion"]),
        (201, &json!({"expression": "bb", "weight": 5}), &json!("policy.example.io/v2"))
    );
    let (code, read) = world.get(&format!("{ONE}/second")).await;
    assert_eq!(
        (code, &read["spec"], &read["metadata"]["uid"]),
        (200, &json!({"expr": "bb", "weight": 5}), &made["metadata"]["uid"])
    );
    assert_eq!(read["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);

    hook.asked.lock().await.clear();
    let (_, list) = world.get(TWO).await;
    let specs: Vec<&Value> =
        list["items"].as_array().expect("items").iter().map(|it| &it["spec"]["expression"]).collect();
    assert_eq!((specs, &list["apiVersion"]), (vec![&json!("aa"), &json!("bb")], &json!("policy.example.io/v2")));
    let asked = hook.asked.lock().await;
    assert_eq!(asked.len(), 1, "one call for a list");
    assert_eq!(asked[0]["request"]["objects"].as_array().map(Vec::len), Some(2));
    drop(asked);

    let patch = json!({"spec": {"expression": "cc"}}).to_string();
    let (code, patched) =
        world.ask(Method::PATCH, &format!("{TWO}/first"), "application/merge-patch+json", &patch).await;
    assert_eq!(
        (code, &patched["spec"]["expression"], &patched["metadata"]["generation"]),
        (200, &json!("cc"), &json!(2))
    );
    assert_eq!(world.get(&format!("{ONE}/first")).await.1["spec"]["expr"], "cc");
    let (code, refused) = world.post(TWO, &two("third", "x")).await;
    assert_eq!(code, 422, "{refused}");
    let status = json!({"apiVersion": "policy.example.io/v2", "kind": "Gate", "metadata": {"name": "first"}, "status": {"open": true}});
    let merged = world
        .ask(Method::PATCH, &format!("{TWO}/first/status"), "application/merge-patch+json", &status.to_string())
        .await;
    assert_eq!((merged.0, &merged.1["status"]), (200, &json!({"open": true})));
    let (code, gone) = world.ask(Method::DELETE, &format!("{TWO}/second"), "", "").await;
    assert_eq!((code, &gone["status"]), (200, &json!("Success")));
    assert_eq!(world.get(&format!("{ONE}/second")).await.0, 404);
}

#[tokio::test]
async fn watches_and_tables_are_in_the_version_that_was_asked_for() {
    let hook = hook().await;
    let world = world(&hook, "/convert").await;
    world.post(ONE, &one("a", "aa")).await;
    let seen = watch(&world, TWO).await;
    assert_eq!((&seen[0]["type"], &seen[0]["object"]["spec"]["expression"]), (&json!("ADDED"), &json!("aa")));
    let version = seen[0]["object"]["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
    world.post(TWO, &two("b", "bb")).await;
    world.ask(Method::DELETE, &format!("{ONE}/a"), "", "").await;
    for (path, field) in [(ONE, "expr"), (TWO, "expression")] {
        let request = Request::get(format!("{path}?watch=true&timeoutSeconds=1&resourceVersion={version}"));
        let body = world.send(request.body(Full::default()).expect("a request")).await.into_body();
        let text = body.collect().await.expect("infallible").to_bytes();
        let lines: Vec<Value> = text
            .split(|it| *it == b'\n')
            .filter(|it| !it.is_empty())
            .map(|it| serde_json::from_slice(it).expect("JSON"))
            .collect();
        let told: Vec<(&Value, &Value)> = lines.iter().map(|it| (&it["type"], &it["object"]["spec"][field])).collect();
        assert_eq!(told, [(&json!("ADDED"), &json!("bb")), (&json!("DELETED"), &json!("aa"))], "{path}");
    }
    let request = Request::get(TWO).header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    let answer = world.send(request.body(Full::default()).expect("a request")).await;
    let table: Value =
        serde_json::from_slice(&answer.into_body().collect().await.expect("infallible").to_bytes()).expect("JSON");
    assert_eq!(table["rows"][0]["cells"], json!(["b", "bb"]));
}

#[tokio::test]
async fn managers_own_fields_in_the_version_they_wrote() {
    let hook = hook().await;
    let world = world(&hook, "/convert").await;
    let (code, _) = apply(&world, &format!("{ONE}/a"), "old", &one("a", "aa")).await;
    assert_eq!(code, 201);
    let change =
        json!({"apiVersion": "policy.example.io/v2", "kind": "Gate", "metadata": {"name": "a"}, "spec": {"weight": 7}});
    let (code, applied) = apply(&world, &format!("{TWO}/a"), "new", &change).await;
    assert_eq!((code, &applied["spec"]), (200, &json!({"expression": "aa", "weight": 7})));
    let entries = applied["metadata"]["managedFields"].as_array().expect("entries").clone();
    let owned: Vec<(&Value, &Value, &Value)> =
        entries.iter().map(|it| (&it["manager"], &it["apiVersion"], &it["fieldsV1"]["f:spec"])).collect();
    assert_eq!(
        owned,
        [
            (&json!("new"), &json!("policy.example.io/v2"), &json!({"f:weight": {}})),
            (&json!("old"), &json!("policy.example.io/v1"), &json!({"f:expr": {}})),
        ]
    );
    // The same again changes nothing, in either version.
    let version = &applied["metadata"]["resourceVersion"];
    assert_eq!(apply(&world, &format!("{TWO}/a"), "new", &change).await.1["metadata"]["resourceVersion"], *version);
    assert_eq!(
        apply(&world, &format!("{ONE}/a"), "old", &one("a", "aa")).await.1["metadata"]["resourceVersion"],
        *version
    );
}

#[tokio::test]
async fn a_webhook_that_fails_is_told_in_its_words_and_nothing_is_stored() {
    let hook = hook().await;
    let world = world(&hook, "/error").await;
    assert_eq!(world.post(ONE, &one("a", "aa")).await.0, 201, "its own version needs nobody");
    let (code, failed) = world.get(&format!("{TWO}/a")).await;
    let message = failed["message"].as_str().unwrap_or_default();
    assert_eq!(code, 500);
    assert!(message.starts_with("conversion webhook for policy.example.io/v1, Kind=Gate failed: "), "{message}");
    assert_eq!(world.post(TWO, &two("b", "bb")).await.0, 500);
    assert_eq!(world.get(&format!("{ONE}/b")).await.0, 404);
    let told = watch(&world, TWO).await;
    assert_eq!((&told[0]["type"], &told[0]["object"]["code"]), (&json!("ERROR"), &json!(500)));
    assert_eq!(world.get(ONE).await.1["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn another_stored_version_is_read_and_written_on_beside_the_old_one() {
    let hook = hook().await;
    let world = world(&hook, "/convert").await;
    world.post(ONE, &one("old", "aa")).await;
    let (_, mut definition) = world.get(DEFINITION).await;
    for (at, is_stored) in [(0, false), (1, true)] {
        definition["spec"]["versions"][at]["storage"] = json!(is_stored);
    }
    let (code, changed) = world.ask(Method::PUT, DEFINITION, "application/json", &definition.to_string()).await;
    assert_eq!((code, &changed["status"]["storedVersions"]), (200, &json!(["v1", "v2"])));
    let begin = std::time::Instant::now();
    loop {
        // Stored in the new version once nobody is asked to store it.
        hook.asked.lock().await.clear();
        let name = format!("n{}", begin.elapsed().as_micros());
        assert_eq!(world.post(TWO, &two(&name, "bb")).await.0, 201);
        if hook.asked.lock().await.is_empty() {
            break;
        }
        assert!(begin.elapsed() < crate::world::LIMIT, "the definition never came into force");
    }
    assert_eq!(world.get(&format!("{TWO}/old")).await.1["spec"]["expression"], "aa");
    assert_eq!(world.get(&format!("{ONE}/old")).await.1["spec"]["expr"], "aa");
    let patch = json!({"spec": {"expr": "dd"}}).to_string();
    let (code, patched) = world.ask(Method::PATCH, &format!("{ONE}/old"), "application/merge-patch+json", &patch).await;
    assert_eq!((code, &patched["spec"]["expr"]), (200, &json!("dd")));
    assert_eq!(world.get(&format!("{TWO}/old")).await.1["spec"]["expression"], "dd");
    // What goes with its owner goes, whatever version it is stored in.
    let (code, _) = world.ask(Method::DELETE, DEFINITION, "", "").await;
    assert_eq!(code, 200);
    while world.get(DEFINITION).await.0 != 404 {
        assert!(begin.elapsed() < crate::world::LIMIT, "the definition never went");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
