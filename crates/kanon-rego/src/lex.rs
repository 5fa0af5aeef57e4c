//! Text to tokens. Comments are kept apart; whether whitespace or a line end stands before a token is noted, since both
//! mean something in Rego.

use kanon_lang::{Diagnostic, Span};

/// What a token is. Names and keywords are the same here: the parser knows which words are reserved where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tok {
    Name,
    Number,
    /// Unescaped.
    Str(String),
    /// A piece of a template, unescaped: whether it is the first, and whether an expression follows.
    Template {
        text: String,
        first: bool,
        open: bool,
    },
    /// One or two signs.
    Sign(&'static str),
    End,
}

/// A token with its place.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) tok: Tok,
    pub(crate) span: Span,
    /// Whitespace, a line end or a comment stands before it.
    pub(crate) spaced: bool,
    /// A line end stands before it.
    pub(crate) newline: bool,
}

/// What names that are made here begin with; a policy cannot have such names.
pub(crate) const RESERVED: &str = "kanon__";

/// Tokens, comments.
type Lexed = (Vec<Token>, Vec<Span>);

const SIGNS: [&str; 25] = [
    ":=", "==", "!=", "<=", ">=", "(", ")", "[", "]", "{", "}", ",", ";", ":", ".", "=", "<", ">", "+", "-", "*", "/",
    "%", "&", "|",
];

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    tokens: Vec<Token>,
    comments: Vec<Span>,
    /// For each template that is open: how many braces are open in its expression, and whether it is raw.
    templates: Vec<(usize, bool)>,
}

/// The tokens of a text, the last being [`Tok::End`].
pub(crate) fn lex(source: &str) -> Result<Lexed, Diagnostic> {
    let mut lexer = Lexer { source, at: 0, tokens: Vec::new(), comments: Vec::new(), templates: Vec::new() };
    lexer.run()?;
    Ok((lexer.tokens, lexer.comments))
}

