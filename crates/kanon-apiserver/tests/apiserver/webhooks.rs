//! Admission webhooks over real TLS: refusing, warning, changing, late, away, and not asked where they may not be.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Method, Request};
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};
use kanon_net::{Authority, Validity};
use serde_json::{Value, json};

use crate::{hook::hook, world::World};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

const VALIDATING: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

async fn check(path: &str, failure_policy: &str, code: u16, message: &str) {
    let world = World::start().await;
    let hook = hook().await;
    let configuration = hook.configuration("ValidatingWebhookConfiguration", path, failure_policy);
    let (status, made) = world.post(VALIDATING, &configuration).await;
    assert_eq!(status, 201, "{made}");
    let (status, value) = world.post(MAPS, &map("x")).await;
    assert_eq!(status, code, "{path} {failure_policy}: {value}");
    assert!(value["message"].as_str().unwrap_or_default().contains(message), "{path}: {value}");
    assert_eq!(world.get(&format!("{MAPS}/x")).await.0, if code == 201 { 200 } else { 404 });
}

#[tokio::test]
async fn validating_webhooks_refuse_and_fail_as_their_policy_says() {
    check("/deny", "Fail", 422, r#"admission webhook "test.example.io" denied the request: no red"#).await;
    check("/allow", "Fail", 201, "").await;
    check(
        "/slow",
        "Fail",
        500,
        r#"failed calling webhook "test.example.io": failed to call webhook: Post "https://127.0.0.1:"#,
    )
    .await;
    check("/slow", "Ignore", 201, "").await;
}

#[tokio::test]
async fn answers_that_are_none_are_told_and_passed_over_where_they_may_be() {
    let failed = |cause: &str| format!(r#"failed calling webhook "test.example.io": {cause}"#);
    for (path, cause) in [
        ("/text", "failed to call webhook: expected value"),
        ("/huge", "failed to call webhook: Post "),
        (
            "/error",
            r#"failed to call webhook: an error on the server ("boom") has prevented the request from succeeding"#,
        ),
        ("/away", "failed to call webhook: the server could not find the requested resource"),
        ("/moved", "failed to call webhook: the server responded with the status code 307"),
        ("/other-uid", "received invalid webhook response: expected response.uid="),
    ] {
        check(path, "Fail", 500, &failed(cause)).await;
        check(path, "Ignore", 201, "").await;
    }
}

#[tokio::test]
async fn mutating_webhooks_change_what_is_stored_and_see_the_request() {
    let world = World::start().await;
    let hook = hook().await;
    let configuration = hook.configuration("MutatingWebhookConfiguration", "/mutate", "Fail");
    assert_eq!(world.post(MUTATING, &configuration).await.0, 201);
    let (status, value) = world.post(&format!("{MAPS}?dryRun=All"), &map("x")).await;
    assert_eq!((status, &value["metadata"]["labels"]), (201, &json!({"by": "hook"})));
    assert_eq!(world.get(&format!("{MAPS}/x")).await.0, 404, "a dry run stores nothing");
    assert_eq!(world.post(MAPS, &map("x")).await.0, 201);
    assert_eq!(world.ask(Method::DELETE, &format!("{MAPS}/x"), "", "").await.0, 500, "nothing to patch on delete");
    let asked = hook.asked.lock().await;
    let seen: Vec<(&str, bool)> = asked
        .iter()
        .map(|it| &it["request"])
        .filter_map(|it| Some((it["operation"].as_str()?, it["dryRun"].as_bool()?)))
        .collect();
    assert_eq!(seen, [("CREATE", true), ("CREATE", false), ("DELETE", false)]);
    let request = &asked[1]["request"];
    assert_eq!(request["userInfo"]["username"], "kubernetes-admin");
    assert_eq!(request["object"]["metadata"].get("uid"), None, "not stamped yet");
    assert!(request["oldObject"].is_null() && request["options"]["kind"] == "CreateOptions");
}

#[tokio::test]
async fn services_are_found_by_the_map_and_warnings_reach_the_client() {
    let hook = hook().await;
    let address = hook.address;
    let world = World::start_with(|config| {
        config.services =
            Some(Arc::new(move |host, port| (host == "hook.default.svc" && port == 443).then_some(address)));
    })
    .await;
    let mut configuration = hook.configuration("ValidatingWebhookConfiguration", "/", "Fail");
    configuration["webhooks"][0]["clientConfig"] = json!({"caBundle": hook.bundle,
        "service": {"namespace": "default", "name": "hook", "path": "/warn", "port": 443}});
    let (status, made) = world.post(VALIDATING, &configuration).await;
    assert_eq!(status, 201, "{made}");
    let request = Request::post(MAPS).header("content-type", "application/json");
    let answer = world.send(request.body(Full::from(map("x").to_string())).expect("a request")).await;
    assert_eq!(answer.status().as_u16(), 201);
    assert_eq!(answer.headers()["warning"], r#"299 - "mind the gap""#);
}

#[tokio::test]
async fn a_webhook_that_is_away_or_not_trusted_is_named() {
    let world = World::start().await;
    let hook = hook().await;
    let mut configuration = hook.configuration("ValidatingWebhookConfiguration", "/allow", "Fail");
    let other = Authority::create("other", Validity::starting(Timestamp::now(), SignedDuration::from_hours(1)));
    configuration["webhooks"][0]["clientConfig"]["caBundle"] =
        STANDARD.encode(other.expect("made").certificate_pem()).into();
    assert_eq!(world.post(VALIDATING, &configuration).await.0, 201);
    let (status, value) = world.post(MAPS, &map("x")).await;
    assert_eq!(status, 500, "{value}");
    let message = value["message"].as_str().unwrap_or_default();
    assert!(message.contains("test.example.io") && message.contains("certificate"), "{message}");
}
