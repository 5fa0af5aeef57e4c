//! PUT: a changed object, or a part of one.

use std::sync::Arc;

use kanon_core::{GroupVersionKind, Operation};
use kanon_store::Entry;
use serde_json::Value;

use super::{Context, Old, Part, Prepared, managed, scale, served_value, version_of};
use crate::{
    decode::Body,
    meta, shape,
    status::{ApiError, Cause, Result},
};

/// Members of metadata that only the server writes.
const SERVER_OWNED: [&str; 7] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "selfLink",
];

/// A changed object from a decoded body, as mutating admission sees it. `current` is what is stored under the URL's name.
///
/// # Errors
/// 404 without a current object; 400 for another name or namespace; 409 for another version or uid.
pub fn prepare(ctx: &Context<'_>, body: Body, current: Option<&Arc<Entry>>) -> Result<Prepared> {
    let part = part(ctx)?;
    if part == Part::Scale {
        return scale::prepare(ctx, existing(ctx, current)?, body.value);
    }
    let Body { value: mut object, duplicates } = body;
    let warnings = shape::checked_prune(ctx.resource, &mut object, &duplicates, ctx.options.field_validation)?;
    let entry = existing(ctx, current)?;
    check_address(ctx, &mut object)?;
    let old = old(ctx, entry);
    let given = version_of(&object)?;
    if given.is_none() && ctx.resource.custom().is_some() {
        return Err(version_required(ctx));
    }
    merged(ctx, part, old, object, warnings, given.is_some(), false)
}

/// What PUT and the patches have in common from here: `object` is the whole new state that the client wants.
pub(super) fn merged(
    ctx: &Context<'_>,
    part: Part,
    old: Old,
    mut object: Value,
    mut warnings: Vec<String>,
    is_conditional: bool,
    is_patch: bool,
) -> Result<Prepared> {
    check_version(ctx, part, &object, &old, is_patch)?;
    warnings.extend(meta::dedup_owners(&mut object));
    meta::drop_empty(&mut object);
    keep_system(&mut object, &old.value);
    let mut object = isolate(ctx, part, object, &old.value);
    if let Some(kind) = ctx.resource.builtin_kind() {
        kanon_kinds::prepare_update(kind, &mut object, &old.value);
    }
    shape::default(ctx.resource, &mut object);
    managed::update(ctx, Some(&old.value), &mut object);
    Ok(Prepared {
        operation: Operation::Update,
        part,
        object,
        old_object: Some(old.value.clone()),
        old: Some(old),
        warnings,
        is_conditional,
        is_apply: false,
    })
}

/// The part addressed.
pub(super) fn part(ctx: &Context<'_>) -> Result<Part> {
    Part::of(&ctx.address.subresource).ok_or_else(ApiError::method_not_allowed)
}

/// The current object, or 404.
pub(super) fn existing<'e>(ctx: &Context<'_>, current: Option<&'e Arc<Entry>>) -> Result<&'e Arc<Entry>> {
    current.ok_or_else(|| ApiError::not_found(&ctx.resource.group_resource(), &ctx.address.name))
}

pub(super) fn old(ctx: &Context<'_>, entry: &Arc<Entry>) -> Old {
    let mut value = served_value(ctx.resource, &entry.object);
    // Objects that were stored before the kind's defaults were what they are now.
    shape::default(ctx.resource, &mut value);
    Old { entry: Arc::clone(entry), value }
}

/// Name and namespace of a body must be those of the URL.
pub(super) fn check_address(ctx: &Context<'_>, object: &mut Value) -> Result<()> {
    let (name, wanted) = (meta::text(object, "name"), &ctx.address.name);
    if name.is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({wanted} based on URL) was undeterminable: name must be provided"
        )));
    }
    if name != wanted {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({wanted})"
        )));
    }
    meta::fill_namespace(ctx.resource, object, ctx.address.object_namespace())
}

