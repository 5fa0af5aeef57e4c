//! The audit log: what its file and its webhook get of real requests, and that neither ever holds requests up.

use std::{
    convert::Infallible,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use kanon_apiserver::{AuditLog, AuditMode, AuditOptions, AuditPolicy, AuditTruncate, AuditWebhook, Config};
use kanon_core::UserInfo;
use kanon_net::{CancellationToken, Limits, bind, serve};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::world::{LIMIT, World};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: None, users: ['system:apiserver']}
- {level: None, nonResourceURLs: ['/readyz*', /metrics]}
- {level: RequestResponse, omitManagedFields: true, omitStages: [RequestReceived], resources: [{group: '', resources: [configmaps]}], verbs: [create, list]}
- {level: Metadata, omitStages: [RequestReceived]}
";

fn policy(text: &str) -> AuditPolicy {
    AuditPolicy::parse(text).expect("a policy")
}

async fn world(audit: AuditOptions) -> World {
    World::start_with(|config: &mut Config| config.audit = audit).await
}

/// The events of a log once the server has stopped.
async fn events(world: World, path: &Path) -> Vec<Value> {
    world.server.stop().await;
    let text = fs::read_to_string(path).expect("a log");
    text.lines().map(|it| serde_json::from_str(it).expect("JSON")).collect()
}

fn brief(event: &Value) -> String {
    let text = |it: &Value| it.as_str().unwrap_or("-").to_owned();
    let code = &event["responseStatus"]["code"];
    format!("{} {} {} {code}", text(&event["stage"]), text(&event["verb"]), text(&event["requestURI"]))
}

#[tokio::test]
async fn requests_are_told_as_the_policy_wants() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let log = AuditLog { mode: AuditMode::Blocking, ..AuditLog::new(&path) };
    let world =
        world(AuditOptions { policy: Some(policy(POLICY)), log: Some(log), webhook: None, ..AuditOptions::default() })
            .await;
    let mut heard = world.server.running().audit_events();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
    assert_eq!(world.post(MAPS, &map).await.0, 201);
    assert_eq!(world.post(MAPS, &map).await.0, 409);
    assert_eq!(world.get(MAPS).await.0, 200);
    assert_eq!(world.get("/readyz").await.0, 200);
    assert_eq!(world.get(&format!("{MAPS}/none")).await.0, 404);
    let jane = UserInfo { username: "jane".to_owned(), groups: vec!["dev".to_owned()], ..UserInfo::default() };
    let service = world.server.running().service();
    let request = Request::get(MAPS).body(Full::<Bytes>::default()).expect("a request");
    assert_eq!(service.acting_as(jane).handle(request).await.status().as_u16(), 403);
    let request = Request::get(MAPS).header("authorization", "Bearer wrong").header("audit-id", "mine");
    let answer = service.handle(request.body(Full::<Bytes>::default()).expect("a request")).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["audit-id"]),
        (401, &http::HeaderValue::from_static("mine"))
    );
    let request = Request::get("/api/v1/nodes").header("impersonate-user", "system:admin");
    let request = request.header("impersonate-group", "system:masters").header("user-agent", "agent/1");
    assert_eq!(world.send(request.body(Full::default()).expect("a request")).await.status().as_u16(), 200);
    let request = Request::get(format!("{MAPS}?watch=true&timeoutSeconds=1")).body(Full::default());
    let watch = world.send(request.expect("a request")).await;
    tokio::time::timeout(LIMIT, watch.into_body().collect()).await.expect("ends").expect("infallible");
    assert_eq!(world.ask(Method::DELETE, &format!("{MAPS}/a"), "", "").await.0, 200);
    let first = heard.next().await.expect("an event");
    assert_eq!((first.event.head.verb.as_str(), heard.missed), ("create", 0));

    let events = events(world, &path).await;
    let briefs: Vec<String> = events.iter().map(brief).collect();
    assert_eq!(
        briefs,
        [
            format!("ResponseComplete create {MAPS} 201"),
            format!("ResponseComplete create {MAPS} 409"),
            format!("ResponseComplete list {MAPS} 200"),
            format!("ResponseComplete get {MAPS}/none 404"),
            format!("ResponseComplete list {MAPS} 403"),
            format!("ResponseStarted list {MAPS} 401"),
            "ResponseComplete list /api/v1/nodes 200".to_owned(),
            format!("ResponseStarted watch {MAPS}?watch=true&timeoutSeconds=1 200"),
            format!("ResponseComplete watch {MAPS}?watch=true&timeoutSeconds=1 200"),
            format!("ResponseComplete delete {MAPS}/a 200"),
        ]
    );
    assert_eq!(serde_json::from_slice::<Value>(&first.json).ok().as_ref(), Some(&events[0]));
    let [create, again, list, absent, forbidden, unknown, nodes, _, _, delete] = &events[..] else { panic!("ten") };
    assert_eq!((&create["requestObject"], &create["user"]["username"]), (&map, &json!("kubernetes-admin")));
    assert_eq!(
        create["objectRef"],
        json!({"resource": "configmaps", "namespace": "default", "name": "a", "apiVersion": "v1"})
    );
    let metadata = &create["responseObject"]["metadata"];
    assert!(metadata["uid"].is_string() && metadata["managedFields"].is_null(), "{metadata}");
    assert_eq!(create["responseStatus"], json!({"metadata": {}, "code": 201}));
    assert_eq!(again["responseStatus"]["reason"], "AlreadyExists");
    assert_eq!(list["responseObject"]["kind"], "ConfigMapList");
    assert_eq!(absent["responseStatus"]["message"], "configmaps \"none\" not found");
    assert_eq!(absent["annotations"]["authorization.k8s.io/decision"], "allow");
    assert_eq!(forbidden["annotations"]["authorization.k8s.io/decision"], "forbid");
    assert_eq!(forbidden["user"], json!({"username": "jane", "groups": ["dev"]}));
    assert_eq!((&unknown["auditID"], &unknown["responseStatus"]["status"]), (&json!("mine"), &json!("Failure")));
    assert_eq!(nodes["impersonatedUser"]["username"], "system:admin");
    assert_eq!((&nodes["userAgent"], &nodes["user"]["username"]), (&json!("agent/1"), &json!("kubernetes-admin")));
    assert_eq!((&delete["responseStatus"]["status"], delete.get("responseObject")), (&json!("Success"), None));
}

