//! Rows of all other kinds: cluster, network, access, configuration.

mod autoscaler;
mod event;
mod network;
mod node;
mod volume;

use kanon_core::Node;
use serde_json::Value;

use super::{NONE, Row, UNSET, int, joined, or_none, plain, text};
use crate::BuiltinKind;

pub(super) fn cells(kind: &BuiltinKind, row: Row<'_>) -> Vec<Value> {
    match kind.gvk.kind.as_str() {
        "Namespace" => vec![row.name(), row.text(&["status", "phase"]).into(), row.age()],
        "Node" => node::node(row),
        "ConfigMap" => vec![row.name(), (count(row, "data") + count(row, "binaryData")).into(), row.age()],
        "Secret" => vec![row.name(), row.text(&["type"]).into(), count(row, "data").into(), row.age()],
        "ServiceAccount" => vec![row.name(), row.list(&["secrets"]).count().into(), row.age()],
        "Event" => event::event(row),
        "ResourceQuota" => quota(row),
        "Service" => network::service(row),
        "Endpoints" => network::endpoints(row),
        "EndpointSlice" => network::endpoint_slice(row),
        "NetworkPolicy" => vec![row.name(), super::selector(row.node(&["spec", "podSelector"])), row.age()],
        "Ingress" => network::ingress(row),
        "IngressClass" => network::ingress_class(row),
        "PersistentVolume" => volume::volume(row),
        "PersistentVolumeClaim" => volume::claim(row),
        "StorageClass" => volume::class(row),
        "PodDisruptionBudget" => budget(row),
        "HorizontalPodAutoscaler" => autoscaler::autoscaler(row),
        "RoleBinding" | "ClusterRoleBinding" => binding(row),
        "Lease" => vec![row.name(), row.text(&["spec", "holderIdentity"]).into(), row.age()],
        "PriorityClass" => {
            let default = super::flag(row.root, &["globalDefault"]);
            vec![row.name(), row.int(&["value"]).into(), default.into(), row.age()]
        }
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            vec![row.name(), row.list(&["webhooks"]).count().into(), row.age()]
        }
        _ => vec![row.name(), row.text(&["metadata", "creationTimestamp"]).into()],
    }
}

fn count(row: Row<'_>, member: &str) -> usize {
    row.node(&[member]).map_or(0, Node::len)
}

/// The first few of many, and how many more there are.
fn first(all: &[String], most: usize) -> String {
    match all.len().checked_sub(most) {
        Some(more) if more > 0 => format!("{} + {more} more...", all[..most].join(",")),
        _ => all.join(","),
    }
}

fn quota(row: Row<'_>) -> Vec<Value> {
    let mut requests = Vec::new();
    let mut limits = Vec::new();
    let hard = row.node(&["status", "hard"]).or_else(|| row.node(&["spec", "hard"]));
    let mut hard: Vec<(String, String)> =
        hard.into_iter().flat_map(Node::members).map(|(name, amount)| (name.into_owned(), plain(amount))).collect();
    hard.sort();
    for (name, allowed) in hard {
        let used = row.node(&["status", "used", &name]).map_or_else(|| "0".to_owned(), plain);
        let part = format!("{name}: {used}/{allowed}");
        if name.starts_with("limits") { limits.push(part) } else { requests.push(part) }
    }
    vec![row.name(), row.age(), requests.join(", ").into(), limits.join(", ").into()]
}

fn budget(row: Row<'_>) -> Vec<Value> {
    let figure = |name: &str| row.node(&["spec", name]).map_or_else(|| "N/A".to_owned(), plain);
    vec![
        row.name(),
        figure("minAvailable").into(),
        figure("maxUnavailable").into(),
        row.int(&["status", "disruptionsAllowed"]).into(),
        row.age(),
    ]
}

fn binding(row: Row<'_>) -> Vec<Value> {
    let role = format!("{}/{}", row.text(&["roleRef", "kind"]), row.text(&["roleRef", "name"]));
    let of = |kind: &str| -> Value {
        let subjects = row.list(&["subjects"]).filter(|it| text(*it, &["kind"]) == kind);
        let names = subjects.map(|it| match (kind, text(it, &["namespace"])) {
            ("ServiceAccount", namespace) => format!("{namespace}/{}", text(it, &["name"])),
            _ => text(it, &["name"]),
        });
        joined(names, ", ").into()
    };
    vec![row.name(), role.into(), row.age(), of("User"), of("Group"), of("ServiceAccount")]
}
