//! Bitwise built-ins on 64-bit integers.

use kanon_lang::Value;

use super::{Builtin, Call};
use crate::eval::{Machine, Outcome};

pub(super) fn call<'a>(machine: &mut Machine<'a>, call: Call<'a>) -> Outcome<Value<'a>> {
    let a = call.integer(machine, 0)?;
    if call.builtin == Builtin::BitNot {
        return Ok(Value::Int(!a));
    }
    let b = call.integer(machine, 1)?;
    let shift = matches!(call.builtin, Builtin::BitShl | Builtin::BitShr | Builtin::BitUshr);
    if shift && b < 0 {
        return call.fail(machine, format!("invalid operation: negative shift count {b} (type int)"));
    }
    // Go shifts everything out where Rust would not shift at all.
    let count = u32::try_from(b).unwrap_or(u32::MAX);
    Ok(Value::Int(match call.builtin {
        Builtin::BitAnd => a & b,
        Builtin::BitOr => a | b,
        Builtin::BitXor => a ^ b,
        Builtin::BitNand => a & !b,
        Builtin::BitShl => a.checked_shl(count).unwrap_or(0),
        Builtin::BitShr => a >> count.min(63),
        _ => (a as u64).checked_shr(count).unwrap_or(0) as i64,
    }))
}
