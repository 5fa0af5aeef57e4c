//! Paths: resources under `/api` and `/apis`, and the rest.

use std::sync::Arc;

use http::Method;

use super::{Query, Target, Verb};
use crate::selector::FieldSelector;

/// Which object, collection or subresource, as the path says it. Whether it exists is not known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// API group; empty for core.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural.
    pub resource: String,
    /// Namespace; of a namespace itself its name, as upstream has it. Empty for cluster-wide requests.
    pub namespace: String,
    /// Name; empty for collections. Lists and watches of one name (field selector) carry it too: rules by
    /// `resourceNames` then apply.
    pub name: String,
    /// `status`, `scale`, …; empty for the object itself.
    pub subresource: String,
    /// The rest of the path after the subresource (`proxy`).
    pub rest: String,
    pub(super) scope_name: NameFrom,
}

/// Where an address has its name from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum NameFrom {
    #[default]
    Path,
    Selector,
}

impl Address {
    /// Whether this addresses a namespace (and not something in one).
    pub fn is_namespace_itself(&self) -> bool {
        self.group.is_empty() && self.resource == "namespaces"
    }

    /// `plural`, or `plural/subresource`.
    pub fn resource_path(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }

    /// The path that leads here.
    pub fn path(&self) -> String {
        let root = if self.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", self.group) };
        let namespace = match self.object_namespace() {
            "" => String::new(),
            namespace => format!("namespaces/{namespace}/"),
        };
        let mut path = format!("{root}/{}/{namespace}{}", self.version, self.resource);
        for part in [&self.name, &self.subresource, &self.rest].into_iter().filter(|it| !it.is_empty()) {
            path.push('/');
            path.push_str(part);
        }
        path
    }

    /// The namespace that objects go to: empty for a namespace itself.
    pub fn object_namespace(&self) -> &str {
        if self.is_namespace_itself() { "" } else { &self.namespace }
    }
}

/// What a path outside of resources asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/`
    Root,
    /// `/version`
    Version,
    /// `/healthz`, `/livez`, `/readyz`, without the slash; and the single check asked for, if one is.
    Health(&'static str, String),
    /// `/metrics`
    Metrics,
    /// `/api`
    ApiVersions,
    /// `/apis`
    ApiGroups,
    /// `/apis/<group>`
    ApiGroup(String),
    /// `/api/v1` (group empty) and `/apis/<group>/<version>`.
    ApiResources {
        /// API group.
        group: String,
        /// API version.
        version: String,
    },
    /// `/openapi/…`
    OpenApi(OpenApi),
    /// `/openid/v1/jwks`
    Jwks,
    /// `/.well-known/openid-configuration`
    OpenIdConfiguration,
    /// Nothing that this server knows: 404, or the shell's own.
    Other,
}

/// OpenAPI documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenApi {
    /// `/openapi/v2`
    V2,
    /// `/openapi/v3`
    Index,
    /// `/openapi/v3/<path>`, such as `apis/apps/v1`, with the `hash` asked for.
    Document {
        /// Path below `/openapi/v3/`.
        path: String,
        /// `?hash=`, empty when absent.
        hash: String,
    },
}

pub(super) fn target(method: &Method, path: &str, query: &Query) -> Target {
    let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let resource = match parts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => address("", version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => address(group, version, rest),
        _ => None,
    };
    match resource {
        Some((mut address, watching)) => match verb(method, &mut address, watching, query) {
            Some(verb) => Target::Resource(verb, Arc::new(address)),
            None => Target::Path(Endpoint::Other),
        },
        None => Target::Path(endpoint(&parts, query)),
    }
}

fn endpoint(parts: &[&str], query: &Query) -> Endpoint {
    let owned = |text: &str| text.to_owned();
    match parts {
        [] => Endpoint::Root,
        ["version"] => Endpoint::Version,
        ["healthz", rest @ ..] => Endpoint::Health("healthz", rest.join("/")),
        ["livez", rest @ ..] => Endpoint::Health("livez", rest.join("/")),
        ["readyz", rest @ ..] => Endpoint::Health("readyz", rest.join("/")),
        ["metrics"] => Endpoint::Metrics,
        ["api"] => Endpoint::ApiVersions,
        ["apis"] => Endpoint::ApiGroups,
        ["apis", group] => Endpoint::ApiGroup(owned(group)),
        ["api", version] => Endpoint::ApiResources { group: String::new(), version: owned(version) },
        ["apis", group, version] => Endpoint::ApiResources { group: owned(group), version: owned(version) },
        ["openapi", "v2"] => Endpoint::OpenApi(OpenApi::V2),
        ["openapi", "v3"] => Endpoint::OpenApi(OpenApi::Index),
        ["openapi", "v3", rest @ ..] => {
            Endpoint::OpenApi(OpenApi::Document { path: rest.join("/"), hash: query.text("hash") })
        }
        ["openid", "v1", "jwks"] => Endpoint::Jwks,
        [".well-known", "openid-configuration"] => Endpoint::OpenIdConfiguration,
        _ => Endpoint::Other,
    }
}

/// The address in what follows the version, and whether the old `watch/` prefix was there.
fn address(group: &str, version: &str, parts: &[&str]) -> Option<(Address, bool)> {
    let (watching, parts) = match parts {
        ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
        parts => (false, parts),
    };
    let mut address = Address { group: group.to_owned(), version: version.to_owned(), ..Address::default() };
    let parts = match parts {
        // Namespaces themselves, and their two subresources.
        ["namespaces"] => parts,
        ["namespaces", name] | ["namespaces", name, "status" | "finalize"] => {
            (*name).clone_into(&mut address.namespace);
            parts
        }
        ["namespaces", name, rest @ ..] => {
            (*name).clone_into(&mut address.namespace);
            rest
        }
        parts => parts,
    };
    let (resource, rest) = parts.split_first()?;
    (*resource).clone_into(&mut address.resource);
    if let Some((name, rest)) = rest.split_first() {
        (*name).clone_into(&mut address.name);
        if let Some((subresource, rest)) = rest.split_first() {
            (*subresource).clone_into(&mut address.subresource);
            address.rest = rest.join("/");
        }
    }
    Some((address, watching))
}

/// The verb of a method. Lists and watches of one name get that name.
fn verb(method: &Method, address: &mut Address, watching: bool, query: &Query) -> Option<Verb> {
    let one = !address.name.is_empty();
    let follows = watching || query.flag("watch") == Some(true);
    let verb = match *method {
        Method::GET | Method::HEAD if follows && address.subresource.is_empty() && (!one || watching) => Verb::Watch,
        Method::GET | Method::HEAD if one => Verb::Get,
        Method::GET | Method::HEAD => Verb::List,
        Method::POST => Verb::Create,
        Method::PUT => Verb::Update,
        Method::PATCH => Verb::Patch,
        Method::DELETE if one => Verb::Delete,
        Method::DELETE => Verb::DeleteCollection,
        _ => return None,
    };
    if matches!(verb, Verb::List | Verb::Watch | Verb::DeleteCollection) && !one {
        let selector = query.get("fieldSelector").and_then(|it| FieldSelector::parse(it).ok()).unwrap_or_default();
        if let Some(name) = selector.name() {
            name.clone_into(&mut address.name);
            address.scope_name = NameFrom::Selector;
        }
    }
    Some(verb)
}
