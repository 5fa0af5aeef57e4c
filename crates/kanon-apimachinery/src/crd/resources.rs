//! From a definition to what the registry serves.

use std::sync::Arc;

use kanon_core::{GroupVersionKind, Scope};
use kanon_kinds::{NameRule, Subresource};
use kanon_lang::Language;
use kanon_schema::{Checker, FieldPath, JsonPath, Rules, Schema, Validator};
use kanon_store::Revision;
use serde_json::Value;

use super::{is_established, is_terminating, storage_version, versions};
use crate::{
    conversion::Converter,
    resource::{Custom, CustomColumn, Origin, Resource, ScalePaths},
};

/// Verbs in the order in which a real server lists them for custom resources (spec 4.9).
const VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

/// The resources of every served version; none while the definition is not established. Without a language rules are
/// not judged.
pub fn resources(crd: &Value, language: Option<&dyn Language>) -> Vec<Arc<Resource>> {
    if !is_established(crd) {
        return Vec::new();
    }
    let Some(storage) = storage_version(crd) else { return Vec::new() };
    versions(crd).filter(|it| it["served"] == true).map(|it| Arc::new(resource(crd, it, storage, language))).collect()
}

fn resource(crd: &Value, version: &Value, storage: &str, language: Option<&dyn Language>) -> Resource {
    let (spec, names) = (&crd["spec"], &crd["status"]["acceptedNames"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let group = text(&spec["group"]);
    let gvk = GroupVersionKind::new(&group, &text(&version["name"]), &text(&names["kind"]));
    let plural = text(&spec["names"]["plural"]);
    let declared = Arc::new(kanon_schema::from_json(&version["schema"]["openAPIV3Schema"]));
    let schema = Arc::new(whole(&declared));
    let subresources = &version["subresources"];
    let scale = scale_paths(&subresources["scale"]);
    let has_status = subresources["status"].is_object();
    let custom = Custom {
        crd_name: text(&crd["metadata"]["name"]),
        storage_version: storage.to_owned(),
        is_terminating: is_terminating(crd),
        converter: Converter::of(crd).filter(|_| versions(crd).count() > 1).map(Arc::new),
        api_versions: versions(crd).filter_map(|it| Some(format!("{group}/{}", it["name"].as_str()?))).collect(),
        columns: list(&version["additionalPrinterColumns"]).map(column).collect(),
        checker: Arc::new(checker(&schema, language)),
        schema,
        defaults_since: has_defaults(&declared).then(|| revision(crd)),
        declared,
        deprecation: super::deprecation::warning(crd, version),
        scale: scale.clone(),
    };
    Resource {
        subresources: parts(&gvk, has_status, scale.is_some()),
        prefix: format!("{group}/{plural}"),
        // The shell converts: what comes here is in this version already.
        stored_api_version: if custom.converter.is_some() { gvk.api_version() } else { format!("{group}/{storage}") },
        singular: text(&names["singular"]),
        list_kind: text(&names["listKind"]),
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        scope: if spec["scope"] == "Cluster" { Scope::Cluster } else { Scope::Namespaced },
        verbs: VERBS.to_vec(),
        has_generation: true,
        has_status,
        selectable_fields: list(&version["selectableFields"])
            .filter_map(|it| it["jsonPath"].as_str())
            .map(|it| it.trim_start_matches('.').to_owned())
            .collect(),
        name_rule: NameRule::Subdomain,
        origin: Origin::Custom(Arc::new(custom)),
        rule_language: None,
        plural,
        gvk,
    }
}

/// Schema and rules. Rules were compiled when the definition was stored; should they fail now, the schema still holds.
fn checker(schema: &Arc<Schema>, language: Option<&dyn Language>) -> Checker {
    let rules = language.and_then(|it| Rules::compile(schema, it, &FieldPath::root()).ok()).unwrap_or_default();
    Checker { validator: Validator::new(Arc::clone(schema)), rules }
}

/// The version of the definition, whose last change may have brought defaults.
fn revision(crd: &Value) -> Revision {
    crd["metadata"]["resourceVersion"].as_str().and_then(|it| it.parse().ok()).unwrap_or_default()
}

fn has_defaults(schema: &Schema) -> bool {
    let inner = schema.properties.values().chain(&schema.additional).chain(&schema.items);
    schema.default.is_some() || inner.into_iter().any(|it| has_defaults(it))
}

/// The declared schema with what every object has: without them apply and OpenAPI would know no metadata.
fn whole(declared: &Schema) -> Schema {
    let mut schema = declared.clone();
    schema.properties.insert("metadata".to_owned(), metadata(declared));
    for name in ["apiVersion", "kind"] {
        let text = Schema { kind: kanon_schema::Type::String, ..Schema::default() };
        schema.properties.entry(name.to_owned()).or_insert_with(|| Arc::new(text));
    }
    schema
}

/// ObjectMeta; a definition may restrict `metadata.name` and `generateName`.
fn metadata(declared: &Schema) -> Arc<Schema> {
    let known = kanon_schema::object_meta();
    let restricted = declared.properties.get("metadata").filter(|it| !it.properties.is_empty());
    let Some(restricted) = restricted else { return Arc::clone(known) };
    let mut schema = (**known).clone();
    for name in ["name", "generateName"] {
        if let Some(rules) = restricted.properties.get(name) {
            schema.properties.insert(name.to_owned(), Arc::clone(rules));
        }
    }
    Arc::new(schema)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn column(value: &Value) -> CustomColumn {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    CustomColumn {
        name: text("name"),
        kind: text("type"),
        format: text("format"),
        description: text("description"),
        priority: value["priority"].as_i64().unwrap_or_default(),
        path: JsonPath::parse(&text("jsonPath")).ok(),
        json_path: text("jsonPath"),
    }
}

fn scale_paths(value: &Value) -> Option<ScalePaths> {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    value.is_object().then(|| ScalePaths {
        spec_replicas: text("specReplicasPath"),
        status_replicas: text("statusReplicasPath"),
        label_selector: text("labelSelectorPath"),
    })
}

fn parts(gvk: &GroupVersionKind, status: bool, scale: bool) -> Vec<Subresource> {
    let verbs = vec!["get", "patch", "update"];
    let scaled = GroupVersionKind::new("autoscaling", "v1", "Scale");
    let scale = scale.then(|| Subresource { name: "scale", gvk: scaled, verbs: verbs.clone() });
    let status = status.then(|| Subresource { name: "status", gvk: gvk.clone(), verbs: verbs.clone() });
    status.into_iter().chain(scale).collect()
}
