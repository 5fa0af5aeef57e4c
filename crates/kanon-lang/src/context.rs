//! What an evaluation has in hand: memory, budget, the clock's reading, and the error that ended it.

use std::borrow::Cow;

use jiff::Timestamp;
use kanon_core::Mono;

use crate::{
    allowance::{Limits, TimeLimit},
    diagnostic::Span,
    language::{Arena, ErrorKind, EvalError},
    value::Value,
};

/// Evaluation cannot go on; the reason lies in the [`Context`]. Small on purpose: it travels in every result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// Why an evaluation stopped. The message is made only when somebody asks, and nothing needs to be dropped: errors that a
/// logical operator absorbs cost next to nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault<'a> {
    kind: ErrorKind,
    message: &'a str,
    /// A name from the program or the data that follows the message.
    name: &'a str,
    span: Option<Span>,
}

impl Fault<'_> {
    /// What went wrong.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.message, self.name)
    }

    /// Where, as far as is known.
    pub(crate) fn span(&self) -> Option<Span> {
        self.span
    }
}

/// How many steps pass before a look at the clock, where there is one.
const LOOK_INTERVAL: u64 = 1024;

/// The state that every function of an evaluation may use.
pub struct Context<'a> {
    /// Where values are made.
    pub arena: &'a Arena,
    /// What `now()` reads; `None` where there is no clock.
    pub now: Option<Timestamp>,
    steps: u64,
    memory: u64,
    /// `steps` below which the clock is looked at next.
    check_at: u64,
    time: Option<&'a TimeLimit>,
    /// When the evaluation is over; known from the first look on.
    ends: Option<Mono>,
    fault: Option<Fault<'a>>,
}

