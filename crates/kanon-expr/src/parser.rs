//! Tokens to a [`Tree`]: a Pratt parser with the precedences, and the order of checks, of expr-lang 1.17.8.

mod call;
mod primary;

use kanon_lang::{Diagnostics, Environment, Span, did_you_mean};

use crate::{
    ast::{BinaryOp, Id, Kind, Node, Tree, UnaryOp},
    builtins::Builtin,
    functions,
    lexer::{OPERATOR_WORDS, Token, TokenKind, tokens},
};

/// spec/rules 2.11: at most 10,000 nodes an expression.
const MAX_NODES: usize = 10_000;

/// spec/rules 2.11: expressions nest at most 256 deep.
pub(crate) const MAX_DEPTH: usize = 256;

/// Longer texts are refused before anything is read: a mebibyte is a hundred bytes a node.
const MAX_LEN: usize = 1 << 20;

type Result<T> = std::result::Result<T, Diagnostics>;

/// Parses `source`.
pub(crate) fn parse(source: &str, env: &Environment) -> Result<Tree> {
    if source.len() > MAX_LEN {
        return Err(Diagnostics::one("", format!("expression is longer than {MAX_LEN} bytes"), Span::default()));
    }
    let mut parser = Parser {
        source,
        env,
        tokens: tokens(source)?,
        next: 0,
        depth: 0,
        tree: Tree::default(),
        locals: Vec::new(),
        predicates: Vec::new(),
    };
    parser.sequence()?;
    match parser.kind() {
        TokenKind::End => Ok(parser.tree),
        _ => parser.unexpected(),
    }
}

struct Parser<'s> {
    source: &'s str,
    env: &'s Environment,
    /// INVARIANT: not empty, the last is `End`.
    tokens: Vec<Token<'s>>,
    next: usize,
    depth: usize,
    tree: Tree,
    /// `let` variables in scope: name, slot, value.
    locals: Vec<(&'s str, u16, Id)>,
    /// The open predicates, innermost last: whose they are and what they iterate over.
    predicates: Vec<(Builtin, Id)>,
}

