//! Text to syntax tree, by precedence climbing. Mistakes are worded as cel-go words them. Nothing here knows which names exist.
//!
//! Nesting and the depth of the tree are bounded ([`MAX_DEPTH`]), so that whoever walks the tree may recurse.

mod macros;
mod primary;

use kanon_lang::{Diagnostic, Diagnostics, Span};

use crate::{
    ast::{Binary, Expr, Kind, Logic, MAX_DEPTH, NodeId, Unary},
    lexer::{self, Token},
};

/// Longest text, in characters; cel-go's limit.
const MAX_CHARS: usize = 100_000;

/// How many mistakes are told at most: a text of nothing else costs no more than its first part.
pub(crate) const MAX_MISTAKES: usize = 20;

/// How deep brackets may be nested. A level of them takes several calls here, and one, at most, of the tree.
const MAX_NESTING: u32 = 160;

/// What begins an expression, as messages list it.
const EXPECTED: &str = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, \
                        BYTES, IDENTIFIER}";

/// Which forms are read besides those of every program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Macros are expanded; otherwise they are calls like others.
    pub(crate) macros: bool,
    /// `cel.block` and its numbered names, which optimisers write and people do not.
    pub(crate) blocks: bool,
}

/// A parsed text.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) expr: Expr,
    /// How many nodes there are: one more than the highest number.
    pub(crate) nodes: usize,
}

/// Parses a whole text.
pub(crate) fn parse(source: &str, dialect: Dialect) -> Result<Parsed, Diagnostics> {
    // Counting ends where the limit does.
    if source.len() > MAX_CHARS && source.chars().nth(MAX_CHARS).is_some() {
        let size = source.chars().count();
        let message = format!("expression code point size exceeds limit: size: {size}, limit {MAX_CHARS}");
        return Err(Diagnostics::one("", message, Span::default()));
    }
    let one = |it: Diagnostic| Diagnostics::new(source, vec![it]);
    let tokens = lexer::tokens(source).map_err(one)?;
    let mut parser = Parser { source, tokens, at: 0, dialect, nodes: 0, nesting: 0, mistakes: Vec::new() };
    let result = parser.expr().and_then(|expr| {
        parser.expect_end()?;
        Ok(expr)
    });
    let (mut mistakes, nodes) = (parser.mistakes, parser.nodes as usize);
    match result {
        Ok(expr) if mistakes.is_empty() => Ok(Parsed { expr, nodes }),
        result => {
            mistakes.extend(result.err().map(|it| *it));
            mistakes.sort_by_key(|it| it.span);
            Err(Diagnostics::new(source, mistakes))
        }
    }
}

/// Mistakes are rare and in a box: results are small on a stack that may be deep.
type Result<T, E = Box<Diagnostic>> = std::result::Result<T, E>;

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    dialect: Dialect,
    nodes: u32,
    nesting: u32,
    /// Mistakes that do not keep the rest from being read.
    mistakes: Vec<Diagnostic>,
}

impl<'s> Parser<'s> {
    fn peek(&self) -> Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Token {
        self.tokens.get(self.at + ahead).map_or(Token::End, |it| it.0)
    }

    /// The next token's place.
    fn span(&self) -> Span {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(Span::default(), |it| it.1)
    }

    fn text(&self, span: Span) -> &'s str {
        self.source.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn advance(&mut self) -> (Token, Span) {
        let next = (self.peek(), self.span());
        self.at += 1;
        next
    }

    /// Takes the next token if it is this sign.
    fn accept(&mut self, sign: &str) -> Option<Span> {
        matches!(self.peek(), Token::Sign(it) if it == sign).then(|| self.advance().1)
    }

    fn expect(&mut self, sign: &str) -> Result<Span> {
        self.accept(sign).ok_or_else(|| self.unexpected(&format!("'{sign}'")))
    }

    fn expect_end(&mut self) -> Result<()> {
        if self.peek() == Token::End { Ok(()) } else { Err(self.unexpected("<EOF>")) }
    }

    /// The message about the next token, where `expected` should stand.
    fn unexpected(&self, expected: &str) -> Box<Diagnostic> {
        let span = self.span();
        let found = if self.peek() == Token::End { "<EOF>" } else { self.text(span) };
        // A missing operand is the usual mistake; long strings are not repeated.
        let found: String = found.chars().take(40).collect();
        Box::new(mistake(format!("Syntax error: mismatched input '{found}' expecting {expected}"), span))
    }

    fn node(&mut self, kind: Kind, span: Span, at: Span) -> Result<Expr> {
        let mut expr = Expr { id: NodeId(self.nodes), span, at, depth: 1, kind };
        let mut below = 0;
        expr.children(&mut |it| below = below.max(it.depth));
        expr.depth += below;
        self.nodes += 1;
        if expr.depth > MAX_DEPTH { Err(too_deep(span, MAX_DEPTH)) } else { Ok(expr) }
    }

