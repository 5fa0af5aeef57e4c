//! Following paths into objects.

use kanon_core::{Name, Node, NodeKind};

use super::{Found, Machine};
use crate::{
    context::Stop,
    dialect::{Callee, Dialect},
    ir::{Op, OpId, Place, Start, Step, Way},
    rules::Memo,
    value::Value,
};

impl<'a, D: Dialect, const TRACE: bool> Machine<'_, 'a, D, TRACE> {
    /// The value of what was found.
    #[inline]
    pub(super) fn read(&self, found: Found<'a>) -> Value<'a> {
        match found {
            Found::Node(node) => Value::from_node(node, self.cx.arena),
            Found::Value(value) => value,
        }
    }

    /// The place in an object that an operation leads to, where the way is plain: from a variable or local through members
    /// that are there. Most ways are, and two words in registers are all that moves. `None` means to go the long way, unless
    /// the way ends at something absent, which is nil in the language: `absent` says so until the next call.
    #[inline]
    pub(super) fn node(&mut self, id: OpId) -> Option<Node<'a>> {
        self.absent = false;
        if TRACE {
            return None;
        }
        match &self.code.ops[id.at()] {
            Op::Path { way: Some(way), shared, .. } => match (&self.memo, shared) {
                (Some(_), Some(shared)) => self.shared_way(way, *shared),
                _ => self.follow(way),
            },
            Op::Variable(slot) => start(self.values, *slot),
            Op::Local(slot) => start(self.locals, *slot),
            _ => None,
        }
    }

    /// The same of an operand whose way stands in the operation itself.
    #[inline]
    pub(super) fn operand(&mut self, id: OpId, way: Option<&Way>) -> Option<Node<'a>> {
        match way {
            Some(way) if !TRACE && self.memo.is_none() => {
                self.absent = false;
                self.follow(way)
            }
            _ => self.node(id),
        }
    }

    #[inline(always)]
    fn follow(&mut self, way: &Way) -> Option<Node<'a>> {
        if way.again != 0 && way.again == self.again {
            return self.seen;
        }
        let (node, missed) = self.start(way)?.along(&way.names);
        if missed == 0 {
            self.note_way(way, node);
            return Some(node);
        }
        // What is absent is common in policies, and looking for it again on the long way is not cheap.
        let followed = way.names.len() - missed;
        self.absent = D::MISSING_IS_NIL
            && match node.kind() {
                NodeKind::Object => way.nil[0].has(followed),
                NodeKind::Null => way.nil[1].has(followed),
                NodeKind::Bool | NodeKind::Number | NodeKind::String | NodeKind::List => false,
            };
        None
    }

    #[inline]
    fn note_way(&mut self, way: &Way, node: Node<'a>) {
        if way.again != 0 {
            (self.again, self.seen) = (way.again, Some(node));
        }
    }

    /// The place in an object at which a way begins, if it is one.
    #[inline]
    fn start(&self, way: &Way) -> Option<Node<'a>> {
        match way.start {
            Start::Variable(slot) => start(self.values, slot),
            Start::Local(slot) => start(self.locals, slot),
        }
    }

    /// The same, read once for all programs of a rule set.
    #[inline(never)]
    fn shared_way(&mut self, way: &Way, shared: u16) -> Option<Node<'a>> {
        if let Some(memo) = &self.memo
            && let Some(Found::Node(node)) = self.memoized(memo, shared)
        {
            return Some(node);
        }
        let node = self.follow(way)?;
        self.memoize(shared, Found::Node(node));
        Some(node)
    }

    #[inline]
    fn memoize(&mut self, shared: u16, found: Found<'a>) {
        if let Some(memo) = &mut self.memo
            && let Some(at) = self.shared.paths.get(usize::from(shared))
        {
            memo.set(*at, found);
        }
    }

    #[inline]
    fn memoized(&self, memo: &Memo<'a>, shared: u16) -> Option<Found<'a>> {
        memo.get(*self.shared.paths.get(usize::from(shared))?)
    }

    /// What an operation leads to, without reading it where it is a place in an object.
    #[inline]
    pub(super) fn found(&mut self, id: OpId) -> Result<Found<'a>, Stop> {
        let code = self.code;
        let Op::Path { base, steps, shared, .. } = &code.ops[id.at()] else { return self.eval(id).map(Found::Value) };
        if let (Some(memo), Some(shared)) = (&self.memo, shared)
            && let Some(found) = self.memoized(memo, *shared)
        {
            return Ok(found);
        }
        let found = match self.node(id) {
            // A shared one has been noted.
            Some(node) => return Ok(Found::Node(node)),
            None if self.absent => Found::Value(Value::Null),
            None => self.walk(*base, steps, true)?,
        };
        if let Some(shared) = shared {
            self.memoize(*shared, found);
        }
        Ok(found)
    }

    /// What a path goes on from. What it only passes on its way is no evidence: there may be much of it, and of objects that
    /// are kept in part it may not be all.
    fn passed(&mut self, id: OpId) -> Result<Found<'a>, Stop> {
        let code = self.code;
        let value = match &code.ops[id.at()] {
            Op::Variable(slot) => self.variable(*slot),
            Op::Local(slot) => self.local(id, *slot)?,
            Op::Path { base, steps, .. } if TRACE => return self.walk(*base, steps, false),
            _ => self.eval(id)?,
        };
        Ok(if let Value::Node(node) = value { Found::Node(node) } else { Found::Value(value) })
    }

    /// Follows steps. A trace notes what they end at, unless the path goes on, what methods are called on and what they give.
    fn walk(&mut self, base: OpId, steps: &'a [Step], ends: bool) -> Result<Found<'a>, Stop> {
        let called = |step: Option<&Step>| matches!(step, Some(Step::Method { .. }));
        let mut found = if TRACE && called(steps.first()) { self.found(base)? } else { self.passed(base)? };
        let mut rest = steps.iter();
        while let Some(step) = rest.next() {
            let next = match step {
                Step::Member { name, optional, place } => match found {
                    Found::Node(node) => match node.member(name) {
                        Some(member) => Some(Found::Node(member)),
                        None => self.member(found, name, *optional, place)?,
                    },
                    Found::Value(_) => self.member(found, name, *optional, place)?,
                },
                _ => self.other_step(found, step)?,
            };
            found = match next {
                Some(found) => found,
                None => {
                    // Nil before an optional step: the chain is nil, and goes on behind its end.
                    rest.by_ref().find(|step| matches!(step, Step::EndChain));
                    Found::Value(Value::Null)
                }
            };
            if TRACE && (called(Some(step)) || called(rest.as_slice().first())) {
                self.note_step(step, found);
            }
        }
        if TRACE
            && ends
            && let Some(last) = steps.iter().rfind(|it| it.place().is_some())
        {
            self.note_step(last, found);
        }
        Ok(found)
    }

    #[cold]
    fn note_step(&mut self, step: &Step, found: Found<'a>) {
        if let Some(place) = step.place() {
            let value = self.read(found);
            self.note_at(place.span, value);
        }
    }

    /// A member that is not plainly there; `None` where an optional step stands after nil.
    #[inline(never)]
    fn member(
        &mut self,
        found: Found<'a>,
        name: &'a Name,
        optional: bool,
        place: &Place,
    ) -> Result<Option<Found<'a>>, Stop> {
        let value = self.read(found);
        if optional && value.is_nil() {
            return Ok(None);
        }
        let name = name.as_str();
        let result = match value {
            Value::Node(node) if node.kind() == NodeKind::Object => D::missing(&mut self.cx, value, name),
            _ => D::member(&mut self.cx, value, name),
        };
        self.settle(result, place)
    }

    #[inline(never)]
    fn other_step(&mut self, found: Found<'a>, step: &'a Step) -> Result<Option<Found<'a>>, Stop> {
        let value = self.read(found);
        match step {
            Step::Key { optional: true, .. } | Step::Method { optional: true, .. } if value.is_nil() => Ok(None),
            Step::Key { key, place, .. } => {
                let key = self.eval(*key)?;
                let result = D::index(&mut self.cx, value, key);
                self.settle(result, place)
            }
            Step::Method { name, args, place, .. } => {
                let callee = Callee::Member(value, name.as_str());
                let result = self.with_args(args, |cx, args| D::call(cx, callee, args));
                self.settle(result, place)
            }
            // A nil list at the end of a chain is plain nil.
            Step::EndChain => Ok(Some(if value.is_nil() { Found::Value(Value::Null) } else { found })),
            Step::OrNilList => Ok(Some(if value.is_nil() { Found::Value(Value::NilList) } else { found })),
            Step::Member { name, optional, place } => self.member(found, name, *optional, place),
        }
    }

    #[inline]
    fn settle(&mut self, result: Result<Value<'a>, Stop>, place: &Place) -> Result<Option<Found<'a>>, Stop> {
        match result {
            Ok(Value::Node(node)) => Ok(Some(Found::Node(node))),
            Ok(value) => Ok(Some(Found::Value(value))),
            Err(stop) => {
                self.cx.locate(place.at);
                Err(stop)
            }
        }
    }

    #[inline(never)]
    pub(super) fn has(&mut self, id: OpId, base: OpId, name: &'a Name, way: Option<&Way>) -> Result<bool, Stop> {
        if let Some(way) = way
            && !TRACE
            && let Some(start) = self.start(way)
        {
            if way.again != 0 && way.again == self.again {
                return Ok(true);
            }
            match start.along(&way.names) {
                (node, 0) => {
                    self.note_way(way, node);
                    return Ok(true);
                }
                (node, 1) if node.kind() == NodeKind::Object => return Ok(false),
                _ => {}
            }
        }
        self.has_otherwise(id, base, name)
    }

    #[inline(never)]
    fn has_otherwise(&mut self, id: OpId, base: OpId, name: &'a Name) -> Result<bool, Stop> {
        let found = self.passed(base)?;
        let base = self.read(found);
        let result = D::has(&mut self.cx, base, name.as_str());
        self.placed(id, result)
    }
}

/// The place in an object that a variable or local is.
#[inline]
fn start<'a>(values: &[Value<'a>], slot: u16) -> Option<Node<'a>> {
    match values.get(usize::from(slot)) {
        Some(Value::Node(node)) => Some(*node),
        _ => None,
    }
}
