//! Runs code: one value an operation, borrowed from the objects or made in the arena. One machine is one evaluation; code is
//! shared read-only by all threads.
//!
//! What gives a boolean is evaluated by [`Machine::test`], which moves a boolean and not a whole value; what leads into an
//! object is followed by `walk`, which compares with constants in the object's text, without reading the value out of it.

mod binary;
mod loops;
mod path;
mod shared;
mod trace;

use kanon_core::Node;

use crate::{
    allowance::Limits,
    context::{Context, Stop},
    dialect::{Callee, Dialect},
    ir::{Code, Logic, Loop, LoopKind, Op, OpId, Overload, Scalar, Turn},
    language::Arena,
    rules::{Memo, Places},
    value::Value,
};
pub(crate) use trace::{Noted, Trace};

/// What a path leads to: a place in an object, whose value nobody has read yet, or a value.
#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    Node(Node<'a>),
    Value(Value<'a>),
}

/// A local whose value could not be computed; in the arena, so that a machine has nothing to drop.
struct Failed<'a> {
    slot: u16,
    fault: crate::context::Fault<'a>,
    /// Those before it.
    earlier: Option<&'a Failed<'a>>,
}

/// One evaluation. `TRACE`: the value of every operation is noted.
pub(crate) struct Machine<'m, 'a, D, const TRACE: bool> {
    code: &'a Code,
    values: &'a [Value<'a>],
    pub(crate) cx: Context<'a>,
    locals: &'a mut [Value<'a>],
    /// What other programs of a rule set have read of the same object.
    memo: Option<&'m mut Memo<'a>>,
    /// Where the code's shared parts stand in the memo.
    shared: Places<'m>,
    /// Whether the way that was followed last ended at something absent.
    absent: bool,
    /// The number of the way, of those that are gone more than once, that was followed last, and where it led; 0 for none.
    again: u16,
    seen: Option<Node<'a>>,
    /// Only where the machine traces.
    pub(crate) trace: Option<Box<Trace<'a>>>,
    /// Locals whose values could not be computed, and why.
    failed: Option<&'a Failed<'a>>,
    dialect: std::marker::PhantomData<D>,
}

impl<'m, 'a, D: Dialect, const TRACE: bool> Machine<'m, 'a, D, TRACE> {
    /// Always in place, and the context made where it stands: a machine that is built elsewhere and copied here costs as
    /// much as a whole small program.
    #[inline(always)]
    pub(crate) fn new(
        code: &'a Code,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
        memo: Option<(&'m mut Memo<'a>, Places<'m>)>,
    ) -> Self {
        let locals: &'a mut [Value<'a>] =
            if code.locals == 0 { &mut [] } else { arena.alloc_slice_fill_copy(code.locals, Value::Null) };
        let (memo, shared) = match memo {
            Some((memo, shared)) => (Some(memo), shared),
            None => (None, Places::default()),
        };
        let now = match code.clock {
            Some(slot) => clock(values, slot),
            None => None,
        };
        Machine {
            code,
            values,
            cx: Context::at(limits, arena, now),
            locals,
            memo,
            shared,
            absent: false,
            again: 0,
            seen: None,
            trace: if TRACE { Some(Box::default()) } else { None },
            failed: None,
            dialect: std::marker::PhantomData,
        }
    }

