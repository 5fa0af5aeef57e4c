//! GET of a collection: read under the lock in a moment, written piece by piece from shared bytes.

use bytes::Bytes;
use http::StatusCode;
use kanon_apimachinery::{
    list,
    negotiate::{self, Encoding, Form},
    request::Resolved,
    status::Result,
    table::Rows,
};

use super::read;
use crate::{body::Body, core::Core, reply::Reply, service::Asked};

pub(super) async fn list(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let answer = negotiate::answer(&asked.info.accept)?;
    let options = asked.info.list_options(resource, false)?;
    if options.continue_token.is_empty() {
        read::wait_for(core, options.version).await?;
    }
    let namespace = address.object_namespace();
    let listing = core.storage.read(|memory| list::read(memory, resource, namespace, &options))?;
    let pieces = match answer.form {
        Form::Object => listing.objects(resource),
        Form::Partial(version) => listing.partial(version),
        Form::Table(version) => {
            let include = options.include_object;
            Rows { resource, include, version, now: core.now().wall }.list(&listing)
        }
    };
    if answer.encoding == Encoding::Json && !asked.info.is_pretty() {
        let mut reply = Reply::new(StatusCode::OK, answer.encoding.content_type(), Bytes::new());
        reply.body = Body::pieces(pieces);
        return Ok(reply);
    }
    let text = pieces.concat().into();
    Ok(Reply::json(StatusCode::OK, answer.encoding, asked.info.is_pretty(), text))
}
