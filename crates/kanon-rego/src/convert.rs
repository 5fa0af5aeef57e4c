//! Values to the interpreter's own and back.

use kanon_lang::{Arena, Value};
use regorus::Value as Rego;

/// A value as the interpreter's own, through JSON text: objects have it at hand.
pub(crate) fn to_rego<'a>(value: Value<'a>, arena: &'a Arena) -> Result<Rego, String> {
    let parsed = match value {
        Value::Node(node) => Rego::from_json_str(node.raw()),
        Value::Null
        | Value::NilList
        | Value::NilMap
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Str(_)
        | Value::Bytes(_)
        | Value::Time(_)
        | Value::Duration(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Record(_)
        | Value::Optional(_)
        | Value::Type(_)
        | Value::Opaque(_) => Rego::from_json_str(&value.to_json(arena).to_string()),
    };
    parsed.map_err(|error| error.to_string())
}

/// The interpreter's value as ours, in the arena; sets are sorted lists. `left` counts elements and eight-byte pieces of
/// text down; `None` where they do not suffice.
pub(crate) fn from_rego<'a>(value: &Rego, arena: &'a Arena, left: &mut u64) -> Option<Value<'a>> {
    let units = if let Rego::String(text) = value { 1 + text.len() as u64 / 8 } else { 1 };
    *left = left.checked_sub(units)?;
    let mut list = |items: &mut dyn Iterator<Item = &Rego>| {
        let items: Option<Vec<Value<'a>>> = items.map(|item| from_rego(item, arena, left)).collect();
        Some(Value::List(arena.alloc_slice_copy(&items?)))
    };
    Some(match value {
        Rego::Null | Rego::Undefined => Value::Null,
        Rego::Bool(bool) => Value::Bool(*bool),
        Rego::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), _, _) => Value::Int(int),
            (None, Some(uint), _) => Value::UInt(uint),
            (None, None, Some(float)) => Value::Float(float),
            // Larger than a double can say: as it is written.
            (None, None, None) => Value::Str(arena.alloc_str(&number.format_decimal())),
        },
        Rego::String(text) => Value::Str(arena.alloc_str(text)),
        Rego::Array(items) => list(&mut items.iter())?,
        Rego::Set(items) => list(&mut items.iter())?,
        Rego::Object(members) => {
            let member =
                |(key, item): (&Rego, &Rego)| Some((from_rego(key, arena, left)?, from_rego(item, arena, left)?));
            let members: Option<Vec<(Value<'a>, Value<'a>)>> = members.iter_sorted().map(member).collect();
            Value::Map(arena.alloc_slice_copy(&members?))
        }
    })
}
