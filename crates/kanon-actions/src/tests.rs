//! Each action: what it renders, and which parameters it refuses. One table.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use kanon_core::{Evidence, FamilyId, GroupVersionKind, Mono, Now, ObjectRef, Outcome, PolicyRef, Verdict};
use kanon_plane::{Prepared, Reach, Refusal, Wanted};
use serde_json::{Value, json};

use crate::all;

fn verdict(kind: &str) -> Verdict {
    let group = match kind {
        "NetworkPolicy" => "networking.k8s.io",
        "Deployment" => "apps",
        _ => "",
    };
    let gvk = GroupVersionKind::new(group, "v1", kind);
    Verdict {
        family: FamilyId("rules"),
        policy: PolicyRef { name: "r".into(), revision: "abc".into(), ..PolicyRef::default() },
        subject: ObjectRef { gvk, namespace: "shop".into(), name: "s".into(), uid: "u".into() },
        occasion: "audit",
        outcome: Outcome::Warn,
        reason: "RuleViolated",
        message: "rule violated: r".into(),
        evidence: Evidence::default(),
        now: Now::new(jiff::Timestamp::UNIX_EPOCH, Mono::default()),
    }
}

/// What an action does about an object of a kind: the effect with the subject's place, or why there is none.
fn outcome(reach: &Reach, action: &str, params: &Value, kind: &str) -> Value {
    let params = params.as_object().unwrap();
    match all()[action].prepare(params) {
        Err(error) => json!(error.to_string()),
        Ok(Prepared::Alert(it)) => json!({"alert": it.runbook_url, "template": it.template}),
        Ok(Prepared::Hook(to)) => json!({"to": to}),
        Ok(Prepared::Report) => json!("report"),
        Ok(Prepared::Object { act, undo }) => {
            let mut shown = rendered(act(&verdict(kind), reach));
            if let Some(undo) = undo {
                shown["undo"] = rendered(undo(&verdict(kind), reach));
            }
            shown
        }
    }
}

fn rendered(wanted: Result<Wanted, Refusal>) -> Value {
    match wanted {
        Err(refusal) => json!(format!("refused: {refusal}")),
        Ok(wanted) => {
            let mut shown = serde_json::to_value(wanted.action()).unwrap();
            let subject = wanted.subject();
            shown["on"] = json!(format!("{subject} {}", subject.uid).trim());
            shown
        }
    }
}

