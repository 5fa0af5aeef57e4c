//! OpenAPI v3: the index, and one document a group version, made from the registry (spec/kubernetes-api.md 4.9).
//!
//! What kubectl reads: the schemas with their `x-kubernetes-group-version-kind`, the paths with the kind of each operation,
//! and the parameters of PATCH (`fieldValidation`, `dryRun`), without which it would validate by itself or refuse dry runs.

pub mod v2;

use std::collections::BTreeMap;

use kanon_core::{Digest, GroupVersionKind};
use serde_json::{Map, Value, json};

use crate::resource::{GroupVersion, Registry, Resource};

/// One document, as text, with the hash that its URL carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The JSON text.
    pub text: String,
    /// Upper-case hex.
    pub hash: String,
}

/// The path below `/openapi/v3/` of each served group version: `api/v1`, `apis/apps/v1`.
pub fn paths(registry: &Registry) -> Vec<String> {
    let paths = registry.groups().flat_map(|group| group.versions.iter().map(move |it| path(&group.name, &it.version)));
    paths.collect()
}

fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// `GET /openapi/v3`: where each document is, with its hash.
pub fn index<'d>(documents: impl IntoIterator<Item = (&'d str, &'d Document)>) -> Value {
    let entry = |(path, document): (&str, &Document)| {
        let url = format!("/openapi/v3/{path}?hash={}", document.hash);
        (path.to_owned(), json!({"serverRelativeURL": url}))
    };
    json!({"paths": documents.into_iter().map(entry).collect::<Map<_, _>>()})
}

/// One document by the path of [`paths`]; `None` when nothing is served there.
pub fn document(registry: &Registry, path: &str) -> Option<Document> {
    let (group, version) = match path.split('/').collect::<Vec<_>>()[..] {
        ["api", version] => ("", version),
        ["apis", group, version] => (group, version),
        _ => return None,
    };
    let text = build(group, version, registry.group_version(group, version)?).to_string();
    let hash = Digest::of(&[text.as_bytes()]).to_string().to_uppercase();
    Some(Document { text, hash })
}

fn build(group: &str, version: &str, served: &GroupVersion) -> Value {
    let mut schemas = BTreeMap::new();
    let mut paths = Map::new();
    let root = format!("/{}", path(group, version));
    for resource in served.resources.values() {
        resource_schemas(resource, &mut schemas);
        resource_paths(&root, resource, &schema_name(resource), &mut paths);
    }
    finish_schemas(&mut schemas);
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.32.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

/// The schemas of a resource: its objects, lists of them, and what they hold.
fn resource_schemas(resource: &Resource, schemas: &mut BTreeMap<String, Value>) {
    let name = schema_name(resource);
    let mut schema = kanon_schema::to_openapi(&resource.schema(), schemas);
    describe_type(&mut schema, &resource.gvk);
    schemas.insert(name.clone(), schema);
    if resource.allows("list") {
        schemas.insert(format!("{name}List"), list_schema(resource, &name));
    }
}

/// Adds what all documents share, and the types' own descriptions.
fn finish_schemas(schemas: &mut BTreeMap<String, Value>) {
    shared_types(schemas);
    for (name, schema) in schemas {
        if let Some(shared) = kanon_kinds::type_schema(name) {
            schema["description"] = json!(shared.description);
        }
    }
}

/// Types that operations name and no object holds.
fn shared_types(schemas: &mut BTreeMap<String, Value>) {
    for name in ["ObjectMeta", "ListMeta", "DeleteOptions", "Status"] {
        let name = format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}");
        if let Some(schema) = kanon_kinds::type_schema(&name) {
            let value = kanon_schema::to_openapi(&schema, schemas);
            schemas.insert(name, value);
        }
    }
    let patch = json!({"type": "object", "description": "A patch in the form of its content type."});
    schemas.insert("io.k8s.apimachinery.pkg.apis.meta.v1.Patch".into(), patch);
}

