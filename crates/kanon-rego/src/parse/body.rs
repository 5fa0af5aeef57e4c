//! Bodies and their expressions.

use super::{Parsed, Parser};
use crate::{
    ast::{Body, Every, Literal, LiteralKind, Term, Text, With},
    lex::Tok,
};
use kanon_lang::Span;

/// Expressions of a body.
pub(super) const MAX_LITERALS: usize = 500;

impl Parser<'_> {
    /// `{ … }`; the opening brace stands here.
    pub(super) fn braced_body(&mut self, end: &str) -> Parsed<Body> {
        self.advance()?;
        self.nested(|this| this.body_until(end))
    }

    /// Expressions up to `end`, which is taken.
    pub(super) fn body_until(&mut self, end: &str) -> Parsed<Body> {
        if self.at_sign(end) {
            return Err(self.mistake("the body is empty"));
        }
        let mut body = Vec::new();
        loop {
            body.push(self.literal()?);
            if body.len() > MAX_LITERALS {
                return Err(self.mistake(format!("body has more than {MAX_LITERALS} expressions")));
            }
            let separated = self.take_sign(";")?;
            if self.take_sign(end)? {
                return Ok(body);
            }
            if !separated && !self.token().newline {
                return Err(self.unexpected(&format!("expected a new line, `;` or `{end}`")));
            }
            if self.at_end() {
                return Err(self.unexpected(&format!("expected `{end}`")));
            }
        }
    }

    pub(super) fn literal(&mut self) -> Parsed<Literal> {
        let start = self.span();
        let negated = self.take_keyword("not")?;
        if negated && (self.at_keyword("some") || self.at_keyword("every") || self.at_keyword("not")) {
            return Err(self.unexpected("it cannot be negated"));
        }
        let kind = if self.at_keyword("some") {
            self.some()?
        } else if self.at_keyword("every") {
            self.nested(Self::every)?
        } else {
            let left = self.expr_in(true)?;
            if self.take_sign(":=")? {
                LiteralKind::Assign(left, self.expr_in(true)?)
            } else if self.take_sign("=")? {
                LiteralKind::Unify(left, self.expr_in(true)?)
            } else {
                LiteralKind::Term(left)
            }
        };
        let mut with = Vec::new();
        while self.at_keyword("with") {
            if matches!(kind, LiteralKind::Some(_)) {
                return Err(self.unexpected("a declaration has no `with`"));
            }
            self.advance()?;
            if self.word().is_none() {
                return Err(self.unexpected("expected what to replace"));
            }
            let target = self.primary()?;
            if target.path().is_none() {
                return Err(self.mistake_at("`with` replaces a path of `input` or `data`, or a function", target.span));
            }
            if !self.take_keyword("as")? {
                return Err(self.unexpected("expected `as`"));
            }
            let value = self.expr_in(true)?;
            with.push(With { target, value });
        }
        Ok(Literal { kind, negated, with, span: self.since(start) })
    }

    fn some(&mut self) -> Parsed<LiteralKind> {
        self.advance()?;
        let start = self.at;
        // `some k, v in xs` and `some k, v` begin alike.
        let with_domain = self.some_in();
        match with_domain {
            Ok(Some(kind)) => return Ok(kind),
            Ok(None) => self.at = start,
            Err(mistake) => {
                // Names that only have to be declared always parse.
                if !matches!(self.token().tok, Tok::Name | Tok::Sign(",")) || self.fuel == 0 {
                    return Err(mistake);
                }
                self.at = start;
            }
        }
        let mut names = Vec::new();
        loop {
            let name = self.name()?;
            names.push(name);
            if !self.take_sign(",")? {
                return Ok(LiteralKind::Some(names));
            }
        }
    }

    fn some_in(&mut self) -> Parsed<Option<LiteralKind>> {
        let first = self.expr(2)?;
        let (key, value) = if self.take_sign(",")? { (Some(first), self.expr(2)?) } else { (None, first) };
        if !self.keywords.in_ || self.word() != Some("in") {
            return Ok(None);
        }
        self.advance()?;
        Ok(Some(LiteralKind::SomeIn(key, value, self.expr(2)?)))
    }

    fn name(&mut self) -> Parsed<(Text, Span)> {
        let Some(name) = self.word().filter(|name| !self.is_reserved(name) || *name == "contains") else {
            return Err(self.unexpected("expected a name"));
        };
        let span = self.span();
        self.advance()?;
        Ok((name.into(), span))
    }

    fn every(&mut self) -> Parsed<LiteralKind> {
        self.advance()?;
        let first = self.name()?;
        let (key, value) = if self.take_sign(",")? { (Some(first), self.name()?) } else { (None, first) };
        if self.word() != Some("in") {
            return Err(self.unexpected("expected `in`"));
        }
        self.advance()?;
        let domain: Term = self.expr(2)?;
        if !self.at_sign("{") {
            return Err(self.unexpected("expected `{`"));
        }
        let body = self.braced_body("}")?;
        Ok(LiteralKind::Every(Box::new(Every { key, value, domain, body })))
    }
}
