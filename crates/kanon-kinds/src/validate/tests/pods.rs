//! Pods and their containers.

use serde_json::{Value, json};

use super::{check, check_update, merged};

/// A pod with one container of these members.
fn check_container(members: Value, want: &[&str]) {
    let container = merged(&json!({"name": "c", "image": "i"}), &members);
    check("/v1/pods", json!({"spec": {"containers": [container]}}), want);
}

#[test]
fn pods() {
    let p = "/v1/pods";
    check(p, json!({"spec": {"containers": null}}), &["spec.containers: Required value"]);
    check(
        p,
        json!({"spec": {"restartPolicy": "Sometimes"}}),
        &[
            "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"",
        ],
    );
    check(
        p,
        json!({"spec": {"volumes": [{"name": "v"}, {"name": "v"}]}}),
        &["spec.volumes[1].name: Duplicate value: \"v\""],
    );
    check(
        p,
        json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}]}}),
        &["spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type"],
    );
    check(
        p,
        json!({"spec": {"securityContext": {"runAsUser": -1}}}),
        &["spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    );
    check(
        p,
        json!({"spec": {"tolerations": [{"operator": "Equal"}]}}),
        &[
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        ],
    );
    check(
        p,
        json!({"spec": {"containers": [{"name": "c", "image": "i"}, {"name": "c", "image": "i"}]}}),
        &["spec.containers[1].name: Duplicate value: \"c\""],
    );
    check(
        p,
        json!({"spec": {"topologySpreadConstraints": [{"maxSkew": 1, "whenUnsatisfiable": "Maybe", "topologyKey": ""}]}}),
        &[
            "spec.topologySpreadConstraints[0].topologyKey: Required value",
            "spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: \"Maybe\": supported values: \"DoNotSchedule\", \"ScheduleAnyway\"",
        ],
    );
}

#[test]
fn containers() {
    check_container(json!({"name": null}), &["spec.containers[0].name: Required value"]);
    check_container(json!({"image": null}), &["spec.containers[0].image: Required value"]);
    check_container(
        json!({"image": " i"}),
        &["spec.containers[0].image: Invalid value: \" i\": must not have leading or trailing whitespace"],
    );
    check_container(
        json!({"name": "C"}),
        &[
            "spec.containers[0].name: Invalid value: \"C\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ],
    );
    check_container(
        json!({"imagePullPolicy": "Later"}),
        &[
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Later\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
        ],
    );
    check_container(
        json!({"ports": [{"containerPort": 70000}]}),
        &["spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"],
    );
    check_container(
        json!({"ports": [{"name": "http"}]}),
        &["spec.containers[0].ports[0].containerPort: Required value"],
    );
    check_container(
        json!({"ports": [{"containerPort": 1, "protocol": "ICMP"}]}),
        &[
            "spec.containers[0].ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
        ],
    );
    check_container(
        json!({"ports": [{"containerPort": 1, "name": "very-long-port-name"}]}),
        &[
            "spec.containers[0].ports[0].name: Invalid value: \"very-long-port-name\": must be no more than 15 characters",
        ],
    );
    check_container(
        json!({"env": [{"name": "a=b"}]}),
        &[
            "spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='",
        ],
    );
    check_container(
        json!({"env": [{"name": "a", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
        &["spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"],
    );
    check_container(
        json!({"volumeMounts": [{"name": "x", "mountPath": "/x"}]}),
        &["spec.containers[0].volumeMounts[0].name: Not found: \"x\""],
    );
    check_container(
        json!({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}),
        &["spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"],
    );
    check_container(
        json!({"resources": {"limits": {"cpu": "-1"}}}),
        &[
            "spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
            "spec.containers[0].resources.requests[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
        ],
    );
    check_container(
        json!({"ports": [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}]}),
        &["spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//5\""],
    );
    check_container(
        json!({"resources": {"requests": {"x.io/gpu": "1"}, "limits": {"x.io/gpu": "2"}}}),
        &["spec.containers[0].resources.requests: Invalid value: \"1\": must be equal to x.io/gpu limit of 2"],
    );
    check_container(
        json!({"resources": {"requests": {"x.io/gpu": "1"}}}),
        &["spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources"],
    );
    check_container(
        json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
            {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.owner"}}}]}),
        &[
            "spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Invalid value: \"metadata.owner\": error converting fieldPath: field label not supported: metadata.owner",
        ],
    );
    check_container(
        json!({"livenessProbe": {}}),
        &["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
    );
    check_container(
        json!({"livenessProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}}),
        &["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    );
    check_container(
        json!({"readinessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}}),
        &["spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
    );
    check_container(
        json!({"securityContext": {"seccompProfile": {"type": "Localhost"}}}),
        &[
            "spec.containers[0].securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
        ],
    );
}

#[test]
fn init_containers_end_unless_they_are_sidecars() {
    let probe = json!({"tcpSocket": {"port": 1}});
    let init = |policy: Value| json!({"spec": {"initContainers": [merged(&json!({"name": "i", "image": "i", "livenessProbe": probe}), &policy)]}});
    let refused = "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always";
    check("/v1/pods", init(json!({})), &[refused]);
    check("/v1/pods", init(json!({"restartPolicy": "Always"})), &[]);
}

#[test]
fn pod_updates() {
    const FIXED: &str = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    let p = "/v1/pods";
    let container = |members: Value| json!({"spec": {"containers": [merged(&json!({"name": "c", "image": "i", "imagePullPolicy": "Always"}), &members)]}});
    check_update(p, container(json!({"image": "other"})), &[]);
    check_update(p, json!({"spec": {"activeDeadlineSeconds": 5}}), &[]);
    check_update(p, json!({"spec": {"tolerations": [{"operator": "Exists"}]}}), &[]);
    check_update(p, container(json!({"command": ["a"]})), &[FIXED]);
    check_update(p, json!({"spec": {"nodeName": "n"}}), &[FIXED]);
    check_update(
        p,
        json!({"spec": {"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "i"}]}}),
        &["spec.containers: Forbidden: pod updates may not add or remove containers"],
    );
}
