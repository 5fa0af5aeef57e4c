//! What only custom resources have.

use std::{fmt, sync::Arc};

use kanon_schema::{Checker, JsonPath, Schema};
use kanon_store::Revision;

use crate::conversion::Converter;

/// What is known of a custom kind's version besides what every resource has.
#[derive(Clone)]
pub struct Custom {
    /// `<plural>.<group>`: the definition's name.
    pub crd_name: String,
    /// The version in which objects are stored.
    pub storage_version: String,
    /// Whether the definition is being deleted: nothing new may come then.
    pub is_terminating: bool,
    /// `apiVersion` of every version that the definition has.
    pub api_versions: Vec<String>,
    /// `additionalPrinterColumns` of this version; empty means Name and Age.
    pub columns: Vec<CustomColumn>,
    /// Paths of the scale subresource, if there is one.
    pub scale: Option<ScalePaths>,
    /// Who converts between versions; nobody where they differ in their apiVersion alone.
    pub converter: Option<Arc<Converter>>,
    /// Judges objects of this version: schema and rules.
    pub checker: Arc<Checker>,
    /// Objects stored before this version of the definition may lack its defaults; `None` when it has none.
    pub defaults_since: Option<Revision>,
    /// The whole object: what is declared, and what every object has.
    pub schema: Arc<Schema>,
    /// The version's schema as written, for OpenAPI; what validation uses is `schema`.
    pub declared: Arc<Schema>,
    /// Marked as deprecated, with what to tell clients that use it.
    pub deprecation: Option<String>,
}

impl fmt::Debug for Custom {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Custom").field("crd_name", &self.crd_name).finish_non_exhaustive()
    }
}

/// One printed column.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomColumn {
    /// Heading.
    pub name: String,
    /// OpenAPI type, or `date`.
    pub kind: String,
    /// OpenAPI format.
    pub format: String,
    /// One line of help.
    pub description: String,
    /// 0 shows always, more with `-o wide`.
    pub priority: i64,
    /// kubectl's JSONPath below the object.
    pub json_path: String,
    /// The same, compiled; `None` when it cannot be, and then the cell is empty.
    pub path: Option<JsonPath>,
}

/// Where a custom kind keeps what `/scale` shows: dotted paths such as `.spec.replicas`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// Wanted replicas.
    pub spec_replicas: String,
    /// Present replicas.
    pub status_replicas: String,
    /// Label selector as text; empty when there is none.
    pub label_selector: String,
}