impl<'s> Parser<'s> {
    fn token(&self) -> &Token<'s> {
        let last = self.tokens.len() - 1;
        &self.tokens[self.next.min(last)]
    }

    fn kind(&self) -> &TokenKind<'s> {
        &self.token().kind
    }

    fn span(&self) -> Span {
        self.token().span
    }

    /// The span of the token before the current one.
    fn last_span(&self) -> Span {
        self.tokens[self.next.saturating_sub(1)].span
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn fail<T>(&self, message: impl Into<String>, at: Span) -> Result<T> {
        Err(Diagnostics::one(self.source, message, at))
    }

    fn unexpected<T>(&self) -> Result<T> {
        let mut diagnostics = Diagnostics::one(self.source, format!("unexpected token {}", self.kind()), self.span());
        if let (TokenKind::Identifier(word), Some(first)) = (self.kind(), diagnostics.list.first_mut()) {
            // `a startswith "b"`
            first.help = did_you_mean(word, OPERATOR_WORDS.iter().copied());
        }
        Err(diagnostics)
    }

    /// Whether a function can be called by this name.
    fn is_function(&self, name: &str) -> bool {
        name == crate::REGEX_MATCH || functions::overloads(self.env, name, false).next().is_some()
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.kind(), TokenKind::Operator(it) if *it == sign)
    }

    fn is_bracket(&self, bracket: u8) -> bool {
        *self.kind() == TokenKind::Bracket(bracket)
    }

    fn eat_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.next += usize::from(found);
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Result<()> {
        if self.eat_sign(sign) { Ok(()) } else { self.unexpected() }
    }

    fn expect_bracket(&mut self, bracket: u8) -> Result<()> {
        if !self.is_bracket(bracket) {
            return self.unexpected();
        }
        self.advance();
        Ok(())
    }

    fn expect_name(&mut self) -> Result<&'s str> {
        let TokenKind::Identifier(name) = *self.kind() else { return self.unexpected() };
        self.advance();
        Ok(name)
    }

    fn node(&mut self, kind: Kind, span: Span, at: Span) -> Result<Id> {
        if self.tree.nodes.len() >= MAX_NODES {
            return self.fail("compilation failed: expression exceeds maximum allowed nodes", at);
        }
        self.tree.nodes.push(Node { kind, span, at });
        Ok(Id(self.tree.nodes.len() as u32 - 1))
    }

    fn span_of(&self, id: Id) -> Span {
        self.tree.nodes[id.at()].span
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return self.fail(format!("expression is nested deeper than {MAX_DEPTH} levels"), self.span());
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// `a; b; c`
    fn sequence(&mut self) -> Result<Id> {
        let scope = self.locals.len();
        let first = self.expression(0)?;
        let mut items = vec![first];
        while self.eat_sign(";") {
            if *self.kind() == TokenKind::End {
                break;
            }
            items.push(self.expression(0)?);
        }
        self.locals.truncate(scope);
        if items.len() == 1 {
            return Ok(first);
        }
        let span = self.span_of(first).to(self.last_span());
        self.node(Kind::Sequence(items), span, span)
    }

    fn expression(&mut self, precedence: u16) -> Result<Id> {
        self.nested(|parser| {
            if precedence > 0 {
                return parser.operators(precedence);
            }
            if parser.is_sign("let") {
                return parser.declaration();
            }
            if parser.is_sign("if") {
                return parser.if_else();
            }
            let left = parser.operators(0)?;
            parser.conditional(left)
        })
    }

    fn operators(&mut self, precedence: u16) -> Result<Id> {
        let mut left = self.primary()?;
        let mut after_coalesce = false;
        while let TokenKind::Operator(mut sign) = *self.kind() {
            let start = self.next;
            let negated = sign == "not";
            if negated {
                self.advance();
                sign = match *self.kind() {
                    TokenKind::Operator(sign) if BinaryOp::parse(sign).is_some_and(|it| it.0.may_be_negated()) => sign,
                    _ => return self.unexpected(),
                };
            }
            if sign == "|" && precedence == 0 {
                self.advance();
                left = self.pipe(left)?;
                after_coalesce = false;
                continue;
            }
            let Some((op, own)) = BinaryOp::parse(sign).filter(|it| it.1 >= precedence) else {
                self.next = start;
                break;
            };
            let at = self.span();
            if after_coalesce && op != BinaryOp::Coalesce {
                let message = format!(
                    "Operator ({sign}) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses."
                );
                return self.fail(message, at);
            }
            self.advance();
            left = if op.is_comparison() {
                self.comparison(left, op, own, at)?
            } else {
                let right = self.expression(if op == BinaryOp::Power { own } else { own + 1 })?;
                self.binary(op, left, right, at)?
            };
            if negated {
                let span = self.span_of(left);
                left = self.node(Kind::Unary(UnaryOp::Not, left), span, at)?;
            }
            after_coalesce = op == BinaryOp::Coalesce;
        }
        Ok(left)
    }

    fn binary(&mut self, op: BinaryOp, left: Id, right: Id, at: Span) -> Result<Id> {
        let span = self.span_of(left).to(self.span_of(right));
        self.node(Kind::Binary(op, left, right), span, at)
    }

    /// `1 < x <= 3` is `1 < x && x <= 3`.
    fn comparison(&mut self, left: Id, op: BinaryOp, precedence: u16, at: Span) -> Result<Id> {
        let (mut left, mut op, mut at) = (left, op, at);
        let mut root = None;
        loop {
            let right = self.expression(precedence + 1)?;
            let pair = self.binary(op, left, right, at)?;
            let whole = match root {
                None => pair,
                Some(root) => self.binary(BinaryOp::And, root, pair, at)?,
            };
            root = Some(whole);
            match *self.kind() {
                TokenKind::Operator(sign) => match BinaryOp::parse(sign) {
                    Some((next, _)) if next.is_comparison() => (left, op, at) = (right, next, self.span()),
                    _ => return Ok(whole),
                },
                _ => return Ok(whole),
            }
            self.advance();
        }
    }

    /// `let x = value; body`
    fn declaration(&mut self) -> Result<Id> {
        let start = self.span();
        self.advance();
        let at = self.span();
        let name = self.expect_name()?;
        self.expect_sign("=")?;
        let value = self.expression(0)?;
        self.expect_sign(";")?;
        // Said by the check: the original does not look at declarations everywhere.
        let taken = if Builtin::parse(name).is_some() {
            Some("builtin")
        } else if self.is_function(name) {
            Some("function")
        } else {
            self.locals.iter().any(|local| local.0 == name).then_some("variable")
        };
        // Fits: there are fewer declarations than nodes.
        let slot = self.tree.locals.len() as u16;
        self.tree.locals.push(name.into());
        self.locals.push((name, slot, value));
        let body = self.sequence()?;
        self.locals.pop();
        let span = start.to(self.span_of(body));
        self.node(Kind::Let { slot, value, body, taken }, span, at)
    }

    /// `if a { b } else { c }`, `else if` too.
    fn if_else(&mut self) -> Result<Id> {
        let start = self.span();
        self.advance();
        let condition = self.expression(0)?;
        self.expect_bracket(b'{')?;
        let yes = self.sequence()?;
        self.expect_bracket(b'}')?;
        self.expect_sign("else")?;
        let no = if self.is_sign("if") {
            self.nested(Self::if_else)?
        } else {
            self.expect_bracket(b'{')?;
            let no = self.sequence()?;
            self.expect_bracket(b'}')?;
            no
        };
        let span = start.to(self.last_span());
        self.node(Kind::Conditional { condition, yes, no }, span, start)
    }

    /// `a ? b : c`, `a ?: c`
    fn conditional(&mut self, condition: Id) -> Result<Id> {
        let mut condition = condition;
        while self.is_sign("?") {
            let at = self.span();
            self.advance();
            let yes = if self.is_sign(":") { condition } else { self.expression(0)? };
            self.expect_sign(":")?;
            let no = self.expression(0)?;
            let span = self.span_of(condition).to(self.span_of(no));
            condition = self.node(Kind::Conditional { condition, yes, no }, span, at)?;
        }
        Ok(condition)
    }
}
