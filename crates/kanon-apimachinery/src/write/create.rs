//! POST: a new object.

use kanon_core::Operation;
use serde_json::Value;

use super::{Context, Part, Prepared, managed};
use crate::{
    decode::Body,
    meta, shape,
    status::{ApiError, Result},
};

/// A new object from a decoded body ([`crate::decode::object`]), as mutating admission sees it: with defaults and managed
/// fields, without uid, time and generation.
///
/// # Errors
/// 400 for another namespace and for unknown fields under `Strict`; 405 while the kind's definition is being deleted.
pub fn prepare(ctx: &Context<'_>, body: Body) -> Result<Prepared> {
    check_definition(ctx)?;
    let Body { value: mut object, duplicates } = body;
    let mut warnings = shape::checked_prune(ctx.resource, &mut object, &duplicates, ctx.options.field_validation)?;
    meta::fill_namespace(ctx.resource, &mut object, ctx.address.object_namespace())?;
    warnings.extend(meta::dedup_owners(&mut object));
    meta::drop_empty(&mut object);
    begin(ctx, &mut object);
    managed::update(ctx, None, &mut object);
    Ok(Prepared {
        operation: Operation::Create,
        part: Part::Object,
        object,
        old_object: None,
        old: None,
        warnings,
        is_conditional: false,
        is_apply: false,
    })
}

/// Nothing new comes to a kind that goes.
pub(super) fn check_definition(ctx: &Context<'_>) -> Result<()> {
    match ctx.resource.custom() {
        Some(custom) if custom.is_terminating => Err(ApiError::definition_terminating("create")),
        _ => Ok(()),
    }
}

/// Drops what only the server writes, and fills in defaults: also of an object that an apply makes.
pub(super) fn begin(ctx: &Context<'_>, object: &mut Value) {
    const OURS: [&str; 6] =
        ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"];
    meta::meta_mut(object).retain(|name, _| !OURS.contains(&name.as_str()));
    drop_status(ctx, object);
    shape::default(ctx.resource, object);
}

/// A new object has no status but what the server says. Nodes bring their own.
pub(super) fn drop_status(ctx: &Context<'_>, object: &mut Value) {
    if ctx.resource.has_status
        && !ctx.resource.is_core("Node")
        && let Value::Object(members) = object
    {
        members.remove("status");
    }
}

/// What a taken name answers. A shell repeats the request with another suffix (up to seven times) when the name was generated.
pub fn name_taken(ctx: &Context<'_>, object: &Value) -> ApiError {
    ApiError::already_exists(&ctx.resource.group_resource(), meta::text(object, "name"))
}
