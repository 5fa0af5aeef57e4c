//! Text to tokens, as expr-lang 1.17.8 cuts them.

use std::borrow::Cow;

use kanon_lang::{Diagnostics, Span};

use crate::text::{unescape_bytes, unescape_text};

/// One token with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<'s> {
    pub(crate) kind: TokenKind<'s>,
    pub(crate) span: Span,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind<'s> {
    Identifier(&'s str),
    Number(&'s str),
    Text(Cow<'s, str>),
    Bytes(Vec<u8>),
    /// Signs and the words that act as operators (`in`, `not`, `let`, …).
    Operator(&'s str),
    /// One of `( ) [ ] { }`.
    Bracket(u8),
    End,
}

/// As the original prints tokens in its messages: `Operator("==")`.
impl std::fmt::Display for TokenKind<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TokenKind::Identifier(word) => write!(out, "Identifier({word:?})"),
            TokenKind::Number(digits) => write!(out, "Number({digits:?})"),
            TokenKind::Text(text) if text.is_empty() => write!(out, "String"),
            TokenKind::Text(text) => write!(out, "String({text:?})"),
            TokenKind::Bytes(bytes) => write!(out, "Bytes({:?})", String::from_utf8_lossy(bytes)),
            TokenKind::Operator(sign) => write!(out, "Operator({sign:?})"),
            TokenKind::Bracket(bracket) => write!(out, "Bracket(\"{}\")", char::from(*bracket)),
            TokenKind::End => write!(out, "EOF"),
        }
    }
}

/// Words that are operators, not names.
pub(crate) const OPERATOR_WORDS: &[&str] =
    &["not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"];

/// All tokens of `source`; the last is [`TokenKind::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<Token<'_>>, Diagnostics> {
    let mut lexer = Lexer { source, at: 0, tokens: Vec::with_capacity(source.len() / 3 + 2) };
    while lexer.skip_blank()? {
        lexer.token()?;
    }
    // The original points at the last character when the text ends too early.
    let last = source.char_indices().next_back().map_or(0, |(at, _)| at);
    lexer.tokens.push(Token { kind: TokenKind::End, span: Span::new(last, source.len()) });
    Ok(lexer.tokens)
}

/// Whether there are comments among the tokens of a text that can be read.
pub(crate) fn has_comments(source: &str) -> bool {
    let mut lexer = Lexer { source, at: 0, tokens: Vec::new() };
    loop {
        let blank = lexer.rest().trim_start();
        if blank.starts_with("//") || blank.starts_with("/*") {
            return true;
        }
        if !matches!(lexer.skip_blank(), Ok(true)) || lexer.token().is_err() {
            return false;
        }
    }
}

/// Letters, digits, `_` and `$`.
pub(crate) fn is_word_char(c: char) -> bool {
    is_word_start(c) || c.is_numeric()
}

