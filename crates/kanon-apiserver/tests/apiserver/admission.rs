//! Which requests reach webhooks, in which form and how often: over real TLS, with real definitions and users.

use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{
    custom::{GATES, crd, define, gate},
    hook::{Hook, hook},
    world::World,
};

const VALIDATING: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": {"a": "b"}}})
}

/// One webhook of `hook` with `extra` over the usual.
fn webhook(hook: &Hook, name: &str, path: &str, extra: Value) -> Value {
    let mut webhook = hook.configuration("", path, "Fail")["webhooks"][0].clone();
    webhook["name"] = name.into();
    for (name, value) in extra.as_object().into_iter().flatten() {
        webhook[name] = value.clone();
    }
    webhook
}

async fn configure(world: &World, path: &str, webhooks: &[Value]) {
    let kind = if path == MUTATING { "MutatingWebhookConfiguration" } else { "ValidatingWebhookConfiguration" };
    let body = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "c"}, "webhooks": webhooks});
    let (status, made) = world.post(path, &body).await;
    assert_eq!(status, 201, "{made}");
}

/// What the hook was asked since the last time.
async fn asked(hook: &Hook) -> Vec<Value> {
    std::mem::take(&mut *hook.asked.lock().await)
}

#[tokio::test]
async fn a_later_change_asks_earlier_webhooks_again() {
    let (world, hook) = (World::start().await, hook().await);
    let again = json!({"reinvocationPolicy": "IfNeeded"});
    configure(
        &world,
        MUTATING,
        &[webhook(&hook, "a.a.io", "/note/first", again), webhook(&hook, "b.b.io", "/note/second", json!({}))],
    )
    .await;
    let (status, made) = world.post(MAPS, &map("x")).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["metadata"]["annotations"], json!({"a": "b", "first": "seen", "second": "seen"}));
    let seen: Vec<usize> = asked(&hook)
        .await
        .iter()
        .map(|it| it["request"]["object"]["metadata"]["annotations"].as_object().map_or(0, |it| it.len()))
        .collect();
    assert_eq!(seen, [1, 2, 3], "the first, the second, and the first once more");
}

#[tokio::test]
async fn a_patch_that_does_not_fit_fails_the_request() {
    let (world, hook) = (World::start().await, hook().await);
    configure(&world, MUTATING, &[webhook(&hook, "a.a.io", "/misfit", json!({"failurePolicy": "Ignore"}))]).await;
    let (status, value) = world.post(MAPS, &map("x")).await;
    assert_eq!((status, &value["reason"]), (500, &json!("InternalError")), "{value}");
}

