//! Tokens to a tree: a recursive descent over Rego v1 and v0, with the language of `rule`, `body` and `term` in their files.
//!
//! Every mistake that can be told apart is collected: after one, parsing goes on at the next line that begins at its margin.
//! Depth, length and work are bounded, so text of any form ends in an answer.

mod body;
mod rule;
mod term;

use kanon_lang::{Diagnostic, Diagnostics, Span};

use crate::{
    ast::{Body, Module},
    lex::{Tok, Token, lex},
};

/// Longer texts are refused; the interpreter's own limit a file is a mebibyte too.
pub(crate) const MAX_LEN: usize = 1 << 20;

/// Brackets in brackets. The interpreter takes 32 levels of expressions.
const MAX_NESTING: usize = 64;

/// Levels of a term's tree: each operator of a chain is one.
const MAX_DEPTH: u16 = 400;

/// Mistakes are collected up to here.
const MAX_MISTAKES: usize = 20;

/// Which words are reserved besides those that always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keywords {
    pub(crate) contains: bool,
    pub(crate) every: bool,
    pub(crate) if_: bool,
    pub(crate) in_: bool,
}

impl Keywords {
    /// Those of Rego v1.
    pub(crate) const ALL: Keywords = Keywords { contains: true, every: true, if_: true, in_: true };

    fn has(self, word: &str) -> bool {
        match word {
            "contains" => self.contains,
            "every" => self.every,
            "if" => self.if_,
            "in" => self.in_,
            _ => false,
        }
    }
}

const RESERVED: [&str; 10] = ["as", "default", "else", "false", "import", "package", "not", "null", "some", "true"];

type Parsed<T> = Result<T, Diagnostic>;

pub(crate) struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Token>,
    at: usize,
    /// Tokens that may still be taken: backtracking is bounded.
    fuel: usize,
    nesting: usize,
    keywords: Keywords,
    /// The text is v1: `if` and `contains` are required.
    v1: bool,
}

/// The tree of a module.
///
/// # Errors
/// Every mistake found.
pub(crate) fn parse_module(source: &str, legacy: bool) -> Result<Module, Diagnostics> {
    let mut mistakes = Vec::new();
    let module = Parser::new(source, legacy).and_then(|(mut parser, comments)| {
        let mut module = parser.module(&mut mistakes)?;
        module.comments = comments;
        Ok(module)
    });
    match module {
        Ok(module) if mistakes.is_empty() => Ok(module),
        Ok(_) => Err(Diagnostics::new(source, mistakes)),
        Err(mistake) => {
            mistakes.push(mistake);
            Err(Diagnostics::new(source, mistakes))
        }
    }
}

/// The expressions of a query.
///
/// # Errors
/// The first mistake.
pub(crate) fn parse_query(source: &str, legacy: bool) -> Result<Body, Diagnostics> {
    let parsed = Parser::new(source, legacy).and_then(|(mut parser, _)| parser.query());
    parsed.map_err(|mistake| Diagnostics::new(source, vec![mistake]))
}

impl<'s> Parser<'s> {
    fn new(source: &'s str, legacy: bool) -> Parsed<(Parser<'s>, Vec<Span>)> {
        if source.len() > MAX_LEN {
            let message = format!("policy is longer than {MAX_LEN} bytes");
            return Err(Diagnostic { message, span: Span::default(), help: None });
        }
        let (tokens, comments) = lex(source)?;
        let fuel = tokens.len() * 16 + 10_000;
        let keywords = if legacy { Keywords::default() } else { Keywords::ALL };
        Ok((Parser { source, tokens, at: 0, fuel, nesting: 0, keywords, v1: !legacy }, comments))
    }

    fn token(&self) -> &Token {
        self.peek(0)
    }

