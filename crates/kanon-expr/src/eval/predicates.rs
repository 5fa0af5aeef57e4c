//! Built-ins that run an expression for each element.

use kanon_lang::Value;

use super::{Machine, Outcome, Scope};
use crate::{
    builtins::Builtin,
    code::OpId,
    value::{self, Source, ordered, total_order, type_name},
};

/// Whether an iteration goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

impl<'a> Machine<'a> {
    /// Runs `visit` for every element of the collection, with `#` set.
    fn each(
        &mut self,
        collection: Value<'a>,
        op: OpId,
        mut visit: impl FnMut(&mut Self) -> Outcome<Next>,
    ) -> Outcome<()> {
        let Some(mut source) = Source::of(collection) else {
            return self.fail(op, format!("cannot iterate over {}", type_name(collection)));
        };
        let outer = self.scope;
        let mut index = 0;
        while let Some(element) = source.next(self.arena) {
            self.spend(1)?;
            self.scope = Scope { index, element, accumulator: outer.accumulator };
            if visit(self)? == Next::Stop {
                break;
            }
            index += 1;
        }
        self.scope = outer;
        Ok(())
    }

    /// A predicate's result, which must be a boolean.
    fn test(&mut self, body: Option<OpId>, id: OpId) -> Outcome<bool> {
        let value = match body {
            Some(body) => self.eval(body)?,
            None => self.element(id)?,
        };
        match value {
            Value::Bool(bool) => Ok(bool),
            other => self.fail(body.unwrap_or(id), format!("expected bool, but got {}", type_name(other))),
        }
    }

