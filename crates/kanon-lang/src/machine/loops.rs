//! Loops: quantifiers, filters, maps and everything else that runs a body for each element.

use std::borrow::Cow;

use kanon_core::NodeKind;

use super::Machine;
use crate::{
    context::Stop,
    dialect::{Dialect, Source},
    ir::{Elements, Loop, LoopKind, Op, OpId},
    value::{Opaque, Value},
};

/// What stands in a loop's local where the element cannot be read; reading it is an error.
pub(super) const UNREADABLE: &str = "unreadable";

pub(super) struct Unreadable;

impl Opaque for Unreadable {
    fn type_name(&self) -> &'static str {
        UNREADABLE
    }

    fn equals(&self, _: Value<'_>) -> Option<bool> {
        None
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(UNREADABLE)
    }
}

/// A list under construction, in the arena.
type Items<'a> = bumpalo::collections::Vec<'a, Value<'a>>;

impl<'a, D: Dialect, const TRACE: bool> Machine<'_, 'a, D, TRACE> {
    fn source(&mut self, id: OpId, it: &'a Loop) -> Result<Source<'a>, Stop> {
        if let Some(node) = self.node(it.source)
            && node.kind() == NodeKind::List
        {
            return Ok(Source::Nodes(node.elements()));
        }
        let value = self.eval(it.source)?;
        if let Value::Node(node) = value
            && node.kind() == NodeKind::List
        {
            return Ok(Source::Nodes(node.elements()));
        }
        let result = D::source(&mut self.cx, value);
        self.placed(id, result)
    }

    /// Puts the next element into the loop's locals; whether there was one. Takes the turn's steps.
    #[inline(always)]
    fn advance(&mut self, it: &Loop, source: &mut Source<'a>, turn: &mut i64) -> Result<bool, Stop> {
        // The common case apart: a list in an object, its elements in no other local than one.
        if let (Source::Nodes(elements), None) = (&mut *source, it.index) {
            let Some(node) = elements.next() else { return Ok(false) };
            self.cx.spend(u64::from(it.turn_cost))?;
            *turn += 1;
            if node.is_container() {
                self.set_node(it.element, node);
            } else {
                self.set_scalar(it.element, node);
            }
            return Ok(true);
        }
        self.advance_other(it, source, turn)
    }

    #[inline(never)]
    fn advance_other(&mut self, it: &Loop, source: &mut Source<'a>, turn: &mut i64) -> Result<bool, Stop> {
        let arena = self.cx.arena;
        let position = Value::Int(*turn);
        let (key, value) = match source {
            Source::Nodes(elements) => match elements.next() {
                Some(node) => (position, Value::from_node(node, arena)),
                None => return Ok(false),
            },
            Source::Values(values) => match values.next() {
                Some(value) => (position, *value),
                None => return Ok(false),
            },
            Source::Members(members) => match members.next() {
                Some((Cow::Borrowed(key), node)) => (Value::Str(key), Value::from_node(node, arena)),
                Some((Cow::Owned(key), node)) => (Value::Str(arena.alloc_str(&key)), Value::from_node(node, arena)),
                None => return Ok(false),
            },
            Source::Pairs(pairs) => match pairs.next() {
                Some(pair) => *pair,
                None => return Ok(false),
            },
            Source::Bytes(bytes) => match bytes.next() {
                Some(byte) => (position, Value::UInt(u64::from(*byte))),
                None => return Ok(false),
            },
            Source::Opaque(0) => return Ok(false),
            Source::Opaque(left) => {
                *left -= 1;
                (position, Value::Opaque(&Unreadable))
            }
        };
        self.cx.spend(u64::from(it.turn_cost))?;
        *turn += 1;
        let keys = !it.pairs && matches!(source, Source::Members(_) | Source::Pairs(_));
        self.set(it.element, if keys { key } else { value });
        if let Some(index) = it.index {
            self.set(index, key);
        }
        Ok(true)
    }

    /// Whether the body holds for the element at hand.
    #[inline]
    fn holds(&mut self, id: OpId, it: &Loop) -> Result<bool, Stop> {
        match it.body {
            Some(body) => self.test(body),
            None => match self.local(id, it.element)? {
                Value::Bool(bool) => Ok(bool),
                other => {
                    let result = D::truth(&mut self.cx, other);
                    self.placed(id, result)
                }
            },
        }
    }

    /// What the body gives for the element at hand.
    fn result(&mut self, id: OpId, it: &Loop) -> Result<Value<'a>, Stop> {
        match it.body {
            Some(body) => self.eval(body),
            None => self.local(id, it.element),
        }
    }

    /// `all`, `any`, `none`, `one`.
    #[inline(never)]
    pub(super) fn quantify(&mut self, id: OpId, it: &'a Loop) -> Result<bool, Stop> {
        let mut source = self.source(id, it)?;
        let mut turn = 0;
        if let LoopKind::One = it.kind {
            return Ok(self.count(id, it, source)? == 1);
        }
        // What ends the search: a hit, or for `all` a miss.
        let decisive = !matches!(it.kind, LoopKind::All);
        let mut kept = None;
        while self.advance(it, &mut source, &mut turn)? {
            match self.holds(id, it) {
                Ok(holds) if holds == decisive => return Ok(matches!(it.kind, LoopKind::Any)),
                Ok(_) => {}
                Err(Stop) if !D::ABSORBS => return Err(Stop),
                Err(Stop) => {
                    let Some(fault) = self.absorb(it.body) else { return Err(Stop) };
                    kept.get_or_insert(fault);
                }
            }
        }
        match kept {
            Some(fault) => self.cx.resume(fault),
            None => Ok(!matches!(it.kind, LoopKind::Any)),
        }
    }

    /// What the part is of each element that a loop runs over.
    pub(crate) fn elements(&mut self, elements: &Elements, found: &mut dyn FnMut(Value<'a>)) -> Result<(), Stop> {
        let code = self.code;
        let Op::Loop(it) = &code.ops[elements.each.at()] else { return Ok(()) };
        let mut source = self.source(elements.each, it)?;
        let mut turn = 0;
        while self.advance(it, &mut source, &mut turn)? {
            found(self.eval(elements.part)?);
        }
        Ok(())
    }

    fn count(&mut self, id: OpId, it: &'a Loop, mut source: Source<'a>) -> Result<i64, Stop> {
        let (mut turn, mut count) = (0, 0);
        while self.advance(it, &mut source, &mut turn)? {
            count += i64::from(self.holds(id, it)?);
        }
        Ok(count)
    }

    /// All loops that do not give a boolean.
    #[inline(never)]
    pub(super) fn collect(&mut self, id: OpId, it: &'a Loop) -> Result<Value<'a>, Stop> {
        let source = self.source(id, it)?;
        match &it.kind {
            LoopKind::Count => self.count(id, it, source).map(Value::Int),
            LoopKind::Find | LoopKind::FindIndex => self.find(id, it, source),
            LoopKind::FindLast | LoopKind::FindLastIndex => self.find_last(id, it, source),
            LoopKind::Filter => self.filter(id, it, source),
            LoopKind::Map => self.map(id, it, source),
            LoopKind::Reduce { accumulator } => self.reduce(id, it, source, *accumulator),
            LoopKind::Collect(finish) => self.gather(id, it, source, finish.0),
            LoopKind::All | LoopKind::Any | LoopKind::None | LoopKind::One => self.quantify(id, it).map(Value::Bool),
        }
    }

    fn find(&mut self, id: OpId, it: &'a Loop, mut source: Source<'a>) -> Result<Value<'a>, Stop> {
        let mut turn = 0;
        while self.advance(it, &mut source, &mut turn)? {
            if self.holds(id, it)? {
                return match it.kind {
                    LoopKind::Find => self.local(id, it.element),
                    _ => Ok(Value::Int(turn - 1)),
                };
            }
        }
        Ok(Value::Null)
    }

    /// Objects are read forwards; what is searched backwards is laid out first.
    fn find_last(&mut self, id: OpId, it: &'a Loop, mut source: Source<'a>) -> Result<Value<'a>, Stop> {
        let mut items = self.items();
        let mut turn = 0;
        while self.advance(it, &mut source, &mut turn)? {
            self.cx.grow(1)?;
            items.push(self.locals.get(usize::from(it.element)).copied().unwrap_or(Value::Null));
        }
        for (at, item) in items.iter().enumerate().rev() {
            self.cx.spend(u64::from(it.turn_cost))?;
            self.set(it.element, *item);
            if let Some(index) = it.index {
                self.set(index, Value::Int(at as i64));
            }
            if self.holds(id, it)? {
                return match it.kind {
                    LoopKind::FindLast => self.local(id, it.element),
                    _ => Ok(Value::Int(at as i64)),
                };
            }
        }
        Ok(Value::Null)
    }

    fn filter(&mut self, id: OpId, it: &'a Loop, mut source: Source<'a>) -> Result<Value<'a>, Stop> {
        let mut items = self.items();
        let mut turn = 0;
        while self.advance(it, &mut source, &mut turn)? {
            if self.holds(id, it)? {
                self.cx.grow(1)?;
                items.push(self.local(id, it.element)?);
            }
        }
        Ok(Value::List(items.into_bump_slice()))
    }

    fn map(&mut self, id: OpId, it: &'a Loop, mut source: Source<'a>) -> Result<Value<'a>, Stop> {
        let mut items = self.items();
        let mut turn = 0;
        while self.advance(it, &mut source, &mut turn)? {
            if it.extra.map_or(Ok(true), |condition| self.test(condition))? {
                self.cx.grow(1)?;
                items.push(self.result(id, it)?);
            }
        }
        Ok(Value::List(items.into_bump_slice()))
    }

    fn reduce(&mut self, id: OpId, it: &'a Loop, mut source: Source<'a>, accumulator: u16) -> Result<Value<'a>, Stop> {
        let mut value = match it.extra {
            Some(first) => Some(self.eval(first)?),
            None => None,
        };
        let mut turn = 0;
        while self.advance(it, &mut source, &mut turn)? {
            value = Some(match value {
                None => self.local(id, it.element)?,
                Some(value) => {
                    self.set(accumulator, value);
                    self.result(id, it)?
                }
            });
        }
        match value {
            Some(value) => Ok(value),
            None => {
                let result = self.cx.fail("reduce of empty array with no initial value");
                self.placed(id, result)
            }
        }
    }

    fn gather(
        &mut self,
        id: OpId,
        it: &'a Loop,
        mut source: Source<'a>,
        finish: crate::function::Native,
    ) -> Result<Value<'a>, Stop> {
        let (mut elements, mut results, mut positions) = (self.items(), self.items(), self.items());
        let mut turn = 0;
        while self.advance(it, &mut source, &mut turn)? {
            if it.pairs && !it.extra.map_or(Ok(true), |condition| self.test(condition))? {
                continue;
            }
            self.cx.grow(3)?;
            results.push(self.result(id, it)?);
            elements.push(self.local(id, it.element)?);
            positions.push(it.index.map_or(Ok(Value::Int(turn - 1)), |index| self.local(id, index))?);
        }
        let extra = match it.extra {
            Some(extra) if !it.pairs => self.eval(extra)?,
            _ => Value::Null,
        };
        let args = [elements, results].map(|items| Value::List(items.into_bump_slice()));
        let args = [args[0], args[1], extra, Value::List(positions.into_bump_slice())];
        let result = finish(&mut self.cx, &args);
        self.placed(id, result)
    }

    fn items(&self) -> Items<'a> {
        Items::new_in(self.cx.arena)
    }
}