/// `io.k8s.api.apps.v1.Deployment` for built-in kinds; for others the group's labels from the right:
/// `io.example.policy.v1.Gate`.
fn schema_name(resource: &Resource) -> String {
    if let (None, Some(name)) = (resource.custom(), &resource.schema().name) {
        return name.clone();
    }
    let GroupVersionKind { group, version, kind } = &resource.gvk;
    let labels: Vec<_> = group.rsplit('.').collect();
    format!("{}.{version}.{kind}", labels.join("."))
}

fn describe_type(schema: &mut Value, gvk: &GroupVersionKind) {
    schema["x-kubernetes-group-version-kind"] = json!([gvk]);
}

fn list_schema(resource: &Resource, name: &str) -> Value {
    let text = json!({"type": "string"});
    let mut schema = json!({
        "type": "object",
        "description": format!("A list of {}.", resource.plural),
        "required": ["items"],
        "properties": {
            "apiVersion": text, "kind": text, "items": {"type": "array", "items": reference(name)},
            "metadata": reference("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"),
        },
    });
    let gvk = GroupVersionKind { kind: resource.list_kind.clone(), ..resource.gvk.clone() };
    describe_type(&mut schema, &gvk);
    schema
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The paths of a resource and its subresources, each with the operations that its verbs allow.
fn resource_paths(root: &str, resource: &Resource, name: &str, paths: &mut Map<String, Value>) {
    let plural = &resource.plural;
    let base = if resource.is_namespaced() { format!("{root}/namespaces/{{namespace}}") } else { root.to_owned() };
    let list = format!("{name}List");
    let collection = [
        ("list", "get", list.as_str()),
        ("create", "post", name),
        ("deletecollection", "delete", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
    ];
    let item = [
        ("get", "get", name),
        ("update", "put", name),
        ("patch", "patch", name),
        ("delete", "delete", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
    ];
    let place = |path: String, operations: &[(&str, &str, &str)], verbs: &[&str], gvk: &GroupVersionKind| {
        let allowed = operations.iter().filter(|(verb, _, _)| verbs.contains(verb));
        let mut entry: Map<String, Value> = allowed
            .map(|(verb, method, schema)| ((*method).to_owned(), operation(verb, schema, gvk, resource)))
            .collect();
        if entry.is_empty() {
            return None;
        }
        let parameters: Vec<Value> = ["namespace", "name"]
            .iter()
            .filter(|it| path.contains(&format!("{{{it}}}")))
            .map(|it| path_parameter(it))
            .collect();
        entry.insert("parameters".into(), json!(parameters));
        Some((path, Value::Object(entry)))
    };
    if resource.is_namespaced() {
        paths.extend(place(format!("{root}/{plural}"), &collection[..1], &resource.verbs, &resource.gvk));
    }
    paths.extend(place(format!("{base}/{plural}"), &collection, &resource.verbs, &resource.gvk));
    paths.extend(place(format!("{base}/{plural}/{{name}}"), &item, &resource.verbs, &resource.gvk));
    for subresource in &resource.subresources {
        let path = format!("{base}/{plural}/{{name}}/{}", subresource.name);
        let operations = [item[0], item[1], item[2], collection[1], item[3]];
        paths.extend(place(path, &operations, &subresource.verbs, &subresource.gvk));
    }
}

fn path_parameter(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}})
}

