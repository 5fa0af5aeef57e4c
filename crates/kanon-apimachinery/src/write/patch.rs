//! PATCH (spec/kubernetes-api.md 4.5): the patched result goes the way of a PUT.

use std::sync::Arc;

use json_patch::PatchOperation;
use kanon_core::{GroupVersionKind, Operation};
use kanon_store::Entry;
use serde_json::Value;

use super::{Context, Part, Prepared, create, managed, operations, scale, served_value, update};
use crate::{
    decode::{self, Body, Tree},
    meta,
    negotiate::PatchType,
    request::FieldValidation,
    resource::Resource,
    shape,
    status::{ApiError, Cause, Result},
};

/// Most operations of a JSON patch (upstream's limit).
const OPERATIONS_MAX: usize = 10_000;

/// A decoded patch: decode once, apply as often as the store rejects.
#[derive(Clone, Debug)]
pub enum Patch {
    /// RFC 6902.
    Json(Vec<PatchOperation>),
    /// RFC 7396.
    Merge(Value),
    /// Kubernetes' own merge.
    Strategic(Value),
    /// Server-side apply: the configuration, and the fields it gives twice.
    Apply(Value, Vec<String>),
}

impl Patch {
    /// Reads a patch's body.
    ///
    /// # Errors
    /// 400 for syntax, 413 for too many operations.
    pub fn decode(patch: PatchType, body: &[u8], kind: &str) -> Result<Patch> {
        if body.len() > decode::BODY_MAX {
            return Err(ApiError::too_large(decode::BODY_MAX));
        }
        match patch {
            PatchType::Json => {
                let operations = operations::read(body)?;
                if operations.len() > OPERATIONS_MAX {
                    let text = format!(
                        "The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {}",
                        operations.len()
                    );
                    return Err(ApiError::new(413, "RequestEntityTooLarge", text));
                }
                Ok(Patch::Json(operations))
            }
            PatchType::Merge => members(body).map(Patch::Merge),
            PatchType::Strategic => members(body).map(Patch::Strategic),
            PatchType::Apply => {
                let body = decode::yaml(body, kind)?;
                let duplicates = body.duplicates.clone();
                Ok(Patch::Apply(object(body)?, duplicates))
            }
        }
    }

    /// Whether the client says which version it changes.
    fn names_version(&self) -> bool {
        match self {
            Patch::Json(operations) => operations.iter().any(|it| {
                let path = it.path().to_string();
                ["", "/metadata", "/metadata/resourceVersion"].contains(&path.as_str())
            }),
            Patch::Merge(patch) | Patch::Strategic(patch) | Patch::Apply(patch, _) => {
                patch["metadata"]["resourceVersion"].is_string()
            }
        }
    }

    /// The value after the patch.
    fn apply(&self, resource: &Resource, mut value: Value) -> Result<Value> {
        match self {
            Patch::Json(list) => operations::apply_json(&mut value, list)?,
            Patch::Merge(patch) | Patch::Apply(patch, _) => json_patch::merge(&mut value, patch),
            Patch::Strategic(patch) => {
                value = kanon_schema::strategic_merge(&resource.schema(), &value, patch)
                    .map_err(|error| ApiError::bad_request(error.to_string()))?;
            }
        }
        Ok(value)
    }
}

/// The patch of a merge: an object. Upstream reads it without asking for a kind.
fn members(body: &[u8]) -> Result<Value> {
    let wrong = |problem: &str| ApiError::bad_request(format!("error decoding patch: {problem}"));
    let tree: Tree = serde_json::from_slice(body).map_err(|error| wrong(&decode::json_problem(&error)))?;
    if tree.value.is_object() {
        return Ok(tree.value);
    }
    let found = decode::json_type(&tree.value);
    Err(wrong(&format!("json: cannot unmarshal {found} into Go value of type map[string]interface {{}}")))
}

fn object(body: Body) -> Result<Value> {
    if body.value.is_object() {
        return Ok(body.value);
    }
    Err(ApiError::bad_request("error decoding patch: the patch is not an object"))
}

/// A patched object, as mutating admission sees it.
///
/// # Errors
/// 404 without a current object; 422 for a patch that does not apply; what a PUT of the result would give.
pub fn prepare(ctx: &Context<'_>, patch: &Patch, current: Option<&Arc<Entry>>) -> Result<Prepared> {
    let part = update::part(ctx)?;
    if let Patch::Apply(config, duplicates) = patch
        && part != Part::Scale
    {
        return applied(ctx, part, config.clone(), duplicates, current);
    }
    let entry = update::existing(ctx, current)?;
    let served = served_value(ctx.resource, &entry.object);
    if part == Part::Scale {
        let scale = scale::of(ctx.resource, &served)?;
        let prepared = scale::prepare(ctx, entry, patch.apply(ctx.resource, scale)?)?;
        let is_apply = matches!(patch, Patch::Apply(..));
        if is_apply && !ctx.options.manager_given {
            return Err(ApiError::manager_required());
        }
        return Ok(Prepared { is_conditional: patch.names_version(), is_apply, ..prepared });
    }
    let old = update::old(ctx, entry);
    let mut object = patch.apply(ctx.resource, served)?;
    check_identity(ctx, &mut object)?;
    decode::check_types_of(ctx.resource, &object)?;
    let warnings = checked_prune(ctx, patch, &mut object)?;
    update::check_address(ctx, &mut object)?;
    if ctx.resource.custom().is_some() && super::version_of(&object)?.is_none() {
        return Err(update::version_required(ctx));
    }
    update::merged(ctx, part, old, object, warnings, patch.names_version(), true)
}

