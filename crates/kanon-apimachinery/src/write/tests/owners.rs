//! Who owns what after writes of every kind (spec/kubernetes-api.md 4.6).

use super::*;
use crate::{crd, resource::Registry};

/// `manager operation subresource version: fields`, one an entry.
fn owners(object: &Value) -> Vec<String> {
    let entries = kanon_schema::managers(object).expect("readable");
    entries
        .iter()
        .map(|it| {
            let (kind, part) = (it.operation.name(), if it.subresource.is_empty() { "-" } else { &it.subresource });
            format!("{} {kind} {part} {}: {}", it.manager, it.api_version, it.fields.paths().join(" "))
        })
        .collect()
}

fn apply(cluster: &mut Cluster, path: &str, manager: &str, body: &Value) -> Value {
    let (code, object) = cluster.apply(&format!("{path}?fieldManager={manager}&force=true"), body);
    assert!(code < 300, "{object}");
    object
}

#[test]
fn an_apply_owns_only_the_part_it_can_set() {
    let mut cluster = Cluster::new();
    let mut body = gate("a");
    body["status"] = json!({"phase": "Ready"});
    body["metadata"]["labels"] = json!({"l": "1"});
    let object = apply(&mut cluster, &at("a"), "one", &body);
    assert_eq!(object.get("status"), None);
    assert_eq!(owners(&object), ["one Apply - policy.example.io/v1: .metadata.labels.l .spec.expr"]);
    body["metadata"]["labels"] = json!({"l": "2"});
    body["spec"]["expr"] = json!("false");
    let object = apply(&mut cluster, &format!("{}/status", at("a")), "controller", &body);
    assert_eq!(
        (&object["status"], &object["spec"]["expr"], &object["metadata"]["labels"]),
        (&json!({"phase": "Ready"}), &json!("true"), &json!({"l": "1"}))
    );
    assert_eq!(
        owners(&object),
        [
            "controller Apply status policy.example.io/v1: .status.phase",
            "one Apply - policy.example.io/v1: .metadata.labels.l .spec.expr",
        ]
    );
    // Without status the manager of the object takes nothing from that of the status.
    let object = apply(&mut cluster, &at("a"), "one", &gate("a"));
    assert_eq!((&object["status"], object["metadata"].get("labels")), (&json!({"phase": "Ready"}), None));
}

#[test]
fn times_change_with_the_object() {
    let mut cluster = Cluster::new();
    let time = |object: &Value| object["metadata"]["managedFields"][0]["time"].clone();
    let first = apply(&mut cluster, &at("a"), "one", &gate("a"));
    cluster.advance(60);
    let again = apply(&mut cluster, &at("a"), "one", &gate("a"));
    assert_eq!(again, first, "version and times included");
    let mut body = gate("a");
    body["spec"]["weight"] = json!(5);
    let more = apply(&mut cluster, &at("a"), "one", &body);
    assert_eq!(time(&more), time(&first), "it owns more of an object that is as it was");
    assert_eq!(more["spec"], first["spec"]);
    let other = apply(&mut cluster, &at("a"), "two", &body);
    assert_eq!((&other["metadata"]["managedFields"][0]["manager"], time(&other)), (&json!("two"), Value::Null));
    body["spec"]["weight"] = json!(6);
    let changed = apply(&mut cluster, &at("a"), "one", &body);
    let entries = changed["metadata"]["managedFields"].as_array().expect("entries");
    let own = entries.iter().find(|it| it["manager"] == "one").expect("an entry");
    assert_ne!(own["time"], time(&first), "it changed the object");
}

#[test]
fn kubectl_hands_its_fields_over_by_a_json_patch() {
    let mut cluster = Cluster::new();
    let uri = format!("{GATES}?fieldManager=kubectl-client-side-apply");
    let (_, object) = cluster.post(&uri, &gate("a"));
    assert_eq!(
        owners(&object),
        ["kubectl-client-side-apply Update - policy.example.io/v1: .spec .spec.expr .spec.weight"]
    );
    // What kubectl does before its first server-side apply: the entry of the old manager becomes one of the new.
    let mut entry = object["metadata"]["managedFields"][0].clone();
    entry["manager"] = json!("kubectl");
    entry["operation"] = json!("Apply");
    let version = &object["metadata"]["resourceVersion"];
    let migration = json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": [entry]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
    ]);
    let (code, migrated) = cluster.ask("PATCH", &at("a"), "application/json-patch+json", &migration.to_string());
    assert_eq!(code, 200, "{migrated}");
    assert_eq!(owners(&migrated), ["kubectl Apply - policy.example.io/v1: .spec .spec.expr .spec.weight"]);
    let mut body = gate("a");
    body["spec"]["expr"] = json!("false");
    let applied = apply(&mut cluster, &at("a"), "kubectl", &body);
    assert_eq!(owners(&applied), ["kubectl Apply - policy.example.io/v1: .spec.expr"]);
    assert_eq!(applied["spec"], json!({"expr": "false", "weight": 5}), "what it let go is defaulted");
}

#[test]
fn entries_can_be_forgotten_but_not_through_a_subresource() {
    let mut cluster = Cluster::new();
    let object = apply(&mut cluster, &at("a"), "one", &gate("a"));
    let reset = json!({"metadata": {"managedFields": [{}]}});
    let (_, status) = cluster.merge(&format!("{}/status", at("a")), &reset);
    assert_eq!(owners(&status), owners(&object));
    let (_, forgotten) = cluster.merge(&at("a"), &reset);
    assert_eq!(forgotten["metadata"].get("managedFields"), None);
    let mut body = gate("a");
    body["spec"]["expr"] = json!("false");
    let (code, _) = cluster.apply(&format!("{}?fieldManager=two", at("a")), &body);
    assert_eq!(code, 200, "nobody owns it any more");
}

