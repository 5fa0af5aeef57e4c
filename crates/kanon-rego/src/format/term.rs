//! Terms: operators, collections over one or several lines, comprehensions.

use super::writer::Writer;
use crate::{
    ast::{Body, Infix, Term, TermKind},
    lex::{RESERVED, Tok},
    print::{KEYWORDS, is_name},
};

/// Terms that nest deeper get only the parentheses they need.
const MAX_HELPFUL: u16 = 12;

/// What may stand without parentheses: anything.
pub(super) const ANY: u8 = 0;
/// No `in`: the operands of `some … in` and `every`.
pub(super) const NO_IN: u8 = 2;
/// No operator that a `|` is not tighter than: an element of a collection, where it would begin a comprehension.
const ELEMENT: u8 = 4;
/// No operator at all.
const OPERAND: u8 = 7;

/// An element of a collection, with the key of an object's member.
pub(super) struct Item<'t> {
    key: Option<&'t Term>,
    value: &'t Term,
}

impl<'t> Item<'t> {
    pub(super) fn of(terms: &'t [Term]) -> Vec<Item<'t>> {
        terms.iter().map(|value| Item { key: None, value }).collect()
    }

    fn start(&self) -> u32 {
        self.key.unwrap_or(self.value).span.start
    }
}

impl Writer<'_> {
    /// The index of a term's first token, the parentheses around it left out.
    fn first_token(&self, term: &Term) -> usize {
        let mut at = self.token_at(term.span.start);
        while self.is_sign(at, "(") {
            at += 1;
        }
        at
    }

    /// A term; in parentheses where it binds less tightly than `level`.
    pub(super) fn term(&mut self, term: &Term, level: u8) {
        let is_deep = term.depth > MAX_HELPFUL;
        self.bare += usize::from(is_deep);
        match &term.kind {
            TermKind::Null => self.put("null"),
            TermKind::Bool(true) => self.put("true"),
            TermKind::Bool(false) => self.put("false"),
            TermKind::Number(text) => self.put(text),
            TermKind::Var(name) => self.put(name),
            TermKind::Str(_) => self.string(term),
            TermKind::Template(_) => self.template(term),
            TermKind::Ref(head, operands) => {
                self.term(head, OPERAND);
                for operand in operands {
                    self.operand(operand, false);
                }
            }
            TermKind::Call(callee, args) => {
                self.term(callee, OPERAND);
                let open = self.token_at(callee.span.end);
                self.list(open, "(", &Item::of(args), ")");
            }
            TermKind::Infix(infix, pair) => {
                let operand = if self.bare > 0 { None } else { Some(OPERAND) };
                let levels = (operand.unwrap_or(infix.level()), operand.unwrap_or(infix.level() + 1));
                self.in_parentheses(infix.level() < level, |it| it.infix(*infix, pair, levels));
            }
            TermKind::Member(key, pair) => {
                self.in_parentheses(level > ANY || key.is_some(), |it| it.member(key.as_deref(), pair));
            }
            TermKind::Array(items) => self.list(self.first_token(term), "[", &Item::of(items), "]"),
            TermKind::Set(items) if items.is_empty() => self.put("set()"),
            TermKind::Set(items) => self.list(self.first_token(term), "{", &Item::of(items), "}"),
            TermKind::Object(members) => {
                let items: Vec<Item> = members.iter().map(|(key, value)| Item { key: Some(key), value }).collect();
                self.list(self.first_token(term), "{", &items, "}");
            }
            TermKind::ArrayOf(head, body) => self.comprehension(term, ["[", "]"], (None, head), body),
            TermKind::SetOf(head, body) => self.comprehension(term, ["{", "}"], (None, head), body),
            TermKind::ObjectOf(head, body) => {
                self.comprehension(term, ["{", "}"], (Some(&head.0), &head.1), body);
            }
        }
        self.bare -= usize::from(is_deep);
    }

    /// A term that is an expression by itself: its outermost operator's operands need no parentheses to be read.
    pub(super) fn expression(&mut self, term: &Term) {
        match &term.kind {
            TermKind::Infix(infix, pair) => self.infix(*infix, pair, (infix.level(), infix.level() + 1)),
            TermKind::Member(key, pair) => self.member(key.as_deref(), pair),
            _ => self.term(term, ANY),
        }
    }

    fn in_parentheses(&mut self, needed: bool, inner: impl FnOnce(&mut Self)) {
        if needed {
            self.put("(");
        }
        inner(self);
        if needed {
            self.put(")");
        }
    }

    fn infix(&mut self, infix: Infix, pair: &(Term, Term), levels: (u8, u8)) {
        self.term(&pair.0, levels.0);
        self.put(" ");
        self.put(infix.text());
        self.put(" ");
        self.term(&pair.1, levels.1);
    }

    fn member(&mut self, key: Option<&Term>, pair: &(Term, Term)) {
        let level = if self.bare > 0 { NO_IN } else { OPERAND };
        if let Some(key) = key {
            self.term(key, level);
            self.put(", ");
        }
        self.term(&pair.0, level);
        self.put(" in ");
        self.term(&pair.1, level);
    }

    /// A string as it was written.
    fn string(&mut self, term: &Term) {
        if let Some(token) = self.token(self.first_token(term)) {
            self.put(self.text(token.span.start, token.span.end));
        }
    }

