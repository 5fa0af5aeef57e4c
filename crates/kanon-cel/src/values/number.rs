//! Numbers of different types beside each other.

use std::cmp::Ordering;

use kanon_lang::Value;

/// A number of any of the three types.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Num {
    Int(i64),
    UInt(u64),
    Float(f64),
}

/// 2^63 and 2^64: the first doubles beyond the integers' ranges.
const INT_END: f64 = 9_223_372_036_854_775_808.0;
const UINT_END: f64 = 18_446_744_073_709_551_616.0;

impl Num {
    pub(crate) fn of(value: Value<'_>) -> Option<Num> {
        match value {
            Value::Int(int) => Some(Num::Int(int)),
            Value::UInt(uint) => Some(Num::UInt(uint)),
            Value::Float(float) => Some(Num::Float(float)),
            _ => None,
        }
    }

    /// The order of two numbers; `None` where one is not a number. An integer beside a double is rounded to a double first,
    /// as the specification's suite has it.
    pub(crate) fn compare(self, other: Num) -> Option<Ordering> {
        match (self, other) {
            (Num::Int(a), Num::Int(b)) => Some(a.cmp(&b)),
            (Num::UInt(a), Num::UInt(b)) => Some(a.cmp(&b)),
            (Num::Float(a), Num::Float(b)) => a.partial_cmp(&b),
            (Num::Int(a), Num::UInt(b)) => Some(i128::from(a).cmp(&i128::from(b))),
            (Num::UInt(a), Num::Int(b)) => Some(i128::from(a).cmp(&i128::from(b))),
            (Num::Int(a), Num::Float(b)) => int_float(a, b),
            (Num::Float(a), Num::Int(b)) => int_float(b, a).map(Ordering::reverse),
            (Num::UInt(a), Num::Float(b)) => uint_float(a, b),
            (Num::Float(a), Num::UInt(b)) => uint_float(b, a).map(Ordering::reverse),
        }
    }

    /// As an `i64`, where it is exactly one.
    pub(crate) fn to_int(self) -> Option<i64> {
        match self {
            Num::Int(int) => Some(int),
            Num::UInt(uint) => i64::try_from(uint).ok(),
            Num::Float(float) if float.fract() == 0.0 && (-INT_END..INT_END).contains(&float) => Some(float as i64),
            Num::Float(_) => None,
        }
    }

    /// As a `u64`, where it is exactly one.
    pub(crate) fn to_uint(self) -> Option<u64> {
        match self {
            Num::Int(int) => u64::try_from(int).ok(),
            Num::UInt(uint) => Some(uint),
            Num::Float(float) if float.fract() == 0.0 && (0.0..UINT_END).contains(&float) => Some(float as u64),
            Num::Float(_) => None,
        }
    }
}

fn int_float(int: i64, float: f64) -> Option<Ordering> {
    if float < -INT_END {
        Some(Ordering::Greater)
    } else if float > INT_END {
        Some(Ordering::Less)
    } else {
        (int as f64).partial_cmp(&float)
    }
}

fn uint_float(uint: u64, float: f64) -> Option<Ordering> {
    if float < 0.0 {
        Some(Ordering::Greater)
    } else if float > UINT_END {
        Some(Ordering::Less)
    } else {
        (uint as f64).partial_cmp(&float)
    }
}
