//! Network, configuration, access, webhooks.

use serde_json::{Value, json};

use super::{check, check_update, good, merged, told};

#[test]
fn network() {
    let p = "networking.k8s.io/v1/networkpolicies";
    check(
        p,
        json!({"spec": {"policyTypes": ["Sideways"]}}),
        &["spec.policyTypes[0]: Unsupported value: \"Sideways\": supported values: \"Ingress\", \"Egress\""],
    );
    check(
        p,
        json!({"spec": {"ingress": [{"from": [{}]}]}}),
        &["spec.ingress[0].from[0]: Required value: must specify a peer"],
    );
    check(
        p,
        json!({"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.1"}}]}]}}),
        &[
            "spec.ingress[0].from[0].ipBlock.cidr: Invalid value: \"10.0.0.1\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
        ],
    );
    check(
        p,
        json!({"spec": {"egress": [{"ports": [{"port": 90, "endPort": 80}]}]}}),
        &["spec.egress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`"],
    );
    check(
        "networking.k8s.io/v1/ingresses",
        json!({"spec": {"defaultBackend": null}}),
        &["spec: Invalid value: []networking.IngressRule(nil): either `defaultBackend` or `rules` must be specified"],
    );
}

#[test]
fn configuration() {
    let check_fixed = |path: &str, field: &str| {
        let old = merged(&good(path), &json!({"immutable": true}));
        let new = merged(&old, &json!({"data": {"a": "Yw=="}}));
        assert_eq!(
            told(path, new, Some(old)),
            [format!("{field}: Forbidden: field is immutable when `immutable` is set")]
        );
    };
    check_fixed("/v1/configmaps", "data");
    check_fixed("/v1/secrets", "data");
    check(
        "/v1/configmaps",
        json!({"data": {"a b": ""}}),
        &[
            "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ],
    );
    check(
        "/v1/configmaps",
        json!({"data": {"a": "x".repeat(1_048_577)}}),
        &["[]: Too long: may not be more than 1048576 bytes"],
    );
    let class = |name: &str, value: i64| json!({"metadata": {"name": name}, "value": value});
    let reserved = "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: ";
    for (class, want) in [
        (class("high", 1_000_000_000), None),
        (class("system-node-critical", 2_000_001_000), None),
        (
            class("high", 1_000_000_001),
            Some("value: Forbidden: maximum allowed value of a user defined priority is 1000000000".to_owned()),
        ),
        (class("system-own", 1), Some(format!("{reserved}system-own is not a known system priority class"))),
        (
            class("system-node-critical", 1),
            Some(format!("{reserved}value of system-node-critical PriorityClass must be 2000001000")),
        ),
    ] {
        let want: Vec<&str> = want.as_deref().into_iter().collect();
        check("scheduling.k8s.io/v1/priorityclasses", class, &want);
    }
    check(
        "/v1/secrets",
        json!({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}),
        &["data[tls.key]: Required value"],
    );
    check(
        "/v1/secrets",
        json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "eA=="}}),
        &["data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": expected value at line 1 column 1"],
    );
    check_update("/v1/secrets", json!({"type": "other"}), &["type: Invalid value: \"other\": field is immutable"]);
    check(
        "policy/v1/poddisruptionbudgets",
        json!({"spec": {"maxUnavailable": 1, "selector": null}}),
        &[
            "spec: Invalid value: map[string]interface {}{\"maxUnavailable\":1, \"minAvailable\":1}: minAvailable and maxUnavailable cannot be both set",
        ],
    );
    check(
        "coordination.k8s.io/v1/leases",
        json!({"spec": {"leaseDurationSeconds": 0}}),
        &["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
    );
    check(
        "autoscaling/v2/horizontalpodautoscalers",
        json!({"spec": {"minReplicas": 3}}),
        &["spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"],
    );
    check(
        "/v1/persistentvolumeclaims",
        json!({"spec": {"accessModes": null}}),
        &["spec.accessModes: Required value: at least 1 access mode is required"],
    );
    check_update(
        "scheduling.k8s.io/v1/priorityclasses",
        json!({"value": 2}),
        &["value: Forbidden: may not be changed in an update."],
    );
}

