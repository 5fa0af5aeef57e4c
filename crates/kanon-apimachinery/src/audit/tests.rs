//! Policies against requests, and events against the JSON that upstream writes.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, Method};
use kanon_core::UserInfo;
use serde_json::{Value, json};

use super::*;
use crate::{rbac::Attributes, request::RequestInfo};

fn user(name: &str, groups: &[&str]) -> UserInfo {
    let groups = groups.iter().map(|it| (*it).to_owned()).collect();
    UserInfo { username: name.to_owned(), groups, ..UserInfo::default() }
}

fn info(line: &str) -> RequestInfo {
    let (method, uri) = line.split_once(' ').expect("method and path");
    let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
    let method: Method = method.parse().expect("a method");
    RequestInfo::parse(&method, path, query, &HeaderMap::new()).expect("a request")
}

const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
metadata: {name: example}
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- {level: None, users: ['system:kube-proxy'], verbs: [watch], resources: [{group: '', resources: [endpoints, services]}]}
- {level: None, userGroups: ['system:authenticated'], nonResourceURLs: ['/api*', /version]}
- {level: Request, resources: [{group: '', resources: [configmaps]}], namespaces: [kube-system], omitStages: [Panic]}
- {level: RequestResponse, resources: [{group: '', resources: [pods]}], omitManagedFields: false}
- {level: Metadata, resources: [{group: '', resources: [pods/log, 'services/*', '*/scale']}]}
- {level: Metadata, resources: [{group: apps}, {group: batch, resources: ['*']}]}
- {level: Request, resources: [{group: '', resources: [secrets], resourceNames: [one]}]}
- {level: Metadata, nonResourceURLs: ['*']}
- {level: Request, verbs: [delete]}
";

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = Policy::parse(POLICY).expect("a policy");
    let somebody = user("jane", &["system:authenticated"]);
    let proxy = user("system:kube-proxy", &[]);
    let nobody = user("system:anonymous", &["system:unauthenticated"]);
    for (who, line, want) in [
        (&proxy, "GET /api/v1/services?watch=true", Level::None),
        (&proxy, "GET /api/v1/services", Level::Metadata),
        (&somebody, "GET /api/v1/services?watch=true", Level::Metadata),
        (&somebody, "GET /apis", Level::None),
        (&somebody, "GET /version", Level::None),
        (&somebody, "GET /versions", Level::Metadata),
        (&nobody, "GET /apis", Level::Metadata),
        (&somebody, "POST /api/v1/namespaces/kube-system/configmaps", Level::Request),
        (&somebody, "POST /api/v1/namespaces/other/configmaps", Level::None),
        (&somebody, "GET /api/v1/namespaces/a/pods/x", Level::RequestResponse),
        (&somebody, "GET /api/v1/namespaces/a/pods/x/log", Level::Metadata),
        (&somebody, "GET /api/v1/namespaces/a/pods/x/status", Level::None),
        (&somebody, "GET /api/v1/namespaces/a/replicationcontrollers/x/scale", Level::Metadata),
        (&somebody, "GET /apis/apps/v1/namespaces/a/deployments/x/scale", Level::Metadata),
        (&somebody, "GET /apis/batch/v1/jobs", Level::Metadata),
        (&somebody, "GET /apis/batch/v1/namespaces/a/jobs/x/status", Level::Metadata),
        (&somebody, "GET /api/v1/namespaces/a/secrets/one", Level::Request),
        (&somebody, "GET /api/v1/namespaces/a/secrets/two", Level::None),
        (&somebody, "DELETE /api/v1/namespaces/a/secrets/two", Level::Request),
    ] {
        let decision = policy.decide(Some(who), &Attributes::of(&info(line)));
        assert_eq!(decision.level, want, "{} {line}", who.username);
    }
    let decide = |line: &str| policy.decide(Some(&somebody), &Attributes::of(&info(line)));
    let maps = decide("GET /api/v1/namespaces/kube-system/configmaps");
    let stages = [Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete, Stage::Panic];
    assert_eq!(stages.map(|it| maps.records(it)), [false, true, true, false]);
    assert!(maps.omit_managed_fields && !decide("GET /api/v1/pods").omit_managed_fields);
    assert!(!decide("GET /api/v1/nodes").records(Stage::ResponseComplete));
    let all = Policy::all(Level::Metadata);
    assert_eq!(all.decide(None, &Attributes::of(&info("GET /api/v1/pods"))).level, Level::Metadata);
}

#[test]
fn every_mistake_of_a_policy_is_named() {
    let head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";
    for (rest, want) in [
        ("rules: []", "rules: at least one rule is required"),
        (
            "rules: [{level: All}]",
            "rules[0].level: `All`: must be one of `None`, `Metadata`, `Request`, `RequestResponse`",
        ),
        ("rules: [{users: [a]}]", "rules[0].level: is required: must be one of"),
        ("omitStages: [End]\nrules: [{level: None}]", "omitStages[0]: `End`: must be one of `RequestReceived`"),
        ("rules: [{level: None, nonResourceURLs: [api]}]", "rules[0].nonResourceURLs[0]: `api` must begin with `/`"),
        ("rules: [{level: None, nonResourceURLs: ['/a*b']}]", "`/a*b` may have `*` at its end only"),
        (
            "rules: [{level: None, namespaces: [a], nonResourceURLs: [/a]}]",
            "rules[0].nonResourceURLs: a rule cannot be about resources and about other paths",
        ),
        ("rules: [{level: None, resources: [{group: apps/v1}]}]", "the group `apps/v1` must not have a version"),
        (
            "rules: [{level: None, resources: [{group: '', resourceNames: [a]}]}]",
            "rules[0].resources[0]: `resourceNames` needs at least one resource",
        ),
        ("rules: [{level: None, verb: [get]}]", "cannot be read: "),
        ("rules: {", "cannot be read: "),
    ] {
        let error = Policy::parse(&format!("{head}{rest}")).expect_err(rest).to_string();
        assert!(error.contains(want), "{rest}: {error}");
    }
    let error = Policy::parse("apiVersion: audit.k8s.io/v2\nkind: Rules\nrules: [{level: None}]").expect_err("both");
    assert!(matches!(&error, PolicyError::Invalid(list) if list.len() == 2), "{error}");
}

