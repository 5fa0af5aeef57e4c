//! Rules for the metadata of a new object and of a changed one.

use serde_json::Value;

use super::{finalizers, is_deleting, name_causes, text, validate_common};
use crate::{
    resource::{NameRule, Resource},
    status::Cause,
};

/// What is wrong with the metadata of a new object whose name is already made.
pub(crate) fn validate_create(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (name, prefix) = (text(object, "name"), text(object, "generateName"));
    if !prefix.is_empty() {
        causes.extend(name_causes(resource.name_rule, "metadata.generateName", prefix, true));
    }
    if name.is_empty() {
        if resource.name_rule != NameRule::None {
            causes.push(Cause::required("metadata.name", "name or generateName is required"));
        }
    } else {
        causes.extend(name_causes(resource.name_rule, "metadata.name", name, false));
    }
    validate_common(object, &mut causes);
    causes
}

/// What is wrong with the metadata of a changed object. What only the server writes is already as before.
pub(crate) fn validate_update(object: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for name in ["name", "namespace"] {
        if text(object, name) != text(old, name) {
            let value = text(object, name).into();
            causes.push(Cause::invalid(&format!("metadata.{name}"), &value, "field is immutable"));
        }
    }
    if is_deleting(old) {
        let new: Vec<&str> = finalizers(object).filter(|it| !finalizers(old).any(|had| had == *it)).collect();
        if !new.is_empty() {
            let list: Vec<String> = new.iter().map(|it| format!("{it:?}")).collect();
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                list.join(", ")
            );
            causes.push(Cause::forbidden("metadata.finalizers", &detail));
        }
    }
    if object["metadata"] != old["metadata"] {
        validate_common(object, &mut causes);
    }
    causes
}
