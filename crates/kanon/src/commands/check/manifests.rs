//! Manifests from files, folders and standard input: YAML streams and JSON, lists taken apart.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use kanon_core::{Object, PolicyFile};
use serde_json::Value;

use super::positions::Step;
use crate::exit::Failure;

/// A text with manifests.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path; `-` for standard input.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) text: String,
}

/// One object, and where it was found.
pub(crate) struct Manifest {
    /// File and number of the document in it, from 1.
    pub(crate) place: String,
    /// The file.
    pub(crate) file: Arc<File>,
    /// The document's number, from 0.
    pub(crate) document: usize,
    /// Where in the document the object stands: the whole, or an item of a list.
    pub(crate) path: Vec<Step>,
    /// The object.
    pub(crate) object: Object,
}

/// Reads everything below `path`; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<Manifest>, Failure> {
    let mut found = Vec::new();
    for PolicyFile { path, text } in texts(path)? {
        found.extend(parse(&path, utf8(&path, &text)?)?);
    }
    Ok(found)
}

/// The texts below `path`, those of a folder in order of name; `-` is standard input.
pub(crate) fn texts(path: &Path) -> Result<Vec<PolicyFile>, Failure> {
    let named = |error: &dyn std::fmt::Display| Failure::new(format!("failed to read `{}`: {error}", path.display()));
    let file = |text: Vec<u8>| vec![PolicyFile { path: path.display().to_string(), text: text.into() }];
    if path.as_os_str() == "-" {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).map_err(|error| named(&error))?;
        return Ok(file(text));
    }
    if !path.is_dir() {
        return Ok(file(std::fs::read(path).map_err(|error| named(&error))?));
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> = entries.map_err(|error| named(&error))?.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        if path.is_dir() || matches!(extension, "yaml" | "yml" | "json") {
            found.extend(texts(&path)?);
        }
    }
    Ok(found)
}

fn utf8(name: &str, text: &[u8]) -> Result<String, Failure> {
    let text = std::str::from_utf8(text).map_err(|error| Failure::new(format!("`{name}` is not UTF-8: {error}")))?;
    Ok(text.to_owned())
}

/// The manifests of one text.
pub(crate) fn parse(name: &str, text: impl Into<String>) -> Result<Vec<Manifest>, Failure> {
    parse_by(name, text.into(), true)
}

/// The manifests of a text that may hold other documents, such as rules as files have them: those are passed over.
pub(crate) fn parse_some(file: &PolicyFile) -> Result<Vec<Manifest>, Failure> {
    parse_by(&file.path, utf8(&file.path, &file.text)?, false)
}

fn parse_by(name: &str, text: String, strictly: bool) -> Result<Vec<Manifest>, Failure> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).map_err(|error| Failure::new(format!("`{name}` is no YAML: {error}")))?;
    let file = Arc::new(File { name: name.to_owned(), text });
    let mut found = Vec::new();
    for (at, document) in documents.into_iter().enumerate() {
        if strictly || document["apiVersion"].is_string() {
            take(&file, at, Vec::new(), document, &mut found)?;
        }
    }
    Ok(found)
}

/// Takes a document or an item: lists are taken apart, lists in them too.
fn take(
    file: &Arc<File>,
    document: usize,
    path: Vec<Step>,
    value: Value,
    found: &mut Vec<Manifest>,
) -> Result<(), Failure> {
    let place = format!("{}#{}", file.name, document + 1);
    let is_list = value["kind"].as_str().is_some_and(|it| it.ends_with("List")) && value["items"].is_array();
    match value {
        Value::Null => Ok(()),
        Value::Object(mut list) if is_list => {
            let Some(Value::Array(items)) = list.remove("items") else { return Ok(()) };
            for (at, item) in items.into_iter().enumerate() {
                let path = path.iter().cloned().chain([Step::Key("items".to_owned()), Step::Index(at)]).collect();
                take(file, document, path, item, found)?;
            }
            Ok(())
        }
        object if !object["apiVersion"].is_string() || !object["kind"].is_string() => {
            Err(Failure::new(format!("`{place}` is no manifest: `apiVersion` and `kind` are required")))
        }
        object => {
            let object = Object::from_value(&object);
            found.push(Manifest { place, file: Arc::clone(file), document, path, object });
            Ok(())
        }
    }
}