    fn peek(&self, ahead: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)]
    }

    fn advance(&mut self) -> Parsed<()> {
        self.fuel = self.fuel.saturating_sub(1);
        if self.fuel == 0 {
            return Err(self.mistake("the text is ambiguous in too many places"));
        }
        self.at += 1;
        Ok(())
    }

    fn span(&self) -> Span {
        self.token().span
    }

    /// From the start of `from` to the end of the last token taken.
    fn since(&self, from: Span) -> Span {
        let last = self.at.checked_sub(1).map_or(from.end, |last| self.tokens[last].span.end);
        Span { start: from.start, end: last.max(from.start) }
    }

    fn text(&self, span: Span) -> &'s str {
        self.source.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The word here, if it is one.
    fn word(&self) -> Option<&'s str> {
        matches!(self.token().tok, Tok::Name).then(|| self.text(self.span()))
    }

    fn at_sign(&self, sign: &str) -> bool {
        matches!(self.token().tok, Tok::Sign(it) if it == sign)
    }

    fn at_end(&self) -> bool {
        self.token().tok == Tok::End
    }

    /// Whether the next token continues a reference: `.` or `[` without whitespace before.
    fn ref_follows(&self) -> bool {
        let next = self.peek(1);
        !next.spaced && matches!(next.tok, Tok::Sign("." | "["))
    }

    /// Whether `word` stands here as a keyword, not as the first name of a reference (`if.a`).
    fn at_keyword(&self, word: &str) -> bool {
        self.word() == Some(word)
            && (RESERVED.contains(&word) || word == "with" || self.keywords.has(word))
            && !self.ref_follows()
    }

    fn is_reserved(&self, word: &str) -> bool {
        RESERVED.contains(&word) || word == "with" || self.keywords.has(word)
    }

    fn take_sign(&mut self, sign: &str) -> Parsed<bool> {
        let there = self.at_sign(sign);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn take_keyword(&mut self, word: &str) -> Parsed<bool> {
        let there = self.at_keyword(word);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn expect_sign(&mut self, sign: &str) -> Parsed<()> {
        if self.take_sign(sign)? { Ok(()) } else { Err(self.unexpected(&format!("expected `{sign}`"))) }
    }

    fn mistake(&self, message: impl Into<String>) -> Diagnostic {
        self.mistake_at(message, self.span())
    }

    fn mistake_at(&self, message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic { message: message.into(), span, help: None }
    }

    /// What stands here does not belong here.
    fn unexpected(&self, wanted: &str) -> Diagnostic {
        let found = match &self.token().tok {
            Tok::End => "end of text".to_owned(),
            Tok::Name if self.is_reserved(self.text(self.span())) => format!("keyword `{}`", self.text(self.span())),
            Tok::Name | Tok::Number | Tok::Sign(_) => format!("`{}`", self.text(self.span())),
            Tok::Str(_) => "string".to_owned(),
            Tok::Template { .. } => "template string".to_owned(),
        };
        let mut mistake = self.mistake(format!("unexpected {found}: {wanted}"));
        if self.at_keyword("if") {
            let help = "a condition belongs to a rule, not to a term: write a rule or function, with `else` for the other case";
            mistake.help = Some(help.to_owned());
        }
        mistake
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting >= MAX_NESTING {
            return Err(self.mistake(format!("brackets are nested deeper than {MAX_NESTING} levels")));
        }
        self.nesting += 1;
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    fn query(&mut self) -> Parsed<Body> {
        let mut body = Vec::new();
        loop {
            if self.at_end() {
                if body.is_empty() {
                    return Err(self.mistake("the query is empty"));
                }
                return Ok(body);
            }
            body.push(self.literal()?);
            if body.len() > body::MAX_LITERALS {
                return Err(self.mistake(format!("query has more than {} expressions", body::MAX_LITERALS)));
            }
            if self.take_sign(";")? || self.at_end() || self.token().newline {
                continue;
            }
            return Err(self.unexpected("expected `;` or a new line"));
        }
    }

    fn module(&mut self, mistakes: &mut Vec<Diagnostic>) -> Parsed<Module> {
        let (package, package_span) = self.package()?;
        let mut module = Module {
            package,
            package_span,
            imports: Vec::new(),
            rules: Vec::new(),
            comments: Vec::new(),
            plain_not: false,
        };
        while !self.at_end() {
            let start = self.at;
            let result = if self.at_keyword("import") {
                self.import().map(|import| {
                    self.switch_on(&import, &mut module);
                    module.imports.push(import);
                })
            } else if self.at_keyword("package") {
                Err(self.mistake("a module has one package"))
            } else {
                self.rules(&mut module.rules)
            };
            if let Err(mistake) = result {
                mistakes.push(mistake);
                if mistakes.len() >= MAX_MISTAKES || self.fuel == 0 {
                    break;
                }
                self.nesting = 0;
                self.recover(start);
            }
        }
        Ok(module)
    }

    /// Goes on at the next token that begins a line at its margin.
    fn recover(&mut self, start: usize) {
        self.at = self.at.max(start + 1).min(self.tokens.len() - 1);
        while !self.at_end() {
            let token = self.token();
            let line_start =
                token.span.start == 0 || self.source.as_bytes().get(token.span.start as usize - 1) == Some(&b'\n');
            if token.newline && line_start && matches!(token.tok, Tok::Name) {
                return;
            }
            self.at += 1;
        }
    }
}
