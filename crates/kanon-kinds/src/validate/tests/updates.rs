//! What an update must leave as it is, and what kinds that keep pods running refuse.

use serde_json::{Value, json};

use super::{check, check_update, good, merged, told};

/// Changes `old` (laid over a good object), and tells what is wrong.
fn changed(path: &str, old: Value, change: Value, want: &[&str]) {
    let old = merged(&good(path), &old);
    assert_eq!(told(path, merged(&old, &change), Some(old)), want, "{path} {change}");
}

#[test]
fn selectors_stay() {
    let moved = json!({"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}}}}});
    let fixed = "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"b\"}, \
                 MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable";
    for path in ["apps/v1/deployments", "apps/v1/replicasets", "apps/v1/daemonsets"] {
        check_update(path, moved.clone(), &[fixed]);
    }
}

#[test]
fn what_keeps_pods_running_gives_them_no_deadline() {
    let late = json!({"spec": {"template": {"spec": {"activeDeadlineSeconds": 5}}}});
    for (path, kind) in [
        ("apps/v1/deployments", "ReplicaSet"),
        ("apps/v1/replicasets", "ReplicaSet"),
        ("apps/v1/daemonsets", "DaemonSet"),
        ("apps/v1/statefulsets", "StatefulSet"),
    ] {
        let want = format!(
            "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in {kind} is not Supported"
        );
        check(path, late.clone(), &[&want]);
    }
    check("batch/v1/jobs", late, &[]);
    for (path, kind) in [
        ("apps/v1/daemonsets", "daemonset"),
        ("apps/v1/statefulsets", "statefulset"),
        ("apps/v1/replicasets", "deployment"),
    ] {
        let found = told(path, merged(&good(path), &json!({"spec": {"selector": {"matchLabels": null}}})), None);
        assert!(found[0].ends_with(&format!("empty selector is invalid for {kind}")), "{found:?}");
    }
}

#[test]
fn shares_are_at_most_all() {
    check(
        "apps/v1/deployments",
        json!({"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}}}),
        &[
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"101%\"}: must not be greater than 100%",
        ],
    );
    check(
        "policy/v1/poddisruptionbudgets",
        json!({"spec": {"minAvailable": "200%"}}),
        &[
            "spec.minAvailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"200%\"}: must not be greater than 100%",
        ],
    );
    // A surge may be more than all.
    check("apps/v1/deployments", json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": "150%"}}}}), &[]);
}

#[test]
fn pods_change_little() {
    let p = "/v1/pods";
    let deadline = |seconds: Value| json!({"spec": {"activeDeadlineSeconds": seconds}});
    changed(p, deadline(json!(10)), deadline(json!(5)), &[]);
    changed(
        p,
        deadline(json!(10)),
        deadline(json!(11)),
        &["spec.activeDeadlineSeconds: Invalid value: 11: must be less than or equal to previous value"],
    );
    changed(
        p,
        deadline(json!(10)),
        deadline(Value::Null),
        &["spec.activeDeadlineSeconds: Invalid value: \"null\": must not update from a positive integer to nil value"],
    );
    let tolerations = |value: Value| json!({"spec": {"tolerations": value}});
    let first = json!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5});
    let mut later = first.clone();
    later["tolerationSeconds"] = json!(9);
    changed(p, tolerations(json!([first])), tolerations(json!([{"operator": "Exists"}, later])), &[]);
    changed(
        p,
        tolerations(json!([first])),
        tolerations(json!([])),
        &["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
    );
}

#[test]
fn storage_classes_are_fixed() {
    let p = "storage.k8s.io/v1/storageclasses";
    check_update(
        p,
        json!({"provisioner": "y.io/q"}),
        &["provisioner: Forbidden: updates to provisioner are forbidden."],
    );
    check_update(
        p,
        json!({"parameters": {"a": "c"}}),
        &["parameters: Forbidden: updates to parameters are forbidden."],
    );
    check_update(
        p,
        json!({"reclaimPolicy": "Retain"}),
        &["reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden."],
    );
    check_update(
        p,
        json!({"volumeBindingMode": "WaitForFirstConsumer"}),
        &["volumeBindingMode: Invalid value: \"WaitForFirstConsumer\": field is immutable"],
    );
    check_update(p, json!({"allowVolumeExpansion": true}), &[]);
}

#[test]
fn claims_and_jobs_keep_their_specs() {
    let p = "/v1/persistentvolumeclaims";
    let spec = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    check_update(p, json!({"spec": {"accessModes": ["ReadOnlyMany"]}}), &[spec]);
    let size = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}}});
    check_update(p, size("2Gi"), &[]);
    check_update(
        p,
        size("512Mi"),
        &["spec.resources.requests.storage: Forbidden: field can not be less than previous value"],
    );
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "other"}]}}}});
    let found = told("batch/v1/jobs", merged(&good("batch/v1/jobs"), &image), Some(good("batch/v1/jobs")));
    assert!(found.len() == 1 && found[0].starts_with("spec.template: Invalid value: "), "{found:?}");
    assert!(found[0].ends_with(": field is immutable"), "{found:?}");
    changed("batch/v1/jobs", json!({"spec": {"suspend": true}}), image, &[]);
    changed("batch/v1/jobs", json!({"spec": {"parallelism": 2}}), json!({"spec": {"parallelism": 3}}), &[]);
}

#[test]
fn what_is_immutable_stays_so() {
    for (path, field) in [("/v1/configmaps", "data"), ("/v1/secrets", "data")] {
        let fixed = json!({"immutable": true});
        let text = "Forbidden: field is immutable when `immutable` is set";
        changed(path, fixed.clone(), json!({"immutable": false}), &[&format!("immutable: {text}")]);
        changed(path, fixed.clone(), json!({"data": {"b": "Yw=="}}), &[&format!("{field}: {text}")]);
        changed(path, fixed, json!({"metadata": {"labels": {"a": "b"}}}), &[]);
    }
}

#[test]
fn budgets_may_change() {
    check_update("policy/v1/poddisruptionbudgets", json!({"spec": {"minAvailable": 2}}), &[]);
    check_update(
        "rbac.authorization.k8s.io/v1/rolebindings",
        json!({"subjects": [{"kind": "User", "name": "other"}]}),
        &[],
    );
}
