//! What is served, as clients ask for it (spec/kubernetes-api.md 4.9): `/api`, `/apis`, one group, one version, and the
//! aggregated form that kubectl reads first.

use base64::{Engine, engine::general_purpose::STANDARD};
use kanon_core::{Digest, GroupVersionKind, Scope};
use serde_json::{Map, Value, json};

use crate::{
    negotiate::DiscoveryForm,
    resource::{Group, GroupVersion, Registry, Resource, Subresource},
};

/// `GET /api` in the legacy form. `address` is what the client connected to (`HOST:PORT`).
pub fn api_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `GET /apis` in the legacy form.
pub fn api_groups(registry: &Registry) -> Value {
    let groups: Vec<Value> = registry.groups().filter(|it| !it.name.is_empty()).map(group_entry).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `GET /apis/<group>`; `None` when there is no such group.
pub fn api_group(registry: &Registry, group: &str) -> Option<Value> {
    let mut entry = group_entry(registry.group(group).filter(|it| !it.name.is_empty())?);
    entry["kind"] = json!("APIGroup");
    entry["apiVersion"] = json!("v1");
    Some(entry)
}

fn group_entry(group: &Group) -> Value {
    let version =
        |it: &GroupVersion| json!({"groupVersion": format!("{}/{}", group.name, it.version), "version": it.version});
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    json!({"name": group.name, "preferredVersion": versions.first(), "versions": versions})
}

/// `GET /api/v1`, `GET /apis/<group>/<version>`: one row a resource and a subresource. `None` when it is not served.
pub fn api_resources(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let served = registry.group_version(group, version)?;
    let rows: Vec<Value> = served.resources.values().flat_map(|it| resource_rows(it)).collect();
    let group_version = GroupVersionKind::new(group, version, "").api_version();
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": rows}))
}

fn resource_rows(resource: &Resource) -> Vec<Value> {
    let mut row = json!({
        "name": resource.plural, "singularName": resource.singular, "namespaced": resource.is_namespaced(),
        "kind": resource.gvk.kind, "verbs": resource.verbs,
    });
    if !resource.short_names.is_empty() {
        row["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        row["categories"] = json!(resource.categories);
    }
    if resource.allows("list") {
        row["storageVersionHash"] = json!(storage_version_hash(resource));
    }
    let mut rows = vec![row];
    rows.extend(resource.subresources.iter().map(|it| subresource_row(resource, it)));
    rows
}

fn subresource_row(resource: &Resource, subresource: &Subresource) -> Value {
    let Subresource { name, gvk, verbs } = subresource;
    let mut row = json!({
        "name": format!("{}/{name}", resource.plural), "singularName": "", "namespaced": resource.is_namespaced(),
        "kind": gvk.kind, "verbs": verbs,
    });
    if (&gvk.group, &gvk.version) != (&resource.gvk.group, &resource.gvk.version) {
        row["group"] = json!(gvk.group);
        row["version"] = json!(gvk.version);
    }
    row
}

/// Upstream's: base64 of the first eight bytes of SHA-256 over `<group>/<version>/<kind>` of the stored form.
fn storage_version_hash(resource: &Resource) -> String {
    let stored = GroupVersionKind::from_api_version(&resource.storage_api_version(), &resource.gvk.kind);
    let text = format!("{}/{}/{}", stored.group, stored.version, stored.kind);
    let hash = Digest::of(&[text.as_bytes()]).to_string();
    let byte = |at: usize| u8::from_str_radix(&hash[at..at + 2], 16).unwrap_or_default();
    let bytes: Vec<u8> = (0..16).step_by(2).map(byte).collect();
    STANDARD.encode(bytes)
}

/// Which of the two roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// `/api`: the core group.
    Api,
    /// `/apis`: all others.
    Apis,
}

/// `GET /api` or `/apis` in the aggregated form.
pub fn aggregated(registry: &Registry, root: Root, form: DiscoveryForm) -> Value {
    let wanted = |it: &&Group| it.name.is_empty() == (root == Root::Api);
    let items: Vec<Value> = registry.groups().filter(wanted).map(aggregated_group).collect();
    let version = if form == DiscoveryForm::V2Beta1 { "v2beta1" } else { "v2" };
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    })
}