    #[inline(never)]
    pub(super) fn predicate(&mut self, id: OpId, builtin: Builtin, args: &[OpId]) -> Outcome<Value<'a>> {
        let Some(first) = args.first().copied() else { return self.fail(id, "a list is missing") };
        let body = args.get(1).copied();
        let collection = self.eval(first)?;
        match builtin {
            Builtin::All | Builtin::None | Builtin::Any => self.quantifier(id, builtin, collection, body),
            Builtin::One | Builtin::Count => self.count(id, builtin, collection, body),
            Builtin::Find | Builtin::FindIndex => self.find(id, builtin, collection, body),
            Builtin::FindLast | Builtin::FindLastIndex => self.find_last(id, builtin, collection, body),
            Builtin::Filter | Builtin::Map => self.transform(id, builtin, collection, body),
            Builtin::GroupBy => self.group_by(id, collection, body),
            Builtin::SortBy => self.sort_by(id, collection, body, args.get(2).copied()),
            Builtin::Sum => self.sum(id, collection, body),
            _ => self.reduce(id, collection, body, args.get(2).copied()),
        }
    }

    fn quantifier(
        &mut self,
        id: OpId,
        builtin: Builtin,
        collection: Value<'a>,
        body: Option<OpId>,
    ) -> Outcome<Value<'a>> {
        // What ends the search: a hit, or for `all` a miss.
        let decisive = builtin != Builtin::All;
        let mut decided = false;
        self.each(collection, id, |machine| {
            decided = machine.test(body, id)? == decisive;
            Ok(if decided { Next::Stop } else { Next::Go })
        })?;
        Ok(Value::Bool(decided == (builtin == Builtin::Any)))
    }

    #[inline(never)]
    fn count(&mut self, id: OpId, builtin: Builtin, collection: Value<'a>, body: Option<OpId>) -> Outcome<Value<'a>> {
        let mut count = 0;
        self.each(collection, id, |machine| {
            count += i64::from(machine.test(body, id)?);
            Ok(Next::Go)
        })?;
        Ok(if builtin == Builtin::One { Value::Bool(count == 1) } else { Value::Int(count) })
    }

    #[inline(never)]
    fn find(&mut self, id: OpId, builtin: Builtin, collection: Value<'a>, body: Option<OpId>) -> Outcome<Value<'a>> {
        let mut found = Value::Null;
        self.each(collection, id, |machine| {
            if !machine.test(body, id)? {
                return Ok(Next::Go);
            }
            found = match builtin {
                Builtin::Find => machine.element(id)?,
                _ => Value::Int(machine.scope.index as i64),
            };
            Ok(Next::Stop)
        })?;
        Ok(found)
    }

    #[inline(never)]
    fn find_last(
        &mut self,
        id: OpId,
        builtin: Builtin,
        collection: Value<'a>,
        body: Option<OpId>,
    ) -> Outcome<Value<'a>> {
        // Objects are read forwards; what is searched backwards is laid out first.
        let mut elements = Vec::new();
        self.each(collection, id, |machine| {
            elements.push(machine.scope.element);
            Ok(Next::Go)
        })?;
        let outer = self.scope;
        let mut found = Value::Null;
        for (index, element) in elements.into_iter().enumerate().rev() {
            self.spend(1)?;
            self.scope = Scope { index, element, accumulator: outer.accumulator };
            if self.test(body, id)? {
                found = match builtin {
                    Builtin::FindLast => self.element(id)?,
                    _ => Value::Int(index as i64),
                };
                break;
            }
        }
        self.scope = outer;
        Ok(found)
    }

    #[inline(never)]
    fn transform(
        &mut self,
        id: OpId,
        builtin: Builtin,
        collection: Value<'a>,
        body: Option<OpId>,
    ) -> Outcome<Value<'a>> {
        let mut items = Vec::new();
        self.each(collection, id, |machine| {
            let item = match (builtin, body) {
                (Builtin::Map, Some(body)) => machine.eval(body)?,
                _ if machine.test(body, id)? => machine.element(id)?,
                _ => return Ok(Next::Go),
            };
            machine.grow(1)?;
            items.push(item);
            Ok(Next::Go)
        })?;
        Ok(Value::List(self.arena.alloc_slice_copy(&items)))
    }

    #[inline(never)]
    fn group_by(&mut self, id: OpId, collection: Value<'a>, body: Option<OpId>) -> Outcome<Value<'a>> {
        let mut groups: Vec<(Value<'a>, Vec<Value<'a>>)> = Vec::new();
        self.each(collection, id, |machine| {
            let key = match body {
                Some(body) => machine.eval(body)?,
                None => machine.element(id)?,
            };
            let list = matches!(key, Value::List(_) | Value::NilList | Value::Bytes(_));
            if list || value::members(key, machine.arena).is_some() || matches!(key, Value::Node(_)) {
                let message = format!("cannot use {} as a key for groupBy: type is not comparable", type_name(key));
                return machine.fail(id, message);
            }
            let element = machine.element(id)?;
            machine.grow(1)?;
            machine.spend(groups.len() as u64)?;
            match groups.iter_mut().find(|(it, _)| value::identical(*it, key)) {
                Some(group) => group.1.push(element),
                None => groups.push((key, vec![element])),
            }
            Ok(Next::Go)
        })?;
        let arena = self.arena;
        let members = arena.alloc_slice_fill_copy(groups.len(), (Value::Null, Value::Null));
        for (member, (key, items)) in members.iter_mut().zip(&groups) {
            *member = (*key, Value::List(arena.alloc_slice_copy(items)));
        }
        Ok(Value::Map(members))
    }

    #[inline(never)]
    fn sort_by(
        &mut self,
        id: OpId,
        collection: Value<'a>,
        body: Option<OpId>,
        order_arg: Option<OpId>,
    ) -> Outcome<Value<'a>> {
        let mut keyed: Vec<(Value<'a>, Value<'a>)> = Vec::new();
        self.each(collection, id, |machine| {
            let key = match body {
                Some(body) => machine.eval(body)?,
                None => machine.element(id)?,
            };
            machine.grow(2)?;
            keyed.push((key, machine.element(id)?));
            Ok(Next::Go)
        })?;
        let descending = match order_arg {
            None => false,
            Some(arg) => {
                let value = self.eval(arg)?;
                self.descending(id, value)?
            }
        };
        self.sort_keyed(id, &mut keyed, descending)?;
        let items: Vec<Value<'a>> = keyed.into_iter().map(|(_, item)| item).collect();
        Ok(Value::List(self.arena.alloc_slice_copy(&items)))
    }

    /// Whether `"asc"` or `"desc"`.
    pub(crate) fn descending(&self, id: OpId, value: Value<'a>) -> Outcome<bool> {
        match value {
            Value::Str("asc") => Ok(false),
            Value::Str("desc") => Ok(true),
            Value::Str(other) => self.fail(id, format!("invalid order {other}, expected asc or desc")),
            other => self.fail(id, format!("invalid order argument (expected string, got {})", type_name(other))),
        }
    }

    /// Sorts by key, keeping the order of equals; keys must be comparable with each other.
    pub(crate) fn sort_keyed(
        &mut self,
        id: OpId,
        keyed: &mut [(Value<'a>, Value<'a>)],
        descending: bool,
    ) -> Outcome<()> {
        let len = keyed.len();
        self.spend(len as u64 * u64::from(len.max(1).ilog2() + 1))?;
        if let Some(pair) = keyed.windows(2).find(|pair| !ordered(pair[0].0, pair[1].0)) {
            let (a, b) = (type_name(pair[1].0), type_name(pair[0].0));
            return self.fail(id, format!("invalid operation: {a} < {b}"));
        }
        keyed.sort_by(|a, b| {
            let order = total_order(a.0, b.0);
            if descending { order.reverse() } else { order }
        });
        Ok(())
    }

    #[inline(never)]
    fn sum(&mut self, id: OpId, collection: Value<'a>, body: Option<OpId>) -> Outcome<Value<'a>> {
        let mut sum = Value::Int(0);
        let at = self.code.spans[id.at()].1;
        self.each(collection, id, |machine| {
            let item = match body {
                Some(body) => machine.eval(body)?,
                None => machine.element(id)?,
            };
            sum = machine.add(item, sum, at)?;
            Ok(Next::Go)
        })?;
        Ok(sum)
    }

    #[inline(never)]
    fn reduce(
        &mut self,
        id: OpId,
        collection: Value<'a>,
        body: Option<OpId>,
        initial: Option<OpId>,
    ) -> Outcome<Value<'a>> {
        let mut accumulator = match initial {
            Some(initial) => Some(self.eval(initial)?),
            None => None,
        };
        self.each(collection, id, |machine| {
            accumulator = Some(match (accumulator, body) {
                (None, _) | (_, None) => machine.element(id)?,
                (Some(value), Some(body)) => {
                    machine.scope.accumulator = value;
                    machine.eval(body)?
                }
            });
            Ok(Next::Go)
        })?;
        match accumulator {
            Some(value) => Ok(value),
            None => self.fail(id, "reduce of empty array with no initial value"),
        }
    }
}
