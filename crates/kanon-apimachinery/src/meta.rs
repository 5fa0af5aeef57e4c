//! ObjectMeta: what the server stamps, keeps and refuses (spec/kubernetes-api.md 4.1, 4.2, 4.7).

use kanon_core::Object;
use kanon_kinds::{label_value_problems, qualified_name_problems};
use serde_json::{Map, Value, json};

use crate::{
    resource::{NameRule, Resource},
    status::{ApiError, Cause, Result},
};

mod validate;

pub(crate) use validate::{validate_create, validate_update};

/// Bytes of all annotations of an object together, at most.
const ANNOTATIONS_MAX: usize = 256 * 1024;

/// The metadata of an object, made where it is absent or no object.
pub(crate) fn meta_mut(object: &mut Value) -> &mut Map<String, Value> {
    // Asked before it is made: making room for a name copies it, and this is asked a dozen times a write.
    if !object.get("metadata").is_some_and(Value::is_object) {
        if !object.is_object() {
            *object = json!({});
        }
        object["metadata"] = json!({});
    }
    object.get_mut("metadata").and_then(Value::as_object_mut).expect("made an object above")
}

/// The text of a metadata member, empty when absent.
pub(crate) fn text<'v>(object: &'v Value, name: &str) -> &'v str {
    object["metadata"][name].as_str().unwrap_or_default()
}

/// Whether a deletion has begun.
pub(crate) fn is_deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Whether a stored object's deletion has begun.
pub(crate) fn is_object_deleting(object: &Object) -> bool {
    object.at(&["metadata", "deletionTimestamp"]).is_some_and(|it| !it.is_null())
}

/// The finalizers.
pub(crate) fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Sets or removes a member.
pub(crate) fn set(object: &mut Value, name: &str, value: Option<Value>) {
    let meta = meta_mut(object);
    match value {
        Some(value) if !value.is_null() => meta.insert(name.to_owned(), value),
        _ => meta.remove(name),
    };
}

/// Puts the namespace of the request into an object, or refuses another one.
///
/// # Errors
/// 400.
pub(crate) fn fill_namespace(resource: &Resource, object: &mut Value, namespace: &str) -> Result<()> {
    let found = text(object, "namespace");
    if !found.is_empty() && (found != namespace || !resource.is_namespaced()) {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let wanted = resource.is_namespaced().then(|| namespace.into());
    set(object, "namespace", wanted);
    Ok(())
}

/// Drops owner references that are there twice, and says so.
pub(crate) fn dedup_owners(object: &mut Value) -> Option<String> {
    let owners = meta_mut(object).get_mut("ownerReferences")?.as_array_mut()?;
    let before = owners.len();
    let mut seen: Vec<Value> = Vec::new();
    owners.retain(|it| {
        let new = !seen.contains(it);
        if new {
            seen.push(it.clone());
        }
        new
    });
    (owners.len() < before).then(|| {
        ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed".to_owned()
    })
}

/// Label keys and values, annotations' keys and size, finalizers' names, owner references.
pub(crate) fn validate_common(object: &Value, causes: &mut Vec<Cause>) {
    let meta = &object["metadata"];
    labels(meta, "labels", causes);
    annotations(meta, causes);
    for finalizer in finalizers(object) {
        for problem in qualified_name_problems(finalizer) {
            causes.push(Cause::invalid("metadata.finalizers", &finalizer.into(), &problem));
        }
    }
    owners(meta, causes);
}

fn labels(meta: &Value, member: &str, causes: &mut Vec<Cause>) {
    let Some(labels) = meta[member].as_object() else { return };
    let field = format!("metadata.{member}");
    for (key, value) in labels {
        for problem in qualified_name_problems(key) {
            causes.push(Cause::invalid(&field, &key.as_str().into(), &problem));
        }
        for problem in label_value_problems(value.as_str().unwrap_or_default()) {
            causes.push(Cause::invalid(&field, value, &problem));
        }
    }
}

fn annotations(meta: &Value, causes: &mut Vec<Cause>) {
    let field = "metadata.annotations";
    let mut size = 0;
    for (key, value) in meta["annotations"].as_object().into_iter().flatten() {
        // Keys may have capitals in their prefix, for compatibility with old objects.
        for problem in qualified_name_problems(&key.to_lowercase()) {
            causes.push(Cause::invalid(field, &key.as_str().into(), &problem));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_MAX {
        let text = format!("Too long: may not be more than {ANNOTATIONS_MAX} bytes");
        causes.push(Cause::new("FieldValueTooLong", field, text));
    }
}

fn owners(meta: &Value, causes: &mut Vec<Cause>) {
    let field = "metadata.ownerReferences";
    let mut controller: Option<&Value> = None;
    for owner in meta["ownerReferences"].as_array().into_iter().flatten() {
        for name in ["apiVersion", "kind", "name", "uid"] {
            if owner[name].as_str().unwrap_or_default().is_empty() {
                let detail = if name == "apiVersion" { "version must not be empty" } else { "must not be empty" };
                causes.push(Cause::invalid(&format!("{field}.{name}"), &"".into(), detail));
            }
        }
        if owner["apiVersion"] == "v1" && owner["kind"] == "Event" {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            causes.push(Cause::invalid(field, owner, detail));
        }
        if owner["controller"] != true {
            continue;
        }
        if let Some(first) = controller {
            let name = |it: &Value| {
                let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
                format!("{}/{}", text("kind"), text("name"))
            };
            let detail = format!(
                "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
                name(first),
                name(owner)
            );
            causes.push(Cause::invalid(field, &meta["ownerReferences"], &detail));
        } else {
            controller = Some(owner);
        }
    }
}

/// What upstream's types leave out when it is empty: a tree does so too.
pub(crate) fn drop_empty(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for name in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let is_empty = match metadata.get(name) {
            Some(Value::Object(members)) => members.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            _ => false,
        };
        if is_empty {
            metadata.remove(name);
        }
    }
}

/// Warnings about finalizers that a write brings and that could be anybody's.
pub(crate) fn finalizer_warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    let is_new = |it: &&str| old.is_none_or(|old| finalizers(old).all(|had| had != *it));
    let text = |it: &str| {
        format!(
            "metadata.finalizers: {it:?}: prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
        )
    };
    finalizers(object).filter(is_new).filter(|it| !it.contains('/')).map(text).collect()
}

/// The causes that a name or its prefix gives.
fn name_causes(rule: NameRule, field: &str, name: &str, prefix: bool) -> Vec<Cause> {
    rule.problems(name, prefix).iter().map(|problem| Cause::invalid(field, &name.into(), problem)).collect()
}

#[cfg(test)]
mod tests;
