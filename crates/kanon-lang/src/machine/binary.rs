//! Operators with two operands: the common cases here, all others by the language.

use kanon_core::{Name, Node, NodeKind};

use super::Machine;
use crate::{
    context::Stop,
    dialect::Dialect,
    ir::{Arithmetic, ArithmeticStep, Op, OpId, Passing, Scalar, TextTest, Way},
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
    #[inline(never)]
    pub(super) fn equal_const(
        &mut self,
        id: OpId,
        left: OpId,
        constant: &'a Scalar,
        negated: bool,
        way: Option<&Way>,
    ) -> Result<bool, Stop> {
        let is_equal = match self.operand(left, way) {
            Some(node) => match constant {
                Scalar::Str(text) if node.kind() == NodeKind::String => node.is_str(text),
                Scalar::Bool(bool) if node.as_bool().is_some() => node.as_bool() == Some(*bool),
                Scalar::Null if node.is_null() => true,
                _ => return self.equal_other(id, left, constant, negated),
            },
            None if self.absent => matches!(constant, Scalar::Null),
            None => return self.equal_other(id, left, constant, negated),
        };
        Ok(is_equal != negated)
    }

    #[inline(never)]
    fn equal_other(&mut self, id: OpId, left: OpId, constant: &'a Scalar, negated: bool) -> Result<bool, Stop> {
        let left = self.eval(left)?;
        Ok(self.equal(id, left, constant.value())? != negated)
    }

    #[inline(never)]
    pub(super) fn compare(&mut self, id: OpId, left: OpId, way: Option<&(Box<Way>, Passing)>) -> Result<bool, Stop> {
        if let Some((way, passing)) = way
            && let Some(int) = self.operand(left, Some(way)).and_then(Node::as_short_int)
        {
            return Ok(passing.has(int));
        }
        self.compare_other(id)
    }

    #[inline(never)]
    fn compare_other(&mut self, id: OpId) -> Result<bool, Stop> {
        let code = self.code;
        let Op::Compare { op, left, right, .. } = &code.ops[id.at()] else { return self.test_other(id) };
        let op = *op;
        let (left, right) = (self.eval(*left)?, self.eval(*right)?);
        match (left, right) {
            (Value::Int(a), Value::Int(b)) => Ok(op.holds(Some(a.cmp(&b)))),
            // NaN has no order: the language says what that means.
            (Value::Float(a), Value::Float(b)) if !a.is_nan() && !b.is_nan() => Ok(op.holds(a.partial_cmp(&b))),
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
                self.note_at(place.span, value);
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
        if let Some(node) = self.node(needle)
            && node.kind() == NodeKind::String
        {
            return Ok(words.iter().any(|word| node.is_str(word)));
        }
        match self.eval(needle)? {
            Value::Str(text) => Ok(words.iter().any(|word| word.as_str() == text)),
            other => {
                let result = D::among(&mut self.cx, other, words);
                self.placed(id, result)
            }
        }
    }

    pub(super) fn text_test(&mut self, id: OpId, op: TextTest, left: OpId, right: OpId) -> Result<bool, Stop> {
        let code = self.code;
        if let Op::Str(part) = &code.ops[right.at()]
            && let Some(node) = self.node(left)
        {
            if let TextTest::StartsWith = op
                && let Some(starts) = node.starts_plainly_with(part)
            {
                return Ok(starts);
            }
            if let Some(text) = node.as_plain_str() {
                return self.text_in_text(op, text, part);
            }
        }
        let (left, right) = (self.eval(left)?, self.eval(right)?);
        let (plain_left, plain_right) = (self.plain(id, left)?, self.plain(id, right)?);
        let (Value::Str(text), Value::Str(part)) = (plain_left, plain_right) else {
            let result = D::text_test(&mut self.cx, op, left, right);
            return self.placed(id, result);
        };
        self.text_in_text(op, text, part)
    }

    #[inline]
    fn text_in_text(&mut self, op: TextTest, text: &str, part: &str) -> Result<bool, Stop> {
        if let TextTest::Contains = op {
            self.cx.spend(text.len() as u64 / 64)?;
        }
        Ok(op.holds(text, part))
    }
}
