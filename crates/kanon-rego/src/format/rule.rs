//! Modules, rules, bodies and their expressions.

use kanon_lang::Span;

use super::{
    is_true,
    term::{ANY, Item, NO_IN},
    writer::Writer,
};
use crate::{
    ast::{Body, Every, Head, Import, Literal, LiteralKind, Module, Rule, Term, TermKind},
    lex::Tok,
};

/// Whether a value is not written, since it is true anyway.
fn is_implied(value: Option<&Term>, body: &Body) -> bool {
    value.is_none() || (is_true(value) && !body.is_empty())
}

/// What a rule's branch needs to know of the one before.
struct Branch {
    /// Where it begins and ends in the source.
    span: Span,
    /// It was written with braces.
    is_block: bool,
}

impl Writer<'_> {
    pub(super) fn module(&mut self, module: &Module) {
        let start = self.token(0).map_or(0, |it| it.span.start);
        let first = module.imports.first().map(|it| it.span.start).into_iter();
        let first = first.chain(module.rules.first().map(|it| it.span.start)).min().unwrap_or(u32::MAX);
        self.leading(start);
        self.unit(start, module.package_span.end, |this| {
            this.put("package ");
            this.path(module.package_span);
        });
        self.trailing(module.package_span.end, first);
        self.blank();
        let (mut imports, mut rules) = (module.imports.as_slice(), module.rules.as_slice());
        loop {
            let limit = |it: Option<u32>| it.unwrap_or(u32::MAX);
            let first_import = limit(imports.first().map(|it| it.span.start));
            let first_rule = limit(rules.first().map(|it| it.span.start));
            if !imports.is_empty() && first_import < first_rule {
                let here = imports.partition_point(|it| it.span.start < first_rule);
                let (these, others) = imports.split_at(here);
                self.imports(these, first_rule);
                imports = others;
            } else if !rules.is_empty() {
                let here = rules.partition_point(|it| it.span.start < first_import);
                let (these, others) = rules.split_at(here);
                self.rules(these, first_import);
                rules = others;
            } else {
                break;
            }
            self.blank();
        }
        self.closing_comments(u32::MAX);
    }

    pub(super) fn query(&mut self, body: &Body) {
        for (at, literal) in body.iter().enumerate() {
            let start = literal.span.start;
            let next = body.get(at + 1).map_or(u32::MAX, |it| it.span.start);
            if let Some(before) = at.checked_sub(1).and_then(|at| body.get(at)) {
                let is_below = self.row(start) > self.row(before.span.end) && !self.would_go_on(literal);
                if is_below { self.newline() } else { self.put("; ") }
            }
            self.leading(start);
            self.unit(start, literal.span.end, |this| this.literal(literal));
            self.trailing(literal.span.end, next);
        }
        self.closing_comments(u32::MAX);
    }

    /// `a.b["c"]`, which has no blanks.
    fn path(&mut self, span: Span) {
        let first = self.token_at(span.start);
        for at in first..self.token_at(span.end) {
            if let Some(token) = self.token(at) {
                self.put(self.text(token.span.start, token.span.end));
            }
        }
    }

    /// Imports that follow each other: sorted where no empty line or comment stands between them.
    fn imports(&mut self, imports: &[Import], limit: u32) {
        let groups: Vec<&[Import]> =
            imports.chunk_by(|a, b| self.row(b.span.start) <= self.row(a.span.start) + 1).collect();
        for (at, group) in groups.iter().enumerate() {
            let limit = groups.get(at + 1).and_then(|it| it.first()).map_or(limit, |it| it.span.start);
            let Some(first) = group.first() else { continue };
            self.leading(first.span.start);
            if group.iter().any(|it| self.has_comment(it.span.start, it.span.end)) {
                for (at, import) in group.iter().enumerate() {
                    let Span { start, end } = import.span;
                    self.leading(start);
                    self.unit(start, end, |this| this.import(import));
                    self.trailing(end, group.get(at + 1).map_or(limit, |it| it.span.start));
                    self.newline();
                }
            } else {
                let mut lines: Vec<(&Import, Option<&str>)> = Vec::with_capacity(group.len());
                for (at, import) in group.iter().enumerate() {
                    let limit = group.get(at + 1).map_or(limit, |it| it.span.start);
                    lines.push((import, self.take_trailing(import.span.end, limit)));
                }
                lines.sort_by(|(a, _), (b, _)| (&a.path, &a.alias).cmp(&(&b.path, &b.alias)));
                for (import, comment) in lines {
                    self.import(import);
                    if let Some(comment) = comment {
                        self.put(" ");
                        self.put(comment);
                    }
                    self.newline();
                }
            }
            self.blank();
        }
    }

    fn import(&mut self, import: &Import) {
        let first = self.token_at(import.span.start) + 1;
        self.put("import ");
        let mut end = self.token_at(import.span.end);
        if import.alias.is_some() {
            end -= 2;
        }
        let (start, end) = (self.token(first), self.token(end));
        if let (Some(start), Some(end)) = (start, end) {
            self.path(Span { start: start.span.start, end: end.span.start });
        }
        if let Some(alias) = &import.alias {
            self.put(" as ");
            self.put(alias);
        }
    }

    fn rules(&mut self, rules: &[Rule], limit: u32) {
        for (at, rule) in rules.iter().enumerate() {
            let next = rules.get(at + 1);
            self.leading(rule.span.start);
            let len = self.len();
            self.rule(rule);
            let is_line = !self.since(len).contains('\n');
            self.trailing(rule.span.end, next.map_or(limit, |it| it.span.start));
            self.newline();
            let is_short = |rule: &Rule| !rule.is_default && rule.body.len() <= 1 && rule.otherwise.is_empty();
            let is_next = |it: &Rule| self.row(it.span.start) == self.row(rule.span.start) + 1;
            if next.is_some_and(|it| self.is_attached(it)) {
                continue;
            }
            if !(is_line && is_short(rule) && next.is_some_and(|it| is_short(it) && is_next(it))) {
                self.blank();
            }
        }
    }

    /// Whether this is a further body of the rule before that cannot be written as a rule of its own: its head has comments.
    fn is_attached(&self, rule: &Rule) -> bool {
        rule.span.start > rule.head.span.start && self.any_comment(rule.head.span)
    }

    fn rule(&mut self, rule: &Rule) {
        if self.is_attached(rule) {
            return self.braces(&rule.body, rule.span.end);
        }
        // Each further body of a rule is written as a rule of its own.
        let is_further = rule.span.start > rule.head.span.start;
        let (head_start, head_end) = (rule.head.span.start, rule.head.span.end);
        let row = self.row(if is_further { rule.span.start } else { head_end });
        self.unit(head_start, head_end, |this| this.head(rule));
        let end_of = |at: usize| match rule.otherwise.get(at) {
            Some(otherwise) => self.before(otherwise.span.start).map_or(otherwise.span.start, |it| it.span.end),
            None => rule.span.end,
        };
        let ends: Vec<u32> = (0..=rule.otherwise.len()).map(end_of).collect();
        let mut ends = ends.into_iter();
        let mut end = ends.next().unwrap_or(rule.span.end);
        let is_block = self.block(&rule.body, row, end);
        let mut before = Branch { span: Span { start: rule.span.start, end }, is_block };
        for otherwise in &rule.otherwise {
            let start = otherwise.span.start;
            self.before_else(&before, start);
            end = ends.next().unwrap_or(end);
            let value = otherwise.value.as_ref().filter(|it| !is_implied(Some(it), &otherwise.body));
            let head_end = otherwise.value.as_ref().map_or(start, |it| it.span.end);
            self.unit(start, head_end, |this| {
                this.put("else");
                if let Some(value) = value {
                    this.put(" := ");
                    this.term(value, ANY);
                }
            });
            let is_block = self.block(&otherwise.body, self.row(head_end), end);
            before = Branch { span: Span { start, end }, is_block };
        }
    }

    /// `else` goes on after the brace where it is written so; otherwise an empty line stands before it.
    fn before_else(&mut self, before: &Branch, start: u32) {
        let is_first = self.token(self.token_at(start)).is_some_and(|it| it.newline);
        let is_inline = before.is_block && !is_first && self.row(start) > self.row(before.span.start);
        if is_inline && !self.has_comment(0, start) {
            return self.put(" ");
        }
        self.trailing(before.span.end, start);
        self.blank();
        self.leading(start);
    }

    fn head(&mut self, rule: &Rule) {
        let Head { path, args, element, value, .. } = &rule.head;
        if rule.is_default {
            self.put("default ");
        }
        for (at, part) in path.iter().enumerate() {
            if at == 0 { self.term(part, ANY) } else { self.operand(part, true) }
        }
        if let Some(args) = args {
            let mut open = path.last().map_or(0, |it| self.token_at(it.span.end));
            while !self.is_sign(open, "(") && self.token(open).is_some_and(|it| it.tok != Tok::End) {
                open += 1;
            }
            self.list(open, "(", &Item::of(args), ")");
        }
        if let Some(element) = element {
            self.put(" contains ");
            self.term(element, ANY);
        }
        if let Some(value) = value.as_ref().filter(|it| !is_implied(Some(it), &rule.body)) {
            self.put(" := ");
            self.term(value, ANY);
        }
    }

    /// ` if …`; whether it has braces. One expression that begins on the line `row`, where the head ends, stays there.
    fn block(&mut self, body: &Body, row: usize, end: u32) -> bool {
        let (Some(first), Some(last)) = (body.first(), body.last()) else { return false };
        let start = first.span.start;
        self.put(" if");
        let opening = self.before(start);
        let has_braces = opening.is_some_and(|it| it.tok == Tok::Sign("{"));
        let close_at = match has_braces {
            true => self.before(end).map_or(end, |it| it.span.start),
            false => last.span.end,
        };
        if body.len() == 1 && self.row(start) == row && !self.has_comment(last.span.end, close_at) {
            // What looks like a body must not become one.
            let is_set =
                matches!(&first.kind, LiteralKind::Term(Term { kind: TermKind::Set(_) | TermKind::SetOf(..), .. }));
            let stays = !has_braces && !is_set && self.text(start, last.span.end).starts_with('{');
            if stays || self.first_text(first.span) != "{" {
                self.put(" ");
                self.unit(start, first.span.end, |this| this.literal(first));
                return false;
            }
        }
        self.put(" ");
        self.braces(body, if has_braces { end } else { close_at });
        true
    }

    /// `{ … }` over several lines.
    fn braces(&mut self, body: &Body, end: u32) {
        let (Some(first), Some(last)) = (body.first(), body.last()) else { return };
        let start = first.span.start;
        let closing = self.before(end).filter(|it| it.span.start >= last.span.end);
        let close_at = closing.map_or(end, |it| it.span.start);
        self.put("{");
        self.trailing(self.before(start).map_or(start, |it| it.span.end), start);
        self.indented(|this| this.body(body, close_at));
        self.put("}");
    }

    /// Whether a literal on a new line would be read as part of the one before: `-1`, and a variable with the name `in`.
    fn would_go_on(&self, literal: &Literal) -> bool {
        matches!(self.first_text(literal.span), "-" | "in")
    }

    /// The first token of a place once parentheses are gone.
    fn first_text(&self, span: Span) -> &str {
        let mut at = self.token_at(span.start);
        while self.is_sign(at, "(") {
            at += 1;
        }
        self.token(at).map_or("", |it| self.text(it.span.start, it.span.end))
    }

    /// Expressions, each on a line; an empty line between two of them stays, and stands before a comment.
    pub(super) fn body(&mut self, body: &Body, close_at: u32) {
        for (at, literal) in body.iter().enumerate() {
            let Span { start, end } = literal.span;
            if let Some(before) = at.checked_sub(1).and_then(|at| body.get(at))
                && self.row(start) > self.row(before.span.end) + 1
            {
                self.blank();
            }
            self.leading(start);
            self.unit(start, end, |this| this.literal(literal));
            let next = body.get(at + 1);
            if next.is_some_and(|it| self.would_go_on(it)) {
                self.put(";");
            }
            self.trailing(end, next.map_or(close_at, |it| it.span.start));
            self.newline();
        }
        self.closing_comments(close_at);
    }

    pub(super) fn literal(&mut self, literal: &Literal) {
        if literal.negated {
            self.put("not ");
        }
        match &literal.kind {
            LiteralKind::Term(term) => self.expression(term),
            LiteralKind::Assign(a, b) => self.pair(a, " := ", b, ANY),
            LiteralKind::Unify(a, b) => self.pair(a, " = ", b, ANY),
            LiteralKind::Some(names) => self.some(names),
            LiteralKind::SomeIn(key, value, domain) => {
                self.put("some ");
                if let Some(key) = key {
                    self.term(key, NO_IN);
                    self.put(", ");
                }
                self.pair(value, " in ", domain, NO_IN);
            }
            LiteralKind::Every(every) => self.every(every, literal.span.start),
        }
        self.with(literal);
    }

    fn pair(&mut self, a: &Term, sign: &str, b: &Term, level: u8) {
        self.term(a, level);
        self.put(sign);
        self.term(b, level);
    }

    fn some<T: AsRef<str>>(&mut self, names: &[(T, Span)]) {
        self.put("some ");
        let mut before: Option<Span> = None;
        for (name, span) in names {
            if let Some(before) = before {
                self.put(",");
                if self.row(span.start) > self.row(before.end) {
                    self.trailing(before.end, span.start);
                    self.newline();
                    self.deeper();
                    self.leading(span.start);
                    self.put(name.as_ref());
                    self.shallower();
                } else {
                    self.put(" ");
                    self.put(name.as_ref());
                }
            } else {
                self.put(name.as_ref());
            }
            before = Some(*span);
        }
    }

    fn every(&mut self, every: &Every, start: u32) {
        self.put("every ");
        if let Some((key, _)) = &every.key {
            self.put(key);
            self.put(", ");
        }
        self.put(&every.value.0);
        self.put(" in ");
        self.term(&every.domain, NO_IN);
        self.put(" {");
        let Some(first) = every.body.first() else { return };
        let open = self.token_at(first.span.start).saturating_sub(1);
        let close_at = self.closing(open);
        let len = self.len();
        self.closure(start, every.domain.span.end, &every.body, close_at);
        if !self.since(len).ends_with('\n') {
            self.put(" ");
        }
        self.put("}");
    }

    /// What is replaced, each on a line where it begins one.
    fn with(&mut self, literal: &Literal) {
        let mut is_deeper = false;
        let mut row = None;
        for with in &literal.with {
            // The word itself is the token before.
            let Some(word) = self.before(with.target.span.start) else { continue };
            let start = word.span.start;
            let end = self.before(start).map_or(start, |it| it.span.end);
            let here = self.row(start);
            if here > row.unwrap_or(self.row(end)) {
                self.trailing(end, start);
                if !is_deeper {
                    self.deeper();
                    is_deeper = true;
                }
                self.newline();
                self.leading(start);
            } else {
                self.put(" ");
            }
            row = Some(here);
            self.put("with ");
            self.term(&with.target, ANY);
            self.put(" as ");
            self.term(&with.value, ANY);
        }
        if is_deeper {
            self.shallower();
        }
    }
}
