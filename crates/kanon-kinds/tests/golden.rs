//! The tables against what a real server published: every field of every covered type, and discovery.
//!
//! The data is not part of the project. It is looked for in the folder that `KANON_GOLDEN` names, else in `../shared/golden`
//! beside the checkout; without it these tests say so and pass.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use kanon_schema::{ListType, MapType, Schema, Type};
use serde_json::{Value, json};

/// Where ours differs, with the reason.
const DIFFERENCES: &[(&str, &str)] = &[
    // Recursive: its members are not checked by schema.
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "opaque"),
    // A list type on something that is no list means nothing.
    ("io.k8s.apimachinery.pkg.apis.meta.v1.Status.details", "x-kubernetes-list-type on an object"),
];

/// Subresources that need a running container or a proxy, which this server does not have.
const NOT_SERVED: &[&str] = &["attach", "exec", "portforward", "proxy"];

fn golden() -> Option<PathBuf> {
    let given = std::env::var_os("KANON_GOLDEN").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden");
    let found = given.unwrap_or(beside).join("kubernetes-1.32");
    if found.is_dir() {
        return Some(found);
    }
    say("golden data is not here: skipped");
    None
}

#[expect(clippy::disallowed_macros, reason = "a test that skips says so")]
fn say(line: &str) {
    println!("{line}");
}

fn read(path: &Path) -> Value {
    let bytes = std::fs::read(path).expect("golden files can be read");
    serde_json::from_slice(&bytes).expect("golden files are JSON")
}

fn published(folder: &Path) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for file in std::fs::read_dir(folder.join("openapi-v3")).expect("the folder is there") {
        let document = read(&file.expect("its entries can be read").path());
        for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
            all.insert(name.clone(), schema.clone());
        }
    }
    all
}

fn known(path: &str) -> bool {
    DIFFERENCES.iter().any(|(at, _)| *at == path)
}

