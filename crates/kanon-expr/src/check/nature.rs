//! Types as the static check sees them.

use std::fmt;

use crate::ast::BinaryOp;

/// What a value is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Unknown,
    Nil,
    Bool,
    Int,
    Float,
    Str,
    Bytes,
    List,
    Map,
    /// A function or built-in, named without a call.
    Function,
    Time,
    Duration,
    /// A time zone.
    Location,
    /// Of `k8s.quantity`.
    Quantity,
    /// Of `k8s.semver`.
    Semver,
}

/// A type, with those of elements of lists and maps two levels down: enough for every message of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nature {
    pub(crate) base: Base,
    element: Base,
    inner: Base,
}

impl Nature {
    pub(crate) const UNKNOWN: Nature = Nature { base: Base::Unknown, element: Base::Unknown, inner: Base::Unknown };

    pub(crate) const fn new(base: Base) -> Nature {
        Nature { base, element: Base::Unknown, inner: Base::Unknown }
    }

    pub(crate) const fn list(of: Nature) -> Nature {
        Nature { base: Base::List, element: of.base, inner: of.element }
    }

    pub(crate) const fn map(of: Nature) -> Nature {
        Nature { base: Base::Map, element: of.base, inner: of.element }
    }

    pub(crate) const fn element(self) -> Nature {
        Nature { base: self.element, element: self.inner, inner: Base::Unknown }
    }

    pub(crate) fn is_unknown(self) -> bool {
        self.base == Base::Unknown
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self.base, Base::Int | Base::Float)
    }

    /// The original gives neither nil nor unknown a kind.
    pub(crate) fn kindless(self) -> bool {
        matches!(self.base, Base::Nil | Base::Unknown)
    }

    /// Whether it is one of `bases`, or unknown.
    pub(crate) fn may_be(self, bases: &[Base]) -> bool {
        self.is_unknown() || bases.contains(&self.base)
    }

    /// The type of a value that is this or that.
    pub(crate) fn join(self, other: Nature) -> Nature {
        match (self.base, other.base) {
            (Base::Nil, _) => other,
            (_, Base::Nil) => self,
            _ if self == other => self,
            _ => Nature::UNKNOWN,
        }
    }

    fn comparable(self, other: Nature) -> bool {
        self.kindless() || other.kindless() || self.base == other.base || (self.is_number() && other.is_number())
    }
}

impl fmt::Display for Nature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.base {
            Base::Unknown => "unknown",
            Base::Nil => "nil",
            Base::Bool => "bool",
            Base::Int => "int",
            Base::Float => "float64",
            Base::Str => "string",
            Base::Bytes => "[]uint8",
            Base::List => match self.element {
                Base::Int => "[]int",
                _ => "[]interface {}",
            },
            Base::Map => "map[string]interface {}",
            Base::Function => "func(...interface {}) (interface {}, error)",
            Base::Time => "time.Time",
            Base::Duration => "time.Duration",
            Base::Location => "*time.Location",
            Base::Quantity => "kubernetes.Quantity",
            Base::Semver => "kubernetes.Semver",
        })
    }
}

/// The type of `left op right`.
pub(crate) fn binary(op: BinaryOp, left: Nature, right: Nature) -> Result<Nature, String> {
    use Base::{Bool, Duration, Float, Int, List, Map, Quantity, Semver, Str, Time, Unknown};
    let mismatch = || Err(format!("invalid operation: {} (mismatched types {left} and {right})", sign(op)));
    let numbers = left.is_number() && right.is_number();
    // One side unknown, the other unknown too or one of `bases`.
    let either =
        |bases: &[Base]| (left.is_unknown() || right.is_unknown()) && left.may_be(bases) && right.may_be(bases);
    let known = |base| Ok(Nature::new(base));
    match op {
        BinaryOp::Equal | BinaryOp::NotEqual if left.comparable(right) => known(Bool),
        BinaryOp::Or | BinaryOp::And if left.may_be(&[Bool]) && right.may_be(&[Bool]) => known(Bool),
        BinaryOp::Less | BinaryOp::Greater | BinaryOp::LessEqual | BinaryOp::GreaterEqual => {
            let same = left.base == right.base && matches!(left.base, Str | Time | Duration | Quantity | Semver);
            if numbers || same || either(&[Int, Float, Str, Time, Duration, Quantity, Semver]) {
                known(Bool)
            } else {
                mismatch()
            }
        }
        BinaryOp::Add | BinaryOp::Subtract => match (left.base, right.base) {
            (Int, Int) => known(Int),
            _ if numbers => known(Float),
            (Str, Str) if op == BinaryOp::Add => known(Str),
            (Time, Time) if op == BinaryOp::Subtract => known(Duration),
            (Time, Duration) => known(Time),
            (Duration, Time) if op == BinaryOp::Add => known(Time),
            (Duration, Duration) => known(Duration),
            (Quantity, Quantity | Int) | (Int, Quantity) => known(Quantity),
            _ if either(&[Int, Float, Time, Duration, Quantity]) || (op == BinaryOp::Add && either(&[Str])) => {
                known(Unknown)
            }
            _ => mismatch(),
        },
        BinaryOp::Multiply => match (left.base, right.base) {
            (Int, Int) => known(Int),
            _ if numbers => known(Float),
            (Int | Float, Duration) | (Duration, Int | Float) => known(Duration),
            (Duration, Duration) => known(Duration),
            _ if either(&[Int, Float, Duration]) => known(Unknown),
            _ => mismatch(),
        },
        BinaryOp::Divide | BinaryOp::Power if numbers || either(&[Int, Float]) => known(Float),
        BinaryOp::Modulo if left.may_be(&[Int]) && right.may_be(&[Int]) => known(Int),
        BinaryOp::Range if left.may_be(&[Int]) && right.may_be(&[Int]) => Ok(Nature::list(Nature::new(Int))),
        BinaryOp::In => match right.base {
            Map if left.may_be(&[Str]) => known(Bool),
            Map => Err(format!("cannot use {left} as type string in map key")),
            List if left.comparable(right.element()) => known(Bool),
            List => Err(format!("cannot use {left} as type {} in array", right.element())),
            Unknown => known(Bool),
            Str if left.is_unknown() => known(Bool),
            _ => mismatch(),
        },
        BinaryOp::Matches | BinaryOp::Contains | BinaryOp::StartsWith | BinaryOp::EndsWith
            if left.may_be(&[Str]) && right.may_be(&[Str]) =>
        {
            known(Bool)
        }
        BinaryOp::Coalesce => Ok(match (left.base, right.base) {
            (Base::Nil, _) => right,
            (_, Base::Nil) => left,
            _ if left == right => left,
            _ => Nature::UNKNOWN,
        }),
        _ => mismatch(),
    }
}

/// The operator as messages show it.
pub(crate) fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or => "or",
        BinaryOp::And => "and",
        _ => op.sign(),
    }
}
