//! Rows as users of kubectl know them, all at 12:00 of one day.

use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-01-02T12:00:00Z";

fn row(path: &str, mut object: Value) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let [group, version, plural] = parts.as_slice() else { panic!("group/version/plural") };
    let kind = crate::find(group, version, plural).unwrap();
    object["metadata"]["creationTimestamp"] = json!("2026-01-02T11:55:18Z");
    object["metadata"]["name"] = json!("a");
    let cells = cells(kind, &Object::from_value(&object), NOW.parse().unwrap());
    assert_eq!(cells.len(), crate::columns(kind).len(), "{path}: a cell a column");
    let plain = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    cells.iter().map(plain).collect::<Vec<_>>().join(" | ")
}

fn check(path: &str, object: Value, want: &str) {
    assert_eq!(row(path, object), want, "{path}");
}

/// A pod's row without name, age and wide columns.
fn check_pod(spec: Value, status: Value, want: &str) {
    let row = row("/v1/pods", json!({"spec": spec, "status": status}));
    let cells: Vec<&str> = row.split(" | ").collect();
    assert_eq!(cells[1..4].join(" | "), want);
}

#[test]
fn pods() {
    let two = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    check_pod(two.clone(), json!({"phase": "Pending"}), "0/2 | Pending | 0");
    let up = |name: &str| json!({"name": name, "ready": true, "restartCount": 0, "state": {"running": {}}});
    check_pod(two.clone(), json!({"phase": "Running", "containerStatuses": [up("a"), up("b")]}), "2/2 | Running | 0");
    let crashed = json!({"name": "b", "ready": false, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"finishedAt": "2026-01-02T11:58:30Z"}}});
    check_pod(
        two.clone(),
        json!({"phase": "Running", "containerStatuses": [up("a"), crashed]}),
        "1/2 | CrashLoopBackOff | 3 (90s ago)",
    );
    let done =
        json!({"ready": false, "restartCount": 0, "state": {"terminated": {"reason": "Completed", "exitCode": 0}}});
    check_pod(
        json!({"containers": [{}]}),
        json!({"phase": "Succeeded", "containerStatuses": [done]}),
        "0/1 | Completed | 0",
    );
    check_pod(
        two.clone(),
        json!({"phase": "Running", "containerStatuses": [up("a"), done],
        "conditions": [{"type": "Ready", "status": "False"}]}),
        "1/2 | NotReady | 0",
    );
    let killed = json!({"restartCount": 0, "state": {"terminated": {"signal": 9, "exitCode": 137}}});
    check_pod(
        json!({"containers": [{}]}),
        json!({"phase": "Failed", "containerStatuses": [killed]}),
        "0/1 | Signal:9 | 0",
    );
    check_pod(two.clone(), json!({"phase": "Failed", "reason": "Evicted"}), "0/2 | Evicted | 0");
    check_pod(
        two,
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated", "status": "False"}]}),
        "0/2 | SchedulingGated | 0",
    );
}

#[test]
fn pods_that_initialise() {
    let spec = json!({"initContainers": [{"name": "i"}, {"name": "j"}], "containers": [{"name": "c"}]});
    let ended = |code: i64| json!({"name": "i", "restartCount": 1, "state": {"terminated": {"exitCode": code}}});
    let waits = |reason: &str| json!({"name": "j", "state": {"waiting": {"reason": reason}}});
    let status = |init: Value| json!({"phase": "Pending", "initContainerStatuses": init, "containerStatuses": [waits("PodInitializing")]});
    check_pod(spec.clone(), status(json!([ended(0), waits("PodInitializing")])), "0/1 | Init:1/2 | 1");
    check_pod(spec.clone(), status(json!([ended(0), waits("ImagePullBackOff")])), "0/1 | Init:ImagePullBackOff | 1");
    check_pod(spec, status(json!([ended(2)])), "0/1 | Init:ExitCode:2 | 1");
    let sidecar = json!({"initContainers": [{"name": "i", "restartPolicy": "Always"}], "containers": [{"name": "c"}]});
    let running =
        |name: &str| json!({"name": name, "started": true, "ready": true, "restartCount": 2, "state": {"running": {}}});
    check_pod(
        sidecar,
        json!({"phase": "Running", "initContainerStatuses": [running("i")], "containerStatuses": [running("c")]}),
        "2/2 | Running | 4",
    );
}

