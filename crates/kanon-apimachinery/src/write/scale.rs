//! `/scale`: an `autoscaling/v1` Scale that stands for the replicas of its parent (spec/kubernetes-api.md 4.8).

use std::sync::Arc;

use kanon_core::Operation;
use kanon_store::Entry;
use serde_json::{Value, json};

use super::{Context, Old, Part, Prepared, update};
use crate::{
    resource::{Origin, Resource, ScalePaths},
    selector::LabelSelector,
    status::{ApiError, Cause, Result},
};

/// The Scale of an object, in the version of `resource`.
///
/// # Errors
/// 404 when the kind has none; 500 when a custom object lacks what its definition promises.
pub fn of(resource: &Resource, object: &Value) -> Result<Value> {
    let paths = paths(resource)?;
    let number = |path: &str| at(object, path).and_then(Value::as_i64);
    let Some(replicas) = number(&paths.spec_replicas).or_else(|| resource.builtin_kind().map(|_| 1)) else {
        return Err(ApiError::internal(format!("the spec replicas field {:?} does not exist", paths.spec_replicas)));
    };
    let mut metadata = json!({});
    for name in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object["metadata"].get(name) {
            metadata[name] = value.clone();
        }
    }
    let mut status = json!({"replicas": number(&paths.status_replicas).unwrap_or_default()});
    if let Some(selector) = selector(resource, object, &paths) {
        status["selector"] = selector.into();
    }
    let spec = if replicas == 0 { json!({}) } else { json!({"replicas": replicas}) };
    Ok(json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}))
}

/// What keeps a custom object from having a Scale: no whole numbers, no text, negative numbers where its definition says replicas are.
pub(super) fn problems(paths: &ScalePaths, object: &Value) -> Vec<Cause> {
    let number = |path: &str| match found(object, path) {
        Ok(None) => None,
        Ok(Some(value)) => match value.as_i64() {
            Some(value) if value < 0 => Some(Cause::invalid(path, &value.into(), "should be a non-negative integer")),
            Some(_) => None,
            None => Some(accessor(path, &0.into(), value, "int64")),
        },
        Err(value) => Some(accessor(path, &0.into(), value, "map[string]interface{}")),
    };
    let text = |path: &str| match found(object, path) {
        Ok(Some(value)) if !value.is_string() => Some(accessor(path, &"".into(), value, "string")),
        Err(value) => Some(accessor(path, &"".into(), value, "map[string]interface{}")),
        Ok(_) => None,
    };
    let selector = Some(&paths.label_selector).filter(|it| !it.is_empty()).and_then(|it| text(it));
    [number(&paths.spec_replicas), number(&paths.status_replicas), selector].into_iter().flatten().collect()
}

/// What is under a path; an error where something on the way is no object.
fn found<'v>(object: &'v Value, path: &str) -> Result<Option<&'v Value>, &'v Value> {
    let mut place = object;
    for name in steps(path) {
        match place {
            Value::Object(members) => match members.get(name) {
                Some(inner) => place = inner,
                None => return Ok(None),
            },
            Value::Null => return Ok(None),
            other => return Err(other),
        }
    }
    Ok((!place.is_null()).then_some(place))
}

fn accessor(path: &str, shown: &Value, found: &Value, wanted: &str) -> Cause {
    let (text, kind) = kanon_schema::go_value(found);
    Cause::invalid(path, shown, &format!("{path} accessor error: {text} is of the type {kind}, expected {wanted}"))
}

/// The stage before mutating admission: `wanted` is the Scale the client sent or patched.
pub(super) fn prepare(ctx: &Context<'_>, entry: &Arc<Entry>, wanted: Value) -> Result<Prepared> {
    let name = wanted["metadata"]["name"].as_str().unwrap_or_default();
    if !name.is_empty() && name != ctx.address.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            ctx.address.name
        )));
    }
    let old = update::old(ctx, entry);
    let version = super::version_of(&wanted)?;
    if version.is_some_and(|it| it != entry.revision) {
        return Err(ApiError::conflict(&ctx.resource.group_resource(), &ctx.address.name));
    }
    let mut object = of(ctx.resource, &old.value)?;
    let old_object = object.clone();
    object["spec"] = wanted.get("spec").cloned().unwrap_or_else(|| json!({}));
    Ok(Prepared {
        operation: Operation::Update,
        part: Part::Scale,
        object,
        old_object: Some(old_object),
        old: Some(old),
        warnings: Vec::new(),
        is_conditional: version.is_some(),
        is_apply: false,
    })
}

/// The parent with the replicas of a Scale, which the writer owns from now on: by an apply, in conflict with others who do.
pub(super) fn replicas_into(ctx: &Context<'_>, old: &Old, scale: &Value, is_apply: bool) -> Result<Value> {
    let paths = paths(ctx.resource)?;
    let replicas = match &scale["spec"]["replicas"] {
        Value::Null => 0,
        value => value.as_i64().filter(|it| i32::try_from(*it).is_ok()).unwrap_or(-1),
    };
    if replicas < 0 {
        let cause = Cause::invalid("spec.replicas", &scale["spec"]["replicas"], "must be greater than or equal to 0");
        let gvk = kanon_core::GroupVersionKind::new("autoscaling", "v1", "Scale");
        return Err(ApiError::invalid(&gvk, &ctx.address.name, vec![cause]));
    }
    if is_apply {
        let gvk = &ctx.resource.gvk;
        let metadata = json!({"name": ctx.address.name, "namespace": ctx.address.object_namespace()});
        let mut config = json!({"apiVersion": gvk.api_version(), "kind": gvk.kind, "metadata": metadata});
        put(&mut config, &paths.spec_replicas, replicas);
        return super::managed::apply(ctx, Some(&old.value), &config);
    }
    let mut object = old.value.clone();
    put(&mut object, &paths.spec_replicas, replicas);
    super::managed::update(ctx, Some(&old.value), &mut object);
    Ok(object)
}

/// Sets a number below a path, making the objects on the way.
fn put(object: &mut Value, path: &str, number: i64) {
    let mut place = object;
    for name in steps(path) {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[name];
    }
    *place = number.into();
}

fn paths(resource: &Resource) -> Result<ScalePaths> {
    let builtin = || ScalePaths {
        spec_replicas: ".spec.replicas".to_owned(),
        status_replicas: ".status.replicas".to_owned(),
        label_selector: String::new(),
    };
    match &resource.origin {
        Origin::Builtin(_) => Ok(builtin()),
        Origin::Custom(custom) => custom.scale.clone().ok_or_else(ApiError::no_such_path),
    }
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('.').filter(|it| !it.is_empty())
}

fn at<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    steps(path).try_fold(object, |it, name| it.get(name))
}

/// The selector as text: of built-in kinds from `spec.selector`, of custom ones from the path of their definition.
fn selector(resource: &Resource, object: &Value, paths: &ScalePaths) -> Option<String> {
    match &resource.origin {
        Origin::Custom(_) if paths.label_selector.is_empty() => None,
        Origin::Custom(_) => Some(at(object, &paths.label_selector)?.as_str()?.to_owned()),
        Origin::Builtin(_) if resource.is_core("ReplicationController") => {
            let labels = json!({"matchLabels": object["spec"]["selector"]});
            LabelSelector::from_value(&labels).ok().map(|it| it.to_string())
        }
        Origin::Builtin(_) => LabelSelector::from_value(&object["spec"]["selector"]).ok().map(|it| it.to_string()),
    }
}
