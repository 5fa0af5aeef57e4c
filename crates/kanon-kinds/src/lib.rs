//! Kubernetes' built-in kinds (1.32) as one table of the project's own, and what follows from knowing a kind by name:
//! defaults, validation in upstream's words, printed columns, protobuf bodies.
//!
//! The tables under `tables/` are the source of truth: types and fields (format: `table.rs`) and resources (format:
//! `resources.rs`). To add a field, add a line there. Pure: values and times in, values out.

mod amount_names;
mod cells;
mod columns;
mod default;
mod names;
mod protobuf;
mod quantity;
mod resources;
mod table;
mod validate;

use std::sync::Arc;

use kanon_schema::Schema;

pub use amount_names::{is_extended, is_huge_pages, is_huge_pages_of_quota, is_native};
pub use cells::{cells, human_duration};
pub use columns::{Column, columns};
pub use default::{default, default_body, prepare_create, prepare_update, quality_of_service};
pub use names::{
    NameRule, label_1035_problems, label_problems, label_value_problems, qualified_name_problems, subdomain_problems,
};
pub use protobuf::put as protobuf_put;
pub use protobuf::{ProtobufError, ProtobufList, decode_protobuf, encode_protobuf, encode_protobuf_event};
pub use quantity::is_quantity;
pub use resources::{BuiltinKind, Subresource, body_schema, by_kind, find, kinds};
pub use validate::{service_address_problems, validate, validate_kind};

/// Package of the types that all kinds share.
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// The schema published under `name`, such as `io.k8s.api.core.v1.PodSpec`. Built at first use, then shared.
pub fn type_schema(name: &str) -> Option<Arc<Schema>> {
    let tables = table::tables();
    let object = tables.find(name).map(|id| tables.schema(id));
    object.or_else(|| table::Tables::named_scalar(name).map(Arc::new))
}

/// Names of all object types in the tables, for documents that list them.
pub fn type_names() -> impl Iterator<Item = &'static str> {
    table::tables().names()
}

/// `metadata` of every object.
pub fn object_meta() -> Arc<Schema> {
    meta("ObjectMeta")
}

/// `metadata` of every list.
pub fn list_meta() -> Arc<Schema> {
    meta("ListMeta")
}

/// A type of `meta/v1`; the tables hold those that this module names (tested).
fn meta(local: &str) -> Arc<Schema> {
    type_schema(&format!("{META}.{local}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn shared_types_are_found() {
        assert!(super::object_meta().properties.contains_key("managedFields"));
        assert!(super::list_meta().properties.contains_key("continue"));
        let quantity = super::type_schema("io.k8s.apimachinery.pkg.api.resource.Quantity").unwrap();
        assert_eq!(quantity.format, "quantity");
        let template = super::type_schema("io.k8s.api.core.v1.PodTemplateSpec").unwrap();
        assert_eq!(template.properties["spec"].properties["containers"].proto, Some(2));
    }
}
