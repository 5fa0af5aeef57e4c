use base64::{Engine, engine::general_purpose::STANDARD};
use kanon_cel::Cel;
use serde_json::json;

use super::*;
use crate::status::ApiError;

mod conditions;
mod notes;

const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";

/// A webhook with `extra` over what the server's defaults give.
fn webhook(name: &str, extra: Value) -> Value {
    let mut webhook = json!({"name": name, "clientConfig": {"url": "https://hooks.example.com/x"}, "sideEffects": "None",
        "admissionReviewVersions": ["v1"], "failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 5,
        "rules": [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "scope": "*"}]});
    for (name, value) in extra.as_object().into_iter().flatten() {
        webhook[name] = value.clone();
    }
    webhook
}

fn configuration(name: &str, webhooks: &[Value]) -> Value {
    json!({"metadata": {"name": name}, "webhooks": webhooks})
}

fn hooks(mutating: &[Value], validating: &[Value]) -> Hooks {
    Hooks::compile(&[configuration("m", mutating)], &[configuration("v", validating)], &Cel::default())
}

/// A request, as data.
struct Asked {
    operation: Operation,
    path: &'static str,
    object: Value,
    old_object: Value,
    dry_run: bool,
    namespace: Value,
    rules: Rules,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked {
            operation: Operation::Create,
            path: "v1/namespaces/shop/pods",
            object: json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}}}),
            old_object: Value::Null,
            dry_run: false,
            namespace: json!({"metadata": {"name": "shop", "labels": {"team": "a"}}}),
            rules: Rules::default(),
        }
    }
}

impl Asked {
    /// Runs `with` on the request's parts.
    fn with<T>(&self, with: impl FnOnce(Attributes<'_>, Surroundings<'_>) -> T) -> T {
        let registry = Registry::builtin();
        let parts: Vec<&str> = self.path.split('/').collect();
        let (group, rest) = if parts.first() == Some(&"v1") { ("", &parts[..]) } else { (parts[0], &parts[1..]) };
        let (version, rest) = (rest[0], &rest[1..]);
        let (namespace, rest) =
            if rest[0] == "namespaces" && rest.len() > 2 { (rest[1], &rest[2..]) } else { ("", rest) };
        let mut address = Address::default();
        (address.group, address.version) = (group.to_owned(), version.to_owned());
        (address.resource, address.namespace) = (rest[0].to_owned(), namespace.to_owned());
        address.name = rest.get(1).copied().unwrap_or_default().to_owned();
        address.subresource = rest.get(2).copied().unwrap_or_default().to_owned();
        let resource = registry.resource(group, version, rest[0]).expect("built in");
        let kind = match self.object["kind"].as_str() {
            Some(kind) => {
                GroupVersionKind::from_api_version(self.object["apiVersion"].as_str().unwrap_or_default(), kind)
            }
            None => resource.gvk.clone(),
        };
        let user = UserInfo { username: "jane".to_owned(), groups: vec!["dev".to_owned()], ..UserInfo::default() };
        let options = json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"});
        let namespace = Object::from_value(&self.namespace);
        let attributes = Attributes {
            operation: self.operation,
            resource,
            address: &address,
            kind: &kind,
            options: &options,
            dry_run: self.dry_run,
            user: &user,
        };
        with(attributes, Surroundings { registry: &registry, namespace: Some(&namespace), rules: &self.rules })
    }

    /// The calls of validating webhooks.
    fn calls(&self, hooks: &Hooks) -> Result<Vec<Call>, ApiError> {
        let some = |it: &'_ Value| (!it.is_null()).then(|| it.clone());
        let (object, old) = (some(&self.object), some(&self.old_object));
        self.with(|attributes, around| {
            hooks.validation(&attributes, &around, object.as_ref(), old.as_ref(), || UID.to_owned()).map(|it| it.calls)
        })
    }