/// A patch may not make an object one of another kind or version.
fn check_identity(ctx: &Context<'_>, object: &mut Value) -> Result<()> {
    let gvk = &ctx.resource.gvk;
    let (version, kind) = (object["apiVersion"].as_str().unwrap_or_default(), &object["kind"]);
    if !version.is_empty() && version != gvk.api_version() && ctx.resource.custom().is_some() {
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let claimed = GroupVersionKind::new(group, &gvk.version, kind.as_str().unwrap_or_default());
        let cause = Cause::invalid("apiVersion", &version.into(), &format!("must be {}", gvk.api_version()));
        return Err(ApiError::invalid(&claimed, &ctx.address.name, vec![cause]));
    }
    decode::check_kind(object, gvk, ctx.resource.builtin_kind().is_some())
}

/// Server-side apply: makes the object where it is absent.
fn applied(
    ctx: &Context<'_>,
    part: Part,
    mut config: Value,
    duplicates: &[String],
    current: Option<&Arc<Entry>>,
) -> Result<Prepared> {
    if !ctx.options.manager_given {
        return Err(ApiError::manager_required());
    }
    check_applied_kind(ctx, &config)?;
    let warnings = duplicate_warnings(ctx, duplicates)?;
    if meta::text(&config, "name").is_empty() {
        meta::set(&mut config, "name", Some(ctx.address.name.as_str().into()));
    }
    let is_bare = meta::text(&config, "namespace").is_empty();
    update::check_address(ctx, &mut config)?;
    if is_bare {
        // What is wrong with a configuration is told of it as it came.
        meta::set(&mut config, "namespace", None);
    }
    let Some(entry) = current else { return applied_new(ctx, part, &config, warnings) };
    let old = update::old(ctx, entry);
    update::check_uid(ctx, &config, &old.value)?;
    let version = super::version_of(&config)?;
    if version.is_some_and(|it| it != entry.revision) {
        return Err(ApiError::conflict(&ctx.resource.group_resource(), &ctx.address.name));
    }
    let config = managed::without_other_parts(ctx, part, &config);
    let mut object = managed::apply(ctx, Some(&old.value), &config)?;
    decode::check_types_of(ctx.resource, &object)?;
    update::keep_system(&mut object, &old.value);
    let mut object = update::isolate(ctx, part, object, &old.value);
    shape::default(ctx.resource, &mut object);
    Ok(Prepared {
        operation: Operation::Update,
        part,
        object,
        old_object: Some(old.value.clone()),
        old: Some(old),
        warnings,
        is_conditional: version.is_some(),
        is_apply: false,
    })
}

/// A configuration must say what it is of.
fn check_applied_kind(ctx: &Context<'_>, config: &Value) -> Result<()> {
    let text = |name: &str| config[name].as_str().unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if (version, kind) == (&*ctx.resource.api_version(), &*ctx.resource.gvk.kind) {
        return Ok(());
    }
    let separator = if version.contains('/') { "" } else { "/" };
    Err(ApiError::bad_request(format!("invalid object type: {separator}{version}, Kind={kind}")))
}

fn applied_new(ctx: &Context<'_>, part: Part, config: &Value, warnings: Vec<String>) -> Result<Prepared> {
    create::check_definition(ctx)?;
    if part != Part::Object {
        return Err(ApiError::not_found(&ctx.resource.group_resource(), &ctx.address.name));
    }
    let uid = meta::text(config, "uid");
    if !uid.is_empty() {
        let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
        return Err(ApiError::conflict_because(&ctx.resource.group_resource(), &ctx.address.name, &why));
    }
    let config = managed::without_other_parts(ctx, part, config);
    let mut object = managed::apply(ctx, None, &config)?;
    meta::fill_namespace(ctx.resource, &mut object, ctx.address.object_namespace())?;
    // A version says which object is meant; upstream looks at it where there is one.
    meta::set(&mut object, "resourceVersion", None);
    decode::check_types_of(ctx.resource, &object)?;
    create::begin(ctx, &mut object);
    Ok(Prepared {
        operation: Operation::Create,
        part,
        object,
        old_object: None,
        old: None,
        warnings,
        is_conditional: false,
        is_apply: false,
    })
}

fn duplicate_warnings(ctx: &Context<'_>, duplicates: &[String]) -> Result<Vec<String>> {
    let findings = shape::findings(&[], duplicates);
    match ctx.options.field_validation {
        FieldValidation::Strict if !findings.is_empty() => {
            Err(ApiError::strict_decoding(&ctx.resource.gvk.kind, &ctx.resource.gvk.version, &findings))
        }
        FieldValidation::Strict | FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => Ok(findings),
    }
}

/// Unknown fields of the patched object; under `Strict` a patch is refused in words of its own.
fn checked_prune(ctx: &Context<'_>, patch: &Patch, object: &mut Value) -> Result<Vec<String>> {
    if ctx.options.field_validation != FieldValidation::Strict {
        return shape::checked_prune(ctx.resource, object, &[], ctx.options.field_validation);
    }
    let before = object.clone();
    let findings = shape::findings(&shape::prune(ctx.resource, object), &[]);
    if findings.is_empty() {
        return Ok(Vec::new());
    }
    // Of what the schema merges upstream shows the patch, else the object that came of it.
    let text = if let Patch::Strategic(patch) = patch { patch } else { &before }.to_string();
    let detail = format!("strict decoding error: {}", findings.join(", "));
    let cause = Cause::invalid("patch", &text.into(), &detail);
    Err(ApiError::invalid(&GroupVersionKind::default(), "", vec![cause]))
}
