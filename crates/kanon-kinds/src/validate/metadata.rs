//! `metadata` of every stored object.

use super::field::{Errors, Field};
use crate::{
    BuiltinKind,
    names::{label_problems, label_value_problems, qualified_name_problems},
};

/// Largest annotations of an object, in bytes of keys and values.
const MAX_ANNOTATIONS: usize = 256 * 1024;

pub(super) fn validate(kind: &BuiltinKind, metadata: &Field<'_>, errors: &mut Errors) {
    names(kind, metadata, errors);
    labels(&metadata.get("labels"), errors);
    annotations(&metadata.get("annotations"), errors);
    let finalizers = metadata.get("finalizers");
    finalizers.each(|it| {
        for problem in qualified_name_problems(it.text()) {
            finalizers.invalid_value(errors, it.text(), problem);
        }
    });
    owners(&metadata.get("ownerReferences"), errors);
}

fn names(kind: &BuiltinKind, metadata: &Field<'_>, errors: &mut Errors) {
    let (name, prefix) = (metadata.get("name"), metadata.get("generateName"));
    if !prefix.is_empty() {
        prefix.problems(errors, kind.name_rule.problems(prefix.text(), true));
    }
    if !name.is_empty() {
        name.problems(errors, kind.name_rule.problems(name.text(), false));
    } else if prefix.is_empty() {
        name.required(errors, "name or generateName is required");
    }
    let namespace = metadata.get("namespace");
    if !namespace.is_empty() {
        match kind.scope {
            kanon_core::Scope::Namespaced => namespace.problems(errors, label_problems(namespace.text())),
            kanon_core::Scope::Cluster => namespace.forbidden(errors, "not allowed on this type"),
        }
    }
}

/// Keys and values of labels, also those of pod templates and selectors.
pub(super) fn labels(labels: &Field<'_>, errors: &mut Errors) {
    for (key, value) in labels.entries() {
        for problem in qualified_name_problems(key) {
            labels.invalid_value(errors, key, problem);
        }
        let value = value.as_str().unwrap_or_default();
        for problem in label_value_problems(value) {
            labels.invalid_value(errors, value, problem);
        }
    }
}

pub(super) fn annotations(annotations: &Field<'_>, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in annotations.entries() {
        // Upper case is fine in the prefix of an annotation's key.
        for problem in qualified_name_problems(&key.to_lowercase()) {
            annotations.invalid_value(errors, key, problem);
        }
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > MAX_ANNOTATIONS {
        annotations.too_long(errors, MAX_ANNOTATIONS);
    }
}

fn owners(owners: &Field<'_>, errors: &mut Errors) {
    let mut controller: Option<String> = None;
    owners.each(|owner| {
        for (member, detail) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if owner.get(member).is_empty() {
                owner.get(member).invalid_value(errors, "", detail);
            }
        }
        if owner.get("controller").is_true() {
            let this = owner.get("name").text().to_owned();
            if let Some(first) = &controller {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                );
                owners.invalid(errors, detail);
            }
            controller = controller.take().or(Some(this));
        }
    });
}

/// What the server stamped stays as it is.
pub(super) fn update(metadata: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    for member in ["name", "namespace", "uid", "creationTimestamp"] {
        metadata.get(member).unchanged(&old.get(member), errors);
    }
}
