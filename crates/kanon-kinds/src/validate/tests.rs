//! Mistakes as users make them, and the words they get back. Objects are defaulted first, as a server does.

use serde_json::{Value, json};

use super::*;

/// Lays `change` over `base`, member by member; null takes a member away.
fn merged(base: &Value, change: &Value) -> Value {
    let (Value::Object(base), Value::Object(change)) = (base, change) else { return change.clone() };
    let mut out = base.clone();
    for (key, value) in change {
        if value.is_null() {
            out.remove(key);
        } else {
            let before = out.get(key).cloned().unwrap_or_default();
            out.insert(key.clone(), merged(&before, value));
        }
    }
    Value::Object(out)
}

fn kind_of(path: &str) -> &'static BuiltinKind {
    let parts: Vec<&str> = path.split('/').collect();
    let [group, version, plural] = parts.as_slice() else { panic!("group/version/plural") };
    crate::find(group, version, plural).unwrap()
}

fn told(path: &str, mut object: Value, old: Option<Value>) -> Vec<String> {
    let kind = kind_of(path);
    crate::default(kind, &mut object);
    let old = old.map(|mut old| {
        crate::default(kind, &mut old);
        old
    });
    validate(kind, &object, old.as_ref()).iter().map(ToString::to_string).collect()
}

