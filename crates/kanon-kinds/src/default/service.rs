//! What the server gave a service stays when an update leaves it out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Copies addresses and node ports that the new spec does not name, where both specs are of a type that has them.
pub(super) fn keep_given(object: &mut Value, old: &Value) {
    let kind = |service: &Value| service["spec"]["type"].as_str().unwrap_or("ClusterIP").to_owned();
    let (new_kind, old_kind) = (kind(object), kind(old));
    let Some(spec) = object.get_mut("spec").filter(|it| it.is_object()) else { return };
    let old = &old["spec"];
    let has_address = |kind: &str| kind != "ExternalName";
    if has_address(&new_kind) && has_address(&old_kind) {
        keep(spec, old, "clusterIP");
        if spec["clusterIP"] == old["clusterIP"] {
            keep(spec, old, "clusterIPs");
        }
    }
    let has_node_ports = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    if has_node_ports(&new_kind) && has_node_ports(&old_kind) {
        keep_ports(spec, old);
    }
}

fn keep(spec: &mut Value, old: &Value, member: &str) {
    let is_empty = |it: &Value| it.is_null() || it == "" || it.as_array().is_some_and(Vec::is_empty);
    if is_empty(&spec[member]) && !is_empty(&old[member]) {
        spec[member] = old[member].clone();
    } else if spec[member].is_null()
        && let Value::Object(members) = spec
    {
        members.remove(member);
    }
}

/// Ports are known by their names; a node port is given once.
fn keep_ports(spec: &mut Value, old: &Value) {
    let name = |port: &Value| port["name"].as_str().unwrap_or_default().to_owned();
    let number = |port: &Value| port["nodePort"].as_i64().filter(|it| *it != 0);
    let ports = |spec: &Value| spec["ports"].as_array().cloned().unwrap_or_default();
    let given: BTreeMap<String, i64> = ports(old).iter().filter_map(|it| Some((name(it), number(it)?))).collect();
    let mut used: BTreeSet<i64> = ports(spec).iter().filter_map(number).collect();
    for port in spec["ports"].as_array_mut().into_iter().flatten().filter(|it| it.is_object()) {
        let Some(was) = given.get(&name(port)).filter(|_| number(port).is_none()) else { continue };
        if used.insert(*was) {
            port["nodePort"] = (*was).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_and_node_ports_stay_when_they_are_not_named() {
        let check = |old: Value, new: Value, want: Value| {
            let mut object = json!({"spec": new});
            keep_given(&mut object, &json!({"spec": old}));
            assert_eq!(object["spec"], want);
        };
        let old = json!({"type": "NodePort", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
            "ports": [{"name": "a", "port": 1, "nodePort": 30001}, {"name": "b", "port": 2, "nodePort": 30002}]});
        check(
            old.clone(),
            json!({"type": "NodePort", "ports": [{"name": "b", "port": 3}, {"name": "c", "port": 4, "nodePort": 30001}, {"name": "a", "port": 5}]}),
            json!({"type": "NodePort", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [
                {"name": "b", "port": 3, "nodePort": 30002}, {"name": "c", "port": 4, "nodePort": 30001}, {"name": "a", "port": 5}]}),
        );
        check(old.clone(), json!({"type": "ExternalName"}), json!({"type": "ExternalName"}));
        check(
            old,
            json!({"clusterIP": "10.0.0.2", "ports": [{"name": "a"}]}),
            json!({"clusterIP": "10.0.0.2", "ports": [{"name": "a"}]}),
        );
        check(json!({}), json!({"ports": []}), json!({"ports": []}));
    }
}
