//! Package, imports, and rules.

use kanon_lang::Span;

use super::{Keywords, Parsed, Parser};
use crate::{
    ast::{Body, Else, Head, Import, Module, Rule, Term, TermKind, Text},
    lex::Tok,
};

impl Parser<'_> {
    pub(super) fn package(&mut self) -> Parsed<(Vec<Text>, Span)> {
        if self.at_end() {
            return Err(self.mistake("the text is empty: a module begins with `package`"));
        }
        if !self.take_keyword("package")? {
            return Err(self.unexpected("a module begins with `package`"));
        }
        let start = self.span();
        let path = self.constant_path()?;
        let span = self.since(start);
        if !self.at_end() && !self.token().newline && !self.take_sign(";")? {
            return Err(self.unexpected("expected a new line"));
        }
        Ok((path, span))
    }

    /// `a.b["c"]`, as packages and imports have it.
    fn constant_path(&mut self) -> Parsed<Vec<Text>> {
        let Some(first) = self.word() else { return Err(self.unexpected("expected a name")) };
        let mut path = vec![first.into()];
        self.advance()?;
        loop {
            if self.token().spaced {
                return Ok(path);
            }
            if self.take_sign(".")? {
                let Some(name) = self.word().filter(|_| !self.token().spaced) else {
                    return Err(self.unexpected("expected a name"));
                };
                path.push(name.into());
                self.advance()?;
            } else if self.take_sign("[")? {
                let Tok::Str(text) = &self.token().tok else { return Err(self.unexpected("expected a string")) };
                path.push(text.as_str().into());
                self.advance()?;
                self.expect_sign("]")?;
            } else {
                return Ok(path);
            }
            if path.len() > 64 {
                return Err(self.mistake("path is longer than 64 names"));
            }
        }
    }

    pub(super) fn import(&mut self) -> Parsed<Import> {
        let start = self.span();
        self.advance()?;
        let place = self.span();
        let path = self.constant_path()?;
        let alias = if self.take_keyword("as")? {
            let Some(name) = self.word() else { return Err(self.unexpected("expected a name")) };
            if self.is_reserved(name) {
                return Err(self.unexpected("expected a name"));
            }
            self.advance()?;
            Some(name.into())
        } else {
            None
        };
        let span = self.since(start);
        let shown = path.join(".");
        match path.first().map(AsRef::as_ref) {
            Some("data" | "input") => {}
            Some("rego") if shown == "rego.v1" && alias.is_none() => {}
            Some("future") if matches!(path.get(1).map(AsRef::as_ref), Some("keywords")) && path.len() <= 3 => {
                let known = ["contains", "every", "if", "in", "not"];
                if path.get(2).is_some_and(|word| !known.contains(&word.as_ref())) {
                    return Err(self.mistake_at(format!("unknown keyword in `import {shown}`"), place));
                }
                if alias.is_some() {
                    return Err(self.mistake_at("`future` imports cannot be aliased", span));
                }
            }
            _ => {
                let message =
                    format!("cannot import `{shown}`: the path begins with `data`, `input`, `future` or `rego`");
                return Err(self.mistake_at(message, place));
            }
        }
        if !self.at_end() && !self.token().newline && !self.take_sign(";")? {
            return Err(self.unexpected("expected a new line"));
        }
        Ok(Import { path, alias, span })
    }

    /// What an import changes about the syntax.
    pub(super) fn switch_on(&mut self, import: &Import, module: &mut Module) {
        match import.path.iter().map(AsRef::as_ref).collect::<Vec<_>>().as_slice() {
            ["rego", "v1"] => {
                self.keywords = Keywords::ALL;
                self.v1 = true;
            }
            ["future", "keywords"] => self.keywords = Keywords::ALL,
            ["future", "keywords", word] => match *word {
                "contains" => self.keywords.contains = true,
                "if" => self.keywords.if_ = true,
                "in" => self.keywords.in_ = true,
                "every" => {
                    self.keywords.every = true;
                    self.keywords.in_ = true;
                }
                "not" => module.plain_not = true,
                _ => {}
            },
            _ => {}
        }
    }

    /// One rule, and a definition for each of its further bodies.
    pub(super) fn rules(&mut self, out: &mut Vec<Rule>) -> Parsed<()> {
        let start = self.span();
        let is_default = self.take_keyword("default")?;
        let (mut head, contains) = self.head(start)?;
        if is_default {
            self.check_default(&head, contains)?;
            out.push(Rule { head, body: Vec::new(), otherwise: Vec::new(), is_default, span: self.since(start) });
            return Ok(());
        }
        let has_if = self.take_keyword("if")?;
        let braces = self.at_sign("{");
        if braces && !has_if && self.v1 {
            let mut mistake = self.mistake("`if` keyword is required before rule body");
            mistake.help = Some("write `if` before the opening brace, or load the text as Rego v0".to_owned());
            return Err(mistake);
        }
        // `p[x] { … }` of v0 adds x to a set.
        if !contains && !has_if && head.args.is_none() && head.value.is_none() && head.path.len() == 2 {
            if self.v1 {
                let mut mistake = self.mistake_at("`contains` keyword is required for partial set rules", head.span);
                mistake.help = Some("write `name contains element`".to_owned());
                return Err(mistake);
            }
            head.element = head.path.pop();
        }
        if !has_if && !braces {
            if head.value.is_none() && head.element.is_none() {
                let name = self.text(head.span);
                return Err(self.mistake_at(format!("`{name}` has neither a value nor a body"), head.span));
            }
            out.push(Rule { head, body: Vec::new(), otherwise: Vec::new(), is_default, span: self.since(start) });
            return self.end_of_statement();
        }
        let body = if has_if { self.if_body()? } else { self.braced_body("}")? };
        let mut otherwise = Vec::new();
        while self.at_keyword("else") {
            let place = self.span();
            if head.element.is_some() {
                return Err(self.mistake("`else` cannot be used on rules with several values"));
            }
            if head.path.iter().skip(1).any(|operand| operand.as_str().is_none() && !is_scalar(operand)) {
                return Err(self.mistake("`else` cannot be used on rules with variables in their head"));
            }
            otherwise.push(self.otherwise(place)?);
        }
        let chained = otherwise.is_empty();
        out.push(Rule { head: head.clone(), body, otherwise, is_default, span: self.since(start) });
        while chained && self.at_sign("{") {
            let place = self.span();
            let body = self.braced_body("}")?;
            out.push(Rule { head: head.clone(), body, otherwise: Vec::new(), is_default, span: self.since(place) });
        }
        self.end_of_statement()
    }

    fn end_of_statement(&mut self) -> Parsed<()> {
        while self.take_sign(";")? {}
        if self.at_end() || self.token().newline || matches!(self.token().tok, Tok::Name) {
            return Ok(());
        }
        Err(self.unexpected("expected a new line"))
    }

    fn otherwise(&mut self, place: Span) -> Parsed<Else> {
        self.advance()?;
        let value = if self.take_sign(":=")? || self.take_sign("=")? { Some(self.expr_in(true)?) } else { None };
        let has_if = self.take_keyword("if")?;
        let body = if has_if {
            self.if_body()?
        } else if self.at_sign("{") {
            if self.v1 {
                return Err(self.mistake("`if` keyword is required before rule body"));
            }
            self.braced_body("}")?
        } else if value.is_some() {
            Vec::new()
        } else {
            return Err(self.unexpected("expected the value of `else` or its body"));
        };
        Ok(Else { value, body, span: self.since(place) })
    }

    fn head(&mut self, start: Span) -> Parsed<(Head, bool)> {
        let Some(name) = self.word() else { return Err(self.unexpected("expected a rule")) };
        if self.is_reserved(name) && !self.ref_follows() && name != "contains" {
            return Err(self.unexpected("expected a rule"));
        }
        if name == "data" || name == "input" {
            return Err(self.mistake(format!("rules cannot be named `{name}`")));
        }
        let place = self.span();
        let mut path = vec![Term::var(name, place)];
        self.advance()?;
        while !self.token().spaced && (self.at_sign(".") || self.at_sign("[")) {
            let operand = self.operand()?;
            path.push(operand);
            if path.len() > 32 {
                return Err(self.mistake("rule name is longer than 32 parts"));
            }
        }
        let args = if !self.token().spaced && self.at_sign("(") { Some(self.args()?) } else { None };
        let mut head = Head { path, args, element: None, value: None, span: self.since(start) };
        if self.word() == Some("contains") && self.keywords.contains && !self.ref_follows() {
            if head.args.is_some() {
                return Err(self.mistake("`contains` cannot be used with functions"));
            }
            self.advance()?;
            head.element = Some(self.expr_in(true)?);
            head.span = self.since(start);
            return Ok((head, true));
        }
        if self.take_sign(":=")? || self.take_sign("=")? {
            head.value = Some(self.expr_in(true)?);
        }
        head.span = self.since(start);
        Ok((head, false))
    }

    fn check_default(&self, head: &Head, contains: bool) -> Parsed<()> {
        if contains {
            return Err(self.mistake_at("a default cannot be given to a rule with several values", head.span));
        }
        let Some(value) = &head.value else {
            return Err(self.mistake_at("a default must have a value", head.span));
        };
        if head.path.iter().skip(1).any(|operand| operand.as_str().is_none()) {
            return Err(self.mistake_at("the name of a default cannot contain variables", head.span));
        }
        if let Some(place) = not_constant(value) {
            return Err(self.mistake_at("the value of a default must be constant", place));
        }
        let mut seen = Vec::new();
        for arg in head.args.iter().flatten() {
            let Some(name) = arg.as_var() else {
                return Err(self.mistake_at("parameters of a default must be names", arg.span));
            };
            if name != "_" && seen.contains(&name) {
                return Err(self.mistake_at(format!("parameter `{name}` is repeated"), arg.span));
            }
            seen.push(name);
        }
        Ok(())
    }

    /// The body after `if`: braces around several expressions, or one expression, which may begin with a brace itself.
    fn if_body(&mut self) -> Parsed<Body> {
        if !self.at_sign("{") {
            return Ok(vec![self.literal()?]);
        }
        let start = self.at;
        let body = self.braced_body("}").and_then(|body| {
            let goes_on = matches!(self.token().tok, Tok::Sign(sign) if !["{", ";"].contains(&sign))
                || self.at_keyword("in")
                || self.at_keyword("with");
            // `if {"a"} == x` is an expression; `if { … }` with something odd behind it is not helped by that reading.
            if goes_on && !self.token().newline { Err(self.unexpected("expected a new line")) } else { Ok(body) }
        });
        let mistake = match body {
            Ok(body) => return Ok(body),
            Err(mistake) => mistake,
        };
        let (failed, nesting) = (self.at, self.nesting);
        self.at = start;
        match self.literal() {
            Ok(literal) => Ok(vec![literal]),
            Err(_) => {
                (self.at, self.nesting) = (failed, nesting);
                Err(mistake)
            }
        }
    }
}

fn is_scalar(term: &Term) -> bool {
    matches!(term.kind, TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::Str(_))
}

/// The first part of a default's value that is not constant; comprehensions may read what they like.
fn not_constant(term: &Term) -> Option<Span> {
    match &term.kind {
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::Str(_) => None,
        TermKind::ArrayOf(..) | TermKind::SetOf(..) | TermKind::ObjectOf(..) => None,
        TermKind::Array(items) | TermKind::Set(items) => items.iter().find_map(not_constant),
        TermKind::Object(members) => members.iter().find_map(|(k, v)| not_constant(k).or_else(|| not_constant(v))),
        TermKind::Template(parts) if parts.iter().all(|part| matches!(part, crate::ast::Part::Text(_))) => None,
        TermKind::Template(_)
        | TermKind::Var(_)
        | TermKind::Ref(..)
        | TermKind::Call(..)
        | TermKind::Infix(..)
        | TermKind::Member(..) => Some(term.span),
    }
}
