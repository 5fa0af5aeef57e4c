//! The AdmissionReview that a webhook is sent (spec/kubernetes-api.md 4.11).

use std::borrow::Cow;

use bytes::Bytes;
use kanon_core::{GroupVersionKind, UserInfo};
use serde::Serialize;
use serde_json::Value;

use super::{
    Attributes, Hook,
    matching::{Objects, View},
};
use crate::resource::Resource;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    kind: &'a str,
    api_version: String,
    request: Request<'a>,
}

/// Members in upstream's order; empty texts are left out where upstream does.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    uid: &'a str,
    kind: &'a GroupVersionKind,
    resource: Gvr<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    sub_resource: &'a str,
    request_kind: &'a GroupVersionKind,
    request_resource: Gvr<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_sub_resource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    operation: &'a str,
    user_info: &'a UserInfo,
    object: Cow<'a, Value>,
    old_object: Cow<'a, Value>,
    dry_run: bool,
    options: &'a Value,
}

#[derive(Serialize)]
struct Gvr<'a> {
    group: &'a str,
    version: &'a str,
    resource: &'a str,
}

impl<'a> Gvr<'a> {
    fn of(resource: &'a Resource) -> Gvr<'a> {
        Gvr { group: &resource.gvk.group, version: &resource.gvk.version, resource: &resource.plural }
    }
}

/// The body of a call.
pub(super) fn body(hook: &Hook, attributes: &Attributes<'_>, view: &View, objects: Objects<'_>, uid: &str) -> Bytes {
    let part = |it: Option<&'_ Value>| it.map_or(Value::Null, |it| shown(attributes, view, it).into_owned());
    let (object, old_object) = match view.other {
        None => (
            objects.object.map_or(Cow::Owned(Value::Null), Cow::Borrowed),
            objects.old_object.map_or(Cow::Owned(Value::Null), Cow::Borrowed),
        ),
        Some(_) => (Cow::Owned(part(objects.object)), Cow::Owned(part(objects.old_object))),
    };
    let review = Review {
        kind: "AdmissionReview",
        api_version: format!("admission.k8s.io/{}", hook.version),
        request: Request { object, old_object, ..request(attributes, view, objects, uid) },
    };
    serde_json::to_vec(&review).expect("a review has text keys only").into()
}

/// `request` as matchConditions see it: without the objects, which are variables of their own.
pub(super) fn request_facts(attributes: &Attributes<'_>, view: &View, objects: Objects<'_>) -> Value {
    let mut value = serde_json::to_value(request(attributes, view, objects, "")).unwrap_or_default();
    if let Value::Object(members) = &mut value {
        for name in ["object", "oldObject"] {
            members.remove(name);
        }
    }
    value
}

fn request<'a>(attributes: &Attributes<'a>, view: &'a View, objects: Objects<'a>, uid: &'a str) -> Request<'a> {
    let Attributes { resource, address, kind, options, user, .. } = *attributes;
    let name = name(attributes, objects.object);
    let seen: &Resource = view.other.as_deref().unwrap_or(resource);
    // A subresource's own kind is the same under every version of its resource.
    let seen_kind = if *kind == resource.gvk { &seen.gvk } else { kind };
    Request {
        uid,
        kind: seen_kind,
        resource: Gvr::of(seen),
        sub_resource: &address.subresource,
        request_kind: kind,
        request_resource: Gvr::of(resource),
        request_sub_resource: &address.subresource,
        name,
        // A namespace is in itself.
        namespace: if resource.is_core("Namespace") { name } else { &address.namespace },
        operation: attributes.operation.as_str(),
        user_info: user,
        object: Cow::Owned(Value::Null),
        old_object: Cow::Owned(Value::Null),
        dry_run: attributes.dry_run,
        options,
    }
}

/// The object's name: from the path, or from a new object.
pub(super) fn name<'a>(attributes: &Attributes<'a>, object: Option<&'a Value>) -> &'a str {
    match attributes.address.name.as_str() {
        "" => object.and_then(|it| it["metadata"]["name"].as_str()).unwrap_or_default(),
        name => name,
    }
}

/// An object in the form in which a webhook sees it.
pub(super) fn shown<'v>(attributes: &Attributes<'_>, view: &View, value: &'v Value) -> Cow<'v, Value> {
    match &view.other {
        Some(other) if *attributes.kind == attributes.resource.gvk => {
            let mut value = value.clone();
            attributes.resource.to_stored(&mut value);
            other.to_served(&mut value);
            // Where the other form is the stored one, nothing has named it yet.
            value["apiVersion"] = other.api_version().into();
            Cow::Owned(value)
        }
        _ => Cow::Borrowed(value),
    }
}

/// The way back from [`shown`].
pub(super) fn unshown(attributes: &Attributes<'_>, view: &View, mut value: Value) -> Value {
    if let Some(other) = &view.other
        && *attributes.kind == attributes.resource.gvk
        && value.is_object()
    {
        other.to_stored(&mut value);
        attributes.resource.to_served(&mut value);
        value["apiVersion"] = attributes.resource.api_version().into();
    }
    value
}
