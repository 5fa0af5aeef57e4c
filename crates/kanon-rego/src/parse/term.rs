//! Terms: operators by precedence, references, calls, literals, comprehensions and templates.

use super::{MAX_DEPTH, Parsed, Parser};
use crate::{
    ast::{Infix, LiteralKind, Part, Term, TermKind},
    lex::Tok,
};
use kanon_lang::Span;

/// Larger exponents than OPA takes.
const MAX_EXPONENT: u32 = 30_000;

impl Parser<'_> {
    fn node(&self, kind: TermKind, start: Span) -> Parsed<Term> {
        self.node_at(kind, self.since(start))
    }

    fn node_at(&self, kind: TermKind, span: Span) -> Parsed<Term> {
        let term = Term::new(kind, span);
        if term.depth > MAX_DEPTH {
            return Err(self.mistake_at(format!("expression has more than {MAX_DEPTH} levels"), span));
        }
        Ok(term)
    }

    /// A term with all operators, `in` included; `k, v in xs` too where `pair` is set.
    pub(super) fn expr_in(&mut self, pair: bool) -> Parsed<Term> {
        self.nested(|this| {
            let first = this.expr(2)?;
            this.member(first, pair)
        })
    }

    /// What follows a first operand: `in xs`, `, v in xs`.
    fn member(&mut self, first: Term, pair: bool) -> Parsed<Term> {
        let mut term = first;
        if pair && self.keywords.in_ && self.at_sign(",") {
            let start = self.at;
            let fuel = self.fuel;
            self.advance()?;
            match self.expr(2) {
                Ok(value) if self.word() == Some("in") => {
                    self.advance()?;
                    let domain = self.expr(2)?;
                    let span = term.span;
                    term = self.node(TermKind::Member(Some(Box::new(term)), Box::new((value, domain))), span)?;
                }
                _ => {
                    self.at = start;
                    self.fuel = self.fuel.min(fuel);
                }
            }
        }
        while self.keywords.in_
            && self.word() == Some("in")
            && !(self.ref_follows() && matches!(self.peek(1).tok, Tok::Sign(".")))
        {
            self.advance()?;
            let domain = self.expr(2)?;
            let span = term.span;
            term = self.node(TermKind::Member(None, Box::new((term, domain))), span)?;
        }
        Ok(term)
    }

    /// A term with operators that bind at least as tightly as `level`.
    pub(super) fn expr(&mut self, level: u8) -> Parsed<Term> {
        let first = self.primary()?;
        self.operators(first, level)
    }

    fn infix(&self) -> Option<Infix> {
        let Tok::Sign(sign) = self.token().tok else { return None };
        Some(match sign {
            "==" => Infix::Equal,
            "!=" => Infix::NotEqual,
            "<" => Infix::Less,
            "<=" => Infix::LessEqual,
            ">" => Infix::Greater,
            ">=" => Infix::GreaterEqual,
            "|" => Infix::Or,
            "&" => Infix::And,
            "+" => Infix::Plus,
            "-" => Infix::Minus,
            "*" => Infix::Times,
            "/" => Infix::Divide,
            "%" => Infix::Remainder,
            _ => return None,
        })
    }

    fn operators(&mut self, first: Term, level: u8) -> Parsed<Term> {
        let mut left = first;
        while let Some(infix) = self.infix().filter(|it| it.level() >= level) {
            self.advance()?;
            let right = self.primary()?;
            let right = self.operators(right, infix.level() + 1)?;
            let span = left.span;
            left = self.node(TermKind::Infix(infix, Box::new((left, right))), span)?;
        }
        Ok(left)
    }

    /// A term without operators.
    pub(super) fn primary(&mut self) -> Parsed<Term> {
        self.nested(Self::primary_here)
    }

    fn primary_here(&mut self) -> Parsed<Term> {
        let start = self.span();
        let token = self.token().clone();
        let head = match token.tok {
            Tok::Str(text) => {
                self.advance()?;
                self.node(TermKind::Str(text.into()), start)?
            }
            Tok::Template { text, open, .. } => self.template(text, open, start)?,
            Tok::Number | Tok::Sign("-" | ".") => self.number()?,
            Tok::Sign("[") => self.array()?,
            Tok::Sign("{") => self.set_or_object()?,
            Tok::Sign("(") => {
                self.advance()?;
                let mut inner = self.expr_in(true)?;
                if !self.take_sign(")")? {
                    return Err(self.unexpected("expected `)`"));
                }
                inner.span = self.since(start);
                inner
            }
            Tok::Name => self.named()?,
            Tok::Sign(_) | Tok::End => return Err(self.unexpected("expected a term")),
        };
        self.finish(head, start)
    }

    fn named(&mut self) -> Parsed<Term> {
        let span = self.span();
        let word = self.text(span);
        let is_name = self.ref_follows() || word == "contains" || !self.is_reserved(word);
        self.advance()?;
        let kind = match word {
            _ if is_name => TermKind::Var(word.into()),
            "null" => TermKind::Null,
            "true" => TermKind::Bool(true),
            "false" => TermKind::Bool(false),
            _ => {
                self.at -= 1;
                return Err(self.unexpected("expected a term"));
            }
        };
        self.node(kind, span)
    }

    /// Operands and arguments that follow without whitespace.
    fn finish(&mut self, head: Term, start: Span) -> Parsed<Term> {
        let mut head = head;
        let mut operands: Vec<Term> = Vec::new();
        while !self.token().spaced {
            match self.token().tok {
                Tok::Sign("." | "[") => {
                    let may = matches!(
                        head.kind,
                        TermKind::Var(_)
                            | TermKind::Ref(..)
                            | TermKind::Call(..)
                            | TermKind::Array(_)
                            | TermKind::Set(_)
                            | TermKind::Object(_)
                            | TermKind::ArrayOf(..)
                            | TermKind::SetOf(..)
                            | TermKind::ObjectOf(..)
                    );
                    if !may {
                        return Err(self.mistake_at("a reference cannot begin with this", head.span));
                    }
                    operands.push(self.operand()?);
                    if operands.len() > 256 {
                        return Err(self.mistake("reference is longer than 256 parts"));
                    }
                }
                Tok::Sign("(") => {
                    let callee = self.reference(head, std::mem::take(&mut operands), start)?;
                    if !matches!(callee.kind, TermKind::Var(_) | TermKind::Ref(..)) {
                        return Err(self.mistake_at("only functions can be called", callee.span));
                    }
                    let args = self.args()?;
                    let kind = if args.is_empty() && callee.as_var() == Some("set") {
                        TermKind::Set(args)
                    } else {
                        TermKind::Call(Box::new(callee), args)
                    };
                    head = self.node(kind, start)?;
                }
                _ => break,
            }
        }
        self.reference(head, operands, start)
    }

    fn reference(&self, head: Term, operands: Vec<Term>, start: Span) -> Parsed<Term> {
        if operands.is_empty() {
            return Ok(head);
        }
        self.node(TermKind::Ref(Box::new(head), operands), start)
    }

    /// `.name` or `[term]`.
    pub(super) fn operand(&mut self) -> Parsed<Term> {
        if self.take_sign(".")? {
            let span = self.span();
            let Some(name) = self.word().filter(|_| !self.token().spaced) else {
                return Err(self.unexpected("expected a name"));
            };
            self.advance()?;
            return self.node(TermKind::Str(name.into()), span);
        }
        self.advance()?;
        let term = self.expr_in(true)?;
        self.expect_sign("]")?;
        Ok(term)
    }

    /// `(a, b)`
    pub(super) fn args(&mut self) -> Parsed<Vec<Term>> {
        self.advance()?;
        self.list(")", Vec::new())
    }

    /// Terms up to `end`, which is taken; `first` stand before.
    fn list(&mut self, end: &str, first: Vec<Term>) -> Parsed<Vec<Term>> {
        let mut terms = first;
        while !self.take_sign(end)? {
            terms.push(self.expr_in(false)?);
            if !self.take_sign(",")? && !self.at_sign(end) {
                return Err(self.unexpected(&format!("expected `,` or `{end}`")));
            }
        }
        Ok(terms)
    }

    fn number(&mut self) -> Parsed<Term> {
        let start = self.span();
        let mut text = String::new();
        if self.take_sign("-")? {
            text.push('-');
        }
        if self.take_sign(".")? {
            text.push_str("0.");
        }
        if self.token().tok != Tok::Number {
            return Err(self.unexpected("expected a number"));
        }
        let digits = self.text(self.span());
        let fraction = text.ends_with('.');
        if !fraction && digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit() {
            return Err(self.mistake("expected number without leading zero"));
        }
        let exponent = digits.split(['e', 'E']).nth(1).map(|it| it.trim_start_matches(['+', '-']));
        if exponent.is_some_and(|it| it.parse::<u32>().map_or(true, |it| it > MAX_EXPONENT)) || digits.len() > 4_000 {
            return Err(self.mistake("number too big"));
        }
        text.push_str(digits);
        self.advance()?;
        self.node(TermKind::Number(text.into()), start)
    }

    fn array(&mut self) -> Parsed<Term> {
        let start = self.span();
        self.advance()?;
        if self.take_sign("]")? {
            return self.node(TermKind::Array(Vec::new()), start);
        }
        let comma = self.take_sign(",")?;
        let begin = self.at;
        let head = self.primary()?;
        if self.at_sign("|") && !comma {
            match self.comprehension("]", begin)? {
                Some(body) => return self.node(TermKind::ArrayOf(Box::new(head), body), start),
                None => {
                    let items = self.list("]", Vec::new())?;
                    return self.node(TermKind::Array(items), start);
                }
            }
        }
        let items = self.after_first(head, "]")?;
        self.node(TermKind::Array(items), start)
    }

    /// The first element of a list is `head` and what follows it; then the others.
    fn after_first(&mut self, head: Term, end: &str) -> Parsed<Vec<Term>> {
        let first = self.operators(head, 2)?;
        let first = self.member(first, false)?;
        if !self.take_sign(",")? && !self.at_sign(end) {
            return Err(self.unexpected(&format!("expected `,` or `{end}`")));
        }
        self.list(end, vec![first])
    }

    /// The body after `|`. `None` where a comma shows that this is a list after all: parsing is back at `begin`.
    fn comprehension(&mut self, end: &str, begin: usize) -> Parsed<Option<Vec<crate::ast::Literal>>> {
        self.advance()?;
        match self.nested(|this| this.body_until(end)) {
            Ok(body) => Ok(Some(body)),
            Err(_) if self.at_sign(",") && self.fuel > 0 => {
                self.at = begin;
                Ok(None)
            }
            Err(mistake) => Err(mistake),
        }
    }

    fn set_or_object(&mut self) -> Parsed<Term> {
        let start = self.span();
        self.advance()?;
        if self.take_sign("}")? {
            return self.node(TermKind::Object(Vec::new()), start);
        }
        let comma = self.take_sign(",")?;
        let begin = self.at;
        let head = self.primary()?;
        if self.at_sign("|") && !comma {
            match self.comprehension("}", begin)? {
                Some(body) => return self.node(TermKind::SetOf(Box::new(head), body), start),
                None => {
                    let items = self.list("}", Vec::new())?;
                    return self.node(TermKind::Set(items), start);
                }
            }
        }
        let first = self.operators(head, 2)?;
        let first = self.member(first, false)?;
        if self.take_sign(":")? {
            return self.object(first, start, comma);
        }
        if !self.take_sign(",")? && !self.at_sign("}") {
            return Err(self.unexpected("expected `,`, `:` or `}`"));
        }
        let items = self.list("}", vec![first])?;
        self.node(TermKind::Set(items), start)
    }

    /// An object from its first value on.
    fn object(&mut self, key: Term, start: Span, comma: bool) -> Parsed<Term> {
        let head = self.primary()?;
        if self.at_sign("|") && !comma {
            self.advance()?;
            let body = self.nested(|this| this.body_until("}"))?;
            return self.node(TermKind::ObjectOf(Box::new((key, head)), body), start);
        }
        let value = self.operators(head, 2)?;
        let value = self.member(value, false)?;
        let mut members = vec![(key, value)];
        loop {
            if self.take_sign("}")? {
                return self.node(TermKind::Object(members), start);
            }
            if !self.take_sign(",")? {
                return Err(self.unexpected("expected `,` or `}`"));
            }
            if self.at_sign("}") {
                continue;
            }
            let key = self.expr_in(false)?;
            self.expect_sign(":")?;
            let value = self.expr_in(false)?;
            members.push((key, value));
        }
    }

    fn template(&mut self, text: String, open: bool, start: Span) -> Parsed<Term> {
        self.advance()?;
        let mut parts = Vec::new();
        if !text.is_empty() {
            parts.push(Part::Text(text.into()));
        }
        let mut open = open;
        while open {
            let literal = self.literal()?;
            if literal.negated || !matches!(literal.kind, LiteralKind::Term(_)) {
                return Err(self.mistake_at("a template takes terms only", literal.span));
            }
            parts.push(Part::Expr(literal));
            let Tok::Template { text, first: false, open: more } = &self.token().tok else {
                return Err(self.unexpected("expected `}`"));
            };
            let (text, more) = (text.clone(), *more);
            self.advance()?;
            if !text.is_empty() {
                parts.push(Part::Text(text.into()));
            }
            open = more;
        }
        self.node(TermKind::Template(parts), start)
    }
}
