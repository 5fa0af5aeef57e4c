//! Who owns which fields (spec/kubernetes-api.md 4.6): the bookkeeping around every write.

use std::borrow::Cow;

use kanon_schema::{ApplyError, Writer};
use serde_json::Value;

use super::{Context, Part, timestamp};
use crate::{
    meta,
    status::{ApiError, Result},
};

/// Notes that the request's manager wrote what differs from `old` (everything, for a new object).
pub(super) fn update(ctx: &Context<'_>, old: Option<&Value>, object: &mut Value) {
    let old = old.map(|it| without_lost_versions(ctx, it));
    if let Cow::Owned(kept) = without_lost_versions(ctx, object) {
        *object = kept;
    }
    let mut old = old;
    let mut aside = Vec::new();
    if is_converted(ctx) {
        let of_old = old.as_mut().map(|it| set_aside(ctx, it.to_mut())).unwrap_or_default();
        // A write that does not name the entries keeps them.
        let names_them = object["metadata"]["managedFields"].is_array();
        aside = if names_them { set_aside(ctx, object) } else { of_old };
    }
    with_writer(ctx, |writer| {
        kanon_schema::update_managed_fields(&ctx.resource.schema(), old.as_deref(), object, writer);
    });
    put_back(object, aside);
}

/// Whether a webhook converts the kind's objects.
fn is_converted(ctx: &Context<'_>) -> bool {
    ctx.resource.custom().is_some_and(|it| it.converter.is_some())
}

/// Takes out the entries of other versions than the request's: their fields have other places there, so this version can neither
/// judge nor change them.
fn set_aside(ctx: &Context<'_>, object: &mut Value) -> Vec<Value> {
    let version = ctx.resource.api_version();
    let Some(entries) = object["metadata"]["managedFields"].as_array_mut() else { return Vec::new() };
    let is_other = |it: &mut Value| it["apiVersion"].as_str().is_some_and(|it| it != version);
    entries.extract_if(.., is_other).collect()
}

/// The way back from [`set_aside`]; entries are in the order of their times.
fn put_back(object: &mut Value, aside: Vec<Value>) {
    if aside.is_empty() {
        return;
    }
    let mut entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    entries.extend(aside);
    // As upstream sorts them: applies before updates.
    let text = |it: &Value, member: &str| it[member].as_str().unwrap_or_default().to_owned();
    entries.sort_by_cached_key(|it| {
        (it["operation"] != "Apply", text(it, "time"), text(it, "manager"), text(it, "apiVersion"))
    });
    meta::set(object, "managedFields", Some(entries.into()));
}

/// An object without the entries of versions that its definition has no more: nobody can read what they own. Built-in
/// kinds lose no version while the server runs.
fn without_lost_versions<'v>(ctx: &Context<'_>, object: &'v Value) -> Cow<'v, Value> {
    let Some(custom) = ctx.resource.custom() else { return Cow::Borrowed(object) };
    // Entries without a version are for others to judge.
    let known =
        |entry: &Value| entry["apiVersion"].as_str().is_none_or(|it| custom.api_versions.iter().any(|has| has == it));
    let entries = object["metadata"]["managedFields"].as_array();
    if entries.into_iter().flatten().all(known) {
        return Cow::Borrowed(object);
    }
    let mut object = object.clone();
    if let Some(entries) = object["metadata"]["managedFields"].as_array_mut() {
        entries.retain(known);
    }
    Cow::Owned(object)
}

/// A configuration without what a write of this part cannot set: nobody comes to own it.
pub(super) fn without_other_parts(ctx: &Context<'_>, part: Part, config: &Value) -> Value {
    let mut config = config.clone();
    let Value::Object(members) = &mut config else { return config };
    match part {
        Part::Object if ctx.resource.has_status => drop(members.remove("status")),
        Part::Object | Part::Scale | Part::Finalize | Part::EphemeralContainers => {}
        Part::Status => {
            members.retain(|name, _| matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
            if let Some(Value::Object(metadata)) = members.get_mut("metadata") {
                metadata.retain(|name, _| matches!(name.as_str(), "name" | "namespace" | "managedFields"));
            }
        }
    }
    config
}

/// Applies a configuration to what is there.
///
/// # Errors
/// 409 for fields of others, 500 for fields the schema does not declare, 400 for managed fields in the configuration.
pub(super) fn apply(ctx: &Context<'_>, live: Option<&Value>, config: &Value) -> Result<Value> {
    let schema = &*ctx.resource.schema();
    let mut live = live.map(|it| without_lost_versions(ctx, it));
    let aside = live.as_mut().filter(|_| is_converted(ctx)).map(|it| set_aside(ctx, it.to_mut())).unwrap_or_default();
    let result =
        with_writer(ctx, |writer| kanon_schema::apply(schema, live.as_deref(), config, writer, ctx.options.force));
    let applied = result.map(|mut object| {
        put_back(&mut object, aside);
        object
    });
    applied.map_err(|error| match error {
        ApplyError::Conflicts(conflicts) => ApiError::apply_conflict(&conflicts),
        ApplyError::Typed(problem) => {
            // As the configuration has it: most leave their namespace out.
            let (namespace, name) = (meta::text(config, "namespace"), &ctx.address.name);
            let gvk = &ctx.resource.gvk;
            let (version, kind) = (gvk.api_version(), &gvk.kind);
            ApiError::plain_500(format!(
                "failed to create typed patch object ({namespace}/{name}; {version}, Kind={kind}): {problem}"
            ))
        }
        ApplyError::ManagedFields => ApiError::bad_request(ApplyError::ManagedFields.to_string()),
    })
}

fn with_writer<R>(ctx: &Context<'_>, run: impl FnOnce(&Writer<'_>) -> R) -> R {
    run(&Writer {
        manager: &ctx.options.field_manager,
        api_version: &ctx.resource.api_version(),
        subresource: &ctx.address.subresource,
        now: &timestamp(ctx),
    })
}

/// Whether two states differ in the times of managed fields at most.
pub(super) fn equal_but_times(new: &Value, old: &Value) -> bool {
    if new == old {
        return true;
    }
    let members = |value: &Value| value.as_object().map(|it| it.len());
    let same_outside = members(new) == members(old)
        && new
            .as_object()
            .into_iter()
            .flatten()
            .all(|(name, value)| name == "metadata" || old.get(name) == Some(value));
    same_outside && without_times(new) == without_times(old)
}

/// The metadata, with the times of managed fields taken out.
fn without_times(object: &Value) -> Value {
    let mut metadata = object["metadata"].clone();
    for entry in metadata["managedFields"].as_array_mut().into_iter().flatten() {
        if let Value::Object(entry) = entry {
            entry.remove("time");
        }
    }
    let mut holder = serde_json::json!({"metadata": metadata});
    if holder["metadata"]["managedFields"].is_null() {
        meta::set(&mut holder, "managedFields", None);
    }
    holder
}
