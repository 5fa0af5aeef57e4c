//! What can be addressed: built-in and custom resources alike as [`Resource`], and all of them as one [`Registry`].

mod custom;
mod registry;
mod select;

use std::{fmt, sync::Arc};

use kanon_core::{GroupVersionKind, Object, Scope};
pub use kanon_kinds::{BuiltinKind, NameRule, Subresource};
use kanon_lang::Language;
use kanon_schema::Schema;
use kanon_store::{Key, Revision};
use serde_json::Value;

pub use custom::{Custom, CustomColumn, ScalePaths};
pub(crate) use registry::priority as version_priority;
pub use registry::{Group, GroupVersion, Registry};

use crate::status::GroupResource;

/// One served version of a kind.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Group, version, kind.
    pub gvk: GroupVersionKind,
    /// Lower-case plural: the last part of the collection's path.
    pub plural: String,
    /// Lower-case singular.
    pub singular: String,
    /// Kind of a list.
    pub list_kind: String,
    /// Abbreviations for the command line.
    pub short_names: Vec<String>,
    /// Groups of resources (`all`).
    pub categories: Vec<String>,
    /// Where its objects live.
    pub scope: Scope,
    /// What clients may do, in discovery's order.
    pub verbs: Vec<&'static str>,
    /// `status`, `scale`, …, sorted by name.
    pub subresources: Vec<Subresource>,
    /// Storage prefix (`apps/deployments`), shared by all versions of a kind.
    pub prefix: String,
    /// `apiVersion` of the stored form.
    pub stored_api_version: String,
    /// Whether `metadata.generation` is counted.
    pub has_generation: bool,
    /// Whether status is a subresource.
    pub has_status: bool,
    /// Field selectors besides `metadata.name` and `metadata.namespace`.
    pub selectable_fields: Vec<String>,
    /// What `metadata.name` must look like.
    pub name_rule: NameRule,
    /// Where the kind comes from.
    pub origin: Origin,
    /// What expressions in its objects are written in: rules of definitions, conditions of webhooks.
    pub rule_language: Option<RuleLanguage>,
}

/// The language of `x-kubernetes-validations`.
#[derive(Clone)]
pub struct RuleLanguage(pub Arc<dyn Language>);

impl fmt::Debug for RuleLanguage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.id().fmt(out)
    }
}

/// Where a kind comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// The table of built-in kinds.
    Builtin(&'static BuiltinKind),
    /// A CustomResourceDefinition.
    Custom(Arc<Custom>),
}

impl Resource {
    /// The resource of a built-in kind.
    pub fn builtin(kind: &'static BuiltinKind) -> Resource {
        // Both event APIs show the same objects; the core form is what is stored (`crate::events`). Of the two forms of an
        // autoscaler the newer one is (`crate::autoscalers`).
        let (group, stored) = match (kind.gvk.group.as_str(), kind.plural) {
            ("events.k8s.io", "events") => ("core", "v1".to_owned()),
            ("autoscaling", "horizontalpodautoscalers") => ("autoscaling", "autoscaling/v2".to_owned()),
            ("", _) => ("core", kind.gvk.api_version()),
            (group, _) => (group, kind.gvk.api_version()),
        };
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        Resource {
            gvk: kind.gvk.clone(),
            plural: kind.plural.to_owned(),
            singular: kind.singular.to_owned(),
            list_kind: kind.list_kind.clone(),
            short_names: owned(&kind.short_names),
            categories: owned(&kind.categories),
            scope: kind.scope,
            verbs: kind.verbs.clone(),
            subresources: kind.subresources.clone(),
            prefix: format!("{group}/{}", kind.plural),
            stored_api_version: stored,
            has_generation: kind.has_generation,
            has_status: kind.has_status,
            selectable_fields: owned(&kind.selectable_fields),
            name_rule: kind.name_rule,
            origin: Origin::Builtin(kind),
            rule_language: None,
        }
    }

    /// The whole object. Of a built-in kind it is made at first use: most kinds have no objects in most clusters.
    pub fn schema(&self) -> Arc<Schema> {
        match &self.origin {
            Origin::Builtin(kind) => kind.schema(),
            Origin::Custom(custom) => Arc::clone(&custom.schema),
        }
    }

