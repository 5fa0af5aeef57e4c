//! Members, indexes, slices, and calls of what they find.

use kanon_lang::{EvalError, Span, Value};

use super::{Machine, Outcome};
use crate::{
    builtins,
    code::{AccessStep, OpId},
    value::{self, Number, number, type_name},
};

impl<'a> Machine<'a> {
    pub(super) fn access(&mut self, base: OpId, steps: &'a [AccessStep]) -> Outcome<Value<'a>> {
        let mut value = self.operand(base)?;
        let mut rest = steps.iter();
        while let Some(step) = rest.next() {
            let (optional, span) = match step {
                AccessStep::Name { optional, span, .. }
                | AccessStep::Key { optional, span, .. }
                | AccessStep::Method { optional, span, .. } => (*optional, *span),
                AccessStep::EndChain => {
                    // A nil list at the end of a chain is plain nil.
                    value = if value.is_nil() { Value::Null } else { value };
                    continue;
                }
                AccessStep::OrNilList => {
                    value = if value.is_nil() { Value::NilList } else { value };
                    continue;
                }
            };
            if optional && value.is_nil() {
                value = Value::Null;
                rest.by_ref().find(|step| matches!(step, AccessStep::EndChain));
                continue;
            }
            value = match step {
                AccessStep::Name { name, at, .. } => match value::member(value, name, self.arena) {
                    Ok(value) => value,
                    Err(()) => return no_member(value, name, *at),
                },
                AccessStep::Key { key, at, .. } => {
                    let key = self.eval(*key)?;
                    self.fetch(value, key, *at)?
                }
                AccessStep::Method { name, args, at, .. } => self.method(value, name, args, *at)?,
                AccessStep::EndChain | AccessStep::OrNilList => value,
            };
            if self.trace.is_some() {
                self.note(span, value);
            }
        }
        Ok(value)
    }

    /// `value[key]`
    #[inline(never)]
    pub(crate) fn fetch(&self, value: Value<'a>, key: Value<'a>, at: Span) -> Outcome<Value<'a>> {
        if let Value::Str(name) = key {
            return value::member(value, name, self.arena).or_else(|()| no_member(value, name, at));
        }
        if let Some(members) = value::members(value, self.arena) {
            return self.fetch_key(value, members, key, at);
        }
        match value {
            Value::Str(text) => {
                let at = index(key, text.len(), at)?;
                Ok(Value::UInt(u64::from(text.as_bytes().get(at).copied().unwrap_or_default())))
            }
            Value::Bytes(bytes) => {
                let at = index(key, bytes.len(), at)?;
                Ok(Value::UInt(u64::from(bytes.get(at).copied().unwrap_or_default())))
            }
            Value::List(items) => {
                let at = index(key, items.len(), at)?;
                Ok(items.get(at).copied().unwrap_or(Value::Null))
            }
            Value::NilList => index(key, 0, at).map(|_| Value::Null),
            Value::Node(node) => {
                let at = index(key, node.len(), at)?;
                Ok(Value::from_option(node.elements().nth(at), self.arena))
            }
            _ => fail(
                format!("cannot fetch {} from {}", builtins::convert::shown(key, self.arena), type_name(value)),
                at,
            ),
        }
    }

