//! The checker: which names mean what, which overloads a call may take, which type every expression has. It finds all mistakes
//! of a text, not the first; what has one fits everywhere, so that it is reported once.
//!
//! Unchecked programs go through it too, for their names: what it would report is then an error of the run, if the run gets
//! there.

mod calls;
mod loops;
mod names;
mod types;

use std::sync::Arc;

use kanon_lang::{Diagnostic, Diagnostics, Environment, Function, Span, Type};

use crate::{
    ast::{Constant, Element, Expr, Kind, Logic, NodeId, Select, Unary},
    check::types::{Bindings, Ty},
    functions::{CONDITIONAL, Functions, INDEX, OPTIONAL_INDEX},
    parser::{MAX_MISTAKES, Parsed},
    suggest::nearest,
};

/// A tree with what is known of its nodes.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) expr: Expr,
    types: Vec<Type>,
    references: Vec<Reference>,
}

/// What a name or a call refers to.
#[derive(Clone, Debug, Default)]
pub(crate) enum Reference {
    /// Nothing by itself: the node is what its kind says.
    #[default]
    None,
    /// A variable of the environment, by slot.
    Variable(usize),
    /// A variable of a macro: the position in the stack of those around it.
    Local(usize),
    /// A type as a value, by its name.
    Type(&'static str),
    /// A call of one of these overloads, chosen by the arguments.
    Function { overloads: Vec<Arc<Function>>, pass: Pass },
    /// Nothing there is: an error, where the program was not checked.
    Missing(String),
}

/// How a call's arguments reach the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Plain,
    /// The target is the first of them.
    Receiver,
    /// As one list.
    Packed,
}

impl Checked {
    /// The type of an expression; dynamic where it is not known.
    pub(crate) fn type_of(&self, id: NodeId) -> &Type {
        self.types.get(id.0 as usize).unwrap_or(&Type::Dyn)
    }

    pub(crate) fn reference(&self, id: NodeId) -> &Reference {
        self.references.get(id.0 as usize).unwrap_or(&Reference::None)
    }
}

/// How to check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'c> {
    /// Where names are looked up first: `a.b` finds `a.b.x`, then `a.x`, then `x`.
    pub(crate) container: &'c str,
    /// Whether mistakes are reported, or left to the run.
    pub(crate) strict: bool,
    /// The result must be a boolean.
    pub(crate) boolean: bool,
}

/// Checks a tree against an environment.
pub(crate) fn check(
    source: &str,
    parsed: Parsed,
    functions: &Functions,
    env: &Environment,
    rules: Rules<'_>,
) -> Result<Checked, Diagnostics> {
    let mut pointed = env.variables.iter().map(String::as_str).chain(env.functions.iter().map(|it| it.name));
    let has_pointed = !rules.container.is_empty() || pointed.any(|it| it.contains('.'));
    let mut checker = Checker {
        has_pointed,
        functions,
        env,
        rules,
        bindings: Bindings::default(),
        types: vec![Ty::Dyn; parsed.nodes],
        references: vec![Reference::None; parsed.nodes],
        scope: Vec::new(),
        mistakes: Vec::new(),
    };
    let result = checker.expr(&parsed.expr);
    if rules.boolean {
        checker.must_be(&Ty::Bool, &result, &parsed.expr);
    }
    let mut mistakes = checker.mistakes;
    if !mistakes.is_empty() {
        mistakes.sort_by_key(|it| it.span);
        mistakes.dedup();
        return Err(Diagnostics::new(source, mistakes));
    }
    let Checker { bindings, types, references, .. } = checker;
    let types = types.iter().map(|it| bindings.resolve(it).to_type()).collect();
    Ok(Checked { expr: parsed.expr, types, references })
}

struct Checker<'c> {
    functions: &'c Functions,
    env: &'c Environment,
    rules: Rules<'c>,
    /// Whether the environment has names with points in them, or a container that lends some to all.
    has_pointed: bool,
    bindings: Bindings,
    types: Vec<Ty>,
    references: Vec<Reference>,
    /// The variables of the macros around, innermost last.
    scope: Vec<(String, Ty)>,
    mistakes: Vec<Diagnostic>,
}

