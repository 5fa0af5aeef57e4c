//! Pods as they come in admission requests, made here so that a run needs nothing from outside: 1,000 of them, 3 kB each,
//! about a third with something to object to. And 16 rules of the kind that users write.

use bytes::Bytes;
use serde_json::{Value, json};

/// How many reviews.
pub(crate) const REVIEWS: usize = 1000;

/// AdmissionReview bodies in the form an API server sends.
pub(crate) fn reviews() -> Vec<Bytes> {
    (0..REVIEWS).map(|n| Bytes::from(review(n).to_string())).collect()
}

fn review(n: usize) -> Value {
    let gvk = json!({"group": "", "version": "v1", "kind": "Pod"});
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": format!("00000000-0000-0000-0000-{n:012}"), "kind": gvk, "resource": resource, "requestKind": gvk,
        "requestResource": resource, "name": format!("web-{n}"), "namespace": format!("team-{}", n % 7),
        "operation": "CREATE", "userInfo": {"username": "deployer", "groups": ["system:authenticated"]},
        "object": pod(n), "oldObject": null, "dryRun": false,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
    }})
}

/// A pod.
pub(crate) fn pod(n: usize) -> Value {
    let containers: Vec<Value> = (0..3).map(|c| container(n, c)).collect();
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{n}"), "namespace": format!("team-{}", n % 7),
            "labels": {"app": "web", "owner": format!("o{}", n % 13), "team": "shop", "pod-template-hash": "6d4cf56db6"},
            "annotations": {"example.com/commit": "0f1e2d3c4b5a69788796a5b4c3d2e1f001122334"}},
        "spec": {"serviceAccountName": "web", "restartPolicy": "Always", "hostNetwork": n.is_multiple_of(29),
            "containers": containers, "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "securityContext": {"runAsNonRoot": !n.is_multiple_of(5), "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "config", "configMap": {"name": "web"}}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 300}]}})
}

fn container(n: usize, c: usize) -> Value {
    let tag = if (n + c).is_multiple_of(11) { "latest" } else { "2.4.1" };
    json!({"name": format!("c{c}"), "image": format!("registry.example.com/shop/web-{c}:{tag}"),
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "REGION", "value": "eu-1"},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "securityContext": {"privileged": n.is_multiple_of(17) && c == 0, "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]}},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}], "imagePullPolicy": "IfNotPresent"})
}

/// Sixteen rules over pods.
pub(crate) const RULES: [&str; 16] = [
    "container.securityContext.privileged == true",
    "container.securityContext.allowPrivilegeEscalation == true",
    "not ('ALL' in (container.securityContext.capabilities.drop ?? []))",
    "container.image.tag == 'latest'",
    "not (container.image.registry in ['registry.example.com', 'docker.io'])",
    "object.spec?.hostNetwork == true",
    "object.spec?.hostPID == true && object.metadata.namespace != 'kube-system'",
    "any(object.spec?.volumes ?? [], {#?.hostPath != nil})",
    "!('app' in (object.metadata.labels ?? {})) || !('owner' in (object.metadata.labels ?? {}))",
    "any(['team', 'app'], {!(# in (object.metadata.labels ?? {}))})",
    "container.securityContext.runAsUser == 0",
    "securityContext.runAsNonRoot != true && container.securityContext.runAsNonRoot != true",
    "spec.automountServiceAccountToken == true",
    "any(object.spec.containers, .resources?.limits?.memory == nil)",
    "any(object.spec.containers, .readinessProbe == nil || .livenessProbe == nil)",
    "object.metadata.namespace startsWith 'prod' and len(object.spec.containers) > 10",
];

/// The rules as one folder file.
pub(crate) fn rules() -> String {
    folder(RULES.iter().map(|it| (*it).to_owned()))
}

/// So many rules as one folder file: each is for a namespace, as tenants write them; seven of the namespaces are those of
/// [`reviews`].
pub(crate) fn tenants(count: usize) -> String {
    let text =
        |n: usize| format!("object.metadata.namespace == 'team-{}' && ({})", n / RULES.len(), RULES[n % RULES.len()]);
    folder((0..count).map(text))
}

fn folder(texts: impl Iterator<Item = String>) -> String {
    let rule = |(n, text): (usize, String)| {
        json!({"name": format!("rule-{n}"), "enabled": true, "severity": "high", "mode": ["admission"],
            "enforcementAction": if n == 0 { "deny" } else { "warn" }, "rule": text,
            "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}})
    };
    // JSON is YAML.
    Value::Array(texts.enumerate().map(rule).collect()).to_string()
}
