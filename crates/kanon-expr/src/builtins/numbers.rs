//! Numeric built-ins.

use kanon_lang::{Context, Stop, Value};

use super::{Builtin, Call};
use crate::value::{MAX_VALUE_DEPTH, Number, elements, number, total_order};

pub(super) fn call<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    match call.builtin {
        Builtin::Max | Builtin::Min => extreme(cx, call),
        Builtin::Mean | Builtin::Median => average(cx, call),
        _ => round(cx, call),
    }
}

fn round<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let value = call.arg(0);
    let Some(number) = number(value) else { return call.refuse(cx, value) };
    Ok(match (call.builtin, number) {
        (Builtin::Abs, Number::Int(int)) => Value::Int(int.wrapping_abs()),
        (Builtin::Abs, Number::Float(float)) => Value::Float(float.abs()),
        (Builtin::Ceil, number) => Value::Float(number.float().ceil()),
        (Builtin::Floor, number) => Value::Float(number.float().floor()),
        (_, number) => Value::Float(number.float().round()),
    })
}

/// All numbers in the arguments and in lists among them, however deep.
fn collect<'a>(
    cx: &mut Context<'a>,
    call: Call<'_, 'a>,
    values: &[Value<'a>],
    depth: usize,
) -> Result<Vec<Value<'a>>, Stop> {
    let mut out = Vec::with_capacity(values.len());
    cx.spend(values.len() as u64)?;
    for value in values {
        match (number(*value), elements(*value, cx.arena)) {
            (Some(_), _) => out.push(*value),
            (None, Some(items)) if depth < MAX_VALUE_DEPTH => out.extend(collect(cx, call, items, depth + 1)?),
            _ => return call.refuse(cx, *value),
        }
    }
    Ok(out)
}

fn extreme<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    // The original looks at the type of what it compares only: a lone value passes as it is.
    if let [value] = call.args
        && elements(*value, cx.arena).is_none()
    {
        return Ok(*value);
    }
    let numbers = collect(cx, call, call.args, 0)?;
    let best = numbers.into_iter().reduce(|best, value| {
        let order = total_order(value, best);
        let better = if call.builtin == Builtin::Max { order.is_gt() } else { order.is_lt() };
        if better { value } else { best }
    });
    Ok(best.unwrap_or(Value::Null))
}

fn average<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let numbers = collect(cx, call, call.args, 0)?;
    let mut floats: Vec<f64> = numbers.into_iter().filter_map(number).map(Number::float).collect();
    if floats.is_empty() {
        return Ok(Value::Float(0.0));
    }
    let count = floats.len();
    Ok(Value::Float(if call.builtin == Builtin::Mean {
        floats.iter().sum::<f64>() / count as f64
    } else {
        floats.sort_by(f64::total_cmp);
        let middle = floats[count / 2];
        if count % 2 == 1 { middle } else { (floats[count / 2 - 1] + middle) / 2.0 }
    }))
}