/// Letters, `_` and `$`.
pub(crate) fn is_word_start(c: char) -> bool {
    c == '_' || c == '$' || c.is_alphabetic()
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    tokens: Vec<Token<'s>>,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn fail<T>(&self, message: impl Into<String>, at: usize) -> Result<T, Diagnostics> {
        Err(Diagnostics::one(self.source, message, Span::new(at, at + 1)))
    }

    fn push(&mut self, start: usize, kind: impl FnOnce(&'s str) -> TokenKind<'s>) {
        let kind = kind(&self.source[start..self.at]);
        self.tokens.push(Token { kind, span: Span::new(start, self.at) });
    }

    /// Skips white space and comments; whether anything is left.
    fn skip_blank(&mut self) -> Result<bool, Diagnostics> {
        loop {
            self.at = self.source.len() - self.rest().trim_start().len();
            if self.rest().starts_with("//") {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            } else if self.rest().starts_with("/*") {
                match self.rest()[2..].find("*/") {
                    Some(end) => self.at += end + 4,
                    None => return self.fail("unclosed comment", self.source.len().saturating_sub(1)),
                }
            } else {
                return Ok(self.at < self.source.len());
            }
        }
    }

    fn token(&mut self) -> Result<(), Diagnostics> {
        let start = self.at;
        let Some(first) = self.peek() else { return Ok(()) };
        let second = self.rest()[first.len_utf8()..].chars().next().unwrap_or_default();
        match first {
            '\'' | '"' => self.quoted(start, false)?,
            'b' if second == '\'' || second == '"' => {
                self.at += 1;
                self.quoted(start, true)?;
            }
            '`' => self.raw(start)?,
            '0'..='9' => self.number(start)?,
            '.' if second.is_ascii_digit() => self.number(start)?,
            '.' => self.sign(start, if second == '.' { 2 } else { 1 }),
            '?' => self.sign(start, if second == '.' || second == '?' { 2 } else { 1 }),
            '|' | ':' => self.sign(start, if second == first { 2 } else { 1 }),
            '&' | '!' | '=' | '*' | '<' | '>' => {
                self.sign(start, if matches!(second, '&' | '=' | '*') { 2 } else { 1 })
            }
            ',' | ';' | '%' | '+' | '-' | '^' | '/' => self.sign(start, 1),
            '#' => self.sign(start, 1),
            '(' | ')' | '[' | ']' | '{' | '}' => {
                self.at += 1;
                self.push(start, |_| TokenKind::Bracket(first as u8));
            }
            _ if is_word_char(first) => self.word(start),
            _ => {
                let code = u32::from(first);
                let shown = if first.is_control() { String::new() } else { format!(" '{first}'") };
                return self.fail(format!("unrecognized character: U+{code:04X}{shown}"), start);
            }
        }
        Ok(())
    }

    fn sign(&mut self, start: usize, len: usize) {
        self.at += len;
        self.push(start, TokenKind::Operator);
    }

    fn word(&mut self, start: usize) {
        self.at += self.rest().find(|c| !is_word_char(c)).unwrap_or(self.rest().len());
        let word = &self.source[start..self.at];
        let kind = if OPERATOR_WORDS.contains(&word) { TokenKind::Operator } else { TokenKind::Identifier };
        self.push(start, kind);
    }

    fn accept(&mut self, chars: &str) -> bool {
        let found = self.peek().is_some_and(|c| chars.contains(c));
        self.at += usize::from(found);
        found
    }

    fn run(&mut self, chars: &str) {
        while self.accept(chars) {}
    }

    fn number(&mut self, start: usize) -> Result<(), Diagnostics> {
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.run(digits);
        // `1..2` is a range, not the number `1.`.
        if !self.rest().starts_with("..") {
            if self.accept(".") {
                self.run(digits);
            }
            if self.accept("eE") {
                self.accept("+-");
                self.run(digits);
            }
            if let Some(next) = self.peek().filter(|c| is_word_char(*c)) {
                let word = &self.source[start..self.at + next.len_utf8()];
                return self.fail(format!("bad number syntax: {word:?}"), self.at);
            }
        }
        self.push(start, TokenKind::Number);
        Ok(())
    }

    /// A string in quotes, or bytes; `at` stands on the opening quote.
    fn quoted(&mut self, start: usize, bytes: bool) -> Result<(), Diagnostics> {
        let quote = self.rest().as_bytes()[0];
        let content = self.at + 1;
        let mut at = content;
        let text = self.source.as_bytes();
        loop {
            match text.get(at) {
                Some(byte) if *byte == quote => break,
                Some(b'\n') | None => return self.fail("literal not terminated", at.min(text.len().saturating_sub(1))),
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
            }
        }
        let raw = &self.source[content..at];
        self.at = at + 1;
        let span = Span::new(start, self.at);
        let kind = if bytes {
            unescape_bytes(raw).map(TokenKind::Bytes)
        } else if raw.contains('\\') {
            unescape_text(raw).map(|text| TokenKind::Text(Cow::Owned(text)))
        } else {
            Ok(TokenKind::Text(Cow::Borrowed(raw)))
        };
        match kind {
            Ok(kind) => self.tokens.push(Token { kind, span }),
            Err(problem) => return self.fail(problem, at),
        }
        Ok(())
    }

    /// A string in back-ticks; two back-ticks stand for one.
    fn raw(&mut self, start: usize) -> Result<(), Diagnostics> {
        self.at += 1;
        let content = self.at;
        loop {
            let Some(len) = self.rest().find('`') else {
                return self.fail("literal not terminated", self.source.len() - 1);
            };
            self.at += len + 1;
            if !self.rest().starts_with('`') {
                break;
            }
            self.at += 1;
        }
        let raw = &self.source[content..self.at - 1];
        let text = if raw.contains('`') { Cow::Owned(raw.replace("``", "`")) } else { Cow::Borrowed(raw) };
        self.tokens.push(Token { kind: TokenKind::Text(text), span: Span::new(start, self.at) });
        Ok(())
    }
}
