//! From method, path, query and headers to what is asked for. Nothing here needs the registry except
//! [`RequestInfo::resolve`]: authorization comes before the question whether a resource exists.

mod options;
mod path;
mod query;
mod stream;

use std::sync::Arc;

use http::{HeaderMap, Method, header};

pub use options::{
    DeleteOptions, FieldValidation, IncludeObject, ListOptions, Propagation, VersionMatch, WriteOptions,
};
pub use path::{Address, Endpoint, OpenApi};
pub use query::{Query, unescape};
pub use stream::{check_stream, no_pod, stream_options};

use crate::{
    resource::{Registry, Resource},
    status::{ApiError, Result},
};

/// What is done to a resource, in authorization's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read a collection.
    List,
    /// Follow a collection.
    Watch,
    /// Make an object, or post to a subresource.
    Create,
    /// Replace an object.
    Update,
    /// Change parts of an object.
    Patch,
    /// Delete an object.
    Delete,
    /// Delete a collection.
    DeleteCollection,
}

impl Verb {
    /// The word of RBAC rules and discovery.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Watch => "watch",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deletecollection",
        }
    }

    /// Whether the request changes something.
    pub fn is_write(self) -> bool {
        !matches!(self, Verb::Get | Verb::List | Verb::Watch)
    }
}

/// A request, understood as far as its head goes.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// The HTTP method.
    pub method: Method,
    /// The path as sent, percent escapes resolved.
    pub path: String,
    /// Query parameters.
    pub query: Query,
    /// What is addressed.
    pub target: Target,
    /// `User-Agent`, for the default field manager.
    pub user_agent: String,
    /// `Accept`; empty when absent.
    pub accept: String,
    /// `Content-Type`; empty when absent.
    pub content_type: String,
}

/// What a path addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A resource or a part of one, and what is done with it.
    Resource(Verb, Arc<Address>),
    /// Everything else.
    Path(Endpoint),
}

/// A request for a resource that exists and allows it.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The resource.
    pub resource: Arc<Resource>,
    /// What is done.
    pub verb: Verb,
    /// Which object, collection or subresource.
    pub address: Arc<Address>,
}

impl RequestInfo {
    /// Reads a request's head. `path` and `query` are as in the URI.
    ///
    /// # Errors
    /// 400 for escapes that are no UTF-8.
    pub fn parse(method: &Method, path: &str, query: Option<&str>, headers: &HeaderMap) -> Result<RequestInfo> {
        let malformed = || ApiError::bad_request("the path or query of the request is malformed");
        let path = query::decode(path, false).ok_or_else(malformed)?;
        let query = Query::parse(query.unwrap_or_default()).ok_or_else(malformed)?;
        let text = |name| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
        let target = path::target(method, &path, &query);
        Ok(RequestInfo {
            method: method.clone(),
            target,
            user_agent: text(header::USER_AGENT),
            accept: joined(headers),
            content_type: text(header::CONTENT_TYPE),
            path,
            query,
        })
    }

    /// The resource asked for.
    ///
    /// # Errors
    /// 404 when there is none, or not in this scope; 405 when it does not know the verb.
    pub fn resolve(&self, registry: &Registry) -> Result<Resolved> {
        let Target::Resource(verb, address) = &self.target else { return Err(ApiError::no_such_path()) };
        let resource = registry.resource(&address.group, &address.version, &address.resource);
        let resource = resource.ok_or_else(ApiError::no_such_path)?;
        check_scope(resource, *verb, address)?;
        let verbs = match address.subresource.as_str() {
            "" => &resource.verbs,
            name => &resource.subresource(name).ok_or_else(|| no_such_part(resource, address))?.verbs,
        };
        if !verbs.contains(&verb.as_str()) {
            return Err(match resource.custom() {
                Some(_) if !address.subresource.is_empty() => {
                    ApiError::verb_not_supported(verb.as_str(), &resource.group_resource())
                }
                _ => ApiError::method_not_allowed(),
            });
        }
        Ok(Resolved { resource: Arc::clone(resource), verb: *verb, address: Arc::clone(address) })
    }

    /// The verb as authorization sees it: of a resource, or the method in lower case.
    pub fn verb(&self) -> String {
        match &self.target {
            Target::Resource(verb, _) => verb.as_str().to_owned(),
            Target::Path(_) => self.method.as_str().to_ascii_lowercase(),
        }
    }

    /// The field manager: the parameter, else the User-Agent up to its first `/`.
    pub fn field_manager(&self) -> String {
        match self.query.get("fieldManager") {
            Some(manager) if !manager.is_empty() => manager.to_owned(),
            // Upstream's word where the header is missing.
            _ if self.user_agent.is_empty() => "unknown".to_owned(),
            _ => self.user_agent.split('/').next().unwrap_or_default().chars().take(128).collect(),
        }
    }

    /// Whether JSON is to be indented: asked for, or a person's user agent.
    pub fn is_pretty(&self) -> bool {
        match self.query.get("pretty") {
            Some(text) => query::truth(text),
            None => ["curl", "Wget", "Mozilla/5.0"].iter().any(|it| self.user_agent.starts_with(it)),
        }
    }
}

/// A subresource that a kind does not have. Of custom resources upstream says that the object is not there.
fn no_such_part(resource: &Resource, address: &Address) -> ApiError {
    match resource.custom() {
        Some(_) => ApiError::not_found(&resource.group_resource(), &address.name),
        None => ApiError::no_such_path(),
    }
}

/// Several Accept headers are one list.
fn joined(headers: &HeaderMap) -> String {
    let mut parts = headers.get_all(header::ACCEPT).iter().filter_map(|it| it.to_str().ok());
    let mut list = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        list.push(',');
        list.push_str(part);
    }
    list
}

/// Cluster-wide kinds have no namespace in their path; namespaced objects need one.
fn check_scope(resource: &Resource, verb: Verb, address: &Address) -> Result<()> {
    match (resource.is_namespaced(), address.namespace.is_empty()) {
        (false, false) if !address.is_namespace_itself() => Err(ApiError::no_such_path()),
        (true, true) if !address.name.is_empty() && matches!(address.scope_name, path::NameFrom::Path) => {
            Err(ApiError::no_such_path())
        }
        (true, true) if matches!(verb, Verb::Create | Verb::DeleteCollection) => Err(match resource.custom() {
            Some(_) => ApiError::no_such_path(),
            None => ApiError::method_not_allowed(),
        }),
        // Collections are not replaced or patched; a new object has no name in its path.
        _ if matches!(verb, Verb::Update | Verb::Patch) && address.name.is_empty() => {
            Err(ApiError::method_not_allowed())
        }
        _ if verb == Verb::Create && !address.name.is_empty() && address.subresource.is_empty() => {
            Err(ApiError::method_not_allowed())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
