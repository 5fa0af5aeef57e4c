//! Calls that are macros, recognised by their name and the number of their arguments. A call that only looks similar stays a
//! call: the checker says that there is no such function.

use kanon_lang::{Diagnostic, Span};

use super::{Parser, Result, mistake};
use crate::ast::{Bind, Block, Call, Constant, Expr, Form, Kind, Loop, Name, Variable, numbered_name, slot_name};

impl Parser<'_> {
    /// The call, or the macro that it is.
    pub(super) fn call(&mut self, call: Call, span: Span, at: Span) -> Result<Expr> {
        let kind = if self.dialect.macros { self.expand(call)? } else { Kind::Call(Box::new(call)) };
        self.node(kind, span, at)
    }

    fn expand(&mut self, mut call: Call) -> Result<Kind> {
        let Some(target) = call.target.take() else {
            if call.function == "has" && !call.absolute && call.args.len() == 1 {
                return self.has(call);
            }
            return Ok(Kind::Call(Box::new(call)));
        };
        if matches!(&target.kind, Kind::Name(Name { text, .. }) if text == "cel") {
            call.target = Some(target);
            return self.namespaced(call);
        }
        let Some((form, variables)) = form(&call.function, call.args.len()) else {
            call.target = Some(target);
            return Ok(Kind::Call(Box::new(call)));
        };
        let mut args = call.args.into_iter();
        let mut names = Vec::new();
        for arg in args.by_ref().take(variables) {
            match variable(&arg) {
                Some(name) if names.iter().any(|it: &Variable| it.name == name.name) => {
                    self.note(mistake("the two variables have the same name", arg.at))?;
                }
                Some(name) => names.push(name),
                None => self.note(mistake(no_name(form), arg.at))?,
            }
        }
        let rest: Vec<Expr> = args.collect();
        let count = rest.len();
        let mut rest = rest.into_iter();
        let filter = if count == 2 { rest.next() } else { None };
        let Some(body) = rest.next() else { return Err(Box::new(mistake("the macro has no body", target.span))) };
        let underscore = call.function == "exists_one";
        Ok(Kind::Loop(Box::new(Loop { form, underscore, range: target, variables: names, filter, body })))
    }

    fn has(&mut self, mut call: Call) -> Result<Kind> {
        match call.args.pop() {
            Some(Expr { kind: Kind::Select(select), .. }) if !select.optional => Ok(Kind::Has(select)),
            arg => {
                let at = arg.map_or(call.name, |it| it.at);
                let help = Some("write `has(value.field)`".to_owned());
                Err(Box::new(Diagnostic { help, ..mistake("invalid argument to has() macro", at) }))
            }
        }
    }

    /// `cel.bind(…)` and what optimisers write.
    fn namespaced(&mut self, mut call: Call) -> Result<Kind> {
        match (call.function.as_str(), call.args.as_slice()) {
            ("bind", [_, _, _]) => {
                let mut args = call.args.drain(..);
                let (Some(name), Some(value), Some(body)) = (args.next(), args.next(), args.next()) else {
                    return Err(Box::new(mistake("cel.bind() takes three arguments", call.name)));
                };
                let Some(variable) = variable(&name) else {
                    return Err(Box::new(mistake("cel.bind() variable names must be simple identifiers", name.at)));
                };
                Ok(Kind::Bind(Box::new(Bind { variable, value, body })))
            }
            ("block", [slots, _]) if self.dialect.blocks && is_plain_list(slots) => {
                let mut args = call.args.drain(..);
                match (args.next(), args.next()) {
                    (Some(Expr { kind: Kind::List(slots), .. }), Some(body)) => {
                        let slots = slots.into_iter().map(|it| it.value).collect();
                        Ok(Kind::Block(Box::new(Block { slots, body })))
                    }
                    _ => Err(Box::new(mistake("cel.block() takes a list and an expression", call.name))),
                }
            }
            ("index", [index]) if self.dialect.blocks => numbered(&[index], |it| slot_name(it[0]), call.name),
            ("iterVar", [depth, unique]) if self.dialect.blocks => {
                numbered(&[depth, unique], |it| numbered_name(it[0], it[1]), call.name)
            }
            _ => Ok(Kind::Call(Box::new(call))),
        }
    }
}

/// A list whose elements are all there.
fn is_plain_list(expr: &Expr) -> bool {
    matches!(&expr.kind, Kind::List(elements) if elements.iter().all(|it| !it.optional))
}

/// A name made of constant numbers.
fn numbered(args: &[&Expr], name: impl FnOnce(&[u64]) -> String, at: Span) -> Result<Kind> {
    let number = |it: &&Expr| match &it.kind {
        Kind::Literal(literal) => match literal.value {
            Constant::Int(int) => u64::try_from(int).ok(),
            _ => None,
        },
        _ => None,
    };
    let numbers: Option<Vec<u64>> = args.iter().map(number).collect();
    let numbers = numbers.ok_or_else(|| Box::new(mistake("the number must be a constant that is not negative", at)))?;
    Ok(Kind::Name(Name { text: name(&numbers), absolute: false }))
}

/// The macro of this name with so many arguments, and how many of them are variables.
fn form(name: &str, args: usize) -> Option<(Form, usize)> {
    Some(match (name, args) {
        ("all", 2) => (Form::All, 1),
        ("all", 3) => (Form::All, 2),
        ("exists", 2) => (Form::Exists, 1),
        ("exists", 3) => (Form::Exists, 2),
        ("exists_one" | "existsOne", 2) => (Form::ExistsOne, 1),
        ("exists_one" | "existsOne", 3) => (Form::ExistsOne, 2),
        ("map", 2 | 3) => (Form::Map, 1),
        ("filter", 2) => (Form::Filter, 1),
        ("transformList", 3 | 4) => (Form::TransformList, 2),
        ("transformMap", 3 | 4) => (Form::TransformMap, 2),
        ("transformMapEntry", 3 | 4) => (Form::TransformMapEntry, 2),
        ("sortBy", 2) => (Form::SortBy, 1),
        ("optMap", 2) => (Form::OptMap, 1),
        ("optFlatMap", 2) => (Form::OptFlatMap, 1),
        _ => return None,
    })
}

fn variable(arg: &Expr) -> Option<Variable> {
    match &arg.kind {
        Kind::Name(Name { text, absolute: false }) => Some(Variable { name: text.clone(), span: arg.span }),
        _ => None,
    }
}

/// What cel-go says of a variable that is no name.
fn no_name(form: Form) -> &'static str {
    match form {
        Form::All | Form::Exists | Form::ExistsOne => "argument must be a simple name",
        Form::Map | Form::Filter => "argument is not an identifier",
        Form::TransformList | Form::TransformMap | Form::TransformMapEntry => "argument must be a simple name",
        Form::SortBy => "sortBy() variable name must be a simple identifier",
        Form::OptMap => "optMap() variable name must be a simple identifier",
        Form::OptFlatMap => "optFlatMap() variable name must be a simple identifier",
    }
}
