//! Built-ins on maps, and `get`.

use kanon_lang::{Span, Value};

use super::{Builtin, Call};
use crate::{
    eval::{Machine, Outcome, integer},
    value::{elements, identical, member, members, sorted_members, type_name},
};

pub(super) fn call<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    match call.builtin {
        Builtin::Get => return get_checked(machine, call),
        Builtin::FromPairs => return from_pairs(machine, call),
        _ => {}
    }
    let value = call.arg(0);
    let Some(members) = sorted_members(value, machine.arena) else { return call.refuse(machine, value) };
    machine.spend(members.len() as u64)?;
    let arena = machine.arena;
    let items: Vec<Value<'a>> = match call.builtin {
        Builtin::Keys => members.iter().map(|it| it.0).collect(),
        Builtin::Values => members.iter().map(|it| it.1).collect(),
        _ => members.iter().map(|(key, value)| Value::List(arena.alloc_slice_copy(&[*key, *value]))).collect(),
    };
    machine.list(&items)
}

/// `get`: an element or member, nil where there is none.
fn get_checked<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    let (value, key) = (call.arg(0), call.arg(1));
    let list = matches!(value, Value::Str(_)) || elements(value, machine.arena).is_some();
    if list && integer(key).is_none() {
        return call.fail(machine, format!("invalid operation: int({})", type_name(key)));
    }
    Ok(get(machine, value, key))
}

/// The element or member at `key`, nil where there is none or nothing to look in.
pub(super) fn get<'a>(machine: &Machine<'a>, value: Value<'a>, key: Value<'a>) -> Value<'a> {
    if let Value::Str(name) = key {
        return member(value, name, machine.arena).unwrap_or(Value::Null);
    }
    if let Some(members) = members(value, machine.arena) {
        return members.iter().find(|(it, _)| identical(*it, key)).map_or(Value::Null, |it| it.1);
    }
    // The error has no place: it is not shown.
    machine.fetch(value, key, Span::default()).unwrap_or(Value::Null)
}

fn from_pairs<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    let items = call.list(machine, 0)?;
    let mut out: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(items.len());
    for item in items {
        let Some([key, value]) = elements(*item, machine.arena) else {
            return call.fail(machine, format!("invalid pair {}", super::convert::shown(*item, machine.arena)));
        };
        if elements(*key, machine.arena).is_some() || members(*key, machine.arena).is_some() {
            return call.fail(machine, format!("cannot use {} as a key of a map", type_name(*key)));
        }
        machine.spend(out.len() as u64)?;
        match out.iter_mut().find(|(it, _)| identical(*it, *key)) {
            Some(member) => member.1 = *value,
            None => out.push((*key, *value)),
        }
    }
    machine.grow(out.len())?;
    Ok(Value::Map(machine.arena.alloc_slice_copy(&out)))
}
