//! What expr's operations mean where the shared machine asks: the rules of `operators` and `access`, under the names that the
//! machine calls them by.

use kanon_core::Name;
use kanon_lang::{
    Callee, Context, Dialect, Source, Stop, Type, Value,
    ir::{Arithmetic, Comparison, TextTest},
};

use crate::{
    access,
    ast::BinaryOp,
    functions, operators,
    value::{self, type_name},
};

/// The meaning of expr's operations.
pub(crate) struct Meaning;

impl Dialect for Meaning {
    const ABSORBS: bool = false;
    const MISSING_IS_NIL: bool = true;

    fn missing<'a>(_: &mut Context<'a>, _: Value<'a>, _: &'a str) -> Result<Value<'a>, Stop> {
        Ok(Value::Null)
    }

    fn member<'a>(cx: &mut Context<'a>, base: Value<'a>, name: &'a str) -> Result<Value<'a>, Stop> {
        access::member(cx, base, name)
    }

    fn index<'a>(cx: &mut Context<'a>, base: Value<'a>, key: Value<'a>) -> Result<Value<'a>, Stop> {
        access::fetch(cx, base, key)
    }

    fn has<'a>(cx: &mut Context<'a>, base: Value<'a>, name: &'a str) -> Result<bool, Stop> {
        operators::contains(cx, Value::Str(name), base)
    }

    fn equal<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop> {
        operators::try_equal(cx, a, b)
    }

    fn compare<'a>(cx: &mut Context<'a>, op: Comparison, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop> {
        let op = match op {
            Comparison::Less => BinaryOp::Less,
            Comparison::LessEqual => BinaryOp::LessEqual,
            Comparison::Greater => BinaryOp::Greater,
            Comparison::GreaterEqual => BinaryOp::GreaterEqual,
        };
        operators::compare(cx, op, a, b)
    }

    fn arithmetic<'a>(cx: &mut Context<'a>, op: Arithmetic, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
        let op = match op {
            Arithmetic::Add => BinaryOp::Add,
            Arithmetic::Subtract => BinaryOp::Subtract,
            Arithmetic::Multiply => BinaryOp::Multiply,
            Arithmetic::Divide => BinaryOp::Divide,
            Arithmetic::Modulo => BinaryOp::Modulo,
            Arithmetic::Power => BinaryOp::Power,
        };
        operators::binary(cx, op, a, b)
    }

    fn negate<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Value<'a>, Stop> {
        operators::negate(cx, value)
    }

    fn contains<'a>(cx: &mut Context<'a>, needle: Value<'a>, haystack: Value<'a>) -> Result<bool, Stop> {
        operators::contains(cx, needle, haystack)
    }

    fn among<'a>(cx: &mut Context<'a>, needle: Value<'a>, words: &[Name]) -> Result<bool, Stop> {
        operators::among(cx, needle, words.iter().any(|word| word.as_str().is_empty()))
    }

    fn text_test<'a>(cx: &mut Context<'a>, op: TextTest, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop> {
        let op = match op {
            TextTest::StartsWith => BinaryOp::StartsWith,
            TextTest::EndsWith => BinaryOp::EndsWith,
            TextTest::Contains => BinaryOp::Contains,
        };
        operators::text_test(cx, op, a, b)
    }

    fn matches<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<bool, Stop> {
        operators::matches_other(cx, value)
    }

    fn truth<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<bool, Stop> {
        operators::truth(cx, value)
    }

    fn source<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Source<'a>, Stop> {
        match value::source(value) {
            Some(source) => Ok(source),
            None => cx.fail(format!("cannot iterate over {}", type_name(value))),
        }
    }

    fn call<'a>(cx: &mut Context<'a>, callee: Callee<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
        match callee {
            Callee::Value(callee) => access::call(cx, callee, args),
            Callee::Member(base, name) => access::method(cx, base, name, args),
        }
    }

    fn map<'a>(cx: &mut Context<'a>, parts: &[Value<'a>]) -> Result<Value<'a>, Stop> {
        value::make_map(cx, parts)
    }

    fn fits(parameter: &Type, value: Value<'_>) -> bool {
        functions::fits(parameter, value)
    }

    fn no_overload<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
        functions::no_overload(cx, args)
    }

    /// A rule whose value is nil does not hold (spec/rules 2.9).
    fn boolean<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<bool, Stop> {
        if value.is_nil() { Ok(false) } else { operators::truth(cx, value) }
    }
}