    /// The value of the whole.
    pub(crate) fn run(&mut self) -> Result<Value<'a>, Stop> {
        self.cx.spend(u64::from(self.code.base_cost))?;
        self.eval(self.code.root)
    }

    /// The truth of the whole, as the language reads the value of a policy that must give a boolean.
    #[inline(always)]
    pub(crate) fn run_boolean(&mut self) -> Result<bool, Stop> {
        self.cx.spend(u64::from(self.code.base_cost))?;
        let root = self.code.root;
        if self.memo.is_some() { self.run_shared() } else { self.truth(root) }
    }

    /// Says where an error is, if it is one.
    #[inline]
    fn placed<T>(&mut self, id: OpId, result: Result<T, Stop>) -> Result<T, Stop> {
        if result.is_err() {
            self.cx.locate(self.code.places[id.at()].at);
        }
        result
    }

    /// What a foreign value stands for.
    #[inline]
    fn plain(&mut self, id: OpId, value: Value<'a>) -> Result<Value<'a>, Stop> {
        if !matches!(value, Value::Opaque(_)) {
            return Ok(value);
        }
        let result = self.cx.plain(value);
        self.placed(id, result)
    }

    #[inline]
    fn variable(&self, slot: u16) -> Value<'a> {
        self.values.get(usize::from(slot)).copied().unwrap_or(Value::Null)
    }

    #[inline]
    fn local(&mut self, id: OpId, slot: u16) -> Result<Value<'a>, Stop> {
        let value = self.locals.get(usize::from(slot)).copied().unwrap_or(Value::Null);
        match value {
            Value::Opaque(opaque) if opaque.type_name() == loops::UNREADABLE => {
                let mut failed = self.failed;
                while let Some(Failed { slot: local, fault, earlier }) = failed {
                    if *local == slot {
                        return self.cx.resume(*fault);
                    }
                    failed = *earlier;
                }
                let result = self.cx.fail("cannot read the elements of a map by position");
                self.placed(id, result)
            }
            value => Ok(value),
        }
    }

    pub(crate) fn eval(&mut self, id: OpId) -> Result<Value<'a>, Stop> {
        let code = self.code;
        let op = &code.ops[id.at()];
        let value = match op {
            // Constants are not evidence: they return before the trace.
            Op::Null => return Ok(Value::Null),
            Op::Bool(bool) => return Ok(Value::Bool(*bool)),
            Op::Int(int) => return Ok(Value::Int(*int)),
            Op::UInt(uint) => return Ok(Value::UInt(*uint)),
            Op::Float(float) => return Ok(Value::Float(*float)),
            Op::Str(text) => return Ok(Value::Str(text)),
            Op::Bytes(bytes) => return Ok(Value::Bytes(bytes)),
            Op::Time(time) => return Ok(Value::Time(*time)),
            Op::Duration(duration) => return Ok(Value::Duration(*duration)),
            Op::Type(name) => return Ok(Value::Type(name)),
            Op::Json(object) => return Ok(Value::Node(object.root())),
            Op::Variable(slot) => self.variable(*slot),
            Op::Local(slot) => self.local(id, *slot)?,
            Op::Path { .. } => match self.node(id) {
                Some(node) if self.memo.is_none() => Value::from_node(node, self.cx.arena),
                None if self.absent && self.memo.is_none() => Value::Null,
                _ => {
                    let found = self.found(id)?;
                    self.read(found)
                }
            },
            Op::Environment => self.environment()?,
            Op::Has { .. }
            | Op::Not(_)
            | Op::And(_)
            | Op::Or(_)
            | Op::Equal { .. }
            | Op::EqualConst { .. }
            | Op::Compare { .. }
            | Op::In { .. }
            | Op::InWords { .. }
            | Op::Text { .. }
            | Op::Matches { .. } => return self.test(id).map(Value::Bool),
            Op::Loop(it) if it.kind.is_boolean() => return self.test(id).map(Value::Bool),
            Op::Negate(operand) => {
                let value = self.eval(*operand)?;
                let result = D::negate(&mut self.cx, value);
                self.placed(id, result)?
            }
            Op::Cond { test, yes, no } => {
                let branch = if self.test(*test)? { yes } else { no };
                self.eval(*branch)?
            }
            Op::Coalesce { left, right } => match self.eval(*left)? {
                value if value.is_nil() => self.eval(*right)?,
                value => value,
            },
            Op::Arithmetic { first, steps } => self.arithmetic(*first, steps)?,
            Op::Call { overloads, args } => self.call(id, overloads, args)?,
            Op::CallValue { callee, args } => {
                let callee = self.eval(*callee)?;
                let result = self.with_args(args, |cx, args| D::call(cx, Callee::Value(callee), args));
                self.placed(id, result)?
            }
            Op::Let { slot, value, body } => {
                match self.eval(*value) {
                    Ok(value) => self.set(*slot, value),
                    Err(Stop) => self.put_off(*slot)?,
                }
                self.eval(*body)?
            }
            Op::Sequence(items) => {
                let mut last = Value::Null;
                for item in items {
                    last = self.eval(*item)?;
                }
                last
            }
            Op::List(items) => Value::List(self.all(items)?),
            Op::Map(items) => {
                let parts = self.all(items)?;
                let result = D::map(&mut self.cx, parts);
                self.placed(id, result)?
            }
            Op::Loop(it) => self.collect(id, it)?,
        };
        if TRACE {
            self.note(id, value);
        }
        Ok(value)
    }

    /// The value of an operation that must be a boolean.
    #[inline]
    pub(crate) fn test(&mut self, id: OpId) -> Result<bool, Stop> {
        if !TRACE {
            return self.test_op(id);
        }
        let bool = self.test_op(id)?;
        let op = &self.code.ops[id.at()];
        // Constants are not evidence; what is no boolean by itself has noted its own value.
        if op.is_boolean() && !matches!(op, Op::Bool(_)) {
            self.note(id, Value::Bool(bool));
        }
        Ok(bool)
    }

    /// Does not note what it gives. Only hands on: each kind of test has a function and a small frame of its own, since every
    /// operand of every rule comes through here.
    fn test_op(&mut self, id: OpId) -> Result<bool, Stop> {
        match &self.code.ops[id.at()] {
            Op::Bool(bool) => Ok(*bool),
            Op::Not(operand) => self.not(*operand),
            Op::And(logic) => self.logic(logic, false),
            Op::Or(logic) => self.logic(logic, true),
            Op::EqualConst { left, constant, negated, way } => {
                self.equal_const(id, *left, constant, *negated, way.as_deref())
            }
            Op::Compare { left, way, .. } => self.compare(id, *left, way.as_ref()),
            Op::Has { base, name, way } => self.has(id, *base, name, way.as_deref()),
            Op::Path { .. } => self.test_path(id),
            Op::Loop(it) if it.kind.is_boolean() => self.quantify(id, it),
            _ => self.test_other(id),
        }
    }

    #[inline(never)]
    fn not(&mut self, operand: OpId) -> Result<bool, Stop> {
        if !TRACE && let Op::Path { .. } = self.code.ops[operand.at()] {
            return self.test_path(operand).map(|bool| !bool);
        }
        self.test(operand).map(|bool| !bool)
    }

    #[inline(never)]
    fn test_path(&mut self, id: OpId) -> Result<bool, Stop> {
        match self.node(id).and_then(Node::as_bool) {
            Some(bool) => Ok(bool),
            None => self.test_other(id),
        }
    }

    /// What is not asked often.
    #[inline(never)]
    fn test_other(&mut self, id: OpId) -> Result<bool, Stop> {
        let code = self.code;
        match &code.ops[id.at()] {
            Op::Equal { left, right, negated } => {
                let (left, right) = (self.eval(*left)?, self.eval(*right)?);
                Ok(self.equal(id, left, right)? != *negated)
            }
            Op::In { needle, haystack } => {
                let (needle, haystack) = (self.eval(*needle)?, self.eval(*haystack)?);
                self.contains(id, needle, haystack)
            }
            Op::InWords { needle, words } => self.in_words(id, *needle, words),
            Op::Text { op, left, right } => self.text_test(id, *op, *left, *right),
            Op::Matches { text, regex } => match self.eval(*text).and_then(|it| self.plain(id, it))? {
                Value::Str(text) => {
                    self.cx.spend(text.len() as u64 / 16)?;
                    Ok(regex.is_match(text))
                }
                other => {
                    let result = D::matches(&mut self.cx, other);
                    self.placed(id, result)
                }
            },
            _ => match self.eval(id)? {
                Value::Bool(bool) => Ok(bool),
                other => {
                    let result = D::truth(&mut self.cx, other);
                    self.placed(id, result)
                }
            },
        }
    }

    /// `&&` (decided by false) and `||` (decided by true).
    #[inline(never)]
    fn logic(&mut self, logic: &'a Logic, decisive: bool) -> Result<bool, Stop> {
        if TRACE {
            // Explanations follow the source.
            return self.decide(logic, decisive, None, |machine, it| machine.test(it.operand));
        }
        for (turn, it) in logic.order.iter().enumerate() {
            match self.test(it.operand) {
                Ok(bool) if bool == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(Stop) => return self.decide_after_error(logic, decisive, turn),
            }
        }
        Ok(!decisive)
    }

    #[cold]
    #[inline(never)]
    fn decide_after_error(&mut self, logic: &'a Logic, decisive: bool, turn: usize) -> Result<bool, Stop> {
        self.decide(logic, decisive, Some(turn), |machine, it| machine.test(it.operand))
    }

    /// The same by the truths that `test` gives of the operands; `failed`: the turn that has just ended with an error, none
    /// before it decided.
    #[inline]
    fn decide(
        &mut self,
        logic: &'a Logic,
        decisive: bool,
        failed: Option<usize>,
        test: impl Fn(&mut Self, Turn) -> Result<bool, Stop>,
    ) -> Result<bool, Stop> {
        // Of several errors the one that stands first in the source is kept.
        let mut kept: Option<(u32, crate::context::Fault<'a>)> = None;
        for turn in failed.unwrap_or(0)..logic.operands.len() {
            let it = if TRACE { Turn { operand: logic.operands[turn], at: turn as u32 } } else { logic.order[turn] };
            let result = if failed == Some(turn) { Err(Stop) } else { test(self, it) };
            match result {
                Ok(bool) if bool == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(Stop) if !D::ABSORBS => return Err(Stop),
                Err(Stop) => {
                    let Some(fault) = self.absorb(Some(it.operand)) else { return Err(Stop) };
                    if kept.as_ref().is_none_or(|(first, _)| it.at < *first) {
                        kept = Some((it.at, fault));
                    }
                }
            }
        }
        match kept {
            Some((_, fault)) => self.cx.resume(fault),
            None => Ok(!decisive),
        }
    }

    fn call(&mut self, id: OpId, overloads: &'a [Overload], args: &'a [OpId]) -> Result<Value<'a>, Stop> {
        let result = self.with_args(args, |cx, args| {
            let fits = |it: &&Overload| {
                it.parameters.is_empty()
                    || (it.parameters.len() == args.len()
                        && it.parameters.iter().zip(args).all(|(parameter, arg)| D::fits(parameter, *arg)))
            };
            match overloads.iter().find(fits) {
                Some(overload) => (overload.body)(cx, args),
                None => D::no_overload(cx, args),
            }
        });
        self.placed(id, result)
    }

    /// Evaluates arguments and hands them on; few of them stay on the stack.
    #[inline]
    fn with_args<T>(
        &mut self,
        args: &'a [OpId],
        body: impl FnOnce(&mut Context<'a>, &[Value<'a>]) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        const FEW: usize = 4;
        if args.len() > FEW {
            let args = self.all(args)?;
            return body(&mut self.cx, args);
        }
        let mut few = [Value::Null; FEW];
        for (slot, arg) in few.iter_mut().zip(args) {
            *slot = self.eval(*arg)?;
        }
        body(&mut self.cx, &few[..args.len()])
    }

    /// The values of several operations, in the arena.
    fn all(&mut self, items: &[OpId]) -> Result<&'a [Value<'a>], Stop> {
        self.cx.grow(items.len())?;
        let values = self.cx.arena.alloc_slice_fill_copy(items.len(), Value::Null);
        for (slot, item) in values.iter_mut().zip(items) {
            *slot = self.eval(*item)?;
        }
        Ok(values)
    }

    /// Keeps the error of a local's value for whoever reads it, where the language asks for that.
    #[cold]
    fn put_off(&mut self, slot: u16) -> Result<(), Stop> {
        if !D::ABSORBS {
            return Err(Stop);
        }
        let Some(fault) = self.cx.absorb() else { return Err(Stop) };
        self.failed = Some(self.cx.arena.alloc(Failed { slot, fault, earlier: self.failed }));
        self.set(slot, Value::Opaque(&loops::Unreadable));
        Ok(())
    }

    fn environment(&mut self) -> Result<Value<'a>, Stop> {
        let code = self.code;
        self.cx.grow(code.variables.len())?;
        let visible = code.variables.iter().enumerate().filter(|(slot, _)| Some(*slot) != code.hidden);
        let members: Vec<_> = visible
            .map(|(slot, name)| (Value::Str(name), self.values.get(slot).copied().unwrap_or(Value::Null)))
            .collect();
        Ok(Value::Map(self.cx.arena.alloc_slice_copy(&members)))
    }

    /// Written apart from other values: a value that was built elsewhere and is copied here costs a wait for the store.
    #[inline]
    fn set_node(&mut self, slot: u16, node: Node<'a>) {
        self.again = 0;
        if let Some(local) = self.locals.get_mut(usize::from(slot)) {
            *local = Value::Node(node);
        }
    }

    #[inline(never)]
    fn set_scalar(&mut self, slot: u16, node: Node<'a>) {
        self.set(slot, Value::from_node(node, self.cx.arena));
    }

    #[inline]
    fn set(&mut self, slot: u16, value: Value<'a>) {
        self.again = 0;
        if let Some(local) = self.locals.get_mut(usize::from(slot)) {
            *local = value;
        }
    }
}

