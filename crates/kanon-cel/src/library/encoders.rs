//! Base64.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use kanon_lang::{Function, Type, Value};

use super::arguments as arg;

pub(super) fn functions() -> Vec<Function> {
    vec![
        Function::free("base64.encode", [Type::Bytes], Type::String, |cx, args| {
            let bytes = arg::bytes(cx, args, 0)?;
            cx.spend(bytes.len() as u64 / 16)?;
            cx.text(&STANDARD.encode(bytes))
        }),
        Function::free("base64.decode", [Type::String], Type::Bytes, |cx, args| {
            let text = arg::read(cx, args, 0)?;
            cx.grow(text.len())?;
            // Without padding too, as cel-go reads it.
            match STANDARD.decode(text).or_else(|error| STANDARD_NO_PAD.decode(text).map_err(|_| error)) {
                Ok(bytes) => Ok(Value::Bytes(cx.arena.alloc_slice_copy(&bytes))),
                Err(error) => cx.fail(format!("illegal base64 data: {error}")),
            }
        }),
    ]
}
