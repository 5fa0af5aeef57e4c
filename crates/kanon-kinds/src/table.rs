//! The tables of types: what is written in `tables/*.txt`, parsed once at first use.
//!
//! ```text
//! package io.k8s.api.core.v1                 published names of the types below start with this
//! use meta io.k8s.apimachinery.pkg.apis.meta.v1      `meta.ObjectMeta` means a type of that package
//!
//! Container "A container to run."            a type; attributes before the text
//!   name   1  string  required default=""  "Its name."         a field: name, protobuf number, type, attributes, text
//!   inline 2  VolumeSource                   members of that type belong to this one in JSON; one message in protobuf
//! ```
//!
//! Field types: `string bool int32 int64 double bytes time microtime quantity int-or-string any json fields`,
//! `schema-or-bool|array|strings` (JSON schema unions), a type's name, `[]T`, `map[T]` (string keys). A `*` before a scalar
//! says that its zero value is kept when it is sent (a pointer in Go). Number `-`: JSON only.
//!
//! Field attributes: `required`, `default=JSON`, `enum=A|B`, `set`, `map=KEY,…` (list types of apply; atomic without),
//! `atomic` or `granular` (objects replaced as a whole or member by member, where the type says otherwise), `merge`,
//! `merge=KEY`, `retain-keys` (strategic merge).
//! Type attributes: `atomic`, `opaque` (its members are not checked: recursive types), `embedded` (only ever inlined, or a form
//! of answers: OpenAPI does not show it).

mod build;
mod parse;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, OnceLock},
};

use kanon_schema::{ListType, MapType, PatchStrategy, Schema};
use serde_json::Value;

/// Every table file. A new file needs a line here.
const FILES: &[(&str, &str)] = &[
    ("admissionregistration", include_str!("../tables/admissionregistration.txt")),
    ("apiextensions", include_str!("../tables/apiextensions.txt")),
    ("apps", include_str!("../tables/apps.txt")),
    ("authentication", include_str!("../tables/authentication.txt")),
    ("authorization", include_str!("../tables/authorization.txt")),
    ("autoscaling_v1", include_str!("../tables/autoscaling_v1.txt")),
    ("autoscaling_v2", include_str!("../tables/autoscaling_v2.txt")),
    ("batch", include_str!("../tables/batch.txt")),
    ("coordination", include_str!("../tables/coordination.txt")),
    ("core", include_str!("../tables/core.txt")),
    ("core_cluster", include_str!("../tables/core_cluster.txt")),
    ("core_volumes", include_str!("../tables/core_volumes.txt")),
    ("core_workload", include_str!("../tables/core_workload.txt")),
    ("discovery", include_str!("../tables/discovery.txt")),
    ("events", include_str!("../tables/events.txt")),
    ("meta", include_str!("../tables/meta.txt")),
    ("networking", include_str!("../tables/networking.txt")),
    ("policy", include_str!("../tables/policy.txt")),
    ("rbac", include_str!("../tables/rbac.txt")),
    ("scheduling", include_str!("../tables/scheduling.txt")),
    ("storage", include_str!("../tables/storage.txt")),
];

/// All types, by position; positions are stable within a process.
pub(crate) struct Tables {
    types: Vec<TypeDef>,
    by_name: BTreeMap<String, TypeId>,
    schemas: Vec<OnceLock<Arc<Schema>>>,
}

/// Position of a type in [`Tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeId(usize);

/// One type.
#[derive(Debug)]
pub(crate) struct TypeDef {
    /// Published name: package and local name.
    pub(crate) name: String,
    pub(crate) text: &'static str,
    pub(crate) atomic: bool,
    pub(crate) opaque: bool,
    pub(crate) embedded: bool,
    pub(crate) fields: Vec<FieldDef>,
}

/// One field of a type.
#[derive(Debug)]
pub(crate) struct FieldDef {
    pub(crate) name: &'static str,
    pub(crate) number: Option<u32>,
    pub(crate) ty: FieldType,
    /// The zero value is kept when sent.
    pub(crate) pointer: bool,
    /// The type's members belong to the parent in JSON.
    pub(crate) inline: bool,
    pub(crate) required: bool,
    /// How apply merges the object, where that is not as the type says.
    pub(crate) map_type: Option<MapType>,
    pub(crate) list_type: ListType,
    pub(crate) patch: PatchStrategy,
    pub(crate) default: Option<Value>,
    pub(crate) values: Vec<&'static str>,
    pub(crate) text: &'static str,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldType {
    Scalar(Scalar),
    Message(TypeId),
    List(Box<FieldType>),
    Map(Box<FieldType>),
}

/// Types without members of their own in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    String,
    Bool,
    Int32,
    Int64,
    Double,
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    /// `RawExtension`: an object of any kind.
    Any,
    /// JSON of any type.
    Json,
    /// `FieldsV1`: a set of field names as an object.
    Fields,
    SchemaOrBool,
    SchemaOrArray,
    SchemaOrStrings,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| parse::parse(FILES).expect("the embedded tables parse (tested)"));

/// The tables.
pub(crate) fn tables() -> &'static Tables {
    &TABLES
}

impl Tables {
    /// The type published under `name`.
    pub(crate) fn find(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// A type's definition.
    pub(crate) fn get(&self, id: TypeId) -> &TypeDef {
        // INVARIANT: ids are made by `parse` only, for types it keeps.
        &self.types[id.0]
    }

    /// A type as a schema, built at first use and shared from then on.
    pub(crate) fn schema(&self, id: TypeId) -> Arc<Schema> {
        Arc::clone(self.schemas[id.0].get_or_init(|| Arc::new(build::schema(self, id))))
    }

    /// A scalar that is published as a type of its own (`Time`, `Quantity`, …).
    pub(crate) fn named_scalar(name: &str) -> Option<Schema> {
        build::named(name)
    }

    /// Published names of all types that OpenAPI shows.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.types.iter().filter(|it| !it.embedded).map(|it| it.name.as_str())
    }
}

#[cfg(test)]
mod tests;