fn aggregated_group(group: &Group) -> Value {
    let mut metadata = Map::new();
    if !group.name.is_empty() {
        metadata.insert("name".into(), json!(group.name));
    }
    metadata.insert("creationTimestamp".into(), Value::Null);
    let version = |it: &GroupVersion| {
        let resources: Vec<Value> = it.resources.values().map(|it| aggregated_resource(it)).collect();
        json!({"version": it.version, "resources": resources, "freshness": "Current"})
    };
    json!({"metadata": metadata, "versions": group.versions.iter().map(version).collect::<Vec<_>>()})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let scope = if resource.scope == Scope::Namespaced { "Namespaced" } else { "Cluster" };
    let mut row = json!({
        "resource": resource.plural, "responseKind": response_kind(&resource.gvk, resource), "scope": scope,
        "singularResource": resource.singular, "verbs": resource.verbs,
    });
    if !resource.short_names.is_empty() {
        row["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        row["categories"] = json!(resource.categories);
    }
    let subresource = |it: &Subresource| json!({"subresource": it.name, "responseKind": response_kind(&it.gvk, resource), "verbs": it.verbs});
    if !resource.subresources.is_empty() {
        row["subresources"] = resource.subresources.iter().map(subresource).collect();
    }
    row
}

/// Built-in kinds leave out what is the version's own; definitions write it.
fn response_kind(gvk: &GroupVersionKind, resource: &Resource) -> Value {
    let is_own = (&gvk.group, &gvk.version) == (&resource.gvk.group, &resource.gvk.version);
    if is_own && resource.custom().is_none() {
        return json!({"group": "", "version": "", "kind": gvk.kind});
    }
    json!(gvk)
}

/// The strong validator of a discovery document: quoted, in upper-case hex as upstream writes it.
pub fn etag(document: &[u8]) -> String {
    format!("\"{}\"", Digest::of(&[document]).to_string().to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::gates;

    fn registry() -> Registry {
        Registry::builtin().with_crds([gates()])
    }

    #[test]
    fn legacy_documents_list_groups_versions_and_subresources() {
        let registry = registry();
        assert_eq!(api_versions("127.0.0.1:1")["versions"], json!(["v1"]));
        let groups = api_groups(&registry);
        let apps = groups["groups"].as_array().unwrap().iter().find(|it| it["name"] == "apps").unwrap();
        assert_eq!(apps["preferredVersion"], json!({"groupVersion": "apps/v1", "version": "v1"}));
        assert!(groups["groups"].as_array().unwrap().iter().all(|it| it["name"] != ""));
        assert_eq!(api_group(&registry, "policy").unwrap()["kind"], "APIGroup");
        assert_eq!(api_group(&registry, ""), None);
        let core = api_resources(&registry, "", "v1").unwrap();
        let row =
            |name: &str| core["resources"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
        assert_eq!(row("pods")["storageVersionHash"], "xPOwRZ+Yhw8=");
        assert_eq!(row("pods/eviction")["group"], "policy");
        assert_eq!(row("pods/status").get("group"), None);
        let gates = api_resources(&registry, "policy.example.io", "v1").unwrap();
        assert_eq!(gates["resources"][0]["shortNames"], json!(["gt"]));
        assert_eq!(gates["resources"][1]["name"], "gates/status");
    }

    #[test]
    fn aggregated_documents_divide_the_groups_between_the_roots() {
        let registry = registry();
        let core = aggregated(&registry, Root::Api, DiscoveryForm::V2);
        assert_eq!(core["items"].as_array().unwrap().len(), 1);
        assert_eq!(core["items"][0]["metadata"].get("name"), None);
        let apis = aggregated(&registry, Root::Apis, DiscoveryForm::V2Beta1);
        assert_eq!(apis["apiVersion"], "apidiscovery.k8s.io/v2beta1");
        let group = apis["items"].as_array().unwrap().iter().find(|it| it["metadata"]["name"] == "policy.example.io");
        let gates = &group.unwrap()["versions"][0]["resources"][0];
        assert_eq!(gates["responseKind"], json!({"group": "policy.example.io", "version": "v1", "kind": "Gate"}));
        assert_eq!(gates["verbs"][0], "delete");
    }

    /// Every resource that both serve is described alike. Needs the recorded answers of a real server.
    #[test]
    fn built_in_resources_are_described_as_a_real_server_does() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden/kubernetes-1.32");
        for (root, file) in [(Root::Api, "api-aggregated.json"), (Root::Apis, "apis-aggregated.json")] {
            let Ok(text) = std::fs::read_to_string(format!("{golden}/{file}")) else {
                return;
            };
            let theirs: Value = serde_json::from_str(&text).unwrap();
            let ours = aggregated(&Registry::builtin(), root, DiscoveryForm::V2);
            let theirs = by_name(&theirs);
            for (name, resource) in by_name(&ours) {
                let Some(want) = theirs.get(&name) else { continue };
                for member in ["responseKind", "scope", "singularResource", "verbs", "shortNames", "categories"] {
                    assert_eq!(resource.get(member), want.get(member), "{name}: {member}");
                }
            }
        }
    }

    fn by_name(document: &Value) -> std::collections::BTreeMap<String, Value> {
        let mut found = std::collections::BTreeMap::new();
        for group in document["items"].as_array().unwrap() {
            for version in group["versions"].as_array().unwrap() {
                for resource in version["resources"].as_array().unwrap() {
                    let name = format!("{}/{}/{}", group["metadata"]["name"], version["version"], resource["resource"]);
                    found.insert(name, resource.clone());
                }
            }
        }
        found
    }
}
