//! Rules of mode `runtime`: which events they are asked about, what they read, what follows.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use common::{Plane, language, now};
use kanon_core::{
    Change, Effect, FamilyId, GroupVersionKind, Input, Keep, Object, Operation, Outcome, Resource, Review, Sink,
    UserInfo, Verdict,
};
use kanon_events::{Event, of_audit};
use kanon_plane::{AdmissionRule, Family, ObjectStore};
use kanon_rules::{AlertScope, Mode, Responses, RulesFamily, Settings};
use serde_json::{Value, json};

/// The rule of spec/rules 7, as it stands there.
const SAMPLE: &str = r#"request.verb == "create" && request.subresource == "exec" && metadata.namespace == "shop""#;

fn plane() -> Plane {
    let loops = vec![Mode::Admission, Mode::Runtime];
    let responses = Responses { alerts: Some(AlertScope::Rules), leads: true, ..Responses::default() };
    let family = RulesFamily::new(language(), Settings { loops, ..Settings::default() })
        .with_actions(kanon_actions::all())
        .with_responses(responses);
    Plane { family, effects: Vec::new(), secs: 0 }
}

/// A rule about pods; `more` overlays its spec.
fn rule(expression: &str, more: Value) -> Value {
    let mut spec = json!({"name": "r", "enabled": true, "mode": ["runtime"], "rule": expression,
        "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}});
    spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule",
        "metadata": {"name": "r", "uid": "uid-r", "generation": 1}, "spec": spec})
}

/// `kubectl exec -n shop web -c app -- sh` over WebSockets, as a cluster tells of it; `more` overlays it.
fn exec(more: Value) -> Event {
    let mut event = json!({
        "auditID": "a-1", "stage": "ResponseStarted", "verb": "get",
        "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh&container=app",
        "user": {"username": "eve", "groups": ["dev"]}, "sourceIPs": ["10.0.0.9"], "userAgent": "kubectl/v1.32.0",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1", "subresource": "exec"},
        "responseStatus": {"code": 101}, "requestReceivedTimestamp": "2026-11-21T09:00:00.000000Z",
    });
    event.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    of_audit(&Object::from_value(&event)).unwrap().unwrap()
}

/// The pod of the event, with a sidecar before the container that it names.
fn pods() -> ObjectStore {
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-web", "resourceVersion": "7", "labels": {"app": "web"}},
        "spec": {"serviceAccountName": "robot", "hostPID": true, "containers": [
            {"name": "proxy", "image": "proxy:1"},
            {"name": "app", "image": "shop/app:2", "securityContext": {"privileged": true}}]}});
    let mut store = ObjectStore::default();
    let kind = GroupVersionKind::new("", "v1", "Pod");
    store.apply(&kind, Change::Applied, &Object::from_value(&pod));
    store.synced(&kind, &Keep::All);
    store
}

/// What the view says of an event; none when no rule is asked.
fn observe(plane: &Plane, event: &Event, store: &ObjectStore) -> Option<Vec<Verdict>> {
    plane.family.view().observe(event, store, now(0)).map(|it| it.verdicts)
}

/// Whether an event violates one rule: `None` when it is not asked.
fn violates(expression: &str, more: Value, event: &Event, store: &ObjectStore) -> Option<bool> {
    let mut plane = plane();
    plane.apply(&rule(expression, more));
    let verdicts = observe(&plane, event, store)?;
    assert!(verdicts.iter().all(|it| it.outcome == Outcome::DryRun), "{expression}: {verdicts:#?}");
    Some(!verdicts.is_empty())
}

#[test]
fn the_sample_rule_finds_an_exec_however_the_client_asks() {
    for verb in ["get", "create"] {
        assert_eq!(violates(SAMPLE, json!({}), &exec(json!({"verb": verb})), &pods()), Some(true), "{verb}");
    }
    let elsewhere = json!({"objectRef": {"resource": "pods", "namespace": "pay", "name": "web", "apiVersion": "v1",
        "subresource": "exec"}});
    assert_eq!(violates(SAMPLE, json!({}), &exec(elsewhere), &pods()), Some(false));
}

