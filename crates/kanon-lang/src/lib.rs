//! What policy families see of an expression language: text is compiled once against a declared [`Environment`] into a
//! [`Program`], which is evaluated against [`Value`]s under [`Limits`], and which can explain itself.
//!
//! No language is known here by name, and no expression does I/O.

mod allowance;
mod bound;
mod compiled;
mod context;
pub mod coverage;
mod diagnostic;
mod dialect;
mod function;
pub mod ir;
pub mod kubernetes;
mod language;
mod machine;
mod module;
mod rules;
mod suggest;
mod types;
mod value;

pub use allowance::{Limits, TimeLimit};
pub use bound::{Bound, Inner};
pub use compiled::Compiled;
pub use context::{Context, Stop};
pub use diagnostic::{Diagnostic, Diagnostics, Span};
pub use dialect::{Callee, Dialect, Source};
pub use function::{Function, Native};
pub use language::{
    Arena, Environment, ErrorKind, EvalError, Explained, Language, LanguageId, Languages, Options, Program, Reads,
    Spent,
};
pub use module::{ModuleOptions, Outline, OutlineRule, RuleKind};
pub use rules::{Memo, Places, RuleSet, Shareable};
pub use suggest::{did_you_mean, suggest};
pub use types::{ObjectType, Type};
pub use value::{Opaque, Record, Value};
