//! Rows of services, endpoints and ingresses.

use kanon_core::Node;
use serde_json::Value;

use super::{NONE, Row, UNSET, first, int, joined, or_none, text};

/// Hosts, ports and addresses shown before `+ N more...`.
const SHOWN: usize = 3;

pub(super) fn service(row: Row<'_>) -> Vec<Value> {
    let address = row.list(&["spec", "clusterIPs"]).next().map(|it| text(it, &[]));
    let address = address.unwrap_or_else(|| row.text(&["spec", "clusterIP"]));
    vec![
        row.name(),
        row.text(&["spec", "type"]).into(),
        or_none(address),
        external(row).into(),
        or_none(joined(row.list(&["spec", "ports"]).map(service_port), ",")),
        row.age(),
        super::super::labels(row.node(&["spec", "selector"])),
    ]
}

fn external(row: Row<'_>) -> String {
    let listed = joined(row.list(&["spec", "externalIPs"]).map(|it| text(it, &[])), ",");
    match row.text(&["spec", "type"]).as_str() {
        "ExternalName" => row.text(&["spec", "externalName"]),
        "LoadBalancer" => {
            let given = addresses(row);
            match (given.is_empty(), listed.is_empty()) {
                (false, false) => format!("{given},{listed}"),
                (false, true) => given,
                (true, false) => listed,
                (true, true) => "<pending>".to_owned(),
            }
        }
        "ClusterIP" | "NodePort" | "" if listed.is_empty() => NONE.to_owned(),
        "ClusterIP" | "NodePort" | "" => listed,
        _ => super::super::UNKNOWN.to_owned(),
    }
}

/// What a load balancer has given.
fn addresses(row: Row<'_>) -> String {
    let address = |it: Node<'_>| {
        let ip = text(it, &["ip"]);
        if ip.is_empty() { text(it, &["hostname"]) } else { ip }
    };
    joined(row.list(&["status", "loadBalancer", "ingress"]).map(address).filter(|it| !it.is_empty()), ",")
}

fn service_port(port: Node<'_>) -> String {
    let protocol = text(port, &["protocol"]);
    match int(port, &["nodePort"]) {
        0 => format!("{}/{protocol}", int(port, &["port"])),
        node => format!("{}:{node}/{protocol}", int(port, &["port"])),
    }
}

pub(super) fn endpoints(row: Row<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in row.list(&["subsets"]) {
        let ports: Vec<i64> = super::super::list(subset, &["ports"]).map(|it| int(it, &["port"])).collect();
        let hosts = || super::super::list(subset, &["addresses"]).map(|it| text(it, &["ip"]));
        if ports.is_empty() {
            all.extend(hosts());
        }
        for port in ports {
            all.extend(hosts().map(|it| format!("{}:{port}", bracketed(&it))));
        }
    }
    vec![row.name(), or_none(first(&all, SHOWN)), row.age()]
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

pub(super) fn endpoint_slice(row: Row<'_>) -> Vec<Value> {
    let ports: Vec<String> = row
        .list(&["ports"])
        .map(|it| match (int(it, &["port"]), text(it, &["name"])) {
            (0, name) if name.is_empty() => "*".to_owned(),
            (0, name) => name,
            (port, _) => port.to_string(),
        })
        .collect();
    let hosts: Vec<String> = row
        .list(&["endpoints"])
        .flat_map(|it| super::super::list(it, &["addresses"]))
        .map(|it| text(it, &[]))
        .collect();
    let or_unset = |all: &[String]| -> Value { if all.is_empty() { UNSET.into() } else { first(all, SHOWN).into() } };
    vec![row.name(), row.text(&["addressType"]).into(), or_unset(&ports), or_unset(&hosts), row.age()]
}

pub(super) fn ingress(row: Row<'_>) -> Vec<Value> {
    let hosts: Vec<String> =
        row.list(&["spec", "rules"]).map(|it| text(it, &["host"])).filter(|it| !it.is_empty()).collect();
    let hosts = if hosts.is_empty() { "*".to_owned() } else { first(&hosts, SHOWN) };
    let ports = if row.list(&["spec", "tls"]).next().is_some() { "80, 443" } else { "80" };
    let class = or_none(row.text(&["spec", "ingressClassName"]));
    vec![row.name(), class, hosts.into(), addresses(row).into(), ports.into(), row.age()]
}

pub(super) fn ingress_class(row: Row<'_>) -> Vec<Value> {
    let parameters = row.node(&["spec", "parameters"]).map(|it| {
        let group = text(it, &["apiGroup"]);
        let kind = text(it, &["kind"]);
        let kind = if group.is_empty() { kind } else { format!("{kind}.{group}") };
        format!("{kind}/{}", text(it, &["name"]))
    });
    vec![row.name(), row.text(&["spec", "controller"]).into(), or_none(parameters.unwrap_or_default()), row.age()]
}
