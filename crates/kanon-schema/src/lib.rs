//! What objects of a kind look like, for built-in kinds and custom resources alike: one [`Schema`] model, and the walks over
//! it: prune, default, validate, strategic merge, server-side apply, OpenAPI.
//!
//! Pure: trees in, trees out. Knows no kind by name.

mod apply;
mod crd;
mod default;
mod error;
mod gotext;
mod jsonpath;
mod meta;
mod openapi;
mod path;
mod pattern;
mod prune;
mod rules;
mod schema;
mod strategic;
#[cfg(test)]
mod test_support;
mod validate;

pub use apply::{
    ApplyError, Conflict, Conflicts, Element, FieldSet, ManagerEntry, Operation, Writer, apply, managers,
    update_managed_fields,
};
pub use crd::{from_json, structural_schema};
pub use default::default;
pub use error::{FieldError, FieldErrorKind};
pub use gotext::{go_value, quote};
pub use jsonpath::{JsonPath, JsonPathError};
pub use meta::object_meta;
pub use openapi::to_openapi;
pub use path::FieldPath;
pub use pattern::compile_pattern;
pub use prune::{prune, prune_value};
pub use rules::{Checker, Findings, Rules, compile_problem};
pub use schema::{Constraints, ListType, MapType, PatchStrategy, Rule, Schema, Type, ValueRules};
pub use strategic::{StrategicError, strategic_merge};
pub use validate::{Validator, validate};
