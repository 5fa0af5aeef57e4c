//! Services on servers with ranges of their own; what is refused in the default range is in the scenarios.

use http::Method;
use kanon_apiserver::Place;
use serde_json::{Value, json};

use crate::world::World;

const SERVICES: &str = "/api/v1/namespaces/default/services";

async fn start(folder: &std::path::Path, addresses: &str, ports: &str) -> World {
    let place = Place::Folder(folder.to_owned());
    World::start_with(|config| {
        config.place = place;
        config.service_addresses = addresses.parse().expect("ranges");
        config.service_node_ports = ports.parse().expect("a range");
    })
    .await
}

fn service(name: &str, spec: &Value) -> Value {
    let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec});
    service["spec"]["ports"] = json!([{"port": 80}]);
    service
}

#[tokio::test]
async fn both_families_last_over_a_restart_with_other_ranges() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = start(folder.path(), "fd00:10::/112,10.5.0.0/24", "31000-31000").await;
    let (_, api) = world.get(&format!("{SERVICES}/kubernetes")).await;
    assert_eq!((&api["spec"]["clusterIP"], &api["spec"]["ipFamilies"]), (&json!("fd00:10::1"), &json!(["IPv6"])));
    let spec = json!({"type": "NodePort", "ipFamilyPolicy": "RequireDualStack"});
    let (code, web) = world.post(SERVICES, &service("web", &spec)).await;
    assert_eq!((code, &web["spec"]["ipFamilies"]), (201, &json!(["IPv6", "IPv4"])), "{web}");
    assert_eq!(web["spec"]["ports"][0]["nodePort"], 31_000);
    let (code, full) = world.post(SERVICES, &service("full", &json!({"type": "NodePort"}))).await;
    assert_eq!(code, 500, "{full}");
    assert_eq!(full["message"], "Internal error occurred: failed to allocate a nodePort: range is full");
    world.server.stop().await;

    let world = start(folder.path(), "10.5.0.0/24", "31000-31001").await;
    let (_, kept) = world.get(&format!("{SERVICES}/web")).await;
    assert_eq!(kept, web);
    let second = web["spec"]["clusterIPs"][1].clone();
    let (code, taken) =
        world.post(SERVICES, &service("other", &json!({"clusterIP": second, "clusterIPs": [second]}))).await;
    assert_eq!(code, 422, "{taken}");
    let (code, other) = world.post(SERVICES, &service("other", &json!({"type": "NodePort"}))).await;
    assert_eq!((code, &other["spec"]["ports"][0]["nodePort"]), (201, &json!(31_001)), "{other}");
    assert_eq!(world.ask(Method::DELETE, &format!("{SERVICES}/web"), "", "").await.0, 200);
    let (code, free) =
        world.post(SERVICES, &service("free", &json!({"clusterIP": second, "clusterIPs": [second]}))).await;
    assert_eq!(code, 201, "{free}");
    world.server.stop().await;
}
