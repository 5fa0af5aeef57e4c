//! What policy families see of an expression language: text is compiled once against a declared [`Environment`] into a
//! [`Program`], which is evaluated against [`Value`]s under [`Limits`], and which can explain itself.
//!
//! No language is known here by name, and no expression does I/O.

mod diagnostic;
mod language;
mod value;

pub use diagnostic::{Diagnostic, Diagnostics, Span};
pub use language::{
    Arena, Environment, ErrorKind, EvalError, Explained, Language, LanguageId, Languages, Limits, Options, Program,
    Reads,
};
pub use value::{Record, Value};
