//! Numbers: bounds, multiples, and when two JSON numbers are the same.

use serde_json::{Number, Value};

use crate::{
    error::FieldError,
    gotext,
    path::FieldPath,
    schema::{Schema, Type, ValueRules},
};

/// Whether a value is a whole number; `1.0` is one.
pub(super) fn is_integer(value: &Value) -> bool {
    match value {
        Value::Number(number) if number.is_f64() => number.as_f64().is_some_and(|it| it.fract() == 0.0),
        Value::Number(_) => true,
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Equality of JSON values in which `1` and `1.0` are the same number.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// The format of a whole number that does not fit it.
pub(super) fn format_mismatch<'s>(schema: &'s Schema, value: &Value) -> Option<&'s str> {
    let number = value.as_number().filter(|_| schema.kind == Type::Integer)?;
    let fits = match schema.format.as_str() {
        "int32" => whole(number).is_some_and(|it| i32::try_from(it).is_ok()),
        "int64" => whole(number).is_some_and(|it| i64::try_from(it).is_ok()),
        "uint32" => whole(number).is_some_and(|it| u32::try_from(it).is_ok()),
        "uint64" => whole(number).is_some_and(|it| u64::try_from(it).is_ok()),
        _ => true,
    };
    (!fits).then_some(schema.format.as_str())
}

/// The value of a whole number, also of one written with a fraction of zeros.
fn whole(number: &Number) -> Option<i128> {
    if let Some(int) = number.as_i128() {
        return Some(int);
    }
    // Beyond 2^100 nothing fits any format.
    number.as_f64().filter(|it| it.fract() == 0.0 && it.abs() < 2f64.powi(100)).map(|it| it as i128)
}

/// Checks bounds and multiples; every mistake is told.
pub(super) fn check(rules: &ValueRules, number: &Number, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let Some(value) = number.as_f64() else { return };
    let mut fail = |detail: String| {
        let detail = format!("{} in body should be {detail}", path.name());
        errors.push(FieldError::invalid(path, Value::Number(number.clone()), detail));
    };
    if let Some(factor) = rules.multiple_of.filter(|it| !is_multiple(number, value, *it)) {
        fail(format!("a multiple of {}", gotext::float(factor)));
    }
    if let Some(min) = rules.minimum.filter(|it| value < *it || (rules.exclusive_minimum && value <= *it)) {
        let words = if rules.exclusive_minimum { "greater than" } else { "greater than or equal to" };
        fail(format!("{words} {}", bound(number, min)));
    }
    if let Some(max) = rules.maximum.filter(|it| value > *it || (rules.exclusive_maximum && value >= *it)) {
        let words = if rules.exclusive_maximum { "less than" } else { "less than or equal to" };
        fail(format!("{words} {}", bound(number, max)));
    }
}

/// Bounds of whole numbers print as whole numbers.
fn bound(number: &Number, bound: f64) -> String {
    if !number.is_f64() && bound.abs() < 9e15 { (bound as i64).to_string() } else { gotext::float(bound) }
}

fn is_multiple(number: &Number, value: f64, factor: f64) -> bool {
    if factor <= 0.0 {
        return false;
    }
    match number.as_i64() {
        Some(int) if factor.fract() == 0.0 && factor < 9e15 => int % (factor as i64) == 0,
        Some(_) | None => {
            let quotient = value / factor;
            (quotient - quotient.round()).abs() <= f64::EPSILON * quotient.abs().max(1.0)
        }
    }
}