impl<'a> Context<'a> {
    /// A fresh budget of `limits`, without a clock.
    pub fn new(limits: &'a Limits, arena: &'a Arena) -> Context<'a> {
        Context::at(limits, arena, None)
    }

    /// The same at a time. Always in place: see `Machine::new`.
    #[inline(always)]
    pub(crate) fn at(limits: &'a Limits, arena: &'a Arena, now: Option<Timestamp>) -> Context<'a> {
        let time = limits.time.as_ref();
        // Not at the start: most evaluations are over before a clock could be read.
        let check_at = if time.is_some() { limits.steps.saturating_sub(LOOK_INTERVAL) } else { 0 };
        Context { arena, now, steps: limits.steps, memory: limits.memory, check_at, time, ends: None, fault: None }
    }

    /// Ends the evaluation with a message: a lower-case fragment.
    ///
    /// # Errors
    /// Always.
    #[cold]
    pub fn fail<T>(&mut self, message: impl Into<Cow<'static, str>>) -> Result<T, Stop> {
        let message = match message.into() {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => self.arena.alloc_str(&text),
        };
        self.stop_with(ErrorKind::Value, message, "")
    }

    /// Ends the evaluation with a message and the name it is about: `no such key: ` and the key.
    ///
    /// # Errors
    /// Always.
    #[cold]
    pub fn fail_named<T>(&mut self, message: &'static str, name: &'a str) -> Result<T, Stop> {
        self.stop_with(ErrorKind::Value, message, name)
    }

    fn stop_with<T>(&mut self, kind: ErrorKind, message: &'a str, name: &'a str) -> Result<T, Stop> {
        self.fault = Some(Fault { kind, message, name, span: None });
        Err(Stop)
    }

    #[cold]
    fn exceeded<T>(&mut self, what: &'static str) -> Result<T, Stop> {
        self.stop_with(ErrorKind::Budget, what, "")
    }

    /// Takes `steps` from the step budget.
    ///
    /// # Errors
    /// When the budget is used up, or the time is over.
    #[inline]
    pub fn spend(&mut self, steps: u64) -> Result<(), Stop> {
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                if left < self.check_at { self.look() } else { Ok(()) }
            }
            None => self.exceeded("step budget exceeded"),
        }
    }

    #[cold]
    fn look(&mut self) -> Result<(), Stop> {
        self.check_at = self.steps.saturating_sub(LOOK_INTERVAL);
        let Some(time) = self.time else { return Ok(()) };
        let now = time.clock.mono();
        let ends = *self.ends.get_or_insert_with(|| {
            let own = now.after(time.each);
            time.until.map_or(own, |it| it.min(own))
        });
        if now < ends { Ok(()) } else { self.exceeded("time budget exceeded") }
    }

    /// Has the clock looked at with the next step: after something was called that may take longer than a step.
    #[inline]
    pub fn look_soon(&mut self) {
        if self.time.is_some() {
            self.check_at = self.steps;
        }
    }

    /// Takes `units` (elements or bytes) from the memory budget: before making what takes them.
    ///
    /// # Errors
    /// When the budget is used up.
    #[inline]
    pub fn grow(&mut self, units: usize) -> Result<(), Stop> {
        match self.memory.checked_sub(units as u64) {
            Some(left) => {
                self.memory = left;
                Ok(())
            }
            None => self.exceeded("memory budget exceeded"),
        }
    }

    /// What is left of the step budget.
    pub fn steps_left(&self) -> u64 {
        self.steps
    }

    /// What is left of the memory budget.
    pub fn memory_left(&self) -> usize {
        usize::try_from(self.memory).unwrap_or(usize::MAX)
    }

    /// What a foreign value stands for in operations that do not know its type; any other value is itself.
    ///
    /// # Errors
    /// A foreign value that cannot be used.
    pub fn plain(&mut self, value: Value<'a>) -> Result<Value<'a>, Stop> {
        let Value::Opaque(opaque) = value else { return Ok(value) };
        match opaque.problem() {
            Some(problem) => self.fail(problem.to_owned()),
            None => Ok(opaque.plain().unwrap_or(value)),
        }
    }

    /// Text that a function made.
    ///
    /// # Errors
    /// When the memory budget is used up.
    pub fn text(&mut self, text: &str) -> Result<Value<'a>, Stop> {
        self.grow(text.len())?;
        Ok(Value::Str(self.arena.alloc_str(text)))
    }

    /// A list that a function made.
    ///
    /// # Errors
    /// When the memory budget is used up.
    pub fn list(&mut self, items: &[Value<'a>]) -> Result<Value<'a>, Stop> {
        self.grow(items.len())?;
        Ok(Value::List(self.arena.alloc_slice_copy(items)))
    }

    /// A map that a function made; keys are distinct.
    ///
    /// # Errors
    /// When the memory budget is used up.
    pub fn map(&mut self, members: &[(Value<'a>, Value<'a>)]) -> Result<Value<'a>, Stop> {
        self.grow(members.len() * 2)?;
        Ok(Value::Map(self.arena.alloc_slice_copy(members)))
    }

    /// The error that stopped the evaluation.
    pub fn error(&mut self) -> EvalError {
        let Some(fault) = self.fault.take() else {
            // Whoever returns `Stop` has said why; a function that did not still must not pass for a result.
            return EvalError { kind: ErrorKind::Value, message: "evaluation stopped".to_owned(), span: None };
        };
        EvalError { kind: fault.kind, message: fault.text(), span: fault.span }
    }

    /// Says where the error is, unless a deeper place is known.
    #[cold]
    pub(crate) fn locate(&mut self, span: Span) {
        if let Some(fault) = &mut self.fault {
            fault.span.get_or_insert(span);
        }
    }

    /// Takes an error back, where a language lets another operand decide; `None` for a budget, which nothing absorbs.
    pub(crate) fn absorb(&mut self) -> Option<Fault<'a>> {
        self.fault.take_if(|it| it.kind == ErrorKind::Value)
    }

    /// Puts an absorbed error back.
    #[cold]
    pub(crate) fn resume<T>(&mut self, fault: Fault<'a>) -> Result<T, Stop> {
        self.fault = Some(fault);
        Err(Stop)
    }
}
