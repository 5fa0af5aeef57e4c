//! Services: which pods stand behind them, in both forms.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::{
    Actor, Kind,
    cluster::Known,
    names,
    step::{Step, controlled_by},
    value::{int, list, text},
};

/// The label of a slice that names its service.
pub(crate) const SERVICE_LABEL: &str = "kubernetes.io/service-name";
const SLICE_MANAGER: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpoints.kubernetes.io/managed-by";
const HEADLESS: &str = "service.kubernetes.io/headless";
/// Endpoints in a slice, and addresses in the old form.
const PER_SLICE: usize = 100;
const ADDRESSES: usize = 1000;

/// One pod behind a service.
struct Backend {
    known: Arc<Known>,
    ip: String,
    node: String,
    ready: bool,
    hostname: String,
}

/// Pods that answer at the same ports.
struct Group {
    ports: Vec<Value>,
    backends: Vec<Backend>,
}

pub(super) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    let value = item.value();
    let Some(selector) = item.selector.as_ref().filter(|_| value["spec"]["type"] != "ExternalName") else { return };
    if item.deleting {
        return;
    }
    let pods: Vec<Arc<Known>> = step.cluster.selected(&item.namespace, selector).into_iter().cloned().collect();
    let groups = group(&value, pods);
    step.actor = Actor::Controller { account: "endpoint-controller", component: "endpoint-controller" };
    endpoints(step, &value, &groups);
    step.actor = Actor::Controller { account: "endpointslice-controller", component: "endpoint-slice-controller" };
    slices(step, &value, &groups);
}

/// Endpoints of a service that is gone go too.
pub(super) fn forget(step: &mut Step<'_>) {
    let item = step.item;
    let ours = item.labels.get(MANAGER).is_some_and(|it| it == "endpoint-controller");
    if ours && !item.deleting && step.cluster.get(Kind::Service, &item.namespace, &item.name).is_none() {
        step.actor = Actor::Controller { account: "endpoint-controller", component: "endpoint-controller" };
        step.delete(item, None);
    }
}

fn group(service: &Value, mut pods: Vec<Arc<Known>>) -> Vec<Group> {
    let spec = &service["spec"];
    let publish_all = spec["publishNotReadyAddresses"] == true;
    let named = list(&spec["ports"]).any(|it| it["targetPort"].is_string());
    let subdomain = text(&service["metadata"]["name"]);
    pods.sort_by(|a, b| (&a.created, &a.name).cmp(&(&b.created, &b.name)));
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for known in pods {
        let Some(pod) = known.pod.as_ref().filter(|it| !it.ip.is_empty() && !it.is_over()) else { continue };
        let containers = if named {
            known.object.at(&["spec", "containers"]).map(|it| it.to_value()).unwrap_or_default()
        } else {
            Value::Null
        };
        let ports: Vec<Value> = list(&spec["ports"]).filter_map(|it| port(it, &containers)).collect();
        let own_name = known.object.str_at(&["spec", "subdomain"]) == subdomain;
        let hostname = if own_name { known.object.str_at(&["spec", "hostname"]).to_owned() } else { String::new() };
        let backend = Backend {
            ip: pod.ip.clone(),
            node: pod.node.clone(),
            ready: pod.ready.is_some() || publish_all,
            hostname,
            known: Arc::clone(&known),
        };
        let key = json!(ports).to_string();
        groups.entry(key).or_insert_with(|| Group { ports, backends: Vec::new() }).backends.push(backend);
    }
    groups.into_values().collect()
}

/// A service's port as a pod has it; none where the pod has no port of that name.
fn port(port: &Value, containers: &Value) -> Option<Value> {
    let target = &port["targetPort"];
    let protocol = if text(&port["protocol"]).is_empty() { "TCP" } else { text(&port["protocol"]) };
    let number = match target {
        Value::String(name) => {
            let mut all = list(containers).flat_map(|it| list(&it["ports"]));
            int(&all.find(|it| it["name"] == name.as_str() && it["protocol"] == protocol)?["containerPort"])
        }
        _ if int(target) != 0 => int(target),
        _ => int(&port["port"]),
    };
    let mut out = json!({"name": text(&port["name"]), "port": number, "protocol": protocol});
    if let Some(app) = port["appProtocol"].as_str() {
        out["appProtocol"] = app.into();
    }
    Some(out)
}

fn reference(backend: &Backend) -> Value {
    let known = &backend.known;
    json!({"kind": "Pod", "namespace": known.namespace, "name": known.name, "uid": known.uid})
}

