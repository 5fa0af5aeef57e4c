//! What a definition must be like, in upstream's words. What all versions have alike is told at the place where the first API
//! version had it (`spec.validation`, `spec.subresources`, …), as upstream does.

use std::collections::BTreeSet;

use kanon_lang::Language;
use kanon_schema::{FieldError, FieldPath, Rules};
use serde_json::Value;

use super::{approval, columns, conversion, establish::is_established, names, selectable, versions};
use crate::status::Cause;

/// Longest warning of a deprecated version, in characters.
const WARNING_MAX: usize = 256;

/// Everything wrong with a definition; with `old`, also what must not change.
pub(crate) fn validate(crd: &Value, old: Option<&Value>, language: Option<&dyn Language>) -> Vec<Cause> {
    let mut causes = Vec::new();
    names::validate(crd, &mut causes);
    approval::validate(crd, old, &mut causes);
    versions_fit(crd, &mut causes);
    for (at, version) in versions(crd).enumerate() {
        // A schema that did not change was judged when it came.
        let judged = old.is_some_and(|old| {
            versions(old).any(|it| it["name"] == version["name"] && it["schema"] == version["schema"])
        });
        one_version(crd, at, version, (!judged).then_some(language), &mut causes);
    }
    if crd["spec"]["preserveUnknownFields"] == true && old.is_none_or(|it| it["spec"]["preserveUnknownFields"] != true)
    {
        let detail =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        causes.push(Cause::invalid("spec.preserveUnknownFields", &true.into(), detail));
    }
    stored(crd, &mut causes);
    conversion::validate(crd, &mut causes);
    if let Some(old) = old {
        immutable(crd, old, &mut causes);
    }
    causes
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
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

/// Where a member of a version is told, and whether it is this version's turn to tell it.
fn placed(crd: &Value, at: usize, version: &Value, member: &str, shared: &str) -> Option<String> {
    let alike = versions(crd).all(|it| it.get(member) == version.get(member));
    match (alike, at) {
        (true, 0) => Some(format!("spec.{shared}")),
        (true, _) => None,
        (false, _) => Some(format!("spec.versions[{at}].{member}")),
    }
}

fn one_version(crd: &Value, at: usize, version: &Value, judge: Option<Option<&dyn Language>>, causes: &mut Vec<Cause>) {
    let place = format!("spec.versions[{at}]");
    names::required_label(&format!("{place}.name"), text(version, "name"), causes);
    warning(&format!("{place}.deprecationWarning"), version, causes);
    let schema = &version["schema"]["openAPIV3Schema"];
    if !schema.is_object() {
        causes.push(Cause::required(&format!("{place}.schema.openAPIV3Schema"), "schemas are required"));
    } else if let (Some(language), Some(place)) = (judge, placed(crd, at, version, "schema", "validation")) {
        let place = format!("{place}.openAPIV3Schema");
        root(&place, schema, version["subresources"]["status"].is_object(), causes);
        causes.extend(schema_errors(schema, &FieldPath::of(&place), language).into_iter().map(Cause::from));
    }
    if let Some(place) = placed(crd, at, version, "subresources", "subresources") {
        columns::scale(&format!("{place}.scale"), &version["subresources"]["scale"], causes);
    }
    let printed = "additionalPrinterColumns";
    if let Some(place) = placed(crd, at, version, printed, printed) {
        columns::columns(&place, &version[printed], causes);
    }
    // Fields are looked for in the version's own schema, so they are alike only where schemas are.
    let alike = versions(crd).all(|it| it["schema"] == version["schema"]);
    let selected = "selectableFields";
    let place = if alike { placed(crd, at, version, selected, selected) } else { Some(format!("{place}.{selected}")) };
    if let Some(place) = place {
        selectable::validate(&place, &version[selected], schema, causes);
    }
}

/// The text for clients of a deprecated version: it becomes a header.
fn warning(field: &str, version: &Value, causes: &mut Vec<Cause>) {
    let Some(text) = version["deprecationWarning"].as_str() else { return };
    let mut wrong = |detail: &str| causes.push(Cause::invalid(field, &text.into(), detail));
    if version["deprecated"] != true {
        wrong("can only be set for deprecated versions");
    }
    if text.chars().count() > WARNING_MAX {
        wrong(&format!("must be <= {WARNING_MAX} characters long"));
    }
    if text.is_empty() {
        wrong("must not be an empty string");
    }
    if let Some((at, _)) = text.char_indices().find(|(_, it)| it.is_control()) {
        wrong(&format!("must only contain printable UTF-8 characters; non-printable character found at index {at}"));
    }
}

/// What a schema may say at its root: with a status of its own, only what holds for status alone too.
fn root(place: &str, schema: &Value, has_status: bool, causes: &mut Vec<Cause>) {
    const REFUSED: [&str; 14] = [
        "additionalProperties",
        "allOf",
        "anyOf",
        "default",
        "enum",
        "maxProperties",
        "minProperties",
        "not",
        "nullable",
        "oneOf",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
    ];
    let is_set = |name: &str| schema.get(name).is_some_and(|it| !it.is_null() && *it != false);
    if has_status && REFUSED.iter().any(|it| is_set(it)) {
        let detail = "only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems \
                      MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields \
                      XValidations] fields are allowed at the root of the schema if the status subresource is enabled";
        causes.push(Cause::invalid(place, schema, detail));
    }
    if schema["nullable"] == true {
        causes.push(Cause::forbidden(&format!("{place}.nullable"), "nullable cannot be true at the root"));
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

/// Versions in which objects may be stored cannot go while they are noted.
fn stored(crd: &Value, causes: &mut Vec<Cause>) {
    let list = &crd["status"]["storedVersions"];
    let Some(noted) = list.as_array() else { return };
    let field = "status.storedVersions";
    if noted.is_empty() {
        causes.push(Cause::invalid(field, list, "must have at least one stored version"));
    }
    for name in versions(crd).filter(|it| it["storage"] == true).map(|it| text(it, "name")) {
        if !noted.iter().any(|it| it == name) {
            let detail = format!("must have the storage version {name}");
            causes.push(Cause::invalid(field, list, &detail));
        }
    }
    for (at, version) in noted.iter().enumerate() {
        if !versions(crd).any(|it| it["name"] == *version) {
            let name = version.as_str().unwrap_or_default();
            let detail = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a \
                 storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            causes.push(Cause::invalid(&format!("{field}[{at}]"), version, &detail));
        }
    }
}

/// Where objects are stored never changes; what they are does not once they are served.
fn immutable(crd: &Value, old: &Value, causes: &mut Vec<Cause>) {
    const ALWAYS: [&[&str]; 2] = [&["group"], &["names", "plural"]];
    const SERVED: [&[&str]; 2] = [&["scope"], &["names", "kind"]];
    let served = if is_established(old) { &SERVED[..] } else { &[] };
    for path in ALWAYS.iter().chain(served) {
        let at = |crd: &Value| path.iter().fold(&crd["spec"], |it, name| &it[*name]).clone();
        if at(crd) != at(old) {
            let field = format!("spec.{}", path.join("."));
            causes.push(Cause::invalid(&field, &at(crd), "field is immutable"));
        }
    }
}
