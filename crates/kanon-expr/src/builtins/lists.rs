//! Built-ins on lists.

use kanon_lang::{Context, Stop, Value};

use super::{Builtin, Call};
use crate::value::{MAX_VALUE_DEPTH, elements, equal, ordered, total_order, type_name};

pub(super) fn call<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    match call.builtin {
        Builtin::First => end(cx, call, 0),
        Builtin::Last => end(cx, call, -1),
        Builtin::Concat => concat(cx, call),
        Builtin::Flatten => {
            let mut out = Vec::new();
            let items = call.list(cx, 0)?;
            flatten(cx, items, &mut out, 0)?;
            cx.list(&out)
        }
        Builtin::Reverse => {
            let mut items = call.list(cx, 0)?.to_vec();
            items.reverse();
            cx.list(&items)
        }
        Builtin::Sort => sort(cx, call),
        Builtin::Take => {
            let count = call.integer(cx, 1)?;
            let items = call.list(cx, 0)?;
            let Ok(count) = usize::try_from(count) else {
                return cx.fail(format!("cannot take {count} elements"));
            };
            Ok(Value::List(&items[..count.min(items.len())]))
        }
        _ => uniq(cx, call),
    }
}

/// The first or last element, nil where there is none.
fn end<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>, at: i64) -> Result<Value<'a>, Stop> {
    let value = call.arg(0);
    Ok(super::maps::get(cx, value, Value::Int(at)))
}

fn concat<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let mut out = Vec::new();
    for at in 0..call.args.len() {
        let items = call.list(cx, at)?;
        cx.grow(items.len())?;
        out.extend_from_slice(items);
    }
    Ok(Value::List(cx.arena.alloc_slice_copy(&out)))
}

fn flatten<'a>(cx: &mut Context<'a>, items: &[Value<'a>], out: &mut Vec<Value<'a>>, depth: usize) -> Result<(), Stop> {
    cx.spend(items.len() as u64)?;
    for item in items {
        match elements(*item, cx.arena) {
            Some(items) if depth < MAX_VALUE_DEPTH => flatten(cx, items, out, depth + 1)?,
            _ => {
                cx.grow(1)?;
                out.push(*item);
            }
        }
    }
    Ok(())
}

fn sort<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    // The original sorts what is no list to a nil one.
    let list = elements(call.arg(0), cx.arena);
    let descending = match call.args.get(1) {
        Some(order) => descending(cx, *order)?,
        None => false,
    };
    let Some(items) = list else { return Ok(Value::NilList) };
    let mut keyed: Vec<_> = items.iter().map(|item| (*item, *item)).collect();
    sort_keyed(cx, &mut keyed, descending)?;
    let items: Vec<_> = keyed.into_iter().map(|(_, item)| item).collect();
    cx.list(&items)
}

/// Whether `"asc"` or `"desc"`.
pub(crate) fn descending<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<bool, Stop> {
    match value {
        Value::Str("asc") => Ok(false),
        Value::Str("desc") => Ok(true),
        Value::Str(other) => cx.fail(format!("invalid order {other}, expected asc or desc")),
        other => cx.fail(format!("invalid order argument (expected string, got {})", type_name(other))),
    }
}

/// Sorts by key, keeping the order of equals; keys must be comparable with each other.
pub(crate) fn sort_keyed<'a>(
    cx: &mut Context<'a>,
    keyed: &mut [(Value<'a>, Value<'a>)],
    descending: bool,
) -> Result<(), Stop> {
    let len = keyed.len();
    cx.spend(len as u64 * u64::from(len.max(1).ilog2() + 1))?;
    if let Some(pair) = keyed.windows(2).find(|pair| !ordered(pair[0].0, pair[1].0)) {
        let (a, b) = (type_name(pair[1].0), type_name(pair[0].0));
        return cx.fail(format!("invalid operation: {a} < {b}"));
    }
    keyed.sort_by(|a, b| {
        let order = total_order(a.0, b.0);
        if descending { order.reverse() } else { order }
    });
    Ok(())
}

fn uniq<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let value = call.arg(0);
    let Some(items) = elements(value, cx.arena) else {
        return cx.fail(format!("cannot uniq {}", type_name(value)));
    };
    let mut out: Vec<Value<'a>> = Vec::new();
    for item in items {
        cx.spend(1 + out.len() as u64)?;
        if !out.iter().any(|it| equal(*it, *item)) {
            out.push(*item);
        }
    }
    cx.list(&out)
}