    /// Notes a mistake that does not keep the rest from being read; of too many, the last one does.
    fn note(&mut self, mistake: Diagnostic) -> Result<()> {
        if self.mistakes.len() + 1 >= MAX_MISTAKES {
            return Err(Box::new(mistake));
        }
        self.mistakes.push(mistake);
        Ok(())
    }

    /// A level of brackets.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.nesting >= MAX_NESTING {
            return Err(too_deep(self.span(), MAX_NESTING));
        }
        self.nesting += 1;
        let result = parse(self);
        self.nesting -= 1;
        result
    }

    /// `or ? or : expr`
    fn expr(&mut self) -> Result<Expr> {
        let condition = self.binary(0)?;
        let Some(at) = self.accept("?") else { return Ok(condition) };
        let then = self.binary(0)?;
        self.expect(":")?;
        let otherwise = self.nested(Self::expr)?;
        let span = condition.span.to(otherwise.span);
        self.node(Kind::Conditional(Box::new([condition, then, otherwise])), span, at)
    }

    /// Operators of `level` and above; see [`operator`].
    fn binary(&mut self, level: u8) -> Result<Expr> {
        let mut left = self.unary()?;
        while let Some((operator, of)) = operator(self.peek()).filter(|it| it.1 >= level) {
            let at = self.advance().1;
            // Not `nested`: at most five levels lie between two brackets.
            let right = self.binary(of + 1)?;
            left = match operator {
                Operator::Plain(operator) => {
                    let span = left.span.to(right.span);
                    self.node(Kind::Binary(operator, Box::new((left, right))), span, at)?
                }
                Operator::Logic(logic) => self.chain(logic, of, left, right, at)?,
            };
        }
        Ok(left)
    }

    /// The rest of a chain of one logical operator: any number of operands make one node.
    fn chain(&mut self, logic: Logic, level: u8, first: Expr, second: Expr, at: Span) -> Result<Expr> {
        let mut span = first.span.to(second.span);
        let mut operands = flat(logic, first);
        operands.extend(flat(logic, second));
        while matches!(operator(self.peek()), Some((Operator::Logic(it), _)) if it == logic) {
            self.advance();
            let next = self.binary(level + 1)?;
            span = span.to(next.span);
            operands.extend(flat(logic, next));
        }
        self.node(Kind::Logic(logic, operands), span, at)
    }

    /// Signs before an operand. Two of a kind cancel each other, as in cel-go.
    fn unary(&mut self) -> Result<Expr> {
        let (operator, sign) = match self.peek() {
            Token::Sign("!") => (Unary::Not, "!"),
            Token::Sign("-") if !self.is_signed_number() => (Unary::Negate, "-"),
            _ => return self.member(),
        };
        let at = self.span();
        let mut count = 0_u32;
        while self.accept(sign).is_some() {
            count += 1;
        }
        let operand = match self.peek() {
            Token::Sign("!" | "-") => self.nested(Self::unary)?,
            _ => self.member()?,
        };
        if count.is_multiple_of(2) {
            return Ok(operand);
        }
        let span = at.to(operand.span);
        self.node(Kind::Unary(operator, Box::new(operand)), span, at)
    }

    /// Whether a sign and a number are one literal.
    fn is_signed_number(&self) -> bool {
        self.peek() == Token::Sign("-") && matches!(self.peek_at(1), Token::Int | Token::Double)
    }
}

fn mistake(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic { message: message.into(), span, help: None }
}

fn too_deep(span: Span, limit: u32) -> Box<Diagnostic> {
    Box::new(mistake(format!("expression recursion limit exceeded: {limit}"), span))
}

#[derive(Clone, Copy)]
enum Operator {
    Plain(Binary),
    Logic(Logic),
}

/// The operator that a token is, and how strongly it binds.
fn operator(token: Token) -> Option<(Operator, u8)> {
    let plain = |it: Binary, level: u8| Some((Operator::Plain(it), level));
    match token {
        Token::In => plain(Binary::In, 2),
        Token::Sign(sign) => match sign {
            "||" => Some((Operator::Logic(Logic::Or), 0)),
            "&&" => Some((Operator::Logic(Logic::And), 1)),
            "==" => plain(Binary::Equal, 2),
            "!=" => plain(Binary::NotEqual, 2),
            "<" => plain(Binary::Less, 2),
            "<=" => plain(Binary::LessEqual, 2),
            ">" => plain(Binary::Greater, 2),
            ">=" => plain(Binary::GreaterEqual, 2),
            "+" => plain(Binary::Add, 3),
            "-" => plain(Binary::Subtract, 3),
            "*" => plain(Binary::Multiply, 4),
            "/" => plain(Binary::Divide, 4),
            "%" => plain(Binary::Modulo, 4),
            _ => None,
        },
        _ => None,
    }
}

/// The operands of a chain of one operator; brackets do not change what it means.
fn flat(logic: Logic, expr: Expr) -> Vec<Expr> {
    match expr.kind {
        Kind::Logic(of, operands) if of == logic => operands,
        _ => vec![expr],
    }
}