    /// Maps made by `groupBy` may have keys of any type; all others have strings.
    fn fetch_key(
        &self,
        map: Value<'a>,
        members: &'a [(Value<'a>, Value<'a>)],
        key: Value<'a>,
        at: Span,
    ) -> Outcome<Value<'a>> {
        if let Some((_, value)) = members.iter().find(|(it, _)| value::identical(*it, key)) {
            return Ok(*value);
        }
        if key.is_nil() {
            return Ok(value::member(map, "", self.arena).unwrap_or(Value::Null));
        }
        match members.iter().all(|(it, _)| matches!(it, Value::Str(_))) {
            true => fail(format!("cannot use {} as a key of a map", type_name(key)), at),
            false => Ok(Value::Null),
        }
    }

    #[inline(never)]
    pub(super) fn slice(&mut self, id: OpId, base: OpId, from: Option<OpId>, to: Option<OpId>) -> Outcome<Value<'a>> {
        let value = self.eval(base)?;
        let len = match value {
            Value::Str(text) => text.len(),
            _ => match (to, value::len(value)) {
                (None, None) => return self.fail(id, format!("invalid argument for len (type {})", type_name(value))),
                (_, len) => len.unwrap_or(0),
            },
        };
        let mut bound = |bound: Option<OpId>, default: usize| -> Outcome<usize> {
            let Some(op) = bound else { return Ok(default) };
            let value = self.eval(op)?;
            let at = integer(value).ok_or(()).or_else(|()| self.fail(op, not_integer(value)))?;
            let at = if at < 0 { at.saturating_add_unsigned(len as u64).max(0) } else { at };
            Ok(usize::try_from(at).unwrap_or(len).min(len))
        };
        let to = bound(to, len)?;
        let from = bound(from, 0)?.min(to);
        Ok(match value {
            // The original cuts bytes; text that is cut inside a character is repaired, since objects hold UTF-8.
            Value::Str(text) => match text.get(from..to) {
                Some(text) => Value::Str(text),
                None => {
                    let text = String::from_utf8_lossy(&text.as_bytes()[from..to]).into_owned();
                    return self.text(&text);
                }
            },
            Value::Bytes(bytes) => Value::Bytes(&bytes[from..to]),
            _ => match value::elements(value, self.arena) {
                Some(items) => Value::List(&items[from..to]),
                None => {
                    let shown = builtins::convert::shown(value, self.arena);
                    return self.fail(id, format!("cannot slice {shown}"));
                }
            },
        })
    }

    /// `value.name(args)`
    #[inline(never)]
    fn method(&mut self, value: Value<'a>, name: &str, args: &[OpId], at: Span) -> Outcome<Value<'a>> {
        let args = self.all(args)?;
        if let Value::Time(_) | Value::Duration(_) = value {
            return builtins::time::method(self, value, name, args, at);
        }
        let callee = value::member(value, name, self.arena).or_else(|()| no_member(value, name, at))?;
        self.call_with(callee, args, at)
    }

    fn call_with(&self, callee: Value<'a>, args: &'a [Value<'a>], at: Span) -> Outcome<Value<'a>> {
        let called = match callee {
            Value::Record(record) => record.call(args, self.arena),
            _ => None,
        };
        match called {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(Box::new(EvalError { span: error.span.or(Some(at)), ..error })),
            None if callee.is_nil() => fail("invalid operation: cannot call nil", at),
            None => fail(format!("invalid operation: cannot call non-function of type {}", type_name(callee)), at),
        }
    }

    #[inline(never)]
    pub(super) fn call_value(&mut self, id: OpId, callee: OpId, args: &[OpId]) -> Outcome<Value<'a>> {
        let args = self.all(args)?;
        let callee = self.eval(callee)?;
        self.call_with(callee, args, self.code.spans[id.at()].1)
    }

    #[inline(never)]
    pub(super) fn call_function(&mut self, id: OpId, function: Option<usize>, args: &[OpId]) -> Outcome<Value<'a>> {
        let args = self.all(args)?;
        let callee = function.and_then(|at| self.functions.get(at)).map_or(Value::Null, |it| Value::Record(&*it.1));
        self.call_with(callee, args, self.code.spans[id.at()].1)
    }
}

#[cold]
pub(crate) fn fail<T>(message: impl Into<String>, at: Span) -> Outcome<T> {
    Err(Box::new(EvalError::value(message, at)))
}

#[cold]
fn no_member<'a>(value: Value<'a>, name: &str, at: Span) -> Outcome<Value<'a>> {
    let message = match value {
        Value::Str(_) | Value::Bytes(_) | Value::List(_) | Value::NilList | Value::Node(_) => {
            format!("invalid operation: int(string): cannot fetch {name} from {}", type_name(value))
        }
        _ => format!("cannot fetch {name} from {}", type_name(value)),
    };
    fail(message, at)
}

/// A number as a position, cut towards zero.
pub(crate) fn integer(value: Value<'_>) -> Option<i64> {
    match number(value)? {
        Number::Int(int) => Some(int),
        Number::Float(float) => Some(float as i64),
    }
}

pub(crate) fn not_integer(value: Value<'_>) -> String {
    format!("invalid operation: int({})", type_name(value))
}

fn index(key: Value<'_>, len: usize, span: Span) -> Outcome<usize> {
    let Some(at) = integer(key) else { return fail(not_integer(key), span) };
    let from_start = if at < 0 { at.saturating_add_unsigned(len as u64) } else { at };
    match usize::try_from(from_start) {
        Ok(position) if position < len => Ok(position),
        _ => fail(format!("index out of range: {from_start} (array length is {len})"), span),
    }
}
