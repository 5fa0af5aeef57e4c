//! What objects of a kind look like, for built-in kinds and custom resources alike: one [`Schema`] model, and the walks over
//! it: prune, default, validate, strategic merge, server-side apply, OpenAPI.
//!
//! Pure: trees in, trees out. Knows no kind by name.

mod schema;

pub use schema::{ListType, MapType, PatchStrategy, Rule, Schema, Type, ValueRules};
