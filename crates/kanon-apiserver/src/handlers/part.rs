//! Subresources that are not writes of a part: scale to read, binding, tokens; and those that need a node.

use http::StatusCode;
use kanon_apimachinery::{
    admission::Attributes,
    decode,
    request::{Address, Resolved, WriteOptions},
    resource::Resource,
    status::{self, ApiError, Result},
    write::{self, scale},
};
use kanon_core::{UserInfo, rfc3339};
use kanon_store::{Change, Draft, Expect, Write};
use serde_json::{Value, json};

use super::{evict, read, write::Refused};
use crate::{admission::Warnings, core::Core, reply::Reply, service::Asked};

/// As of the other writes.
const TRIES: usize = 64;

/// GET of a subresource.
pub(super) async fn get(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let key = resource.key(address.object_namespace(), &address.name);
    let entry = core.current(resource, &key).await?;
    let entry = entry.ok_or_else(|| ApiError::not_found(&resource.group_resource(), &address.name))?;
    match address.subresource.as_str() {
        "status" | "ephemeralcontainers" => read::one(core, asked, resource, StatusCode::OK, &entry.object),
        "scale" => {
            let parent = write::served_value(resource, &entry.object);
            super::json(asked, StatusCode::OK, &scale::of(resource, &parent)?)
        }
        other => Err(no_node(other)),
    }
}

/// POST to a subresource.
pub(super) async fn create(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let part = target.resource.subresource(&target.address.subresource).ok_or_else(ApiError::no_such_path)?;
    let body = || decode::part(&part.gvk, &asked.info.content_type, &asked.body).map(|it| it.value);
    match target.address.subresource.as_str() {
        "token" => token(core, asked, target, body()?).await,
        "eviction" => evict::evict(core, asked, target, body()?).await,
        "binding" => bind(core, asked, target, body()?).await,
        other => Err(no_node(other)),
    }
}

/// Refuses what needs a node to talk to, in words: without this a client would only learn that there is no such path.
///
/// # Errors
/// 501.
pub(super) fn refuse_proxies(address: &Address) -> Result<()> {
    let is_proxy = address.group.is_empty() && address.subresource == "proxy";
    if is_proxy { Err(no_node("proxy")) } else { Ok(()) }
}

fn no_node(part: &str) -> ApiError {
    ApiError::not_implemented(format!("this server runs no containers: there is no {part:?} here"))
}

async fn token(core: &Core, asked: &Asked, target: &Resolved, body: Value) -> Result<Reply> {
    let options = asked.info.write_options("CreateOptions")?;
    let address = &target.address;
    admit(core, (&asked.user, &asked.warnings), (&target.resource, address), &options, &body).await?;
    let token = core.issue_token(&address.namespace, &address.name, body)?;
    super::json(asked, StatusCode::CREATED, &token)
}

/// Asks admission about the body of a subresource.
pub(super) async fn admit(
    core: &Core,
    (user, warnings): (&UserInfo, &Warnings),
    (resource, address): (&Resource, &Address),
    options: &WriteOptions,
    body: &Value,
) -> Result<()> {
    let part = resource.subresource(&address.subresource).ok_or_else(ApiError::no_such_path)?;
    let review_options = options.to_value("CreateOptions");
    let attributes = Attributes {
        operation: kanon_core::Operation::Create,
        resource,
        address,
        kind: &part.gvk,
        options: &review_options,
        dry_run: options.dry_run,
        user,
    };
    let hooks = core.hooks();
    core.mutate(&hooks, &attributes, body.clone(), None, warnings).await?;
    core.validate(&hooks, &attributes, Some(body), None, warnings).await
}

/// POST to a pod's `binding`.
async fn bind(core: &Core, asked: &Asked, target: &Resolved, body: Value) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let options = asked.info.write_options("CreateOptions")?;
    let node = body["target"]["name"].as_str().unwrap_or_default();
    if node.is_empty() {
        return Err(ApiError::bad_request("target.name: Required value"));
    }
    let binding = Binding { user: &asked.user, options: &options, warnings: &asked.warnings, node };
    bind_to(core, resource, address, &binding).await?;
    Ok(Reply::new(StatusCode::CREATED, "application/json", status::success(None, 201)))
}

/// POST to `bindings`: the older way to the `binding` of the pod that the body names.
pub(super) async fn bind_named(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let body = decode::object(&target.resource, &asked.info.content_type, &asked.body)?.value;
    let pods = core.builtin.resource("", "v1", "pods").cloned().ok_or_else(ApiError::no_such_path)?;
    let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut address = Address::clone(&target.address);
    (address.resource, address.name, address.subresource) = ("pods".to_owned(), name, "binding".to_owned());
    bind(core, asked, &Resolved { resource: pods, verb: target.verb, address: address.into() }, body).await
}

/// Who binds a pod, how, and to which node.
pub(crate) struct Binding<'a> {
    pub(crate) user: &'a UserInfo,
    pub(crate) options: &'a WriteOptions,
    pub(crate) warnings: &'a Warnings,
    pub(crate) node: &'a str,
}

/// Binds a pod to a node; the address is that of its `binding`.
///
/// # Errors
/// 404, 409 where it is bound already, and what admission says.
pub(crate) async fn bind_to(core: &Core, resource: &Resource, address: &Address, binding: &Binding<'_>) -> Result<()> {
    let Binding { user, options, warnings, node } = binding;
    let body = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": address.name, "namespace": address.namespace},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node}});
    admit(core, (user, warnings), (resource, address), options, &body).await?;
    let key = resource.key(&address.namespace, &address.name);
    let mut current = core.storage.get(&key);
    for _ in 0..TRIES {
        let what = resource.group_resource();
        let entry = current.ok_or_else(|| ApiError::not_found(&what, &address.name))?;
        let object = &entry.object;
        if object.at(&["metadata", "deletionTimestamp"]).is_some_and(|it| !it.is_null()) {
            let why = format!("pod {} is being deleted, cannot be assigned to a host", address.name);
            return Err(ApiError::conflict_because(&what, &address.name, &why));
        }
        let bound = object.str_at(&["spec", "nodeName"]);
        if !bound.is_empty() {
            let why = format!("pod {} is already assigned to node {bound:?}", address.name);
            return Err(ApiError::conflict_because(&what, &address.name, &why));
        }
        // A binding writes the pod past the rules for updates, which let nobody change the node.
        let value = bound_to(object.to_value(), node, &rfc3339(core.now().wall));
        if options.dry_run {
            return Ok(());
        }
        let draft = Draft::new(&value).map_err(ApiError::internal)?;
        let write = Write { key: key.clone(), expect: Expect::At(entry.revision), change: Change::Put(draft) };
        match core.store(write).await {
            Ok(_) => return Ok(()),
            Err(Refused::Moved(moved)) => current = moved,
            Err(Refused::Error(error)) => return Err(error),
        }
    }
    Err(ApiError::conflict(&resource.group_resource(), &address.name))
}

/// The pod with its node, and the condition that says so.
fn bound_to(mut pod: Value, node: &str, now: &str) -> Value {
    pod["spec"]["nodeName"] = node.into();
    let scheduled = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now});
    let conditions = &mut pod["status"]["conditions"];
    match conditions.as_array_mut() {
        Some(list) => {
            list.retain(|it| it["type"] != "PodScheduled");
            list.push(scheduled);
        }
        None => *conditions = json!([scheduled]),
    }
    pod
}