pub(super) fn version_required(ctx: &Context<'_>) -> ApiError {
    let cause = Cause::new(
        "FieldValueInvalid",
        "metadata.resourceVersion",
        "Invalid value: 0x0: must be specified for an update",
    );
    // Upstream names the resource here, where it names the kind elsewhere.
    let gvk = &ctx.resource.gvk;
    let what = GroupVersionKind::new(&gvk.group, &gvk.version, &ctx.resource.plural);
    ApiError::invalid(&what, &ctx.address.name, vec![cause])
}

/// A version or uid in the object must be the current one.
fn check_version(ctx: &Context<'_>, part: Part, object: &Value, old: &Old, is_patch: bool) -> Result<()> {
    let what = ctx.resource.group_resource();
    if is_patch {
        check_uid(ctx, object, &old.value)?;
    } else {
        let (uid, found) = (meta::text(object, "uid"), meta::text(&old.value, "uid"));
        if !uid.is_empty() && uid != found {
            return Err(ApiError::other_uid(&what, old.entry.key.as_str(), &ctx.address.name, uid, found));
        }
        let begun = &object["metadata"]["deletionTimestamp"];
        if part == Part::Object && begun.is_string() && *begun != old.value["metadata"]["deletionTimestamp"] {
            return Err(immutable(ctx, "metadata.deletionTimestamp", begun));
        }
    }
    match version_of(object)? {
        Some(version) if version != old.entry.revision => Err(ApiError::conflict(&what, &ctx.address.name)),
        _ => Ok(()),
    }
}

/// A patch cannot make an object another one.
pub(super) fn check_uid(ctx: &Context<'_>, object: &Value, old: &Value) -> Result<()> {
    let uid = &object["metadata"]["uid"];
    if uid.as_str().is_some_and(|it| !it.is_empty()) && *uid != old["metadata"]["uid"] {
        return Err(immutable(ctx, "metadata.uid", uid));
    }
    Ok(())
}

fn immutable(ctx: &Context<'_>, field: &str, value: &Value) -> ApiError {
    ApiError::invalid(&ctx.resource.gvk, &ctx.address.name, vec![Cause::invalid(field, value, "field is immutable")])
}

/// Puts back what only the server writes.
pub(super) fn keep_system(object: &mut Value, old: &Value) {
    for name in SERVER_OWNED {
        meta::set(object, name, old["metadata"].get(name).cloned());
    }
}

/// Limits a write to its part.
pub(super) fn isolate(ctx: &Context<'_>, part: Part, mut object: Value, old: &Value) -> Value {
    let (name, path): (&str, &[&str]) = match part {
        Part::Object | Part::Scale => {
            if ctx.resource.has_status {
                copy(&mut object, old, &["status"]);
            }
            return object;
        }
        Part::Status => ("status", &["status"]),
        Part::Finalize => ("spec", &["spec", "finalizers"]),
        Part::EphemeralContainers => ("spec", &["spec", "ephemeralContainers"]),
    };
    // Finalizers of objects other than namespaces are metadata; nothing but the part and its ownership changes.
    let mut kept = old.clone();
    copy(&mut kept, &object, path);
    if object.get(name).is_none() && path.len() == 1 {
        copy(&mut kept, &object, &[name]);
    }
    meta::set(&mut kept, "managedFields", object["metadata"].get("managedFields").cloned());
    kept
}

/// Makes a member of `to` what it is in `from`: absent where it is absent.
fn copy(to: &mut Value, from: &Value, path: &[&str]) {
    let Some((last, parents)) = path.split_last() else { return };
    let value = path.iter().try_fold(from, |it, name| it.get(name)).cloned();
    let mut place = to;
    for name in parents {
        if !place[*name].is_object() {
            place[*name] = Value::Object(serde_json::Map::new());
        }
        place = &mut place[*name];
    }
    if let Value::Object(members) = place {
        match value {
            Some(value) => members.insert((*last).to_owned(), value),
            None => members.remove(*last),
        };
    }
}
