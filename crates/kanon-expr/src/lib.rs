//! The language expr, as expr-lang 1.17.8 behaves, on objects as they are stored: nothing is copied into a tree to be read.
//!
//! Text goes through `lexer` and `parser` to a flat tree (`ast`), through `check` (the type errors that the original
//! reports at compile time), `rewrite` (what its optimiser does where that shows) and `lower` to the operations of the machine
//! that all languages share. What operations do to values is in `operators`, `access` and `builtins`; `dialect` and `natives`
//! hand them to the machine. No pass recurses deeper than the text nests, and that is bounded.
//!
//! Differences from the original, all on purpose:
//! - `keys`, `values`, `toPairs`, `string` and `groupBy` give a fixed order (Go's is random);
//! - strings cut inside a character are repaired, since objects hold UTF-8;
//! - nesting and steps are bounded (spec/rules 2.11).

mod access;
mod ast;
mod builtins;
mod check;
mod dialect;
#[cfg(test)]
mod differential;
mod functions;
mod lexer;
mod lint;
mod lower;
mod natives;
mod operators;
mod outline;
mod parser;
mod patterns;
mod power;
mod print;
mod program;
#[cfg(test)]
mod reference;
mod rewrite;
mod text;
mod value;

pub use program::Expr;

/// The one function that rules have besides the built-ins (spec/rules 2.8).
pub(crate) const REGEX_MATCH: &str = "regexMatch";
