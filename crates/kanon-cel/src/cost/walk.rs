//! Costs of everything but calls and macros, and where a value comes from.

use kanon_lang::{Bound, Inner, Type};

use super::Range;
use crate::{
    ast::{Binary, Constant, Expr, Kind, Literal},
    check::{Checked, Reference},
};

/// Reading a character, and matching one of a pattern.
pub(super) const TRAVERSAL: f64 = 0.1;
pub(super) const PATTERN: f64 = 0.25;
/// Making a list, a map, a message.
pub(super) const LIST: u64 = 10;
const MAP: u64 = 30;
const MESSAGE: u64 = 40;

/// Keys of maps have no size in a schema.
static KEY: Bound = Bound { most: 0, inner: Inner::Nothing };

/// Where a value lies in what variables hold.
#[derive(Clone, Copy)]
pub(super) enum Place<'b> {
    /// It was made.
    Nowhere,
    /// At a place that the bounds do not know.
    Unknown,
    At(&'b Bound),
}

/// A step from a value to one inside.
pub(super) enum Step<'s> {
    Elements,
    Values,
    Keys,
    Indices,
    Field(&'s str),
}

/// What is known of an expression.
#[derive(Clone)]
pub(super) struct Facts<'b> {
    pub(super) cost: Range,
    /// Its size, where the expression itself says.
    pub(super) size: Option<Range>,
    pub(super) place: Place<'b>,
    pub(super) of: Type,
}

pub(super) struct Estimator<'b> {
    pub(super) checked: &'b Checked,
    bounds: &'b [Bound],
    /// Variables of the macros around, innermost last.
    pub(super) scope: Vec<(String, Facts<'b>)>,
}

