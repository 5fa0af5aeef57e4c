//! Subresources that are not writes of a part: scale to read, eviction, binding, tokens; and those that need a node.

use std::sync::Arc;

use http::StatusCode;
use kanon_apimachinery::{
    admission::Attributes,
    decode,
    request::{Address, DeleteOptions, Resolved, WriteOptions},
    status::{self, ApiError, Result},
    write::{self, Context, Part, patch, scale},
};
use kanon_core::Object;
use kanon_store::{Entry, ListOptions};
use serde_json::{Value, json};

use super::{delete, read, write::Refused};
use crate::{core::Core, reply::Reply, service::Asked};

/// As of the other writes.
const TRIES: usize = 64;

/// GET of a subresource.
pub(super) fn get(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let key = resource.key(address.object_namespace(), &address.name);
    let entry = core.storage.get(&key);
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
        "eviction" => evict(core, asked, target, body()?).await,
        "binding" => bind(core, asked, target, body()?).await,
        other => Err(no_node(other)),
    }
}

/// Refuses what needs a node to talk to, in words: without this a client would only learn that there is no such path.
///
/// # Errors
/// 501.
pub(super) fn refuse_streams(address: &Address) -> Result<()> {
    let streams = ["attach", "exec", "portforward", "proxy"];
    match address.subresource.as_str() {
        part if address.group.is_empty() && streams.contains(&part) => Err(no_node(part)),
        _ => Ok(()),
    }
}

fn no_node(part: &str) -> ApiError {
    ApiError::not_implemented(format!("this server runs no containers: there is no {part:?} here"))
}

async fn token(core: &Core, asked: &Asked, target: &Resolved, body: Value) -> Result<Reply> {
    let options = asked.info.write_options("CreateOptions")?;
    let address = &target.address;
    admit(core, asked, target, &options, &body).await?;
    let token = core.issue_token(&address.namespace, &address.name, body)?;
    super::json(asked, StatusCode::CREATED, &token)
}

/// Asks admission about the body of a subresource.
async fn admit(core: &Core, asked: &Asked, target: &Resolved, options: &WriteOptions, body: &Value) -> Result<()> {
    let part = target.resource.subresource(&target.address.subresource).ok_or_else(ApiError::no_such_path)?;
    let review_options = options.to_value("CreateOptions");
    let attributes = Attributes {
        operation: kanon_core::Operation::Create,
        resource: &target.resource,
        address: &target.address,
        kind: &part.gvk,
        options: &review_options,
        dry_run: options.dry_run,
        user: &asked.user,
    };
    core.mutate(&attributes, body.clone(), None, &asked.warnings).await?;
    core.validate(&attributes, Some(body), None, &asked.warnings).await
}

/// Evicts a pod: deletes it unless a disruption budget needs it (spec/kubernetes-api.md 4.1).
async fn evict(core: &Core, asked: &Asked, target: &Resolved, body: Value) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let key = resource.key(&address.namespace, &address.name);
    let pod = core.storage.get(&key);
    let pod = pod.ok_or_else(|| ApiError::not_found(&resource.group_resource(), &address.name))?;
    let mut options = asked.info.write_options("CreateOptions")?;
    let mut deletion = match &body["deleteOptions"] {
        Value::Object(_) => DeleteOptions::from_value(&body["deleteOptions"])?,
        _ => DeleteOptions::default(),
    };
    options.dry_run |= deletion.dry_run;
    deletion.dry_run = options.dry_run;
    admit(core, asked, target, &options, &body).await?;
    if let Some(budget) = budget_of(core, &pod.object, &address.namespace)? {
        take_disruption(core, &budget, options.dry_run).await?;
    }
    delete::delete(core, &asked.user, resource, address, &deletion, &asked.warnings).await?;
    Ok(Reply::new(StatusCode::CREATED, "application/json", status::success(None, 201)))
}

