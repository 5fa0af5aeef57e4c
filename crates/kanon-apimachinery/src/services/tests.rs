//! What services get, are refused and give back, over a real store.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::testing::Cluster;

const SERVICES: &str = "/api/v1/namespaces/shop/services";

fn allocator(ranges: &str) -> Allocator {
    Allocator::new(&ranges.parse().expect("ranges"), NodePorts::default())
}

/// A cluster with its allocator.
struct World {
    cluster: Cluster,
    allocator: Allocator,
}

impl World {
    fn new() -> World {
        World::with("10.96.0.0/12")
    }

    /// With these ranges of addresses.
    fn with(ranges: &str) -> World {
        World { cluster: Cluster::new(), allocator: allocator(ranges) }
    }

    fn complete(&mut self, spec: &Value, old: Option<&Value>) -> std::result::Result<(Value, Claim), String> {
        let mut service = json!({"metadata": {"name": "web"}, "spec": spec});
        let memory = &self.cluster.memory;
        let claim = self.allocator.complete(memory, &mut service, old, "uid").map_err(|error| error.message)?;
        Ok((service["spec"].take(), claim))
    }

    /// What a spec becomes; it is not stored.
    fn try_out(&mut self, spec: &Value, old: Option<&Value>) -> std::result::Result<Value, String> {
        let (spec, claim) = self.complete(spec, old)?;
        self.allocator.release(claim);
        Ok(spec)
    }

    /// Stores a service under a name.
    fn store(&mut self, name: &str, spec: Value) -> Value {
        let (spec, claim) = self.complete(&spec, None).expect("completed");
        let body = json!({"metadata": {"name": name}, "spec": spec});
        let (code, stored) = self.cluster.post(SERVICES, &body);
        assert_eq!(code, 201, "{stored}");
        self.allocator.release(claim);
        stored
    }

    fn check(&mut self, spec: Value, want: Value) {
        let got = self.try_out(&spec, None);
        let Value::Object(want) = want else { panic!("members") };
        let got = got.unwrap_or_else(|it| panic!("{spec}: {it}"));
        for (member, value) in want {
            assert_eq!(got[&member], value, "{member} of {spec}");
        }
    }

    fn refuse(&mut self, spec: Value, want: &str) {
        let got = self.try_out(&spec, None).expect_err("refused");
        assert_eq!(got, format!("Service \"web\" is invalid: {want}"));
    }
}

fn ports() -> Value {
    json!([{"port": 80}])
}

#[test]
fn new_services_get_what_their_type_has() {
    let mut world = World::new();
    let one = world.try_out(&json!({"ports": ports()}), None).expect("given");
    let address: std::net::Ipv4Addr = one["clusterIP"].as_str().and_then(|it| it.parse().ok()).expect("an address");
    assert!(address >= std::net::Ipv4Addr::new(10, 96, 1, 1), "{address}");
    assert_eq!(one["clusterIPs"], json!([address.to_string()]));
    assert_eq!((&one["ipFamilies"], &one["ipFamilyPolicy"]), (&json!(["IPv4"]), &json!("SingleStack")));
    assert_eq!(one["ports"], ports());
    world.check(
        json!({"clusterIP": "None", "selector": {"a": "b"}}),
        json!({"clusterIPs": ["None"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}),
    );
    world.check(
        json!({"clusterIP": "None"}),
        json!({"clusterIPs": ["None"], "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}),
    );
    world.check(
        json!({"type": "ExternalName", "externalName": "a.b"}),
        json!({"clusterIP": null, "clusterIPs": null, "ipFamilies": null, "ipFamilyPolicy": null}),
    );
    world.check(json!({"clusterIP": "10.96.0.10"}), json!({"clusterIPs": ["10.96.0.10"], "ipFamilies": ["IPv4"]}));
    world.check(json!({"ipFamilyPolicy": "PreferDualStack"}), json!({"ipFamilies": ["IPv4"]}));
}

#[test]
fn node_ports_are_given_kept_and_shared_by_protocols() {
    let mut world = World::new();
    let spec = json!({"type": "NodePort", "ports": [{"name": "a", "port": 53, "protocol": "TCP"},
        {"name": "b", "port": 53, "protocol": "UDP"}, {"name": "c", "port": 80, "nodePort": 30080}, {"name": "d", "port": 81}]});
    let got = world.try_out(&spec, None).expect("given");
    let of = |index: usize| got["ports"][index]["nodePort"].as_i64().expect("a port");
    assert_eq!(of(0), of(1));
    assert_eq!(of(2), 30_080);
    assert!([of(0), of(3)].iter().all(|it| (30_086..=32_767).contains(it)) && of(0) != of(3), "{got}");
    let none = json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": [{"port": 80}, {"port": 81, "nodePort": 30001}]});
    let ports = world.try_out(&none, None).expect("given")["ports"].take();
    assert_eq!(ports, none["ports"]);
    let local = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 80}]});
    let got = world.try_out(&local, None).expect("given");
    assert!(got["healthCheckNodePort"].is_i64() && got["healthCheckNodePort"] != got["ports"][0]["nodePort"], "{got}");
}

