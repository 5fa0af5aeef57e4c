//! Operators with two operands: the common cases here, all others by the language.

use kanon_core::{Name, NodeKind};

use super::{Found, Machine};
use crate::{
    context::Stop,
    dialect::Dialect,
    ir::{Arithmetic, ArithmeticStep, Comparison, OpId, Scalar, TextTest},
    value::Value,
};

impl<'a, D: Dialect, const TRACE: bool> Machine<'_, 'a, D, TRACE> {
    #[inline]
    pub(super) fn equal(&mut self, id: OpId, left: Value<'a>, right: Value<'a>) -> Result<bool, Stop> {
        match (left, right) {
            (Value::Str(a), Value::Str(b)) => Ok(a == b),
            (Value::Int(a), Value::Int(b)) => Ok(a == b),
            (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
            _ => {
                let result = D::equal(&mut self.cx, left, right);
                self.placed(id, result)
            }
        }
    }

    /// Compares with a constant, in the object's text where it can.
    pub(super) fn equal_const(&mut self, id: OpId, left: OpId, constant: &'a Scalar) -> Result<bool, Stop> {
        let found = self.found(left)?;
        if let Found::Node(node) = found {
            match (constant, node.kind()) {
                (Scalar::Str(text), NodeKind::String) => return Ok(node.is_str(text)),
                (Scalar::Bool(bool), NodeKind::Bool) => return Ok(node.as_bool() == Some(*bool)),
                (Scalar::Null, NodeKind::Null) => return Ok(true),
                _ => {}
            }
        }
        let left = self.read(found);
        self.equal(id, left, constant.value())
    }

    #[inline]
    pub(super) fn compare(
        &mut self,
        id: OpId,
        op: Comparison,
        left: Value<'a>,
        right: Value<'a>,
    ) -> Result<bool, Stop> {
        match (left, right) {
            (Value::Int(a), Value::Int(b)) => Ok(op.holds(Some(a.cmp(&b)))),
            (Value::Float(a), Value::Float(b)) => Ok(op.holds(a.partial_cmp(&b))),
            _ => {
                let result = D::compare(&mut self.cx, op, left, right);
                self.placed(id, result)
            }
        }
    }

    pub(super) fn arithmetic(&mut self, first: OpId, steps: &'a [ArithmeticStep]) -> Result<Value<'a>, Stop> {
        let mut value = self.eval(first)?;
        for ArithmeticStep { op, right, place } in steps {
            let right = self.eval(*right)?;
            value = match (op, value, right) {
                (Arithmetic::Add, Value::Float(a), Value::Float(b)) => Value::Float(a + b),
                _ => match D::arithmetic(&mut self.cx, *op, value, right) {
                    Ok(value) => value,
                    Err(stop) => {
                        self.cx.locate(place.at);
                        return Err(stop);
                    }
                },
            };
            if TRACE {
                self.trace.note(place.span, value);
            }
        }
        Ok(value)
    }

    pub(super) fn contains(&mut self, id: OpId, needle: Value<'a>, haystack: Value<'a>) -> Result<bool, Stop> {
        if let (Value::Str(name), Value::Node(node)) = (needle, haystack)
            && node.kind() == NodeKind::Object
        {
            return Ok(node.get(name).is_some());
        }
        let result = D::contains(&mut self.cx, needle, haystack);
        self.placed(id, result)
    }

    /// `needle in ["a", "b"]`
    pub(super) fn in_words(&mut self, id: OpId, needle: OpId, words: &'a [Name]) -> Result<bool, Stop> {
        let needle = match self.found(needle)? {
            Found::Node(node) if node.kind() == NodeKind::String => return Ok(words.iter().any(|it| node.is_str(it))),
            Found::Value(Value::Str(text)) => return Ok(words.iter().any(|word| word.as_str() == text)),
            other => self.read(other),
        };
        let result = D::among(&mut self.cx, needle, words);
        self.placed(id, result)
    }

    #[inline]
    pub(super) fn text_test(
        &mut self,
        id: OpId,
        op: TextTest,
        left: Value<'a>,
        right: Value<'a>,
    ) -> Result<bool, Stop> {
        let (Value::Str(text), Value::Str(part)) = (left, right) else {
            let result = D::text_test(&mut self.cx, op, left, right);
            return self.placed(id, result);
        };
        Ok(match op {
            TextTest::StartsWith => text.starts_with(part),
            TextTest::EndsWith => text.ends_with(part),
            TextTest::Contains => {
                self.cx.spend(text.len() as u64 / 64)?;
                text.contains(part)
            }
        })
    }
}