fn event(line: &str, level: Level) -> Event {
    let info = info(line);
    let received = "2026-01-02T03:04:05.6Z".parse().expect("a time");
    let head = Head {
        id: "4d1e".to_owned(),
        uri: line.split_once(' ').expect("a path").1.to_owned(),
        verb: info.verb(),
        user: user("jane", &["dev"]),
        source_ips: vec!["10.0.0.1".to_owned()],
        user_agent: "kubectl".to_owned(),
        object: ObjectReference::of(&info),
        received,
    };
    let decision = Policy::all(level).decide(None, &Attributes::of(&info));
    let (at, annotations) = (received, BTreeMap::new());
    let stage = Stage::ResponseComplete;
    Event { head: Arc::new(head), decision, stage, at, impersonated: None, sent: None, outcome: None, annotations }
}

#[test]
fn an_event_reads_as_upstreams_do() {
    let mut event = event("POST /api/v1/namespaces/shop/configmaps?dryRun=All", Level::Metadata);
    let body = "{\n \"metadata\": {\"name\": \"cart\", \"uid\": \"7\", \"managedFields\": []}}";
    event.sent = Some(Sent { content_type: "application/json".to_owned(), bytes: body.into() });
    event.outcome = Some(Outcome { code: 201, body: vec!["{\"kind\":".into(), "\"ConfigMap\"}".into()], status: None });
    event.annotations.insert(DECISION.to_owned(), ALLOW.to_owned());
    event.annotations.insert(format!("{PATCH_PREFIX}round_0_index_0"), "{}".to_owned());
    let text = String::from_utf8(event.render().to_vec()).expect("text");
    assert_eq!(
        text,
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"4d1e","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/configmaps?dryRun=All","verb":"create","user":{"username":"jane","groups":["dev"]},"sourceIPs":["10.0.0.1"],"userAgent":"kubectl","objectRef":{"resource":"configmaps","namespace":"shop","name":"cart","uid":"7","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestReceivedTimestamp":"2026-01-02T03:04:05.600000Z","stageTimestamp":"2026-01-02T03:04:05.600000Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#
    );
    event.decision.level = Level::Request;
    let value: Value = serde_json::from_slice(&event.render()).expect("JSON");
    assert_eq!(value["requestObject"]["metadata"]["name"], "cart");
    assert_eq!(
        (&value["responseObject"], value["annotations"].as_object().map(|it| it.len())),
        (&Value::Null, Some(2))
    );
    (event.decision.level, event.decision.omit_managed_fields) = (Level::RequestResponse, true);
    let value: Value = serde_json::from_slice(&event.render()).expect("JSON");
    assert_eq!(value["requestObject"]["metadata"], json!({"name": "cart", "uid": "7"}));
    assert_eq!(value["responseObject"], json!({"kind": "ConfigMap"}));
}

#[test]
fn bodies_of_every_form_are_shown_and_broken_ones_left_out() {
    for (content_type, body, want) in [
        ("application/yaml", "a: [1]", json!({"a": [1]})),
        ("application/merge-patch+json", "{\"a\":null}", json!({"a": null})),
        ("application/json-patch+json", "[]", json!([])),
        ("application/apply-patch+yaml", "a: b", json!({"a": "b"})),
        ("application/json; charset=utf-8", "{}", json!({})),
        ("application/json", "{", Value::Null),
        ("text/plain", "a", Value::Null),
    ] {
        let mut event = event("PATCH /api/v1/namespaces/a/pods/x", Level::Request);
        event.sent = Some(Sent { content_type: content_type.to_owned(), bytes: body.into() });
        let value: Value = serde_json::from_slice(&event.render()).expect("JSON");
        let keeps = value.get("requestObject").cloned().unwrap_or_default();
        assert_eq!(keeps, want, "{content_type}");
    }
}

#[test]
fn failures_tell_their_status_and_lists_hold_events() {
    let mut event = event("GET /version", Level::Metadata);
    let error = crate::status::ApiError::too_many_requests("slow down", Some(2));
    event.outcome = Some(Outcome { code: 429, status: Some(error.body()), body: Vec::new() });
    let value: Value = serde_json::from_slice(&event.render()).expect("JSON");
    let status = &value["responseStatus"];
    assert_eq!(
        (&status["status"], &status["reason"], &status["code"]),
        (&json!("Failure"), &json!("TooManyRequests"), &json!(429))
    );
    assert_eq!(status["details"]["retryAfterSeconds"], 2);
    assert!(value.get("objectRef").is_none());
    let both: Value = serde_json::from_slice(&list(&[event.render(), event.render()])).expect("JSON");
    assert_eq!((both["items"].as_array().map(Vec::len), &both["kind"]), (Some(2), &json!("EventList")));
}