/// The budget that counts a pod, if one does. Pods that have ended or go already are not counted.
fn budget_of(core: &Core, pod: &Object, namespace: &str) -> Result<Option<Arc<Entry>>> {
    let ended = matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed" | "Pending");
    if ended || pod.at(&["metadata", "deletionTimestamp"]).is_some_and(|it| !it.is_null()) {
        return Ok(None);
    }
    let prefix = format!("policy/poddisruptionbudgets/{namespace}/");
    let page = core.storage.read(|memory| memory.list(&prefix, ListOptions::default()));
    let mut budgets = Vec::new();
    for entry in page.map(|it| it.entries).unwrap_or_default() {
        let selector = entry.object.at(&["spec", "selector"]).map(|it| it.to_value()).unwrap_or_default();
        let selector = kanon_apimachinery::selector::LabelSelector::from_value(&selector);
        if selector.is_ok_and(|it| it.matches(pod)) {
            budgets.push(entry);
        }
    }
    if budgets.len() > 1 {
        let text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        return Err(ApiError::plain_500(text));
    }
    Ok(budgets.pop())
}

/// Takes one of the disruptions that a budget allows; the disruption controller counts anew.
async fn take_disruption(core: &Core, budget: &Arc<Entry>, dry_run: bool) -> Result<()> {
    let mut current = Some(Arc::clone(budget));
    let resource = core.builtin.preferred("policy", "poddisruptionbudgets").ok_or_else(ApiError::no_such_path)?;
    for _ in 0..TRIES {
        // Without the budget nothing is in the way.
        let Some(entry) = current else { return Ok(()) };
        let number = |name: &str| entry.object.at(&["status", name]).and_then(|it| it.as_i64()).unwrap_or_default();
        let name = entry.object.str_at(&["metadata", "name"]);
        let allowed = number("disruptionsAllowed");
        if allowed <= 0 {
            return Err(ApiError::disruption_budget(name, number("desiredHealthy"), number("currentHealthy")));
        }
        let mut value = entry.object.to_value();
        value["status"]["disruptionsAllowed"] = (allowed - 1).into();
        if dry_run {
            return Ok(());
        }
        let draft = kanon_store::Draft::new(&value).map_err(ApiError::internal)?;
        let write = kanon_store::Write {
            key: entry.key.clone(),
            expect: kanon_store::Expect::At(entry.revision),
            change: kanon_store::Change::Put(draft),
        };
        match core.store(write).await {
            Ok(_) => return Ok(()),
            Err(Refused::Moved(moved)) => current = moved,
            Err(Refused::Error(error)) => return Err(error),
        }
    }
    Err(ApiError::conflict(&resource.group_resource(), budget.object.str_at(&["metadata", "name"])))
}

/// Binds a pod to a node.
async fn bind(core: &Core, asked: &Asked, target: &Resolved, body: Value) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let options = asked.info.write_options("CreateOptions")?;
    admit(core, asked, target, &options, &body).await?;
    let node = body["target"]["name"].as_str().unwrap_or_default();
    if node.is_empty() {
        return Err(ApiError::bad_request("target.name: Required value"));
    }
    let key = resource.key(&address.namespace, &address.name);
    let mut current = core.storage.get(&key);
    // A binding writes the pod itself, as the server.
    let mut object_address = address.clone();
    object_address.subresource.clear();
    let ctx = Context { resource, address: &object_address, options: &options, now: core.now().wall };
    let scheduled = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null,
        "lastTransitionTime": crate::core::rfc3339(ctx.now)});
    let change = patch::Patch::Merge(json!({"spec": {"nodeName": node}}));
    for _ in 0..TRIES {
        let bound = current.as_ref().map(|it| it.object.str_at(&["spec", "nodeName"]).to_owned()).unwrap_or_default();
        if !bound.is_empty() {
            let why = format!("pod {} is already assigned to node {bound:?}", address.name);
            return Err(ApiError::conflict_because(&resource.group_resource(), &address.name, &why));
        }
        let mut prepared = patch::prepare(&ctx, &change, current.as_ref())?;
        prepared.part = Part::Binding;
        if prepared.object["status"]["conditions"].is_null() {
            prepared.object["status"]["conditions"] = json!([]);
        }
        if let Some(list) = prepared.object["status"]["conditions"].as_array_mut() {
            list.retain(|it| it["type"] != "PodScheduled");
            list.push(scheduled.clone());
        }
        match core.carry_out(&asked.user, &ctx, prepared, &asked.warnings).await {
            Ok(_) => {
                return Ok(Reply::new(StatusCode::CREATED, "application/json", status::success(None, 201)));
            }
            Err(Refused::Moved(moved)) => current = moved,
            Err(Refused::Error(error)) => return Err(error),
        }
    }
    Err(ApiError::conflict(&resource.group_resource(), &address.name))
}
