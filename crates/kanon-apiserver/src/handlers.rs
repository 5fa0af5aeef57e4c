//! From a request that may go ahead to its answer: one file for each kind of request.

pub(crate) mod delete;
mod discovery;
mod endpoints;
mod evict;
mod list;
pub(crate) mod part;
pub(crate) mod read;
mod review;
mod stream;
mod watch;
pub(crate) mod write;

use std::{pin::Pin, sync::Arc};

use http::StatusCode;
use kanon_apimachinery::{
    negotiate,
    request::{Resolved, Target, Verb},
    reviews,
    status::Result,
};
use serde_json::Value;

pub(crate) use discovery::Documents;

use crate::{core::Core, reply::Reply, service::Asked};

/// Answers a request whose user may make it.
pub(crate) async fn handle(core: &Arc<Core>, asked: Asked) -> Result<Reply> {
    let endpoint = match &asked.info.target {
        Target::Path(endpoint) => endpoint.clone(),
        Target::Resource(verb, address) => {
            if stream::is_stream(&asked.info, address) {
                return stream::connect(core, &asked, *verb, address).await;
            }
            part::refuse_proxies(address)?;
            let target = asked.info.resolve(&core.registry.load())?;
            negotiate::check_protobuf(&asked.info.accept, target.resource.custom().is_none())?;
            asked.warnings.add(target.resource.custom().and_then(|it| it.deprecation.clone()));
            return resource(core, asked, target).await;
        }
    };
    endpoints::answer(core, &asked, &endpoint)
}

async fn resource(core: &Arc<Core>, asked: Asked, target: Resolved) -> Result<Reply> {
    let (asked, target) = (&asked, &target);
    let is_review = reviews::is_review(&target.resource);
    // Each in a place of its own: a request would have that of the largest, and it is moved about before it begins.
    let work: Pin<Box<dyn Future<Output = Result<Reply>> + Send + '_>> =
        match (target.verb, target.address.subresource.is_empty()) {
            (Verb::Create, true) if is_review => Box::pin(review::create(core, asked, target)),
            (Verb::Create, true) if target.resource.is_core("Binding") => {
                Box::pin(part::bind_named(core, asked, target))
            }
            (Verb::Create, true) => Box::pin(write::create(core, asked, target)),
            (Verb::Create, false) => Box::pin(part::create(core, asked, target)),
            (Verb::Get, true) => Box::pin(read::get(core, asked, target)),
            (Verb::Get, false) => Box::pin(part::get(core, asked, target)),
            (Verb::List, _) => Box::pin(list::list(core, asked, target)),
            (Verb::Watch, _) => Box::pin(watch::watch(core, asked, target)),
            (Verb::Update, _) => Box::pin(write::update(core, asked, target)),
            (Verb::Patch, _) => Box::pin(write::patch(core, asked, target)),
            (Verb::Delete, _) => Box::pin(delete::one(core, asked, target)),
            (Verb::DeleteCollection, _) => Box::pin(delete::collection(core, asked, target)),
        };
    work.await
}

/// A value as the client accepts it: of answers that have no table form.
pub(crate) fn json(asked: &Asked, status: StatusCode, value: &Value) -> Result<Reply> {
    let answer = negotiate::answer(&asked.info.accept)?;
    Ok(Reply::json(status, answer.encoding, asked.info.is_pretty(), write::text(value)))
}