    /// Runs all mutating webhooks; `answers` says what each answers when it is asked. The object, and who was asked.
    fn mutate(
        &self,
        hooks: &Hooks,
        mut answer: impl FnMut(&str, &Value) -> Value,
    ) -> Result<(Value, Vec<String>, Notes), ApiError> {
        let old = (!self.old_object.is_null()).then(|| self.old_object.clone());
        self.with(|attributes, around| {
            let mut mutation = hooks.mutation(attributes, around, self.object.clone(), old.as_ref());
            let mut asked = Vec::new();
            while let Some(call) = mutation.next(|| UID.to_owned())? {
                asked.push(call.webhook().to_owned());
                let review: Value = serde_json::from_slice(&call.body).expect("JSON");
                let answer = answer(call.webhook(), &review["request"]["object"]);
                mutation.answer(&call, Ok(answer.to_string().into()))?;
            }
            let Mutated { object, notes, .. } = mutation.finish();
            Ok((object, asked, notes))
        })
    }
}

fn review(response: Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}

fn allowed() -> Value {
    review(json!({"uid": UID, "allowed": true}))
}

fn patch(operations: &Value) -> Value {
    let patch = STANDARD.encode(operations.to_string());
    review(json!({"uid": UID, "allowed": true, "patchType": "JSONPatch", "patch": patch}))
}

fn rule(extra: Value) -> Value {
    let mut rule = json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]});
    for (name, value) in extra.as_object().into_iter().flatten() {
        rule[name] = value.clone();
    }
    json!({"rules": [rule]})
}

