//! Writes of controllers, told to the audit log as the requests that they would be in a cluster.

use std::future::Future;

use bytes::Bytes;
use http::{Method, StatusCode};
use kanon_apimachinery::{
    request::Address,
    status::{ApiError, GroupResource},
};
use kanon_core::UserInfo;
use serde_json::Value;

use crate::{
    admission::Warnings,
    audit::Trail,
    core::Core,
    handlers::{
        delete::Deleted,
        write::{self, Carried, Done, Refused},
    },
};

/// Who writes, how and where.
pub(super) struct Own<'a> {
    pub(super) user: &'a UserInfo,
    /// The program that does it in a cluster.
    pub(super) manager: &'a str,
    pub(super) method: Method,
    pub(super) address: &'a Address,
}

/// Does the work, and tells of it where the policy wants that; `sent` is what a request would have sent.
pub(super) async fn told(
    core: &Core,
    own: Own<'_>,
    sent: Option<&Value>,
    warnings: &Warnings,
    work: impl Future<Output = Result<Bytes, Refused>>,
) -> Result<(), Refused> {
    let Own { user, manager, method, address } = own;
    let mut trail = Trail::own(core, user, manager, &method, address);
    if trail.shows_bodies()
        && let Some(sent) = sent
    {
        trail.sent("application/json", &write::text(sent));
    }
    trail.received().await?;
    let done = work.await;
    let status = if method == Method::POST { StatusCode::CREATED } else { StatusCode::OK };
    let outcome = match &done {
        Ok(text) => Ok((status, text.clone())),
        Err(Refused::Error(error)) => Err(error.clone()),
        Err(Refused::Moved(_)) => {
            Err(ApiError::conflict(&GroupResource::new(&address.group, &address.resource), &address.name))
        }
    };
    trail.done(outcome, warnings.take_annotations()).await;
    done.map(drop)
}

/// What a write answers with, as stored.
pub(super) fn carried(carried: Carried) -> Bytes {
    match carried.done {
        Done::Entry(entry) => entry.object.text().clone(),
        Done::Value(value) => write::text(&value),
    }
}

/// What a deletion answers with.
pub(super) fn deleted(deleted: Deleted) -> Bytes {
    match deleted {
        Deleted::Status(text) => text,
        Deleted::Stored(object) => object.text().clone(),
        Deleted::Served(value) => write::text(&value),
    }
}
