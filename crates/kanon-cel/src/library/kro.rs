//! The functions that kardinal takes from kro: `json.*`, `merge`, `lists.*AtIndex`, `random.*`, `omit()`
//! (spec/promotion-gates 2.9.2).

mod json;

use std::{any::Any, borrow::Cow};

use kanon_lang::{Context, Function, Opaque, Stop, Type, Value};
use sha2::{Digest, Sha256};

use super::arguments as arg;
use crate::values::key_order;

/// What `omit()` gives: not a value of any use.
#[derive(Debug)]
struct Omit;

impl Opaque for Omit {
    fn type_name(&self) -> &'static str {
        "kro.omit"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        match other {
            Value::Opaque(other) => Some(other.type_name() == self.type_name()),
            _ => None,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed("omit()")
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

pub(super) fn functions() -> Vec<Function> {
    use Type::{Dyn, Int, String as Text};
    let any = || Type::Param("T");
    let list = || Type::list(any());
    let map = || Type::map(Type::Param("K"), Type::Param("V"));
    vec![
        Function::free("json.marshal", [Dyn], Text, json::marshal),
        Function::free("json.unmarshal", [Text], Dyn, json::unmarshal),
        Function::method("merge", [map(), map()], map(), merge),
        Function::free("lists.setAtIndex", [list(), Int, any()], list(), |cx, args| {
            changed(cx, args, 0, |items, at, value| items[at] = value)
        }),
        Function::free("lists.insertAtIndex", [list(), Int, any()], list(), |cx, args| {
            changed(cx, args, 1, |items, at, value| items.insert(at, value))
        }),
        Function::free("lists.removeAtIndex", [list(), Int], list(), |cx, args| {
            changed(cx, args, 0, |items, at, _| {
                items.remove(at);
            })
        }),
        Function::free("random.seededInt", [Int, Int, Text], Int, seeded_int),
        Function::free("random.seededString", [Int, Text], Text, seeded_string),
        Function::free("omit", [], Dyn, |_, _| Ok(Value::Opaque(&Omit))),
    ]
}

/// A list with a change at an index, which may lie `beyond` behind the last element.
fn changed<'a>(
    cx: &mut Context<'a>,
    args: &[Value<'a>],
    beyond: usize,
    change: fn(&mut Vec<Value<'a>>, usize, Value<'a>),
) -> Result<Value<'a>, Stop> {
    let mut items = arg::slice(cx, args, 0)?.to_vec();
    let at = arg::int(cx, args, 1)?;
    let value = args.get(2).copied().unwrap_or(Value::Null);
    match usize::try_from(at) {
        Ok(index) if index < items.len() + beyond => change(&mut items, index, value),
        _ => return cx.fail(format!("index {at} out of bounds for a list of {}", items.len())),
    }
    cx.list(&items)
}

/// The members of both maps; those of the second win.
fn merge<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let first: Vec<(Value<'a>, Value<'a>)> = arg::map(cx, args, 0)?.collect();
    let second: Vec<(Value<'a>, Value<'a>)> = arg::map(cx, args, 1)?.collect();
    let mut keys: Vec<_> = second.iter().map(|(key, _)| key_order(*key)).collect();
    keys.sort_unstable();
    let mut members = first;
    members.retain(|(key, _)| keys.binary_search(&key_order(*key)).is_err());
    members.extend(second);
    cx.map(&members)
}

fn seeded_int<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (min, max, seed) = (arg::int(cx, args, 0)?, arg::int(cx, args, 1)?, arg::read(cx, args, 2)?);
    if min >= max {
        return cx.fail(format!("random.seededInt: min {min} must be less than max {max}"));
    }
    let hash = Sha256::digest(seed.as_bytes());
    let number = hash[..8].iter().fold(0u64, |sum, it| (sum << 8) | u64::from(*it));
    // Between the two: both the span and the result fit.
    let span = max.wrapping_sub(min) as u64;
    Ok(Value::Int(min.wrapping_add((number % span) as i64)))
}

fn seeded_string<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let (length, seed) = (arg::int(cx, args, 0)?, arg::read(cx, args, 1)?);
    let Some(length) = usize::try_from(length).ok().filter(|it| *it > 0) else {
        return cx.fail(format!("random.seededString: length must be greater than 0, got {length}"));
    };
    cx.grow(length)?;
    cx.spend(length as u64 / 16)?;
    let hash = Sha256::digest(seed.as_bytes());
    // Four bytes a character; after eight characters it begins anew, as in the original.
    let character = |at: usize| {
        let bytes = &hash[at % 8 * 4..at % 8 * 4 + 4];
        let number = bytes.iter().fold(0u32, |sum, it| (sum << 8) | u32::from(*it));
        char::from(ALPHABET[number as usize % ALPHABET.len()])
    };
    Ok(Value::Str(cx.arena.alloc_str(&(0..length).map(character).collect::<String>())))
}
