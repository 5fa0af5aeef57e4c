//! DELETE: at once, or as a mark that finalizers and grace periods hold (spec/kubernetes-api.md 4.7).

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use kanon_store::{Change, Draft, Entry, Expect, Write};
use serde_json::{Value, json};

use super::{draft, namespace, served_value};
use crate::{
    meta,
    request::{Address, DeleteOptions, Propagation},
    resource::Resource,
    status::{self, ApiError, GroupResource, Result},
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// Seconds a pod has to stop when nothing else is said.
const GRACE_DEFAULT: i64 = 30;

/// What a deletion comes to. Validating admission sees the entry's object as `oldObject` before it is carried out.
#[derive(Clone, Debug)]
pub enum Deletion {
    /// Remove the object; answer with this Status.
    Remove(Write, Bytes),
    /// Mark the object; answer with the entry that results.
    Mark(Write),
    /// Nothing to do (dry run, or the deletion has begun before): answer with this object, in the request's version.
    Nothing(Value),
    /// Nothing is stored; answer with this Status.
    DryRun(Bytes),
}

/// Decides a deletion. A write that the store rejects is decided again from the new state.
///
/// # Errors
/// 404, 403 for namespaces that stay, 409 for preconditions.
pub fn plan(
    resource: &Resource,
    address: &Address,
    options: &DeleteOptions,
    current: Option<&Arc<Entry>>,
    now: Timestamp,
) -> Result<Deletion> {
    let what = resource.group_resource();
    let entry = current.ok_or_else(|| ApiError::not_found(&what, &address.name))?;
    if resource.is_core("Namespace") && namespace::UNDELETABLE.contains(&address.name.as_str()) {
        return Err(ApiError::namespace_may_not_be_deleted(&address.name));
    }
    check_preconditions(resource, address, options, entry)?;
    let stored = entry.object.to_value();
    let marked = mark(resource, options, &stored, now)?;
    let expect = Expect::At(entry.revision);
    let uid = meta::text(&stored, "uid");
    let status = || status::deleted(&what, meta::text(&stored, "name"), uid);
    match marked {
        Mark::Gone if options.dry_run => Ok(Deletion::DryRun(status())),
        Mark::Gone => {
            let last = Draft::of(&entry.object).map_err(ApiError::internal)?;
            Ok(Deletion::Remove(Write { key: entry.key.clone(), expect, change: Change::Delete(last) }, status()))
        }
        Mark::Same => Ok(Deletion::Nothing(served_value(resource, &entry.object))),
        Mark::Changed(mut object) if options.dry_run => {
            resource.to_served(&mut object);
            Ok(Deletion::Nothing(object))
        }
        Mark::Changed(object) => {
            Ok(Deletion::Mark(Write { key: entry.key.clone(), expect, change: Change::Put(draft(&object)?) }))
        }
    }
}

fn check_preconditions(resource: &Resource, address: &Address, options: &DeleteOptions, entry: &Entry) -> Result<()> {
    let found = |name: &str| entry.object.str_at(&["metadata", name]).to_owned();
    let wanted =
        [("UID", &options.uid, found("uid")), ("ResourceVersion", &options.resource_version, found("resourceVersion"))];
    for (field, wanted, found) in wanted {
        if let Some(wanted) = wanted.as_deref().filter(|it| *it != found) {
            let kind = GroupResource::new(&resource.gvk.group, &resource.gvk.kind);
            return Err(ApiError::precondition(&kind, &address.name, field, wanted, &found));
        }
    }
    Ok(())
}

enum Mark {
    /// Nothing holds the object.
    Gone,
    /// It is marked already.
    Same,
    /// It waits, in this state.
    Changed(Value),
}

fn mark(resource: &Resource, options: &DeleteOptions, stored: &Value, now: Timestamp) -> Result<Mark> {
    let mut object = stored.clone();
    propagate(&mut object, options.propagation);
    if crate::crd::is_crd(resource) && !meta::is_deleting(stored) {
        crate::crd::hold(&mut object, &kanon_core::rfc3339(now));
    }
    let held = meta::finalizers(&object).next().is_some() || namespace::is_held(resource, &object);
    let grace = grace(resource, options, &object);
    if meta::is_deleting(stored) {
        return again(resource, &mut object, held, grace, stored, now);
    }
    if !held && grace == 0 {
        return Ok(Mark::Gone);
    }
    begin(resource, &mut object, grace, now)?;
    Ok(Mark::Changed(object))
}

/// A deletion that has begun before: it may be hurried, or its finalizers may have changed.
fn again(
    resource: &Resource,
    object: &mut Value,
    held: bool,
    grace: i64,
    stored: &Value,
    now: Timestamp,
) -> Result<Mark> {
    let before = object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or_default();
    if !held && (grace == 0 || before == 0) {
        return Ok(Mark::Gone);
    }
    if resource.is_core("Namespace") && namespace::is_held(resource, stored) && *object == *stored {
        let why = "The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will automatically be purged by the system.";
        return Err(ApiError::conflict_because(&resource.group_resource(), meta::text(stored, "name"), why));
    }
    if grace < before {
        set_grace(object, grace, now)?;
    }
    Ok(if *object == *stored { Mark::Same } else { Mark::Changed(std::mem::take(object)) })
}

fn begin(resource: &Resource, object: &mut Value, grace: i64, now: Timestamp) -> Result<()> {
    set_grace(object, grace, now)?;
    // Setting the mark counts as a change (spec 4.2).
    if let Some(generation) = object["metadata"]["generation"].as_i64() {
        meta::set(object, "generation", Some((generation + 1).into()));
    }
    if resource.is_core("Namespace") {
        object["status"]["phase"] = "Terminating".into();
        meta::meta_mut(object).remove("deletionGracePeriodSeconds");
    }
    Ok(())
}

fn set_grace(object: &mut Value, grace: i64, now: Timestamp) -> Result<()> {
    let wait = SignedDuration::from_secs(grace);
    let end = now.checked_add(wait).map_err(|_| ApiError::bad_request("gracePeriodSeconds is out of range"))?;
    meta::set(object, "deletionTimestamp", Some(kanon_core::rfc3339(end).into()));
    meta::set(object, "deletionGracePeriodSeconds", Some(grace.into()));
    Ok(())
}

/// How long the object stays: only pods that run on a node have a grace period.
fn grace(resource: &Resource, options: &DeleteOptions, object: &Value) -> i64 {
    if !resource.is_core("Pod") {
        return 0;
    }
    let unbound = object["spec"]["nodeName"].as_str().unwrap_or_default().is_empty();
    if unbound || matches!(object["status"]["phase"].as_str(), Some("Failed" | "Succeeded")) {
        return 0;
    }
    let own = || object["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(GRACE_DEFAULT);
    let wanted = options.grace_period_seconds.unwrap_or_else(own);
    // A negative period means "at once, but by the node" (upstream: one second).
    if wanted < 0 { 1 } else { wanted }
}

/// Puts the garbage collector's finalizers as the policy says; without one they stay as they are.
fn propagate(object: &mut Value, policy: Option<Propagation>) {
    let Some(policy) = policy else { return };
    let mut list: Vec<Value> =
        meta::finalizers(object).filter(|it| ![FOREGROUND, ORPHAN].contains(it)).map(Value::from).collect();
    match policy {
        Propagation::Background => {}
        Propagation::Foreground => list.push(FOREGROUND.into()),
        Propagation::Orphan => list.push(ORPHAN.into()),
    }
    let list = (!list.is_empty()).then(|| json!(list));
    meta::set(object, "finalizers", list);
}
