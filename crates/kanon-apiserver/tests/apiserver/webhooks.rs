//! Admission webhooks over real TLS: refusing, warning, changing, late, away, and not asked where they may not be.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use jiff::{SignedDuration, Timestamp};
use kanon_net::{Authority, CancellationToken, Limits, ServerCertificate, Validity, bind, serve, tls_server_config};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::world::World;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A webhook that does what the path says, and notes what it was asked.
struct Hook {
    address: SocketAddr,
    bundle: String,
    asked: Arc<Mutex<Vec<Value>>>,
    stop: CancellationToken,
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn answer(
    request: Request<Incoming>,
    asked: Arc<Mutex<Vec<Value>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let review: Value = serde_json::from_slice(&body).expect("a review");
    let uid = &review["request"]["uid"];
    let patch = || STANDARD.encode(r#"[{"op":"add","path":"/metadata/labels","value":{"by":"hook"}}]"#);
    let response = match path.as_str() {
        "/deny" => json!({"uid": uid, "allowed": false, "status": {"message": "no red", "code": 422}}),
        "/warn" => json!({"uid": uid, "allowed": true, "warnings": ["mind the gap"]}),
        "/mutate" => json!({"uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": patch()}),
        "/slow" => {
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            json!({"uid": uid, "allowed": true})
        }
        _ => json!({"uid": uid, "allowed": true}),
    };
    asked.lock().await.push(review);
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Ok(Response::new(Full::from(answer.to_string())))
}

async fn hook() -> Hook {
    let validity = Validity::starting(Timestamp::now(), SignedDuration::from_hours(1));
    let authority = Authority::create("hook", validity).expect("made");
    let leaf = authority.issue_server(&["hook.default.svc"], &["127.0.0.1".parse().expect("address")], validity);
    let certificate = ServerCertificate::new(&leaf.expect("issued")).expect("usable");
    let tls = tls_server_config(certificate, None).expect("config");
    let listener = bind("127.0.0.1:0".parse().expect("address")).await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let (asked, stop) = (Arc::new(Mutex::new(Vec::new())), CancellationToken::new());
    let noted = Arc::clone(&asked);
    let service = service_fn(move |request| answer(request, Arc::clone(&noted)));
    tokio::spawn(serve(listener, Some(tls), service, Limits::default(), stop.clone()));
    Hook { address, bundle: STANDARD.encode(authority.certificate_pem()), asked, stop }
}

impl Hook {
    /// A configuration with one webhook for config maps.
    fn configuration(&self, kind: &str, path: &str, failure_policy: &str) -> Value {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "test"},
            "webhooks": [{
                "name": "test.example.io", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 1,
                "failurePolicy": failure_policy,
                "clientConfig": {"url": format!("https://127.0.0.1:{}{path}", self.address.port()), "caBundle": self.bundle},
                "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
            }],
        })
    }
}

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
