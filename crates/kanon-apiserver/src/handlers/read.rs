//! GET of one object, and the form in which single objects are shown.

use std::time::Duration;

use http::StatusCode;
use kanon_apimachinery::{
    list::partial,
    negotiate::{self, Form},
    request::Resolved,
    resource::Resource,
    status::{ApiError, Result},
    table::Rows,
};
use kanon_core::Object;
use kanon_store::Revision;

use crate::{core::Core, reply::Reply, service::Asked};

/// How long a read waits for a version that lies ahead (spec/kubernetes-api.md 4.1).
const AHEAD: Duration = Duration::from_secs(3);

/// GET of an object.
pub(crate) async fn get(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    wait_for(core, asked.info.version()?).await?;
    let key = resource.key(address.object_namespace(), &address.name);
    let entry = core.current(resource, &key).await?;
    let entry = entry.ok_or_else(|| ApiError::not_found(&resource.group_resource(), &address.name))?;
    one(core, asked, resource, StatusCode::OK, &entry.object)
}

/// Waits until the store has reached a version.
///
/// # Errors
/// 504 when it does not in time.
pub(super) async fn wait_for(core: &Core, version: Option<Revision>) -> Result<()> {
    let Some(version) = version else { return Ok(()) };
    if core.storage.revision() >= version || core.storage.reached(version, AHEAD).await {
        return Ok(());
    }
    Err(ApiError::future_revision(version.0, core.storage.revision().0))
}

/// An object (as stored) as the client accepts it: itself, as a table, or its metadata.
pub(crate) fn one(
    core: &Core,
    asked: &Asked,
    resource: &Resource,
    status: StatusCode,
    object: &Object,
) -> Result<Reply> {
    let answer = negotiate::answer(&asked.info.accept)?;
    let text = match answer.form {
        Form::Object => resource.served(object).text().clone(),
        Form::Partial(version) => partial(object, version),
        Form::Table(version) => {
            let include = asked.info.include_object()?;
            Rows { resource, include, version, now: core.now().wall }.object(object)
        }
    };
    Ok(Reply::json(status, answer.encoding, asked.info.is_pretty(), text))
}
