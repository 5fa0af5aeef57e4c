//! Operands: literals, names, brackets, and the members, indices and calls behind them.

use kanon_lang::{Diagnostic, Span};

use super::{EXPECTED, Parser, Result, mistake};
use crate::{
    ast::{Call, Constant, Element, Entry, Expr, Field, Index, Kind, Literal, Message, Name, Select},
    lexer::Token,
    literal,
};

/// Words that may become part of the language: no names of variables and functions, but fine as members.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];

impl Parser<'_> {
    /// An operand with what follows it.
    pub(super) fn member(&mut self) -> Result<Expr> {
        let mut expr = self.primary()?;
        loop {
            let Token::Sign(sign) = self.peek() else { return Ok(expr) };
            expr = match sign {
                "." => self.point(expr)?,
                "[" => self.index(expr)?,
                "{" => match expr.qualified() {
                    Some(name) => self.message(name, expr.span)?,
                    None => return Ok(expr),
                },
                _ => return Ok(expr),
            };
        }
    }

    /// `[key]`, `[?key]`
    fn index(&mut self, operand: Expr) -> Result<Expr> {
        let at = self.advance().1;
        let optional = self.accept("?").is_some();
        let key = self.nested(Self::expr)?;
        let span = operand.span.to(self.expect("]")?);
        self.node(Kind::Index(Box::new(Index { operand, key, optional })), span, at)
    }

    /// `function(…)` behind the point.
    fn method(&mut self, operand: Expr, name: Span) -> Result<Expr> {
        let bracket = self.span();
        let (args, end) = self.args()?;
        let span = operand.span.to(end);
        let function = self.text(name).to_owned();
        self.call(Call { target: Some(operand), function, absolute: false, args, name }, span, bracket)
    }

    /// `.field`, `.?field`, `.function(…)`: the point and what follows
    fn point(&mut self, operand: Expr) -> Result<Expr> {
        let at = self.advance().1;
        let optional = self.accept("?").is_some();
        let (token, name) = (self.peek(), self.span());
        let (field, quoted) = match token {
            Token::Name => (self.text(name).to_owned(), false),
            Token::Quoted => (self.text(name).trim_matches('`').to_owned(), true),
            // `schedule.in("Europe/Berlin")`: behind a point and before a bracket nothing else can be meant.
            Token::In if !optional && self.peek_at(1) == Token::Sign("(") => (self.text(name).to_owned(), false),
            _ => return Err(self.unexpected("IDENTIFIER")),
        };
        self.advance();
        if !quoted && !optional && self.peek() == Token::Sign("(") {
            return self.method(operand, name);
        }
        let span = operand.span.to(name);
        self.node(Kind::Select(Box::new(Select { operand, field, quoted, optional })), span, at)
    }

    /// Every form has a function of its own: what all of them together need on the stack would be there at every bracket.
    fn primary(&mut self) -> Result<Expr> {
        match self.peek() {
            Token::Sign("-") if self.is_signed_number() => {
                let start = self.advance().1;
                self.number(start)
            }
            Token::Int | Token::UInt | Token::Double => self.number(self.span()),
            Token::String | Token::Bytes => self.string(),
            Token::True | Token::False | Token::Null => {
                let (token, span) = self.advance();
                let value = if token == Token::Null { Constant::Null } else { Constant::Bool(token == Token::True) };
                self.literal(value, span)
            }
            Token::Name => self.name(false, self.span()),
            Token::Sign(".") if self.peek_at(1) == Token::Name => {
                let start = self.advance().1;
                self.name(true, start)
            }
            Token::Sign("(") => self.bracketed(),
            Token::Sign("[") => self.list(),
            Token::Sign("{") => self.map(),
            _ => Err(self.unexpected(EXPECTED)),
        }
    }

    fn bracketed(&mut self) -> Result<Expr> {
        self.advance();
        let inner = self.nested(Self::expr)?;
        self.expect(")")?;
        Ok(inner)
    }

    fn string(&mut self) -> Result<Expr> {
        let span = self.advance().1;
        let value = match literal::text(self.text(span)) {
            Ok(value) => value,
            Err(message) => {
                self.note(mistake(format!("Syntax error: {message}"), span))?;
                Constant::Null
            }
        };
        self.literal(value, span)
    }

    fn map(&mut self) -> Result<Expr> {
        let start = self.advance().1;
        let mut entries = Vec::new();
        let end = self.sequence("}", |parser| {
            let optional = parser.accept("?").is_some();
            let key = parser.nested(Self::expr)?;
            parser.expect(":")?;
            entries.push(Entry { optional, key, value: parser.nested(Self::expr)? });
            Ok(())
        })?;
        self.node(Kind::Map(entries), start.to(end), start)
    }

    fn literal(&mut self, value: Constant, span: Span) -> Result<Expr> {
        let text = self.text(span).to_owned();
        self.node(Kind::Literal(Box::new(Literal { value, text })), span, span)
    }

    /// A number, whose sign began at `start`.
    fn number(&mut self, start: Span) -> Result<Expr> {
        let (token, span) = self.advance();
        let sign = if start == span { "" } else { "-" };
        let text = format!("{sign}{}", self.text(span));
        let (value, kind) = match token {
            Token::Int => (literal::int(&text), "int"),
            Token::UInt => (literal::uint(&text), "uint"),
            _ => (literal::double(&text), "double"),
        };
        let span = start.to(span);
        if value.is_none() {
            self.note(mistake(format!("Syntax error: invalid {kind} literal"), span))?;
        }
        let value = value.unwrap_or(Constant::Null);
        self.node(Kind::Literal(Box::new(Literal { value, text })), span, span)
    }

    /// A name or a call, after its point if it has one.
    fn name(&mut self, absolute: bool, start: Span) -> Result<Expr> {
        let name = self.advance().1;
        let text = self.text(name).to_owned();
        if RESERVED.contains(&text.as_str()) {
            let help = Some("choose another name; as a member it is allowed".to_owned());
            self.note(Diagnostic { help, ..mistake(format!("reserved identifier: {text}"), name) })?;
        }
        if self.peek() == Token::Sign("(") {
            let bracket = self.span();
            let (args, end) = self.args()?;
            return self.call(Call { target: None, function: text, absolute, args, name }, start.to(end), bracket);
        }
        let span = start.to(name);
        self.node(Kind::Name(Name { text, absolute }), span, span)
    }

    /// `(…)`: the arguments, and where they end.
    fn args(&mut self) -> Result<(Vec<Expr>, Span)> {
        self.expect("(")?;
        let mut args = Vec::new();
        if let Some(end) = self.accept(")") {
            return Ok((args, end));
        }
        loop {
            args.push(self.nested(Self::expr)?);
            if self.accept(",").is_none() {
                return Ok((args, self.expect(")")?));
            }
        }
    }

    fn list(&mut self) -> Result<Expr> {
        let start = self.advance().1;
        let mut elements = Vec::new();
        let end = self.sequence("]", |parser| {
            let optional = parser.accept("?").is_some();
            elements.push(Element { optional, value: parser.nested(Self::expr)? });
            Ok(())
        })?;
        self.node(Kind::List(elements), start.to(end), start)
    }

    /// Items with commas between them, and one after the last if one likes, up to `close`.
    fn sequence(&mut self, close: &str, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<Span> {
        loop {
            if let Some(end) = self.accept(close) {
                return Ok(end);
            }
            item(self)?;
            if self.accept(",").is_none() {
                return self.expect(close);
            }
        }
    }

    /// `name{field: value}`, at its bracket.
    fn message(&mut self, name: Name, start: Span) -> Result<Expr> {
        let at = self.advance().1;
        let mut fields = Vec::new();
        let end = self.sequence("}", |parser| {
            let optional = parser.accept("?").is_some();
            let span = parser.span();
            let (name, quoted) = match parser.peek() {
                Token::Name => (parser.text(span).to_owned(), false),
                Token::Quoted => (parser.text(span).trim_matches('`').to_owned(), true),
                _ => return Err(parser.unexpected("IDENTIFIER")),
            };
            parser.advance();
            parser.expect(":")?;
            fields.push(Field { optional, name, quoted, value: parser.nested(Self::expr)? });
            Ok(())
        })?;
        self.node(Kind::Message(Box::new(Message { name, fields })), start.to(end), at)
    }
}
