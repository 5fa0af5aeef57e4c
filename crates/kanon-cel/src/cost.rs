//! What an expression may cost, in the units by which Kubernetes decides whether a rule may be part of a CRD: the estimate of
//! cel-go's checker with the costs that Kubernetes gives its own libraries.
//!
//! The numbers are an interface: a rule that Kubernetes accepts must be accepted here, so what looks odd in them stays. In
//! particular a value that no path from a variable leads to is looked up at the root of the schema, and scalars of a schema
//! have no size, so that comparing them costs nothing.
//!
//! These units are not the steps that an evaluation takes ([`kanon_lang::Limits::steps`]).

mod calls;
mod loops;
mod range;
mod walk;

use kanon_lang::Bound;

pub use range::Range;

use crate::check::Checked;

/// What an evaluation costs at least and at most, when variables are no larger than `bounds` say, by slot.
pub(crate) fn estimate(checked: &Checked, bounds: &[Bound]) -> Range {
    walk::Estimator::new(checked, bounds).expr(&checked.expr).cost
}

#[cfg(test)]
mod tests;
