//! A pod as a cluster holds it, 8.85 kB: three containers, one that runs before them, and a status.

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const CONTAINERS: [(&str, &str, Option<bool>); 3] = [
    ("api", "ghcr.io/acme/orders-api:2.14.3", Some(false)),
    ("proxy", "ghcr.io/acme/envoy:1.31.0", None),
    ("log-agent", "docker.io/library/fluent-bit:3.1.4", Some(false)),
];
const CONDITIONS: [&str; 5] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/// The pod's text, with white space.
pub(crate) fn pod() -> String {
    let containers = CONTAINERS.map(|(name, image, privileged)| container(name, image, privileged)).join(",");
    let statuses = CONTAINERS.map(|(name, image, _)| container_status(name, image)).join(",");
    let conditions = CONDITIONS.map(condition).join(",");
    format!(
        r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {METADATA},
            "spec": {{"volumes": {VOLUMES},
                "initContainers": [{{"name": "migrate", "image": "ghcr.io/acme/orders-migrate:2.14.3",
                    "command": ["/migrate", "up"], "resources": {{}}, "securityContext": {{"runAsNonRoot": true}}}}],
                "containers": [{containers}], {REST_OF_SPEC}}},
            "status": {{"phase": "Running", "hostIP": "10.0.12.34", "podIP": "10.0.47.11",
                "podIPs": [{{"ip": "10.0.47.11"}}], "startTime": "2026-10-02T08:15:31Z", "qosClass": "Burstable",
                "conditions": [{conditions}], "containerStatuses": [{statuses}]}}}}"#
    )
}

fn container(name: &str, image: &str, privileged: Option<bool>) -> String {
    let privileged = privileged.map_or_else(String::new, |it| format!(r#", "privileged": {it}"#));
    format!(
        r#"{{"name": "{name}", "image": "{image}", {CONTAINER},
            "securityContext": {{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                "runAsNonRoot": true, "capabilities": {{"drop": ["ALL"]}}{privileged}}},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}}"#
    )
}

fn container_status(name: &str, image: &str) -> String {
    let repository = image.split(':').next().unwrap_or_default();
    format!(
        r#"{{"name": "{name}", "state": {{"running": {{"startedAt": "2026-10-02T08:15:38Z"}}}}, "lastState": {{}},
            "ready": true, "restartCount": 0, "image": "{image}", "imageID": "{repository}@{DIGEST}",
            "containerID": "containerd://4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce",
            "started": true}}"#
    )
}

fn condition(of: &str) -> String {
    format!(
        r#"{{"type": "{of}", "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-10-02T08:15:40Z"}}"#
    )
}

const METADATA: &str = r#"{
    "name": "orders-api-6d9c8f7b5d-x7k2p", "generateName": "orders-api-6d9c8f7b5d-", "namespace": "payments",
    "uid": "0b6f4a0e-6c1e-4f1a-9f7b-3f1d2c9a8e55", "resourceVersion": "184467",
    "creationTimestamp": "2026-10-02T08:15:30Z",
    "labels": {"app.kubernetes.io/name": "orders-api", "app.kubernetes.io/instance": "orders",
        "app.kubernetes.io/version": "2.14.3", "app.kubernetes.io/managed-by": "Helm",
        "pod-template-hash": "6d9c8f7b5d", "team": "payments", "tier": "backend"},
    "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090",
        "checksum/config": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "kubectl.kubernetes.io/restartedAt": "2026-10-01T22:10:00Z"},
    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "orders-api-6d9c8f7b5d",
        "uid": "3d1f6b1e-0d2f-4e0e-8a0e-5b0f6d3c2b1a", "controller": true, "blockOwnerDeletion": true}]
}"#;

const VOLUMES: &str = r#"[
    {"name": "config", "configMap": {"name": "orders-api", "defaultMode": 420}},
    {"name": "tmp", "emptyDir": {}},
    {"name": "kube-api-access-x7k2p", "projected": {"sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace",
            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}], "defaultMode": 420}}
]"#;

const CONTAINER: &str = r#"
    "imagePullPolicy": "IfNotPresent",
    "args": ["--config=/etc/app/config.yaml", "--log-level=info", "--listen=:8080"],
    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"},
        {"name": "metrics", "containerPort": 9090, "protocol": "TCP"}],
    "env": [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}},
        {"name": "DB_HOST", "value": "orders-db.payments.svc.cluster.local"},
        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "orders-db", "key": "password"}}}],
    "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "initialDelaySeconds": 10,
        "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3},
    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 5,
        "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3},
    "volumeMounts": [{"name": "config", "mountPath": "/etc/app", "readOnly": true},
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "kube-api-access-x7k2p", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            "readOnly": true}]
"#;

const REST_OF_SPEC: &str = r#"
    "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
    "serviceAccountName": "orders-api", "serviceAccount": "orders-api",
    "nodeName": "ip-10-0-12-34.eu-west-1.compute.internal",
    "securityContext": {"runAsUser": 10001, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
    "schedulerName": "default-scheduler",
    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100,
        "podAffinityTerm": {"labelSelector": {"matchLabels": {"app.kubernetes.io/name": "orders-api"}},
            "topologyKey": "kubernetes.io/hostname"}}]}},
    "tolerations": [
        {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
        {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": 300}],
    "priority": 0, "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority"
"#;
