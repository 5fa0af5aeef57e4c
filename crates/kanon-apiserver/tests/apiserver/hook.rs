//! A webhook over real TLS that does what the path says, and notes what it was asked.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use jiff::{SignedDuration, Timestamp};
use kanon_net::{Authority, CancellationToken, Limits, ServerCertificate, Validity, bind, serve, tls_server_config};
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// See the module.
pub(crate) struct Hook {
    pub(crate) address: SocketAddr,
    pub(crate) bundle: String,
    pub(crate) asked: Arc<Mutex<Vec<Value>>>,
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
    if let Some(response) = without_review(&path) {
        asked.lock().await.push(review);
        return Ok(response);
    }
    if review["kind"] == "ConversionReview" {
        let answer = converted(&path, &review["request"]);
        asked.lock().await.push(review);
        return Ok(Response::new(Full::from(answer.to_string())));
    }
    let uid = &review["request"]["uid"];
    let patch = || STANDARD.encode(r#"[{"op":"add","path":"/metadata/labels","value":{"by":"hook"}}]"#);
    let note = |name: &str| {
        let patch = json!([{"op": "add", "path": format!("/metadata/annotations/{name}"), "value": "seen"}]);
        json!({"uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string())})
    };
    let response = match path.as_str() {
        "/other-uid" => json!({"uid": "other", "allowed": true}),
        "/misfit" => {
            let patch = STANDARD.encode(r#"[{"op":"remove","path":"/nothing"}]"#);
            json!({"uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": patch})
        }
        "/warnings" => {
            let warnings: Vec<String> = (0..40).map(|it| format!("{it:02} {}", "x".repeat(500))).collect();
            json!({"uid": uid, "allowed": true, "warnings": warnings})
        }
        "/elsewhere" => {
            let patch = STANDARD.encode(r#"[{"op":"add","path":"/metadata/namespace","value":"kube-system"}]"#);
            json!({"uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": patch})
        }
        "/other-kind" => {
            let patch = STANDARD.encode(r#"[{"op":"add","path":"/kind","value":"Secret"}]"#);
            json!({"uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": patch})
        }
        "/grant" => {
            let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]);
            let patch = json!([{"op": "add", "path": "/rules", "value": rules}]);
            json!({"uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string())})
        }
        path if path.starts_with("/note/") => note(path.trim_start_matches("/note/")),
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

/// Gates of version 2 call `expr` of version 1 `expression`. On the path `/lossy` nothing is converted but the version.
fn converted(path: &str, request: &Value) -> Value {
    let wanted = &request["desiredAPIVersion"];
    let names = if *wanted == "policy.example.io/v2" { ("expr", "expression") } else { ("expression", "expr") };
    let convert = |object: &Value| {
        let mut object = object.clone();
        object["apiVersion"] = wanted.clone();
        if let (Some(spec), true) = (object["spec"].as_object_mut(), path != "/lossy")
            && let Some(expression) = spec.remove(names.0)
        {
            spec.insert(names.1.to_owned(), expression);
        }
        object
    };
    let objects: Vec<Value> = request["objects"].as_array().into_iter().flatten().map(convert).collect();
    let response = json!({"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": objects});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response})
}

/// Answers that are no reviews.
fn without_review(path: &str) -> Option<Response<Full<Bytes>>> {
    let response = Response::builder();
    let response = match path {
        "/text" => response.body(Full::from("hello")),
        "/huge" => response.body(Full::from(vec![b' '; 17 << 20])),
        "/error" => response.status(500).body(Full::from("boom")),
        "/away" => response.status(404).body(Full::from("404 page not found")),
        "/moved" => response.status(307).header("location", "/allow").body(Full::default()),
        _ => return None,
    };
    Some(response.expect("a response"))
}

/// Starts one.
pub(crate) async fn hook() -> Hook {
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
    pub(crate) fn configuration(&self, kind: &str, path: &str, failure_policy: &str) -> Value {
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
