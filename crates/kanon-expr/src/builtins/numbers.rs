//! Numeric built-ins.

use kanon_lang::Value;

use super::{Builtin, Call};
use crate::{
    eval::{Machine, Outcome},
    value::{MAX_VALUE_DEPTH, Number, elements, number, total_order},
};

pub(super) fn call<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    match call.builtin {
        Builtin::Max | Builtin::Min => extreme(machine, call),
        Builtin::Mean | Builtin::Median => average(machine, call),
        _ => round(machine, call),
    }
}

fn round<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    let value = call.arg(0);
    let Some(number) = number(value) else { return call.refuse(machine, value) };
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
    machine: &mut Machine<'a>,
    call: Call<'a>,
    values: &[Value<'a>],
    depth: usize,
) -> Outcome<Vec<Value<'a>>> {
    let mut out = Vec::with_capacity(values.len());
    machine.spend(values.len() as u64)?;
    for value in values {
        match (number(*value), elements(*value, machine.arena)) {
            (Some(_), _) => out.push(*value),
            (None, Some(items)) if depth < MAX_VALUE_DEPTH => out.extend(collect(machine, call, items, depth + 1)?),
            _ => return call.refuse(machine, *value),
        }
    }
    Ok(out)
}

fn extreme<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    // The original looks at the type of what it compares only: a lone value passes as it is.
    if let [value] = call.args
        && elements(*value, machine.arena).is_none()
    {
        return Ok(*value);
    }
    let numbers = collect(machine, call, call.args, 0)?;
    let best = numbers.into_iter().reduce(|best, value| {
        let order = total_order(value, best);
        let better = if call.builtin == Builtin::Max { order.is_gt() } else { order.is_lt() };
        if better { value } else { best }
    });
    Ok(best.unwrap_or(Value::Null))
}

fn average<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    let numbers = collect(machine, call, call.args, 0)?;
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
