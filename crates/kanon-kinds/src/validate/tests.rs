//! Mistakes as users make them, and the words they get back. Objects are defaulted first, as a server does.

mod bounds;
mod ingresses;
mod jobs;
mod others;
mod pods;
mod services;
mod updates;

use proptest::prelude::*;
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
        "/v1/resourcequotas" => json!({"spec": {"hard": {"pods": "4"}}}),
        "/v1/limitranges" => json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}}]}}),
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
        "storage.k8s.io/v1/storageclasses" => {
            json!({"metadata": {"namespace": null}, "provisioner": "x.io/p", "parameters": {"a": "b"}})
        }
        "apps/v1/replicasets" => json!({"spec": {"selector": selector, "template": template}}),
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

#[test]
fn good_objects_pass() {
    for path in [
        "/v1/pods",
        "/v1/services",
        "/v1/configmaps",
        "/v1/secrets",
        "/v1/resourcequotas",
        "/v1/limitranges",
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
        "storage.k8s.io/v1/storageclasses",
        "apps/v1/replicasets",
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
fn workloads() {
    let p = "apps/v1/deployments";
    check(p, json!({"spec": {"selector": null}}), &["spec.selector: Required value"]);
    check(
        p,
        json!({"spec": {"selector": {"matchLabels": null}}}),
        &[
            "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: empty selector is invalid for deployment",
        ],
    );
    check(
        p,
        json!({"spec": {"selector": {"matchLabels": {"app": "b"}}}}),
        &[
            "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"a\"}: `selector` does not match template `labels`",
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
            "spec.strategy.rollingUpdate.maxSurge: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"lots\"}: a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ],
    );
    check(
        p,
        json!({"spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "In"}]}}}),
        &[
            "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"a\"}, MatchExpressions:[]v1.LabelSelectorRequirement{v1.LabelSelectorRequirement{Key:\"app\", Operator:\"In\", Values:[]string(nil)}}}: invalid label selector",
        ],
    );
    let moved = json!({"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}}}}});
    check_update(
        p,
        moved.clone(),
        &[
            "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"b\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable",
        ],
    );
    check_update(
        "apps/v1/statefulsets",
        json!({"spec": {"serviceName": "b"}}),
        &[
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ],
    );
    check_update("apps/v1/statefulsets", json!({"spec": {"replicas": 4}}), &[]);
    check(
        "batch/v1/jobs",
        json!({"spec": {"template": {"spec": {"restartPolicy": null}}}}),
        &["spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""],
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
        &["spec.schedule: Invalid value: \"1 2\": expected exactly 5 fields, found 2: [1 2]"],
    );
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

/// JSON of any shape, with members that the kinds know.
fn noise() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z0-9./%:*-]{0,12}".prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "metadata",
        "spec",
        "status",
        "template",
        "containers",
        "initContainers",
        "volumes",
        "name",
        "image",
        "ports",
        "port",
        "selector",
        "matchLabels",
        "matchExpressions",
        "labels",
        "resources",
        "limits",
        "requests",
        "cpu",
        "rules",
        "webhooks",
        "subjects",
        "roleRef",
        "data",
        "clientConfig",
        "url",
        "service",
        "strategy",
        "rollingUpdate",
        "versions",
        "names",
        "type",
    ]);
    leaf.prop_recursive(6, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|it| Value::Object(it.into_iter().map(|(name, it)| (name.to_owned(), it)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_defaulted_once_and_judged(kind in 0..crate::kinds().len(), object in noise(), old in noise()) {
        let kind = &crate::kinds()[kind];
        let mut object = object;
        crate::default(kind, &mut object);
        let mut again = object.clone();
        crate::default(kind, &mut again);
        prop_assert_eq!(&again, &object);
        crate::prepare_create(kind, &mut again);
        let _ = validate(kind, &object, Some(&old));
        let cells = crate::cells(kind, &kanon_core::Object::from_value(&object), jiff::Timestamp::UNIX_EPOCH);
        prop_assert_eq!(cells.len(), crate::columns(kind).len());
    }
}
