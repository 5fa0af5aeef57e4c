//! Pods, as far as the network sees them: real ones, and those that a workload's template would make.

use std::net::IpAddr;

use kanon_core::{GroupVersionKind, Keep, Labels, Node, Object, labels};

use crate::{model::Kinds, ports::Protocol};

/// A port that a container names or announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPort {
    /// Its name; empty where it has none.
    pub name: String,
    /// Its number in the pod.
    pub number: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name; of a template's pod, the workload's.
    pub name: String,
    /// `Pod`, or the workload's kind.
    pub kind: String,
    /// Its labels.
    pub labels: Labels,
    /// Whether it uses the node's network.
    pub host_network: bool,
    /// Whether it has ended (`Succeeded`, `Failed`): it has no network any more.
    pub ended: bool,
    /// Its addresses, where they are known.
    pub addresses: Vec<IpAddr>,
    /// Its node's addresses, where they are known.
    pub node_addresses: Vec<IpAddr>,
    /// Its node's name; empty before it has one.
    pub node: String,
    /// Ports of its containers, in order.
    pub ports: Vec<NamedPort>,
}

impl Pod {
    /// Reads a Pod, or the template of a workload; `None` for other kinds.
    pub fn of(kind: &GroupVersionKind, object: &Object) -> Option<Pod> {
        let path = pod_template(kind)?;
        let template = object.at(path)?;
        let is_pod = kind.kind == "Pod";
        let spec = template.get("spec")?;
        let text = |node: Option<Node<'_>>| node.and_then(Node::as_str).unwrap_or_default().into_owned();
        let metadata = |name: &str| text(object.at(&["metadata", name]));
        let status = |name: &str| if is_pod { object.at(&["status", name]) } else { None };
        let phase = text(status("phase"));
        Some(Pod {
            namespace: metadata("namespace"),
            name: metadata("name"),
            kind: kind.kind.clone(),
            labels: labels(template.at(&["metadata", "labels"])),
            host_network: spec.get("hostNetwork").and_then(Node::as_bool) == Some(true),
            ended: phase == "Succeeded" || phase == "Failed",
            addresses: addresses(status("podIP"), status("podIPs")),
            node_addresses: addresses(status("hostIP"), status("hostIPs")),
            node: text(spec.get("nodeName")),
            ports: ports(spec),
        })
    }

    /// Whether policies protect it: it has a network of its own.
    pub fn is_protected(&self) -> bool {
        !self.host_network && !self.ended
    }

    /// The number behind a port's name, as Kubernetes finds it: the first container's that has it.
    pub fn port_named(&self, name: &str, protocol: Protocol) -> Option<u16> {
        self.ports.iter().find(|it| it.name == name && it.protocol == protocol).map(|it| it.number)
    }

    /// `Pod`s by their name, workloads as `deployment/web`.
    pub fn key(&self) -> String {
        if self.kind == "Pod" { self.name.clone() } else { format!("{}/{}", self.kind.to_lowercase(), self.name) }
    }
}

/// What the model reads of the objects of a kind: of a Pod what [`Pod::of`] does, of a workload its template, of the kinds that
/// only the model is about everything.
pub fn keep(kind: &GroupVersionKind) -> Keep {
    const OF_POD: [&[&str]; 9] = [
        &["spec", "containers"],
        &["spec", "hostNetwork"],
        &["spec", "initContainers"],
        &["spec", "nodeName"],
        &["status", "hostIP"],
        &["status", "hostIPs"],
        &["status", "phase"],
        &["status", "podIP"],
        &["status", "podIPs"],
    ];
    match pod_template(kind) {
        Some([]) => Keep::paths(OF_POD),
        Some(template) => Keep::paths([template]),
        None if [Kinds::namespace().gvk, Kinds::policy().gvk].contains(kind) => Keep::All,
        None => Keep::default(),
    }
}

/// Where metadata and spec of a kind's pods stand; `None` for kinds that have none.
pub fn pod_template(kind: &GroupVersionKind) -> Option<&'static [&'static str]> {
    match (kind.group.as_str(), kind.version.as_str(), kind.kind.as_str()) {
        ("", "v1", "Pod") => Some(&[]),
        ("", "v1", "ReplicationController")
        | ("apps", "v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "v1", "Job") => Some(&["spec", "template"]),
        ("batch", "v1", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template"]),
        _ => None,
    }
}

fn addresses(one: Option<Node<'_>>, many: Option<Node<'_>>) -> Vec<IpAddr> {
    let parse = |node: Node<'_>| node.as_str().and_then(|it| it.parse::<IpAddr>().ok());
    let mut found: Vec<_> = one.and_then(parse).into_iter().collect();
    for it in many.into_iter().flat_map(Node::elements) {
        if let Some(address) = it.get("ip").and_then(parse)
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// Ports of containers, then of sidecars, which serve as well.
fn ports(spec: Node<'_>) -> Vec<NamedPort> {
    let is_sidecar = |it: &Node<'_>| it.get("restartPolicy").and_then(Node::as_plain_str) == Some("Always");
    let containers = spec.get("containers").into_iter().flat_map(Node::elements);
    let sidecars = spec.get("initContainers").into_iter().flat_map(Node::elements).filter(is_sidecar);
    let ports = containers.chain(sidecars).flat_map(|it| it.get("ports").into_iter().flat_map(Node::elements));
    let read = |it: Node<'_>| {
        let number = it.get("containerPort").and_then(Node::as_i64).and_then(|it| u16::try_from(it).ok())?;
        let name = it.get("name").and_then(Node::as_str).unwrap_or_default().into_owned();
        Some(NamedPort { name, number, protocol: Protocol::of(it).ok()? })
    };
    ports.filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_what_is_kept_a_pod_is_what_it_is() {
        let spec = json!({"hostNetwork": true, "nodeName": "n", "volumes": [{"name": "v"}], "containers": [{"name": "c",
            "ports": [{"containerPort": 80, "name": "http"}]}], "initContainers": [{"name": "s", "restartPolicy": "Always",
            "ports": [{"containerPort": 81}]}]});
        let labels = json!({"name": "a", "namespace": "b", "labels": {"c": "d"}});
        let status = json!({"phase": "Failed", "podIP": "10.0.0.1", "podIPs": [{"ip": "fd00::1"}], "hostIP": "10.0.1.1",
            "hostIPs": [{"ip": "fd00::2"}], "conditions": [{"type": "Ready"}]});
        for (kind, object) in [
            ("Pod", json!({"metadata": labels, "spec": spec, "status": status})),
            (
                "ReplicationController",
                json!({"metadata": labels, "spec": {"replicas": 1,
                "template": {"metadata": labels, "spec": spec}}, "status": status}),
            ),
        ] {
            let (kind, object) = (GroupVersionKind::new("", "v1", kind), Object::from_value(&object));
            let kept = object.keep(&keep(&kind));
            assert!(kept.is_cut(), "{kind}");
            let pod = Pod::of(&kind, &object).unwrap();
            assert_eq!((pod.ports.len(), pod.host_network), (2, true));
            assert_eq!(Pod::of(&kind, &kept), Some(pod), "{kind}");
        }
    }
}
