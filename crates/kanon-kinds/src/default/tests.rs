//! Defaults, case by case: what is given, what a server stores.

use serde_json::{Value, json};

use super::*;

fn defaulted(group: &str, version: &str, plural: &str, mut object: Value) -> Value {
    let kind = crate::find(group, version, plural).unwrap();
    default(kind, &mut object);
    let again = {
        let mut copy = object.clone();
        default(kind, &mut copy);
        copy
    };
    assert_eq!(again, object, "defaulting twice changes nothing");
    object
}

#[test]
fn zero_is_a_figure_where_text_would_be_one_too() {
    let budget =
        json!({"metadata": {"name": "a"}, "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"a": "b"}}}});
    let defaulted_budget = defaulted("policy", "v1", "poddisruptionbudgets", budget);
    assert_eq!(defaulted_budget["spec"]["maxUnavailable"], 0);
    let rolling = json!({"maxUnavailable": 0, "maxSurge": 1});
    let deployment = json!({"metadata": {"name": "a"}, "spec": {"strategy": {"rollingUpdate": rolling}}});
    let deployment = defaulted("apps", "v1", "deployments", deployment);
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"], rolling);
}

#[test]
fn pod_gets_what_a_server_fills_in() {
    let pod = json!({"metadata": {"name": "a", "creationTimestamp": null}, "spec": {
        "nodeName": "", "hostNetwork": false,
        "containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80}],
            "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}},
            "livenessProbe": {"httpGet": {"port": 80}}}],
        "volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "x"}}]}});
    let want = json!({"metadata": {"name": "a"}, "spec": {
        "containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80, "protocol": "TCP"}],
            "imagePullPolicy": "Always",
            "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
            "livenessProbe": {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
                "failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}],
        "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "restartPolicy": "Always",
        "schedulerName": "default-scheduler", "securityContext": {},
        "terminationGracePeriodSeconds": 30,
        "volumes": [{"name": "v", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "x", "defaultMode": 420}}]},
        "status": {}});
    assert_eq!(defaulted("", "v1", "pods", pod), want);
}

#[test]
fn image_tag_decides_the_pull_policy() {
    for (image, want) in [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("registry:5000/nginx", "Always"),
        ("registry:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
    ] {
        let pod = json!({"spec": {"containers": [{"name": "c", "image": image}]}});
        assert_eq!(defaulted("", "v1", "pods", pod)["spec"]["containers"][0]["imagePullPolicy"], want, "{image}");
    }
}

#[test]
fn deployment_and_its_template() {
    let deployment = json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [{"name": "c", "image": "x:1"}]}}}});
    let spec = &defaulted("apps", "v1", "deployments", deployment)["spec"];
    assert_eq!(spec["replicas"], 1);
    assert_eq!(
        spec["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
    );
    assert_eq!((&spec["revisionHistoryLimit"], &spec["progressDeadlineSeconds"]), (&json!(10), &json!(600)));
    assert_eq!(spec["template"]["spec"]["restartPolicy"], "Always");
    assert!(spec["template"]["spec"].get("enableServiceLinks").is_none(), "templates do not get it");
    assert!(spec["template"]["spec"].get("serviceAccountName").is_none());
}

