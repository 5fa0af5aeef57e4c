//! Which type a value has, by name, and whether it fits a parameter's type.

use kanon_core::NodeKind;
use kanon_lang::{Context, Type, Value};

use super::{elements, entries};

/// The name of the type of points in time.
pub const TIMESTAMP_TYPE: &str = "google.protobuf.Timestamp";

const DURATION_TYPE: &str = "google.protobuf.Duration";

/// The name of a value's type, as `type(x)` shows it.
pub fn type_of(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "null_type",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::UInt(_) => "uint",
        Value::Float(_) => "double",
        Value::Str(_) => "string",
        Value::Bytes(_) => "bytes",
        Value::Time(_) => TIMESTAMP_TYPE,
        Value::Duration(_) => DURATION_TYPE,
        Value::Node(node) if node.kind() == NodeKind::List => "list",
        Value::NilList | Value::List(_) => "list",
        Value::NilMap | Value::Node(_) | Value::Map(_) | Value::Record(_) => "map",
        Value::Optional(_) => "optional_type",
        Value::Type(_) => "type",
        Value::Opaque(opaque) => opaque.type_name(),
    }
}

/// The name of a static type as a value: `list` for a list of anything.
pub fn type_name(of: &Type) -> &str {
    match of {
        Type::Dyn | Type::Param(_) => "dyn",
        Type::Null => "null_type",
        Type::Bool => "bool",
        Type::Int => "int",
        Type::UInt => "uint",
        Type::Double => "double",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Timestamp => TIMESTAMP_TYPE,
        Type::Duration => DURATION_TYPE,
        Type::List(_) => "list",
        Type::Map(..) => "map",
        Type::Optional(_) => "optional_type",
        Type::Type(_) => "type",
        Type::Opaque(name) => name,
        Type::Object(object) => &object.name,
    }
}

/// Whether `value` may be passed for a parameter of type `of`, when overloads are told apart at run time. Of lists and maps
/// the first element decides, as in cel-go: bodies check what they read.
pub fn fits<'a>(cx: &Context<'a>, of: &Type, value: Value<'a>) -> bool {
    match (of, value) {
        (Type::Dyn | Type::Param(_), _) => true,
        (Type::Null, value) => value.is_nil(),
        (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::UInt, Value::UInt(_))
        | (Type::Double, Value::Float(_))
        | (Type::String, Value::Str(_))
        | (Type::Bytes, Value::Bytes(_))
        | (Type::Timestamp, Value::Time(_))
        | (Type::Duration, Value::Duration(_))
        | (Type::Type(_), Value::Type(_)) => true,
        (Type::Timestamp, Value::Opaque(opaque)) => opaque.type_name() == TIMESTAMP_TYPE,
        (Type::Opaque(name), Value::Opaque(opaque)) => opaque.type_name() == *name,
        (Type::Optional(inner), Value::Optional(value)) => value.is_none_or(|it| fits(cx, inner, *it)),
        (Type::List(element), value) => match elements(value, cx.arena) {
            Some(mut items) => open(element) || items.next().is_none_or(|it| fits(cx, element, it)),
            None => false,
        },
        (Type::Map(key, element), value) => match entries(value, cx.arena) {
            Some(_) if open(key) && open(element) => true,
            Some(mut items) => items.next().is_none_or(|(name, it)| fits(cx, key, name) && fits(cx, element, it)),
            None => false,
        },
        (Type::Object(_), value) => super::is_map(value),
        (
            Type::Bool
            | Type::Int
            | Type::UInt
            | Type::Double
            | Type::String
            | Type::Bytes
            | Type::Timestamp
            | Type::Duration
            | Type::Optional(_)
            | Type::Type(_)
            | Type::Opaque(_),
            _,
        ) => false,
    }
}

/// Whether every value fits. Lists of lists are not looked into: `flatten` takes what is flat already.
fn open(of: &Type) -> bool {
    match of {
        Type::Dyn | Type::Param(_) => true,
        Type::List(element) => open(element),
        _ => false,
    }
}