#[test]
fn what_is_taken_or_out_of_range_is_refused() {
    let mut world = World::new();
    world
        .store("a", json!({"type": "NodePort", "clusterIP": "10.96.0.10", "ports": [{"port": 80, "nodePort": 30080}]}));
    world.refuse(
        json!({"clusterIP": "10.96.0.10", "ports": ports()}),
        "spec.clusterIPs: Invalid value: []string{\"10.96.0.10\"}: failed to allocate IP 10.96.0.10: provided IP is already allocated",
    );
    for address in ["10.96.0.0", "10.111.255.255", "1.2.3.4"] {
        world.refuse(
            json!({"clusterIP": address, "ports": ports()}),
            &format!(
                "spec.clusterIPs: Invalid value: []string{{\"{address}\"}}: failed to allocate IP {address}: the provided IP ({address}) is not in the valid range. The range of valid IPs is 10.96.0.0/12"
            ),
        );
    }
    world.refuse(
        json!({"type": "NodePort", "ports": [{"port": 1}, {"port": 80, "nodePort": 30080}]}),
        "spec.ports[1].nodePort: Invalid value: 30080: provided port is already allocated",
    );
    for port in [80, 29_999, 32_768, -1] {
        world.refuse(
            json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]}),
            &format!(
                "spec.ports[0].nodePort: Invalid value: {port}: provided port is not in the valid range. The range of valid ports is 30000-32767"
            ),
        );
    }
    let health = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30080, "ports": ports()});
    let problem = world.try_out(&health, None).expect_err("taken");
    assert!(
        problem
            .ends_with("failed to allocate requested HealthCheck NodePort 30080: provided port is already allocated")
    );
    // Nothing of what was refused is held.
    assert_eq!(world.allocator.ports, {
        let mut pool = NodePorts::default().pool();
        pool.take(30_080);
        pool
    });
}

#[test]
fn the_second_family_is_refused_as_on_a_cluster_with_one() {
    let mut world = World::new();
    world.refuse(
        json!({"ipFamilyPolicy": "RequireDualStack", "ports": ports()}),
        "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services",
    );
    world.refuse(
        json!({"ipFamilies": ["IPv6"], "ports": ports()}),
        "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster",
    );
    world.refuse(
        json!({"clusterIP": "fd00::1", "ports": ports()}),
        "spec.clusterIPs[0]: Invalid value: []string{\"fd00::1\"}: IPv6 is not configured on this cluster",
    );
    world.refuse(
        json!({"ipFamilies": ["IPv4", "IPv6"], "ports": ports()}),
        "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
    );
    world.refuse(
        json!({"clusterIP": "x"}),
        "spec.clusterIPs[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
    );
}

#[test]
fn with_both_families_services_have_what_their_policy_says() {
    let mut world = World::with("fd00::/112,10.0.0.0/24");
    let families = |both: bool| if both { json!(["IPv6", "IPv4"]) } else { json!(["IPv6"]) };
    for (policy, both) in [("SingleStack", false), ("PreferDualStack", true), ("RequireDualStack", true)] {
        let got = world.try_out(&json!({"ipFamilyPolicy": policy, "ports": ports()}), None).expect("given");
        assert_eq!(got["ipFamilies"], families(both), "{policy}");
        let given: Vec<&str> = got["clusterIPs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(given.len(), 1 + usize::from(both), "{got}");
        assert!(given[0].starts_with("fd00::") && given.get(1).is_none_or(|it| it.starts_with("10.0.0.")), "{got}");
        assert_eq!(got["clusterIP"], given[0]);
    }
    world.check(json!({"clusterIP": "10.0.0.9"}), json!({"clusterIPs": ["10.0.0.9"], "ipFamilies": ["IPv4"]}));
    world.check(
        json!({"clusterIPs": ["10.0.0.9", "fd00::9"], "clusterIP": "10.0.0.9", "ipFamilyPolicy": "PreferDualStack"}),
        json!({"clusterIPs": ["10.0.0.9", "fd00::9"], "ipFamilies": ["IPv4", "IPv6"]}),
    );
    world.check(
        json!({"ipFamilies": ["IPv4"], "ipFamilyPolicy": "RequireDualStack"}),
        json!({"ipFamilies": ["IPv4", "IPv6"]}),
    );
    world.check(
        json!({"clusterIP": "None", "selector": {"a": "b"}, "ipFamilyPolicy": "PreferDualStack"}),
        json!({"ipFamilies": families(true), "clusterIPs": ["None"]}),
    );
    world.refuse(
        json!({"clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9", "fd01::9"], "ipFamilyPolicy": "RequireDualStack"}),
        "spec.clusterIPs: Invalid value: []string{\"10.0.0.9\", \"fd01::9\"}: failed to allocate IP fd01::9: the provided IP (fd01::9) is not in the valid range. The range of valid IPs is fd00::/112",
    );
    // The first address of what was refused is free.
    world.check(json!({"clusterIP": "10.0.0.9"}), json!({"clusterIPs": ["10.0.0.9"]}));
}

