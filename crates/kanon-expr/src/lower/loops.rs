//! Built-ins with a predicate as loops of the machine.

use kanon_lang::ir::{Arithmetic, ArithmeticStep, Collect, Loop, LoopKind, Op, OpId, Place};

use super::{Lowering, Slots};
use crate::{
    ast::{Id, Kind},
    builtins::Builtin,
    natives,
};

impl Lowering<'_> {
    /// The locals of the predicate that belongs to a node. Outside of all predicates there is nothing to read: a fresh local
    /// is nil.
    pub(super) fn slots(&mut self, scope: Option<usize>) -> Slots {
        let of = scope.unwrap_or(usize::MAX);
        if let Some(slots) = self.loops.get(&of) {
            return *slots;
        }
        let reduces = scope.is_some_and(|at| {
            matches!(self.tree.nodes[at].kind, Kind::Builtin { builtin: Builtin::Reduce | Builtin::Sum, .. })
        });
        let element = self.builder.local();
        let accumulator = reduces.then(|| self.builder.local());
        let slots = Slots { element, index: None, accumulator };
        self.loops.insert(of, slots);
        slots
    }

    /// The local of `#index` at a node.
    pub(super) fn index(&mut self, at: usize) -> u16 {
        let scope = self.survey.scope[at];
        let mut slots = self.slots(scope);
        let slot = slots.index.unwrap_or_else(|| self.builder.local());
        slots.index = Some(slot);
        self.loops.insert(scope.unwrap_or(usize::MAX), slots);
        slot
    }

    /// The local of `#acc` at a node.
    pub(super) fn accumulator(&mut self, at: usize) -> Option<u16> {
        let scope = self.survey.scope[at];
        self.slots(scope).accumulator
    }

    /// The loop of the node `at`.
    fn each(&mut self, at: usize, kind: LoopKind, [source, body, extra]: [Option<OpId>; 3], here: Place) -> OpId {
        let slots = self.slots(Some(at));
        let source = source.unwrap_or_else(|| self.builder.push(Op::Null, here));
        let mut it = Loop::new(kind, source, slots.element, body);
        (it.index, it.extra) = (slots.index, extra);
        self.builder.each(it, here)
    }

    pub(super) fn predicate(&mut self, at: usize, builtin: Builtin, args: &[Id], here: Place) -> OpId {
        let source = args.first().map(|id| self.op(*id));
        let body = args.get(1).map(|id| self.op(*id));
        let extra = args.get(2).map(|id| self.op(*id));
        let slots = self.slots(Some(at));
        let kind = match builtin {
            Builtin::All => LoopKind::All,
            Builtin::Any => LoopKind::Any,
            Builtin::None => LoopKind::None,
            Builtin::One => LoopKind::One,
            Builtin::Count => LoopKind::Count,
            Builtin::Find => LoopKind::Find,
            Builtin::FindIndex => LoopKind::FindIndex,
            Builtin::FindLast => LoopKind::FindLast,
            Builtin::FindLastIndex => LoopKind::FindLastIndex,
            Builtin::Filter => LoopKind::Filter,
            Builtin::Map => LoopKind::Map,
            Builtin::GroupBy => {
                let key = body.map(|body| self.call(natives::group_key, &[body], here));
                return self.each(at, LoopKind::Collect(Collect(natives::group_by)), [source, key, None], here);
            }
            Builtin::SortBy => return self.sort_by(at, [source, body, extra], here),
            Builtin::Sum => return self.sum(at, source, body, here),
            _ => LoopKind::Reduce { accumulator: slots.accumulator.unwrap_or_default() },
        };
        self.each(at, kind, [source, body, extra], here)
    }

    /// The order is looked at before any element, but after the list.
    fn sort_by(&mut self, at: usize, [source, body, order]: [Option<OpId>; 3], here: Place) -> OpId {
        let finish = |native| LoopKind::Collect(Collect(native));
        let (Some(list), Some(order)) = (source, order) else {
            return self.each(at, finish(natives::sort_by), [source, body, None], here);
        };
        if matches!(self.builder.op(order), Op::Str(order) if matches!(&**order, "asc" | "desc")) {
            return self.each(at, finish(natives::sort_by_order), [source, body, Some(order)], here);
        }
        let list = self.call(natives::iterable, &[list], here);
        let order = self.call(natives::sort_order, &[order], here);
        let slots = [self.builder.local(), self.builder.local()];
        let [list_read, order_read] = slots.map(|slot| self.builder.push(Op::Local(slot), here));
        let sorted = self.each(at, finish(natives::sort_by_order), [Some(list_read), body, Some(order_read)], here);
        let ordered = self.builder.push(Op::Let { slot: slots[1], value: order, body: sorted }, here);
        self.builder.push(Op::Let { slot: slots[0], value: list, body: ordered }, here)
    }

    /// `item + sum`, from 0.
    fn sum(&mut self, at: usize, source: Option<OpId>, body: Option<OpId>, here: Place) -> OpId {
        let slots = self.slots(Some(at));
        let accumulator = slots.accumulator.unwrap_or_default();
        let first = body.unwrap_or_else(|| self.builder.push(Op::Local(slots.element), here));
        let right = self.builder.push(Op::Local(accumulator), here);
        let steps = [ArithmeticStep { op: Arithmetic::Add, right, place: here }].into();
        let body = self.builder.push(Op::Arithmetic { first, steps }, here);
        let zero = self.builder.push(Op::Int(0), here);
        self.each(at, LoopKind::Reduce { accumulator }, [source, Some(body), Some(zero)], here)
    }

    /// `filter`, `find` or `findLast` of which something is made.
    pub(super) fn select(
        &mut self,
        at: usize,
        builtin: Builtin,
        [collection, test]: [Id; 2],
        map: Option<Id>,
        strict: bool,
        here: Place,
    ) -> OpId {
        let source = Some(self.op(collection));
        let test = Some(self.op(test));
        let map = map.map(|map| self.op(map));
        let slots = self.slots(Some(at));
        match (builtin, map) {
            (Builtin::Filter, None) => self.each(at, LoopKind::Filter, [source, test, None], here),
            (Builtin::Filter, Some(map)) => self.each(at, LoopKind::Map, [source, Some(map), test], here),
            _ => {
                let kind = match builtin {
                    Builtin::Find => LoopKind::FindIndex,
                    _ => LoopKind::FindLastIndex,
                };
                let found = self.each(at, kind, [source, test, None], here);
                let nil = self.builder.push(Op::Null, here);
                let none = self.builder.equal(found, nil, false, here);
                let missing = if strict { self.call(natives::no_hit, &[], here) } else { nil };
                // The loop that ended at a hit has left it in its local.
                let hit = map.unwrap_or_else(|| self.builder.push(Op::Local(slots.element), here));
                self.builder.push(Op::Cond { test: none, yes: missing, no: hit }, here)
            }
        }
    }

    /// Whether the test holds for `limit` elements: hits are counted in a local.
    pub(super) fn at_least(&mut self, at: usize, collection: Id, test: Id, limit: i64, here: Place) -> OpId {
        let source = Some(self.op(collection));
        let test = self.op(test);
        let hits = self.builder.local();
        let zero = self.builder.push(Op::Int(0), here);
        let one = self.builder.push(Op::Int(1), here);
        let limit = self.builder.push(Op::Int(limit), here);
        let before = self.builder.push(Op::Local(hits), here);
        let after = self.builder.push(Op::Local(hits), here);
        let steps = [ArithmeticStep { op: Arithmetic::Add, right: one, place: here }].into();
        let next = self.builder.push(Op::Arithmetic { first: before, steps }, here);
        let counted = self.builder.push(Op::Let { slot: hits, value: next, body: after }, here);
        let enough = self.builder.equal(counted, limit, false, here);
        let body = self.builder.and(test, enough, here);
        let any = self.each(at, LoopKind::Any, [source, Some(body), None], here);
        self.builder.push(Op::Let { slot: hits, value: zero, body: any }, here)
    }
}
