//! DELETE of an object, and of all objects of a collection.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;
use kanon_apimachinery::{
    admission::Attributes,
    decode, negotiate,
    request::{Address, DeleteOptions, Resolved},
    resource::Resource,
    status::{ApiError, Result},
    write::{
        delete::{self, Deletion},
        served_value,
    },
};
use kanon_core::{Object, Operation, UserInfo};
use kanon_store::{Entry, Key, ListOptions as StoreListOptions};
use serde_json::{Value, json};

use super::{read, write::Refused};
use crate::{admission::Warnings, core::Core, reply::Reply, service::Asked};

/// As of the other writes.
const TRIES: usize = 64;
/// Deletions of a collection at work at a time.
const AT_ONCE: usize = 64;

/// What a deletion answers with.
pub(crate) enum Deleted {
    /// The object is gone; the text of a Status.
    Status(Bytes),
    /// The object stays for now; as stored.
    Stored(Object),
    /// The object stays for now; in the request's version.
    Served(Value),
}

/// DELETE of one object.
pub(crate) async fn one(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let answer = negotiate::answer(&asked.info.accept)?;
    let options = options(asked)?;
    match delete(core, &asked.user, resource, address, &options, &asked.warnings).await? {
        Deleted::Status(text) => Ok(Reply::json(StatusCode::OK, answer.encoding, asked.info.is_pretty(), text)),
        Deleted::Stored(object) => read::one(core, asked, resource, StatusCode::OK, &object),
        Deleted::Served(value) => {
            read::one(core, asked, resource, StatusCode::OK, &super::write::stored(resource, value))
        }
    }
}

/// DELETE of a collection: of each object that is selected, in order. Answers with the objects.
pub(crate) async fn collection(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let answer = negotiate::answer(&asked.info.accept)?;
    let selection = asked.info.list_options(resource, false)?.selection;
    let options = options(asked)?;
    let prefix = resource.list_prefix(address.object_namespace());
    let (entries, revision) = core.storage.read(|memory| {
        let page = memory.list(&prefix, StoreListOptions::default()).map_err(ApiError::internal)?;
        Ok::<_, ApiError>((page.entries, page.revision))
    })?;
    let entries = core.all_shown(resource, entries).await?;
    let selected: Vec<&Arc<Entry>> = entries.iter().filter(|it| selection.matches(resource, &it.object)).collect();
    let mut items = Vec::new();
    // Many at a time share commits; the answer keeps their order.
    for some in selected.chunks(AT_ONCE) {
        let mut deletions = Vec::with_capacity(some.len());
        for entry in some {
            deletions.push(item(core, asked, target, &options, entry));
        }
        for deleted in join_all(deletions).await {
            items.extend(deleted?);
        }
    }
    let list = json!({
        "apiVersion": resource.api_version(),
        "kind": resource.list_kind,
        "metadata": {"resourceVersion": revision.to_string()},
        "items": items,
    });
    let text = super::write::text(&list);
    Ok(Reply::json(StatusCode::OK, answer.encoding, asked.info.is_pretty(), text))
}

/// Deletes one object of a collection: its last state, or none when somebody else was faster.
async fn item(
    core: &Core,
    asked: &Asked,
    target: &Resolved,
    options: &DeleteOptions,
    entry: &Arc<Entry>,
) -> Result<Option<Value>> {
    let resource = &target.resource;
    let mut address = (*target.address).clone();
    entry.object.str_at(&["metadata", "name"]).clone_into(&mut address.name);
    entry.object.str_at(&["metadata", "namespace"]).clone_into(&mut address.namespace);
    match delete(core, &asked.user, resource, &address, options, &asked.warnings).await {
        Ok(Deleted::Status(_)) => Ok(Some(served_value(resource, &entry.object))),
        Ok(Deleted::Stored(object)) => Ok(Some(served_value(resource, &object))),
        Ok(Deleted::Served(value)) => Ok(Some(value)),
        Err(error) if error.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

fn options(asked: &Asked) -> Result<DeleteOptions> {
    let body = decode::delete_options(&asked.info.content_type, &asked.body)?;
    asked.info.delete_options(body.as_ref())
}

/// Decides and carries out a deletion, again while somebody else is faster.
pub(crate) async fn delete(
    core: &Core,
    user: &UserInfo,
    resource: &Resource,
    address: &Address,
    options: &DeleteOptions,
    warnings: &Warnings,
) -> Result<Deleted> {
    let key: Key = resource.key(address.object_namespace(), &address.name);
    let mut current = core.current(resource, &key).await?;
    let review_options = options.to_value();
    for _ in 0..TRIES {
        let plan = delete::plan(resource, address, options, current.as_ref(), core.now().wall)?;
        let hooks = core.hooks();
        if let Some(entry) = current.as_ref().filter(|_| !hooks.is_empty()) {
            let attributes = Attributes {
                operation: Operation::Delete,
                resource,
                address,
                kind: &resource.gvk,
                options: &review_options,
                dry_run: options.dry_run,
                user,
            };
            let old = served_value(resource, &entry.object);
            // A deletion leaves nothing to mutate, but mutating webhooks may refuse it too.
            core.mutate(&hooks, &attributes, Value::Null, Some(&old), warnings).await?;
            core.validate(&hooks, &attributes, None, Some(&old), warnings).await?;
        }
        let (write, status) = match plan {
            Deletion::Nothing(value) => return Ok(Deleted::Served(value)),
            Deletion::DryRun(status) => return Ok(Deleted::Status(status)),
            Deletion::Remove(write, status) => (write, Some(status)),
            Deletion::Mark(write) => (write, None),
        };
        match core.store_as(resource, write).await {
            Ok(entry) => return Ok(status.map_or_else(|| Deleted::Stored(entry.object.clone()), Deleted::Status)),
            // Another state: admission is asked about that one too.
            Err(Refused::Moved(moved)) => current = moved,
            Err(Refused::Error(error)) => return Err(error),
        }
    }
    Err(ApiError::conflict(&resource.group_resource(), &address.name))
}