    /// Group and plural, as failures name it.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource::new(&self.gvk.group, &self.plural)
    }

    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        self.gvk.api_version()
    }

    /// Whether its objects live in namespaces.
    pub fn is_namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    /// What is known of a custom kind; `None` for a built-in one.
    pub fn custom(&self) -> Option<&Custom> {
        match &self.origin {
            Origin::Custom(custom) => Some(custom),
            Origin::Builtin(_) => None,
        }
    }

    /// The built-in kind; `None` for a custom one.
    pub fn builtin_kind(&self) -> Option<&'static BuiltinKind> {
        match &self.origin {
            Origin::Builtin(kind) => Some(kind),
            Origin::Custom(_) => None,
        }
    }

    /// Whether this is the built-in kind called so.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.builtin_kind().is_some() && self.gvk.group == group && self.gvk.kind == kind
    }

    /// Whether this is a core kind called so.
    pub fn is_core(&self, kind: &str) -> bool {
        self.is("", kind)
    }

    /// Whether clients may do this to the resource.
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }

    /// The subresource called `name`.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|it| it.name == name)
    }

    /// Where an object is stored. `namespace` is ignored for cluster-wide kinds.
    pub fn key(&self, namespace: &str, name: &str) -> Key {
        Key::new(&self.prefix, if self.is_namespaced() { namespace } else { "" }, name)
    }

    /// What the keys of the collection begin with: of one namespace, or of all when `namespace` is empty.
    pub fn list_prefix(&self, namespace: &str) -> String {
        if namespace.is_empty() || !self.is_namespaced() {
            format!("{}/", self.prefix)
        } else {
            format!("{}/{namespace}/", self.prefix)
        }
    }

    /// The collection's URL path, without a namespace.
    pub fn path(&self) -> String {
        let root = if self.gvk.group.is_empty() { "/api" } else { "/apis" };
        format!("{root}/{}/{}", self.api_version(), self.plural)
    }

    /// Whether objects are served in the form in which they are stored. Then bytes go out as they are.
    pub fn serves_stored_form(&self) -> bool {
        self.stored_api_version == self.gvk.api_version()
    }

    /// `apiVersion` of what is in the store, also where a webhook converts from and to it.
    pub fn storage_api_version(&self) -> String {
        match self.custom() {
            Some(custom) => format!("{}/{}", self.gvk.group, custom.storage_version),
            None => self.stored_api_version.clone(),
        }
    }

    /// Whether a stored object is what this version shows, to the byte: not where it was stored when another version was the
    /// stored one.
    pub fn shows_as_stored(&self, object: &Object) -> bool {
        let version = object.str_at(&["apiVersion"]);
        let is_named = self.custom().is_none() || version.is_empty() || version == self.stored_api_version;
        self.serves_stored_form() && is_named && !self.may_lack_defaults(object)
    }

    /// An object as this version shows it.
    #[must_use]
    pub fn served(&self, object: &Object) -> Object {
        if self.shows_as_stored(object) {
            return object.clone();
        }
        let mut value = object.to_value();
        self.to_served(&mut value);
        Object::from_value(&value)
    }

    /// Whether a stored object is older than defaults that its definition has by now.
    fn may_lack_defaults(&self, object: &Object) -> bool {
        let Some(since) = self.custom().and_then(|it| it.defaults_since) else { return false };
        let version = object.str_at(&["metadata", "resourceVersion"]).parse::<Revision>();
        version.is_ok_and(|it| it < since)
    }

    /// Turns the stored form into this version's, with the defaults that a custom kind has by now.
    pub fn to_served(&self, value: &mut Value) {
        if !self.serves_stored_form() {
            if self.is("events.k8s.io", "Event") {
                crate::events::to_events_api(value);
            }
            if self.is("autoscaling", "HorizontalPodAutoscaler") {
                crate::autoscalers::to_v1(value);
            }
            set_api_version(value, &self.api_version());
        } else if self.custom().is_some_and(|it| it.converter.is_none()) {
            // It may have been stored when another version was the stored one.
            set_api_version(value, &self.stored_api_version);
        }
        if self.custom().is_some_and(|it| it.defaults_since.is_some()) {
            kanon_schema::default(&self.schema(), value);
        }
    }

    /// Turns this version's form into the stored one.
    pub fn to_stored(&self, value: &mut Value) {
        if !self.serves_stored_form() {
            if self.is("events.k8s.io", "Event") {
                crate::events::to_core(value);
            }
            if self.is("autoscaling", "HorizontalPodAutoscaler") {
                crate::autoscalers::to_v2(value);
            }
            set_api_version(value, &self.stored_api_version);
        }
    }

    /// What a field selector compares, as text. `object` is in its stored form.
    pub fn selectable_value(&self, object: &Object, field: &str) -> String {
        select::value(self, object, field)
    }
}

fn set_api_version(value: &mut Value, api_version: &str) {
    if let Value::Object(members) = value {
        members.insert("apiVersion".to_owned(), api_version.into());
    }
}

#[cfg(test)]
mod tests;
