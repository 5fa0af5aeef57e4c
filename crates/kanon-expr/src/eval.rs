//! The evaluator: one value per operation, borrowed from the objects or made in the arena.

mod access;
mod operators;
mod predicates;

use std::{cmp::Reverse, collections::BTreeMap};

use kanon_lang::{Arena, ErrorKind, EvalError, Limits, Span, Value};

pub(crate) use self::access::{fail, integer};

use crate::{
    builtins::{self, Builtin},
    code::{Code, Op, OpId},
    program::Function,
    value::type_name,
};

/// Evaluation ends at the first error; boxed, so that results stay small.
pub(crate) type Outcome<T> = Result<T, Box<EvalError>>;

/// One evaluation.
pub(crate) struct Machine<'a> {
    pub(crate) code: &'a Code,
    pub(crate) functions: &'a [(&'static str, Function)],
    pub(crate) values: &'a [Value<'a>],
    pub(crate) arena: &'a Arena,
    pub(crate) now: Option<Value<'a>>,
    steps: u64,
    memory: u64,
    locals: &'a mut [Value<'a>],
    scope: Scope<'a>,
    /// For `explain`: the last value of every operation, and of spines and accesses every prefix, by start and end; outer
    /// before inner at the same start.
    pub(crate) trace: Option<BTreeMap<(u32, Reverse<u32>), Value<'a>>>,
}