#[test]
fn what_rules_read_of_an_event() {
    for expression in [
        r#"request.rawVerb == "get" && request.resource == "pods" && request.apiGroup == """#,
        r#"request.namespace == "shop" && request.name == "web" && request.operation == "CONNECT""#,
        r#"request.userInfo.username == "eve" && "dev" in request.userInfo.groups && request.impersonatedUser == nil"#,
        r#""10.0.0.9" in request.sourceIPs && request.userAgent startsWith "kubectl/""#,
        r#"request.code < 400 && request.stage == "ResponseStarted" && request.auditID == "a-1""#,
        r#"request.object.command == ["sh"] && request.object.container == "app" && request.uri contains "command=sh""#,
        r#"len(request.annotations) == 0"#,
        r#"event.class == "exec" && "exec" in event.classes && event.source == "audit""#,
        r#"event.time < now() || event.time >= now()"#,
        // The object, and the sugar of the container that is meant.
        r#"object.spec.serviceAccountName == "robot" && spec.hostPID && metadata.labels.app == "web""#,
        r#"container.name == "app" && container.image.tag == "2" && container.securityContext.privileged"#,
        r#"oldObject == nil && cluster.pods.exists("shop", "web")"#,
    ] {
        assert_eq!(violates(expression, json!({}), &exec(json!({})), &pods()), Some(true), "{expression}");
    }
    // Without a container in the request the first one is meant.
    let any = exec(json!({"requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh"}));
    assert_eq!(violates(r#"container.name == "proxy""#, json!({}), &any, &pods()), Some(true));
}

#[test]
fn an_object_that_is_gone_leaves_its_name() {
    let gone = ObjectStore::default();
    for (expression, want) in [
        (r#"metadata.name == "web" && metadata.namespace == "shop""#, true),
        (r#"object == nil && container == nil && metadata.labels == nil && spec.hostPID == nil"#, true),
        (r#"spec.hostPID == true"#, false),
    ] {
        assert_eq!(violates(expression, json!({}), &exec(json!({})), &gone), Some(want), "{expression}");
    }
    let mut plane = plane();
    plane.apply(&rule("true", json!({})));
    let verdict = &observe(&plane, &exec(json!({})), &gone).unwrap()[0];
    assert_eq!((&*verdict.subject.name, &*verdict.subject.namespace, &*verdict.subject.uid), ("web", "shop", ""));
    assert_eq!(verdict.evidence.reads[0].resource_version, "");
}

#[test]
fn a_rule_is_asked_about_the_events_that_it_names() {
    let refused = exec(json!({"responseStatus": {"code": 403}}));
    let impersonated = exec(json!({"impersonatedUser": {"username": "robot"}}));
    let log = exec(json!({"objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1",
        "subresource": "log"}}));
    for (runtime, event, want) in [
        (json!({}), exec(json!({})), Some(true)),
        (json!({"events": ["exec", "attach"]}), exec(json!({})), Some(true)),
        (json!({"events": ["attach"]}), exec(json!({})), None),
        (json!({"events": ["impersonate"]}), exec(json!({})), None),
        (json!({"events": ["impersonate"]}), impersonated, Some(true)),
        (json!({"events": ["log-read"]}), log, Some(true)),
        (json!({}), refused.clone(), None),
        (json!({"includeDenied": true}), refused, Some(true)),
    ] {
        assert_eq!(violates("true", json!({"runtime": runtime}), &event, &pods()), want, "{runtime} {event:?}");
    }
    for more in [
        json!({"mode": ["admission", "audit"]}),
        json!({"match": {"gvk": [{"group": "", "version": "v1", "kind": "Secret"}]}}),
        json!({"match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}], "namespaces": {"exclude": ["shop"]}}}),
        json!({"enabled": false}),
    ] {
        assert_eq!(violates("true", more.clone(), &exec(json!({})), &pods()), None, "{more}");
    }
}

#[test]
fn other_kinds_are_found_by_their_resource() {
    let about = |group: &str, version: &str, kind: &str| json!({"match": {"gvk": [{"group": group, "version": version, "kind": kind}]}});
    let event = |verb: &str, group: &str, resource: &str| {
        exec(
            json!({"verb": verb, "requestURI": "/", "objectRef": {"apiGroup": group, "apiVersion": "v1", "resource": resource,
            "namespace": "shop"}}),
        )
    };
    let rbac = "rbac.authorization.k8s.io";
    for (rule, event, class) in [
        (about("", "v1", "Secret"), event("list", "", "secrets"), "secret-read"),
        (about(rbac, "v1", "Role"), event("delete", rbac, "roles"), "rbac-change"),
    ] {
        let expression = format!("event.class == '{class}' && metadata.namespace == 'shop' && metadata.name == ''");
        assert_eq!(violates(&expression, rule, &event, &pods()), Some(true), "{class}");
    }
}

#[test]
fn the_decision_says_who_did_what_and_when() {
    let mut plane = plane();
    plane.apply(&rule(r#"container.securityContext.privileged && request.userInfo.username == "eve""#, json!({})));
    let verdict = observe(&plane, &exec(json!({})), &pods()).unwrap().remove(0);
    let evidence = &verdict.evidence;
    assert_eq!((verdict.occasion, verdict.reason, verdict.outcome), ("runtime", "RuleViolated", Outcome::DryRun));
    assert_eq!((&*verdict.subject.name, &*verdict.subject.uid), ("web", "uid-web"));
    assert_eq!((&*evidence.user, &*evidence.operation, &*evidence.event), ("eve", "exec", "a-1"));
    assert_eq!((&*evidence.part, &*evidence.reads[0].resource_version), ("app", "7"));
    assert!(evidence.values.iter().any(|it| it.value == "eve"), "{evidence:#?}");
}

#[test]
fn a_portal_rule_hears_of_its_own_namespace_only() {
    let own = |home: &str| {
        let mut rule = rule("true", json!({}));
        rule["kind"] = "PortalRule".into();
        rule["metadata"]["namespace"] = home.into();
        let mut plane = plane();
        plane.apply(&rule);
        observe(&plane, &exec(json!({})), &pods()).map(|it| it.len())
    };
    assert_eq!((own("shop"), own("pay")), (Some(1), None));
}

#[test]
fn mistakes_and_oddities_are_told() {
    let mut plane = plane();
    plane.apply(&rule("true", json!({"runtime": {"events": ["exec", "shell"]}})));
    let problem = plane.view().policies().remove(0).problem;
    assert!(problem.starts_with("`runtime.events[1]`: `shell` is not one of exec, attach, port-forward"), "{problem}");
    for (more, want) in [
        (json!({"mode": ["audit"], "runtime": {"events": ["exec"]}}), "`mode` does not name `runtime`"),
        (json!({"runtime": {"event": ["exec"]}}), "`runtime.event`: unknown key"),
    ] {
        plane.apply(&rule("true", more));
        let target = kanon_plane::Target { kind: "rule".into(), name: "r".into(), namespace: String::new() };
        let said = format!("{:?}", plane.view().explain(&target, now(0)));
        assert!(said.contains(want), "{said}");
    }
}

#[test]
fn a_process_without_the_loop_asks_nobody() {
    let mut plane = Plane::new();
    plane.apply(&rule("true", json!({"mode": ["admission", "runtime"], "enforcementAction": "deny"})));
    assert!(!plane.view().observes());
    assert_eq!(observe(&plane, &exec(json!({})), &pods()), None);
    assert!(plane.view().admission_rules().iter().all(|it| it.part.is_empty()));
    assert_eq!(connect(&plane, "exec"), []);
}

/// What the view says of the connection's review.
fn connect(plane: &Plane, part: &str) -> Vec<Verdict> {
    plane.view().review(&review(part), &pods(), now(0)).verdicts
}

fn review(part: &str) -> Review {
    Review {
        uid: "review-1".into(),
        operation: Operation::Connect,
        kind: GroupVersionKind::new("", "v1", "PodExecOptions"),
        resource: Resource { version: "v1".into(), resource: "pods".into(), ..Resource::default() },
        sub_resource: part.into(),
        namespace: "shop".into(),
        name: "web".into(),
        user: UserInfo { username: "eve".into(), ..UserInfo::default() },
        object: Some(Object::parse(r#"{"kind":"PodExecOptions","container":"app","command":["sh"]}"#).unwrap()),
        old_object: None,
        options: None,
        dry_run: false,
    }
}

#[test]
fn only_a_rule_of_both_modes_can_stop_a_connection() {
    let deny = |mode: Value, more: Value| {
        let mut spec = json!({"mode": mode, "enforcementAction": "deny"});
        spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let mut plane = plane();
        plane.apply(&rule(SAMPLE, spec));
        connect(&plane, "exec").iter().map(|it| (it.outcome, it.occasion, it.subject.to_string())).collect::<Vec<_>>()
    };
    let denied = vec![(Outcome::Deny, "admission", "Pod shop/web".to_owned())];
    assert_eq!(deny(json!(["admission", "runtime"]), json!({})), denied);
    assert_eq!(deny(json!(["runtime"]), json!({})), []);
    assert_eq!(deny(json!(["admission"]), json!({})), []);
    assert_eq!(deny(json!(["admission", "runtime"]), json!({"runtime": {"events": ["attach"]}})), []);
}

#[test]
fn admission_and_the_event_come_to_one_verdict() {
    for expression in [
        SAMPLE,
        "container.securityContext.privileged == true",
        "container.name == 'proxy'",
        "request.operation == 'CONNECT' && request.object.command == ['sh']",
        "event.class == 'attach'",
        "object.spec.serviceAccountName == 'robot' && request.userInfo.username != 'eve'",
        "cluster.pods.count('shop') == 1",
    ] {
        let mut plane = plane();
        plane.apply(&rule(expression, json!({"mode": ["admission", "runtime"], "enforcementAction": "deny"})));
        let refused = connect(&plane, "exec").iter().any(|it| it.outcome == Outcome::Deny);
        let event = kanon_events::of_review(&review("exec"), now(0).wall).unwrap();
        let observed = observe(&plane, &event, &pods()).unwrap();
        assert!(observed.iter().all(|it| it.outcome == Outcome::DryRun), "{expression}: {observed:#?}");
        assert_eq!(refused, !observed.is_empty(), "{expression}");
    }
}

#[test]
fn the_webhook_is_asked_about_what_rules_name() {
    let asked = |more: Value| {
        let mut plane = plane();
        plane.apply(&rule("true", more));
        let line = |it: &AdmissionRule| {
            let words: Vec<_> = it.operations.iter().map(|it| it.as_str()).collect();
            format!("{}/{} {}{}", it.kind, it.part, words.join(","), if it.advisory { " advisory" } else { "" })
        };
        plane.view().admission_rules().iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(asked(json!({"runtime": {"events": ["exec"]}})), ["Pod/exec CONNECT advisory"]);
    assert_eq!(
        asked(json!({})),
        [
            "Pod/attach CONNECT advisory",
            "Pod/ephemeralcontainers UPDATE advisory",
            "Pod/eviction CREATE advisory",
            "Pod/exec CONNECT advisory",
            "Pod/portforward CONNECT advisory"
        ]
    );
    let both = json!({"mode": ["admission", "runtime"], "enforcementAction": "deny", "runtime": {"events": ["exec", "debug"]}});
    assert_eq!(asked(both), ["Pod/ CREATE,UPDATE", "Pod/exec CONNECT"]);
    let scaled = json!({"match": {"gvk": [{"group": "apps", "version": "v1", "kind": "Deployment"},
        {"group": "", "version": "v1", "kind": "ServiceAccount"}]}});
    assert_eq!(asked(scaled), ["ServiceAccount/token CREATE advisory", "Deployment/scale UPDATE advisory"]);
}

#[test]
fn kinds_of_rules_are_watched_but_no_secret_for_its_name_alone() {
    let watched = |kind: &str, expression: &str| {
        let mut plane = plane();
        plane.apply(&rule(expression, json!({"match": {"gvk": [{"group": "", "version": "v1", "kind": kind}]}})));
        plane.family.facts().kinds.iter().any(|it| it.gvk.kind == kind)
    };
    assert!(watched("Pod", "true"));
    assert!(!watched("Secret", "metadata.name == 'root' && event.class == 'secret-read'"));
    assert!(watched("Secret", "metadata.labels.guarded == 'yes'"));
}

#[test]
fn a_violation_is_alerted_once_acted_on_and_counted() {
    let mut plane = plane();
    let actions = json!([{"type": "revoke-sa-token", "on": ["runtime"]}, {"type": "evict", "on": ["audit"]}]);
    plane.apply(&rule(SAMPLE, json!({"severity": "high", "alert": "exec", "actions": actions})));
    plane.effects.clear();
    for (id, secs) in [("a-1", 0), ("a-2", 1)] {
        plane.secs = secs;
        let event = exec(json!({"auditID": id}));
        let reviewed = plane.family.view().observe(&event, &pods(), now(secs)).unwrap();
        let (family, verdicts, counts) = (FamilyId("rules"), reviewed.verdicts, reviewed.counts);
        plane.input(&Input::Observed { family, verdicts, counts });
    }
    let told = |effect: &Effect| match &effect.action {
        kanon_core::Action::Send { sink: Sink::Alertmanager, body } => {
            let alert = &body[0];
            format!(
                "alert {} {} {} {}",
                alert["labels"]["mode"],
                alert["labels"]["severity"],
                alert["annotations"]["operation"],
                alert["annotations"]["source"]
            )
        }
        kanon_core::Action::RevokeTokens => format!("revoke {}", effect.subject),
        kanon_core::Action::Evict { .. } => "evict".to_owned(),
        _ => String::new(),
    };
    let told: Vec<_> = plane.effects.iter().map(told).filter(|it| !it.is_empty()).collect();
    // The second one is a duplicate while the first is under way. No end of the alert is ever sent.
    assert_eq!(told, [r#"alert "runtime" "high" "exec" "a-1""#, "revoke Pod shop/web"]);
    plane.secs = 120;
    plane.effects.clear();
    plane.input(&Input::Tick);
    let counted = plane.effects.iter().filter_map(|it| match &it.action {
        kanon_core::Action::Status { status, .. } => {
            Some(format!("{}/{}", status["violationCount"], status["evalCount"]))
        }
        _ => None,
    });
    assert_eq!(counted.collect::<Vec<_>>(), ["2/2"]);
}

#[test]
fn what_an_exception_covers_is_recorded_and_nothing_follows() {
    let exception = |spec: Value| {
        let mut whole = json!({"rules": ["r"], "reason": "on call"});
        whole.as_object_mut().unwrap().extend(spec.as_object().cloned().unwrap());
        json!({"apiVersion": "portal.io/v1alpha1", "kind": "ClusterRuleException",
            "metadata": {"name": "e", "uid": "uid-e", "generation": 1}, "spec": whole})
    };
    for (spec, covers) in [
        (json!({}), true),
        (json!({"match": {"subjects": {"include": {"users": ["eve"]}}}}), true),
        (json!({"match": {"subjects": {"include": {"users": ["bob"]}}}}), false),
        (json!({"match": {"operations": ["CONNECT"]}}), false),
        (json!({"match": {"labelSelector": {"matchLabels": {"app": "web"}}}}), true),
        (json!({"images": ["shop/*"]}), true),
        (json!({"images": ["proxy:*"]}), false),
        (json!({"expires": "2026-11-21T09:00:00Z"}), false),
    ] {
        let mut plane = plane();
        plane.apply(&rule("container.name == 'app'", json!({"actions": [{"type": "alertmanager"}]})));
        plane.apply(&exception(spec.clone()));
        plane.effects.clear();
        let reviewed = plane.family.view().observe(&exec(json!({})), &pods(), now(0)).unwrap();
        let outcome = reviewed.verdicts[0].outcome;
        assert_eq!(outcome == Outcome::Skip, covers, "{spec}: {outcome:?}");
        let (verdicts, counts) = (reviewed.verdicts, reviewed.counts);
        plane.input(&Input::Observed { family: FamilyId("rules"), verdicts, counts });
        let alerted = plane
            .effects
            .iter()
            .any(|it| matches!(it.action, kanon_core::Action::Send { sink: Sink::Alertmanager, .. }));
        assert_eq!(alerted, !covers, "{spec}");
    }
}
