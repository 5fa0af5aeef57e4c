//! Nodes: those that a cluster begins with, what a kubelet says of its node, and its sign of life.

use jiff::Timestamp;
use kanon_store::Key;
use serde_json::{Value, json};

use crate::{
    Action, Actor, Intent, Kind,
    pods::fit::UNSCHEDULABLE,
    step::Step,
    value::{Condition, condition, later, list, rfc3339, set_condition, text, time},
};

/// Where leases of nodes are.
pub(crate) const LEASES: &str = "kube-node-lease";
/// How many nodes there are where nobody made one.
const COUNT: u8 = 3;
/// Seconds that a lease counts, and after which it is renewed: long ones, so that an idle cluster is idle.
const LEASE: (i64, i64) = (3600, 1200);
const VERSION: &str = "v1.32.0";
/// Room for pods.
const ROOM: &str = "16384";

/// The nodes of a cluster without any.
pub(crate) fn bootstrap(now: Timestamp) -> Vec<Intent> {
    let one = |number: u8| {
        let name = format!("node-{number}");
        let mut node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "annotations": {"kanon.dev/simulated": "true"}, "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            }},
            "spec": {"podCIDR": format!("10.244.{number}.0/24"), "podCIDRs": [format!("10.244.{number}.0/24")],
                "providerID": format!("kanon://{name}")},
        });
        node["status"] = status(&json!({}), &name, &format!("10.88.0.{number}"), now);
        let actor = Actor::Kubelet(name.clone());
        let item = Key::new(&Kind::Node.prefix(), "", &name);
        Intent { item, actor, action: Action::Create(Kind::Node, node), notes: Vec::new() }
    };
    (1..=COUNT).map(one).collect()
}

fn status(before: &Value, name: &str, address: &str, now: Timestamp) -> Value {
    let mut status = if before.is_object() { before.clone() } else { json!({}) };
    let now = rfc3339(now);
    let conditions = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ];
    for (kind, value, reason, message) in conditions {
        set_condition(&mut status, &Condition { kind, status: value, reason, message }, &["lastHeartbeatTime"], &now);
    }
    let room = json!({"cpu": "256", "memory": "1Ti", "ephemeral-storage": "1Ti", "pods": ROOM});
    for (member, value) in [
        ("capacity", room.clone()),
        ("allocatable", room),
        ("addresses", json!([{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}])),
        ("daemonEndpoints", json!({"kubeletEndpoint": {"Port": 10250}})),
        ("nodeInfo", info(name)),
    ] {
        let is_empty = match &status[member] {
            Value::Null => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(members) => members.is_empty() || members.values().all(|it| it == "" || it["Port"] == 0),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        if is_empty {
            status[member] = value;
        }
    }
    status
}

fn info(name: &str) -> Value {
    let id = crate::names::digits(&[name]);
    json!({"machineID": id, "systemUUID": id, "bootID": id, "kernelVersion": "simulated", "osImage": "simulated",
        "containerRuntimeVersion": "simulated://1", "kubeletVersion": VERSION, "kubeProxyVersion": "",
        "operatingSystem": "linux", "architecture": "amd64"})
}

pub(super) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    if item.deleting {
        return;
    }
    step.actor = Actor::Kubelet(item.name.clone());
    let value = item.value();
    if condition(&value["status"], "Ready").is_none() {
        // Somebody made the node; nobody else will say that it is there.
        let address = address(&item.name);
        let status = status(&value["status"], &item.name, &address, step.now);
        step.status(item, value, status);
        return step.event(item, "NodeReady", &format!("Node {} status is now: NodeReady", item.name));
    }
    taint(step, value);
    sign_of_life(step);
}

/// An address out of a name, for nodes that bring none.
fn address(name: &str) -> String {
    let sum = name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let [_, _, high, low] = sum.to_be_bytes();
    format!("10.89.{high}.{}", low.clamp(1, 254))
}

/// A cordoned node is tainted, and the taint goes with the cordon.
fn taint(step: &mut Step<'_>, mut node: Value) {
    let cordoned = node["spec"]["unschedulable"] == true;
    let tainted = list(&node["spec"]["taints"]).any(|it| it["key"] == UNSCHEDULABLE);
    if cordoned == tainted {
        return;
    }
    if !node["spec"]["taints"].is_array() {
        node["spec"]["taints"] = json!([]);
    }
    let now = step.stamp();
    if let Some(taints) = node["spec"]["taints"].as_array_mut() {
        if cordoned {
            taints.push(json!({"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": now}));
        } else {
            taints.retain(|it| it["key"] != UNSCHEDULABLE);
        }
    }
    step.actor = Actor::Controller { account: "node-controller", component: "node-controller" };
    step.update(Kind::Node, node);
    step.actor = Actor::Kubelet(step.item.name.clone());
    let what = if cordoned { "NodeNotSchedulable" } else { "NodeSchedulable" };
    step.event(step.item, what, &format!("Node {} status is now: {what}", step.item.name));
}

fn sign_of_life(step: &mut Step<'_>) {
    let item = step.item;
    let micro = step.now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    let (duration, renewal) = LEASE;
    let Some(lease) = step.cluster.get(Kind::Lease, LEASES, &item.name) else {
        let owner = json!({"apiVersion": "v1", "kind": "Node", "name": item.name, "uid": item.uid});
        let lease = json!({
            "metadata": {"name": item.name, "namespace": LEASES, "ownerReferences": [owner]},
            "spec": {"holderIdentity": item.name, "leaseDurationSeconds": duration, "renewTime": micro},
        });
        return step.create(Kind::Lease, lease);
    };
    let mut value = lease.value();
    let due = time(&value["spec"]["renewTime"]).map_or(step.now, |it| later(it, renewal));
    if step.now < due {
        return step.wake_at(due);
    }
    if text(&value["spec"]["holderIdentity"]) == item.name {
        value["spec"]["renewTime"] = micro.into();
        step.update(Kind::Lease, value);
    }
    step.wake_at(later(step.now, renewal));
}
