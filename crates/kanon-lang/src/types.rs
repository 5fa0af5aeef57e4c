//! Types that an environment declares and a checker knows. Most facts of policies are dynamic; what is declared otherwise is
//! checked when a policy is compiled, so that mistakes show before they decide anything.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// A static type. Languages without a checker ignore it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Type {
    /// Known only when it is there.
    #[default]
    Dyn,
    /// Null and nothing else.
    Null,
    /// A boolean.
    Bool,
    /// A 64-bit integer.
    Int,
    /// An unsigned 64-bit integer.
    UInt,
    /// A double.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A point in time.
    Timestamp,
    /// A length of time.
    Duration,
    /// A list of elements of one type.
    List(Arc<Type>),
    /// A map from keys to values.
    Map(Arc<Type>, Arc<Type>),
    /// A value that may be there or not.
    Optional(Arc<Type>),
    /// A type as a value.
    Type(Arc<Type>),
    /// A type that a library or a family brings, by its name ([`crate::Opaque::type_name`]).
    Opaque(&'static str),
    /// An object with known fields, as a structural schema declares it.
    Object(Arc<ObjectType>),
    /// A type parameter of a function's signature: `T` in `list(T).first() -> optional(T)`.
    Param(&'static str),
}

/// The fields of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectType {
    /// How messages name it.
    pub name: String,
    /// Every field that may be read.
    pub fields: BTreeMap<String, Type>,
}

impl Type {
    /// `list(element)`
    pub fn list(element: Type) -> Type {
        Type::List(Arc::new(element))
    }

    /// `map(key, value)`
    pub fn map(key: Type, value: Type) -> Type {
        Type::Map(Arc::new(key), Arc::new(value))
    }

    /// `optional_type(value)`
    pub fn optional(value: Type) -> Type {
        Type::Optional(Arc::new(value))
    }
}

/// As cel-spec writes types.
impl fmt::Display for Type {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn => out.write_str("dyn"),
            Type::Null => out.write_str("null"),
            Type::Bool => out.write_str("bool"),
            Type::Int => out.write_str("int"),
            Type::UInt => out.write_str("uint"),
            Type::Double => out.write_str("double"),
            Type::String => out.write_str("string"),
            Type::Bytes => out.write_str("bytes"),
            Type::Timestamp => out.write_str("timestamp"),
            Type::Duration => out.write_str("duration"),
            Type::List(element) => write!(out, "list({element})"),
            Type::Map(key, value) => write!(out, "map({key}, {value})"),
            Type::Optional(value) => write!(out, "optional_type({value})"),
            Type::Type(value) => write!(out, "type({value})"),
            Type::Opaque(name) | Type::Param(name) => out.write_str(name),
            Type::Object(object) => out.write_str(&object.name),
        }
    }
}
