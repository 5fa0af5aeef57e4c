//! What an empty store begins with: namespaces, the API's own service, roles and their bindings, priority classes.

use std::sync::LazyLock;

use jiff::Timestamp;
use kanon_core::GroupVersionKind;
use serde_json::{Value, json};

use super::roles;

/// Where the API server can be reached from inside, for the service `default/kubernetes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Cluster IP: an IPv4 or IPv6 address as text (upstream: the first of the service range, `10.96.0.1`).
    pub cluster_ip: String,
    /// Port on which the server listens.
    pub port: u16,
}

/// The objects, complete as they are stored, each with a fresh uid from `uid`: create those that are absent. In an order in which
/// what another needs comes first.
pub fn bootstrap(now: Timestamp, service: &Service, uid: &mut dyn FnMut() -> String) -> Vec<Value> {
    /// Those that are the same in every cluster, made once: servers that start one after another share them.
    static ALIKE: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let names = ["default", "kube-system", "kube-public", "kube-node-lease"];
        let classes = crate::pods::system_classes();
        names.into_iter().map(namespace).chain(roles::builtin()).chain(classes).map(completed).collect()
    });
    let mut objects = ALIKE.clone();
    objects.push(completed(api_service(service)));
    let now = kanon_core::rfc3339(now);
    for object in &mut objects {
        object["metadata"]["uid"] = uid().into();
        object["metadata"]["creationTimestamp"] = now.as_str().into();
    }
    objects
}

/// Fills in what a creation would.
fn completed(mut object: Value) -> Value {
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    let gvk = GroupVersionKind::from_api_version(text("apiVersion"), text("kind"));
    if let Some(kind) = kanon_kinds::by_kind(&gvk) {
        kanon_kinds::default(kind, &mut object);
    }
    object
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
}

fn api_service(service: &Service) -> Value {
    let family = if service.cluster_ip.contains(':') { "IPv6" } else { "IPv4" };
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"type": "ClusterIP", "clusterIP": service.cluster_ip, "clusterIPs": [service.cluster_ip],
            "ipFamilies": [family], "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": service.port}]},
        "status": {"loadBalancer": {}}})
}
