//! Constant folding where expr-lang folds, since it shows: `x || true` does not look at `x`, `7 % 0` does not compile.

use super::Lowering;
use crate::{
    ast::{BinaryOp, Id, Kind, Node, UnaryOp},
    code::{Op, OpId},
};

impl Lowering<'_> {
    /// The operation a node folds to, if it does.
    pub(super) fn fold(&mut self, node: &Node) -> Result<Option<OpId>, String> {
        let folded = match &node.kind {
            Kind::Unary(op, operand) => self.unary(*op, *operand),
            Kind::Binary(BinaryOp::And | BinaryOp::Or, ..) => return Ok(self.logic(node)),
            Kind::Binary(op, left, right) => self.arithmetic(*op, *left, *right)?,
            _ => None,
        };
        Ok(folded.map(|op| self.push(op, node, &[])))
    }

    fn unary(&self, op: UnaryOp, operand: Id) -> Option<Op> {
        match (op, self.get(self.op(operand))) {
            (UnaryOp::Minus, Op::Int(int)) => Some(Op::Int(int.wrapping_neg())),
            (UnaryOp::Minus, Op::Float(float)) => Some(Op::Float(-float)),
            (UnaryOp::Plus, Op::Int(int)) => Some(Op::Int(*int)),
            (UnaryOp::Plus, Op::Float(float)) => Some(Op::Float(*float)),
            (UnaryOp::Not, Op::Bool(bool)) => Some(Op::Bool(!bool)),
            _ => None,
        }
    }

    /// A literal on either side decides or vanishes.
    fn logic(&mut self, node: &Node) -> Option<OpId> {
        let Kind::Binary(op, left, right) = node.kind else { return None };
        let (left, right) = (self.op(left), self.op(right));
        let literal = |id: OpId| match self.get(id) {
            Op::Bool(bool) => Some(*bool),
            _ => None,
        };
        // What decides: `false` for `and`, `true` for `or`.
        let decisive = op == BinaryOp::Or;
        match (literal(left), literal(right)) {
            (Some(it), _) | (_, Some(it)) if it == decisive => Some(self.push(Op::Bool(decisive), node, &[])),
            (Some(a), Some(_)) if a == decisive => Some(self.push(Op::Bool(decisive), node, &[])),
            (Some(_), Some(b)) if b == decisive => Some(self.push(Op::Bool(decisive), node, &[])),
            (Some(_), _) => Some(right),
            (_, Some(_)) => Some(left),
            (None, None) => None,
        }
    }

    fn arithmetic(&self, op: BinaryOp, left: Id, right: Id) -> Result<Option<Op>, String> {
        use BinaryOp::{Add, Divide, Modulo, Multiply, Power, Subtract};
        let (left, right) = (self.get(self.op(left)), self.get(self.op(right)));
        let float = |op: &Op| match op {
            Op::Int(int) => Some(*int as f64),
            Op::Float(float) => Some(*float),
            _ => None,
        };
        Ok(match (op, left, right) {
            (BinaryOp::Equal, Op::Int(a), Op::Int(b)) => Some(Op::Bool(a == b)),
            (BinaryOp::Equal, Op::Str(a), Op::Str(b)) => Some(Op::Bool(a == b)),
            (BinaryOp::Equal, Op::Bool(a), Op::Bool(b)) => Some(Op::Bool(a == b)),
            (Add, Op::Int(a), Op::Int(b)) => Some(Op::Int(a.wrapping_add(*b))),
            (Subtract, Op::Int(a), Op::Int(b)) => Some(Op::Int(a.wrapping_sub(*b))),
            (Multiply, Op::Int(a), Op::Int(b)) => Some(Op::Int(a.wrapping_mul(*b))),
            (Modulo, Op::Int(_), Op::Int(0)) => return Err("integer divide by zero".to_owned()),
            (Modulo, Op::Int(a), Op::Int(b)) => Some(Op::Int(a.wrapping_rem(*b))),
            (Add, Op::Str(a), Op::Str(b)) => Some(Op::Str(format!("{a}{b}").into())),
            (Add | Subtract | Multiply | Divide | Power, a, b) => match (float(a), float(b)) {
                (Some(a), Some(b)) => Some(Op::Float(match op {
                    Add => a + b,
                    Subtract => a - b,
                    Multiply => a * b,
                    Divide => a / b,
                    _ => a.powf(b),
                })),
                _ => None,
            },
            _ => None,
        })
    }
}
