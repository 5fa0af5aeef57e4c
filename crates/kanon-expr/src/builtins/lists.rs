//! Built-ins on lists.

use kanon_lang::Value;

use super::{Builtin, Call};
use crate::{
    eval::{Machine, Outcome},
    value::{MAX_VALUE_DEPTH, elements, equal, type_name},
};

pub(super) fn call<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    match call.builtin {
        Builtin::First => end(machine, call, 0),
        Builtin::Last => end(machine, call, -1),
        Builtin::Concat => concat(machine, call),
        Builtin::Flatten => {
            let mut out = Vec::new();
            let items = call.list(machine, 0)?;
            flatten(machine, items, &mut out, 0)?;
            machine.list(&out)
        }
        Builtin::Reverse => {
            let mut items = call.list(machine, 0)?.to_vec();
            items.reverse();
            machine.list(&items)
        }
        Builtin::Sort => sort(machine, call),
        Builtin::Take => {
            let count = call.integer(machine, 1)?;
            let items = call.list(machine, 0)?;
            let Ok(count) = usize::try_from(count) else {
                return call.fail(machine, format!("cannot take {count} elements"));
            };
            Ok(Value::List(&items[..count.min(items.len())]))
        }
        _ => uniq(machine, call),
    }
}

/// The first or last element, nil where there is none.
fn end<'a>(machine: &mut Machine<'a>, call: Call<'a>, at: i64) -> Outcome<Value<'a>> {
    let value = call.arg(0);
    Ok(super::maps::get(machine, value, Value::Int(at)))
}

fn concat<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    let mut out = Vec::new();
    for at in 0..call.args.len() {
        let items = call.list(machine, at)?;
        machine.grow(items.len())?;
        out.extend_from_slice(items);
    }
    Ok(Value::List(machine.arena.alloc_slice_copy(&out)))
}

fn flatten<'a>(machine: &mut Machine<'a>, items: &[Value<'a>], out: &mut Vec<Value<'a>>, depth: usize) -> Outcome<()> {
    machine.spend(items.len() as u64)?;
    for item in items {
        match elements(*item, machine.arena) {
            Some(items) if depth < MAX_VALUE_DEPTH => flatten(machine, items, out, depth + 1)?,
            _ => {
                machine.grow(1)?;
                out.push(*item);
            }
        }
    }
    Ok(())
}

fn sort<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    // The original sorts what is no list to an empty one.
    let items = elements(call.arg(0), machine.arena).unwrap_or_default();
    let descending = match call.args.get(1) {
        Some(order) => machine.descending(call.id, *order)?,
        None => false,
    };
    let mut keyed: Vec<_> = items.iter().map(|item| (*item, *item)).collect();
    machine.sort_keyed(call.id, &mut keyed, descending)?;
    let items: Vec<_> = keyed.into_iter().map(|(_, item)| item).collect();
    machine.list(&items)
}

fn uniq<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    let value = call.arg(0);
    let Some(items) = elements(value, machine.arena) else {
        return call.fail(machine, format!("cannot uniq {}", type_name(value)));
    };
    let mut out: Vec<Value<'a>> = Vec::new();
    for item in items {
        machine.spend(1 + out.len() as u64)?;
        if !out.iter().any(|it| equal(*it, *item)) {
            out.push(*item);
        }
    }
    machine.list(&out)
}