/// The clock's reading among the values.
#[inline(never)]
fn clock(values: &[Value<'_>], slot: usize) -> Option<jiff::Timestamp> {
    match values.get(slot) {
        Some(Value::Time(now)) => Some(*now),
        _ => None,
    }
}

impl Op {
    /// Whether [`Machine::test`] evaluates it by itself.
    pub(crate) fn is_boolean(&self) -> bool {
        match self {
            Op::Bool(_)
            | Op::Not(_)
            | Op::And(_)
            | Op::Or(_)
            | Op::Equal { .. }
            | Op::EqualConst { .. }
            | Op::Compare { .. }
            | Op::Has { .. }
            | Op::In { .. }
            | Op::InWords { .. }
            | Op::Text { .. }
            | Op::Matches { .. } => true,
            Op::Loop(it) => it.kind.is_boolean(),
            _ => false,
        }
    }
}

impl LoopKind {
    fn is_boolean(&self) -> bool {
        matches!(self, LoopKind::All | LoopKind::Any | LoopKind::None | LoopKind::One)
    }
}

impl Loop {
    /// A loop over `source` whose element stands in `element`; its cost is filled in by the builder.
    pub fn new(kind: LoopKind, source: OpId, element: u16, body: Option<OpId>) -> Loop {
        Loop { kind, source, element, index: None, pairs: false, body, extra: None, turn_cost: 0 }
    }
}

impl Scalar {
    #[inline]
    fn value(&self) -> Value<'_> {
        match self {
            Scalar::Null => Value::Null,
            Scalar::Bool(bool) => Value::Bool(*bool),
            Scalar::Int(int) => Value::Int(*int),
            Scalar::Str(text) => Value::Str(text.as_str()),
        }
    }
}
