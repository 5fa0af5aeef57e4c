//! CustomResourceDefinition schemas: from JSON to [`Schema`](crate::Schema), and whether they are structural.

mod convert;

pub use convert::from_json;
