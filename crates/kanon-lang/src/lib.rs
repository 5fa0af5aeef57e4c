//! What policy families see of an expression language: text is compiled once against a declared [`Environment`] into a
//! [`Program`], which is evaluated against [`Value`]s under [`Limits`], and which can explain itself.
//!
//! No language is known here by name, and no expression does I/O.

mod context;
mod diagnostic;
mod function;
mod language;
mod module;
mod types;
mod value;

pub use context::{Context, Stop};
pub use diagnostic::{Diagnostic, Diagnostics, Span};
pub use function::{Function, Native};
pub use language::{
    Arena, Environment, ErrorKind, EvalError, Explained, Language, LanguageId, Languages, Limits, Options, Program,
    Reads,
};
pub use module::{ModuleOptions, Outline, OutlineRule, RuleKind};
pub use types::{ObjectType, Type};
pub use value::{Opaque, Record, Value};