/// A good object of each kind, to be spoilt.
fn good(path: &str) -> Value {
    let metadata = json!({"name": "a", "namespace": "n"});
    let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let selector = json!({"matchLabels": {"app": "a"}});
    let once = json!({"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}});
    let rest = match path {
        "/v1/pods" => json!({"spec": template["spec"]}),
        "/v1/services" => json!({"spec": {"ports": [{"port": 80}]}}),
        "/v1/configmaps" => json!({"data": {"a": "b"}}),
        "/v1/secrets" => json!({"data": {"a": "Yg=="}}),
        "apps/v1/deployments" | "apps/v1/daemonsets" => json!({"spec": {"selector": selector, "template": template}}),
        "apps/v1/statefulsets" => json!({"spec": {"serviceName": "a", "selector": selector, "template": template}}),
        "batch/v1/jobs" => json!({"spec": {"template": once}}),
        "batch/v1/cronjobs" => json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": once}}}}),
        "networking.k8s.io/v1/networkpolicies" => json!({"spec": {"podSelector": {}}}),
        "networking.k8s.io/v1/ingresses" => {
            json!({"spec": {"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}}})
        }
        "policy/v1/poddisruptionbudgets" => json!({"spec": {"minAvailable": 1, "selector": selector}}),
        "rbac.authorization.k8s.io/v1/roles" => {
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]})
        }
        "rbac.authorization.k8s.io/v1/rolebindings" => {
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]})
        }
        "coordination.k8s.io/v1/leases" => json!({"spec": {"leaseDurationSeconds": 15}}),
        "autoscaling/v2/horizontalpodautoscalers" => {
            json!({"spec": {"maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}})
        }
        "admissionregistration.k8s.io/v1/validatingwebhookconfigurations" => {
            json!({"metadata": {"namespace": null}, "webhooks": [{
            "name": "a.b.c", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://x/y"},
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]}]})
        }
        "apiextensions.k8s.io/v1/customresourcedefinitions" => {
            json!({"metadata": {"name": "gates.x.io", "namespace": null},
            "spec": {"group": "x.io", "scope": "Namespaced", "names": {"kind": "Gate", "plural": "gates"},
                "versions": [{"name": "v1", "served": true, "storage": true}]}})
        }
        "/v1/persistentvolumeclaims" => {
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
        }
        "authorization.k8s.io/v1/subjectaccessreviews" => {
            json!({"spec": {"user": "u", "resourceAttributes": {"verb": "get"}}})
        }
        "scheduling.k8s.io/v1/priorityclasses" => json!({"metadata": {"namespace": null}, "value": 1}),
        other => panic!("no sample of {other}"),
    };
    merged(&json!({"metadata": metadata}), &rest)
}

fn check(path: &str, change: Value, want: &[&str]) {
    assert_eq!(told(path, merged(&good(path), &change), None), want, "{path} {change}");
}

fn check_update(path: &str, change: Value, want: &[&str]) {
    assert_eq!(told(path, merged(&good(path), &change), Some(good(path))), want, "{path} {change}");
}

/// A pod with one container of these members.
fn check_container(members: Value, want: &[&str]) {
    let container = merged(&json!({"name": "c", "image": "i"}), &members);
    check("/v1/pods", json!({"spec": {"containers": [container]}}), want);
}

#[test]
fn good_objects_pass() {
    for path in [
        "/v1/pods",
        "/v1/services",
        "/v1/configmaps",
        "/v1/secrets",
        "apps/v1/deployments",
        "apps/v1/daemonsets",
        "apps/v1/statefulsets",
        "batch/v1/jobs",
        "batch/v1/cronjobs",
        "networking.k8s.io/v1/networkpolicies",
        "networking.k8s.io/v1/ingresses",
        "policy/v1/poddisruptionbudgets",
        "rbac.authorization.k8s.io/v1/roles",
        "rbac.authorization.k8s.io/v1/rolebindings",
        "coordination.k8s.io/v1/leases",
        "autoscaling/v2/horizontalpodautoscalers",
        "/v1/persistentvolumeclaims",
        "admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        "apiextensions.k8s.io/v1/customresourcedefinitions",
        "authorization.k8s.io/v1/subjectaccessreviews",
        "scheduling.k8s.io/v1/priorityclasses",
    ] {
        check(path, json!({}), &[]);
        check_update(path, json!({}), &[]);
    }
}

#[test]
fn metadata_of_every_kind() {
    let p = "/v1/configmaps";
    check(p, json!({"metadata": {"name": null}}), &["metadata.name: Required value: name or generateName is required"]);
    check(p, json!({"metadata": {"name": null, "generateName": "a-"}}), &[]);
    check(
        p,
        json!({"metadata": {"name": "A"}}),
        &[
            "metadata.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ],
    );
    check(
        p,
        json!({"metadata": {"labels": {"a": "b c"}}}),
        &[
            "metadata.labels: Invalid value: \"b c\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ],
    );
    check(
        p,
        json!({"metadata": {"labels": {"a b": "c"}}}),
        &[
            "metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ],
    );
    check(p, json!({"metadata": {"annotations": {"Example.com/a": "any thing"}}}), &[]);
    check(
        p,
        json!({"metadata": {"annotations": {"a": "x".repeat(300_000)}}}),
        &["metadata.annotations: Too long: may not be more than 262144 bytes"],
    );
    check(
        p,
        json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]}}),
        &["metadata.ownerReferences[0].uid: Invalid value: \"\": must not be empty"],
    );
    check_update(p, json!({"metadata": {"uid": "x"}}), &["metadata.uid: Invalid value: \"x\": field is immutable"]);
    check(
        "/v1/services",
        json!({"metadata": {"name": "1a"}}),
        &[
            "metadata.name: Invalid value: \"1a\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        ],
    );
    check("rbac.authorization.k8s.io/v1/roles", json!({"metadata": {"name": "system:a"}}), &[]);
}

#[test]
fn pods() {
    let p = "/v1/pods";
    check(p, json!({"spec": {"containers": null}}), &["spec.containers: Required value"]);
    check(
        p,
        json!({"spec": {"restartPolicy": "Sometimes"}}),
        &[
            "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"Never\", \"OnFailure\"",
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
        json!({"env": [{"name": "a", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]}),
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
        json!({"resources": {"requests": {"cpu": "much"}}}),
        &[
            "spec.containers[0].resources.requests[cpu]: Invalid value: \"much\": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
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

#[test]
fn workloads() {
    let p = "apps/v1/deployments";
    check(p, json!({"spec": {"selector": null}}), &["spec.selector: Required value"]);
    check(
        p,
        json!({"spec": {"selector": {"matchLabels": null}}}),
        &["spec.selector: Invalid value: map[string]interface {}{}: empty selector is invalid for deployment"],
    );
    check(
        p,
        json!({"spec": {"selector": {"matchLabels": {"app": "b"}}}}),
        &[
            "spec.template.metadata.labels: Invalid value: map[string]interface {}{\"app\":\"a\"}: `selector` does not match template `labels`",
        ],
    );
    check(
        p,
        json!({"spec": {"replicas": -1}}),
        &["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    );
    check(
        p,
        json!({"spec": {"template": {"spec": {"restartPolicy": "Never"}}}}),
        &["spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""],
    );
    check(
        p,
        json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}}}),
        &["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    );
    check(
        p,
        json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": "lots"}}}}),
        &[
            "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"lots\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ],
    );
    check(
        p,
        json!({"spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "In"}]}}}),
        &[
            "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            "spec.template.metadata.labels: Invalid value: map[string]interface {}{\"app\":\"a\"}: `selector` does not match template `labels`",
        ],
    );
    let moved = json!({"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}}}}});
    check_update(
        p,
        moved.clone(),
        &[
            "spec.selector: Invalid value: map[string]interface {}{\"matchLabels\":map[string]interface {}{\"app\":\"b\"}}: field is immutable",
        ],
    );
    check_update(
        "apps/v1/statefulsets",
        json!({"spec": {"serviceName": "b"}}),
        &[
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ],
    );
    check_update("apps/v1/statefulsets", json!({"spec": {"replicas": 4}}), &[]);
    check(
        "batch/v1/jobs",
        json!({"spec": {"template": {"spec": {"restartPolicy": null}}}}),
        &[
            "spec.template.spec.restartPolicy: Unsupported value: \"Always\": supported values: \"OnFailure\", \"Never\"",
        ],
    );
    check_update(
        "batch/v1/jobs",
        json!({"spec": {"completions": 3}}),
        &["spec.completions: Invalid value: 3: field is immutable"],
    );
    check("batch/v1/cronjobs", json!({"spec": {"schedule": ""}}), &["spec.schedule: Required value"]);
    check(
        "batch/v1/cronjobs",
        json!({"spec": {"schedule": "1 2"}}),
        &["spec.schedule: Invalid value: \"1 2\": expected exactly 5 fields, found 2: [\"1\", \"2\"]"],
    );
}

#[test]
fn network() {
    let p = "/v1/services";
    check(p, json!({"spec": {"ports": null}}), &["spec.ports: Required value"]);
    check(p, json!({"spec": {"ports": null, "clusterIP": "None"}}), &[]);
    check(
        p,
        json!({"spec": {"type": "Other"}}),
        &[
            "spec.type: Unsupported value: \"Other\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
        ],
    );
    check(p, json!({"spec": {"type": "ExternalName"}}), &["spec.externalName: Required value"]);
    check(
        p,
        json!({"spec": {"ports": [{"port": 0}]}}),
        &[
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        ],
    );
    check(
        p,
        json!({"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81}]}}),
        &["spec.ports[1].name: Required value"],
    );
    check(
        p,
        json!({"spec": {"clusterIP": "nowhere"}}),
        &["spec.clusterIP: Invalid value: \"nowhere\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"],
    );
    let given = merged(&good(p), &json!({"spec": {"clusterIP": "10.0.0.1"}}));
    let moved = merged(&good(p), &json!({"spec": {"clusterIP": "10.0.0.2"}}));
    assert_eq!(
        told(p, moved, Some(given)),
        ["spec.clusterIPs[0]: Invalid value: []interface {}{\"10.0.0.2\"}: may not change once set"]
    );
    let p = "networking.k8s.io/v1/networkpolicies";
    check(
        p,
        json!({"spec": {"policyTypes": ["Sideways"]}}),
        &["spec.policyTypes[0]: Unsupported value: \"Sideways\": supported values: \"Egress\", \"Ingress\""],
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
        &["spec: Invalid value: map[string]interface {}{}: either `defaultBackend` or `rules` must be specified"],
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
        &["<nil>: Too long: may not be more than 1048576 bytes"],
    );
    check(
        "/v1/secrets",
        json!({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}),
        &["data[tls.key]: Required value"],
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
    let p = "apiextensions.k8s.io/v1/customresourcedefinitions";
    check(
        p,
        json!({"metadata": {"name": "x"}}),
        &["metadata.name: Invalid value: \"x\": must be spec.names.plural+\".\"+spec.group"],
    );
    check(
        p,
        json!({"spec": {"versions": [{"name": "v1", "served": true, "storage": false}]}}),
        &[
            "spec.versions: Invalid value: []interface {}{map[string]interface {}{\"name\":\"v1\", \"served\":true, \"storage\":false}}: must have exactly one version marked as storage version",
        ],
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
            "rules[0].nonResourceURLs: Invalid value: []interface {}{\"/x\"}: namespaced rules cannot apply to non-resource URLs",
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
            "roleRef: Invalid value: map[string]interface {}{\"apiGroup\":\"rbac.authorization.k8s.io\", \"kind\":\"Role\", \"name\":\"other\"}: cannot change roleRef",
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
            "webhooks[0].rules[0].operations: Invalid value: []interface {}{\"CREATE\", \"*\"}: if '*' is present, must not specify other operations",
        ],
    );
    spoilt(
        json!({"failurePolicy": "Shrug"}),
        &["webhooks[0].failurePolicy: Unsupported value: \"Shrug\": supported values: \"Fail\", \"Ignore\""],
    );
    spoilt(json!({"matchConditions": [{"name": "a"}]}), &["webhooks[0].matchConditions[0].expression: Required value"]);
    let twice = json!([good(p)["webhooks"][0], good(p)["webhooks"][0]]);
    check(p, json!({"webhooks": twice}), &["webhooks[1].name: Duplicate value: \"a.b.c\""]);
}

#[test]
fn odd_shapes_do_not_upset_it() {
    for kind in crate::kinds() {
        for odd in [
            json!(null),
            json!([]),
            json!({"metadata": 1, "spec": {"containers": [1, {"ports": 3}], "template": []}, "webhooks": {}, "data": [], "rules": [null]}),
        ] {
            let _ = validate(kind, &odd, Some(&odd));
            let _ = validate(kind, &odd, Some(&json!({})));
        }
    }
}
