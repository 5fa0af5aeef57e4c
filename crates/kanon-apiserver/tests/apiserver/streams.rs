//! `exec`, `attach`, `portforward`: admission is asked as in a cluster, and an observer in this process hears of them, whatever the
//! audit policy says. Then there is no kubelet.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use kanon_apiserver::{AuditObserver, AuditPolicy};
use serde_json::{Value, json};

use crate::{hook::hook, world::World};

const PODS: &str = "/api/v1/namespaces/default/pods";

fn pod(name: &str, node: &str) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [
        {"name": "a", "image": "i"}, {"name": "b", "image": "i"}]}});
    if !node.is_empty() {
        pod["spec"]["nodeName"] = node.into();
    }
    pod
}

#[tokio::test]
async fn a_connection_is_put_to_admission_and_then_finds_no_kubelet() {
    let world = World::start().await;
    for (name, node) in [("web", "n1"), ("idle", "")] {
        assert_eq!(world.post(PODS, &pod(name, node)).await.0, 201);
    }
    let hook = hook().await;
    let mut configuration = hook.configuration("ValidatingWebhookConfiguration", "/allow", "Fail");
    configuration["webhooks"][0]["rules"] = json!([{"apiGroups": [""], "apiVersions": ["v1"],
        "resources": ["pods/exec", "pods/portforward"], "operations": ["CONNECT"]}]);
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    assert_eq!(world.post(path, &configuration).await.0, 201);
    for (asked, code, message) in [
        ("web/exec?command=sh&container=a&stdin=true", 500, "error dialing backend: this server runs no containers"),
        ("web/exec?command=sh", 400, "a container name must be specified for pod web, choose one of: [a b]"),
        ("web/exec?command=sh&container=c", 400, "container c is not valid for pod web"),
        ("idle/exec?command=sh&container=a", 400, "pod idle does not have a host assigned"),
        ("gone/exec?command=sh&container=a", 404, r#"pods "gone" not found"#),
        ("web/attach?container=a", 500, "error dialing backend"),
        ("web/portforward?ports=80", 500, "error dialing backend"),
    ] {
        // With WebSockets, and without.
        for (status, value) in
            [world.get(&format!("{PODS}/{asked}")).await, world.post(&format!("{PODS}/{asked}"), &json!({})).await]
        {
            let said = value["message"].as_str().unwrap_or_default();
            assert!(status == code && said.contains(message), "{asked}: {status} {value}");
        }
    }
    let asked = hook.asked.lock().await;
    // All but those that attach.
    assert_eq!(asked.len(), 12);
    let request = &asked[0]["request"];
    assert_eq!((&request["operation"], &request["subResource"]), (&json!("CONNECT"), &json!("exec")));
    assert_eq!(
        (&request["kind"]["kind"], &request["resource"]["resource"]),
        (&json!("PodExecOptions"), &json!("pods"))
    );
    assert_eq!(
        (&request["name"], &request["namespace"], &request["options"]),
        (&json!("web"), &json!("default"), &Value::Null)
    );
    let options =
        json!({"kind": "PodExecOptions", "apiVersion": "v1", "command": ["sh"], "container": "a", "stdin": true});
    assert_eq!(request["object"], options);
}

#[tokio::test]
async fn a_refused_connection_does_not_get_that_far() {
    let world = World::start().await;
    assert_eq!(world.post(PODS, &pod("web", "n1")).await.0, 201);
    let hook = hook().await;
    let mut configuration = hook.configuration("ValidatingWebhookConfiguration", "/deny", "Fail");
    configuration["webhooks"][0]["rules"] =
        json!([{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/exec"], "operations": ["CONNECT"]}]);
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    assert_eq!(world.post(path, &configuration).await.0, 201);
    let (status, value) = world.get(&format!("{PODS}/web/exec?container=a&command=sh")).await;
    assert!(status == 422 && value["message"].as_str().is_some_and(|it| it.contains("denied the request")), "{value}");
}

#[tokio::test]
async fn an_observer_hears_each_answer_once_without_any_policy_of_the_log() {
    let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
    let wanted = Arc::new(AtomicBool::new(false));
    let world = World::start_with(|config| {
        let text = "{apiVersion: audit.k8s.io/v1, kind: Policy, omitStages: [RequestReceived], rules: [{level: None, users: \
                    ['system:apiserver']}, {level: Request}]}";
        let (hears, wants) = (Arc::clone(&heard), Arc::clone(&wanted));
        config.audit.observer = Some(AuditObserver {
            policy: AuditPolicy::parse(text).expect("a policy"),
            wants: Arc::new(move || wants.load(Ordering::Relaxed)),
            hear: Arc::new(move |event| {
                let event = serde_json::from_slice(&event.render()).expect("JSON");
                hears.lock().expect("no panic before").push(event);
            }),
        });
    })
    .await;
    assert_eq!(world.post(PODS, &pod("before", "n1")).await.0, 201);
    wanted.store(true, Ordering::Relaxed);
    assert_eq!(world.post(PODS, &pod("web", "n1")).await.0, 201);
    world.get(&format!("{PODS}/web/exec?container=a&command=sh")).await;
    let heard = heard.lock().expect("no panic before");
    let brief = |it: &Value| {
        format!("{} {} {}", it["verb"], it["objectRef"]["subresource"], it["responseStatus"]["code"]).replace('"', "")
    };
    assert_eq!(heard.iter().map(brief).collect::<Vec<_>>(), ["create null 201", "get exec 500"]);
    assert_eq!(heard[0]["requestObject"]["metadata"]["name"], "web");
    assert_eq!(heard[1]["requestURI"], format!("{PODS}/web/exec?container=a&command=sh"));
}
