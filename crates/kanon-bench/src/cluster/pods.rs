//! Pods of generated clusters: sizes and faults as inventories show them.

use fastrand::Rng;
use serde_json::{Value, json};

use super::Team;

/// A pod as its kubelet left it.
pub(super) fn pod(rng: &mut Rng, metadata: Value, spec: &Value) -> Value {
    let mut spec = spec.clone();
    let node = rng.u8(..120);
    spec["nodeName"] = json!(format!("node-{node}"));
    let address = format!("10.{}.{}.{}", node, rng.u8(..), rng.u8(1..));
    let done = spec["restartPolicy"] == "OnFailure";
    let statuses: Vec<Value> = spec["containers"].as_array().into_iter().flatten().map(|it| status(it, done)).collect();
    let condition = |kind: &str| json!({"type": kind, "status": if done { "False" } else { "True" }, "lastTransitionTime": "2026-08-01T08:00:00Z"});
    let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
        "status": {"phase": if done { "Succeeded" } else { "Running" }, "podIP": address, "hostIP": format!("192.168.0.{node}"),
            "qosClass": "Burstable", "startTime": "2026-08-01T08:00:00Z", "containerStatuses": statuses,
            "conditions": conditions}})
}

fn status(container: &Value, done: bool) -> Value {
    let state = if done {
        json!({"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-08-01T08:03:00Z"}})
    } else {
        json!({"running": {"startedAt": "2026-08-01T08:00:03Z"}})
    };
    json!({"name": container["name"], "image": container["image"], "ready": !done, "started": !done, "restartCount": 0,
        "imageID": "docker-pullable://registry.example.com/x@sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "containerID": "containerd://1f0e2d3c4b5a69788796a5b4c3d2e1f0011223344556677889900aabbccddeeff", "state": state})
}

/// A pod template's spec.
pub(super) fn spec(rng: &mut Rng, team: Team) -> Value {
    let mut faulty = |part: u8| rng.u8(..100) < team.faults / part.max(1);
    let (host_network, host_path, no_root) = (faulty(6), faulty(5), !faulty(1));
    let containers: Vec<Value> = (0..rng.usize(1..4)).map(|number| container(rng, team, number)).collect();
    let mut volumes = vec![
        json!({"name": "config", "configMap": {"name": "config", "defaultMode": 420}}),
        json!({"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}}),
    ];
    if host_path {
        volumes.push(json!({"name": "host", "hostPath": {"path": "/var/run", "type": ""}}));
    }
    let mut spec = json!({"serviceAccountName": "default", "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30, "containers": containers, "volumes": volumes,
        "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
        "securityContext": if no_root { json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}) } else { json!({}) }});
    if host_network {
        spec["hostNetwork"] = json!(true);
    }
    if rng.u8(..100) < 20 {
        spec["initContainers"] = json!([container(rng, team, 9)]);
    }
    spec
}

fn container(rng: &mut Rng, team: Team, number: usize) -> Value {
    const REGISTRIES: [&str; 5] =
        ["registry.example.com", "registry.example.com:5000", "ghcr.io/corp", "quay.io/vendor", "docker.io/library"];
    let mut faulty = |part: u8| rng.u8(..100) < team.faults / part.max(1);
    let (latest, privileged, escalates, keeps_capabilities) = (faulty(2), faulty(8), faulty(2), faulty(1));
    let (no_limits, no_probe, root) = (faulty(1), faulty(1), faulty(4));
    let registry = REGISTRIES[rng.usize(..REGISTRIES.len())];
    let image = match rng.u8(..10) {
        0 => format!("{registry}/app-{number}@sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"),
        _ if latest => format!("{registry}/app-{number}"),
        _ => format!("{registry}/app-{number}:v{}.{}.{}", rng.u8(..5), rng.u8(..20), rng.u8(..40)),
    };
    let env: Vec<Value> = (0..rng.usize(2..12))
        .map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("value-{}", rng.u32(..))}))
        .collect();
    let mut security = json!({"allowPrivilegeEscalation": escalates, "readOnlyRootFilesystem": rng.bool()});
    if privileged {
        security["privileged"] = json!(true);
    }
    if root {
        security["runAsUser"] = json!(0);
    }
    if !keeps_capabilities {
        security["capabilities"] = json!({"drop": ["ALL"]});
    }
    let mut container = json!({"name": format!("c{number}"), "image": image, "imagePullPolicy": "IfNotPresent", "env": env,
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}], "securityContext": security,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"},
            {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}],
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}});
    if !no_limits {
        container["resources"]["limits"] = json!({"memory": "256Mi"});
    }
    if !no_probe {
        let probe = json!({"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1});
        (container["livenessProbe"], container["readinessProbe"]) = (probe.clone(), probe);
    }
    container
}
