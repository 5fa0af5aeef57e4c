//! The macros that go through a list or a map, or look into an optional value.

use kanon_lang::{EvalError, Value};

use super::{Local, Outcome, Walk, absorb};
use crate::{
    ast::{Form, Loop},
    values,
};

impl<'a> Walk<'a> {
    pub(super) fn each(&mut self, it: &'a Loop) -> Outcome<Value<'a>> {
        let range = self.expr(&it.range)?;
        match it.form {
            Form::OptMap | Form::OptFlatMap => self.look_into(it, range),
            Form::All => self.quantify(it, range, false),
            Form::Exists => self.quantify(it, range, true),
            Form::ExistsOne => self.exactly_one(it, range),
            Form::Map | Form::Filter | Form::TransformList => self.list(it, range),
            Form::TransformMap | Form::TransformMapEntry => self.map(it, range),
            Form::SortBy => self.sort(it, range),
        }
    }

    /// What the variables are in every turn.
    fn turns(&mut self, it: &Loop, range: Value<'a>) -> Outcome<Vec<(Value<'a>, Value<'a>)>> {
        let is_double = it.variables.len() == 2;
        if let Some(elements) = values::elements(range, self.cx.arena) {
            let turn = |(at, element): (usize, Value<'a>)| match is_double {
                true => (Value::Int(at as i64), element),
                false => (element, Value::Null),
            };
            return Ok(elements.enumerate().map(turn).collect());
        }
        match values::entries(range, self.cx.arena) {
            Some(entries) => Ok(entries.collect()),
            None => self.fail("no such overload"),
        }
    }

    /// Evaluates with the loop's variables.
    fn inside<T>(
        &mut self,
        it: &Loop,
        (first, second): (Value<'a>, Value<'a>),
        inside: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        self.lift(|cx| cx.spend(1))?;
        let before = self.scope.len();
        self.scope.push(Local::Known(first));
        if it.variables.len() == 2 {
            self.scope.push(Local::Known(second));
        }
        let result = inside(self);
        self.scope.truncate(before);
        result
    }

    /// Whether the filter, if there is one, takes the current turn.
    fn passes(&mut self, it: &'a Loop) -> Outcome<bool> {
        match it.filter.as_ref().map(|filter| self.expr(filter)).transpose()? {
            None | Some(Value::Bool(true)) => Ok(true),
            Some(Value::Bool(false)) => Ok(false),
            Some(_) => self.fail("no such overload"),
        }
    }

    /// `all`, where false decides, and `exists`, where true does. An error does not, unless nothing else did.
    fn quantify(&mut self, it: &'a Loop, range: Value<'a>, decisive: bool) -> Outcome<Value<'a>> {
        let mut failed = None;
        for turn in self.turns(it, range)? {
            let error = match self.inside(it, turn, |walk| walk.expr(&it.body)) {
                Ok(Value::Bool(bool)) if bool == decisive => return Ok(Value::Bool(decisive)),
                Ok(Value::Bool(_)) => continue,
                Ok(_) => EvalError::value("no such overload", it.body.span),
                Err(error) => error,
            };
            absorb(error, &mut failed)?;
        }
        failed.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn exactly_one(&mut self, it: &'a Loop, range: Value<'a>) -> Outcome<Value<'a>> {
        let mut count = 0_usize;
        for turn in self.turns(it, range)? {
            match self.inside(it, turn, |walk| walk.expr(&it.body))? {
                Value::Bool(bool) => count += usize::from(bool),
                _ => return self.fail("no such overload"),
            }
        }
        Ok(Value::Bool(count == 1))
    }

    fn list(&mut self, it: &'a Loop, range: Value<'a>) -> Outcome<Value<'a>> {
        let mut items = Vec::new();
        for turn in self.turns(it, range)? {
            let item = self.inside(it, turn, |walk| {
                if !walk.passes(it)? {
                    return Ok(None);
                }
                let body = walk.expr(&it.body)?;
                match (it.form, body) {
                    (Form::Filter, Value::Bool(bool)) => Ok(bool.then_some(turn.0)),
                    (Form::Filter, _) => walk.fail("no such overload"),
                    _ => Ok(Some(body)),
                }
            })?;
            items.extend(item);
        }
        self.lift(|cx| cx.list(&items))
    }

    fn map(&mut self, it: &'a Loop, range: Value<'a>) -> Outcome<Value<'a>> {
        let mut members = Vec::new();
        for turn in self.turns(it, range)? {
            self.inside(it, turn, |walk| {
                if !walk.passes(it)? {
                    return Ok(());
                }
                let body = walk.expr(&it.body)?;
                if it.form == Form::TransformMap {
                    members.push((turn.0, body));
                    return Ok(());
                }
                match values::entries(body, walk.cx.arena) {
                    Some(entries) => members.extend(entries),
                    None => return walk.fail("no such overload"),
                }
                Ok(())
            })?;
        }
        self.lift(|cx| values::map_literal(cx, &members))
    }

    /// The elements in the order of their keys; those with equal keys stay as they were.
    fn sort(&mut self, it: &'a Loop, range: Value<'a>) -> Outcome<Value<'a>> {
        let mut keyed = Vec::new();
        for turn in self.turns(it, range)? {
            keyed.push((self.inside(it, turn, |walk| walk.expr(&it.body))?, turn.0));
        }
        // Keys of one type that has an order: then sorting cannot fail on the way.
        let Some(first) = keyed.first().map(|it| it.0) else { return self.lift(|cx| cx.list(&[])) };
        for (key, _) in &keyed {
            if values::type_of(*key) != values::type_of(first) {
                return self.fail("list elements must have the same type");
            }
            // One key alone is not compared, so that it may be NaN.
            if keyed.len() > 1 || !matches!(key, Value::Float(it) if it.is_nan()) {
                self.lift(|cx| values::compare(cx, *key, *key))?;
            }
        }
        let cx = &mut self.cx;
        keyed.sort_by(|a, b| values::compare(cx, a.0, b.0).unwrap_or(std::cmp::Ordering::Equal));
        let items: Vec<Value<'a>> = keyed.into_iter().map(|it| it.1).collect();
        self.lift(|cx| cx.list(&items))
    }

    fn look_into(&mut self, it: &'a Loop, range: Value<'a>) -> Outcome<Value<'a>> {
        let Value::Optional(held) = range else { return self.fail("no such overload") };
        let Some(held) = held else { return Ok(Value::Optional(None)) };
        let body = self.inside(it, (*held, Value::Null), |walk| walk.expr(&it.body))?;
        match (it.form, body) {
            (Form::OptMap, value) => Ok(Value::Optional(Some(self.cx.arena.alloc(value)))),
            (_, Value::Optional(_)) => Ok(body),
            _ => self.fail("no such overload"),
        }
    }
}
