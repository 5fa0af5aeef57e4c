//! Literals, names, brackets and what follows them: members, indexes, slices.

use kanon_lang::{Diagnostics, Span, did_you_mean};

use super::{Parser, Result};
use crate::{
    ast::{Id, Kind, UnaryOp},
    builtins::Builtin,
    functions,
    lexer::{TokenKind, is_word_start},
};

impl<'s> Parser<'s> {
    pub(super) fn primary(&mut self) -> Result<Id> {
        let at = self.span();
        let node = match *self.kind() {
            TokenKind::Operator(sign @ ("not" | "!" | "-" | "+")) => {
                self.advance();
                let (op, precedence) = match sign {
                    "-" => (UnaryOp::Minus, 90),
                    "+" => (UnaryOp::Plus, 90),
                    _ => (UnaryOp::Not, 50),
                };
                let operand = self.expression(precedence)?;
                let span = at.to(self.span_of(operand));
                self.node(Kind::Unary(op, operand), span, at)?
            }
            TokenKind::Bracket(b'(') => {
                self.advance();
                let inner = self.sequence()?;
                self.expect_bracket(b')')?;
                inner
            }
            TokenKind::Operator("#" | ".") if !self.predicates.is_empty() => self.pointer(at)?,
            TokenKind::Operator("::") => {
                self.advance();
                let name = self.expect_name()?;
                self.call(name, None, at)?
            }
            _ => self.literal(at)?,
        };
        self.postfix(node)
    }

    /// `#`, `#acc`, `#index`; the `.` of a lone `.field` stays for [`Self::postfix`].
    fn pointer(&mut self, at: Span) -> Result<Id> {
        let (builtin, collection) = self.predicates[self.predicates.len() - 1];
        let mut span = Span { start: at.start, end: at.start };
        let mut kind = Kind::Element { collection };
        if self.is_sign("#") {
            self.advance();
            span = at;
            if let TokenKind::Identifier(name) = *self.kind() {
                span = at.to(self.span());
                kind = match name {
                    "acc" => Kind::Accumulator(builtin),
                    "index" => Kind::Index(builtin),
                    _ => return self.unknown_pointer(name, at),
                };
                self.advance();
            }
        }
        self.node(kind, span, at)
    }

    fn unknown_pointer<T>(&self, name: &str, at: Span) -> Result<T> {
        let mut diagnostics = Diagnostics::one(self.source, format!("unknown pointer #{name}"), at);
        if let Some(first) = diagnostics.list.first_mut() {
            first.help = did_you_mean(&format!("#{name}"), ["#acc", "#index"]);
        }
        Err(diagnostics)
    }

    fn literal(&mut self, at: Span) -> Result<Id> {
        let token = self.kind().clone();
        let kind = match token {
            TokenKind::Identifier(name) => {
                self.advance();
                if !matches!(name, "true" | "false" | "nil") && self.is_bracket(b'(') {
                    return self.call(name, None, at);
                }
                self.name(name)
            }
            TokenKind::Number(digits) => {
                self.advance();
                match number(digits) {
                    Ok(kind) => kind,
                    Err(problem) => return self.fail(problem, at),
                }
            }
            TokenKind::Text(text) => {
                self.advance();
                Kind::Str(text.into())
            }
            TokenKind::Bytes(bytes) => {
                self.advance();
                Kind::Bytes(bytes.into())
            }
            TokenKind::Bracket(b'[') => return self.list(at),
            TokenKind::Bracket(b'{') => return self.map(at),
            TokenKind::Operator(_) | TokenKind::Bracket(_) | TokenKind::End => return self.unexpected(),
        };
        self.node(kind, at, at)
    }

    pub(super) fn name(&self, name: &str) -> Kind {
        let local = || self.locals.iter().rev().find(|local| local.0 == name);
        match name {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "nil" => Kind::Nil,
            "$env" => Kind::Environment,
            _ => match (local(), self.env.slot(name)) {
                (Some((_, slot, value)), _) => Kind::Local { slot: *slot, value: *value },
                // Functions and built-ins are not values; their names read as nil and have a type of their own.
                (None, Some(slot)) if Builtin::parse(name).is_none() && !self.is_function(name) => Kind::Variable(slot),
                (None, Some(_) | None) => Kind::Unbound(name.into()),
            },
        }
    }

    fn list(&mut self, at: Span) -> Result<Id> {
        self.advance();
        let mut items = Vec::new();
        while !self.is_bracket(b']') {
            if !items.is_empty() {
                self.expect_sign(",")?;
                if self.is_bracket(b']') {
                    break;
                }
            }
            items.push(self.expression(0)?);
        }
        self.advance();
        let span = at.to(self.last_span());
        self.node(Kind::List(items), span, at)
    }

    fn map(&mut self, at: Span) -> Result<Id> {
        self.advance();
        let mut items = Vec::new();
        while !self.is_bracket(b'}') {
            if !items.is_empty() {
                self.expect_sign(",")?;
                if self.is_bracket(b'}') {
                    break;
                }
            }
            items.push(self.map_key()?);
            self.expect_sign(":")?;
            items.push(self.expression(0)?);
        }
        self.advance();
        let span = at.to(self.last_span());
        self.node(Kind::Map(items), span, at)
    }

    fn map_key(&mut self) -> Result<Id> {
        let at = self.span();
        let key: Box<str> = match self.kind() {
            TokenKind::Identifier(name) | TokenKind::Number(name) => (*name).into(),
            TokenKind::Text(text) => text.as_ref().into(),
            TokenKind::Bracket(b'(') => return self.expression(0),
            token @ (TokenKind::Operator(_) | TokenKind::Bytes(_) | TokenKind::Bracket(_) | TokenKind::End) => {
                let message = format!(
                    "a map key must be a quoted string, a number, a identifier, or an expression enclosed in \
                     parentheses (unexpected token {token})"
                );
                return self.fail(message, at);
            }
        };
        self.advance();
        self.node(Kind::Str(key), at, at)
    }