fn problem(message: impl Into<String>, start: usize, end: usize) -> Diagnostic {
    Diagnostic { message: message.into(), span: Span::new(start, end), help: None }
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn run(&mut self) -> Result<(), Diagnostic> {
        loop {
            let (spaced, newline) = self.blanks();
            let start = self.at;
            let Some(first) = self.rest().chars().next() else {
                if let Some((_, _)) = self.templates.last() {
                    return Err(problem("template string is not closed", start, start));
                }
                self.push(Tok::End, start, true, true);
                return Ok(());
            };
            let tok = match first {
                '"' => self.string()?,
                '`' => self.raw()?,
                '$' if self.rest().starts_with("$\"") || self.rest().starts_with("$`") => {
                    let raw = self.rest().starts_with("$`");
                    self.at += 2;
                    self.template(raw, true)?
                }
                '}' if self.templates.last().is_some_and(|it| it.0 == 0) => {
                    let raw = self.templates.pop().is_some_and(|it| it.1);
                    self.at += 1;
                    self.template(raw, false)?
                }
                '0'..='9' => self.number(),
                c if c == '_' || c.is_ascii_alphabetic() => {
                    let len = self.rest().bytes().take_while(|b| *b == b'_' || b.is_ascii_alphanumeric()).count();
                    if self.rest().starts_with(RESERVED) {
                        let message = format!("names that begin with `{RESERVED}` are reserved");
                        return Err(problem(message, start, start + len));
                    }
                    self.at += len;
                    Tok::Name
                }
                c => {
                    let Some(sign) = SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) else {
                        return Err(problem(
                            format!("illegal token `{}`", c.escape_debug()),
                            start,
                            start + c.len_utf8(),
                        ));
                    };
                    self.at += sign.len();
                    if let Some((open, _)) = self.templates.last_mut() {
                        match *sign {
                            "{" => *open += 1,
                            "}" => *open -= 1,
                            _ => {}
                        }
                    }
                    Tok::Sign(sign)
                }
            };
            self.push(tok, start, spaced, newline);
        }
    }

    fn push(&mut self, tok: Tok, start: usize, spaced: bool, newline: bool) {
        self.tokens.push(Token { tok, span: Span::new(start, self.at), spaced, newline });
    }

    /// Skips whitespace and comments; whether there was any, and whether a line ended.
    fn blanks(&mut self) -> (bool, bool) {
        let start = self.at;
        let mut newline = self.at == 0;
        loop {
            match self.source.as_bytes().get(self.at) {
                Some(b'\n') => {
                    newline = true;
                    self.at += 1;
                }
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'#') => {
                    let len = self.rest().find('\n').unwrap_or(self.rest().len());
                    let text = self.rest().get(..len).unwrap_or_default();
                    self.comments.push(Span::new(self.at, self.at + text.trim_end().len()));
                    self.at += len;
                }
                // A byte order mark at the very beginning is no token.
                Some(0xEF) if self.at == 0 && self.rest().starts_with('\u{feff}') => self.at = 3,
                _ => return (self.at > start, newline),
            }
        }
    }

    fn number(&mut self) -> Tok {
        let bytes = self.source.as_bytes();
        let digits = |at: &mut usize| {
            while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
                *at += 1;
            }
        };
        let mut at = self.at;
        digits(&mut at);
        if bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
            at += 1;
            digits(&mut at);
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let mut exponent = at + 1;
            if matches!(bytes.get(exponent), Some(b'+' | b'-')) {
                exponent += 1;
            }
            if bytes.get(exponent).is_some_and(u8::is_ascii_digit) {
                at = exponent;
                digits(&mut at);
            }
        }
        self.at = at;
        Tok::Number
    }

    fn string(&mut self) -> Result<Tok, Diagnostic> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.rest().chars().next() {
                None | Some('\n') => return Err(problem("string is not closed", start, start + 1)),
                Some('"') => {
                    self.at += 1;
                    return Ok(Tok::Str(text));
                }
                Some('\\') => self.escape(&mut text, false)?,
                Some(c) => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    fn raw(&mut self) -> Result<Tok, Diagnostic> {
        let start = self.at;
        let Some(len) = self.rest().get(1..).and_then(|rest| rest.find('`')) else {
            return Err(problem("raw string is not closed", start, start + 1));
        };
        let text = self.rest().get(1..=len).unwrap_or_default().to_owned();
        self.at += len + 2;
        Ok(Tok::Str(text))
    }

    /// The text of a template up to its end or the next expression.
    fn template(&mut self, raw: bool, first: bool) -> Result<Tok, Diagnostic> {
        let start = self.at;
        let mut text = String::new();
        loop {
            match self.rest().chars().next() {
                Some('\n') if !raw => return Err(problem("template string is not closed", start, start)),
                None => return Err(problem("template string is not closed", start, start)),
                Some('"') if !raw => break,
                Some('`') if raw => break,
                Some('{') => {
                    self.at += 1;
                    self.templates.push((0, raw));
                    if self.templates.len() > 32 {
                        return Err(problem("template strings are nested too deeply", start, self.at));
                    }
                    return Ok(Tok::Template { text, first, open: true });
                }
                Some('\\') if raw => {
                    let escaped = self.rest().starts_with("\\{");
                    text.push(if escaped { '{' } else { '\\' });
                    self.at += if escaped { 2 } else { 1 };
                }
                Some('\\') => self.escape(&mut text, true)?,
                Some(c) => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        self.at += 1;
        Ok(Tok::Template { text, first, open: false })
    }

    /// An escape as in JSON, and `\{` in templates.
    fn escape(&mut self, text: &mut String, template: bool) -> Result<(), Diagnostic> {
        let start = self.at;
        let illegal = |end: usize| problem("illegal escape in string", start, end);
        let Some(letter) = self.rest().chars().nth(1) else { return Err(illegal(start + 1)) };
        self.at += 1 + letter.len_utf8();
        text.push(match letter {
            '"' | '\\' | '/' => letter,
            '{' if template => '{',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.unit().ok_or_else(|| illegal(self.at))?;
                let low = if (0xD800..0xDC00).contains(&unit) && self.rest().starts_with("\\u") {
                    let before = self.at;
                    self.at += 2;
                    let low = self.unit().filter(|low| (0xDC00..0xE000).contains(low));
                    if low.is_none() {
                        self.at = before;
                    }
                    low
                } else {
                    None
                };
                let code = low.map_or(unit, |low| 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
                // A lone half of a pair is what Go makes of it.
                char::from_u32(code).unwrap_or('\u{fffd}')
            }
            _ => return Err(illegal(self.at)),
        });
        Ok(())
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let unit = u32::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(unit)
    }
}