impl<'b> Estimator<'b> {
    pub(super) fn new(checked: &'b Checked, bounds: &'b [Bound]) -> Estimator<'b> {
        Estimator { checked, bounds, scope: Vec::new() }
    }

    /// The place one step further. From what was made, steps lead to the root.
    pub(super) fn step(&self, place: Place<'b>, step: Step<'_>) -> Place<'b> {
        let bound = match place {
            Place::Nowhere => return self.bounds.first().map_or(Place::Unknown, Place::At),
            Place::Unknown => return Place::Unknown,
            Place::At(bound) => bound,
        };
        let inner = match (step, &bound.inner) {
            (Step::Elements | Step::Values, Inner::Elements(inner) | Inner::Values(inner)) => Some(&**inner),
            (Step::Keys, Inner::Values(_)) => Some(&KEY),
            (Step::Field(name), Inner::Fields(fields)) => fields.get(name),
            _ => None,
        };
        inner.map_or(Place::Unknown, Place::At)
    }

    /// The size of a value of which the expression does not say it: by its place, then by its type.
    pub(super) fn size(&self, facts: &Facts<'_>) -> Range {
        match (facts.size, facts.place) {
            (Some(size), _) => size,
            (None, Place::At(bound)) => Range::up_to(bound.most),
            (None, Place::Nowhere | Place::Unknown) if is_scalar(&facts.of) => Range::fixed(1),
            (None, Place::Nowhere | Place::Unknown) => Range::UNKNOWN,
        }
    }

    /// An expression that was made here.
    pub(super) fn made(&self, expr: &Expr, cost: Range, size: Option<Range>) -> Facts<'b> {
        Facts { cost, size, place: Place::Nowhere, of: self.checked.type_of(expr.id).clone() }
    }

    pub(super) fn expr(&mut self, expr: &'b Expr) -> Facts<'b> {
        match self.checked.reference(expr.id) {
            Reference::Variable(slot) => {
                let place = self.bounds.get(*slot).map_or(Place::Unknown, Place::At);
                return Facts { place, ..self.made(expr, Range::fixed(1), None) };
            }
            Reference::Type(_) => return self.made(expr, Range::fixed(1), None),
            Reference::None | Reference::Local(_) | Reference::Function { .. } | Reference::Missing(_) => {}
        }
        match &expr.kind {
            Kind::Literal(literal) => self.made(expr, Range::ZERO, Some(Range::fixed(literal_size(literal)))),
            Kind::Name(name) => match self.scope.iter().rev().find(|it| it.0 == name.text) {
                Some((_, facts)) => Facts { cost: Range::fixed(1), ..facts.clone() },
                None => self.made(expr, Range::fixed(1), None),
            },
            Kind::Select(select) => {
                let operand = self.expr(&select.operand);
                if select.optional {
                    return self.made(expr, operand.cost.plus(Range::fixed(1)), None);
                }
                let own = match operand.of {
                    Type::Map(..) | Type::Object(_) | Type::Param(_) => 1,
                    _ => 0,
                };
                let place = self.step(operand.place, Step::Field(&select.field));
                Facts { place, ..self.made(expr, operand.cost.plus(Range::fixed(own)), None) }
            }
            // Presence itself costs nothing in Kubernetes.
            Kind::Has(select) => {
                let operand = self.expr(&select.operand);
                self.made(expr, operand.cost, None)
            }
            Kind::Index(index) => {
                let (operand, key) = (self.expr(&index.operand), self.expr(&index.key));
                let cost = operand.cost.plus(key.cost).plus(Range::fixed(1));
                let place = if index.optional { Place::Nowhere } else { self.step(operand.place, Step::Values) };
                Facts { place, ..self.made(expr, cost, None) }
            }
            Kind::Call(call) => self.call(call, expr),
            Kind::Unary(_, operand) => {
                let operand = self.expr(operand);
                self.made(expr, operand.cost.plus(Range::fixed(1)), None)
            }
            Kind::Binary(operator, operands) => {
                let (left, right) = (self.expr(&operands.0), self.expr(&operands.1));
                self.binary(*operator, &left, &right, expr)
            }
            Kind::Logic(_, operands) => {
                let costs: Vec<Range> = operands.iter().map(|it| self.expr(it).cost).collect();
                let all = costs.iter().fold(Range::ZERO, |sum, it| sum.plus(*it));
                // The first operand may decide.
                let min = costs.first().map_or(0, |it| it.min);
                self.made(expr, Range { min, max: all.max }, None)
            }
            Kind::Conditional(parts) => {
                let (test, yes, no) = (self.expr(&parts[0]), self.expr(&parts[1]), self.expr(&parts[2]));
                let size = self.size(&yes).or(self.size(&no));
                self.made(expr, test.cost.plus(yes.cost.or(no.cost)), Some(size))
            }
            Kind::List(elements) => {
                let cost = elements.iter().fold(Range::fixed(LIST), |sum, it| sum.plus(self.expr(&it.value).cost));
                self.made(expr, cost, Some(Range::fixed(elements.len() as u64)))
            }
            Kind::Map(entries) => {
                let cost = entries.iter().fold(Range::fixed(MAP), |sum, it| {
                    let (key, value) = (self.expr(&it.key), self.expr(&it.value));
                    sum.plus(key.cost).plus(value.cost)
                });
                self.made(expr, cost, Some(Range::fixed(entries.len() as u64)))
            }
            Kind::Message(message) => {
                let fields = message.fields.iter();
                let cost = fields.fold(Range::fixed(MESSAGE), |sum, it| sum.plus(self.expr(&it.value).cost));
                self.made(expr, cost, None)
            }
            Kind::Loop(it) => self.each(it, expr),
            Kind::Bind(bind) => {
                let value = self.expr(&bind.value);
                // A bind is a loop over an empty list.
                let own = value.cost.plus(Range::fixed(LIST));
                let body = self.within([(&bind.variable.name, value)], |it| it.expr(&bind.body));
                Facts { cost: own.plus(body.cost), ..body }
            }
            Kind::Block(block) => {
                let depth = self.scope.len();
                let mut cost = Range::ZERO;
                for (at, slot) in block.slots.iter().enumerate() {
                    let facts = self.expr(slot);
                    cost = cost.plus(facts.cost);
                    self.scope.push((crate::ast::slot_name(at as u64), facts));
                }
                let body = self.expr(&block.body);
                self.scope.truncate(depth);
                Facts { cost: cost.plus(body.cost), ..body }
            }
        }
    }

    /// With more variables in scope.
    pub(super) fn within<'n, T>(
        &mut self,
        variables: impl IntoIterator<Item = (&'n String, Facts<'b>)>,
        body: impl FnOnce(&mut Estimator<'b>) -> T,
    ) -> T {
        let depth = self.scope.len();
        self.scope.extend(variables.into_iter().map(|(name, facts)| (name.clone(), facts)));
        let result = body(self);
        self.scope.truncate(depth);
        result
    }

    fn binary(&mut self, operator: Binary, left: &Facts<'b>, right: &Facts<'b>, expr: &Expr) -> Facts<'b> {
        let operands = left.cost.plus(right.cost);
        let forms = Form::ALL.into_iter().filter(|it| it.takes(&left.of) && it.takes(&right.of));
        let (cost, size) = match operator {
            Binary::Equal | Binary::NotEqual => (self.smaller(left, right), None),
            Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual => {
                let forms = forms.filter(|it| *it != Form::List);
                let cost = |it| if it == Form::Text { self.smaller(left, right) } else { Range::fixed(1) };
                (Range::of_any(forms.map(cost)), None)
            }
            Binary::In => {
                let list = (Form::List.takes(&right.of)).then(|| self.size(right).scaled(1.0));
                let map = matches!(right.of, Type::Map(..) | Type::Dyn | Type::Param(_) | Type::Object(_));
                (Range::of_any(list.into_iter().chain(map.then_some(Range::fixed(1)))), None)
            }
            Binary::Add => {
                let sum = self.size(left).plus(self.size(right));
                let forms: Vec<Form> = forms.collect();
                let cost = |it: &Form| if *it == Form::Text { sum.scaled(TRAVERSAL) } else { Range::fixed(1) };
                let sized = forms.iter().any(|it| *it != Form::Scalar);
                (Range::of_any(forms.iter().map(cost)), sized.then_some(sum))
            }
            Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo => (Range::fixed(1), None),
        };
        self.made(expr, operands.plus(cost), size)
    }

    /// Comparing two values up to the end of the smaller.
    fn smaller(&self, left: &Facts<'b>, right: &Facts<'b>) -> Range {
        let max = self.size(left).max.min(self.size(right).max);
        Range { min: u64::from(max > 0), max }.scaled(TRAVERSAL)
    }
}

/// Which of an operator's overloads, as far as they cost differently.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Scalar,
    Text,
    List,
}

impl Form {
    const ALL: [Form; 3] = [Form::Scalar, Form::Text, Form::List];

    fn takes(self, of: &Type) -> bool {
        match of {
            Type::Dyn | Type::Param(_) => true,
            Type::String | Type::Bytes => self == Form::Text,
            Type::List(_) => self == Form::List,
            _ => self == Form::Scalar,
        }
    }
}

fn literal_size(literal: &Literal) -> u64 {
    match &literal.value {
        Constant::String(text) => text.chars().count() as u64,
        Constant::Bytes(bytes) => bytes.len() as u64,
        Constant::Null | Constant::Bool(_) | Constant::Int(_) | Constant::UInt(_) | Constant::Double(_) => 1,
    }
}

/// Whether all values of a type have one size.
fn is_scalar(of: &Type) -> bool {
    match of {
        Type::Bool | Type::Int | Type::UInt | Type::Double | Type::Timestamp | Type::Duration => true,
        Type::Optional(inner) => is_scalar(inner),
        _ => false,
    }
}