fn operation(verb: &str, schema: &str, gvk: &GroupVersionKind, resource: &Resource) -> Value {
    let content =
        json!({"application/json": {"schema": reference(schema)}, "application/yaml": {"schema": reference(schema)}});
    let mut operation = json!({
        "description": format!("{verb} {}", resource.plural),
        "x-kubernetes-action": if verb == "create" { "post" } else if verb == "update" { "put" } else { verb },
        "x-kubernetes-group-version-kind": gvk,
        "responses": {"200": {"description": "OK", "content": content}},
    });
    let parameters = query_parameters(verb);
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    match verb {
        "create" | "update" => {
            operation["requestBody"] = json!({"required": true, "content": {"*/*": {"schema": reference(schema)}}});
        }
        "patch" => {
            let body = json!({"schema": reference("io.k8s.apimachinery.pkg.apis.meta.v1.Patch")});
            let mut types =
                vec!["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
            if resource.custom().is_none() {
                types.push("application/strategic-merge-patch+json");
            }
            let content: Map<String, Value> = types.into_iter().map(|it| (it.to_owned(), body.clone())).collect();
            operation["requestBody"] = json!({"required": true, "content": content});
        }
        "delete" | "deletecollection" => {
            let body = json!({"schema": reference("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions")});
            operation["requestBody"] = json!({"content": {"*/*": body}});
        }
        _ => {}
    }
    operation
}

fn query_parameters(verb: &str) -> Vec<Value> {
    let names: &[(&str, &str)] = match verb {
        "create" | "update" => &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")],
        "patch" => {
            &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"), ("force", "boolean")]
        }
        "delete" => &[("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("propagationPolicy", "string")],
        "list" | "deletecollection" => &[
            ("allowWatchBookmarks", "boolean"),
            ("continue", "string"),
            ("fieldSelector", "string"),
            ("labelSelector", "string"),
            ("limit", "integer"),
            ("resourceVersion", "string"),
            ("resourceVersionMatch", "string"),
            ("sendInitialEvents", "boolean"),
            ("timeoutSeconds", "integer"),
            ("watch", "boolean"),
        ],
        _ => &[],
    };
    let parameter = |(name, kind): &(&str, &str)| json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}});
    names.iter().map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::gates;

    fn parsed(path: &str) -> (Value, Document) {
        let registry = Registry::builtin().with_crds([gates()]);
        let document = document(&registry, path).unwrap();
        (serde_json::from_str(&document.text).unwrap(), document)
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let registry = Registry::builtin().with_crds([gates()]);
        for path in paths(&registry) {
            let text = document(&registry, &path).unwrap().text;
            let parsed: Value = serde_json::from_str(&text).unwrap();
            for part in text.split("#/components/schemas/").skip(1) {
                let name = part.split('"').next().unwrap();
                assert!(parsed["components"]["schemas"][name].is_object(), "{path}: {name}");
            }
        }
    }

    #[test]
    fn kubectl_finds_kinds_and_patch_parameters() {
        let (apps, _) = parsed("apis/apps/v1");
        let deployment = &apps["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"];
        assert_eq!(
            deployment["x-kubernetes-group-version-kind"],
            json!([{"group": "apps", "version": "v1", "kind": "Deployment"}])
        );
        let patch = &apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
        let names: Vec<_> =
            patch["parameters"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
        assert!(patch["requestBody"]["content"]["application/strategic-merge-patch+json"].is_object());
        let scale = &apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["get"];
        assert_eq!(scale["x-kubernetes-group-version-kind"]["kind"], "Scale");
    }

    #[test]
    fn custom_kinds_are_named_by_their_group_from_the_right() {
        let (gates, document) = parsed("apis/policy.example.io/v1");
        assert!(gates["components"]["schemas"]["io.example.policy.v1.Gate"].is_object());
        assert!(gates["components"]["schemas"]["io.example.policy.v1.GateList"].is_object());
        let patch = &gates["paths"]["/apis/policy.example.io/v1/namespaces/{namespace}/gates/{name}"]["patch"];
        assert!(patch["requestBody"]["content"].get("application/strategic-merge-patch+json").is_none());
        let index = index([("apis/policy.example.io/v1", &document)]);
        let url = index["paths"]["apis/policy.example.io/v1"]["serverRelativeURL"].as_str().unwrap();
        assert_eq!(url, format!("/openapi/v3/apis/policy.example.io/v1?hash={}", document.hash));
        assert_eq!(super::document(&Registry::builtin(), "apis/absent/v1"), None);
    }
}