#[test]
fn access() {
    let p = "rbac.authorization.k8s.io/v1/roles";
    check(
        p,
        json!({"rules": [{"apiGroups": [""], "resources": ["pods"]}]}),
        &["rules[0].verbs: Required value: verbs must contain at least one value"],
    );
    check(
        p,
        json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}),
        &[
            "rules[0].nonResourceURLs: Invalid value: []string{\"/x\"}: namespaced rules cannot apply to non-resource URLs",
        ],
    );
    let p = "rbac.authorization.k8s.io/v1/rolebindings";
    check(
        p,
        json!({"roleRef": {"kind": "Pod"}}),
        &["roleRef.kind: Unsupported value: \"Pod\": supported values: \"ClusterRole\", \"Role\""],
    );
    check(
        p,
        json!({"subjects": [{"kind": "ServiceAccount", "name": "s"}]}),
        &["subjects[0].namespace: Required value"],
    );
    check_update(
        p,
        json!({"roleRef": {"name": "other"}}),
        &[
            "roleRef: Invalid value: rbac.RoleRef{APIGroup:\"rbac.authorization.k8s.io\", Kind:\"Role\", Name:\"other\"}: cannot change roleRef",
        ],
    );
    let p = "authorization.k8s.io/v1/subjectaccessreviews";
    check(
        p,
        json!({"spec": {"user": null}}),
        &["spec.user: Invalid value: \"\": at least one of user or group must be specified"],
    );
}

#[test]
fn webhook_configurations() {
    let p = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    let spoilt = |change: Value, want: &[&str]| {
        let webhook = merged(&good(p)["webhooks"][0], &change);
        check(p, json!({"webhooks": [webhook]}), want);
    };
    spoilt(
        json!({"name": "a.b"}),
        &[
            "webhooks[0].name: Invalid value: \"a.b\": should be a domain with at least three segments separated by dots",
        ],
    );
    spoilt(
        json!({"sideEffects": null}),
        &["webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun"],
    );
    spoilt(
        json!({"sideEffects": "Some"}),
        &["webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\""],
    );
    spoilt(
        json!({"admissionReviewVersions": null}),
        &["webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1"],
    );
    spoilt(
        json!({"timeoutSeconds": 31}),
        &["webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"],
    );
    spoilt(
        json!({"clientConfig": {"service": {"name": "s", "namespace": "n"}}}),
        &["webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
    );
    spoilt(
        json!({"clientConfig": {"url": "http://x"}}),
        &[
            "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
        ],
    );
    spoilt(
        json!({"rules": [{"operations": ["CREATE", "*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}]}),
        &[
            "webhooks[0].rules[0].operations: Invalid value: []string{\"CREATE\", \"*\"}: if '*' is present, must not specify other operations",
        ],
    );
    spoilt(
        json!({"failurePolicy": "Shrug"}),
        &["webhooks[0].failurePolicy: Unsupported value: \"Shrug\": supported values: \"Fail\", \"Ignore\""],
    );
    let resources = |list: &[&str], want: &[&str]| {
        let rule = json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": list});
        spoilt(json!({"rules": [rule]}), want);
    };
    let place = "webhooks[0].rules[0].resources";
    resources(&["pods", "pods/status", "*/scale"], &[]);
    resources(&["*", "pods/status"], &[]);
    resources(
        &["pods/*", "pods/status"],
        &[&format!("{place}[1]: Invalid value: \"pods/status\": if 'pods/*' is present, must not specify pods/status")],
    );
    resources(
        &["*/scale", "pods/scale"],
        &[&format!("{place}[1]: Invalid value: \"pods/scale\": if '*/scale' is present, must not specify pods/scale")],
    );
    resources(
        &["*", "pods"],
        &[&format!(
            "{place}: Invalid value: []string{{\"*\", \"pods\"}}: if '*' is present, must not specify other resources without subresources"
        )],
    );
    resources(
        &["*/*", "pods"],
        &[&format!(
            "{place}: Invalid value: []string{{\"*/*\", \"pods\"}}: if '*/*' is present, must not specify other resources"
        )],
    );
    let conditions: Vec<Value> = (0..65).map(|it| json!({"name": format!("c{it}"), "expression": "true"})).collect();
    spoilt(
        json!({"matchConditions": conditions}),
        &["webhooks[0].matchConditions: Too many: 65: must have at most 64 items"],
    );
    spoilt(json!({"matchConditions": [{"name": "a"}]}), &["webhooks[0].matchConditions[0].expression: Required value"]);
    let twice = json!([good(p)["webhooks"][0], good(p)["webhooks"][0]]);
    check(p, json!({"webhooks": twice}), &["webhooks[1].name: Duplicate value: \"a.b.c\""]);
}
