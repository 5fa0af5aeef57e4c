//! Calls by name, pipes and predicates.

use kanon_lang::Span;

use super::{Parser, Result};
use crate::{
    ast::{Id, Kind},
    builtins::{Builtin, Parameter},
};

impl<'s> Parser<'s> {
    /// `left | name(…)`, with what follows the call.
    pub(super) fn pipe(&mut self, left: Id) -> Result<Id> {
        let at = self.span();
        let name = self.expect_name()?;
        let call = self.call(name, Some(left), at)?;
        self.postfix(call)
    }

    /// The call of `name`, whose token is read already; `first` comes out of a pipe.
    pub(super) fn call(&mut self, name: &'s str, first: Option<Id>, at: Span) -> Result<Id> {
        let start = first.map_or(at, |first| self.span_of(first));
        let args: Vec<Id> = first.into_iter().collect();
        let kind = match Builtin::parse(name).filter(|_| !self.is_function(name)) {
            Some(builtin) => match builtin.parameters() {
                Some(parameters) => {
                    Kind::Builtin { builtin, args: self.predicate_arguments(builtin, parameters, args)? }
                }
                None => Kind::Builtin { builtin, args: self.arguments(args)? },
            },
            None => match self.name(name) {
                Kind::Unbound(name) => Kind::Function { name, args: self.arguments(args)?, method: false },
                kind => {
                    let callee = self.node(kind, at, at)?;
                    Kind::Call { callee, args: self.arguments(args)?, method: false }
                }
            },
        };
        let span = start.to(self.last_span());
        self.node(kind, span, at)
    }

    pub(super) fn arguments(&mut self, args: Vec<Id>) -> Result<Vec<Id>> {
        let (mut args, given) = (args, 0);
        let piped = args.len();
        self.expect_bracket(b'(')?;
        while !self.is_bracket(b')') {
            if args.len() > piped + given {
                self.expect_sign(",")?;
                if self.is_bracket(b')') {
                    break;
                }
            }
            args.push(self.expression(0)?);
        }
        self.advance();
        Ok(args)
    }

    fn predicate_arguments(&mut self, builtin: Builtin, parameters: &[Parameter], args: Vec<Id>) -> Result<Vec<Id>> {
        let mut args = args;
        let piped = args.len();
        self.expect_bracket(b'(')?;
        for parameter in &parameters[piped..] {
            let optional = matches!(parameter, Parameter::OptionalPredicate | Parameter::OptionalValue);
            if optional && self.is_bracket(b')') {
                break;
            }
            if args.len() > piped {
                // A comma may stand before the closing bracket.
                self.expect_sign(",")?;
                if optional && self.is_bracket(b')') {
                    break;
                }
            }
            args.push(match parameter {
                Parameter::Value | Parameter::OptionalValue => self.expression(0)?,
                // A predicate takes as much stack as two ordinary levels.
                Parameter::Predicate | Parameter::OptionalPredicate => {
                    self.nested(|parser| parser.predicate(builtin, args[0]))?
                }
            });
        }
        self.eat_sign(",");
        self.expect_bracket(b')')?;
        Ok(args)
    }

    fn predicate(&mut self, builtin: Builtin, collection: Id) -> Result<Id> {
        let start = self.span();
        self.predicates.push((builtin, collection));
        let body = if self.is_bracket(b'{') {
            self.advance();
            let body = self.sequence()?;
            self.expect_bracket(b'}')?;
            body
        } else {
            let body = self.expression(0)?;
            if self.is_sign(";") {
                return self.fail("wrap predicate with brackets { and }", self.span());
            }
            body
        };
        self.predicates.pop();
        let span = start.to(self.last_span());
        self.node(Kind::Predicate(body), span, start)
    }
}