/// A webhook without TLS that refuses the first calls, and keeps the rest.
struct Collector {
    kubeconfig: String,
    calls: Arc<AtomicUsize>,
    taken: Arc<Mutex<Vec<Value>>>,
    stop: CancellationToken,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Collector {
    async fn start(failures: usize) -> Collector {
        let listener = bind("127.0.0.1:0".parse().expect("an address")).await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (calls, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let stop = CancellationToken::new();
        let service = {
            let (calls, taken) = (Arc::clone(&calls), Arc::clone(&taken));
            service_fn(move |request: Request<Incoming>| {
                let (calls, taken) = (Arc::clone(&calls), Arc::clone(&taken));
                async move {
                    let mut answer = Response::new(Full::<Bytes>::default());
                    assert_eq!(request.headers()["authorization"], "Bearer secret");
                    let body = request.into_body().collect().await.map(|it| it.to_bytes()).unwrap_or_default();
                    if calls.fetch_add(1, Ordering::SeqCst) < failures {
                        *answer.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                    } else {
                        let list: Value = serde_json::from_slice(&body).expect("JSON");
                        taken.lock().await.extend(list["items"].as_array().expect("items").iter().cloned());
                    }
                    Ok::<_, Infallible>(answer)
                }
            })
        };
        tokio::spawn(serve(listener, None, service, Limits::default(), stop.clone()));
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'http://{address}/audit'}}}}]\nusers: [{{name: u, user: {{token: secret}}}}]\n"
        );
        Collector { kubeconfig, calls, taken, stop }
    }

    async fn holds(&self, count: usize) {
        let begin = std::time::Instant::now();
        while self.taken.lock().await.len() < count {
            assert!(begin.elapsed() < LIMIT, "the webhook was never sent {count} events");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn metadata() -> Option<AuditPolicy> {
    Some(policy(
        "{apiVersion: audit.k8s.io/v1, kind: Policy, omitStages: [RequestReceived], rules: [{level: None, users: [system:apiserver]}, {level: Metadata}]}",
    ))
}

async fn metric(world: &World, name: &str) -> u64 {
    let (_, text) = world.get("/metrics").await;
    let text = text.as_str().expect("text");
    let line = text.lines().find_map(|it| it.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}:\n{text}"));
    line.trim().parse().expect("a number")
}

#[tokio::test]
async fn a_webhook_that_fails_is_asked_again_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(2).await;
    let kubeconfig = folder.path().join("webhook.kubeconfig");
    fs::write(&kubeconfig, &collector.kubeconfig).expect("written");
    let webhook = AuditWebhook {
        batch_wait: Duration::from_millis(20),
        backoff: Duration::from_millis(10),
        ..AuditWebhook::new(&kubeconfig)
    };
    let world =
        world(AuditOptions { policy: metadata(), log: None, webhook: Some(webhook), ..AuditOptions::default() }).await;
    for number in 0..50 {
        assert_eq!(world.get(&format!("{MAPS}/m{number}")).await.0, 404);
    }
    collector.holds(50).await;
    let names: Vec<String> =
        collector.taken.lock().await.iter().map(|it| it["objectRef"]["name"].to_string()).collect();
    assert_eq!(names, (0..50).map(|it| format!("\"m{it}\"")).collect::<Vec<_>>());
    assert!(collector.calls.load(Ordering::SeqCst) < 50, "events travel together");
    assert_eq!(metric(&world, "apiserver_audit_error_total{plugin=\"webhook\"} ").await, 0);
    assert!(metric(&world, "apiserver_audit_event_total ").await >= 50);
    world.server.stop().await;
}

#[tokio::test]
async fn a_webhook_that_is_away_loses_events_but_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(usize::MAX).await;
    let kubeconfig = folder.path().join("webhook.kubeconfig");
    fs::write(&kubeconfig, &collector.kubeconfig).expect("written");
    let webhook = AuditWebhook {
        buffer: 3,
        batch_max: 2,
        batch_wait: Duration::from_millis(1),
        backoff: Duration::from_secs(3600),
        ..AuditWebhook::new(&kubeconfig)
    };
    let world =
        world(AuditOptions { policy: metadata(), log: None, webhook: Some(webhook), ..AuditOptions::default() }).await;
    let begin = std::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(world.get(MAPS).await.0, 200);
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "requests waited: {:?}", begin.elapsed());
    let begin = std::time::Instant::now();
    while metric(&world, "apiserver_audit_error_total{plugin=\"webhook\"} ").await < 90 {
        assert!(begin.elapsed() < LIMIT, "lost events are counted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn blocking_strict_refuses_what_it_cannot_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("inner");
    let path = inner.join("audit.log");
    let log = AuditLog { mode: AuditMode::BlockingStrict, size_max: 1, ..AuditLog::new(&path) };
    let policy = Some(AuditPolicy::all(kanon_apiserver::AuditLevel::Metadata));
    let world = world(AuditOptions { policy, log: Some(log), webhook: None, ..AuditOptions::default() }).await;
    assert_eq!(world.get(MAPS).await.0, 200);
    // Controllers at work are recorded too, and make the folder anew in between.
    let put_in_the_way = || fs::remove_dir_all(&inner).and_then(|()| fs::write(&inner, "in the way"));
    let done = (0..1000).any(|_| put_in_the_way().is_ok());
    assert!(done, "{:?}", put_in_the_way());
    let (code, status) = world.get(MAPS).await;
    assert_eq!((code, &status["message"]), (500, &json!("Internal error occurred: failed to store audit event")));
    fs::remove_file(&inner).expect("removed");
    assert_eq!(world.get(MAPS).await.0, 200, "and goes on when it can again");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing.kubeconfig");
    for audit in [
        AuditOptions {
            policy: metadata(),
            log: None,
            webhook: Some(AuditWebhook::new(&missing)),
            ..AuditOptions::default()
        },
        AuditOptions {
            policy: metadata(),
            log: Some(AuditLog::new(folder.path())),
            webhook: None,
            ..AuditOptions::default()
        },
    ] {
        let started =
            kanon_apiserver::TestServer::start_with(Arc::new(kanon_cel::Cel::default()), |it| it.audit = audit).await;
        let error = started.err().expect("refused").to_string();
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_handler_that_breaks_is_a_500_with_an_event_and_harms_no_other_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let log = AuditLog { mode: AuditMode::Blocking, ..AuditLog::new(&path) };
    // A clock that breaks at the n-th look from now.
    let armed = Arc::new(AtomicUsize::new(0));
    let world = World::start_with(|config| {
        config.audit = AuditOptions { policy: metadata(), log: Some(log), webhook: None, ..AuditOptions::default() };
        let (real, armed) = (Arc::clone(&config.clock), Arc::clone(&armed));
        config.clock = Arc::new(move || {
            let left = armed.load(Ordering::SeqCst);
            armed.store(left.saturating_sub(1), Ordering::SeqCst);
            assert_ne!(left, 1, "the clock broke");
            real()
        });
    })
    .await;
    // The server's own tasks look at the clock too: they have settled when nothing is written any more.
    let storage = world.server.running().storage();
    let mut changes = storage.subscribe_all();
    while tokio::time::timeout(Duration::from_millis(300), changes.changed()).await.is_ok() {}
    // The first look is the trail's, the second the handler's.
    armed.store(2, Ordering::SeqCst);
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let (code, status) = world.post(MAPS, &map).await;
    assert_eq!((code, &status["reason"]), (500, &json!("InternalError")), "{status}");
    assert!(status["message"].as_str().is_some_and(|it| it.contains("stumble") && !it.contains("clock")), "{status}");
    assert_eq!(world.post(MAPS, &map).await.0, 201, "nothing is left locked or half done");
    let events = events(world, &path).await;
    let briefs: Vec<String> = events.iter().map(brief).collect();
    assert_eq!(briefs, [format!("Panic create {MAPS} 500"), format!("ResponseComplete create {MAPS} 201")]);
    assert_eq!(events[0]["responseStatus"]["reason"], "InternalError");
}

#[tokio::test]
async fn what_controllers_write_is_in_the_log_as_requests_of_theirs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let log = AuditLog { mode: AuditMode::Blocking, ..AuditLog::new(&path) };
    let text = "{apiVersion: audit.k8s.io/v1, kind: Policy, omitStages: [RequestReceived], rules: [{level: Request}]}";
    let audit = AuditOptions { policy: Some(policy(text)), log: Some(log), webhook: None, ..AuditOptions::default() };
    let world = World::start_with(|config| {
        config.audit = audit;
        config.simulate_workloads = true;
    })
    .await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "made"}});
    assert_eq!(world.post("/api/v1/namespaces", &namespace).await.0, 201);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let path_of_pod = "/api/v1/namespaces/made/pods/p";
    assert_eq!(world.post("/api/v1/namespaces/made/pods", &pod).await.0, 201);
    let begin = std::time::Instant::now();
    while world.get(path_of_pod).await.1["status"]["phase"] != "Running" {
        assert!(begin.elapsed() < LIMIT, "the pod never ran");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let events = events(world, &path).await;
    let find = |user: &str, verb: &str, uri: &str| {
        let fits = |it: &&Value| it["user"]["username"] == user && it["verb"] == verb && it["requestURI"] == uri;
        let found = events.iter().find(fits);
        found.unwrap_or_else(|| {
            panic!("no {verb} of {uri} by {user}: {:?}", events.iter().map(brief).collect::<Vec<_>>())
        })
    };
    let account = find("system:apiserver", "create", "/api/v1/namespaces/made/serviceaccounts");
    assert_eq!(account["requestObject"]["metadata"]["name"], "default");
    assert_eq!((&account["responseStatus"]["code"], &account["sourceIPs"]), (&json!(201), &json!(["::1"])));
    assert_eq!(
        account["objectRef"],
        json!({"resource": "serviceaccounts", "namespace": "made", "name": "default", "apiVersion": "v1"})
    );
    let bound = find("system:kube-scheduler", "create", &format!("{path_of_pod}/binding"));
    assert_eq!(bound["objectRef"]["subresource"], "binding");
    assert!(bound["userAgent"].as_str().is_some_and(|it| it.starts_with("kube-scheduler/v1.")), "{bound}");
    let ran = events.iter().any(|it| {
        let user = it["user"]["username"].as_str().unwrap_or_default();
        user.starts_with("system:node:")
            && it["requestURI"] == format!("{path_of_pod}/status")
            && it["verb"] == "update"
    });
    assert!(ran, "the kubelet's status");
}

