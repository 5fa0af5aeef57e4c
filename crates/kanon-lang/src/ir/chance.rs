//! How likely a test has which outcome, by its form alone: what decides a chain of `&&` or `||` should be asked first. Only
//! the order of evaluation hangs on it, never a value.

use super::{Op, OpId, Scalar};

/// The chance of what always happens.
pub(super) const CERTAIN: u64 = 8;

/// The chance, never 0, that the operand has the outcome. A value that is compared with a text or a number is seldom that one; of
/// the rest nothing is known.
pub(super) fn of(ops: &[Op], id: OpId, outcome: bool) -> u64 {
    let truth = truth(ops, id);
    if outcome { truth } else { CERTAIN - truth }
}

fn truth(ops: &[Op], id: OpId) -> u64 {
    const SELDOM: u64 = 1;
    match &ops[id.at()] {
        Op::EqualConst { constant: Scalar::Str(_) | Scalar::Int(_), negated, .. } => {
            if *negated {
                CERTAIN - SELDOM
            } else {
                SELDOM
            }
        }
        Op::InWords { .. } | Op::Text { .. } | Op::Matches { .. } => 2 * SELDOM,
        Op::Not(operand) => CERTAIN - truth(ops, *operand),
        _ => CERTAIN / 2,
    }
}
