//! What a language says where the shared operations leave room: odd operands, missing members, errors beside a decision.

use crate::{
    context::{Context, Stop},
    ir::{Arithmetic, Comparison, TextTest},
    types::Type,
    value::Value,
};
use kanon_core::{Elements, Members, Name};

/// A language's meaning of operations. The machine answers the common cases itself (two integers, two texts, a member that
/// is there); it asks here for all others. Every function may be called with any value.
pub trait Dialect: Send + Sync + 'static {
    /// In `a && b`, `a || b` and quantifiers, whether an operand that decides lets an error of the others pass, on
    /// whichever side it stands (CEL), or whether operands are evaluated from left to right up to the first that decides
    /// or fails.
    const ABSORBS: bool;

    /// Whether a member that an object does not have is nil, nil equals no other constant and no constant but nil equals it, and
    /// no test of texts holds or fails for it.
    const MISSING_IS_NIL: bool = false;

    /// The value of a member that is not there.
    ///
    /// # Errors
    /// Where that is one.
    fn missing<'a>(cx: &mut Context<'a>, base: Value<'a>, name: &'a str) -> Result<Value<'a>, Stop>;

    /// `base.name`, for bases that are no objects of JSON.
    ///
    /// # Errors
    /// Where the base has no members.
    fn member<'a>(cx: &mut Context<'a>, base: Value<'a>, name: &'a str) -> Result<Value<'a>, Stop>;

    /// `base[key]`
    ///
    /// # Errors
    /// Where the base has no such element.
    fn index<'a>(cx: &mut Context<'a>, base: Value<'a>, key: Value<'a>) -> Result<Value<'a>, Stop>;

    /// Whether `base` has the member (`has(base.name)`).
    ///
    /// # Errors
    /// Where the base has no members.
    fn has<'a>(cx: &mut Context<'a>, base: Value<'a>, name: &'a str) -> Result<bool, Stop>;

    /// `a == b`
    ///
    /// # Errors
    /// Where the values are too large to compare.
    fn equal<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop>;

    /// `a < b` and its like.
    ///
    /// # Errors
    /// Where the two have no order.
    fn compare<'a>(cx: &mut Context<'a>, op: Comparison, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop>;

    /// `a + b` and its like.
    ///
    /// # Errors
    /// Where the operator is not defined for the two, or overflows.
    fn arithmetic<'a>(cx: &mut Context<'a>, op: Arithmetic, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop>;

    /// `-a`
    ///
    /// # Errors
    /// Where the operator is not defined.
    fn negate<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Value<'a>, Stop>;

    /// `needle in haystack`
    ///
    /// # Errors
    /// Where the haystack has no elements.
    fn contains<'a>(cx: &mut Context<'a>, needle: Value<'a>, haystack: Value<'a>) -> Result<bool, Stop>;

    /// `needle in ["a", "b"]` where the needle is not text.
    ///
    /// # Errors
    /// Where that is one.
    fn among<'a>(cx: &mut Context<'a>, needle: Value<'a>, words: &[Name]) -> Result<bool, Stop> {
        let _ = (cx, needle, words);
        Ok(false)
    }

    /// A test of texts where one of the two is not text.
    ///
    /// # Errors
    /// Where that is one.
    fn text_test<'a>(cx: &mut Context<'a>, op: TextTest, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop>;

    /// A test with a pattern where the value is not text.
    ///
    /// # Errors
    /// Where that is one.
    fn matches<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<bool, Stop>;

    /// What a value that is no boolean means where one is asked for.
    ///
    /// # Errors
    /// Where that is one.
    fn truth<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<bool, Stop>;

    /// What a loop runs over.
    ///
    /// # Errors
    /// Where the value has no elements.
    fn source<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Source<'a>, Stop>;

    /// A call of a value (`callee(…)`), or of a member (`base.name(…)`), where the language has functions as values.
    ///
    /// # Errors
    /// Where the value cannot be called.
    fn call<'a>(cx: &mut Context<'a>, callee: Callee<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop>;

    /// A map out of keys and values in turn.
    ///
    /// # Errors
    /// Where a key is not one, or is there twice.
    fn map<'a>(cx: &mut Context<'a>, parts: &[Value<'a>]) -> Result<Value<'a>, Stop>;

    /// Whether a function with a parameter of this type takes the value.
    fn fits(parameter: &Type, value: Value<'_>) -> bool;

    /// What is said when no overload takes the arguments.
    ///
    /// # Errors
    /// Always.
    fn no_overload<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop>;

    /// The whole program's value where a boolean was asked for and it is none.
    ///
    /// # Errors
    /// Where that is one.
    fn boolean<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<bool, Stop>;
}

/// What is called.
#[derive(Clone, Copy)]
pub enum Callee<'a> {
    /// A value.
    Value(Value<'a>),
    /// A member of a value.
    Member(Value<'a>, &'a str),
}

/// What a loop runs over.
pub enum Source<'a> {
    /// A list in an object.
    Nodes(Elements<'a>),
    /// A map in an object.
    Members(Members<'a>),
    /// A list made during evaluation.
    Values(std::slice::Iter<'a, Value<'a>>),
    /// A map made during evaluation.
    Pairs(std::slice::Iter<'a, (Value<'a>, Value<'a>)>),
    /// Bytes.
    Bytes(std::slice::Iter<'a, u8>),
    /// So many elements that cannot be read by position: reading one is an error, counting them is not.
    Opaque(usize),
}