/// What `#`, `#index` and `#acc` stand for.
#[derive(Clone, Copy)]
struct Scope<'a> {
    index: usize,
    /// `None` where the collection is a map.
    element: Option<Value<'a>>,
    accumulator: Value<'a>,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(
        code: &'a Code,
        functions: &'a [(&'static str, Function)],
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
    ) -> Machine<'a> {
        let locals: &'a mut [Value<'a>] =
            if code.locals == 0 { &mut [] } else { arena.alloc_slice_fill_copy(code.locals, Value::Null) };
        Machine {
            code,
            functions,
            values,
            arena,
            now: None,
            steps: limits.steps,
            memory: limits.memory,
            locals,
            scope: Scope { index: 0, element: Some(Value::Null), accumulator: Value::Null },
            trace: None,
        }
    }

    /// The value of the whole.
    pub(crate) fn run(&mut self) -> Outcome<Value<'a>> {
        self.eval(self.code.root)
    }

    /// An error at the place of `op`.
    #[cold]
    pub(crate) fn fail<T>(&self, op: OpId, message: impl Into<String>) -> Outcome<T> {
        let span = self.code.spans.get(op.at()).map_or(Span::default(), |it| it.1);
        Err(Box::new(EvalError::value(message, span)))
    }

    #[cold]
    fn exceeded<T>(&self, what: &str) -> Outcome<T> {
        Err(Box::new(EvalError { kind: ErrorKind::Budget, message: format!("{what} budget exceeded"), span: None }))
    }

    /// Takes `units` (elements or bytes) from the memory budget.
    #[inline]
    pub(crate) fn grow(&mut self, units: usize) -> Outcome<()> {
        match self.memory.checked_sub(units as u64) {
            Some(rest) => {
                self.memory = rest;
                Ok(())
            }
            None => self.exceeded("memory"),
        }
    }

    /// What is left of the memory budget.
    pub(crate) fn memory_left(&self) -> usize {
        usize::try_from(self.memory).unwrap_or(usize::MAX)
    }

    /// Takes steps from the step budget.
    #[inline]
    pub(crate) fn spend(&mut self, steps: u64) -> Outcome<()> {
        match self.steps.checked_sub(steps) {
            Some(rest) => {
                self.steps = rest;
                Ok(())
            }
            None => self.exceeded("step"),
        }
    }

    /// Text made by a built-in.
    pub(crate) fn text(&mut self, text: &str) -> Outcome<Value<'a>> {
        self.grow(text.len())?;
        Ok(Value::Str(self.arena.alloc_str(text)))
    }

    /// A list made by a built-in.
    pub(crate) fn list(&mut self, items: &[Value<'a>]) -> Outcome<Value<'a>> {
        self.grow(items.len())?;
        Ok(Value::List(self.arena.alloc_slice_copy(items)))
    }

    /// The value of an operand: what needs no evaluation is read in place, without a step.
    #[inline]
    fn operand(&mut self, id: OpId) -> Outcome<Value<'a>> {
        let code = self.code;
        match &code.ops[id.at()] {
            Op::Nil => Ok(Value::Null),
            Op::Bool(bool) => Ok(Value::Bool(*bool)),
            Op::Int(int) => Ok(Value::Int(*int)),
            Op::Str(text) => Ok(Value::Str(text)),
            Op::Variable(slot) if self.trace.is_none() => Ok(self.values.get(*slot).copied().unwrap_or(Value::Null)),
            Op::Element if self.trace.is_none() => self.element(id),
            _ => self.eval(id),
        }
    }

    pub(crate) fn eval(&mut self, id: OpId) -> Outcome<Value<'a>> {
        self.spend(1)?;
        let code = self.code;
        let value = match &code.ops[id.at()] {
            // Literals are not evidence: they return before the trace.
            Op::Nil | Op::Merged => return Ok(Value::Null),
            Op::Bool(bool) => return Ok(Value::Bool(*bool)),
            Op::Int(int) => return Ok(Value::Int(*int)),
            Op::Float(float) => return Ok(Value::Float(*float)),
            Op::Str(text) => return Ok(Value::Str(text)),
            Op::Bytes(bytes) => return Ok(Value::Bytes(bytes)),
            Op::Variable(slot) => self.values.get(*slot).copied().unwrap_or(Value::Null),
            Op::Local(slot) => self.locals.get(usize::from(*slot)).copied().unwrap_or(Value::Null),
            Op::Environment => self.environment()?,
            Op::Element => self.element(id)?,
            Op::Index => Value::Int(self.scope.index as i64),
            Op::Accumulator => self.scope.accumulator,
            Op::Not(operand) => match self.eval(*operand)? {
                Value::Bool(bool) => Value::Bool(!bool),
                other => return self.not_bool(id, other),
            },
            Op::Minus(operand) => {
                let value = self.eval(*operand)?;
                self.negate(id, value)?
            }
            Op::Plus(operand) => self.eval(*operand)?,
            Op::Spine { first, steps } => self.spine(*first, steps)?,
            Op::Access { base, steps } => self.access(*base, steps)?,
            Op::Slice { base, from, to } => self.slice(id, *base, *from, *to)?,
            Op::Call { callee, args } => self.call_value(id, *callee, args)?,
            Op::Function { function, args } => self.call_function(id, *function, args)?,
            Op::RegexMatch { text, pattern, regex } => self.regex_match(id, *text, *pattern, regex.as_deref())?,
            Op::Builtin { builtin, args } => self.builtin(id, *builtin, args)?,
            Op::Conditional { condition, yes, no } => match self.eval(*condition)? {
                Value::Bool(true) => self.eval(*yes)?,
                Value::Bool(false) => self.eval(*no)?,
                other => return self.not_bool(*condition, other),
            },
            Op::Let { slot, value, body } => self.bind(*slot, *value, *body)?,
            Op::Sequence(items) => self.sequence(items)?,
            Op::List(items) => Value::List(self.all(items)?),
            Op::Map(items) => self.map(id, items)?,
        };
        if self.trace.is_some() {
            self.note(code.spans[id.at()].0, value);
        }
        Ok(value)
    }

    #[cold]
    fn note(&mut self, span: Span, value: Value<'a>) {
        if let Some(trace) = &mut self.trace {
            trace.insert((span.start, Reverse(span.end)), value);
        }
    }

    #[cold]
    fn not_bool<T>(&self, id: OpId, value: Value<'a>) -> Outcome<T> {
        self.fail(id, format!("expected bool, but got {}", type_name(value)))
    }

    /// The values of several operations, in the arena.
    #[inline(never)]
    fn all(&mut self, items: &[OpId]) -> Outcome<&'a [Value<'a>]> {
        self.grow(items.len())?;
        let values = self.arena.alloc_slice_fill_copy(items.len(), Value::Null);
        for (slot, item) in values.iter_mut().zip(items) {
            *slot = self.eval(*item)?;
        }
        Ok(values)
    }

    #[inline(never)]
    fn bind(&mut self, slot: u16, value: OpId, body: OpId) -> Outcome<Value<'a>> {
        let value = self.eval(value)?;
        if let Some(local) = self.locals.get_mut(usize::from(slot)) {
            *local = value;
        }
        self.eval(body)
    }

    #[inline(never)]
    fn sequence(&mut self, items: &[OpId]) -> Outcome<Value<'a>> {
        items.iter().try_fold(Value::Null, |_, item| self.eval(*item))
    }

    #[inline(never)]
    fn map(&mut self, id: OpId, items: &[OpId]) -> Outcome<Value<'a>> {
        let mut members: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(items.len() / 2);
        self.grow(items.len() / 2)?;
        for pair in items.chunks_exact(2) {
            let key = match self.eval(pair[0])? {
                Value::Str(key) => Value::Str(key),
                other => return self.fail(id, format!("a map key must be a string, not {}", type_name(other))),
            };
            let value = self.eval(pair[1])?;
            // Of duplicate keys the first counts, as in the original.
            if !crate::value::has_key(&members, key) {
                members.push((key, value));
            }
        }
        Ok(Value::Map(self.arena.alloc_slice_copy(&members)))
    }

    /// `$env`: all variables.
    #[inline(never)]
    fn environment(&mut self) -> Outcome<Value<'a>> {
        let code = self.code;
        self.grow(code.variables.len())?;
        let value = |at: usize| self.values.get(at).copied().unwrap_or(Value::Null);
        let members = code.variables.iter().enumerate().map(|(at, name)| (Value::Str(name), value(at)));
        Ok(Value::Map(self.arena.alloc_slice_fill_iter(members)))
    }

    fn element(&self, id: OpId) -> Outcome<Value<'a>> {
        match self.scope.element {
            Some(element) => Ok(element),
            None => self.fail(id, "cannot read the elements of a map by position"),
        }
    }

    #[inline(never)]
    fn builtin(&mut self, id: OpId, builtin: Builtin, args: &[OpId]) -> Outcome<Value<'a>> {
        if builtin.parameters().is_some() {
            return self.predicate(id, builtin, args);
        }
        if let ([arg], Builtin::Len) = (args, builtin) {
            let value = self.eval(*arg)?;
            return match crate::value::len(value) {
                Some(len) => Ok(Value::Int(len as i64)),
                None => self.fail(id, format!("invalid argument for len (type {})", type_name(value))),
            };
        }
        let args = self.all(args)?;
        builtins::call(self, id, builtin, args)
    }
}
