//! What CEL's operators mean on [`Value`]: types, equality, order, arithmetic, lookup, iteration. Pure, without syntax:
//! the evaluators and the library call it.
//!
//! Work in proportion to the size of a value is paid for with `Context::spend`, what is made with `Context::grow`. Errors
//! carry cel-go's words.

mod access;
mod arithmetic;
mod equality;
mod iterate;
mod number;
mod order;
mod record;
mod types;

pub mod time;

pub use access::{contains, find, has, index, member, optional_index};
pub use arithmetic::{Operator, arith, negate};
pub use equality::equal;
pub use iterate::{Elements, Entries, elements, entries, is_list, is_map, length};
pub use order::compare;
pub use record::{KeyOrder, key_order, map_literal};
pub use types::{TIMESTAMP_TYPE, fits, type_name, type_of};

pub(crate) use number::Num;

use kanon_lang::{Context, Stop, Value};

/// How deep values are followed: far beyond JSON's own bound, below what a stack holds.
pub(crate) const MAX_DEPTH: u32 = 256;

/// The error of an operation whose operands have types that it does not take.
///
/// # Errors
/// Always.
#[cold]
pub(crate) fn no_overload<T>(cx: &mut Context<'_>) -> Result<T, Stop> {
    cx.fail("no such overload")
}

/// A map computed on demand whose members cannot be read, and a foreign value that cannot be used, say why at every access.
pub(crate) fn readable(cx: &mut Context<'_>, value: Value<'_>) -> Result<(), Stop> {
    let problem = match value {
        Value::Record(record) => record.problem(),
        Value::Opaque(opaque) => opaque.problem(),
        _ => None,
    };
    match problem {
        Some(problem) => cx.fail(problem.to_owned()),
        None => Ok(()),
    }
}

/// What a foreign value stands for; any other value itself.
///
/// # Errors
/// Where the value cannot be used.
#[inline]
pub(crate) fn plain<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Value<'a>, Stop> {
    match value {
        Value::Opaque(opaque) => {
            readable(cx, value)?;
            Ok(opaque.plain().unwrap_or(value))
        }
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests;