    pub(super) fn postfix(&mut self, node: Id) -> Result<Id> {
        let mut node = node;
        loop {
            let at = self.span();
            match *self.kind() {
                TokenKind::Operator(sign @ ("." | "?.")) => {
                    self.advance();
                    let optional = sign == "?.";
                    node = if optional && self.is_bracket(b'[') {
                        self.advance();
                        self.index(node, true, at)?
                    } else {
                        self.member(node, optional)?
                    };
                }
                TokenKind::Bracket(b'[') => {
                    self.advance();
                    node = self.index(node, false, at)?;
                }
                _ => return Ok(node),
            }
        }
    }

    fn member(&mut self, node: Id, optional: bool) -> Result<Id> {
        let at = self.span();
        let name: Box<str> = match *self.kind() {
            TokenKind::Identifier(name) => name.into(),
            // `a.not`, `a.in`: words that are operators elsewhere.
            TokenKind::Operator(word) if word.starts_with(is_word_start) => word.into(),
            _ => {
                // The original has read on when it complains.
                self.advance();
                return self.fail("expected name", self.span());
            }
        };
        self.advance();
        if let Some(call) = self.declared(node, &name, optional, at)? {
            return Ok(call);
        }
        let (base, chained) = self.unchained(node);
        let key = self.node(Kind::Str(name), at, at)?;
        let span = self.span_of(base).to(at);
        let mut node = self.node(Kind::Member { base, key, optional }, span, at)?;
        if self.is_bracket(b'(') {
            let args = self.arguments(Vec::new())?;
            let span = span.to(self.last_span());
            node = self.node(Kind::Call { callee: node, args, method: true }, span, at)?;
        }
        self.chain(node, chained || optional, at)
    }

    /// `space.name(…)` and `value.name(…)` where the environment has such a function.
    fn declared(&mut self, base: Id, name: &str, optional: bool, at: Span) -> Result<Option<Id>> {
        if optional || !self.is_bracket(b'(') {
            return Ok(None);
        }
        let start = self.span_of(base);
        let kind = match &self.tree.nodes[base.at()].kind {
            Kind::Unbound(space) if self.is_function(&format!("{space}.{name}")) => {
                let name = format!("{space}.{name}").into();
                Kind::Function { name, args: self.arguments(Vec::new())?, method: false }
            }
            _ if functions::overloads(self.env, name, true).next().is_some() => {
                let args = self.arguments(vec![base])?;
                Kind::Function { name: name.into(), args, method: true }
            }
            _ => return Ok(None),
        };
        let span = start.to(self.last_span());
        self.node(kind, span, at).map(Some)
    }

    /// Takes the end of a chain off again, as the chain goes on. It is the newest node: nothing else refers to it.
    fn unchained(&mut self, node: Id) -> (Id, bool) {
        match self.tree.nodes[node.at()].kind {
            Kind::Chain(inner) if node.at() + 1 == self.tree.nodes.len() => {
                self.tree.nodes.pop();
                (inner, true)
            }
            _ => (node, false),
        }
    }

    fn chain(&mut self, node: Id, chained: bool, at: Span) -> Result<Id> {
        let span = self.span_of(node);
        if chained { self.node(Kind::Chain(node), span, at) } else { Ok(node) }
    }

    /// What stands after `[`: a key, or the bounds of a slice.
    fn index(&mut self, base: Id, optional: bool, at: Span) -> Result<Id> {
        let from = if self.is_sign(":") { None } else { Some(self.expression(0)?) };
        let start = self.span_of(base);
        if self.eat_sign(":") {
            let to = if self.is_bracket(b']') { None } else { Some(self.expression(0)?) };
            self.expect_bracket(b']')?;
            let span = start.to(self.last_span());
            return self.node(Kind::Slice { base, from, to }, span, at);
        }
        self.expect_bracket(b']')?;
        let Some(key) = from else { return self.unexpected() };
        let span = start.to(self.last_span());
        let node = self.node(Kind::Member { base, key, optional }, span, at)?;
        self.chain(node, optional, at)
    }
}

fn number(digits: &str) -> std::result::Result<Kind, String> {
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    let lower = plain.to_lowercase();
    let syntax = |what: &str, parser: &str| {
        format!("invalid {what} literal: strconv.{parser}: parsing \"{plain}\": invalid syntax")
    };
    let range =
        |what: &str| format!("invalid {what} literal: strconv.ParseInt: parsing \"{plain}\": value out of range");
    let radix = |digits: &str, base: u32, what: &str| {
        i64::from_str_radix(digits, base).map(Kind::Int).map_err(|error| match error.kind() {
            std::num::IntErrorKind::PosOverflow => range(what),
            _ => syntax(what, "ParseInt"),
        })
    };
    if let Some(hex) = lower.strip_prefix("0x").filter(|it| !it.contains('.')) {
        return radix(hex, 16, "hex");
    }
    if lower.contains(['.', 'e']) {
        return lower
            .parse()
            .ok()
            .filter(|float: &f64| float.is_finite())
            .map(Kind::Float)
            .ok_or_else(|| syntax("float", "ParseFloat"));
    }
    if let Some(binary) = lower.strip_prefix("0b") {
        return radix(binary, 2, "binary");
    }
    if let Some(octal) = lower.strip_prefix("0o") {
        return radix(octal, 8, "octal");
    }
    radix(&lower, 10, "integer")
}
