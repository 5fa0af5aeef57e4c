//! Discovery and OpenAPI: documents about the registry of this moment. OpenAPI is made when somebody asks, and kept while the
//! resources of its group version stay the same.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use kanon_apimachinery::{
    discovery::{self, Root},
    negotiate::{self, DiscoveryForm},
    openapi::{self, Document, v2},
    resource::{GroupVersion, Registry, Resource},
    status::{ApiError, Result},
};
use serde_json::Value;

use crate::{core::Core, reply::Reply, service::Asked};

/// For how long a document with the right hash may be kept (upstream: a far date).
const IMMUTABLE: &str = "public, immutable";
const FAR: &str = "Fri, 31 Dec 2100 00:00:00 GMT";

/// `/api`
pub(super) fn versions(core: &Core, asked: &Asked) -> Result<Reply> {
    let host = asked.headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    root(core, asked, Root::Api, |_| discovery::api_versions(host))
}

/// `/apis`
pub(super) fn groups(core: &Core, asked: &Asked) -> Result<Reply> {
    root(core, asked, Root::Apis, discovery::api_groups)
}

fn root(core: &Core, asked: &Asked, root: Root, legacy: impl FnOnce(&Registry) -> Value) -> Result<Reply> {
    let registry = core.registry.load();
    let form = negotiate::discovery(&asked.info.accept);
    if form == DiscoveryForm::Legacy {
        return super::json(asked, StatusCode::OK, &legacy(&registry));
    }
    let text = discovery::aggregated(&registry, root, form).to_string();
    let tag = discovery::etag(text.as_bytes());
    let vary = (header::VARY, HeaderValue::from_static("Accept"));
    let mut reply = if is_known(asked, &tag) {
        Reply::new(StatusCode::NOT_MODIFIED, form.content_type(), Bytes::new())
    } else {
        Reply::new(StatusCode::OK, form.content_type(), text)
    };
    reply.headers.push(vary);
    Ok(tagged(reply, &tag))
}

/// `/apis/<group>`
pub(super) fn group(core: &Core, asked: &Asked, group: &str) -> Result<Reply> {
    let found = discovery::api_group(&core.registry.load(), group);
    super::json(asked, StatusCode::OK, &found.ok_or_else(ApiError::no_such_path)?)
}

/// `/api/v1`, `/apis/<group>/<version>`
pub(super) fn resources(core: &Core, asked: &Asked, group: &str, version: &str) -> Result<Reply> {
    let found = discovery::api_resources(&core.registry.load(), group, version);
    super::json(asked, StatusCode::OK, &found.ok_or_else(ApiError::no_such_path)?)
}

/// `/openapi/v2`
pub(super) fn openapi_v2(core: &Core, asked: &Asked) -> Reply {
    let document = core.documents.v2(core.registry.load_full());
    let tag = format!("\"{}\"", document.hash);
    let is_protobuf = asked.info.accept.split(',').next().is_some_and(|it| v2::ASKED.contains(&it.trim()));
    let content_type = if is_protobuf { v2::PROTOBUF } else { "application/json" };
    let reply = if is_known(asked, &tag) {
        Reply::new(StatusCode::NOT_MODIFIED, content_type, Bytes::new())
    } else if is_protobuf {
        Reply::new(StatusCode::OK, content_type, document.protobuf.clone())
    } else {
        Reply::new(StatusCode::OK, content_type, document.text.clone())
    };
    tagged(reply, &tag)
}

/// `/openapi/v3`
pub(super) fn openapi_index(core: &Core, asked: &Asked) -> Result<Reply> {
    let registry = core.registry.load_full();
    let mut documents = BTreeMap::new();
    for path in openapi::paths(&registry) {
        if let Some(document) = core.documents.get(&registry, &path) {
            documents.insert(path, document);
        }
    }
    let index = openapi::index(documents.iter().map(|(path, document)| (path.as_str(), &**document)));
    super::json(asked, StatusCode::OK, &index)
}

/// `/openapi/v3/<path>`
pub(super) fn openapi(core: &Core, asked: &Asked, path: &str, hash: &str) -> Result<Reply> {
    let registry = core.registry.load_full();
    let document = core.documents.get(&registry, path).ok_or_else(ApiError::no_such_path)?;
    if !hash.is_empty() && hash != document.hash {
        return Ok(moved(&format!("/openapi/v3/{path}?hash={}", document.hash)));
    }
    let tag = format!("\"{}\"", document.hash);
    let mut reply = if is_known(asked, &tag) {
        Reply::new(StatusCode::NOT_MODIFIED, "application/json", Bytes::new())
    } else {
        Reply::new(StatusCode::OK, "application/json", document.text.clone())
    };
    if document.hash == hash {
        reply.headers.push((header::CACHE_CONTROL, HeaderValue::from_static(IMMUTABLE)));
        reply.headers.push((header::EXPIRES, HeaderValue::from_static(FAR)));
    }
    Ok(tagged(reply, &tag))
}

/// The way to the document as it is now, for whoever has an older hash.
fn moved(url: &str) -> Reply {
    let mut reply = Reply::new(StatusCode::MOVED_PERMANENTLY, "text/html; charset=utf-8", Bytes::new());
    if let Ok(url) = HeaderValue::from_str(url) {
        reply.headers.push((header::LOCATION, url));
    }
    reply
}

fn is_known(asked: &Asked, tag: &str) -> bool {
    let given = asked.headers.get(header::IF_NONE_MATCH).and_then(|it| it.to_str().ok()).unwrap_or_default();
    given.split(',').any(|it| it.trim() == tag)
}

fn tagged(mut reply: Reply, tag: &str) -> Reply {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        reply.headers.push((header::ETAG, tag));
    }
    reply
}

/// OpenAPI documents by path, each with the resources that it describes; and the one of version 2.
#[derive(Default)]
pub(crate) struct Documents(Mutex<BTreeMap<String, Kept>>, Mutex<Option<(Arc<Registry>, Arc<v2::Document>)>>);

/// A document and what it describes.
type Kept = (Vec<Arc<Resource>>, Arc<Document>);

impl Documents {
    fn v2(&self, registry: Arc<Registry>) -> Arc<v2::Document> {
        let kept = self.1.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((of, document)) = kept
            && Arc::ptr_eq(&of, &registry)
        {
            return document;
        }
        let document = Arc::new(v2::document(&registry));
        *self.1.lock().unwrap_or_else(PoisonError::into_inner) = Some((registry, Arc::clone(&document)));
        document
    }

    fn get(&self, registry: &Registry, path: &str) -> Option<Arc<Document>> {
        let served = served(registry, path)?;
        let now: Vec<Arc<Resource>> = served.resources.values().cloned().collect();
        {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((of, document)) = kept.get(path)
                && of.len() == now.len()
                && of.iter().zip(&now).all(|(a, b)| Arc::ptr_eq(a, b))
            {
                return Some(Arc::clone(document));
            }
        }
        // Made outside of the lock: two may make it at once, and either is right.
        let document = Arc::new(openapi::document(registry, path)?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(path.to_owned(), (now, Arc::clone(&document)));
        Some(document)
    }
}

fn served<'r>(registry: &'r Registry, path: &str) -> Option<&'r GroupVersion> {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["api", version] => registry.group_version("", version),
        ["apis", group, version] => registry.group_version(group, version),
        _ => None,
    }
}
