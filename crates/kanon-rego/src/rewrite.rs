//! Resolved modules to what the interpreter understands as OPA does: operators written as functions, results taken by a last
//! argument, templates, the meaning of `not`, and guards against growth.

mod desugar;
pub(crate) mod guard;
mod negation;

use crate::{
    ast::{Body, Module},
    check::Index,
};

/// Writes calls as the interpreter knows them; the checks after this rely on it.
pub(crate) fn desugar(module: &mut Module, index: &Index) {
    desugar::module(module, index);
}

/// The same for a query.
pub(crate) fn desugar_query(body: &mut Body, index: &Index) {
    desugar::query(body, index);
}

/// Gives `not` OPA's meaning, and templates their value.
pub(crate) fn expand(module: &mut Module) {
    negation::module(module);
    guard::module(module);
}

/// The same for a query; `plain_not` keeps `not` as it is.
pub(crate) fn expand_query(body: &mut Body, plain_not: bool) {
    negation::query(body, plain_not);
    guard::query(body);
}
