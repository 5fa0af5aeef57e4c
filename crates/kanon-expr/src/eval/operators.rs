//! Operators between values.

use jiff::SignedDuration;
use kanon_lang::{Span, Value};
use regex::Regex;

use super::{
    Machine, Outcome,
    access::{fail, integer, not_integer},
};
use crate::{
    ast::BinaryOp,
    check::sign,
    code::{OpId, SpineKind, SpineStep},
    value::{self, Number, equal, number, order, ordered, type_name},
};

impl<'a> Machine<'a> {
    pub(super) fn spine(&mut self, first: OpId, steps: &'a [SpineStep]) -> Outcome<Value<'a>> {
        let mut value = self.operand(first)?;
        for step in steps {
            value = match &step.kind {
                SpineKind::Operator(BinaryOp::And) => match value {
                    Value::Bool(false) => value,
                    Value::Bool(true) => self.eval(step.right)?,
                    other => return not_bool(other, step.at),
                },
                SpineKind::Operator(BinaryOp::Or) => match value {
                    Value::Bool(true) => value,
                    Value::Bool(false) => self.eval(step.right)?,
                    other => return not_bool(other, step.at),
                },
                SpineKind::Operator(BinaryOp::Coalesce) => {
                    if value.is_nil() {
                        self.eval(step.right)?
                    } else {
                        value
                    }
                }
                SpineKind::Operator(op) => {
                    let right = self.operand(step.right)?;
                    self.binary(*op, value, right, step.at)?
                }
                SpineKind::Pattern(pattern) => match value {
                    Value::Str(text) => {
                        self.spend(text.len() as u64 / 16)?;
                        Value::Bool(pattern.is_match(text))
                    }
                    other if other.is_nil() => Value::Bool(false),
                    other => return fail(not_text(BinaryOp::Matches, other), step.at),
                },
                SpineKind::Words(words) => Value::Bool(match value {
                    Value::Str(text) => words.iter().any(|word| **word == *text),
                    other if other.is_nil() => words.iter().any(|word| word.is_empty()),
                    other => {
                        let message = format!("cannot use {} as type string in array", type_name(other));
                        return fail(message, step.at);
                    }
                }),
                SpineKind::Literals(items) => {
                    let mut found = false;
                    for item in items {
                        found = found || equal(self.operand(*item)?, value);
                    }
                    Value::Bool(found)
                }
            };
            if self.trace.is_some() {
                self.note(step.span, value);
            }
        }
        Ok(value)
    }

    fn binary(&mut self, op: BinaryOp, a: Value<'a>, b: Value<'a>, at: Span) -> Outcome<Value<'a>> {
        Ok(match op {
            BinaryOp::Equal => Value::Bool(self.equal(a, b)?),
            BinaryOp::NotEqual => Value::Bool(!self.equal(a, b)?),
            BinaryOp::Less | BinaryOp::Greater | BinaryOp::LessEqual | BinaryOp::GreaterEqual => {
                Value::Bool(compare(op, a, b, at)?)
            }
            BinaryOp::In => Value::Bool(self.contains(a, b, at)?),
            BinaryOp::Matches => self.matches(a, b, at)?,
            BinaryOp::Contains | BinaryOp::StartsWith | BinaryOp::EndsWith => text_test(op, a, b, at)?,
            BinaryOp::Range => self.range(a, b, at)?,
            BinaryOp::Add => match (a, b) {
                (Value::Str(a), Value::Str(b)) => self.concat(a, b)?,
                _ => arithmetic(op, a, b, at)?,
            },
            _ => arithmetic(op, a, b, at)?,
        })
    }

    fn equal(&self, a: Value<'a>, b: Value<'a>) -> Outcome<bool> {
        value::try_equal(a, b).or_else(|value::TooLarge| self.exceeded("step"))
    }

