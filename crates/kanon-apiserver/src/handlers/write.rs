//! POST, PUT and PATCH of objects: prepare, mutate, finish, validate, store; again where the store moved on meanwhile.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use kanon_apimachinery::{
    admission::Attributes,
    decode,
    limits::{self, LimitRanges},
    negotiate::{self, PatchType},
    request::{Resolved, WriteOptions},
    resource::Resource,
    status::{ApiError, Cause, Result},
    write::{self, Context, Finished, Outcome, Part, Prepared, create, namespace, patch, update},
};
use kanon_core::{Object, Operation, UserInfo};
use kanon_store::Entry;
use serde_json::Value;

use super::read;
use crate::{admission::Warnings, core::Core, ids::stamp, reply::Reply, service::Asked, storage::WriteError};

/// How often a write is prepared again when the store moved on and the client named no version. Each time somebody
/// else's write went through, so this ends for all; the bound is for a client among hundreds on one object.
const TRIES: usize = 64;
/// How often another name is generated (upstream: seven retries).
const NAMES: usize = 8;

/// Why a prepared write was not carried out.
pub(crate) enum Refused {
    /// The store holds another state than expected.
    Moved(Option<Arc<Entry>>),
    /// Anything else.
    Error(ApiError),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Refused {
        Refused::Error(error)
    }
}

/// What a write led to.
pub(crate) enum Done {
    /// The object as stored.
    Entry(Arc<Entry>),
    /// The object in the request's version: of dry runs and removals.
    Value(Value),
}

/// What a carried out write shows.
pub(crate) struct Carried {
    pub(crate) done: Done,
    pub(crate) part: Part,
    pub(crate) created: bool,
    /// Whether it uses more of a quota than before.
    pub(crate) charged: bool,
}

impl Core {
    /// Takes a prepared write through admission into the store.
    pub(crate) async fn carry_out(
        &self,
        user: &UserInfo,
        ctx: &Context<'_>,
        mut prepared: Prepared,
        warnings: &Warnings,
    ) -> Result<Carried, Refused> {
        let created = prepared.operation == Operation::Create;
        // What one write is asked about is of one moment.
        let hooks = self.hooks();
        let options = match hooks.is_empty() {
            true => Value::Null,
            false => ctx.options.to_value(if created { "CreateOptions" } else { "UpdateOptions" }),
        };
        let kind = prepared.kind(ctx.resource);
        let attributes = Attributes {
            operation: prepared.operation,
            resource: ctx.resource,
            address: ctx.address,
            kind: &kind,
            options: &options,
            dry_run: ctx.options.dry_run,
            user,
        };
        warnings.add(prepared.warnings.iter().cloned());
        // What comes back takes its place in `finish`.
        let mut object = std::mem::take(&mut prepared.object);
        let limits = match limits::concern(ctx, &prepared) {
            true => self.storage.read(|memory| LimitRanges::of(memory, ctx)),
            false => LimitRanges::default(),
        };
        limits.fill(&mut object, false);
        self.complete_pod(ctx, &prepared, &mut object).await?;
        let old_object = prepared.old_object.as_ref();
        let (mut mutated, changed) = self.mutate(&hooks, &attributes, object, old_object, warnings).await?;
        if changed {
            limits.fill(&mut mutated, true);
        }
        // Nor may a webhook grant for the user what the user may not.
        self.check_escalation(user, ctx.resource, &mutated)?;
        let stamp = stamp();
        // Held until what it was taken for is stored, or is not.
        let _held = self.give_numbers(ctx, &prepared, &mut mutated, &stamp.uid)?;
        let mut finished = prepared.finish(ctx, mutated, changed, &stamp)?;
        warnings.add(std::mem::take(&mut finished.warnings));
        let Finished { object, old_object, .. } = &finished;
        limits.check(ctx, object)?;
        self.secure_pods(ctx, attributes.operation, &finished, warnings)?;
        self.validate(&hooks, &attributes, Some(object), old_object.as_ref(), warnings).await?;
        // The last word, and held as the numbers are.
        let charged = self.charge(ctx, attributes.operation, &finished)?;
        let Finished { outcome, part, .. } = finished;
        let done = match outcome {
            Outcome::Store(write) => Done::Entry(self.store_as(ctx.resource, write).await?),
            Outcome::Unchanged(entry) => Done::Entry(entry),
            Outcome::DryRun(value) => {
                let name = value["metadata"]["name"].as_str().unwrap_or_default();
                let key = ctx.resource.key(ctx.address.object_namespace(), name);
                // The store would say so.
                match self.storage.get(&key).filter(|_| created) {
                    Some(taken) => return Err(Refused::Moved(Some(taken))),
                    None => Done::Value(value),
                }
            }
            Outcome::Remove(write, value) => {
                self.store_as(ctx.resource, write).await?;
                Done::Value(value)
            }
        };
        Ok(Carried { done, part, created, charged: charged.is_some() })
    }

    pub(crate) async fn store(&self, write: kanon_store::Write) -> Result<Arc<Entry>, Refused> {
        match self.storage.write(write).await {
            Ok(staged) => Ok(staged.entry),
            Err(WriteError::Rejected(current)) => Err(Refused::Moved(current)),
            Err(error @ WriteError::Failed(_)) => Err(Refused::Error(error.into())),
        }
    }
}