impl Checker<'_> {
    /// The type of an expression, which is noted too.
    fn expr(&mut self, expr: &Expr) -> Ty {
        // The text is refused already: nothing that stands further on can change that.
        if self.rules.strict && !self.listens() {
            return Ty::Error;
        }
        let ty = match &expr.kind {
            Kind::Literal(literal) => constant(&literal.value),
            Kind::Name(name) => self.name(name, expr),
            Kind::Select(select) => self.select(select, expr),
            Kind::Has(select) => self.has(select, expr),
            Kind::Index(index) => {
                let args = [self.expr(&index.operand), self.expr(&index.key)];
                self.operator(if index.optional { OPTIONAL_INDEX } else { INDEX }, &args, expr.at)
            }
            Kind::Call(call) => self.call(call, expr),
            Kind::Unary(operator, operand) => self.unary(*operator, operand, expr),
            Kind::Binary(operator, operands) => {
                let args = [self.expr(&operands.0), self.expr(&operands.1)];
                self.operator(operator.function(), &args, expr.at)
            }
            Kind::Logic(logic, operands) => {
                for operand in operands {
                    self.logical(*logic, operand, expr.at);
                }
                Ty::Bool
            }
            Kind::Conditional(parts) => {
                let args = [self.expr(&parts[0]), self.expr(&parts[1]), self.expr(&parts[2])];
                self.operator(CONDITIONAL, &args, expr.at)
            }
            Kind::List(elements) => Ty::list(self.elements(elements)),
            Kind::Map(entries) => {
                let (mut key, mut value) = (None, None);
                for entry in entries {
                    let found = self.expr(&entry.key);
                    self.must_be_key(&found, &entry.key);
                    key = Some(self.join(key, found));
                    let found = self.expr(&entry.value);
                    let found = if entry.optional { self.unwrapped(&found, &entry.value) } else { found };
                    value = Some(self.join(value, found));
                }
                let key = key.unwrap_or_else(|| self.bindings.fresh());
                Ty::map(key, value.unwrap_or_else(|| self.bindings.fresh()))
            }
            Kind::Message(message) => {
                for field in &message.fields {
                    self.expr(&field.value);
                }
                self.undeclared(&message.name.text, expr.span, None);
                self.missing(expr, format!("unknown type: {}", message.name.text));
                Ty::Error
            }
            Kind::Loop(it) => self.each(it),
            Kind::Bind(bind) => {
                let value = self.expr(&bind.value);
                self.scoped([(bind.variable.name.clone(), value)], |checker| checker.expr(&bind.body))
            }
            Kind::Block(block) => self.block(block),
        };
        if let Some(slot) = self.types.get_mut(expr.id.0 as usize) {
            *slot = ty.clone();
        }
        ty
    }

    fn unary(&mut self, operator: Unary, operand: &Expr, expr: &Expr) -> Ty {
        let ty = self.expr(operand);
        self.operator(operator.function(), &[ty], expr.at)
    }

    /// One operand of `&&` or `||`.
    fn logical(&mut self, logic: Logic, operand: &Expr, at: Span) {
        let ty = self.expr(operand);
        if !self.bindings.assignable(&ty, &Ty::Bool) {
            let ty = self.bindings.resolve(&ty);
            let message = no_overload(logic.function(), &[Ty::Bool, ty], false);
            // Of a long chain the operand tells more than a sign; of two, cel-go names the sign.
            self.report(Diagnostic { message, span: at, help: None });
        }
    }

    /// The type that all elements of a list have.
    fn elements(&mut self, elements: &[Element]) -> Ty {
        let mut joined = None;
        for element in elements {
            let found = self.expr(&element.value);
            let found = if element.optional { self.unwrapped(&found, &element.value) } else { found };
            joined = Some(self.join(joined, found));
        }
        joined.unwrap_or_else(|| self.bindings.fresh())
    }

    /// What the optional behind a `?` holds.
    fn unwrapped(&mut self, ty: &Ty, value: &Expr) -> Ty {
        match self.bindings.resolve(ty) {
            Ty::Optional(inner) => (*inner).clone(),
            Ty::Var(_) | Ty::Dyn | Ty::Error => Ty::Dyn,
            other => {
                self.mismatch(&Ty::optional(other.clone()), &other, value.at);
                Ty::Error
            }
        }
    }

    /// The type that values of both have: dynamic when they differ.
    fn join(&mut self, before: Option<Ty>, found: Ty) -> Ty {
        let Some(before) = before else { return found };
        if self.bindings.assignable(&before, &found) || self.bindings.assignable(&found, &before) {
            return match (&before, &found) {
                (Ty::Null, _) => found,
                (_, Ty::Null) => before,
                _ => Ty::most_general(&before, &found),
            };
        }
        Ty::Dyn
    }

    fn must_be_key(&mut self, ty: &Ty, key: &Expr) {
        let ty = self.bindings.resolve(ty);
        if !matches!(ty, Ty::Dyn | Ty::Error | Ty::Var(_) | Ty::Bool | Ty::Int | Ty::UInt | Ty::String) {
            let message = format!("unsupported key type '{ty}'");
            self.report(Diagnostic { message, span: key.at, help: None });
        }
    }

    fn must_be(&mut self, wanted: &Ty, found: &Ty, expr: &Expr) {
        if !self.bindings.assignable(found, wanted) {
            let found = self.bindings.resolve(found);
            self.mismatch(wanted, &found, expr.at);
        }
    }

    fn mismatch(&mut self, wanted: &Ty, found: &Ty, span: Span) {
        let message = format!("expected type '{wanted}' but found '{found}'");
        self.report(Diagnostic { message, span, help: None });
    }

    fn select(&mut self, select: &Select, expr: &Expr) -> Ty {
        if let Some(ty) = self.qualified(expr) {
            return ty;
        }
        self.member(select, expr, select.optional)
    }

    /// The type of a member, found from that of what has it.
    fn member(&mut self, select: &Select, expr: &Expr, optional: bool) -> Ty {
        let operand = self.expr(&select.operand);
        let operand = self.bindings.resolve(&operand);
        let (operand, was_optional) = match operand {
            Ty::Optional(inner) => ((*inner).clone(), true),
            other => (other, false),
        };
        let result = match &operand {
            Ty::Map(_, value) => (**value).clone(),
            Ty::Object(object) => match object.fields.get(&select.field) {
                Some(field) => Ty::of(field, &mut |_| Ty::Dyn),
                None => {
                    let near = nearest(&select.field, object.fields.keys().map(String::as_str));
                    let help = near.map(|it| format!("did you mean `{it}`?"));
                    let message = format!("undefined field '{}'", select.field);
                    self.report(Diagnostic { message, span: expr.at, help });
                    Ty::Error
                }
            },
            Ty::Var(_) => {
                self.bindings.assignable(&Ty::Dyn, &operand);
                Ty::Dyn
            }
            Ty::Dyn => Ty::Dyn,
            Ty::Error => return Ty::Error,
            other => {
                let message = format!("type '{other}' does not support field selection");
                self.report(Diagnostic { message, span: expr.at, help: None });
                Ty::Error
            }
        };
        if was_optional || optional { Ty::optional(result) } else { result }
    }

    fn has(&mut self, select: &Select, expr: &Expr) -> Ty {
        self.member(select, expr, false);
        Ty::Bool
    }

    /// Notes a mistake, where mistakes are looked for.
    fn report(&mut self, mistake: Diagnostic) {
        if self.listens() {
            self.mistakes.push(mistake);
        }
    }

    /// Whether a mistake would be noted. What it says need not be found out otherwise: a text may be full of them.
    fn listens(&self) -> bool {
        self.rules.strict && self.mistakes.len() < MAX_MISTAKES
    }

    fn refer(&mut self, expr: &Expr, reference: Reference) {
        if let Some(slot) = self.references.get_mut(expr.id.0 as usize) {
            *slot = reference;
        }
    }

    /// What an unchecked program fails with if it gets here.
    fn missing(&mut self, expr: &Expr, message: String) {
        self.refer(expr, Reference::Missing(message));
    }

    /// With more variables of macros in scope.
    fn scoped<T>(
        &mut self,
        variables: impl IntoIterator<Item = (String, Ty)>,
        inside: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.scope.len();
        self.scope.extend(variables);
        let result = inside(self);
        self.scope.truncate(before);
        result
    }
}

fn constant(value: &Constant) -> Ty {
    match value {
        Constant::Null => Ty::Null,
        Constant::Bool(_) => Ty::Bool,
        Constant::Int(_) => Ty::Int,
        Constant::UInt(_) => Ty::UInt,
        Constant::Double(_) => Ty::Double,
        Constant::String(_) => Ty::String,
        Constant::Bytes(_) => Ty::Bytes,
    }
}

/// `found no matching overload for 'f' applied to 'int.(string)'`
fn no_overload(function: &str, args: &[Ty], method: bool) -> String {
    let list = |args: &[Ty]| args.iter().map(Ty::to_string).collect::<Vec<_>>().join(", ");
    let args = match args.split_first() {
        Some((receiver, rest)) if method => format!("{receiver}.({})", list(rest)),
        _ => format!("({})", list(args)),
    };
    format!("found no matching overload for '{function}' applied to '{args}'")
}
