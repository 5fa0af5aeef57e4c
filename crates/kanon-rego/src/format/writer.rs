//! Text being written: lines and their indentation, and the comments of the source, which go out in their order.
//!
//! A comment is written on a line of its own before what follows it (`leading`), or at the end of the line it stands on
//! (`trailing`). What has a comment in any other place is written as it stands (`unit`). It knows nothing of the language.

use kanon_lang::Span;

use crate::lex::{Tok, Token};

pub(super) struct Writer<'s> {
    source: &'s str,
    tokens: &'s [Token],
    comments: &'s [Span],
    /// Where the lines of the source begin.
    lines: Vec<u32>,
    /// The first comment that is not written yet.
    next: usize,
    out: String,
    level: usize,
    /// Above 0, only parentheses that are needed are written.
    pub(super) bare: usize,
}

impl<'s> Writer<'s> {
    pub(super) fn new(source: &'s str, tokens: &'s [Token], comments: &'s [Span], is_bare: bool) -> Writer<'s> {
        let ends = source.bytes().enumerate().filter(|it| it.1 == b'\n').map(|it| it.0 as u32 + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        let out = String::with_capacity(source.len() + source.len() / 8);
        Writer { source, tokens, comments, lines, next: 0, out, level: 0, bare: usize::from(is_bare) }
    }

    /// The text, which ends with one line break.
    pub(super) fn finish(mut self) -> String {
        self.out.truncate(self.out.trim_end_matches('\n').len());
        self.out.push('\n');
        self.out
    }

    /// The line that a place is on, from 0.
    pub(super) fn row(&self, place: u32) -> usize {
        self.lines.partition_point(|start| *start <= place).saturating_sub(1)
    }

    /// Text of the source.
    pub(super) fn text(&self, start: u32, end: u32) -> &'s str {
        self.source.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The index of the token that begins at a place, or of the next one.
    pub(super) fn token_at(&self, place: u32) -> usize {
        self.tokens.partition_point(|it| it.span.start < place)
    }

    pub(super) fn token(&self, at: usize) -> Option<&'s Token> {
        self.tokens.get(at)
    }

    pub(super) fn is_sign(&self, at: usize, sign: &str) -> bool {
        matches!(self.token(at).map(|it| &it.tok), Some(Tok::Sign(it)) if *it == sign)
    }

    /// The token before a place.
    pub(super) fn before(&self, place: u32) -> Option<&'s Token> {
        self.token_at(place).checked_sub(1).and_then(|at| self.token(at))
    }

    /// Where the bracket at an index is closed.
    pub(super) fn closing(&self, open: usize) -> u32 {
        let mut depth = 0_usize;
        for token in self.tokens.iter().skip(open) {
            match token.tok {
                Tok::Sign("(" | "[" | "{") => depth += 1,
                Tok::Sign(")" | "]" | "}") => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return token.span.start;
            }
        }
        self.source.len() as u32
    }

    fn at_line_start(&self) -> bool {
        self.out.is_empty() || self.out.ends_with('\n')
    }

    pub(super) fn put(&mut self, text: &str) {
        if self.at_line_start() {
            self.out.extend(std::iter::repeat_n('\t', self.level));
        }
        self.out.push_str(text);
    }

    pub(super) fn newline(&mut self) {
        if !self.at_line_start() {
            self.out.push('\n');
        }
    }

    /// One empty line, unless there is one or nothing stands before it.
    pub(super) fn blank(&mut self) {
        self.newline();
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// What `inner` writes stands one level deeper, on lines of its own.
    pub(super) fn indented(&mut self, inner: impl FnOnce(&mut Self)) {
        self.newline();
        self.level += 1;
        inner(self);
        self.newline();
        self.level -= 1;
    }

    pub(super) fn deeper(&mut self) {
        self.level += 1;
    }

    pub(super) fn shallower(&mut self) {
        self.level -= 1;
    }

    /// How much was written.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// What was written since.
    pub(super) fn since(&self, len: usize) -> &str {
        self.out.get(len..).unwrap_or_default()
    }

    /// Whether a comment that is not written yet stands between two places.
    pub(super) fn has_comment(&self, start: u32, end: u32) -> bool {
        let after = self.comments.iter().skip(self.next).find(|it| it.start >= start);
        after.is_some_and(|it| it.start < end)
    }

    /// Whether a comment stands in a place, written or not.
    pub(super) fn any_comment(&self, place: Span) -> bool {
        self.comments.iter().any(|it| it.start >= place.start && it.start < place.end)
    }

    fn pending(&self, before: u32) -> Option<Span> {
        self.comments.get(self.next).copied().filter(|it| it.start < before)
    }

    /// The comments before a place, each on a line of its own. An empty line between them and it stays.
    pub(super) fn leading(&mut self, place: u32) {
        if let Some(last) = self.closing_comments(place)
            && self.row(place) > last + 1
        {
            self.blank();
        }
    }

    /// The comments before a closing bracket; the row of the last one.
    pub(super) fn closing_comments(&mut self, place: u32) -> Option<usize> {
        let mut last = None;
        while let Some(comment) = self.pending(place) {
            let row = self.row(comment.start);
            if last.is_some_and(|last| row > last + 1) {
                self.blank();
            }
            self.newline();
            self.put(self.text(comment.start, comment.end));
            self.newline();
            last = Some(row);
            self.next += 1;
        }
        last
    }

    /// The comment that ends the line of the place `end`, if it stands before `limit`.
    pub(super) fn trailing(&mut self, end: u32, limit: u32) {
        if let Some(comment) = self.pending(limit).filter(|it| self.row(it.start) == self.row(end)) {
            self.put(" ");
            self.out.push_str(self.text(comment.start, comment.end));
            self.next += 1;
        }
    }

    /// The comment that ends the line of the place `end`, if it stands before `limit`; it counts as written.
    pub(super) fn take_trailing(&mut self, end: u32, limit: u32) -> Option<&'s str> {
        let comment = self.pending(limit).filter(|it| self.row(it.start) == self.row(end))?;
        self.next += 1;
        Some(self.text(comment.start, comment.end))
    }

    /// What stands in the source from `start` to `end`, as `inner` writes it; as it stands, where that leaves a comment out.
    pub(super) fn unit(&mut self, start: u32, end: u32, inner: impl FnOnce(&mut Self)) {
        let (len, next, level, bare) = (self.out.len(), self.next, self.level, self.bare);
        inner(self);
        if self.pending(end).is_some() {
            (self.level, self.bare) = (level, bare);
            self.out.truncate(len);
            self.put(self.text(start, end));
            self.next = next + self.comments.iter().skip(next).take_while(|it| it.start < end).count();
        }
    }
}
