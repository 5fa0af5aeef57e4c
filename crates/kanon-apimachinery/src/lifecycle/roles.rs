//! The built-in cluster roles with their bindings, and roles that gather others' rules (`aggregationRule`).

use std::sync::Arc;

use kanon_store::Memory;
use serde_json::{Value, json};

use super::{Intent, builtin as resource, editable, entries};
use crate::{rbac, resource::Registry};

const GROUP: &str = "rbac.authorization.k8s.io";
const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

/// What those who may see a namespace see: group and resources. Secrets are not among them.
const VIEWED: [(&str, &[&str]); 9] = [
    (
        "",
        &[
            "bindings",
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "namespaces/status",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "pods/log",
            "pods/status",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
            "serviceaccounts",
            "services",
            "services/status",
        ],
    ),
    ("discovery.k8s.io", &["endpointslices"]),
    (
        "apps",
        &[
            "controllerrevisions",
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ],
    ),
    ("autoscaling", &["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
    ("batch", &["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
    ("policy", &["poddisruptionbudgets", "poddisruptionbudgets/status"]),
    ("networking.k8s.io", &["ingresses", "ingresses/status", "networkpolicies"]),
    ("coordination.k8s.io", &["leases"]),
    ("events.k8s.io", &["events"]),
];

/// What those who may edit a namespace also write.
const EDITED: [(&str, &[&str]); 8] = [
    (
        "",
        &[
            "configmaps",
            "endpoints",
            "events",
            "persistentvolumeclaims",
            "pods",
            "pods/attach",
            "pods/eviction",
            "pods/exec",
            "pods/portforward",
            "pods/proxy",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ],
    ),
    (
        "apps",
        &[
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
    ),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["cronjobs", "jobs"]),
    ("policy", &["poddisruptionbudgets"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("coordination.k8s.io", &["leases"]),
    ("events.k8s.io", &["events"]),
];

/// Paths that every client reads to find out what is served.
const DISCOVERY: [&str; 11] = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
];

/// Paths from which verifiers of service accounts' tokens learn the keys.
const ISSUER_DISCOVERY: [&str; 4] =
    ["/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"];

/// Roles first, then bindings.
pub(super) fn builtin() -> Vec<Value> {
    let mut objects = vec![
        role(
            "cluster-admin",
            json!([
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["*"]},
            ]),
        ),
        role("system:discovery", json!([{"nonResourceURLs": DISCOVERY, "verbs": ["get"]}])),
        role(
            "system:public-info-viewer",
            json!([
                {"nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"], "verbs": ["get"]},
            ]),
        ),
        role(
            "system:basic-user",
            json!([
                {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], "verbs": ["create"]},
                {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
            ]),
        ),
        role(
            "system:service-account-issuer-discovery",
            json!([{"nonResourceURLs": ISSUER_DISCOVERY, "verbs": ["get"]}]),
        ),
    ];
    objects.extend(workers());
    gather(&mut objects);
    for (binding, groups) in [
        ("cluster-admin", ["system:masters"].as_slice()),
        ("system:basic-user", &["system:authenticated"]),
        ("system:discovery", &["system:authenticated"]),
        ("system:public-info-viewer", &["system:authenticated", "system:unauthenticated"]),
        ("system:service-account-issuer-discovery", &["system:serviceaccounts"]),
    ] {
        objects.push(bind(binding, groups));
    }
    objects
}

/// `view`, `edit` and `admin`, each gathered from a role of its own and those below, and from whatever carries the same labels.
fn workers() -> Vec<Value> {
    let view: Vec<Value> = VIEWED.iter().map(|(group, list)| rule(group, list, &READ)).collect();
    let mut edit: Vec<Value> = EDITED.iter().map(|(group, list)| rule(group, list, &WRITE)).collect();
    edit.push(rule(
        "",
        &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"],
        &READ,
    ));
    edit.push(rule("", &["serviceaccounts"], &["impersonate"]));
    edit.push(rule("", &["serviceaccounts/token"], &["create"]));
    let admin = vec![
        rule("authorization.k8s.io", &["localsubjectaccessreviews"], &["create"]),
        rule(GROUP, &["rolebindings", "roles"], &[READ.as_slice(), &WRITE].concat()),
    ];
    let mut roles = Vec::new();
    for (name, above, rules) in [("view", "edit", view), ("edit", "admin", edit), ("admin", "", admin)] {
        let mut gathered = role(name, Value::Null);
        gathered["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {label(name): "true"}}]});
        // A role that is gathered further up carries that label itself.
        if !above.is_empty() {
            gathered["metadata"]["labels"][label(above)] = "true".into();
        }
        let mut part = role(&format!("system:aggregate-to-{name}"), json!(rules));
        part["metadata"]["labels"][label(name)] = "true".into();
        roles.extend([gathered, part]);
    }
    roles
}

/// Fills in what [`aggregate`] would, so that nothing is left to do in a new cluster.
fn gather(roles: &mut [Value]) {
    let all = roles.to_vec();
    for role in roles.iter_mut().filter(|it| it["aggregationRule"].is_object()) {
        role["rules"] = rbac::gathered(role, &all).into();
    }
}

fn label(role: &str) -> String {
    format!("{GROUP}/aggregate-to-{role}")
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"}})
}

fn role(name: &str, rules: Value) -> Value {
    json!({"apiVersion": format!("{GROUP}/v1"), "kind": "ClusterRole", "metadata": metadata(name), "rules": rules})
}

/// The binding of a role to groups; both have one name.
fn bind(role: &str, groups: &[&str]) -> Value {
    let subjects: Vec<Value> =
        groups.iter().map(|name| json!({"kind": "Group", "apiGroup": GROUP, "name": name})).collect();
    json!({"apiVersion": format!("{GROUP}/v1"), "kind": "ClusterRoleBinding", "metadata": metadata(role),
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role}, "subjects": subjects})
}

/// Writes what aggregated cluster roles gather into their `rules`, where clients read it. Authorization does not wait for
/// this (`crate::rbac` gathers by itself). Ask after any change of a ClusterRole.
pub fn aggregate(registry: &Registry, memory: &Memory) -> Vec<Intent> {
    let Some(resource) = resource(registry, GROUP, "clusterroles").map(Arc::clone) else { return Vec::new() };
    let roles: Vec<Value> =
        entries(memory, &resource.list_prefix("")).iter().map(|entry| editable(&resource, entry)).collect();
    let mut intents = Vec::new();
    for role in roles.iter().filter(|it| it["aggregationRule"].is_object()) {
        let gathered = rbac::gathered(role, &roles);
        if gathered != role["rules"].as_array().map_or(&[][..], Vec::as_slice) {
            let mut changed = role.clone();
            changed["rules"] = gathered.into();
            intents.push(Intent::update(&resource, "", changed));
        }
    }
    intents
}
