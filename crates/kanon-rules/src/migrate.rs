//! From old rule files, whose expressions are SpEL, to today's rules (spec/rules 10, `migrate-rules`): texts in, texts out.
//!
//! Only what changes its meaning is rewritten; what cannot be is left as it stands, with a warning. What comes out as a folder
//! goes through again unchanged. Files are read and written by whoever calls.

mod document;
mod slug;
mod spel;
mod yaml;

use std::collections::BTreeSet;

use kanon_core::PolicyFile;
use serde_json::{Value, json};

use crate::{
    api::{CLUSTER_RULE, GROUP, VERSION},
    documents::one_line,
};

/// In which form rules come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A PortalClusterRule for each rule, each in a file of its own.
    Resources,
    /// The files as they are, with their names.
    Folder,
}

/// What is said about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file, with the number of the document from 0: `base.yaml#1`.
    pub place: String,
    /// What it is.
    pub message: String,
    /// Whether the rule was left out.
    pub is_error: bool,
}

/// What came of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    /// Files to write: path inside the output folder, and text.
    pub files: Vec<(String, String)>,
    /// Warnings and errors, in order.
    pub notes: Vec<Note>,
    /// Of how many files rules were migrated.
    pub migrated: usize,
}

impl Migration {
    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.notes.iter().filter(|it| it.is_error).count()
    }
}

/// Migrates files, in order. `compile` says what is wrong with an expression of today.
pub fn migrate(files: &[PolicyFile], layout: Layout, compile: &dyn Fn(&str) -> Result<(), String>) -> Migration {
    let mut work = Work { layout, compile, result: Migration::default(), slugs: BTreeSet::new() };
    for file in files {
        work.file(file);
    }
    work.result
}

struct Work<'c> {
    layout: Layout,
    compile: &'c dyn Fn(&str) -> Result<(), String>,
    result: Migration,
    /// Names that are taken.
    slugs: BTreeSet<String>,
}

impl Work<'_> {
    fn note(&mut self, place: &str, message: impl Into<String>, is_error: bool) {
        self.result.notes.push(Note { place: place.to_owned(), message: message.into(), is_error });
    }

    fn file(&mut self, file: &PolicyFile) {
        let documents = std::str::from_utf8(&file.text).map_err(|it| format!("file is not UTF-8: {it}"));
        let documents = documents.and_then(|text| {
            let parsed = serde_saphyr::from_multiple::<Value>(text);
            parsed.map_err(|it| format!("file is not YAML: {}", one_line(&it)))
        });
        let documents = match documents {
            Ok(documents) => documents,
            Err(problem) => return self.note(&file.path, problem, true),
        };
        let (before, mut kept) = (self.result.errors(), Vec::new());
        for (at, document) in documents.into_iter().enumerate() {
            let place = format!("{}#{at}", file.path);
            match document {
                Value::Null => {}
                Value::Array(items) => {
                    let rules = items.into_iter().enumerate();
                    let rules =
                        rules.filter_map(|(at, it)| self.rule(&format!("{place}.{at}"), it)).collect::<Vec<_>>();
                    if self.layout == Layout::Folder && !rules.is_empty() {
                        kept.push(Value::Array(rules));
                    }
                }
                document => kept.extend(self.rule(&place, document).filter(|_| self.layout == Layout::Folder)),
            }
        }
        if self.layout == Layout::Folder && !kept.is_empty() {
            self.write(&file.path, file.path.clone(), &kept);
        }
        if self.result.errors() == before {
            self.result.migrated += 1;
        }
    }

    /// Migrates one rule; as a resource it is written at once.
    fn rule(&mut self, place: &str, mut document: Value) -> Option<Value> {
        let is_manifest = document.get("apiVersion").is_some();
        if is_manifest
            && document["apiVersion"].as_str().and_then(|it| it.split_once('/')).map(|it| it.0) != Some(GROUP)
        {
            self.note(place, "is a manifest of another API group: left out", true);
            return None;
        }
        let spec = if is_manifest { document.get_mut("spec") } else { Some(&mut document) };
        let Some(spec) = spec.and_then(Value::as_object_mut) else {
            self.note(place, "a rule is a mapping with the keys `name`, `enabled`, `rule`", true);
            return None;
        };
        let as_resource = is_manifest || self.layout == Layout::Resources;
        let warnings = document::migrate(spec, as_resource, self.compile);
        for it in warnings {
            self.note(place, it, false);
        }
        if self.layout == Layout::Folder {
            return Some(document);
        }
        let name = if is_manifest { &document["metadata"]["name"] } else { &document["name"] };
        let slug = self.free_slug(&slug::slug(name.as_str().unwrap_or_default()));
        if !is_manifest {
            document = json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": CLUSTER_RULE,
                "metadata": {"name": slug}, "spec": document});
        }
        self.write(place, format!("{slug}.yaml"), &[document]);
        None
    }

    fn free_slug(&mut self, wanted: &str) -> String {
        let mut slug = wanted.to_owned();
        let mut number = 1;
        while !self.slugs.insert(slug.clone()) {
            number += 1;
            slug = slug::numbered(wanted, number);
        }
        slug
    }

    fn write(&mut self, place: &str, path: String, documents: &[Value]) {
        match yaml::write(documents) {
            Ok(text) => self.result.files.push((path, text)),
            Err(problem) => self.note(place, problem, true),
        }
    }
}

#[cfg(test)]
mod tests;