#[test]
fn the_second_family_comes_and_goes_with_the_policy() {
    let mut world = World::with("10.0.0.0/24,fd00::/112");
    let one = world.store("web", json!({"ports": ports()}));
    let mut spec = one["spec"].clone();
    spec["ipFamilyPolicy"] = json!("RequireDualStack");
    let (both, claim) = world.complete(&spec, Some(&one)).expect("given");
    assert_eq!(both["clusterIPs"][0], one["spec"]["clusterIP"]);
    assert!(both["clusterIPs"][1].as_str().is_some_and(|it| it.starts_with("fd00::")), "{both}");
    assert_eq!(both["ipFamilies"], json!(["IPv4", "IPv6"]));
    let taken = both["clusterIPs"][1].clone();
    assert!(world.try_out(&json!({"clusterIP": taken, "clusterIPs": [taken], "ports": ports()}), None).is_err());
    world.allocator.release(claim);
    let old = json!({"metadata": {"name": "web"}, "spec": both});
    assert_eq!(world.try_out(&both, Some(&old)), Ok(both.clone()), "it stays");
    let mut single = both.clone();
    single["ipFamilyPolicy"] = json!("SingleStack");
    let got = world.try_out(&single, Some(&old)).expect("released");
    assert_eq!((&got["clusterIPs"], &got["ipFamilies"]), (&json!([one["spec"]["clusterIP"]]), &json!(["IPv4"])));
}

#[test]
fn a_range_is_full_when_all_is_given() {
    let mut world = World::with("10.0.0.0/29");
    for number in 0..6 {
        world.store(&format!("s{number}"), json!({"ports": ports()}));
    }
    let problem = world.try_out(&json!({"ports": ports()}), None).expect_err("full");
    assert!(problem.ends_with("failed to allocate a serviceIP: range is full"), "{problem}");
    assert_eq!(world.cluster.delete(&format!("{SERVICES}/s3"), "").0, 200);
    assert!(world.try_out(&json!({"ports": ports()}), None).is_ok());
}

#[test]
fn changed_services_keep_and_get_what_they_need() {
    let mut world = World::new();
    let old = world.store("web", json!({"ports": ports()}));
    let mut spec = old["spec"].clone();
    assert_eq!(world.try_out(&spec, Some(&old)), Ok(spec.clone()));
    spec["type"] = json!("NodePort");
    let got = world.try_out(&spec, Some(&old)).expect("given");
    assert_eq!(got["clusterIP"], old["spec"]["clusterIP"]);
    assert!(got["ports"][0]["nodePort"].is_i64());
    let external = world.store("far", json!({"type": "ExternalName", "externalName": "a.b"}));
    let got = world.try_out(&json!({"type": "ClusterIP", "ports": ports()}), Some(&external)).expect("given");
    assert!(got["clusterIP"].is_string() && got["ipFamilyPolicy"] == "SingleStack", "{got}");
    let from_before = json!({"metadata": {"name": "old"}, "spec": {"type": "ClusterIP", "ports": ports()}});
    let got = world.try_out(&from_before["spec"], Some(&from_before)).expect("given");
    assert!(got["clusterIP"].is_string(), "services that were stored without an address get one: {got}");
}

#[test]
fn what_goes_with_a_service_is_free_again_and_a_new_allocator_knows_all() {
    let mut world = World::new();
    let spec = json!({"type": "NodePort", "clusterIP": "10.96.0.10", "ports": [{"port": 80, "nodePort": 30080}]});
    world.store("a", spec.clone());
    assert!(world.try_out(&spec, None).is_err());
    world.allocator = allocator("10.96.0.0/12");
    assert!(world.try_out(&spec, None).is_err());
    assert_eq!(world.cluster.delete(&format!("{SERVICES}/a"), "").0, 200);
    let (_, claim) = world.complete(&spec, None).expect("free again");
    assert!(world.try_out(&spec, None).is_err(), "a write on its way holds it");
    world.allocator.release(claim);
    assert!(world.try_out(&spec, None).is_ok());
}

#[test]
fn many_services_never_share() {
    let mut world = World::new();
    let mut seen = BTreeSet::new();
    for number in 0..200 {
        let stored = world.store(&format!("s{number}"), json!({"type": "NodePort", "ports": ports()}));
        assert!(seen.insert(stored["spec"]["clusterIP"].to_string()));
        assert!(seen.insert(stored["spec"]["ports"][0]["nodePort"].to_string()));
    }
}