fn endpoints(step: &mut Step<'_>, service: &Value, groups: &[Group]) {
    let item = step.item;
    let subset = |group: &Group| {
        let pick = |ready: bool| -> Vec<Value> {
            let live = group.backends.iter().filter(|it| it.ready == ready && !it.known.deleting);
            let address = |it: &Backend| {
                let mut address = json!({"ip": it.ip, "nodeName": it.node, "targetRef": reference(it)});
                if !it.hostname.is_empty() {
                    address["hostname"] = it.hostname.as_str().into();
                }
                address
            };
            live.take(ADDRESSES).map(address).collect()
        };
        let (ready, not_ready) = (pick(true), pick(false));
        if ready.is_empty() && not_ready.is_empty() {
            return None;
        }
        let mut subset = json!({});
        for (name, list) in [("addresses", ready), ("notReadyAddresses", not_ready)] {
            if !list.is_empty() {
                subset[name] = json!(list);
            }
        }
        let ports: Vec<Value> = group.ports.iter().map(named_if).collect();
        if !ports.is_empty() {
            subset["ports"] = json!(ports);
        }
        Some(subset)
    };
    let subsets: Vec<Value> = groups.iter().filter_map(subset).collect();
    let mut labels = service["metadata"]["labels"].clone();
    labels[MANAGER] = "endpoint-controller".into();
    if text(&service["spec"]["clusterIP"]) == "None" {
        labels[HEADLESS] = "".into();
    }
    let known = step.cluster.get(Kind::Endpoints, &item.namespace, &item.name).cloned();
    let Some(known) = known else {
        let mut object = json!({"metadata": {"name": item.name, "namespace": item.namespace, "labels": labels}});
        if !subsets.is_empty() {
            object["subsets"] = json!(subsets);
        }
        return step.create(Kind::Endpoints, object);
    };
    let mut value = known.value();
    let before = value.clone();
    value["metadata"]["labels"] = labels;
    if subsets.is_empty() {
        crate::value::unset(&mut value, "subsets");
    } else {
        value["subsets"] = json!(subsets);
    }
    if value != before && !known.deleting {
        step.update(Kind::Endpoints, value);
    }
}

/// The old form leaves an empty name out.
fn named_if(port: &Value) -> Value {
    let mut port = port.clone();
    if text(&port["name"]).is_empty() {
        crate::value::unset(&mut port, "name");
    }
    port
}

fn slices(step: &mut Step<'_>, service: &Value, groups: &[Group]) {
    let item = step.item;
    let mut labels = service["metadata"]["labels"].clone();
    labels[SERVICE_LABEL] = item.name.as_str().into();
    labels[SLICE_MANAGER] = "endpointslice-controller.k8s.io".into();
    if text(&service["spec"]["clusterIP"]) == "None" {
        labels[HEADLESS] = "".into();
    }
    let mut wanted: BTreeMap<String, Value> = BTreeMap::new();
    let empty = Group { ports: Vec::new(), backends: Vec::new() };
    let all: Vec<&Group> = if groups.is_empty() { vec![&empty] } else { groups.iter().collect() };
    for (group_at, group) in all.into_iter().enumerate() {
        // A service without pods still has a slice.
        let chunks = group.backends.len().div_ceil(PER_SLICE).max(1);
        for chunk in 0..chunks {
            let end = group.backends.len().min((chunk + 1) * PER_SLICE);
            let some = group.backends.get(chunk * PER_SLICE..end).unwrap_or_default();
            let endpoints: Vec<Value> = some.iter().map(endpoint).collect();
            let (group_text, chunk_text) = (group_at.to_string(), chunk.to_string());
            let name = format!("{}-{}", item.name, names::suffix(&[&item.uid, &group_text, &chunk_text]));
            let slice = json!({
                "metadata": {"name": name, "generateName": format!("{}-", item.name), "namespace": item.namespace,
                    "labels": labels, "ownerReferences": [controlled_by(item)]},
                "addressType": "IPv4",
                "endpoints": endpoints,
                "ports": group.ports,
            });
            wanted.insert(name, slice);
        }
    }
    let children: Vec<Arc<Known>> = step.cluster.children(&item.uid, Kind::EndpointSlice).cloned().collect();
    for known in children {
        let Some(slice) = wanted.remove(&known.name) else {
            step.delete(&known, None);
            continue;
        };
        let mut value = known.value();
        let before = value.clone();
        for member in ["endpoints", "ports"] {
            value[member] = slice[member].clone();
        }
        value["metadata"]["labels"] = slice["metadata"]["labels"].clone();
        if value != before && !known.deleting {
            step.update(Kind::EndpointSlice, value);
        }
    }
    for slice in wanted.into_values() {
        step.create(Kind::EndpointSlice, slice);
    }
}

fn endpoint(backend: &Backend) -> Value {
    let leaving = backend.known.deleting;
    let mut endpoint = json!({
        "addresses": [backend.ip],
        "conditions": {"ready": backend.ready && !leaving, "serving": backend.ready, "terminating": leaving},
        "nodeName": backend.node,
        "targetRef": reference(backend),
    });
    if !backend.hostname.is_empty() {
        endpoint["hostname"] = backend.hostname.as_str().into();
    }
    endpoint
}
