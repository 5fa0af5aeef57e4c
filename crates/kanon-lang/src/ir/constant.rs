//! Values that code can hold as constants.

use kanon_core::Object;

use super::Op;
use crate::{language::Arena, value::Value};

/// The constant that a value is; none for values that no constant can hold.
pub(super) fn constant_op<'a>(value: Value<'a>, arena: &'a Arena) -> Option<Op> {
    Some(match value {
        Value::Null => Op::Null,
        Value::Bool(bool) => Op::Bool(bool),
        Value::Int(int) => Op::Int(int),
        Value::UInt(uint) => Op::UInt(uint),
        Value::Float(float) => Op::Float(float),
        Value::Str(text) => Op::Str(text.into()),
        Value::Bytes(bytes) => Op::Bytes(bytes.into()),
        Value::Time(time) => Op::Time(time),
        Value::Duration(duration) => Op::Duration(duration),
        Value::Type(name) => Op::Type(name.into()),
        Value::Node(node) => Op::Json(node.to_object()),
        Value::List(items) if items.iter().all(|it| is_json(*it)) => {
            Op::Json(Object::from_value(&value.to_json(arena)))
        }
        Value::Map(members)
            if members.iter().all(|(key, it)| matches!(key, Value::Str(_)) && is_json(*it))
                && members.is_sorted_by(|a, b| matches!((a.0, b.0), (Value::Str(a), Value::Str(b)) if a < b)) =>
        {
            Op::Json(Object::from_value(&value.to_json(arena)))
        }
        Value::NilList
        | Value::NilMap
        | Value::List(_)
        | Value::Map(_)
        | Value::Record(_)
        | Value::Optional(_)
        | Value::Opaque(_) => return None,
    })
}

/// Whether JSON keeps value and type.
fn is_json(value: Value<'_>) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Str(_) | Value::Node(_) => true,
        // As JSON writes them, whole doubles keep their point.
        Value::Float(float) => float.is_finite(),
        Value::List(items) => items.iter().all(|it| is_json(*it)),
        Value::Map(members) => {
            members.iter().all(|(key, it)| matches!(key, Value::Str(_)) && is_json(*it))
                && members.is_sorted_by(|a, b| matches!((a.0, b.0), (Value::Str(a), Value::Str(b)) if a < b))
        }
        Value::UInt(_)
        | Value::NilList
        | Value::NilMap
        | Value::Bytes(_)
        | Value::Time(_)
        | Value::Duration(_)
        | Value::Record(_)
        | Value::Optional(_)
        | Value::Type(_)
        | Value::Opaque(_) => false,
    }
}
