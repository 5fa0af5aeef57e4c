//! What services get, are refused and give back, over a real store.

use std::collections::BTreeSet;

use super::*;
use crate::testing::Cluster;

const SERVICES: &str = "/api/v1/namespaces/shop/services";

/// A cluster with its allocator.
struct World {
    cluster: Cluster,
    allocator: Allocator,
}

impl World {
    fn new() -> World {
        World { cluster: Cluster::new(), allocator: Allocator::default() }
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
    let address: Ipv4Addr = one["clusterIP"].as_str().and_then(|it| it.parse().ok()).expect("an address");
    assert!(address.to_bits() >= FIRST_ADDRESS + RESERVED_ADDRESSES, "{address}");
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
        let mut pool = Pool::new(FIRST_PORT, PORTS, RESERVED_PORTS);
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
    world.allocator = Allocator::default();
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
