//! Label and field selectors: text in the server's grammar, matched on objects without building trees; and what a
//! selector makes of a watch event (spec/kubernetes-api.md 4.1, 4.4).

mod field;
mod label;
mod transition;

pub(crate) use field::scalar_text;
pub use field::{FieldRequirement, FieldSelector};
pub use label::{LabelSelector, Operator, Requirement};
pub use transition::{Seen, Selection};