#[test]
fn rules_selectors_and_conditions_choose_the_webhooks() {
    let pod = Asked::default;
    let exec = || Asked { operation: Operation::Connect, path: "v1/namespaces/shop/pods/web/exec", ..pod() };
    let status = || Asked { operation: Operation::Update, path: "v1/namespaces/shop/pods/web/status", ..pod() };
    let labelled =
        |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "labels": {"team": "a"}}});
    let node = || Asked { path: "v1/nodes", object: labelled("Node"), ..pod() };
    let namespace = || Asked { path: "v1/namespaces", object: labelled("Namespace"), ..pod() };
    let deleted = || Asked {
        operation: Operation::Delete,
        path: "v1/namespaces/shop/pods/web",
        object: Value::Null,
        old_object: pod().object,
        ..pod()
    };
    let configuration = || Asked {
        path: "admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        object: json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}),
        ..pod()
    };
    let team = |name: &str, value: &str| json!({name: {"matchLabels": {"team": value}}});
    let app = |value: &str| json!({"objectSelector": {"matchLabels": {"app": value}}});
    let condition = |list: &[&str], policy: &str| {
        let list: Vec<Value> = list.iter().map(|it| json!({"name": "c", "expression": it})).collect();
        json!({"matchConditions": list, "failurePolicy": policy})
    };
    for (at, (asked, extra, want)) in [
        (pod(), json!({}), true),
        (pod(), rule(json!({})), true),
        (exec(), rule(json!({})), false),
        (exec(), rule(json!({"resources": ["*/*"]})), true),
        (exec(), rule(json!({"resources": ["pods/*"]})), true),
        (pod(), rule(json!({"resources": ["pods/*"]})), true),
        (node(), rule(json!({"resources": ["pods/*"]})), false),
        (status(), rule(json!({"resources": ["pods/status"]})), true),
        (status(), rule(json!({"resources": ["*/status"]})), true),
        (pod(), rule(json!({"resources": ["pods/status"]})), false),
        (pod(), rule(json!({"operations": ["UPDATE", "DELETE"]})), false),
        (pod(), rule(json!({"operations": ["UPDATE", "CREATE"]})), true),
        (pod(), rule(json!({"apiGroups": ["apps"]})), false),
        (pod(), rule(json!({"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]})), true),
        (pod(), rule(json!({"apiVersions": ["v2"]})), false),
        (pod(), rule(json!({"scope": "Cluster"})), false),
        (pod(), rule(json!({"scope": "Namespaced"})), true),
        (node(), rule(json!({"scope": "Cluster"})), true),
        (namespace(), rule(json!({"scope": "Cluster"})), true),
        (namespace(), rule(json!({"scope": "Namespaced"})), false),
        (pod(), team("namespaceSelector", "a"), true),
        (pod(), team("namespaceSelector", "b"), false),
        (node(), team("namespaceSelector", "b"), true),
        (namespace(), team("namespaceSelector", "a"), true),
        (namespace(), team("namespaceSelector", "b"), false),
        (pod(), app("web"), true),
        (pod(), app("db"), false),
        (deleted(), app("web"), true),
        (configuration(), json!({}), false),
        (pod(), condition(&["object.metadata.name == 'web'", "request.operation == 'CREATE'"], "Fail"), true),
        (pod(), condition(&["request.userInfo.username == 'jane' && oldObject == null"], "Fail"), true),
        (pod(), condition(&["object.nothing.there", "false"], "Fail"), false),
        (pod(), condition(&["object.nothing.there"], "Ignore"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let got = asked.calls(&hooks(&[], &[webhook("a.example.com", extra.clone())])).map(|it| !it.is_empty());
        assert_eq!(got, Ok(want), "case {at}: {} {extra}", asked.path);
    }
}

#[test]
fn equivalent_resources_are_shown_in_the_form_that_the_rule_names() {
    let asked = Asked {
        path: "events.k8s.io/v1/namespaces/shop/events",
        object: json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"}, "note": "n"}),
        ..Asked::default()
    };
    let core = rule(json!({"apiGroups": [""], "resources": ["events"]}));
    let mut exact = core.clone();
    exact["matchPolicy"] = "Exact".into();
    assert_eq!(asked.calls(&hooks(&[], &[webhook("a.b.c", exact)])).map(|it| it.len()), Ok(0));
    let set = patch(&json!([{"op": "replace", "path": "/message", "value": "changed"}]));
    let seen = |_: &str, object: &Value| {
        assert_eq!((&object["apiVersion"], &object["message"]), (&json!("v1"), &json!("n")));
        set.clone()
    };
    let (object, _, _) = asked.mutate(&hooks(&[webhook("a.b.c", core)], &[]), seen).expect("fine");
    assert_eq!((&object["apiVersion"], &object["note"]), (&json!("events.k8s.io/v1"), &json!("changed")));
}

#[test]
fn reviews_have_all_members() {
    let asked = Asked { path: "v1/namespaces/shop/pods/web/status", operation: Operation::Update, ..Asked::default() };
    let calls = asked.calls(&hooks(&[], &[webhook("a.b.c", json!({}))])).expect("fine");
    let body = String::from_utf8(calls[0].body.to_vec()).expect("text");
    let want = format!(
        concat!(
            r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"{}","#,
            r#""kind":{{"group":"","version":"v1","kind":"Pod"}},"resource":{{"group":"","version":"v1","resource":"pods"}},"subResource":"status","#,
            r#""requestKind":{{"group":"","version":"v1","kind":"Pod"}},"requestResource":{{"group":"","version":"v1","resource":"pods"}},"requestSubResource":"status","#,
            r#""name":"web","namespace":"shop","operation":"UPDATE","userInfo":{{"username":"jane","groups":["dev"]}},"object":{},"oldObject":null,"#,
            r#""dryRun":false,"options":{{"apiVersion":"meta.k8s.io/v1","kind":"CreateOptions"}}}}}}"#
        ),
        UID, asked.object
    );
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    assert_eq!(parse(&body), parse(&want));
    let order = |text: &str| ["\"uid\"", "\"requestKind\"", "\"operation\"", "\"dryRun\""].map(|it| text.find(it));
    assert!(order(&body).is_sorted());
    assert_eq!(calls[0].url(), "https://hooks.example.com/x?timeout=5s");
    let service =
        json!({"clientConfig": {"service": {"namespace": "n", "name": "s", "path": "/p"}, "caBundle": "UEVN"}});
    let calls = asked.calls(&hooks(&[], &[webhook("a.b.c", service)])).expect("fine");
    assert_eq!(calls[0].url(), "https://s.n.svc:443/p?timeout=5s");
    assert_eq!(calls[0].ca_bundle(), Some(&Bytes::from_static(b"PEM")));
}

#[test]
fn answers_are_judged_in_upstreams_words() {
    let text = |text: &str| Ok(Bytes::from(text.to_owned()));
    let value = |value: Value| Ok(Bytes::from(value.to_string()));
    let failed =
        |cause: &str| Err((500, format!("Internal error occurred: failed calling webhook \"a.b.c\": {cause}")));
    let denied = |code: u16, text: &str| Err((code, format!("admission webhook \"a.b.c\" denied the request{text}")));
    let refused = |status: Value| value(review(json!({"uid": UID, "allowed": false, "status": status})));
    let refused_connection =
        "Post \"https://hooks.example.com/x?timeout=5s\": dial tcp 127.0.0.1:1: connect: connection refused";
    for (answer, want) in [
        (value(allowed()), Ok(())),
        (refused(json!({"message": "no"})), denied(403, ": no")),
        (refused(json!({"code": 418, "reason": "Tea"})), denied(418, ": Tea")),
        (value(review(json!({"uid": UID, "allowed": false}))), denied(403, " without explanation")),
        (value(review(json!({"uid": UID}))), denied(403, " without explanation")),
        (Err(refused_connection.to_owned()), failed(&format!("failed to call webhook: {refused_connection}"))),
        (text("nonsense"), failed("failed to call webhook: expected ident at line 1 column 2")),
        (
            value(json!({"kind": "AdmissionReview"})),
            failed("received invalid webhook response: webhook response was absent"),
        ),
        (
            value(review(json!({"uid": "other", "allowed": true}))),
            failed(&format!("received invalid webhook response: expected response.uid=\"{UID}\", got \"other\"")),
        ),
        (
            value(json!({"apiVersion": "v1", "kind": "Pod", "response": {"uid": UID, "allowed": true}})),
            failed(
                "received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /v1, Kind=Pod",
            ),
        ),
        (
            value(patch(&json!([]))),
            failed("received invalid webhook response: validating webhook may not return response.patch"),
        ),
    ] {
        for (policy, is_failure) in [("Fail", false), ("Ignore", matches!(&want, Err((500, _))))] {
            let hooks = hooks(&[], &[webhook("a.b.c", json!({"failurePolicy": policy}))]);
            let calls = Asked::default().calls(&hooks).expect("fine");
            let got = Validation { calls }.finish(vec![answer.clone()]).result;
            let want = if is_failure { Ok(()) } else { want.clone() };
            assert_eq!(got.map_err(|error| (error.code, error.message)), want, "{policy} {answer:?}");
        }
    }
}

#[test]
fn every_validating_webhook_is_asked_and_the_first_refusal_counts() {
    let hooks = hooks(&[], &[webhook("a.b.c", json!({})), webhook("d.e.f", json!({})), webhook("g.h.i", json!({}))]);
    let calls = Asked::default().calls(&hooks).expect("fine");
    let answer = |response: Value| Ok(Bytes::from(review(response).to_string()));
    let validated = Validation { calls }.finish(vec![
        answer(json!({"uid": UID, "allowed": true, "warnings": ["one"], "auditAnnotations": {"k": "v"}})),
        answer(json!({"uid": UID, "allowed": false, "warnings": ["two"]})),
    ]);
    assert!(validated.result.is_err_and(|error| error.message.contains("d.e.f")));
    assert_eq!(validated.notes.warnings, ["one", "two"]);
    let missing = "failed-open.validating.webhook.admission.k8s.io/round_0_index_2";
    assert_eq!(validated.notes.audit_annotations.keys().collect::<Vec<_>>(), ["a.b.c/k"], "{missing} only with Ignore");
}

#[test]
fn dry_runs_do_not_reach_webhooks_with_side_effects() {
    let asked = Asked { dry_run: true, ..Asked::default() };
    for (effects, want) in [("None", true), ("NoneOnDryRun", true), ("Some", false), ("Unknown", false)] {
        let got = asked.calls(&hooks(&[], &[webhook("a.b.c", json!({"sideEffects": effects}))]));
        let got = got.map(|_| ()).map_err(|error| error.message);
        let refusal = Err("admission webhook \"a.b.c\" does not support dry run".to_owned());
        assert_eq!(got, if want { Ok(()) } else { refusal }, "{effects}");
    }
}

#[test]
fn conditions_that_fail_refuse_the_request() {
    let broken = json!({"matchConditions": [{"name": "c", "expression": "nobody.knows"}]});
    let error = Asked::default().calls(&hooks(&[], &[webhook("a.b.c", broken)])).expect_err("refused");
    assert_eq!((error.code, error.reason.as_ref()), (403, "Forbidden"));
    assert!(
        error.message.starts_with(
            "pods \"web\" is forbidden: expression 'nobody.knows' resulted in error: compilation failed: "
        ),
        "{error}"
    );
}

#[test]
fn patches_are_applied_in_order_and_earlier_webhooks_asked_again() {
    let label =
        |name: &str, value: &str| json!([{"op": "add", "path": format!("/metadata/labels/{name}"), "value": value}]);
    let again = json!({"reinvocationPolicy": "IfNeeded"});
    let list = [webhook("a.a.a", again.clone()), webhook("b.b.b", json!({})), webhook("c.c.c", again)];
    let answer = |name: &str, object: &Value| match (name, object["metadata"]["labels"]["b"].as_str()) {
        ("a.a.a", Some(_)) => patch(&label("again", "yes")),
        ("b.b.b", _) => patch(&label("b", "1")),
        _ => allowed(),
    };
    let (object, asked, _) = Asked::default().mutate(&hooks(&list, &[]), answer).expect("fine");
    assert_eq!(asked, ["a.a.a", "b.b.b", "c.c.c", "a.a.a"]);
    assert_eq!(object["metadata"]["labels"], json!({"app": "web", "b": "1", "again": "yes"}));
    // Defaults are filled in after a change, and nothing else is touched without one.
    assert_eq!(object["spec"]["restartPolicy"], "Always");
    let (object, asked, _) = Asked::default().mutate(&hooks(&list, &[]), |_, _| allowed()).expect("fine");
    assert_eq!((asked.len(), object), (3, Asked::default().object));
}

#[test]
fn patches_that_do_not_fit_fail_whatever_the_policy() {
    let ignore = [webhook("a.b.c", json!({"failurePolicy": "Ignore"}))];
    let wrong = patch(&json!([{"op": "remove", "path": "/spec/nothing"}]));
    let error = Asked::default().mutate(&hooks(&ignore, &[]), |_, _| wrong.clone()).expect_err("does not fit");
    assert_eq!((error.code, error.reason.as_ref()), (500, "InternalError"));
    let deleted = Asked {
        operation: Operation::Delete,
        object: Value::Null,
        old_object: Asked::default().object,
        ..Asked::default()
    };
    let add = patch(&json!([{"op": "add", "path": "/a", "value": 1}]));
    let error = deleted.mutate(&hooks(&ignore, &[]), |_, _| add.clone()).expect_err("nothing to patch");
    assert!(error.message.ends_with("attempted to modify the object, which is not supported for this operation"));
}

#[test]
fn webhooks_are_called_by_name_of_their_configuration() {
    let list = [
        configuration("z", &[webhook("a.a.a", json!({}))]),
        configuration("b", &[webhook("y.y.y", json!({})), webhook("b.b.b", json!({}))]),
    ];
    let hooks = Hooks::compile(&[], &list, &Cel::default());
    let names: Vec<String> =
        Asked::default().calls(&hooks).expect("fine").iter().map(|it| it.webhook().to_owned()).collect();
    assert_eq!(names, ["y.y.y", "b.b.b", "a.a.a"]);
}

proptest::proptest! {
    #[test]
    fn any_answer_is_judged(
        member in proptest::sample::select(vec!["uid", "allowed", "status", "patch", "patchType", "warnings", "auditAnnotations"]),
        value in proptest::sample::select(vec!["null", "1", "[]", "{}", "\"\"", "\"W10=\"", "\"eA==\"", "[1]", "{\"code\": -1}", "{\"code\": 70000}"]),
        mutating: bool,
        text in ".{0,12}",
    ) {
        let mut response = json!({"uid": UID, "allowed": true});
        response[member] = serde_json::from_str(value).expect("JSON");
        let list = [webhook("a.b.c", json!({}))];
        for answer in [review(response.clone()).to_string(), text] {
            if mutating {
                let hooks = hooks(&list, &[]);
                let asked = Asked::default();
                let same = asked.with(|attributes, around| {
                    let mut mutation = hooks.mutation(attributes, around, asked.object.clone(), None);
                    let call = mutation.next(|| UID.to_owned()).expect("fine").expect("a call");
                    let result = mutation.answer(&call, Ok(answer.clone().into()));
                    // No such answer changes anything: what is not a yes is a refusal with a code of failure.
                    (result.map_err(|error| error.code), mutation.finish().object == asked.object)
                });
                proptest::prop_assert!(same.1);
                proptest::prop_assert!(same.0.map_or_else(|code| (400..600).contains(&code), |()| true));
            } else {
                let calls = Asked::default().calls(&hooks(&[], &list)).expect("fine");
                let result = Validation { calls }.finish(vec![Ok(answer.into())]).result;
                proptest::prop_assert!(result.map_or_else(|error| (400..600).contains(&error.code), |()| true));
            }
        }
    }
}
