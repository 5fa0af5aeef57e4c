//! Built-ins on maps, and `get`.

use kanon_lang::{Context, Stop, Value};

use super::{Builtin, Call};
use crate::{
    access::{fetch, integer},
    value::{elements, identical, member, members, sorted_members, type_name},
};

pub(super) fn call<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    match call.builtin {
        Builtin::Get => return get_checked(cx, call),
        Builtin::FromPairs => return from_pairs(cx, call),
        _ => {}
    }
    let value = call.arg(0);
    let Some(members) = sorted_members(value, cx.arena) else { return call.refuse(cx, value) };
    cx.spend(members.len() as u64)?;
    let arena = cx.arena;
    let items: Vec<Value<'a>> = match call.builtin {
        Builtin::Keys => members.iter().map(|it| it.0).collect(),
        Builtin::Values => members.iter().map(|it| it.1).collect(),
        _ => members.iter().map(|(key, value)| Value::List(arena.alloc_slice_copy(&[*key, *value]))).collect(),
    };
    cx.list(&items)
}

/// `get`: an element or member, nil where there is none.
fn get_checked<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let (value, key) = (call.arg(0), call.arg(1));
    let list = matches!(value, Value::Str(_)) || elements(value, cx.arena).is_some();
    if list && integer(key).is_none() {
        return cx.fail(format!("invalid operation: int({})", type_name(key)));
    }
    Ok(get(cx, value, key))
}

/// The element or member at `key`, nil where there is none or nothing to look in.
pub(super) fn get<'a>(cx: &mut Context<'a>, value: Value<'a>, key: Value<'a>) -> Value<'a> {
    if let Value::Str(name) = key {
        return member(value, name, cx.arena).unwrap_or(Value::Null);
    }
    if let Some(members) = members(value, cx.arena) {
        return members.iter().find(|(it, _)| identical(*it, key)).map_or(Value::Null, |it| it.1);
    }
    fetch(cx, value, key).unwrap_or(Value::Null)
}

fn from_pairs<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let items = call.list(cx, 0)?;
    let mut out: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(items.len());
    for item in items {
        let Some([key, value]) = elements(*item, cx.arena) else {
            return cx.fail(format!("invalid pair {}", super::convert::shown(*item, cx.arena)));
        };
        if elements(*key, cx.arena).is_some() || members(*key, cx.arena).is_some() {
            return cx.fail(format!("cannot use {} as a key of a map", type_name(*key)));
        }
        cx.spend(out.len() as u64)?;
        match out.iter_mut().find(|(it, _)| identical(*it, *key)) {
            Some(member) => member.1 = *value,
            None => out.push((*key, *value)),
        }
    }
    cx.grow(out.len())?;
    Ok(Value::Map(cx.arena.alloc_slice_copy(&out)))
}