#[test]
fn every_field_of_covered_types_is_as_published() {
    let Some(folder) = golden() else { return };
    let published = published(&folder);
    let mut problems = Vec::new();
    let mut fields = 0;
    for name in kanon_kinds::type_names().filter(|it| !known(it)) {
        let Some(theirs) = published.get(name) else {
            problems.push(format!("{name}: not published"));
            continue;
        };
        let ours = kanon_kinds::type_schema(name).unwrap();
        fields += compare_type(&mut problems, name, &ours, theirs, &published);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(fields > 1500, "only {fields} fields");
}

fn compare_type(
    problems: &mut Vec<String>,
    name: &str,
    ours: &Schema,
    theirs: &Value,
    all: &BTreeMap<String, Value>,
) -> usize {
    let empty = serde_json::Map::new();
    let properties = theirs["properties"].as_object().unwrap_or(&empty);
    let mut expect = |what: &str, ours: Value, theirs: Value| {
        if ours != theirs && !known(&format!("{name}.{what}")) {
            problems.push(format!("{name}: {what}: ours {ours}, published {theirs}"));
        }
    };
    let names = |keys: Vec<&String>| json!(keys);
    expect("members", names(ours.properties.keys().collect()), {
        let mut keys: Vec<&String> = properties.keys().collect();
        keys.sort();
        names(keys)
    });
    let mut required = ours.required.clone();
    required.sort();
    let mut wanted: Vec<&str> = theirs["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    wanted.sort_unstable();
    expect("required", json!(required), json!(wanted));
    expect("map type", json!(ours.map_type == MapType::Atomic), json!(theirs["x-kubernetes-map-type"] == "atomic"));
    for (member, theirs) in properties {
        if let Some(ours) = ours.properties.get(member) {
            expect(member, facts(ours), published_facts(all, theirs));
        }
    }
    properties.len()
}

/// What is compared of a field, as JSON so that differences read well.
fn facts(schema: &Schema) -> Value {
    let values = [Some(schema), schema.items.as_deref(), schema.additional.as_deref()];
    let values = values.into_iter().flatten().map(|it| &it.rules.one_of_values).find(|it| !it.is_empty());
    let mut list = Value::Null;
    if schema.kind == Type::Array {
        list = match &schema.list_type {
            ListType::Atomic => json!("atomic"),
            ListType::Set => json!("set"),
            ListType::Map(keys) => json!(keys),
        };
    }
    json!({
        "type": type_of(schema), "list": list, "merge": schema.patch.merge, "retain": schema.patch.retain_keys,
        "key": schema.patch.merge_key, "default": schema.default, "enum": values.cloned().unwrap_or_default(),
        "atomic": schema.kind == Type::Object && schema.map_type == MapType::Atomic,
    })
}

fn type_of(schema: &Schema) -> String {
    if let Some(name) = &schema.name {
        return name.rsplit('.').next().unwrap_or_default().to_owned();
    }
    match schema.kind {
        Type::Array => format!("[]{}", schema.items.as_deref().map(type_of).unwrap_or_default()),
        Type::Object if schema.additional.is_some() => {
            format!("map[{}]", schema.additional.as_deref().map(type_of).unwrap_or_default())
        }
        Type::Object => "object".to_owned(),
        Type::String => format!("string {}", schema.format).trim().to_owned(),
        Type::Integer => format!("integer {}", schema.format).trim().to_owned(),
        Type::Number => format!("number {}", schema.format).trim().to_owned(),
        Type::Boolean => "boolean".to_owned(),
        Type::IntOrString => "int-or-string".to_owned(),
        Type::Any => schema.format.clone(),
    }
}

fn published_facts(all: &BTreeMap<String, Value>, theirs: &Value) -> Value {
    let values = [theirs, &theirs["items"], &theirs["additionalProperties"]];
    let values = values.into_iter().find_map(|it| it.get("enum")).cloned().unwrap_or(json!([]));
    let referred =
        theirs["allOf"][0]["$ref"].as_str().and_then(|it| all.get(it.rsplit('/').next().unwrap_or_default()));
    let map_type = |it: &Value| it["x-kubernetes-map-type"].as_str().map(str::to_owned);
    let map_type = map_type(theirs).or_else(|| referred.and_then(map_type));
    let map_type = map_type.as_deref();
    let strategy = theirs["x-kubernetes-patch-strategy"].as_str().unwrap_or_default();
    let list = match (theirs["type"].as_str(), theirs["x-kubernetes-list-type"].as_str()) {
        (Some("array"), None) => json!("atomic"),
        (Some("array"), Some("map")) => theirs["x-kubernetes-list-map-keys"].clone(),
        (_, Some(other)) => json!(other),
        (_, None) => Value::Null,
    };
    json!({
        "type": published_type(theirs), "list": list, "merge": strategy.split(',').any(|it| it == "merge"),
        "retain": strategy.split(',').any(|it| it == "retainKeys"), "key": theirs.get("x-kubernetes-patch-merge-key"),
        "default": theirs.get("default"), "enum": values, "atomic": map_type == Some("atomic"),
    })
}

fn published_type(theirs: &Value) -> String {
    let reference = theirs.get("$ref").or_else(|| theirs["allOf"][0].get("$ref")).and_then(Value::as_str);
    if let Some(reference) = reference {
        return reference.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let format = theirs["format"].as_str().unwrap_or_default();
    match theirs["type"].as_str().unwrap_or_default() {
        "array" => format!("[]{}", published_type(&theirs["items"])),
        "object" if theirs.get("additionalProperties").is_some() => {
            format!("map[{}]", published_type(&theirs["additionalProperties"]))
        }
        other => format!("{other} {format}").trim().to_owned(),
    }
}

#[test]
fn discovery_is_as_served() {
    let Some(folder) = golden() else { return };
    let mut served = BTreeMap::new();
    for file in ["api-aggregated.json", "apis-aggregated.json"] {
        for group in read(&folder.join(file))["items"].as_array().unwrap() {
            let name = group["metadata"]["name"].as_str().unwrap_or_default();
            for version in group["versions"].as_array().unwrap() {
                for resource in version["resources"].as_array().unwrap() {
                    let key = format!(
                        "{name}/{}/{}",
                        version["version"].as_str().unwrap(),
                        resource["resource"].as_str().unwrap()
                    );
                    served.insert(key, resource.clone());
                }
            }
        }
    }
    for kind in kanon_kinds::kinds() {
        let key = format!("{}/{}/{}", kind.gvk.group, kind.gvk.version, kind.plural);
        let mut theirs = served.get(&key).unwrap_or_else(|| panic!("{key} is not served")).clone();
        let members = theirs.as_object_mut().unwrap();
        for (absent, value) in [("shortNames", json!([])), ("categories", json!([])), ("subresources", json!([]))] {
            members.entry(absent).or_insert(value);
        }
        for sub in members["subresources"].as_array_mut().unwrap() {
            sub.as_object_mut().unwrap().remove("acceptedTypes");
        }
        members["subresources"]
            .as_array_mut()
            .unwrap()
            .retain(|it| !NOT_SERVED.contains(&it["subresource"].as_str().unwrap()));
        assert_eq!(as_discovery(kind), theirs, "{key}");
    }
}

fn as_discovery(kind: &kanon_kinds::BuiltinKind) -> Value {
    // Aggregated discovery leaves group and version out where they are those of the document.
    let response = |gvk: &kanon_core::GroupVersionKind| {
        let same = gvk.group == kind.gvk.group && gvk.version == kind.gvk.version;
        let (group, version) = if same { ("", "") } else { (gvk.group.as_str(), gvk.version.as_str()) };
        json!({"group": group, "version": version, "kind": gvk.kind})
    };
    let subresources: Vec<Value> = kind
        .subresources
        .iter()
        .map(|it| json!({"subresource": it.name, "responseKind": response(&it.gvk), "verbs": it.verbs}))
        .collect();
    json!({
        "resource": kind.plural, "responseKind": response(&kind.gvk), "scope": format!("{:?}", kind.scope),
        "singularResource": kind.singular, "verbs": kind.verbs, "shortNames": kind.short_names,
        "categories": kind.categories, "subresources": subresources,
    })
}