#[test]
fn scale_is_written_by_its_own_name() {
    let mut cluster = Cluster::new();
    cluster.post(DEPLOYMENTS, &deployment("web"));
    cluster.merge(&format!("{DEPLOYMENTS}/web/scale?fieldManager=hpa"), &json!({"spec": {"replicas": 4}}));
    let (_, object) = cluster.get(&format!("{DEPLOYMENTS}/web"));
    assert!(owners(&object).contains(&"hpa Update scale apps/v1: .spec.replicas".to_owned()), "{:?}", owners(&object));
}

#[test]
fn an_apply_of_scale_owns_the_replicas_and_meets_who_had_them() {
    let mut cluster = Cluster::new();
    let mut body = deployment("web");
    body["spec"]["replicas"] = json!(2);
    let uri = format!("{DEPLOYMENTS}/web");
    apply(&mut cluster, &uri, "one", &body);
    let scale =
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 5}});
    let (code, refused) = cluster.apply(&format!("{uri}/scale?fieldManager=hpa"), &scale);
    let text = r#"Apply failed with 1 conflict: conflict with "one": .spec.replicas"#;
    assert_eq!((code, refused["message"].as_str()), (409, Some(text)));
    let (code, shown) = cluster.apply(&format!("{uri}/scale?fieldManager=hpa&force=true"), &scale);
    assert_eq!((code, &shown["kind"], &shown["spec"]["replicas"]), (200, &json!("Scale"), &json!(5)));
    let (_, object) = cluster.get(&uri);
    assert!(owners(&object).contains(&"hpa Apply scale apps/v1: .spec.replicas".to_owned()), "{:?}", owners(&object));
    assert!(
        !owners(&object).iter().any(|it| it.starts_with("one") && it.contains(".spec.replicas")),
        "{:?}",
        owners(&object)
    );
    assert_eq!(cluster.apply(&format!("{uri}/scale"), &scale).0, 422, "an apply needs a manager");
}

#[test]
fn more_than_ten_writers_are_merged_from_the_oldest_on() {
    let mut cluster = Cluster::new();
    cluster.post(GATES, &gate("a"));
    let mut object = Value::Null;
    for number in 0..14 {
        cluster.advance(1);
        let uri = format!("{}?fieldManager=m{number:02}", at("a"));
        object = cluster.merge(&uri, &json!({"metadata": {"labels": {format!("l{number:02}"): "x"}}})).1;
    }
    let managers: Vec<String> =
        owners(&object).iter().map(|it| it.split(' ').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(managers.len(), 10, "{managers:?}");
    assert_eq!((managers[0].as_str(), managers[9].as_str()), ("ancient-changes", "m13"));
    assert!(owners(&object)[0].contains(".metadata.labels.l00 .metadata.labels.l01"), "{:?}", owners(&object));
}

/// The gates in two versions, the second with another schema.
fn two_versions(versions: &[&str]) -> Registry {
    let mut crd = crate::testing::established();
    let first = crd["spec"]["versions"][0].clone();
    let all = versions.iter().map(|name| {
        let mut version = first.clone();
        version["name"] = (*name).into();
        version["storage"] = (*name == "v1").into();
        version
    });
    crd["spec"]["versions"] = all.collect();
    Registry::builtin().with_crds(crd::resources(&crd, None))
}

#[test]
fn one_manager_applies_through_two_versions() {
    let mut cluster = Cluster::new();
    cluster.registry = two_versions(&["v1", "v2"]);
    let second = at("a").replace("/v1/", "/v2/");
    let mut body = gate("a");
    body["spec"]["weight"] = json!(7);
    apply(&mut cluster, &at("a"), "one", &body);
    let mut body = gate("a");
    body["apiVersion"] = json!("policy.example.io/v2");
    let object = apply(&mut cluster, &second, "one", &body);
    assert_eq!(owners(&object), ["one Apply - policy.example.io/v2: .spec.expr"]);
    assert_eq!(object["spec"]["weight"], 5, "what it applies no more goes, whatever the version");
    body["spec"]["expr"] = json!("false");
    let (code, refused) = cluster.apply(&format!("{second}?fieldManager=two"), &body);
    let text = r#"Apply failed with 1 conflict: conflict with "one": .spec.expr"#;
    assert_eq!((code, refused["message"].as_str()), (409, Some(text)));
}

#[test]
fn entries_of_a_version_that_is_gone_are_dropped() {
    let mut cluster = Cluster::new();
    cluster.registry = two_versions(&["v1", "v1beta1"]);
    let mut body = gate("a");
    body["apiVersion"] = json!("policy.example.io/v1beta1");
    apply(&mut cluster, &at("a").replace("/v1/", "/v1beta1/"), "old", &body);
    cluster.registry = two_versions(&["v1"]);
    let mut body = gate("a");
    body["spec"]["expr"] = json!("false");
    let (code, object) = cluster.apply(&format!("{}?fieldManager=new", at("a")), &body);
    assert_eq!(code, 200, "nobody can be in conflict with what cannot be read: {object}");
    assert_eq!(owners(&object), ["new Apply - policy.example.io/v1: .spec.expr"]);
}
