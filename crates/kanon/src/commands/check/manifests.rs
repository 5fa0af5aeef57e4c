//! Manifests from files, folders and standard input: YAML streams and JSON, lists taken apart.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use kanon_core::Object;
use serde_json::Value;

use crate::exit::Failure;

/// One object, and where it was found.
pub(crate) struct Manifest {
    /// File and number of the document in it, from 1.
    pub(crate) place: String,
    /// The object.
    pub(crate) object: Object,
}

/// Reads everything below `path`; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<Manifest>, Failure> {
    let named = |error: &dyn std::fmt::Display| Failure::new(format!("failed to read `{}`: {error}", path.display()));
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| named(&error))?;
        return parse("-", &text);
    }
    if !path.is_dir() {
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        return parse(&path.display().to_string(), &text);
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> = entries.map_err(|error| named(&error))?.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        if path.is_dir() || matches!(extension, "yaml" | "yml" | "json") {
            found.extend(read(&path)?);
        }
    }
    Ok(found)
}

/// The manifests of one text.
pub(crate) fn parse(name: &str, text: &str) -> Result<Vec<Manifest>, Failure> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| Failure::new(format!("`{name}` is no YAML: {error}")))?;
    let mut found = Vec::new();
    for (at, document) in documents.into_iter().enumerate() {
        let place = format!("{name}#{}", at + 1);
        let is_list = document["kind"].as_str().is_some_and(|it| it.ends_with("List")) && document["items"].is_array();
        let objects = match document {
            Value::Null => Vec::new(),
            Value::Object(mut list) if is_list => match list.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            },
            other => vec![other],
        };
        for object in objects {
            if !object["apiVersion"].is_string() || !object["kind"].is_string() {
                return Err(Failure::new(format!("`{place}` is no manifest: `apiVersion` and `kind` are required")));
            }
            found.push(Manifest { place: place.clone(), object: Object::from_value(&object) });
        }
    }
    Ok(found)
}