#[test]
fn each_action_renders_its_effect_or_says_why_not() {
    let label = |value: Value| {
        json!({"action": "patch", "guard": "free", "on": "Pod shop/s u",
        "patch": {"metadata": {"labels": {"a.b/c": value}}}})
    };
    let policy = |guard: &str, on: &str| {
        json!({"action": "patch", "guard": guard, "on": on,
        "patch": {"metadata": {"labels": {"x": "y"}}, "spec": {"ingress": []}}})
    };
    let patch = json!({"kind": "Pod", "metadata": {"name": "other", "labels": {"x": "y"}}, "spec": {"ingress": []}});
    let key = "parameter `key` is no key of labels and annotations: write `name` or `prefix.example/name`";
    for (action, params, kind, want) in [
        ("label", json!({"key": "a.b/c"}), "Pod", label(json!("true"))),
        ("label", json!({"key": "a.b/c", "value": ""}), "Pod", label(json!("true"))),
        ("label", json!({"key": "a.b/c", "value": "x"}), "Pod", label(json!("x"))),
        ("label", json!({"key": "a.b/c", "value": true}), "Pod", label(json!("true"))),
        ("label", json!({"key": "a.b/c", "remove": true}), "Pod", label(Value::Null)),
        ("label", json!({}), "Pod", json!("parameter `key` is required")),
        ("label", json!({"key": "a b"}), "Pod", json!(key)),
        ("label", json!({"key": "-a/b"}), "Pod", json!(key)),
        (
            "label",
            json!({"key": "a", "value": "x y"}),
            "Pod",
            json!(
                "parameter `value` is no label: at most 63 letters, \
            digits, `-`, `_` and `.`, no others at its ends"
            ),
        ),
        ("label", json!({"key": "a", "value": []}), "Pod", json!("parameter `value` is not a text")),
        (
            "annotate",
            json!({"key": "a", "value": "x y"}),
            "Secret",
            json!({"action": "patch", "guard": "free",
            "on": "Secret shop/s u", "patch": {"metadata": {"annotations": {"a": "x y"}}}}),
        ),
        ("evict", json!({}), "Pod", json!({"action": "evict", "on": "Pod shop/s u"})),
        (
            "evict",
            json!({"gracePeriodSeconds": 5}),
            "Pod",
            json!({"action": "evict", "gracePeriodSeconds": 5, "on": "Pod shop/s u"}),
        ),
        (
            "evict",
            json!({"gracePeriodSeconds": "5"}),
            "Pod",
            json!("parameter `gracePeriodSeconds` is no number of seconds"),
        ),
        ("evict", json!({}), "Node", json!("refused: only a pod can be evicted, this is Node shop/s")),
        ("revoke-sa-token", json!({}), "Pod", json!({"action": "revokeTokens", "on": "Pod shop/s u"})),
        ("revoketoken", json!({"strategy": "evict-pod"}), "Pod", json!({"action": "evict", "on": "Pod shop/s u"})),
        (
            "revoke-sa-token",
            json!({"strategy": "recreate-sa"}),
            "Pod",
            json!({"action": "recreateAccount", "since": "1970-01-01T00:00:00Z", "on": "Pod shop/s u"}),
        ),
        (
            "revoke-sa-token",
            json!({"strategy": "all"}),
            "Pod",
            json!("parameter `strategy` is none of `secrets`, `evict-pod` and `recreate-sa`"),
        ),
        (
            "patch-networkpolicy",
            json!({"patch": patch}),
            "NetworkPolicy",
            policy("noWiderPolicy", "NetworkPolicy shop/s u"),
        ),
        (
            "patch-networkpolicy",
            json!({"patch": patch, "targetName": "t", "allowWiden": true}),
            "Pod",
            policy("free", "NetworkPolicy shop/t"),
        ),
        (
            "patch-networkpolicy",
            json!({"patch": patch, "targetName": "t", "targetNamespace": "other"}),
            "Pod",
            policy("noWiderPolicy", "NetworkPolicy other/t"),
        ),
        (
            "patch-networkpolicy",
            json!({"patch": patch}),
            "Pod",
            json!("refused: `targetName` is needed: Pod shop/s is no NetworkPolicy"),
        ),
        ("patch-networkpolicy", json!({}), "Pod", json!("parameter `patch` is required")),
        ("patch-networkpolicy", json!({"patch": "x"}), "Pod", json!("parameter `patch` is not a map")),
        (
            "alertmanager",
            json!({"template": "t", "runbook_url": "http://r"}),
            "Pod",
            json!({"alert": "http://r", "template": "t"}),
        ),
        ("alertmanager", json!({"runbook_url": 1}), "Pod", json!("parameter `runbook_url` is not a text")),
        ("policyreport-gc", json!({}), "Pod", json!("report")),
        (
            "label",
            json!({"key": "a.b/c", "removeOnResolve": true}),
            "Pod",
            json!({"action": "patch", "guard": "free", "on": "Pod shop/s u",
            "patch": {"metadata": {"labels": {"a.b/c": "true"}}}, "undo": label(Value::Null)}),
        ),
        (
            "label",
            json!({"key": "a", "remove": true, "removeOnResolve": true}),
            "Pod",
            json!("parameter `removeOnResolve` makes no sense beside `remove`"),
        ),
        (
            "patch-networkpolicy",
            json!({"patch": {"spec": {"policyTypes": ["Ingress"]}}, "targetName": "deny", "create": true}),
            "Namespace",
            json!({"action": "patch", "guard": "noWiderPolicy", "on": "NetworkPolicy s/deny",
            "patch": {"spec": {"policyTypes": ["Ingress"]}},
            "create": {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": "deny", "namespace": "s"},
                "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}}),
        ),
        (
            "patch-networkpolicy",
            json!({"patch": {}, "targetName": "deny", "create": true}),
            "Pod",
            json!("parameter `create` needs a `patch` with a `spec`"),
        ),
        (
            "quarantine",
            json!({}),
            "Pod",
            json!({"action": "quarantine", "release": false, "on": "Pod shop/s u",
            "undo": {"action": "quarantine", "release": true, "on": "Pod shop/s u"}}),
        ),
        ("cordon", json!({}), "Pod", json!({"action": "cordon", "on": "Pod shop/s u"})),
        (
            "cordon",
            json!({}),
            "Secret",
            json!("refused: only a node can be cordoned, or that of a pod, this is Secret shop/s"),
        ),
        (
            "scale",
            json!({}),
            "Deployment",
            json!({"action": "patch", "guard": "free", "patch": {"spec": {"replicas": 0}}, "on": "Deployment shop/s u"}),
        ),
        ("scale", json!({"replicas": -1}), "Deployment", json!("parameter `replicas` is no number of replicas")),
        ("scale", json!({}), "Pod", json!("refused: Pod shop/s has no replicas")),
        ("webhook", json!({"to": "desk"}), "Pod", json!({"to": "desk"})),
        ("webhook", json!({}), "Pod", json!("parameter `to` is required: the name of a receiver")),
        (
            "event",
            json!({"reason": "Privileged"}),
            "Pod",
            json!({"action": "event", "type": "Warning",
            "reason": "Privileged", "message": "r: rule violated: r", "on": "Pod shop/s u"}),
        ),
        (
            "event",
            json!({"reason": "not camel"}),
            "Pod",
            json!("parameter `reason` is not a CamelCase word of at most 128 letters"),
        ),
        ("event", json!({"message": []}), "Pod", json!("parameter `message` is not a text")),
    ] {
        assert_eq!(outcome(&Reach::cluster(), action, &params, kind), want, "{action} {params} {kind}");
    }
}

#[test]
fn nothing_leaves_the_namespace_of_a_policy() {
    let patch = json!({"patch": {"spec": {}}, "targetName": "t", "targetNamespace": "other"});
    let refused = json!("refused: a policy of namespace `shop` has no say over NetworkPolicy other/t");
    assert_eq!(outcome(&Reach::namespace("shop"), "patch-networkpolicy", &patch, "Pod"), refused);
    let label = json!({"key": "a"});
    assert_eq!(outcome(&Reach::namespace("shop"), "label", &label, "Pod")["on"], "Pod shop/s u");
    let refused = json!("refused: a policy of namespace `other` has no say over Pod shop/s");
    assert_eq!(outcome(&Reach::namespace("other"), "label", &label, "Pod"), refused);
}