#[test]
fn pods_that_go() {
    let pod = json!({"metadata": {"deletionTimestamp": NOW}, "spec": {"nodeName": "n", "containers": [{}], "readinessGates": [{"conditionType": "x"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1"}});
    check("/v1/pods", pod, "a | 0/1 | Terminating | 0 | 4m42s | 10.0.0.1 | n | <none> | 0/1");
}

#[test]
fn workloads() {
    let template = json!({"spec": {"containers": [{"name": "c", "image": "i:1"}, {"name": "d", "image": "j"}]}});
    let selector = json!({"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": [{"key": "t", "operator": "In", "values": ["y", "x"]}]});
    let spec = json!({"replicas": 3, "template": template, "selector": selector});
    check(
        "apps/v1/deployments",
        json!({"spec": spec, "status": {"readyReplicas": 1, "updatedReplicas": 3}}),
        "a | 1/3 | 3 | 0 | 4m42s | c,d | i:1,j | a=1,b=2,t in (x,y)",
    );
    check(
        "apps/v1/replicasets",
        json!({"spec": spec, "status": {"replicas": 2}}),
        "a | 3 | 2 | 0 | 4m42s | c,d | i:1,j | a=1,b=2,t in (x,y)",
    );
    check("apps/v1/statefulsets", json!({"spec": spec}), "a | 0/3 | 4m42s | c,d | i:1,j");
    check(
        "apps/v1/daemonsets",
        json!({"spec": spec, "status": {"desiredNumberScheduled": 2, "numberReady": 1}}),
        "a | 2 | 0 | 1 | 0 | 0 | <none> | 4m42s | c,d | i:1,j | a=1,b=2,t in (x,y)",
    );
    check(
        "/v1/replicationcontrollers",
        json!({"spec": {"replicas": 0, "selector": {"a": "1"}, "template": template}}),
        "a | 0 | 0 | 0 | 4m42s | c,d | i:1,j | a=1",
    );
    check(
        "batch/v1/jobs",
        json!({"spec": {"completions": 2, "template": template}, "status": {"succeeded": 2, "startTime": "2026-01-02T11:56:00Z",
        "completionTime": "2026-01-02T11:59:05Z", "conditions": [{"type": "Complete", "status": "True"}]}}),
        "a | Complete | 2/2 | 3m5s | 4m42s | c,d | i:1,j | <none>",
    );
    check("batch/v1/jobs", json!({"spec": {"parallelism": 3}}), "a | Running | 0/1 of 3 |  | 4m42s |  |  | <none>");
    check(
        "batch/v1/cronjobs",
        json!({"spec": {"schedule": "* * * * *", "suspend": false}, "status": {"lastScheduleTime": "2026-01-02T11:59:00Z", "active": [{}]}}),
        "a | * * * * * | <none> | False | 1 | 60s | 4m42s |  |  | <none>",
    );
    check(
        "apps/v1/controllerrevisions",
        json!({"revision": 2, "metadata": {"ownerReferences": [{"controller": true, "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s"}]}}),
        "a | statefulset.apps/s | 2 | 4m42s",
    );
}

#[test]
fn network() {
    check(
        "/v1/services",
        json!({"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP", "nodePort": 30053}]}}),
        "a | ClusterIP | 10.0.0.1 | <none> | 80/TCP,53:30053/UDP | 4m42s | <none>",
    );
    check(
        "/v1/services",
        json!({"spec": {"type": "LoadBalancer", "selector": {"b": "2", "a": "1"}}}),
        "a | LoadBalancer | <none> | <pending> | <none> | 4m42s | a=1,b=2",
    );
    check(
        "/v1/services",
        json!({"spec": {"type": "ExternalName", "externalName": "x.org"}}),
        "a | ExternalName | <none> | x.org | <none> | 4m42s | <none>",
    );
    check(
        "/v1/endpoints",
        json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "ports": [{"port": 80}, {"port": 81}]}]}),
        "a | 10.0.0.1:80,[fd00::1]:80,10.0.0.1:81 + 1 more... | 4m42s",
    );
    check(
        "discovery.k8s.io/v1/endpointslices",
        json!({"addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]}),
        "a | IPv4 | 80 | 10.0.0.1,10.0.0.2 | 4m42s",
    );
    check("networking.k8s.io/v1/networkpolicies", json!({"spec": {"podSelector": {}}}), "a | <none> | 4m42s");
    check(
        "networking.k8s.io/v1/ingresses",
        json!({"spec": {"rules": [{"host": "x.org"}], "tls": [{}]}, "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}),
        "a | <none> | x.org | 1.2.3.4 | 80, 443 | 4m42s",
    );
    check("networking.k8s.io/v1/ingressclasses", json!({"spec": {"controller": "c"}}), "a | c | <none> | 4m42s");
}

#[test]
fn events() {
    let event = json!({"type": "Warning", "reason": "Failed", "message": "no image\n", "count": 4, "firstTimestamp": "2026-01-02T11:00:00Z",
        "lastTimestamp": "2026-01-02T11:59:30Z", "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec"}, "source": {"component": "kubelet", "host": "n"}});
    check("/v1/events", event, "30s | Warning | Failed | pod/p | spec | kubelet, n | no image | 60m | 4 | a");
    let event = json!({"type": "Normal", "reason": "R", "note": "m", "eventTime": "2026-01-02T11:59:00.000000Z", "regarding": {"kind": "Pod", "name": "p"}, "reportingController": "k"});
    check("events.k8s.io/v1/events", event, "60s | Normal | R | pod/p |  | k | m | 60s | 1 | a");
}

#[test]
fn cluster() {
    check("/v1/namespaces", json!({"status": {"phase": "Active"}}), "a | Active | 4m42s");
    check(
        "/v1/nodes",
        json!({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "x"}}, "spec": {"unschedulable": true},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "addresses": [{"type": "InternalIP", "address": "10.0.0.9"}], "nodeInfo": {"kubeletVersion": "v1.32.0"}}}),
        "a | Ready,SchedulingDisabled | control-plane,x | 4m42s | v1.32.0 | 10.0.0.9 | <none> | <unknown> | <unknown> | <unknown>",
    );
    check("/v1/configmaps", json!({"data": {"a": "", "b": ""}, "binaryData": {"c": ""}}), "a | 3 | 4m42s");
    check("/v1/secrets", json!({"type": "Opaque", "data": {"a": ""}}), "a | Opaque | 1 | 4m42s");
    check("/v1/serviceaccounts", json!({}), "a | 0 | 4m42s");
    check(
        "/v1/resourcequotas",
        json!({"status": {"hard": {"pods": "4", "limits.cpu": "2"}, "used": {"pods": "1"}}}),
        "a | 4m42s | pods: 1/4 | limits.cpu: 0/2",
    );
    check(
        "policy/v1/poddisruptionbudgets",
        json!({"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}}),
        "a | 50% | N/A | 1 | 4m42s",
    );
    check("rbac.authorization.k8s.io/v1/clusterroles", json!({}), "a | 2026-01-02T11:55:18Z");
    check(
        "rbac.authorization.k8s.io/v1/rolebindings",
        json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]}),
        "a | Role/r | 4m42s | u |  | n/s",
    );
    check("coordination.k8s.io/v1/leases", json!({"spec": {"holderIdentity": "h"}}), "a | h | 4m42s");
    check(
        "admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        json!({"webhooks": [{}]}),
        "a | 1 | 4m42s",
    );
    check(
        "autoscaling/v2/horizontalpodautoscalers",
        json!({"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "minReplicas": 1, "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}]},
        "status": {"currentReplicas": 2, "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 10}}}]}}),
        "a | Deployment/d | cpu: 10%/80% | 1 | 5 | 2 | 4m42s",
    );
    check(
        "storage.k8s.io/v1/storageclasses",
        json!({"provisioner": "p"}),
        "a | p | Delete | Immediate | false | 4m42s",
    );
    check(
        "/v1/persistentvolumeclaims",
        json!({"spec": {"volumeName": "v", "volumeMode": "Filesystem"}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}}),
        "a | Bound | v | 1Gi | RWO |  | <unset> | 4m42s | Filesystem",
    );
    check("scheduling.k8s.io/v1/priorityclasses", json!({"value": 5}), "a | 5 | false | 4m42s");
}

#[test]
fn every_kind_prints_even_when_empty_or_odd() {
    for kind in crate::kinds() {
        for odd in [
            json!({}),
            json!({"metadata": [], "spec": "x", "status": {"conditions": 3, "containerStatuses": [null, 1]}}),
        ] {
            let cells = cells(kind, &Object::from_value(&odd), NOW.parse().unwrap());
            assert_eq!(cells.len(), crate::columns(kind).len(), "{}", kind.plural);
        }
    }
}
