//! A resource's schema at work: what is dropped, filled in and refused. The one place where built-in and custom kinds part.

use serde_json::Value;

use crate::{
    request::FieldValidation,
    resource::{Origin, Resource},
    status::{ApiError, Cause, Result},
    write::namespace,
};

/// Drops what the kind does not know; gives the paths.
pub(crate) fn prune(resource: &Resource, object: &mut Value) -> Vec<String> {
    kanon_schema::prune(&resource.schema(), object)
}

/// Fills in what the client may leave out.
pub(crate) fn default(resource: &Resource, object: &mut Value) {
    match &resource.origin {
        Origin::Builtin(kind) => {
            kanon_kinds::default(kind, object);
            if resource.is_core("Namespace") {
                namespace::label(object);
            }
        }
        Origin::Custom(_) => kanon_schema::default(&resource.schema(), object),
    }
}

/// Everything that the kind's own rules refuse, and what they only warn of; metadata is checked elsewhere (`crate::meta`).
pub(crate) fn validate(resource: &Resource, object: &Value, old: Option<&Value>) -> (Vec<Cause>, Vec<String>) {
    let (errors, warnings) = match &resource.origin {
        Origin::Builtin(kind) => (kanon_kinds::validate_kind(kind, object, old), Vec::new()),
        Origin::Custom(custom) => {
            let found = custom.checker.judge(object, old);
            (found.errors, found.ratcheted)
        }
    };
    (errors.into_iter().map(Cause::from).collect(), warnings.iter().map(ToString::to_string).collect())
}

/// Drops unknown fields of a body and judges them, together with duplicate ones, by `fieldValidation`: gives the warnings.
///
/// # Errors
/// 400 under `Strict`.
pub(crate) fn checked_prune(
    resource: &Resource,
    object: &mut Value,
    duplicates: &[String],
    validation: FieldValidation,
) -> Result<Vec<String>> {
    let findings = findings(&prune(resource, object), duplicates);
    match validation {
        FieldValidation::Strict if !findings.is_empty() => {
            Err(ApiError::strict_decoding(&resource.gvk.kind, &resource.gvk.version, &findings))
        }
        FieldValidation::Strict | FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => Ok(findings),
    }
}

/// Findings in upstream's words, duplicates first.
pub(crate) fn findings(unknown: &[String], duplicates: &[String]) -> Vec<String> {
    let duplicates = duplicates.iter().map(|it| format!("duplicate field {it:?}"));
    let unknown = unknown.iter().map(|it| format!("unknown field {it:?}"));
    duplicates.chain(unknown).collect()
}