    /// A template as it was written, the parentheses around it left out.
    fn template(&mut self, term: &Term) {
        let first = self.first_token(term);
        let parentheses = first - self.token_at(term.span.start);
        let last = self.token_at(term.span.end).saturating_sub(1 + parentheses);
        if let (Some(first), Some(last)) = (self.token(first), self.token(last)) {
            self.put(self.text(first.span.start, last.span.end));
        }
    }

    /// `.name` or `[term]`. In a rule's name a string stays a string.
    pub(super) fn operand(&mut self, operand: &Term, in_head: bool) {
        if let Some(name) = operand.as_str() {
            let token = self.token(self.first_token(operand));
            let is_word = token.is_some_and(|it| it.tok == Tok::Name);
            let may_be_word = is_name(name) && !KEYWORDS.contains(&name) && !name.starts_with(RESERVED);
            if is_word || (may_be_word && !in_head) {
                self.put(".");
                return self.put(name);
            }
        }
        self.put("[");
        self.term(operand, ANY);
        self.put("]");
    }

    /// An element of a collection. A union would be read as a comprehension.
    fn item(&mut self, item: &Item, is_call: bool) {
        for (at, term) in item.key.into_iter().chain([item.value]).enumerate() {
            if at > 0 {
                self.put(": ");
            }
            let is_union = matches!(&term.kind, TermKind::Infix(Infix::Or, _));
            let had_parentheses = self.text(term.span.start, term.span.end).starts_with('(');
            let level = match is_call {
                true if is_union && had_parentheses => OPERAND,
                true => ANY,
                false if is_union => OPERAND,
                // Between brackets, whatever begins with a `|` has to be inside of parentheses.
                false if self.bare > 0 || term.depth > MAX_HELPFUL => ELEMENT,
                false => ANY,
            };
            self.term(term, level);
        }
    }

    /// A collection or arguments, its opening bracket being the token at `open`: over several lines where its elements are,
    /// where the first begins a line, and where it has comments.
    pub(super) fn list(&mut self, open: usize, opening: &str, items: &[Item], closing: &str) {
        self.put(opening);
        let is_call = opening == "(";
        if let Some(first) = items.first() {
            let open_at = self.token(open).map_or(0, |it| it.span.start);
            let close_at = self.closing(open);
            let lines: Vec<&[Item]> = items.chunk_by(|a, b| self.row(b.start()) <= self.row(a.start())).collect();
            let is_broken = lines.len() > 1
                || self.row(first.start()) > self.row(open_at)
                || self.has_comment_between(open_at, items, close_at);
            if is_broken {
                self.trailing(open_at, first.start());
                self.indented(|this| this.lines(&lines, close_at, is_call));
            } else {
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.put(", ");
                    }
                    self.item(item, is_call);
                }
            }
        }
        self.put(closing);
    }

    fn lines(&mut self, lines: &[&[Item]], close_at: u32, is_call: bool) {
        for (at, line) in lines.iter().enumerate() {
            let (Some(first), Some(last)) = (line.first(), line.last()) else { continue };
            self.leading(first.start());
            for (at, item) in line.iter().enumerate() {
                if at > 0 {
                    self.put(", ");
                }
                self.unit(item.start(), item.value.span.end, |this| this.item(item, is_call));
            }
            self.put(",");
            let limit = lines.get(at + 1).and_then(|it| it.first()).map_or(close_at, Item::start);
            self.trailing(last.value.span.end, limit);
            self.newline();
        }
        self.closing_comments(close_at);
    }

    fn has_comment_between(&self, open_at: u32, items: &[Item], close_at: u32) -> bool {
        let mut from = open_at;
        for item in items {
            if self.has_comment(from, item.start()) {
                return true;
            }
            from = item.value.span.end;
        }
        self.has_comment(from, close_at)
    }

    fn comprehension(&mut self, term: &Term, brackets: [&str; 2], head: (Option<&Term>, &Term), body: &Body) {
        let (key, value) = head;
        let close_at = self.closing(self.first_token(term));
        self.put(brackets[0]);
        if let Some(key) = key {
            let is_union = matches!(&key.kind, TermKind::Infix(Infix::Or, _));
            self.term(key, if is_union || key.depth > MAX_HELPFUL || self.bare > 0 { ELEMENT } else { ANY });
            self.put(": ");
        }
        self.term(value, OPERAND);
        self.put(" |");
        self.closure(key.unwrap_or(value).span.start, value.span.end, body, close_at);
        self.put(brackets[1]);
    }

    /// The body of a comprehension, on one line where it is on the line where its head begins.
    pub(super) fn closure(&mut self, start: u32, head_end: u32, body: &Body, close_at: u32) {
        let (Some(first), Some(last)) = (body.first(), body.last()) else { return };
        let is_broken = self.row(first.span.start) > self.row(start)
            || body.windows(2).any(|it| self.row(it[1].span.start) > self.row(it[0].span.start))
            || self.has_comment(head_end, first.span.start)
            || self.has_comment(last.span.end, close_at);
        if is_broken {
            // The comment at the end of the line with the `|`.
            let opening = self.before(first.span.start).map_or(head_end, |it| it.span.end);
            self.trailing(opening, first.span.start);
            self.indented(|this| this.body(body, close_at));
            return;
        }
        for (at, literal) in body.iter().enumerate() {
            self.put(if at > 0 { "; " } else { " " });
            self.literal(literal);
        }
    }
}
