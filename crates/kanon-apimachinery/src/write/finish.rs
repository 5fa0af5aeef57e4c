//! The second stage: from what mutating admission left to what is stored.

use kanon_core::Operation;
use kanon_store::{Change, Expect, Write};
use serde_json::Value;

use super::{
    Context, Finished, Old, Outcome, Part, Prepared, Stamp, create, draft, managed, namespace, put, scale, timestamp,
    update,
};
use crate::{
    decode, meta, shape,
    status::{ApiError, Cause, Result},
};

/// The longest prefix of a generated name: what is left of 63 characters.
const PREFIX_MAX: usize = 58;

pub(super) fn finish(
    ctx: &Context<'_>,
    prepared: Prepared,
    mut mutated: Value,
    touched: bool,
    stamp: &Stamp,
) -> Result<Finished> {
    let Prepared { part, old, operation, is_apply, .. } = prepared;
    if touched && part != Part::Scale {
        // Admission changes an object, not which one it is.
        decode::check_kind(&mut mutated, &ctx.resource.gvk, ctx.resource.builtin_kind().is_some())?;
        decode::check_types_of(ctx.resource, &mutated)?;
    }
    match (operation, old) {
        (Operation::Create, _) | (_, None) => created(ctx, mutated, touched, stamp),
        (_, Some(old)) if part == Part::Scale => {
            let object = scale::replicas_into(ctx, &old, &mutated, is_apply)?;
            updated(ctx, part, old, object, true)
        }
        (_, Some(old)) => updated(ctx, part, old, mutated, touched),
    }
}

fn created(ctx: &Context<'_>, mut object: Value, touched: bool, stamp: &Stamp) -> Result<Finished> {
    if super::version_of(&object)?.is_some() {
        return Err(ApiError::version_on_create());
    }
    if touched {
        meta::fill_namespace(ctx.resource, &mut object, ctx.address.object_namespace())?;
        shape::prune(ctx.resource, &mut object);
        create::drop_status(ctx, &mut object);
        shape::default(ctx.resource, &mut object);
    }
    stamp_new(ctx, &mut object, stamp);
    if let Some(kind) = ctx.resource.builtin_kind() {
        kanon_kinds::prepare_create(kind, &mut object);
        namespace::initialize(ctx.resource, &mut object);
        crate::crd::note_stored_version(ctx.resource, &mut object);
    }
    let mut causes = meta::validate_create(ctx.resource, &object);
    let (found, warnings) = judge(ctx, &object, None);
    causes.extend(found);
    refuse(ctx, &object, causes)?;
    let outcome = if ctx.options.dry_run {
        Outcome::DryRun(object.clone())
    } else {
        Outcome::Store(put(ctx, &object, Expect::Absent)?)
    };
    Ok(Finished { object, old_object: None, outcome, part: Part::Object, warnings })
}

fn stamp_new(ctx: &Context<'_>, object: &mut Value, stamp: &Stamp) {
    let prefix = meta::text(object, "generateName");
    if meta::text(object, "name").is_empty() && !prefix.is_empty() {
        let prefix: String = prefix.chars().take(PREFIX_MAX).collect();
        meta::set(object, "name", Some(format!("{prefix}{}", stamp.suffix).into()));
    }
    let metadata = meta::meta_mut(object);
    metadata.insert("uid".to_owned(), stamp.uid.as_str().into());
    metadata.insert("creationTimestamp".to_owned(), timestamp(ctx).into());
    metadata.remove("resourceVersion");
    if ctx.resource.has_generation {
        metadata.insert("generation".to_owned(), 1.into());
    } else {
        metadata.remove("generation");
    }
}