#[tokio::test]
async fn events_that_are_too_large_go_without_bodies_and_calls_hold_so_much() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(0).await;
    let kubeconfig = folder.path().join("webhook.kubeconfig");
    fs::write(&kubeconfig, &collector.kubeconfig).expect("written");
    let webhook = AuditWebhook {
        batch_wait: Duration::from_millis(200),
        truncate: Some(AuditTruncate { event_max: 4_000, batch_max: 6_000 }),
        ..AuditWebhook::new(&kubeconfig)
    };
    let text = "{apiVersion: audit.k8s.io/v1, kind: Policy, omitStages: [RequestReceived], rules: [{level: None, users: [system:apiserver]}, {level: Request}]}";
    let world = world(AuditOptions {
        policy: Some(policy(text)),
        log: None,
        webhook: Some(webhook),
        ..AuditOptions::default()
    })
    .await;
    for (name, size) in [("small", 3), ("large", 5_000), ("medium-1", 2_000), ("medium-2", 2_000)] {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v".repeat(size)}});
        assert_eq!(world.post(MAPS, &map).await.0, 201);
    }
    collector.holds(4).await;
    let taken = collector.taken.lock().await.clone();
    let brief: Vec<(&Value, bool, &Value)> = taken
        .iter()
        .map(|it| {
            (&it["objectRef"]["name"], it["requestObject"].is_object(), &it["annotations"]["audit.k8s.io/truncated"])
        })
        .collect();
    assert_eq!(
        brief,
        [
            (&json!("small"), true, &Value::Null),
            (&json!("large"), false, &json!("true")),
            (&json!("medium-1"), true, &Value::Null),
            (&json!("medium-2"), true, &Value::Null),
        ]
    );
    assert!(collector.calls.load(Ordering::SeqCst) >= 2, "6,000 bytes do not hold all four");
    world.server.stop().await;
}
