//! How large the values of a variable may be: what a schema says of them, for languages that estimate costs.

use std::{collections::BTreeMap, sync::Arc};

/// The largest value that may stand at a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// The most characters, bytes, elements or members; 0 for what has no size.
    pub most: u64,
    /// What it holds.
    pub inner: Inner,
}

/// What a value holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Inner {
    /// Nothing, or nothing that is known.
    #[default]
    Nothing,
    /// A list: its elements.
    Elements(Arc<Bound>),
    /// A map: its values.
    Values(Arc<Bound>),
    /// An object: its fields, as programs name them.
    Fields(BTreeMap<String, Bound>),
}
