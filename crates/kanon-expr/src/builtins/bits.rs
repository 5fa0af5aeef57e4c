//! Bitwise built-ins on 64-bit integers.

use kanon_lang::{Context, Stop, Value};

use super::{Builtin, Call};

pub(super) fn call<'a>(cx: &mut Context<'a>, call: Call<'_, 'a>) -> Result<Value<'a>, Stop> {
    let a = call.integer(cx, 0)?;
    if call.builtin == Builtin::BitNot {
        return Ok(Value::Int(!a));
    }
    let b = call.integer(cx, 1)?;
    let shift = matches!(call.builtin, Builtin::BitShl | Builtin::BitShr | Builtin::BitUshr);
    if shift && b < 0 {
        return cx.fail(format!("invalid operation: negative shift count {b} (type int)"));
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
