//! Making maps: which values may be keys, and that no key is there twice.

use kanon_lang::{Context, Stop, Value};

use super::Num;

/// A map of `members`, as a literal or a comprehension makes it.
///
/// # Errors
/// Keys that are not a bool, int, uint or string; a key that is there twice (`1` and `1u` are one key); a budget.
pub fn map_literal<'a>(cx: &mut Context<'a>, members: &[(Value<'a>, Value<'a>)]) -> Result<Value<'a>, Stop> {
    for (key, _) in members {
        if !matches!(key, Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Str(_)) {
            return cx.fail(format!("unsupported key type: {}", super::type_of(*key)));
        }
    }
    cx.spend(members.len() as u64)?;
    let mut keys: Vec<Value<'a>> = members.iter().map(|(key, _)| *key).collect();
    keys.sort_by(|a, b| key_order(*a).cmp(&key_order(*b)));
    for pair in keys.windows(2) {
        if key_order(pair[0]) == key_order(pair[1]) {
            return match pair[0] {
                Value::Str(name) => cx.fail_named("failed with repeated key: ", name),
                Value::Bool(bool) => cx.fail(format!("failed with repeated key: {bool}")),
                _ => cx.fail("failed with repeated key: the same number".to_owned()),
            };
        }
    }
    cx.map(members)
}

/// A key as something that can be sorted: two keys are the same key exactly when these are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyOrder<'a> {
    /// Not a key.
    None,
    /// A boolean.
    Bool(bool),
    /// A number without fraction.
    Whole(i128),
    /// Text.
    Text(&'a str),
}

/// Where a key stands among all keys.
pub fn key_order(key: Value<'_>) -> KeyOrder<'_> {
    match key {
        Value::Bool(bool) => KeyOrder::Bool(bool),
        Value::Str(text) => KeyOrder::Text(text),
        key => match Num::of(key) {
            Some(number) => match (number.to_int(), number.to_uint()) {
                (Some(int), _) => KeyOrder::Whole(i128::from(int)),
                (None, Some(uint)) => KeyOrder::Whole(i128::from(uint)),
                (None, None) => KeyOrder::None,
            },
            None => KeyOrder::None,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;

    #[test]
    fn numbers_of_all_types_are_one_key() {
        assert_eq!(key_order(Value::Int(1)).cmp(&key_order(Value::UInt(1))), Ordering::Equal);
        assert_eq!(key_order(Value::Float(1.0)), KeyOrder::Whole(1));
        assert_eq!(key_order(Value::Float(1.5)), KeyOrder::None);
    }
}