/// POST to a collection.
pub(crate) async fn create(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let options = asked.info.write_options("CreateOptions")?;
    let ctx = Context { resource, address, options: &options, now: core.now().wall };
    // A form that cannot be answered is refused before anything is written.
    negotiate::answer(&asked.info.accept)?;
    let body = decode::object(resource, &asked.info.content_type, &asked.body)?;
    let name = body.value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    core.storage.read(|memory| namespace::check(memory, resource, address.object_namespace(), &name))?;
    let tries = if name.is_empty() { NAMES } else { 1 };
    for _ in 1..tries {
        match core.carry_out(&asked.user, &ctx, create::prepare(&ctx, body.clone())?, &asked.warnings).await {
            Ok(carried) => return answer(core, asked, target, carried).await,
            Err(Refused::Moved(_)) => {}
            Err(Refused::Error(error)) => return Err(error),
        }
    }
    match core.carry_out(&asked.user, &ctx, create::prepare(&ctx, body)?, &asked.warnings).await {
        Ok(carried) => answer(core, asked, target, carried).await,
        Err(Refused::Moved(current)) => {
            let what = resource.group_resource();
            let Some(current) = current else { return Err(ApiError::already_exists(&what, &name)) };
            let name = current.object.str_at(&["metadata", "name"]);
            if current.object.str_at(&["metadata", "deletionTimestamp"]).is_empty() {
                return Err(ApiError::already_exists(&what, name));
            }
            Err(ApiError::still_there(&what, name))
        }
        Err(Refused::Error(error)) => Err(error),
    }
}

/// PUT of an object or a part of it.
pub(crate) async fn update(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let options = asked.info.write_options("UpdateOptions")?;
    negotiate::answer(&asked.info.accept)?;
    let body = match Part::of(&address.subresource) {
        Some(Part::Scale) => {
            let gvk = resource.subresource("scale").map(|it| it.gvk.clone()).unwrap_or_default();
            decode::part(&gvk, &asked.info.content_type, &asked.body)?
        }
        _ => decode::object(resource, &asked.info.content_type, &asked.body)?,
    };
    retried(core, asked, target, &options, |ctx, current| update::prepare(ctx, body.clone(), current)).await
}

/// PATCH of an object or a part of it, apply included.
pub(crate) async fn patch(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let kind = negotiate::patch(&asked.info.content_type, resource.builtin_kind().is_some())?;
    let options = asked.info.write_options("PatchOptions")?;
    negotiate::answer(&asked.info.accept)?;
    if kind != PatchType::Apply && asked.info.query.get("force").is_some() {
        let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
        return Err(ApiError::invalid_options("PatchOptions", vec![cause]));
    }
    let patch = patch::Patch::decode(kind, &asked.body, &resource.gvk.kind)?;
    if kind == PatchType::Apply {
        core.storage.read(|memory| {
            let current = memory.get(&resource.key(&address.namespace, &address.name));
            if current.is_some() {
                return Ok(());
            }
            namespace::check(memory, resource, address.object_namespace(), &address.name)
        })?;
    }
    retried(core, asked, target, &options, |ctx, current| patch::prepare(ctx, &patch, current)).await
}

/// Prepares from the current state and carries out, again while somebody else is faster.
async fn retried(
    core: &Core,
    asked: &Asked,
    target: &Resolved,
    options: &WriteOptions,
    prepare: impl Fn(&Context<'_>, Option<&Arc<Entry>>) -> Result<Prepared>,
) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let ctx = Context { resource, address, options, now: core.now().wall };
    let key = resource.key(address.object_namespace(), &address.name);
    let mut current = core.current(resource, &key).await?;
    let conflict = || ApiError::conflict(&resource.group_resource(), &address.name);
    for _ in 0..TRIES {
        let prepared = prepare(&ctx, current.as_ref())?;
        let conditional = prepared.is_conditional;
        match core.carry_out(&asked.user, &ctx, prepared, &asked.warnings).await {
            Ok(carried) => return answer(core, asked, target, carried).await,
            Err(Refused::Moved(_)) if conditional => return Err(conflict()),
            Err(Refused::Moved(moved)) => current = moved,
            Err(Refused::Error(error)) => return Err(error),
        }
    }
    Err(conflict())
}

/// The written object as the client wants to see it, once all tells of it.
async fn answer(core: &Core, asked: &Asked, target: &Resolved, carried: Carried) -> Result<Reply> {
    core.show_charge(&carried).await;
    let Carried { done, part, created, charged: _ } = carried;
    let resource = &target.resource;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let object = match (done, part) {
        (Done::Entry(entry), Part::Scale) => {
            let parent = write::served_value(resource, &entry.object);
            return super::json(asked, status, &write::scale::of(resource, &parent)?);
        }
        (Done::Value(value), Part::Scale) => return super::json(asked, status, &value),
        (Done::Entry(entry), _) => entry.object.clone(),
        (Done::Value(value), _) => stored(resource, value),
    };
    read::one(core, asked, resource, status, &object)
}

/// An object of the request's version in its stored form.
pub(super) fn stored(resource: &Resource, mut value: Value) -> Object {
    resource.to_stored(&mut value);
    Object::from_value(&value)
}

/// A value as body text.
pub(crate) fn text(value: &Value) -> Bytes {
    value.to_string().into()
}