fn updated(ctx: &Context<'_>, part: Part, old: Old, mut object: Value, touched: bool) -> Result<Finished> {
    if touched {
        shape::prune(ctx.resource, &mut object);
        update::keep_system(&mut object, &old.value);
        object = update::isolate(ctx, part, object, &old.value);
        shape::default(ctx.resource, &mut object);
    }
    if part == Part::Object {
        crate::crd::note_stored_version(ctx.resource, &mut object);
    }
    if managed::equal_but_times(&object, &old.value) {
        meta::set(&mut object, "managedFields", old.value["metadata"].get("managedFields").cloned());
    }
    count_generation(ctx, &mut object, &old.value);
    let mut causes = meta::validate_update(&object, &old.value);
    let (found, warnings) = judge(ctx, &object, Some(&old.value));
    causes.extend(found);
    refuse(ctx, &object, causes)?;
    let shown = if part == Part::Scale { scale::of(ctx.resource, &object)? } else { object.clone() };
    let old_shown = if part == Part::Scale { scale::of(ctx.resource, &old.value)? } else { old.value.clone() };
    let outcome = outcome(ctx, &object, old, part)?;
    Ok(Finished { object: shown, old_object: Some(old_shown), outcome, part, warnings })
}

fn outcome(ctx: &Context<'_>, object: &Value, old: Old, part: Part) -> Result<Outcome> {
    let expect = Expect::At(old.entry.revision);
    let changed = *object != old.value;
    if ctx.options.dry_run {
        let shown = if part == Part::Scale { scale::of(ctx.resource, object)? } else { object.clone() };
        return Ok(Outcome::DryRun(shown));
    }
    // Only a write that takes the last obstacle away removes the object.
    if changed && is_released(ctx, object) {
        let mut stored = object.clone();
        ctx.resource.to_stored(&mut stored);
        let write = Write { key: old.entry.key.clone(), expect, change: Change::Delete(draft(&stored)?) };
        return Ok(Outcome::Remove(write, object.clone()));
    }
    if !changed {
        return Ok(Outcome::Unchanged(old.entry));
    }
    Ok(Outcome::Store(put(ctx, object, expect)?))
}

/// Whether a deletion has begun and nothing holds the object any more.
pub(super) fn is_released(ctx: &Context<'_>, object: &Value) -> bool {
    meta::is_deleting(object)
        && meta::finalizers(object).next().is_none()
        && object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or_default() == 0
        && !namespace::is_held(ctx.resource, object)
}

/// `generation` grows when anything outside of metadata and (as subresource) status changes (spec 4.2).
fn count_generation(ctx: &Context<'_>, object: &mut Value, old: &Value) {
    if !ctx.resource.has_generation {
        return;
    }
    let before = old["metadata"]["generation"].as_i64().unwrap_or(1);
    let changed = is_spec_changed(object, old, ctx.resource.has_status);
    meta::set(object, "generation", Some((before + i64::from(changed)).into()));
}

fn is_spec_changed(object: &Value, old: &Value, has_status: bool) -> bool {
    let ignored = |name: &str| name == "metadata" || (has_status && name == "status");
    let (Value::Object(new), Value::Object(old)) = (object, old) else { return object != old };
    let differs = |(name, value): (&String, &Value)| !ignored(name) && old.get(name) != Some(value);
    new.iter().any(differs) || old.keys().any(|name| !ignored(name) && !new.contains_key(name))
}

/// What the kind's rules refuse, resources that need special looks included; and what they only warn of.
fn judge(ctx: &Context<'_>, object: &Value, old: Option<&Value>) -> (Vec<Cause>, Vec<String>) {
    let (mut causes, mut warnings) = shape::validate(ctx.resource, object, old);
    let language = ctx.resource.rule_language.as_ref().map(|it| &*it.0);
    let particular = if crate::crd::is_crd(ctx.resource) {
        crate::crd::validate(object, old, language)
    } else if let Some(language) = language {
        crate::admission::validate_conditions(object, old, language)
    } else {
        Vec::new()
    };
    for cause in particular {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    if let Some(custom) = ctx.resource.custom() {
        warnings.extend(meta::finalizer_warnings(object, old));
        causes.extend(custom.scale.as_ref().map(|paths| scale::problems(paths, object)).unwrap_or_default());
    }
    (causes, warnings)
}

fn refuse(ctx: &Context<'_>, object: &Value, causes: Vec<Cause>) -> Result<()> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(&ctx.resource.gvk, meta::text(object, "name"), causes))
}
