//! The linked members of a service: what the server gave it stays when an update leaves it out, addresses are told twice, and what
//! another type has no use for goes with the type.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// What an update means: given values where the new spec does not name them, addresses in step, and nothing of the old type.
pub(super) fn prepare_update(object: &mut Value, old: &Value) {
    keep_given(object, old);
    align_with(object, old);
    drop_unused(object, old);
}

/// `clusterIPs` of a client that knows only `clusterIP`.
pub(super) fn align(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let address = spec.get("clusterIP").and_then(Value::as_str).unwrap_or_default();
    if !address.is_empty() && is_empty(spec.get("clusterIPs")) {
        spec.insert("clusterIPs".to_owned(), json!([address]));
    }
}

/// The same for an update: what was changed leads.
fn align_with(object: &mut Value, old: &Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let old = &old["spec"];
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let (new_address, old_address) = (text(spec.get("clusterIP")), text(old.get("clusterIP")));
    if is_empty(spec.get("clusterIPs")) && !is_empty(old.get("clusterIPs")) && new_address == old_address {
        spec.insert("clusterIPs".to_owned(), old["clusterIPs"].clone());
    }
    if new_address == old_address || !same(spec, old, "clusterIPs") {
        return;
    }
    if new_address.is_empty() {
        spec.remove("clusterIPs");
    } else {
        spec.insert("clusterIPs".to_owned(), json!([new_address]));
    }
}

/// Takes away what the new type does not use and nobody changed.
fn drop_unused(object: &mut Value, old: &Value) {
    let loses = |has: &dyn Fn(&Value) -> bool, object: &Value| has(old) && !has(object);
    let loses_address = loses(&has_address, object);
    let loses_node_ports = loses(&has_node_ports, object);
    let loses_health_port = loses(&has_health_port, object);
    let loses_outside = loses(&is_reached, object);
    let loses_balancer = loses(&|it| kind(it) == "LoadBalancer", object);
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let old = &old["spec"];
    let mut drop_same = |members: &[&str]| {
        if members.iter().all(|it| same(spec, old, it)) {
            members.iter().for_each(|it| drop(spec.remove(*it)));
        }
    };
    if loses_address {
        drop_same(&["clusterIP", "clusterIPs"]);
        drop_same(&["ipFamilies"]);
        drop_same(&["ipFamilyPolicy"]);
    }
    if loses_health_port {
        drop_same(&["healthCheckNodePort"]);
    }
    if loses_balancer {
        drop_same(&["allocateLoadBalancerNodePorts"]);
        drop_same(&["loadBalancerClass"]);
    }
    if loses_outside {
        drop_same(&["externalTrafficPolicy"]);
    }
    if loses_node_ports {
        let numbers = |ports: &Value| -> Vec<Value> {
            ports.as_array().into_iter().flatten().map(|it| it["nodePort"].clone()).collect()
        };
        if let Some(ports) = spec.get_mut("ports").filter(|it| numbers(it) == numbers(&old["ports"])) {
            for port in ports.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
                port.remove("nodePort");
            }
        }
    }
}

fn same(spec: &Map<String, Value>, old: &Value, member: &str) -> bool {
    spec.get(member) == old.get(member) || (is_empty(spec.get(member)) && is_empty(old.get(member)))
}

fn is_empty(value: Option<&Value>) -> bool {
    value.is_none_or(|it| it.is_null() || it == "" || it.as_array().is_some_and(Vec::is_empty))
}

fn kind(service: &Value) -> &str {
    service["spec"]["type"].as_str().unwrap_or("ClusterIP")
}

fn has_address(service: &Value) -> bool {
    kind(service) != "ExternalName"
}

fn has_node_ports(service: &Value) -> bool {
    matches!(kind(service), "NodePort" | "LoadBalancer")
}

/// From outside of the cluster.
fn is_reached(service: &Value) -> bool {
    has_node_ports(service) || (kind(service) == "ClusterIP" && !is_empty(service["spec"].get("externalIPs")))
}

fn has_health_port(service: &Value) -> bool {
    kind(service) == "LoadBalancer" && service["spec"]["externalTrafficPolicy"] == "Local"
}

/// Copies addresses and node ports that the new spec does not name, where both specs are of a type that has them.
fn keep_given(object: &mut Value, old: &Value) {
    let both = |has: fn(&Value) -> bool, object: &Value| has(object) && has(old);
    let keeps_address = both(has_address, object);
    let keeps_node_ports = both(has_node_ports, object);
    let keeps_health_port = both(has_health_port, object);
    let Some(spec) = object.get_mut("spec").filter(|it| it.is_object()) else { return };
    let old = &old["spec"];
    if keeps_address {
        keep(spec, old, "clusterIP");
        keep(spec, old, "clusterIPs");
    }
    if keeps_node_ports {
        keep_ports(spec, old);
    }
    if keeps_health_port && spec["healthCheckNodePort"].as_i64().unwrap_or_default() == 0 {
        keep(spec, old, "healthCheckNodePort");
    }
}

fn keep(spec: &mut Value, old: &Value, member: &str) {
    if is_empty(spec.get(member)) && !is_empty(old.get(member)) {
        spec[member] = old[member].clone();
    } else if spec.get(member).is_some_and(Value::is_null)
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
            json!({"clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.1"], "ports": [{"name": "a"}]}),
        );
        check(json!({}), json!({"ports": []}), json!({"ports": []}));
    }

    #[test]
    fn another_type_loses_what_it_has_no_use_for() {
        let check = |old: Value, new: Value, want: Value| {
            let mut object = json!({"spec": new});
            prepare_update(&mut object, &json!({"spec": old}));
            assert_eq!(object["spec"], want);
        };
        let balancer = json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30009,
            "allocateLoadBalancerNodePorts": true, "loadBalancerClass": "a/b", "ports": [{"port": 1, "nodePort": 30001}]});
        let mut plain = balancer.clone();
        plain["type"] = json!("ClusterIP");
        check(
            balancer.clone(),
            plain.clone(),
            json!({"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack", "ports": [{"port": 1}]}),
        );
        plain["type"] = json!("ExternalName");
        check(balancer.clone(), plain.clone(), json!({"type": "ExternalName", "ports": [{"port": 1}]}));
        // What the client changed is the client's mistake, and is judged.
        plain["clusterIPs"] = json!(["10.0.0.2"]);
        plain["ports"] = json!([{"port": 1, "nodePort": 30002}]);
        check(
            balancer,
            plain,
            json!({"type": "ExternalName", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"], "ports": [{"port": 1, "nodePort": 30002}]}),
        );
    }

    #[test]
    fn both_forms_of_the_address_are_in_step() {
        let check = |old: Value, new: Value, want: Value| {
            let mut object = json!({"spec": new});
            match old {
                Value::Null => align(&mut object),
                old => prepare_update(&mut object, &json!({"spec": old})),
            }
            assert_eq!(object["spec"], want);
        };
        let one = json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]});
        check(Value::Null, json!({"clusterIP": "None"}), json!({"clusterIP": "None", "clusterIPs": ["None"]}));
        check(Value::Null, json!({"clusterIPs": ["10.0.0.1"]}), json!({"clusterIPs": ["10.0.0.1"]}));
        check(one.clone(), json!({}), one.clone());
        check(
            one.clone(),
            json!({"clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.1"]}),
            json!({"clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.2"]}),
        );
        check(one, json!({"clusterIP": "10.0.0.2"}), json!({"clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.2"]}));
    }
}
