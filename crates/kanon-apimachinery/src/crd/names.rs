//! What a definition may be called: itself, its group, its kind.

use kanon_kinds::{label_1035_problems, subdomain_problems};
use serde_json::Value;

use super::validate::text;
use crate::status::Cause;

pub(super) fn validate(crd: &Value, causes: &mut Vec<Cause>) {
    let (spec, names) = (&crd["spec"], &crd["spec"]["names"]);
    let (group, plural) = (text(spec, "group"), text(names, "plural"));
    let name = text(&crd["metadata"], "name");
    if name != format!("{plural}.{group}") {
        let detail = r#"must be spec.names.plural+"."+spec.group"#;
        causes.push(Cause::invalid("metadata.name", &name.into(), detail));
    }
    let problems = subdomain_problems(group);
    if group.is_empty() {
        causes.push(Cause::required("spec.group", ""));
    } else if !problems.is_empty() {
        causes.push(Cause::invalid("spec.group", &group.into(), &problems.join(",")));
    } else if !group.contains('.') {
        causes.push(Cause::invalid("spec.group", &group.into(), "should be a domain with at least one dot"));
    }
    match text(spec, "scope") {
        "" => causes.push(Cause::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => causes.push(Cause::not_supported("spec.scope", other, &["Cluster", "Namespaced"])),
    }
    for member in ["plural", "singular", "kind", "listKind"] {
        if text(names, member).is_empty() {
            causes.push(Cause::required(&format!("spec.names.{member}"), ""));
        }
    }
    for member in ["plural", "singular"] {
        label(&format!("spec.names.{member}"), text(names, member), causes);
    }
    let (kind, list_kind) = (text(names, "kind"), text(names, "listKind"));
    for (field, value) in [("spec.names.kind", kind), ("spec.names.listKind", list_kind)] {
        let problems = label_1035_problems(&value.to_lowercase());
        if !value.is_empty() && !problems.is_empty() {
            let detail = format!("may have mixed case, but should otherwise match: {}", problems.join(","));
            causes.push(Cause::invalid(field, &value.into(), &detail));
        }
    }
    if !kind.is_empty() && kind == list_kind {
        causes.push(Cause::invalid("spec.names.listKind", &list_kind.into(), "kind and listKind may not be the same"));
    }
    for member in ["shortNames", "categories"] {
        for (at, name) in names[member].as_array().into_iter().flatten().enumerate() {
            required_label(&format!("spec.names.{member}[{at}]"), name.as_str().unwrap_or_default(), causes);
        }
    }
}

fn label(field: &str, value: &str, causes: &mut Vec<Cause>) {
    if !value.is_empty() {
        required_label(field, value, causes);
    }
}

/// A DNS-1035 label, an empty one is none.
pub(super) fn required_label(field: &str, value: &str, causes: &mut Vec<Cause>) {
    let problems = label_1035_problems(value);
    if !problems.is_empty() {
        causes.push(Cause::invalid(field, &value.into(), &problems.join(",")));
    }
}
