//! Costs of macros: those of the loops that cel-go expands them to.

use kanon_lang::Type;

use super::{
    Range,
    walk::{Estimator, Facts, LIST, Place, Step},
};
use crate::ast::{Expr, Form, Loop};

/// What a macro's loop does besides its body.
struct Shape {
    /// Before the first turn: making the list or map that is filled.
    start: u64,
    /// A turn, without the body.
    turn: Range,
    /// A turn that the filter ends, if there is one.
    skipped: u64,
    /// After the last turn.
    end: u64,
}

impl Form {
    fn shape(self) -> Shape {
        match self {
            // The test whether to go on, and the result so far.
            Form::All => Shape { start: 0, turn: Range::fixed(3), skipped: 0, end: 1 },
            Form::Exists => Shape { start: 0, turn: Range::fixed(4), skipped: 0, end: 1 },
            Form::ExistsOne => Shape { start: 0, turn: Range { min: 1, max: 2 }, skipped: 0, end: 2 },
            // Appending a list of one.
            Form::Map | Form::TransformList => Shape { start: LIST, turn: Range::fixed(12), skipped: 1, end: 1 },
            Form::Filter => Shape { start: LIST, turn: Range { min: 1, max: 13 }, skipped: 1, end: 1 },
            Form::TransformMap => Shape { start: 30, turn: Range::fixed(3), skipped: 1, end: 1 },
            Form::TransformMapEntry => Shape { start: 30, turn: Range::fixed(2), skipped: 1, end: 1 },
            // Mapping to keys, within a bind, and sorting by them.
            Form::SortBy => Shape { start: 2 * LIST + 2, turn: Range::fixed(12), skipped: 0, end: 2 },
            Form::OptMap | Form::OptFlatMap => Shape { start: 0, turn: Range::ZERO, skipped: 0, end: 0 },
        }
    }
}

impl<'b> Estimator<'b> {
    pub(super) fn each(&mut self, it: &'b Loop, expr: &'b Expr) -> Facts<'b> {
        let range = self.expr(&it.range);
        if matches!(it.form, Form::OptMap | Form::OptFlatMap) {
            return self.optional(it, range, expr);
        }
        let variables = self.variables(it, &range);
        let named = it.variables.iter().map(|it| &it.name).zip(variables);
        let (filter, body) =
            self.within(named, |inner| (it.filter.as_ref().map(|it| inner.expr(it).cost), inner.expr(&it.body).cost));
        let Shape { start, turn, skipped, end } = it.form.shape();
        let turn = match (it.form, filter) {
            // What decides may be the result so far.
            (Form::All | Form::Exists, _) => Range { min: turn.min, max: turn.max.saturating_add(body.max) },
            (_, Some(filter)) => filter.plus(turn.plus(body).or(Range::fixed(skipped))),
            (_, None) => turn.plus(body),
        };
        let turns = self.size(&range);
        let cost = range.cost.plus(Range::fixed(start)).plus(turns.times(turn)).plus(Range::fixed(end));
        let size = match it.form {
            Form::All | Form::Exists | Form::ExistsOne => Range::fixed(1),
            _ => turns,
        };
        self.made(expr, cost, Some(size))
    }

    /// What the loop's variables hold, in their order.
    fn variables(&self, it: &Loop, range: &Facts<'b>) -> Vec<Facts<'b>> {
        let inner =
            |step: Step<'_>, of: Type| Facts { cost: Range::ZERO, size: None, place: self.step(range.place, step), of };
        let element = |of: &Type| inner(Step::Elements, of.clone());
        match (&range.of, it.variables.len()) {
            (Type::List(of), 1) => vec![element(of)],
            (Type::List(of), _) => vec![inner(Step::Indices, Type::Int), element(of)],
            (Type::Map(key, _), 1) => vec![inner(Step::Keys, (**key).clone())],
            (Type::Map(key, value), _) => {
                vec![inner(Step::Keys, (**key).clone()), inner(Step::Values, (**value).clone())]
            }
            (_, 1) => vec![inner(Step::Keys, Type::Dyn)],
            (_, _) => vec![inner(Step::Keys, Type::Dyn), inner(Step::Values, Type::Dyn)],
        }
    }

    /// `target.hasValue() ? optional.of(bind(x, target.value(), body)) : optional.none()`
    fn optional(&mut self, it: &'b Loop, target: Facts<'b>, expr: &'b Expr) -> Facts<'b> {
        let of = match &target.of {
            Type::Optional(inner) => (**inner).clone(),
            _ => Type::Dyn,
        };
        let value = Facts { size: None, place: Place::Nowhere, of, cost: Range::ZERO };
        let call = target.cost.plus(Range::fixed(1));
        let body = match it.variables.first() {
            Some(variable) => self.within([(&variable.name, value)], |inner| inner.expr(&it.body).cost),
            None => self.expr(&it.body).cost,
        };
        let wrap = u64::from(it.form == Form::OptMap);
        let yes = call.plus(body).plus(Range::fixed(LIST + wrap));
        self.made(expr, call.plus(yes.or(Range::fixed(1))), None)
    }
}