#[test]
fn explicit_zeros_stay() {
    let deployment = json!({"spec": {"replicas": 0, "paused": false, "template": {"spec": {"containers": [],
        "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0}}}});
    let spec = &defaulted("apps", "v1", "deployments", deployment)["spec"];
    assert_eq!(spec["replicas"], 0);
    assert!(spec.get("paused").is_none());
    assert_eq!(spec["template"]["spec"]["automountServiceAccountToken"], false);
    assert_eq!(spec["template"]["spec"]["terminationGracePeriodSeconds"], 0);
}

#[test]
fn other_kinds() {
    let check = |group: &str, version: &str, plural: &str, given: Value, path: &str, want: Value| {
        let object = defaulted(group, version, plural, given);
        assert_eq!(object.pointer(path), Some(&want), "{plural} {path}: {object}");
    };
    check(
        "",
        "v1",
        "services",
        json!({"spec": {"ports": [{"port": 80}]}}),
        "/spec/ports/0",
        json!({"port": 80, "protocol": "TCP", "targetPort": 80}),
    );
    check(
        "",
        "v1",
        "services",
        json!({"spec": {}}),
        "/spec",
        json!({"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}),
    );
    check("", "v1", "secrets", json!({"stringData": {"a": "b"}}), "/data", json!({"a": "Yg=="}));
    check("", "v1", "secrets", json!({}), "/type", json!("Opaque"));
    check("batch", "v1", "jobs", json!({"spec": {"template": {"spec": {}}}}), "/spec/completions", json!(1));
    check("batch", "v1", "jobs", json!({"spec": {"template": {"spec": {}}}}), "/spec/backoffLimit", json!(6));
    check("batch", "v1", "cronjobs", json!({"spec": {}}), "/spec/concurrencyPolicy", json!("Allow"));
    check(
        "apps",
        "v1",
        "daemonsets",
        json!({"spec": {}}),
        "/spec/updateStrategy",
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}),
    );
    check(
        "apps",
        "v1",
        "statefulsets",
        json!({"spec": {}}),
        "/spec/updateStrategy",
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
    );
    check(
        "networking.k8s.io",
        "v1",
        "networkpolicies",
        json!({"spec": {"egress": [{}]}}),
        "/spec/policyTypes",
        json!(["Ingress", "Egress"]),
    );
    check(
        "networking.k8s.io",
        "v1",
        "networkpolicies",
        json!({"spec": {}}),
        "/spec",
        json!({"podSelector": {}, "policyTypes": ["Ingress"]}),
    );
    check(
        "rbac.authorization.k8s.io",
        "v1",
        "rolebindings",
        json!({"roleRef": {"kind": "Role", "name": "a"}}),
        "/roleRef/apiGroup",
        json!("rbac.authorization.k8s.io"),
    );
    check(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        json!({"spec": {"maxReplicas": 3}}),
        "/spec/minReplicas",
        json!(1),
    );
    check(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        json!({"spec": {"names": {"kind": "Gate", "plural": "gates"}}}),
        "/spec/names/listKind",
        json!("GateList"),
    );
    let webhook = json!({"webhooks": [{"name": "a.b.c", "rules": [{"operations": ["*"]}], "clientConfig": {"service": {"name": "n", "namespace": "s"}}}]});
    check(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        webhook,
        "/webhooks/0",
        json!({
        "name": "a.b.c", "rules": [{"operations": ["*"], "scope": "*"}], "clientConfig": {"service": {"name": "n", "namespace": "s", "port": 443}},
        "failurePolicy": "Fail", "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}, "timeoutSeconds": 10,
        "reinvocationPolicy": "Never"}),
    );
}

#[test]
fn new_jobs_select_their_own_pods() {
    let mut job = json!({"metadata": {"name": "j", "uid": "u"}, "spec": {"template": {}}});
    prepare_create(crate::find("batch", "v1", "jobs").unwrap(), &mut job);
    assert_eq!(job["spec"]["selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}));
    assert_eq!(job["spec"]["template"]["metadata"]["labels"]["job-name"], "j");
}

#[test]
fn new_pods_are_pending_with_a_quality_of_service() {
    for (resources, want) in [
        (json!({}), "BestEffort"),
        (json!({"requests": {"cpu": "1"}}), "Burstable"),
        (json!({"limits": {"cpu": "1", "memory": "1"}, "requests": {"cpu": "1", "memory": "1"}}), "Guaranteed"),
    ] {
        let mut pod = json!({"spec": {"containers": [{"resources": resources}]}});
        prepare_create(crate::find("", "v1", "pods").unwrap(), &mut pod);
        assert_eq!(pod["status"], json!({"phase": "Pending", "qosClass": want}));
    }
}

#[test]
fn odd_shapes_are_left_alone() {
    for kind in crate::kinds() {
        for odd in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"spec": []}),
            json!({"spec": {"template": 1, "containers": [1, {"ports": 3}]}, "webhooks": [null]}),
        ] {
            let mut object = odd.clone();
            default(kind, &mut object);
            prepare_create(kind, &mut object);
        }
    }
}
