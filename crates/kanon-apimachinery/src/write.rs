//! Writes, in the stages between which the shell calls admission (spec/kubernetes-api.md 4.8, 4.11):
//!
//! 1. `prepare`: decode checks, merge or apply, pruning, defaults, managed fields. What comes out is what mutating webhooks see.
//! 2. [`Prepared::finish`]: takes what they made of it; stamps, counts generations, validates. What comes out is what validating
//!    webhooks see, with the [`Outcome`] to carry out when they agree.
//!
//! A write that the store rejects because the object changed meanwhile is prepared again from the new state, unless the
//! client named a version ([`Prepared::is_conditional`]).

pub mod create;
pub mod delete;
mod finish;
mod managed;
pub mod namespace;
mod operations;
pub mod patch;
pub mod scale;
pub mod update;

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;
use kanon_core::{GroupVersionKind, Object, Operation};
use kanon_store::{Change, Draft, Entry, Expect, Revision, Write};
use serde_json::Value;

use crate::{
    request::{Address, WriteOptions},
    resource::Resource,
    status::{ApiError, Result},
};

/// What all stages of one write share.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The resource addressed.
    pub resource: &'a Resource,
    /// Which object or collection of it.
    pub address: &'a Address,
    /// The request's options.
    pub options: &'a WriteOptions,
    /// When the request is handled.
    pub now: Timestamp,
}

/// What the server adds to a new object, made by the shell: it has the randomness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// A version 4 UUID.
    pub uid: String,
    /// Five of `bcdfghjklmnpqrstvwxz2456789`, for `generateName`.
    pub suffix: String,
}

/// Letters of generated names.
pub const SUFFIX_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The stored state that a write starts from.
#[derive(Clone, Debug)]
pub struct Old {
    /// As stored.
    pub entry: Arc<Entry>,
    /// In the version of the request.
    pub value: Value,
}

/// Which part of an object a write changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but status (and status too, where it is no subresource).
    Object,
    /// `/status`
    Status,
    /// `/scale`: admission sees a Scale, the object gets its replicas.
    Scale,
    /// `/finalize` of a namespace: its `spec.finalizers`.
    Finalize,
    /// `/ephemeralcontainers` of a pod.
    EphemeralContainers,
}

impl Part {
    /// The part that a subresource's name addresses.
    pub fn of(subresource: &str) -> Option<Part> {
        Some(match subresource {
            "" => Part::Object,
            "status" => Part::Status,
            "scale" => Part::Scale,
            "finalize" => Part::Finalize,
            "ephemeralcontainers" => Part::EphemeralContainers,
            _ => return None,
        })
    }
}

/// A write before mutating admission.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// `Create` or `Update`.
    pub operation: Operation,
    /// Which part is written.
    pub part: Part,
    /// What admission sees: the object, or a Scale.
    pub object: Value,
    /// What admission sees as the old object.
    pub old_object: Option<Value>,
    /// The state it starts from; none on create.
    pub old: Option<Old>,
    /// For `Warning` headers.
    pub warnings: Vec<String>,
    /// Whether the client named the version it changes: then a conflict is its own.
    pub is_conditional: bool,
    /// Whether it is an apply whose fields are still to be owned: that of a Scale, which admission sees first.
    pub is_apply: bool,
}

/// A write before validating admission.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What validating admission sees.
    pub object: Value,
    /// What it sees as the old object.
    pub old_object: Option<Value>,
    /// What to carry out when it agrees.
    pub outcome: Outcome,
    /// What the client is shown of the result.
    pub part: Part,
    /// For `Warning` headers: what validation lets pass because the write did not bring it.
    pub warnings: Vec<String>,
}

/// What is to be done with a finished write.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Store it; the entry that results is the answer.
    Store(Write),
    /// The write changes nothing: this is the answer.
    Unchanged(Arc<Entry>),
    /// Nothing may be stored; this (in the request's version) is the answer.
    DryRun(Value),
    /// The last finalizer is gone: remove the object. The answer is its last state, at its old version.
    Remove(Write, Value),
}

impl Prepared {
    /// Kind of the object that admission sees.
    pub fn kind<'r>(&self, resource: &'r Resource) -> Cow<'r, GroupVersionKind> {
        match self.part {
            Part::Scale => Cow::Owned(GroupVersionKind::new("autoscaling", "v1", "Scale")),
            Part::Object | Part::Status | Part::Finalize | Part::EphemeralContainers => Cow::Borrowed(&resource.gvk),
        }
    }

    /// Takes what mutating admission made of [`Prepared::object`], and finishes the write. `changed`: whether that is another
    /// object; one that is not has been pruned and has its defaults already.
    ///
    /// # Errors
    /// Everything the kind's rules refuse.
    pub fn finish(self, ctx: &Context<'_>, mutated: Value, changed: bool, stamp: &Stamp) -> Result<Finished> {
        finish::finish(ctx, self, mutated, changed, stamp)
    }
}

/// The write that puts `value` (in the request's version) in place of what is expected.
fn put(ctx: &Context<'_>, value: &Value, expect: Expect) -> Result<Write> {
    let mut stored = Cow::Borrowed(value);
    if !ctx.resource.serves_stored_form() {
        ctx.resource.to_stored(stored.to_mut());
    }
    let name = stored["metadata"]["name"].as_str().unwrap_or_default();
    let namespace = stored["metadata"]["namespace"].as_str().unwrap_or_default();
    let key = ctx.resource.key(namespace, name);
    let draft = draft(&stored)?;
    Ok(Write { key, expect, change: Change::Put(draft) })
}

/// A value as bytes to store.
fn draft(value: &Value) -> Result<Draft> {
    Draft::new(value).map_err(|error| ApiError::bad_request(error.to_string()))
}

/// A stored entry as the version of `resource` shows it, as a tree.
pub fn served_value(resource: &Resource, object: &Object) -> Value {
    let mut value = object.to_value();
    resource.to_served(&mut value);
    value
}

/// Whole seconds, UTC, as Kubernetes writes times.
fn timestamp(ctx: &Context<'_>) -> String {
    kanon_core::rfc3339(ctx.now)
}

/// The resource version that an object carries, if any.
fn version_of(value: &Value) -> Result<Option<Revision>> {
    let text = value["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    // Upstream reads 0 as "not given".
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let problem = format!("strconv.ParseUint: parsing {text:?}: invalid syntax");
        ApiError::bad_request(format!("metadata.resourceVersion: Invalid value: {text:?}: {problem}"))
    })
}

#[cfg(test)]
mod tests;
