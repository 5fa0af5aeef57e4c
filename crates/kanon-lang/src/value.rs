//! The one value model of all languages. Values borrow from objects and from the evaluation's arena; they are copied freely.

use jiff::{SignedDuration, Timestamp};
use kanon_core::{Node, NodeKind, Number};

use crate::language::{Arena, EvalError};

/// A value during an evaluation.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// `nil` in expr, `null` in CEL and JSON.
    Null,
    /// A list that is nil in expr: equal to nil, of length 0, out of range at every index (spec/rules 2.9).
    NilList,
    /// A map that is nil in expr: equal to nil, without members.
    NilMap,
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// An unsigned integer (CEL; JSON numbers beyond `i64`).
    UInt(u64),
    /// A double.
    Float(f64),
    /// Text.
    Str(&'a str),
    /// Bytes (CEL).
    Bytes(&'a [u8]),
    /// A point in time.
    Time(Timestamp),
    /// A length of time.
    Duration(SignedDuration),
    /// A list or object inside an object's text. Scalars never stand here: see [`Value::from_node`].
    Node(Node<'a>),
    /// A list made during evaluation.
    List(&'a [Value<'a>]),
    /// A map made during evaluation, in the order of making; keys are distinct.
    Map(&'a [(Value<'a>, Value<'a>)]),
    /// A map whose members are computed when they are read.
    Record(&'a dyn Record),
    /// A value that may be there or not (CEL).
    Optional(Option<&'a Value<'a>>),
    /// The name of a type, as a value (CEL).
    Type(&'a str),
    /// A value of a type that a library or a family brings: a quantity, an address, a label's value.
    Opaque(&'a dyn Opaque),
}

/// A value of a type that no language has by itself. Languages ask it how it compares; functions that know the type take
/// it apart. Implementations live in the evaluation's arena, which runs no destructors: they own nothing.
pub trait Opaque: Sync {
    /// The type's name, as `type(x)` and messages show it: `kubernetes.Quantity`, `net.IP`.
    fn type_name(&self) -> &'static str;
    /// Whether it equals `other`; `None` where the two are of types that never equal each other.
    fn equals(&self, other: Value<'_>) -> Option<bool>;
    /// Its order relative to `other`; `None` where the two have no order.
    fn compare(&self, other: Value<'_>) -> Option<std::cmp::Ordering> {
        let _ = other;
        None
    }
    /// Its canonical text; what JSON shows of it.
    fn text(&self) -> std::borrow::Cow<'_, str>;
    /// Its member called `name`, for types that have members; `None` where there is none.
    fn member<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let _ = (name, arena);
        None
    }
    /// The plain value that it stands for in every operation but equality and order: a label's value is text there.
    /// `None` for types that stand for nothing else.
    fn plain(&self) -> Option<Value<'_>> {
        None
    }
    /// Why it cannot be used, where it cannot: every operation on it but reading a member is an error with this text then,
    /// equality too.
    fn problem(&self) -> Option<&str> {
        None
    }
    /// Itself, for functions that know its type; `None` for types that borrow, which are read by their text.
    fn as_any(&self) -> Option<&dyn std::any::Any> {
        None
    }
}

/// A map whose members are computed when they are read: how a family offers derived facts (`container.image.tag`)
/// without building them for rules that do not ask.
pub trait Record: Sync {
    /// The member called `name`; `None` when there is no such member (a member may be there and null).
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>>;
    /// All member names, sorted.
    fn names(&self) -> &[&str];
    /// Whether it has a member of this name. A record may answer [`Record::get`] for others too, with a default.
    fn has(&self, name: &str) -> bool {
        self.names().binary_search(&name).is_ok()
    }
    /// Why its members cannot be read, where they cannot: every access is an error with this text then.
    fn problem(&self) -> Option<&str> {
        None
    }
    /// Calls it with `args`, where it is a function (`cluster.pods.list("ns", {})`); `None` for plain maps. Which
    /// number and types of arguments it takes is its own affair: what does not fit is an error of the call.
    fn call<'a>(&'a self, args: &[Value<'a>], arena: &'a Arena) -> Option<Result<Value<'a>, EvalError>> {
        let _ = (args, arena);
        None
    }
}

impl<'a> Value<'a> {
    /// The value at a place in an object. Escaped text is decoded into the arena.
    #[inline]
    pub fn from_node(node: Node<'a>, arena: &'a Arena) -> Value<'a> {
        match node.kind() {
            NodeKind::Null => Value::Null,
            NodeKind::Bool => Value::Bool(node.as_bool().unwrap_or_default()),
            NodeKind::Number => match node.as_number() {
                Some(Number::Int(int)) => Value::Int(int),
                Some(Number::UInt(uint)) => Value::UInt(uint),
                Some(Number::Float(float)) => Value::Float(float),
                None => Value::Null,
            },
            NodeKind::String => match node.as_plain_str() {
                Some(text) => Value::Str(text),
                None => Value::Str(arena.alloc_str(&node.as_str().unwrap_or_default())),
            },
            NodeKind::List | NodeKind::Object => Value::Node(node),
        }
    }

    /// The value at a place in an object, null where there is none.
    #[inline]
    pub fn from_option(node: Option<Node<'a>>, arena: &'a Arena) -> Value<'a> {
        node.map_or(Value::Null, |node| Value::from_node(node, arena))
    }

    /// Whether this is any of the three nil values.
    #[inline]
    pub fn is_nil(self) -> bool {
        matches!(self, Value::Null | Value::NilList | Value::NilMap)
    }

    /// Plain JSON, as `kanon eval` prints it: integers in full, map keys as text, bytes as base64, times as RFC 3339,
    /// durations as Go writes them, non-finite numbers as `NaN`, `+Inf`, `-Inf`.
    pub fn to_json(self, arena: &'a Arena) -> serde_json::Value {
        crate::value::json::render(self, arena)
    }
}

mod json;
