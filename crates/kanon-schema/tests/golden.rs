//! `metadata` against the real server's OpenAPI, where that is at hand.
//!
//! The data is not part of the project. It is looked for in the folder that `KANON_GOLDEN` names, else in `../shared/golden`
//! beside the checkout; without it the test says so and passes.

use std::path::{Path, PathBuf};

use kanon_schema::{Schema, from_json, object_meta};
use serde_json::Value;

fn golden() -> Option<Value> {
    let given = std::env::var_os("KANON_GOLDEN").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden"));
    let text = std::fs::read(folder.join("kubernetes-1.32/openapi-v3/api__v1.json")).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The server's type by its local name, with references resolved one level at a time.
fn published<'v>(document: &'v Value, name: &str) -> &'v Value {
    &document["components"]["schemas"][format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}")]
}

/// References read as the type they name.
fn resolve(document: &Value, json: &Value) -> Value {
    let reference = json["allOf"][0]["$ref"].as_str().or(json["$ref"].as_str());
    match reference.and_then(|it| it.rsplit('/').next()) {
        Some(name) => resolve(document, &document["components"]["schemas"][name]),
        None => json.clone(),
    }
}

fn same(document: &Value, ours: &Schema, theirs: &Value, path: &str) {
    let theirs = resolve(document, theirs);
    let read = from_json(&theirs);
    assert_eq!(ours.kind, read.kind, "{path}: type");
    assert_eq!(ours.format, read.format, "{path}: format");
    assert_eq!(ours.list_type, read.list_type, "{path}: list type");
    assert_eq!(ours.map_type, read.map_type, "{path}: map type");
    assert_eq!(ours.patch, read.patch, "{path}: patch strategy");
    assert_eq!(ours.required, read.required, "{path}: required");
    let names = |it: &Schema| it.properties.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(&read), "{path}: members");
    for (name, ours) in &ours.properties {
        same(document, ours, &theirs["properties"][name.as_str()], &format!("{path}.{name}"));
    }
    for (ours, theirs, step) in
        [(&ours.items, &theirs["items"], "[]"), (&ours.additional, &theirs["additionalProperties"], "{}")]
    {
        assert_eq!(ours.is_some(), theirs.is_object(), "{path}{step}");
        if let Some(ours) = ours {
            same(document, ours, theirs, &format!("{path}{step}"));
        }
    }
}

#[test]
#[expect(clippy::disallowed_macros, reason = "a skipped test says so")]
fn metadata_is_the_servers() {
    let Some(document) = golden() else {
        println!("skipped: no golden documents");
        return;
    };
    same(&document, object_meta(), published(&document, "ObjectMeta"), "metadata");
}
