//! Measuring values: what would grow beyond the budget is an error of the evaluation, strict or not, since undefined would
//! turn a negation around.

use regorus::Value;

use super::{State, operand, wrong};

/// Elements, members and eight-byte pieces of text in a value, shared ones as often as they stand in it.
const MAX_UNITS: u64 = 1_000_000;

/// Bits of a number.
const MAX_BITS: u64 = 1 << 18;

/// The message that tells this error from others.
pub(crate) const TOO_LARGE: &str = "value is larger than the memory budget";

#[derive(Debug, thiserror::Error)]
#[error("{TOO_LARGE}")]
pub(super) struct TooLarge;

/// The argument, if it is not too large.
pub(super) fn bounded(args: Vec<Value>) -> Result<Value, TooLarge> {
    let value = args.into_iter().next().unwrap_or(Value::Undefined);
    if is_bounded(&value) { Ok(value) } else { Err(TooLarge) }
}

/// The layout of a `sprintf`, if no width or precision in it is too large.
pub(super) fn layout(args: Vec<Value>) -> Result<Value, TooLarge> {
    /// Digits of a width; more ask for a million letters.
    const MAX_DIGITS: usize = 6;
    let value = args.into_iter().next().unwrap_or(Value::Undefined);
    let is_wide = |verb: &str| {
        let numbers = verb.split(|letter: char| !matches!(letter, '0'..='9' | '.' | '+' | '-' | '#' | ' '));
        let numbers = numbers.take(1).flat_map(|it| it.split(|letter: char| !letter.is_ascii_digit()));
        numbers.into_iter().any(|number| number.trim_start_matches('0').len() > MAX_DIGITS)
    };
    match &value {
        Value::String(text) if text.split('%').skip(1).any(is_wide) => Err(TooLarge),
        _ => Ok(value),
    }
}

/// Whether a value may be written out.
pub(crate) fn is_bounded(value: &Value) -> bool {
    let mut left = MAX_UNITS;
    measure(value, &mut left)
}

fn measure(value: &Value, left: &mut u64) -> bool {
    let units = match value {
        Value::String(text) => 1 + text.len() as u64 / 8,
        Value::Number(number)
            if number.as_f64().is_none() && number.as_i64().is_none() && number.as_u64().is_none() =>
        {
            let bits = number.as_big().map_or(0, |big| big.bits());
            if bits > MAX_BITS {
                return false;
            }
            1 + bits / 64
        }
        _ => 1,
    };
    if *left < units {
        return false;
    }
    *left -= units;
    match value {
        Value::Array(items) => items.iter().all(|item| measure(item, left)),
        Value::Set(items) => items.iter().all(|item| measure(item, left)),
        Value::Object(members) => members.iter_sorted().all(|(key, item)| measure(key, left) && measure(item, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Undefined => true,
    }
}

/// `bits.lsh`, with a bound.
pub(super) fn shift_left(_: &State, args: &[Value]) -> Result<Value, String> {
    let (Value::Number(number), Value::Number(by)) = (operand(args, 0), operand(args, 1)) else {
        let at = usize::from(matches!(operand(args, 0), Value::Number(_)));
        return Err(wrong(at, "number", operand(args, at)));
    };
    if by.as_u64().is_none_or(|by| by > MAX_BITS) {
        return Err("operand 2 must be a number of bits that is not negative and not too large".to_owned());
    }
    number
        .lsh(by)
        .map(Value::from)
        .ok_or_else(|| "operand 1 must be integer number but got floating-point number".to_owned())
}