#[tokio::test]
async fn a_webhook_changes_an_object_and_not_which_one_it_is() {
    for (path, code) in [("/elsewhere", 400), ("/other-kind", 422)] {
        let (world, hook) = (World::start().await, hook().await);
        configure(&world, MUTATING, &[webhook(&hook, "a.a.io", path, json!({}))]).await;
        let (status, value) = world.post(MAPS, &map("x")).await;
        assert_eq!(status, code, "{path}: {value}");
        for namespace in ["default", "kube-system"] {
            assert_eq!(world.get(&format!("/api/v1/namespaces/{namespace}/configmaps/x")).await.0, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn warnings_are_cut_when_there_are_too_many() {
    let (world, hook) = (World::start().await, hook().await);
    configure(&world, VALIDATING, &[webhook(&hook, "a.a.io", "/warnings", json!({}))]).await;
    let request = Request::post(MAPS).header("content-type", "application/json");
    let answer = world.send(request.body(Full::from(map("x").to_string())).expect("a request")).await;
    let warnings: Vec<&str> = answer.headers().get_all("warning").iter().filter_map(|it| it.to_str().ok()).collect();
    assert_eq!((answer.status().as_u16(), warnings.len()), (201, 16));
    assert!(warnings.iter().all(|it| it.len() == r#"299 - """#.len() + 256), "{warnings:?}");
}

#[tokio::test]
async fn dry_runs_do_not_reach_webhooks_with_side_effects() {
    let (world, hook) = (World::start().await, hook().await);
    let mut config = hook.configuration("ValidatingWebhookConfiguration", "/allow", "Fail");
    config["apiVersion"] = json!("admissionregistration.k8s.io/v1");
    config["webhooks"][0]["sideEffects"] = json!("NoneOnDryRun");
    assert_eq!(world.post(VALIDATING, &config).await.0, 201);
    assert_eq!(world.post(&format!("{MAPS}?dryRun=All"), &map("x")).await.0, 201);
    let dry: Vec<bool> = asked(&hook).await.iter().filter_map(|it| it["request"]["dryRun"].as_bool()).collect();
    assert_eq!(dry, [true]);
}

#[tokio::test]
async fn namespaces_are_selected_by_their_own_labels() {
    let (world, hook) = (World::start().await, hook().await);
    let rules = json!([{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["namespaces", "configmaps"]}]);
    let selector = json!({"matchLabels": {"team": "a"}});
    configure(
        &world,
        VALIDATING,
        &[webhook(&hook, "a.a.io", "/deny", json!({"rules": rules, "namespaceSelector": selector}))],
    )
    .await;
    let namespace = |name: &str, team: &str| json!({"metadata": {"name": name, "labels": {"team": team}}});
    assert_eq!(world.post("/api/v1/namespaces", &namespace("one", "a")).await.0, 422);
    assert_eq!(world.post("/api/v1/namespaces", &namespace("two", "b")).await.0, 201);
    let (status, _) = world
        .ask(
            Method::PATCH,
            "/api/v1/namespaces/two",
            "application/merge-patch+json",
            r#"{"metadata":{"labels":{"team":"a"}}}"#,
        )
        .await;
    assert_eq!(status, 422, "the new labels count");
    assert_eq!(world.post("/api/v1/namespaces/two/configmaps", &map("x")).await.0, 201);
}

#[tokio::test]
async fn objects_are_shown_in_the_version_that_the_rule_names() {
    let (world, hook) = (World::start().await, hook().await);
    define(&world, &crd(&["v1", "v2"])).await;
    let rules = json!([{"operations": ["*"], "apiGroups": ["policy.example.io"], "apiVersions": ["v1"], "resources": ["gates"]}]);
    configure(&world, MUTATING, &[webhook(&hook, "a.a.io", "/note/seen", json!({"rules": rules}))]).await;
    let second = GATES.replace("/v1/", "/v2/");
    let mut body = gate("a");
    body["apiVersion"] = json!("policy.example.io/v2");
    body["metadata"]["annotations"] = json!({"a": "b"});
    let (status, made) = world.post(&second, &body).await;
    assert_eq!((status, &made["apiVersion"]), (201, &json!("policy.example.io/v2")), "{made}");
    assert_eq!(made["metadata"]["annotations"]["seen"], "seen");
    let request = asked(&hook).await.remove(0)["request"].clone();
    assert_eq!(
        (&request["kind"]["version"], &request["requestKind"]["version"], &request["object"]["apiVersion"]),
        (&json!("v1"), &json!("v2"), &json!("policy.example.io/v1"))
    );
    // Exact: no other version is looked for.
    let exact = webhook(&hook, "a.a.io", "/deny", json!({"rules": rules, "matchPolicy": "Exact"}));
    configure(&world, VALIDATING, &[exact]).await;
    body["metadata"]["name"] = json!("b");
    assert_eq!(world.post(&second, &body).await.0, 201);
    body["apiVersion"] = json!("policy.example.io/v1");
    body["metadata"]["name"] = json!("c");
    assert_eq!(world.post(GATES, &body).await.0, 422);
}

#[tokio::test]
async fn conditions_may_ask_what_the_user_may_do() {
    let (world, hook) = (World::start().await, hook().await);
    let unless = "!authorizer.group('policy.example.io').resource('gates').check('bypass').allowed()";
    let condition = |expression: &str| json!({"matchConditions": [{"name": "unless", "expression": expression}]});
    let broken = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "broken"}, "webhooks": [webhook(&hook, "a.a.io", "/deny", condition("request.nothing"))]});
    let (status, value) = world.post(VALIDATING, &broken).await;
    assert_eq!(status, 422, "{value}");
    let cause = &value["details"]["causes"][0];
    assert_eq!(cause["field"], "webhooks[0].matchConditions[0].expression");
    assert!(cause["message"].as_str().unwrap_or_default().contains("undefined field 'nothing'"), "{cause}");

    configure(&world, VALIDATING, &[webhook(&hook, "a.a.io", "/deny", condition(unless))]).await;
    let role = json!({"metadata": {"name": "maps"}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]});
    let bypass = json!({"metadata": {"name": "bypass"}, "rules": [{"apiGroups": ["policy.example.io"], "resources": ["gates"], "verbs": ["bypass"]}]});
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    assert_eq!((world.post(roles, &role).await.0, world.post(roles, &bypass).await.0), (201, 201));
    for (name, role, user) in [("m", "maps", "jane"), ("n", "maps", "joe"), ("b", "bypass", "joe")] {
        let binding = json!({"metadata": {"name": name}, "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}});
        let (status, made) = world.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await;
        assert_eq!(status, 201, "{made}");
    }
    for (user, want) in [("jane", 422), ("joe", 201)] {
        let request = Request::post(MAPS).header("content-type", "application/json").header("impersonate-user", user);
        let answer = world.send(request.body(Full::from(map(user).to_string())).expect("a request")).await;
        assert_eq!(answer.status().as_u16(), want, "{user}");
    }
}

#[tokio::test]
async fn a_webhook_cannot_grant_what_the_user_may_not() {
    let (world, hook) = (World::start().await, hook().await);
    let rules = json!([{"operations": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "apiVersions": ["v1"], "resources": ["roles"]}]);
    configure(&world, MUTATING, &[webhook(&hook, "a.a.io", "/grant", json!({"rules": rules}))]).await;
    let role = json!({"metadata": {"name": "writer"}, "rules": [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create"]}]});
    assert_eq!(world.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", &role).await.0, 201);
    let binding = json!({"metadata": {"name": "w"}, "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "writer"}});
    assert_eq!(world.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await.0, 201);
    let body = json!({"metadata": {"name": "r"}, "rules": []}).to_string();
    let request = Request::post("/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles")
        .header("content-type", "application/json")
        .header("impersonate-user", "jane");
    let answer = world.send(request.body(Full::from(body)).expect("a request")).await;
    assert_eq!(answer.status().as_u16(), 403);
}

#[tokio::test]
async fn questions_pass_admission_too() {
    let (world, hook) = (World::start().await, hook().await);
    let rules = json!([{"operations": ["CREATE"], "apiGroups": ["authorization.k8s.io"], "apiVersions": ["v1"],
        "resources": ["selfsubjectaccessreviews"]}]);
    configure(&world, VALIDATING, &[webhook(&hook, "a.a.io", "/warn", json!({"rules": rules}))]).await;
    let review = json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}});
    let (status, answer) = world.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await;
    assert_eq!((status, &answer["status"]["allowed"]), (201, &json!(true)), "{answer}");
    let seen = asked(&hook).await;
    assert_eq!(seen.iter().map(|it| &it["request"]["kind"]["kind"]).collect::<Vec<_>>(), ["SelfSubjectAccessReview"]);
}
