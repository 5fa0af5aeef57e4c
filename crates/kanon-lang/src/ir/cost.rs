//! What programs cost, counted in steps: the same measure at compile time and at run time, so that a limit can be explained.
//!
//! A step is about one operation. An evaluation takes the steps of everything that stands in no loop at once, and a loop takes
//! those of its body at every turn; functions take more in proportion to what they read or make.

use super::{Code, Op, OpId, Step};

/// How many steps an evaluation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Without any turn of a loop.
    pub min: u64,
    /// With loops over lists and maps of the size asked about, one in another multiplied.
    pub max: u64,
}

/// Steps of an operation itself.
pub(super) fn own_cost(op: &Op) -> u32 {
    match op {
        _ if op.is_constant() => 0,
        Op::Path { steps, .. } => steps.len() as u32,
        Op::Arithmetic { steps, .. } => steps.len() as u32,
        Op::Call { .. } | Op::CallValue { .. } => 3,
        // A pattern is worth several comparisons.
        Op::Matches { .. } => 10,
        Op::Environment => 5,
        _ => 1,
    }
}

/// Steps of one turn of a loop with a body of this cost.
pub(super) fn turn_cost(body: u32) -> u32 {
    body.saturating_add(1)
}

impl Code {
    /// What an evaluation costs when every list and map that loops run over has `len` elements.
    pub fn estimate(&self, len: u64) -> Estimate {
        // Children stand before their parents: one pass adds them up.
        let mut totals = vec![0u64; self.ops.len()];
        for (at, op) in self.ops.iter().enumerate() {
            let mut sum = u64::from(own_cost(op));
            let mut add = |id: OpId, times: u64| sum = sum.saturating_add(totals[id.at()].saturating_mul(times));
            match op {
                Op::Loop(it) => {
                    add(it.source, 1);
                    it.body.into_iter().chain(it.extra).for_each(|id| add(id, len));
                    sum = sum.saturating_add(len);
                }
                _ => op.children(|child| add(child, 1)),
            }
            totals[at] = sum;
        }
        Estimate { min: u64::from(self.base_cost), max: totals[self.root.at()] }
    }
}

impl Op {
    /// Whether it is a constant.
    pub fn is_constant(&self) -> bool {
        matches!(
            self,
            Op::Null
                | Op::Bool(_)
                | Op::Int(_)
                | Op::UInt(_)
                | Op::Float(_)
                | Op::Str(_)
                | Op::Bytes(_)
                | Op::Time(_)
                | Op::Duration(_)
                | Op::Type(_)
                | Op::Json(_)
        )
    }

    /// Calls `visit` for every operand.
    pub fn children(&self, mut visit: impl FnMut(OpId)) {
        match self {
            Op::Null
            | Op::Bool(_)
            | Op::Int(_)
            | Op::UInt(_)
            | Op::Float(_)
            | Op::Str(_)
            | Op::Bytes(_)
            | Op::Time(_)
            | Op::Duration(_)
            | Op::Type(_)
            | Op::Json(_)
            | Op::Variable(_)
            | Op::Local(_)
            | Op::Environment => {}
            Op::Path { base, steps, .. } => {
                visit(*base);
                for step in steps {
                    match step {
                        Step::Key { key, .. } => visit(*key),
                        Step::Method { args, .. } => args.iter().copied().for_each(&mut visit),
                        Step::Member { .. } | Step::EndChain | Step::OrNilList => {}
                    }
                }
            }
            Op::Has { base: id, .. }
            | Op::Not(id)
            | Op::Negate(id)
            | Op::EqualConst { left: id, .. }
            | Op::InWords { needle: id, .. }
            | Op::Matches { text: id, .. } => visit(*id),
            Op::And(logic) | Op::Or(logic) => logic.operands.iter().copied().for_each(visit),
            Op::Cond { test, yes, no } => [*test, *yes, *no].into_iter().for_each(visit),
            Op::Coalesce { left, right }
            | Op::Equal { left, right, .. }
            | Op::Compare { left, right, .. }
            | Op::In { needle: left, haystack: right }
            | Op::Text { left, right, .. }
            | Op::Let { value: left, body: right, .. } => [*left, *right].into_iter().for_each(visit),
            Op::Arithmetic { first, steps } => {
                visit(*first);
                steps.iter().map(|it| it.right).for_each(visit);
            }
            Op::CallValue { callee, args } => {
                visit(*callee);
                args.iter().copied().for_each(visit);
            }
            Op::Call { args: items, .. } | Op::Sequence(items) | Op::List(items) | Op::Map(items) => {
                items.iter().copied().for_each(visit);
            }
            Op::Loop(it) => {
                visit(it.source);
                it.body.into_iter().chain(it.extra).for_each(visit);
            }
        }
    }
}