    #[inline(never)]
    fn concat(&mut self, a: &str, b: &str) -> Outcome<Value<'a>> {
        self.grow(a.len() + b.len())?;
        let out = self.arena.alloc_slice_fill_copy(a.len() + b.len(), 0u8);
        out[..a.len()].copy_from_slice(a.as_bytes());
        out[a.len()..].copy_from_slice(b.as_bytes());
        // Two texts one after the other are text.
        Ok(Value::Str(std::str::from_utf8(out).unwrap_or_default()))
    }

    /// `needle in haystack`
    #[inline(never)]
    fn contains(&mut self, needle: Value<'a>, haystack: Value<'a>, at: Span) -> Outcome<bool> {
        if haystack.is_nil() {
            return Ok(false);
        }
        match haystack {
            Value::Record(_) | Value::Map(_) => {}
            Value::Node(node) if node.kind() == kanon_core::NodeKind::Object => {
                if let Value::Str(name) = needle {
                    return Ok(node.get(name).is_some());
                }
            }
            Value::Node(node) => {
                for item in node.elements() {
                    self.spend(1)?;
                    if equal(Value::from_node(item, self.arena), needle) {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
            Value::List(items) => {
                self.spend(items.len() as u64)?;
                return Ok(items.iter().any(|item| equal(*item, needle)));
            }
            other => return fail(format!("operator \"in\" not defined on {}", type_name(other)), at),
        }
        if let (Value::Record(record), Value::Str(name)) = (haystack, needle) {
            return Ok(record.get(name, self.arena).is_some());
        }
        let members = value::members(haystack, self.arena).unwrap_or_default();
        if value::has_key(members, needle) {
            return Ok(true);
        }
        if needle.is_nil() {
            return Ok(value::has_key(members, Value::Str("")));
        }
        // Maps have string keys, but for those that `groupBy` makes.
        if !matches!(needle, Value::Str(_)) && members.iter().all(|(key, _)| matches!(key, Value::Str(_))) {
            return fail(format!("cannot use {} as type string in map key", type_name(needle)), at);
        }
        Ok(false)
    }

    #[inline(never)]
    fn matches(&mut self, a: Value<'a>, b: Value<'a>, at: Span) -> Outcome<Value<'a>> {
        if a.is_nil() || b.is_nil() {
            return Ok(Value::Bool(false));
        }
        match (a, b) {
            (Value::Str(text), Value::Str(pattern)) => {
                // Compiling is dear; patterns that come from data pay for it in steps.
                self.spend(1_000 + pattern.len() as u64 * 20)?;
                match crate::patterns::compile(pattern) {
                    Ok(regex) => Ok(Value::Bool(regex.is_match(text))),
                    Err(message) => fail(message, at),
                }
            }
            (Value::Str(_), other) | (other, _) => fail(not_text(BinaryOp::Matches, other), at),
        }
    }

    /// `regexMatch(text, pattern)`: unlike `matches`, it takes no nil.
    #[inline(never)]
    pub(super) fn regex_match(
        &mut self,
        id: OpId,
        text: OpId,
        pattern: OpId,
        regex: Option<&Regex>,
    ) -> Outcome<Value<'a>> {
        let (text, pattern) = match (self.eval(text)?, self.eval(pattern)?) {
            (Value::Str(text), Value::Str(pattern)) => (text, pattern),
            (Value::Str(_), other) | (other, _) => {
                let message = format!("regexMatch takes strings, but got {}", type_name(other));
                return self.fail(id, message);
            }
        };
        match regex {
            Some(regex) => {
                self.spend(text.len() as u64 / 16)?;
                Ok(Value::Bool(regex.is_match(text)))
            }
            None => self.matches(Value::Str(text), Value::Str(pattern), self.code.spans[id.at()].1),
        }
    }

    #[inline(never)]
    fn range(&mut self, a: Value<'a>, b: Value<'a>, at: Span) -> Outcome<Value<'a>> {
        let bound = |value| integer(value).map_or_else(|| fail(not_integer(value), at), Ok);
        let (from, to) = (bound(a)?, bound(b)?);
        if from > to {
            return Ok(Value::List(&[]));
        }
        let len = usize::try_from(i128::from(to) - i128::from(from) + 1).unwrap_or(usize::MAX);
        self.grow(len)?;
        Ok(Value::List(self.arena.alloc_slice_fill_iter((0..len).map(|at| Value::Int(from + at as i64)))))
    }

    pub(super) fn negate(&self, id: OpId, value: Value<'a>) -> Outcome<Value<'a>> {
        match value {
            Value::Duration(duration) => Ok(Value::Duration(-duration)),
            _ => match number(value) {
                Some(Number::Int(int)) => Ok(Value::Int(int.wrapping_neg())),
                Some(Number::Float(float)) => Ok(Value::Float(-float)),
                None => self.fail(id, format!("invalid operation: - {}", type_name(value))),
            },
        }
    }

    /// `a + b` for `sum`.
    pub(super) fn add(&mut self, a: Value<'a>, b: Value<'a>, at: Span) -> Outcome<Value<'a>> {
        self.binary(BinaryOp::Add, a, b, at)
    }
}

#[cold]
fn not_bool<T>(value: Value<'_>, at: Span) -> Outcome<T> {
    fail(format!("expected bool, but got {}", type_name(value)), at)
}

#[cold]
fn not_text(op: BinaryOp, value: Value<'_>) -> String {
    format!("invalid operation: {} (expected string, but got {})", sign(op), type_name(value))
}

