//! What CEL says where the shared operations of the compiled form leave room.

use kanon_core::{Name, NodeKind};
use kanon_lang::{
    Callee, Context, Dialect, Source, Stop, Type, Value,
    ir::{Arithmetic, Comparison, TextTest},
};

use crate::values::{self, Operator, no_overload};

/// CEL's meaning of operations.
pub(crate) struct Meaning;

impl Dialect for Meaning {
    const ABSORBS: bool = true;

    fn missing<'a>(cx: &mut Context<'a>, _: Value<'a>, name: &'a str) -> Result<Value<'a>, Stop> {
        cx.fail_named("no such key: ", name)
    }

    fn member<'a>(cx: &mut Context<'a>, base: Value<'a>, name: &'a str) -> Result<Value<'a>, Stop> {
        values::member(cx, base, name)
    }

    fn index<'a>(cx: &mut Context<'a>, base: Value<'a>, key: Value<'a>) -> Result<Value<'a>, Stop> {
        values::index(cx, base, key)
    }

    fn has<'a>(cx: &mut Context<'a>, base: Value<'a>, name: &'a str) -> Result<bool, Stop> {
        values::has(cx, base, name)
    }

    fn equal<'a>(cx: &mut Context<'a>, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop> {
        values::equal(cx, a, b)
    }

    fn compare<'a>(cx: &mut Context<'a>, op: Comparison, a: Value<'a>, b: Value<'a>) -> Result<bool, Stop> {
        values::compare(cx, a, b).map(|order| op.holds(Some(order)))
    }

    fn arithmetic<'a>(cx: &mut Context<'a>, op: Arithmetic, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
        let operator = match op {
            Arithmetic::Add => Operator::Add,
            Arithmetic::Subtract => Operator::Subtract,
            Arithmetic::Multiply => Operator::Multiply,
            Arithmetic::Divide => Operator::Divide,
            Arithmetic::Modulo => Operator::Modulo,
            // Not written in this language.
            Arithmetic::Power => return no_overload(cx),
        };
        values::arith(cx, operator, a, b)
    }

    fn negate<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Value<'a>, Stop> {
        values::negate(cx, value)
    }

    fn contains<'a>(cx: &mut Context<'a>, needle: Value<'a>, haystack: Value<'a>) -> Result<bool, Stop> {
        values::contains(cx, needle, haystack)
    }

    fn among<'a>(cx: &mut Context<'a>, needle: Value<'a>, words: &[Name]) -> Result<bool, Stop> {
        let Value::Opaque(opaque) = needle else { return Ok(false) };
        values::readable(cx, needle)?;
        Ok(words.iter().any(|word| opaque.equals(Value::Str(word.as_str())) == Some(true)))
    }

    fn text_test<'a>(cx: &mut Context<'a>, _: TextTest, _: Value<'a>, _: Value<'a>) -> Result<bool, Stop> {
        no_overload(cx)
    }

    fn matches<'a>(cx: &mut Context<'a>, _: Value<'a>) -> Result<bool, Stop> {
        no_overload(cx)
    }

    fn truth<'a>(cx: &mut Context<'a>, _: Value<'a>) -> Result<bool, Stop> {
        no_overload(cx)
    }

    fn source<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Source<'a>, Stop> {
        Ok(match value {
            Value::Node(node) if node.kind() == NodeKind::List => Source::Nodes(node.elements()),
            Value::Node(node) if node.kind() == NodeKind::Object => Source::Members(node.members()),
            Value::List(items) => Source::Values(items.iter()),
            Value::Map(members) => Source::Pairs(members.iter()),
            Value::NilList => Source::Values([].iter()),
            Value::NilMap => Source::Pairs([].iter()),
            Value::Record(_) => {
                values::readable(cx, value)?;
                let members: Vec<_> = values::entries(value, cx.arena).into_iter().flatten().collect();
                cx.grow(members.len() * 2)?;
                Source::Pairs(cx.arena.alloc_slice_copy(&members).iter())
            }
            _ => return no_overload(cx),
        })
    }

    fn call<'a>(cx: &mut Context<'a>, _: Callee<'a>, _: &[Value<'a>]) -> Result<Value<'a>, Stop> {
        no_overload(cx)
    }

    fn map<'a>(cx: &mut Context<'a>, parts: &[Value<'a>]) -> Result<Value<'a>, Stop> {
        let members: Vec<_> = parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        values::map_literal(cx, &members)
    }

    fn fits(parameter: &Type, value: Value<'_>) -> bool {
        values::fits(parameter, value)
    }

    fn no_overload<'a>(cx: &mut Context<'a>, _: &[Value<'a>]) -> Result<Value<'a>, Stop> {
        no_overload(cx)
    }

    fn boolean<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<bool, Stop> {
        if value.is_nil() { Ok(false) } else { cx.fail("expected a bool") }
    }
}
