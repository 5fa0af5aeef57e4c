//! A plain walk over the checked tree: slow, simple, and what faster ways of evaluating are compared with. Recursion is bounded
//! by the tree's depth.

mod loops;

use std::sync::Arc;

use kanon_lang::{Context, ErrorKind, EvalError, Function, Stop, Value};

use crate::{
    ast::{Binary, Constant, Expr, Kind, Logic, Unary},
    check::{Checked, Pass, Reference},
    values::{self, Operator},
};

type Outcome<T> = Result<T, EvalError>;

/// A variable of a macro.
#[derive(Clone)]
enum Local<'a> {
    Known(Value<'a>),
    /// What `cel.bind` names is computed when it is read first.
    Later(&'a Expr),
    Failed(EvalError),
}

/// One evaluation.
pub(crate) struct Walk<'a> {
    checked: &'a Checked,
    cx: Context<'a>,
    values: &'a [Value<'a>],
    scope: Vec<Local<'a>>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(checked: &'a Checked, values: &'a [Value<'a>], cx: Context<'a>) -> Walk<'a> {
        Walk { checked, cx, values, scope: Vec::new() }
    }

    /// The value of the whole program.
    pub(crate) fn run(&mut self) -> Outcome<Value<'a>> {
        self.expr(&self.checked.expr)
    }

    fn expr(&mut self, expr: &'a Expr) -> Outcome<Value<'a>> {
        self.value(expr).map_err(|mut error| {
            error.span.get_or_insert(expr.span);
            error
        })
    }

    fn value(&mut self, expr: &'a Expr) -> Outcome<Value<'a>> {
        self.lift(|cx| cx.spend(1))?;
        match self.checked.reference(expr.id) {
            Reference::Variable(slot) => return Ok(self.values.get(*slot).copied().unwrap_or(Value::Null)),
            Reference::Local(at) => return self.local(*at),
            Reference::Type(name) => return Ok(Value::Type(name)),
            Reference::Missing(message) => return self.fail(message.clone()),
            Reference::Function { overloads, pass } => return self.call(expr, overloads, *pass),
            Reference::None => {}
        }
        match &expr.kind {
            Kind::Literal(literal) => Ok(constant(&literal.value)),
            Kind::Name(_) | Kind::Call(_) | Kind::Message(_) => self.fail("undeclared reference"),
            Kind::Select(select) => {
                let operand = self.expr(&select.operand)?;
                if select.optional {
                    self.lift(|cx| values::optional_index(cx, operand, Value::Str(&select.field)))
                } else {
                    self.lift(|cx| values::member(cx, operand, &select.field))
                }
            }
            Kind::Has(select) => {
                let operand = self.expr(&select.operand)?;
                if select.optional {
                    return self.fail("no such overload");
                }
                self.lift(|cx| values::has(cx, operand, &select.field)).map(Value::Bool)
            }
            Kind::Index(index) => {
                let (operand, key) = (self.expr(&index.operand)?, self.expr(&index.key)?);
                if index.optional {
                    self.lift(|cx| values::optional_index(cx, operand, key))
                } else {
                    self.lift(|cx| values::index(cx, operand, key))
                }
            }
            Kind::Unary(Unary::Not, operand) => match self.expr(operand)? {
                Value::Bool(bool) => Ok(Value::Bool(!bool)),
                _ => self.fail("no such overload"),
            },
            Kind::Unary(Unary::Negate, operand) => {
                let operand = self.expr(operand)?;
                self.lift(|cx| values::negate(cx, operand))
            }
            Kind::Binary(operator, operands) => {
                let (a, b) = (self.expr(&operands.0)?, self.expr(&operands.1)?);
                self.binary(*operator, a, b)
            }
            Kind::Logic(logic, operands) => self.logic(*logic, operands),
            Kind::Conditional(parts) => match self.expr(&parts[0])? {
                Value::Bool(true) => self.expr(&parts[1]),
                Value::Bool(false) => self.expr(&parts[2]),
                _ => self.fail("no such overload"),
            },
            // All parts are evaluated before what is optional among them is asked for.
            Kind::List(elements) => {
                let parts = elements.iter().map(|it| Ok((it.optional, self.expr(&it.value)?)));
                let parts: Vec<_> = parts.collect::<Outcome<_>>()?;
                let mut items = Vec::with_capacity(parts.len());
                for (optional, value) in parts {
                    items.extend(self.present(value, optional)?);
                }
                self.lift(|cx| cx.list(&items))
            }
            Kind::Map(entries) => {
                let parts = entries.iter().map(|it| Ok((it.optional, self.expr(&it.key)?, self.expr(&it.value)?)));
                let parts: Vec<_> = parts.collect::<Outcome<_>>()?;
                let mut members = Vec::with_capacity(parts.len());
                for (optional, key, value) in parts {
                    members.extend(self.present(value, optional)?.map(|value| (key, value)));
                }
                self.lift(|cx| values::map_literal(cx, &members))
            }
            Kind::Loop(it) => self.each(it),
            Kind::Bind(bind) => {
                self.scope.push(Local::Later(&bind.value));
                let result = self.expr(&bind.body);
                self.scope.pop();
                result
            }
            Kind::Block(block) => {
                let before = self.scope.len();
                self.scope.extend(block.slots.iter().map(Local::Later));
                let result = self.expr(&block.body);
                self.scope.truncate(before);
                result
            }
        }
    }

    /// A variable of a macro; one that is computed later sees only what was around when it was bound.
    fn local(&mut self, at: usize) -> Outcome<Value<'a>> {
        match self.scope.get(at).cloned() {
            Some(Local::Known(value)) => Ok(value),
            Some(Local::Failed(error)) => Err(error),
            Some(Local::Later(expr)) => {
                let inner = self.scope.split_off(at);
                let result = self.expr(expr);
                self.scope.truncate(at);
                self.scope.extend(inner);
                self.scope[at] = match &result {
                    Ok(value) => Local::Known(*value),
                    Err(error) => Local::Failed(error.clone()),
                };
                result
            }
            None => self.fail("undeclared reference"),
        }
    }

    fn binary(&mut self, operator: Binary, a: Value<'a>, b: Value<'a>) -> Outcome<Value<'a>> {
        let arith = |cx: &mut Context<'a>, operator| values::arith(cx, operator, a, b);
        self.lift(|cx| {
            Ok(Value::Bool(match operator {
                Binary::Equal => values::equal(cx, a, b)?,
                Binary::NotEqual => !values::equal(cx, a, b)?,
                Binary::Less => values::compare(cx, a, b)?.is_lt(),
                Binary::LessEqual => values::compare(cx, a, b)?.is_le(),
                Binary::Greater => values::compare(cx, a, b)?.is_gt(),
                Binary::GreaterEqual => values::compare(cx, a, b)?.is_ge(),
                Binary::In => values::contains(cx, a, b)?,
                Binary::Add => return arith(cx, Operator::Add),
                Binary::Subtract => return arith(cx, Operator::Subtract),
                Binary::Multiply => return arith(cx, Operator::Multiply),
                Binary::Divide => return arith(cx, Operator::Divide),
                Binary::Modulo => return arith(cx, Operator::Modulo),
            }))
        })
    }

    /// The first operand that decides, wherever it stands; else the first error.
    fn logic(&mut self, logic: Logic, operands: &'a [Expr]) -> Outcome<Value<'a>> {
        let decisive = logic == Logic::Or;
        let mut failed = None;
        for operand in operands {
            let error = match self.expr(operand) {
                Ok(Value::Bool(bool)) if bool == decisive => return Ok(Value::Bool(decisive)),
                Ok(Value::Bool(_)) => continue,
                Ok(_) => EvalError::value("no such overload", operand.span),
                Err(error) => error,
            };
            absorb(error, &mut failed)?;
        }
        failed.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn call(&mut self, expr: &'a Expr, overloads: &'a [Arc<Function>], pass: Pass) -> Outcome<Value<'a>> {
        let Kind::Call(call) = &expr.kind else { return self.fail("undeclared reference") };
        let mut args = Vec::with_capacity(call.args.len() + 1);
        if let Some(target) = call.target.as_ref().filter(|_| pass == Pass::Receiver) {
            args.push(self.expr(target)?);
        }
        // What stands in for a missing value is only computed when it is.
        if let ([overload], [target], [other]) = (overloads, args.as_slice(), call.args.as_slice())
            && matches!(overload.name, "or" | "orValue")
        {
            return match (overload.name, *target) {
                ("or", Value::Optional(Some(_))) => Ok(*target),
                (_, Value::Optional(Some(value))) => Ok(*value),
                ("orValue", Value::Optional(None)) => self.expr(other),
                (_, Value::Optional(None)) => match self.expr(other)? {
                    other @ Value::Optional(_) => Ok(other),
                    _ => self.fail("no such overload"),
                },
                _ => self.fail("no such overload"),
            };
        }
        for arg in &call.args {
            args.push(self.expr(arg)?);
        }
        if pass == Pass::Packed {
            args = vec![self.lift(|cx| cx.list(&args))?];
        }
        let takes = |it: &&Arc<Function>| {
            it.parameters.len() == args.len() && it.parameters.iter().zip(&args).all(|(ty, arg)| values::fits(ty, *arg))
        };
        match overloads.iter().find(takes) {
            Some(overload) => self.lift(|cx| (overload.body)(cx, &args)),
            None => self.fail("no such overload"),
        }
    }

    /// A value as it is, or what is in it, if there is anything.
    fn present(&mut self, value: Value<'a>, optional: bool) -> Outcome<Option<Value<'a>>> {
        match value {
            _ if !optional => Ok(Some(value)),
            Value::Optional(inner) => Ok(inner.copied()),
            _ => self.fail("no such overload"),
        }
    }

    fn lift<T>(&mut self, operation: impl FnOnce(&mut Context<'a>) -> Result<T, Stop>) -> Outcome<T> {
        operation(&mut self.cx).map_err(|Stop| self.cx.error())
    }

    fn fail<T>(&mut self, message: impl Into<String>) -> Outcome<T> {
        Err(EvalError { kind: ErrorKind::Value, message: message.into(), span: None })
    }
}

/// Keeps the first error that another operand may make irrelevant; a budget is not such an error.
fn absorb(error: EvalError, failed: &mut Option<EvalError>) -> Outcome<()> {
    match error.kind {
        ErrorKind::Value => {
            failed.get_or_insert(error);
            Ok(())
        }
        ErrorKind::Budget => Err(error),
    }
}

fn constant(value: &Constant) -> Value<'_> {
    match value {
        Constant::Null => Value::Null,
        Constant::Bool(bool) => Value::Bool(*bool),
        Constant::Int(int) => Value::Int(*int),
        Constant::UInt(uint) => Value::UInt(*uint),
        Constant::Double(double) => Value::Float(*double),
        Constant::String(text) => Value::Str(text),
        Constant::Bytes(bytes) => Value::Bytes(bytes),
    }
}