#[cold]
fn undefined<T>(op: BinaryOp, a: Value<'_>, b: Value<'_>, at: Span) -> Outcome<T> {
    fail(format!("invalid operation: {} {} {}", type_name(a), sign(op), type_name(b)), at)
}

fn compare(op: BinaryOp, a: Value<'_>, b: Value<'_>, at: Span) -> Outcome<bool> {
    if !ordered(a, b) {
        return undefined(op, a, b, at);
    }
    let order = order(a, b);
    Ok(match op {
        BinaryOp::Less => order.is_some_and(|it| it.is_lt()),
        BinaryOp::Greater => order.is_some_and(|it| it.is_gt()),
        BinaryOp::LessEqual => order.is_some_and(|it| it.is_le()),
        _ => order.is_some_and(|it| it.is_ge()),
    })
}

fn text_test<'a>(op: BinaryOp, a: Value<'a>, b: Value<'a>, at: Span) -> Outcome<Value<'a>> {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => Ok(Value::Bool(match op {
            BinaryOp::Contains => a.contains(b),
            BinaryOp::StartsWith => a.starts_with(b),
            _ => a.ends_with(b),
        })),
        _ if a.is_nil() || b.is_nil() => Ok(Value::Bool(false)),
        (Value::Str(_), other) | (other, _) => fail(not_text(op, other), at),
    }
}

fn arithmetic<'a>(op: BinaryOp, a: Value<'a>, b: Value<'a>, at: Span) -> Outcome<Value<'a>> {
    if let (Some(a_number), Some(b_number)) = (number(a), number(b)) {
        return numbers(op, a_number, b_number).map_or_else(|| bad_numbers(op, a, b, at), Ok);
    }
    let nanos = |duration: SignedDuration| duration.as_nanos() as f64;
    let scaled = |float: f64| Value::Duration(SignedDuration::from_nanos(float as i64));
    Ok(match (op, a, b) {
        (BinaryOp::Add, Value::Time(time), Value::Duration(by)) => Value::Time(value::shift(time, by)),
        (BinaryOp::Add, Value::Duration(by), Value::Time(time)) => Value::Time(value::shift(time, by)),
        (BinaryOp::Subtract, Value::Time(time), Value::Duration(by)) => Value::Time(value::shift(time, -by)),
        (BinaryOp::Subtract, Value::Time(a), Value::Time(b)) => Value::Duration(a.duration_since(b)),
        (BinaryOp::Add, Value::Duration(a), Value::Duration(b)) => Value::Duration(a.saturating_add(b)),
        (BinaryOp::Subtract, Value::Duration(a), Value::Duration(b)) => Value::Duration(a.saturating_sub(b)),
        (BinaryOp::Multiply, Value::Duration(a), Value::Duration(b)) => scaled(nanos(a) * nanos(b)),
        (BinaryOp::Multiply, Value::Duration(duration), other)
        | (BinaryOp::Multiply, other, Value::Duration(duration)) => match number(other) {
            Some(by) => scaled(nanos(duration) * by.float()),
            None => return undefined(op, a, b, at),
        },
        (BinaryOp::Divide, Value::Duration(a), Value::Duration(b)) => Value::Float(nanos(a) / nanos(b)),
        _ => return undefined(op, a, b, at),
    })
}

#[cold]
fn bad_numbers<'a>(op: BinaryOp, a: Value<'a>, b: Value<'a>, at: Span) -> Outcome<Value<'a>> {
    match (op, b) {
        (BinaryOp::Modulo, Value::Int(0) | Value::UInt(0)) => fail("integer divide by zero", at),
        _ => undefined(op, a, b, at),
    }
}

fn numbers<'a>(op: BinaryOp, a: Number, b: Number) -> Option<Value<'a>> {
    Some(match (op, a, b) {
        (BinaryOp::Add, Number::Int(a), Number::Int(b)) => Value::Int(a.wrapping_add(b)),
        (BinaryOp::Subtract, Number::Int(a), Number::Int(b)) => Value::Int(a.wrapping_sub(b)),
        (BinaryOp::Multiply, Number::Int(a), Number::Int(b)) => Value::Int(a.wrapping_mul(b)),
        (BinaryOp::Modulo, Number::Int(a), Number::Int(b)) if b != 0 => Value::Int(a.wrapping_rem(b)),
        (BinaryOp::Add, a, b) => Value::Float(a.float() + b.float()),
        (BinaryOp::Subtract, a, b) => Value::Float(a.float() - b.float()),
        (BinaryOp::Multiply, a, b) => Value::Float(a.float() * b.float()),
        (BinaryOp::Divide, a, b) => Value::Float(a.float() / b.float()),
        (BinaryOp::Power, a, b) => Value::Float(a.float().powf(b.float())),
        _ => return None,
    })
}
