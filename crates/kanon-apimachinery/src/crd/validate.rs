//! What a definition must be like, in upstream's words.

use std::collections::BTreeSet;

use kanon_kinds::{label_1035_problems, subdomain_problems};
use kanon_lang::Language;
use kanon_schema::{FieldError, FieldPath, Rules};
use serde_json::Value;

use super::{establish::is_established, versions};
use crate::status::Cause;

/// Types that a printed column may have.
const COLUMN_TYPES: [&str; 5] = ["integer", "number", "string", "boolean", "date"];

/// Everything wrong with a definition; with `old`, also what must not change.
pub(crate) fn validate(crd: &Value, old: Option<&Value>, language: Option<&dyn Language>) -> Vec<Cause> {
    let mut causes = Vec::new();
    names(crd, &mut causes);
    versions_fit(crd, &mut causes);
    for (at, version) in versions(crd).enumerate() {
        // A schema that did not change was judged when it came.
        let judged = old.is_some_and(|old| {
            versions(old).any(|it| it["name"] == version["name"] && it["schema"] == version["schema"])
        });
        one_version(crd, at, version, (!judged).then_some(language), &mut causes);
    }
    stored(crd, &mut causes);
    convertible(crd, &mut causes);
    if let Some(old) = old.filter(|it| is_established(it)) {
        immutable(crd, old, &mut causes);
    }
    causes
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn names(crd: &Value, causes: &mut Vec<Cause>) {
    let (spec, names) = (&crd["spec"], &crd["spec"]["names"]);
    let (group, plural) = (text(spec, "group"), text(names, "plural"));
    let name = text(&crd["metadata"], "name");
    if name != format!("{plural}.{group}") {
        let detail = r#"must be spec.names.plural+"."+spec.group"#;
        causes.push(Cause::invalid("metadata.name", &name.into(), detail));
    }
    if group.is_empty() {
        causes.push(Cause::required("spec.group", ""));
    } else if let Some(problem) = subdomain_problems(group).first() {
        causes.push(Cause::invalid("spec.group", &group.into(), problem));
    } else if !group.contains('.') {
        causes.push(Cause::invalid("spec.group", &group.into(), "should be a domain with at least one dot"));
    }
    match text(spec, "scope") {
        "" => causes.push(Cause::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => causes.push(Cause::not_supported("spec.scope", other, &["Cluster", "Namespaced"])),
    }
    label("spec.names.plural", plural, true, causes);
    label("spec.names.singular", text(names, "singular"), false, causes);
    let (kind, list_kind) = (text(names, "kind"), text(names, "listKind"));
    for (field, value) in [("spec.names.kind", kind), ("spec.names.listKind", list_kind)] {
        if value.is_empty() {
            causes.push(Cause::required(field, ""));
        } else if let Some(problem) = label_1035_problems(&value.to_lowercase()).first() {
            let detail = format!("may have mixed case, but should otherwise match: {problem}");
            causes.push(Cause::invalid(field, &value.into(), &detail));
        }
    }
    if !kind.is_empty() && kind == list_kind {
        causes.push(Cause::invalid("spec.names.listKind", &list_kind.into(), "kind and listKind may not be the same"));
    }
    for (at, short) in names["shortNames"].as_array().into_iter().flatten().enumerate() {
        label(&format!("spec.names.shortNames[{at}]"), short.as_str().unwrap_or_default(), true, causes);
    }
}

fn label(field: &str, value: &str, required: bool, causes: &mut Vec<Cause>) {
    if value.is_empty() {
        if required {
            causes.push(Cause::required(field, ""));
        }
    } else if let Some(problem) = label_1035_problems(value).first() {
        causes.push(Cause::invalid(field, &value.into(), problem));
    }
}

fn versions_fit(crd: &Value, causes: &mut Vec<Cause>) {
    let all = &crd["spec"]["versions"];
    let wrong = |detail: &str| Cause::invalid("spec.versions", all, detail);
    let names: Vec<&str> = versions(crd).map(|it| text(it, "name")).collect();
    if names.is_empty() {
        causes.push(wrong("must have exactly one version marked as storage version"));
        return;
    }
    if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        causes.push(wrong("must contain unique version names"));
    }
    if versions(crd).filter(|it| it["storage"] == true).count() != 1 {
        causes.push(wrong("must have exactly one version marked as storage version"));
    }
}

fn one_version(crd: &Value, at: usize, version: &Value, judge: Option<Option<&dyn Language>>, causes: &mut Vec<Cause>) {
    let place = format!("spec.versions[{at}]");
    label(&format!("{place}.name"), text(version, "name"), true, causes);
    let schema = &version["schema"]["openAPIV3Schema"];
    // A single version's schema stands where the first API version had it.
    let single = versions(crd).count() == 1;
    let field =
        if single { "spec.validation.openAPIV3Schema".to_owned() } else { format!("{place}.schema.openAPIV3Schema") };
    if !schema.is_object() {
        causes.push(Cause::required(&format!("{place}.schema.openAPIV3Schema"), "schemas are required"));
    } else if let Some(language) = judge {
        causes.extend(schema_errors(schema, &FieldPath::of(&field), language).into_iter().map(Cause::from));
    }
    for (at, column) in version["additionalPrinterColumns"].as_array().into_iter().flatten().enumerate() {
        column_fits(&format!("{place}.additionalPrinterColumns[{at}]"), column, causes);
    }
    let scale = &version["subresources"]["scale"];
    if scale.is_object() {
        scale_fits(&format!("{place}.subresources.scale"), scale, causes);
    }
}

/// Whether a schema is structural and its rules compile.
fn schema_errors(schema: &Value, path: &FieldPath<'_>, language: Option<&dyn Language>) -> Vec<FieldError> {
    match (kanon_schema::structural_schema(schema, path), language) {
        (Err(errors), _) => errors,
        (Ok(schema), Some(language)) => Rules::compile(&schema, language, path).err().unwrap_or_default(),
        (Ok(_), None) => Vec::new(),
    }
}

fn column_fits(place: &str, column: &Value, causes: &mut Vec<Cause>) {
    if text(column, "name").is_empty() {
        causes.push(Cause::required(&format!("{place}.name"), ""));
    }
    match text(column, "type") {
        "" => {
            causes.push(Cause::required(&format!("{place}.type"), "must be one of boolean,date,integer,number,string"))
        }
        kind if !COLUMN_TYPES.contains(&kind) => {
            let detail = "must be one of boolean,date,integer,number,string";
            causes.push(Cause::invalid(&format!("{place}.type"), &kind.into(), detail));
        }
        _ => {}
    }
    if text(column, "jsonPath").is_empty() {
        causes.push(Cause::required(&format!("{place}.jsonPath"), ""));
    }
}

fn scale_fits(place: &str, scale: &Value, causes: &mut Vec<Cause>) {
    for (name, parent) in [("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")] {
        let (field, path) = (format!("{place}.{name}"), text(scale, name));
        if path.is_empty() {
            causes.push(Cause::required(&field, ""));
        } else if !path.starts_with(parent) {
            let detail = format!("should be a json path under {}", parent.trim_end_matches('.'));
            causes.push(Cause::invalid(&field, &path.into(), &detail));
        }
    }
}

fn stored(crd: &Value, causes: &mut Vec<Cause>) {
    let names: Vec<&str> = versions(crd).map(|it| text(it, "name")).collect();
    for (at, version) in crd["status"]["storedVersions"].as_array().into_iter().flatten().enumerate() {
        if !names.contains(&version.as_str().unwrap_or_default()) {
            let field = format!("status.storedVersions[{at}]");
            causes.push(Cause::invalid(&field, version, "must appear in spec.versions"));
        }
    }
}

/// Objects of several versions can only differ by their apiVersion: conversion webhooks are not called.
fn convertible(crd: &Value, causes: &mut Vec<Cause>) {
    let strategy = text(&crd["spec"]["conversion"], "strategy");
    if !matches!(strategy, "" | "None") && versions(crd).count() > 1 {
        causes.push(Cause::not_supported("spec.conversion.strategy", strategy, &["None"]));
    }
}

fn immutable(crd: &Value, old: &Value, causes: &mut Vec<Cause>) {
    for path in [&["scope"][..], &["group"], &["names", "kind"], &["names", "plural"]] {
        let at = |crd: &Value| path.iter().fold(&crd["spec"], |it, name| &it[*name]).clone();
        if at(crd) != at(old) {
            let field = format!("spec.{}", path.join("."));
            causes.push(Cause::invalid(&field, &at(crd), "field is immutable"));
        }
    }
}
