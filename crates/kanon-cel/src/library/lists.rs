//! The list extension: `slice`, `flatten`, `sort`, `distinct`, `reverse`, `lists.range`.

use std::cmp::Ordering;

use kanon_lang::{Context, Function, Stop, Type, Value};

use super::arguments as arg;
use crate::values::{MAX_DEPTH, compare, elements, equal, is_list, length, time, type_of};

/// The types whose values can be sorted.
pub(super) fn ordered() -> [Type; 8] {
    [Type::Int, Type::UInt, Type::Double, Type::Bool, Type::Duration, Type::Timestamp, Type::String, Type::Bytes]
}

pub(super) fn functions() -> Vec<Function> {
    let list = || Type::list(Type::Param("T"));
    let mut out = vec![
        Function::method("slice", [list(), Type::Int, Type::Int], list(), slice),
        Function::method("flatten", [Type::list(list())], list(), flatten),
        Function::method("flatten", [Type::list(Type::Dyn), Type::Int], Type::list(Type::Dyn), flatten),
        Function::method("distinct", [list()], list(), distinct),
        Function::method("reverse", [list()], list(), |cx, args| {
            let mut items = arg::slice(cx, args, 0)?.to_vec();
            items.reverse();
            cx.list(&items)
        }),
        Function::free("lists.range", [Type::Int], Type::list(Type::Int), range),
    ];
    for of in ordered() {
        out.push(Function::method("sort", [Type::list(of.clone())], Type::list(of.clone()), |cx, args| {
            let items = arg::slice(cx, args, 0)?;
            sorted(cx, items, items)
        }));
        out.push(Function::method("@sortByAssociatedKeys", [list(), Type::list(of)], list(), |cx, args| {
            let (items, keys) = (arg::slice(cx, args, 0)?, arg::slice(cx, args, 1)?);
            sorted(cx, items, keys)
        }));
    }
    out
}

fn slice<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (start, end) = (arg::int(cx, args, 1)?, arg::int(cx, args, 2)?);
    let items = arg::slice(cx, args, 0)?;
    let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(end)) else {
        return cx.fail(format!("cannot slice({start}, {end}), negative indexes not supported"));
    };
    if from > to {
        return cx.fail(format!("cannot slice({start}, {end}), start index must be less than or equal to end index"));
    }
    match items.get(from..to) {
        Some(part) => Ok(Value::List(part)),
        None => cx.fail(format!("cannot slice({start}, {end}), list is length {}", items.len())),
    }
}

fn flatten<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let depth = if args.len() > 1 { arg::int(cx, args, 1)? } else { 1 };
    let Ok(depth) = u32::try_from(depth.min(i64::from(MAX_DEPTH))) else {
        return cx.fail("level must be non-negative");
    };
    let mut out = Vec::new();
    let list = arg::value(cx, args, 0)?;
    flatten_into(cx, list, depth, &mut out)?;
    Ok(Value::List(cx.arena.alloc_slice_copy(&out)))
}

fn flatten_into<'a>(cx: &mut Context<'a>, list: Value<'a>, depth: u32, out: &mut Vec<Value<'a>>) -> Result<(), Stop> {
    for item in elements(list, cx.arena).into_iter().flatten() {
        cx.spend(1)?;
        if depth > 0 && is_list(item) {
            flatten_into(cx, item, depth - 1, out)?;
        } else {
            cx.grow(1)?;
            out.push(item);
        }
    }
    Ok(())
}

fn distinct<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let mut out: Vec<Value<'a>> = Vec::new();
    for item in arg::list(cx, args, 0)? {
        let mut seen = false;
        for other in &out {
            cx.spend(1)?;
            if equal(cx, item, *other)? {
                seen = true;
                break;
            }
        }
        if !seen {
            cx.grow(1)?;
            out.push(item);
        }
    }
    Ok(Value::List(cx.arena.alloc_slice_copy(&out)))
}

fn range<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let size = arg::int(cx, args, 0)?;
    let Ok(len) = usize::try_from(size) else {
        return cx.fail(format!("lists.range: size must be non-negative, got {size}"));
    };
    cx.spend(len as u64)?;
    cx.grow(len)?;
    Ok(Value::List(cx.arena.alloc_slice_fill_iter((0..len).map(|it| Value::Int(it as i64)))))
}

/// `items` in the order of `keys`, which are all of one type. Equal keys keep their order.
fn sorted<'a>(cx: &mut Context<'a>, items: &'a [Value<'a>], keys: &'a [Value<'a>]) -> Result<Value<'a>, Stop> {
    if items.len() != keys.len() {
        return cx.fail(format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got {} and {} elements \
             respectively",
            items.len(),
            keys.len()
        ));
    }
    let Some(first) = keys.first() else {
        return Ok(Value::List(items));
    };
    if !sortable(*first) {
        return cx.fail("list elements must be comparable");
    }
    if keys.iter().any(|it| type_of(*it) != type_of(*first)) {
        return cx.fail("list elements must have the same type");
    }
    cx.spend(items.len() as u64 * u64::from(items.len().ilog2() + 1))?;
    cx.grow(items.len())?;
    let mut order: Vec<usize> = (0..items.len()).collect();
    let mut stopped = Ok(());
    order.sort_by(|a, b| {
        if stopped.is_err() {
            return Ordering::Equal;
        }
        compare(cx, keys[*a], keys[*b]).unwrap_or_else(|stop| {
            stopped = Err(stop);
            Ordering::Equal
        })
    });
    stopped?;
    Ok(Value::List(cx.arena.alloc_slice_fill_iter(order.into_iter().map(|at| items[at]))))
}

/// Whether a value has an order among its own type.
pub(super) fn sortable(value: Value<'_>) -> bool {
    match value {
        Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Str(_)
        | Value::Bytes(_)
        | Value::Duration(_) => true,
        value => time::nanoseconds(value).is_some() && length(value).is_none(),
    }
}
