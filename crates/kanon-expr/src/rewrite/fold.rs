//! Folding of literals, where expr-lang folds.

use super::{Made, Rewriter};
use crate::{
    ast::{BinaryOp, Id, Kind, UnaryOp},
    power::power,
};

impl Rewriter<'_> {
    /// What a node folds to, if it does.
    pub(super) fn fold(&self, kind: &Kind) -> Result<Option<Made>, String> {
        Ok(match kind {
            // Nothing is done at run time, whatever the operand.
            Kind::Unary(UnaryOp::Plus, operand) => Some(Made::Same(*operand)),
            Kind::Unary(op, operand) => self.fold_unary(*op, *operand).map(Made::New),
            Kind::Binary(op @ (BinaryOp::And | BinaryOp::Or), left, right) => self.fold_logic(*op, *left, *right),
            Kind::Binary(op, left, right) => self.fold_binary(*op, *left, *right)?.map(Made::New),
            _ => None,
        })
    }

    fn fold_unary(&self, op: UnaryOp, operand: Id) -> Option<Kind> {
        match (op, self.kind(operand)) {
            (UnaryOp::Minus, Kind::Int(int)) => Some(Kind::Int(int.wrapping_neg())),
            (UnaryOp::Minus, Kind::Float(float)) => Some(Kind::Float(-float)),
            (UnaryOp::Not, Kind::Bool(bool)) => Some(Kind::Bool(!bool)),
            _ => None,
        }
    }

    /// A literal on either side decides or vanishes.
    fn fold_logic(&self, op: BinaryOp, left: Id, right: Id) -> Option<Made> {
        let literal = |id: Id| match self.kind(id) {
            Kind::Bool(bool) => Some(*bool),
            _ => None,
        };
        // What decides: `false` for `and`, `true` for `or`.
        let decisive = op == BinaryOp::Or;
        match (literal(left), literal(right)) {
            (Some(a), b) if a == decisive || b == Some(decisive) => Some(Made::New(Kind::Bool(decisive))),
            (_, Some(b)) if b == decisive => Some(Made::New(Kind::Bool(decisive))),
            (Some(_), _) => Some(Made::Same(right)),
            (_, Some(_)) => Some(Made::Same(left)),
            (None, None) => None,
        }
    }

    fn fold_binary(&self, op: BinaryOp, left: Id, right: Id) -> Result<Option<Kind>, String> {
        use BinaryOp::{Add, Divide, Equal, Modulo, Multiply, Power, Subtract};
        let float = |kind: &Kind| match kind {
            Kind::Int(int) => Some(*int as f64),
            Kind::Float(float) => Some(*float),
            _ => None,
        };
        Ok(match (op, self.kind(left), self.kind(right)) {
            (Equal, Kind::Int(a), Kind::Int(b)) => Some(Kind::Bool(a == b)),
            (Equal, Kind::Str(a), Kind::Str(b)) => Some(Kind::Bool(a == b)),
            (Equal, Kind::Bool(a), Kind::Bool(b)) => Some(Kind::Bool(a == b)),
            (Add, Kind::Int(a), Kind::Int(b)) => Some(Kind::Int(a.wrapping_add(*b))),
            (Subtract, Kind::Int(a), Kind::Int(b)) => Some(Kind::Int(a.wrapping_sub(*b))),
            (Multiply, Kind::Int(a), Kind::Int(b)) => Some(Kind::Int(a.wrapping_mul(*b))),
            (Modulo, Kind::Int(_), Kind::Int(0)) => return Err("integer divide by zero".to_owned()),
            (Modulo, Kind::Int(a), Kind::Int(b)) => Some(Kind::Int(a.wrapping_rem(*b))),
            (Add, Kind::Str(a), Kind::Str(b)) => Some(Kind::Str(format!("{a}{b}").into())),
            (Add | Subtract | Multiply | Divide | Power, a, b) => match (float(a), float(b)) {
                (Some(a), Some(b)) => Some(Kind::Float(match op {
                    Add => a + b,
                    Subtract => a - b,
                    Multiply => a * b,
                    Divide => a / b,
                    _ => power(a, b),
                })),
                _ => None,
            },
            _ => None,
        })
    }
}
