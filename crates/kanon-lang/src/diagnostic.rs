//! Mistakes in policy text, with their place.

use std::fmt;

/// A byte range in the source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

impl Span {
    /// The range `start..end`.
    pub fn new(start: usize, end: usize) -> Span {
        // Policy text is bounded far below 4 GiB (`Options::max_len`).
        Span { start: start as u32, end: end as u32 }
    }

    /// The range moved to where it is a part of `source`: inside, and at the borders of letters.
    #[must_use]
    pub fn within(self, source: &str) -> Span {
        let start = source.floor_char_boundary(self.start as usize);
        let end = source.ceil_char_boundary(self.end as usize).max(start);
        Span::new(start, end)
    }

    /// The smallest range that holds both.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong: a lower-case fragment without final period.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to do, if that can be said.
    pub help: Option<String>,
}

/// Why a text does not compile: at least one mistake, with the text they are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// The policy text.
    pub source: String,
    /// The mistakes, in order of place.
    pub list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The mistakes of a text. Places are put right where they end inside of a letter; of messages that quote very long
    /// text, the beginning and the end are kept.
    pub fn new(source: &str, mut list: Vec<Diagnostic>) -> Diagnostics {
        for it in &mut list {
            it.span = it.span.within(source);
            bound(&mut it.message);
            it.help.as_mut().map(bound);
        }
        Diagnostics { source: source.to_owned(), list }
    }

    /// A single mistake.
    pub fn one(source: &str, message: impl Into<String>, span: Span) -> Diagnostics {
        Diagnostics::new(source, vec![Diagnostic { message: message.into(), span, help: None }])
    }

    /// Line and column (both from 1, columns in characters) of a span's start.
    pub fn position(&self, span: Span) -> (usize, usize) {
        let before = self.source.get(..span.start as usize).unwrap_or(&self.source);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// Longer messages help nobody, in bytes.
const MESSAGE_MAX: usize = 1_000;

fn bound(message: &mut String) {
    if message.len() > MESSAGE_MAX {
        let head = &message[..message.floor_char_boundary(MESSAGE_MAX / 2)];
        let tail = &message[message.ceil_char_boundary(message.len() - MESSAGE_MAX / 4)..];
        *message = format!("{head} … {tail}");
    }
}

/// Message, line and column, and the line with a caret below the place, as the originals print it:
///
/// ```text
/// unexpected token Operator("==") (1:10)
///  | spec.x ==
///  | .........^
/// ```
impl fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Diagnostic { message, span, help }) in self.list.iter().enumerate() {
            let (line, column) = self.position(*span);
            let text = self.source.lines().nth(line - 1).unwrap_or_default();
            let dots = ".".repeat(column - 1);
            let separator = if at == 0 { "" } else { "\n" };
            write!(out, "{separator}{message} ({line}:{column})\n | {text}\n | {dots}^")?;
            if let Some(help) = help {
                write!(out, "\nhelp: {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_messages_are_put_right() {
        let one = &Diagnostics::one("aé", "x".repeat(1 << 20), Span::new(2, 2)).list[0];
        assert_eq!(one.span, Span::new(1, 3));
        assert!(one.message.len() < 1_000 && one.message.contains(" … "));
        assert_eq!(Diagnostics::one("a", "x", Span::new(7, 3)).list[0].span, Span::new(1, 1));
    }

    #[test]
    fn diagnostics_point_at_their_place() {
        let diagnostics = Diagnostics::one("a ==\n  é §", "unexpected token", Span::new(10, 12));
        assert_eq!(diagnostics.to_string(), "unexpected token (2:5)\n |   é §\n | ....^");
    }
}
