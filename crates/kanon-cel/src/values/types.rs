//! Which type a value has, by name, and whether it fits a parameter's type.

use kanon_core::{Node, NodeKind, Number};
use kanon_lang::{Type, Value};

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
        Value::Opaque(opaque) => opaque.plain().map_or(opaque.type_name(), type_of),
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
pub fn fits(of: &Type, value: Value<'_>) -> bool {
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
        (Type::Timestamp, Value::Opaque(opaque)) if opaque.plain().is_none() => opaque.type_name() == TIMESTAMP_TYPE,
        (Type::Opaque(name), Value::Opaque(opaque)) => opaque.type_name() == *name,
        // Passed for what it stands for; the body takes it as that.
        (of, Value::Opaque(opaque)) => opaque.plain().is_some_and(|it| fits(of, it)),
        (Type::Optional(inner), Value::Optional(value)) => value.is_none_or(|it| fits(inner, *it)),
        (_, Value::Node(node)) => fits_node(of, node),
        (Type::List(element), Value::List(items)) => open(element) || items.first().is_none_or(|it| fits(element, *it)),
        (Type::List(_), Value::NilList) | (Type::Map(..) | Type::Object(_), Value::NilMap) => true,
        (Type::Map(key, element), Value::Map(members)) => {
            members.first().is_none_or(|(name, it)| fits(key, *name) && fits(element, *it))
        }
        // Its members are not computed to find out.
        (Type::Map(key, _), Value::Record(_)) => matches!(**key, Type::Dyn | Type::Param(_) | Type::String),
        (Type::Object(_), value) => super::is_map(value),
        _ => false,
    }
}

/// The same of a place in an object.
fn fits_node(of: &Type, node: Node<'_>) -> bool {
    match (of, node.kind()) {
        (Type::Dyn | Type::Param(_), _) => true,
        (Type::Null, NodeKind::Null)
        | (Type::Bool, NodeKind::Bool)
        | (Type::String, NodeKind::String)
        | (Type::Object(_), NodeKind::Object) => true,
        (of, NodeKind::Number) => match node.as_number() {
            Some(Number::Int(_)) => *of == Type::Int,
            Some(Number::UInt(_)) => *of == Type::UInt,
            Some(Number::Float(_)) => *of == Type::Double,
            None => false,
        },
        (Type::List(element), NodeKind::List) => {
            open(element) || node.elements().next().is_none_or(|it| fits_node(element, it))
        }
        (Type::Map(key, element), NodeKind::Object) => {
            let is_named = matches!(**key, Type::Dyn | Type::Param(_) | Type::String);
            match node.members().next() {
                None => true,
                Some((_, it)) => is_named && fits_node(element, it),
            }
        }
        _ => false,
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
