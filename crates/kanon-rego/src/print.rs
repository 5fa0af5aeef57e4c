//! A rewritten tree as text for the interpreter: Rego v1, one expression a line, so that a line of the interpreter's errors
//! and of its coverage is a place in the source.
//!
//! Names are already paths, so nothing is imported. A rule whose name begins with a keyword (`if.a`), which the interpreter
//! cannot read, goes to a module of its own, where the keyword is a part of the package.

use kanon_lang::Span;

use crate::{
    ast::{Body, Head, Infix, Literal, LiteralKind, Module, Rule, Term, TermKind, Text},
    walk,
};

/// Text for the interpreter, and where its lines come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Printed {
    pub(crate) text: String,
    /// By line, from 0.
    pub(crate) lines: Vec<Span>,
}

/// How deep literals and comprehensions may nest: at each level, the interpreter's parser tries one of them first and the
/// others afterwards, which doubles its time.
const MAX_NESTING: usize = 12;

/// Words that mean something in v1.
pub(crate) const KEYWORDS: [&str; 15] = [
    "as", "contains", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package", "some",
    "true", "with",
];

/// The texts of a module.
pub(crate) fn module(module: &Module) -> Vec<Printed> {
    let mut texts: Vec<(Vec<Text>, Printer)> = Vec::new();
    let mut main = Printer::default();
    main.package(&module.package, module.package_span);
    texts.push((module.package.clone(), main));
    for rule in &module.rules {
        let mut package = module.package.clone();
        let mut skip = 0;
        while let Some(name) = rule.head.path.get(skip).and_then(|it| it.as_str().or_else(|| it.as_var())) {
            if !KEYWORDS.contains(&name) || skip + 1 == rule.head.path.len() {
                break;
            }
            package.push(name.into());
            skip += 1;
        }
        let at = texts.iter().position(|it| it.0 == package).unwrap_or_else(|| {
            let mut printer = Printer::default();
            printer.package(&package, module.package_span);
            texts.push((package, printer));
            texts.len() - 1
        });
        if let Some((_, printer)) = texts.get_mut(at) {
            printer.rule(rule, skip);
        }
    }
    texts.into_iter().map(|it| it.1.out).collect()
}

/// The text of a query.
pub(crate) fn query(body: &Body) -> Printed {
    let mut printer = Printer::default();
    for (at, literal) in body.iter().enumerate() {
        if at > 0 {
            printer.line(literal.span);
        }
        printer.literal(literal);
    }
    printer.out
}

/// A path that the interpreter reads: `data.a["b c"]`.
pub(crate) fn path(components: &[Text]) -> String {
    let mut printer = Printer::default();
    for (at, name) in components.iter().enumerate() {
        if at == 0 { printer.put(name) } else { printer.component(name) }
    }
    printer.out.text
}

/// How deep literals and comprehensions nest in each other.
fn nesting(term: &Term) -> usize {
    let mut below = 0;
    walk::children(term, &mut |child| {
        below = below.max(match child {
            walk::Child::Term(term) => nesting(term),
            walk::Child::Body(body) => body.iter().map(nesting_in).max().unwrap_or(0),
            walk::Child::Literal(literal) => nesting_in(literal),
        });
    });
    match &term.kind {
        TermKind::Array(_)
        | TermKind::Set(_)
        | TermKind::Object(_)
        | TermKind::ArrayOf(..)
        | TermKind::SetOf(..)
        | TermKind::ObjectOf(..) => below + 1,
        _ => below,
    }
}

fn nesting_in(literal: &Literal) -> usize {
    let mut most = 0;
    walk::terms(literal, &mut |term| most = most.max(nesting(term)));
    if let LiteralKind::Every(every) = &literal.kind {
        most = most.max(every.body.iter().map(nesting_in).max().unwrap_or(0));
    }
    most
}

/// Whether literals nest so deep that the interpreter's parser cannot read them in bounded time.
pub(crate) fn too_deep(term: &Term) -> bool {
    nesting(term) > MAX_NESTING
}

#[derive(Default)]
struct Printer {
    out: Printed,
}

/// Whether a text has the form of a name.
pub(crate) fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic())
        && text.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

impl Printer {
    fn put(&mut self, text: &str) {
        self.out.text.push_str(text);
    }

    /// Begins a line that comes from `span`.
    fn line(&mut self, span: Span) {
        if self.out.lines.is_empty() {
            self.out.lines.push(Span::default());
        }
        self.put("\n");
        self.out.lines.push(span);
    }

    fn string(&mut self, text: &str) {
        self.put(&serde_json::Value::from(text).to_string());
    }

    fn component(&mut self, name: &str) {
        // Keywords may follow a dot.
        if is_name(name) {
            self.put(".");
            self.put(name);
        } else {
            self.put("[");
            self.string(name);
            self.put("]");
        }
    }

    fn package(&mut self, package: &[Text], span: Span) {
        self.out.lines.push(span);
        self.put("package ");
        for (at, name) in package.iter().enumerate() {
            if at == 0 { self.put(name) } else { self.component(name) }
        }
        self.line(span);
    }

    fn head(&mut self, head: &Head, skip: usize) {
        for (at, part) in head.path.iter().skip(skip).enumerate() {
            match &part.kind {
                TermKind::Var(name) if at == 0 && skip == 0 => self.put(name),
                TermKind::Str(name) if at == 0 => self.put(name),
                TermKind::Str(name) => self.component(name),
                _ => {
                    self.put("[");
                    self.term(part, 0);
                    self.put("]");
                }
            }
        }
        if let Some(args) = &head.args {
            self.list("(", args, ")");
        }
        if let Some(element) = &head.element {
            self.put(" contains ");
            self.term(element, 2);
        }
    }

    fn rule(&mut self, rule: &Rule, skip: usize) {
        self.line(rule.head.span);
        if rule.is_default {
            self.put("default ");
        }
        self.head(&rule.head, skip);
        if rule.head.element.is_none() {
            self.value(rule.head.value.as_ref());
        }
        if !rule.body.is_empty() {
            self.put(" if ");
            self.body("{", &rule.body, "}", rule.span);
        }
        for otherwise in &rule.otherwise {
            self.put(" else");
            self.value(otherwise.value.as_ref());
            if !otherwise.body.is_empty() {
                self.put(" if ");
                self.body("{", &otherwise.body, "}", otherwise.span);
            }
        }
        self.line(rule.head.span);
    }

    fn value(&mut self, value: Option<&Term>) {
        self.put(" := ");
        match value {
            Some(value) => self.term(value, 2),
            None => self.put("true"),
        }
    }

    /// A body in its brackets, an expression a line.
    fn body(&mut self, open: &str, body: &[Literal], close: &str, span: Span) {
        self.put(open);
        for literal in body {
            self.line(literal.span);
            self.literal(literal);
        }
        self.line(span);
        self.put(close);
    }

    fn literal(&mut self, literal: &Literal) {
        if literal.negated {
            self.put("not ");
        }
        match &literal.kind {
            LiteralKind::Term(term) => self.term(term, if literal.negated { 2 } else { 0 }),
            LiteralKind::Assign(a, b) => self.pair(a, " := ", b),
            LiteralKind::Unify(a, b) => self.pair(a, " = ", b),
            LiteralKind::Some(names) => {
                self.put("some ");
                let names: Vec<&str> = names.iter().map(|it| it.0.as_ref()).collect();
                self.put(&names.join(", "));
            }
            LiteralKind::SomeIn(key, value, domain) => {
                self.put("some ");
                if let Some(key) = key {
                    self.term(key, 2);
                    self.put(", ");
                }
                self.pair(value, " in ", domain);
            }
            LiteralKind::Every(every) => {
                self.put("every ");
                if let Some((key, _)) = &every.key {
                    self.put(key);
                    self.put(", ");
                }
                self.put(&every.value.0);
                self.put(" in ");
                self.term(&every.domain, 2);
                self.body(" {", &every.body, "}", literal.span);
            }
        }
        for with in &literal.with {
            self.put(" with ");
            self.term(&with.target, 9);
            self.put(" as ");
            self.term(&with.value, 2);
        }
    }

    fn pair(&mut self, a: &Term, sign: &str, b: &Term) {
        self.term(a, 2);
        self.put(sign);
        self.term(b, 2);
    }

    fn list(&mut self, open: &str, items: &[Term], close: &str) {
        self.put(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.put(", ");
            }
            // `|` after a first element would be read as a comprehension.
            self.term(item, 4);
        }
        self.put(close);
    }

    /// A term; in parentheses where its operator binds less tightly than `level`. Level 9 takes no operator.
    fn term(&mut self, term: &Term, level: u8) {
        match &term.kind {
            TermKind::Null => self.put("null"),
            TermKind::Bool(bool) => self.put(if *bool { "true" } else { "false" }),
            TermKind::Number(text) => self.put(text),
            TermKind::Str(text) => self.string(text),
            TermKind::Var(name) => self.put(name),
            // Templates are calls by now.
            TermKind::Template(_) => self.put("null"),
            TermKind::Ref(head, operands) => {
                self.term(head, 9);
                for operand in operands {
                    match &operand.kind {
                        TermKind::Str(name) => self.component(name),
                        _ => {
                            self.put("[");
                            self.term(operand, 2);
                            self.put("]");
                        }
                    }
                }
            }
            TermKind::Call(callee, args) => {
                self.term(callee, 9);
                self.list("(", args, ")");
            }
            TermKind::Infix(infix, pair) => self.infix(*infix, pair, level),
            TermKind::Member(key, pair) => {
                self.open(level > 0);
                if let Some(key) = key {
                    self.term(key, 2);
                    self.put(", ");
                }
                self.pair(&pair.0, " in ", &pair.1);
                self.close(level > 0);
            }
            TermKind::Array(items) => self.list("[", items, "]"),
            TermKind::Set(items) if items.is_empty() => self.put("set()"),
            TermKind::Set(items) => self.list("{", items, "}"),
            TermKind::Object(members) => {
                self.put("{");
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        self.put(", ");
                    }
                    self.term(key, 4);
                    self.put(": ");
                    self.term(value, 4);
                }
                self.put("}");
            }
            TermKind::ArrayOf(head, body) => {
                self.put("[");
                self.term(head, 9);
                self.body(" |", body, "]", term.span);
            }
            TermKind::SetOf(head, body) => {
                self.put("{");
                self.term(head, 9);
                self.body(" |", body, "}", term.span);
            }
            TermKind::ObjectOf(head, body) => {
                self.put("{");
                self.term(&head.0, 9);
                self.put(": ");
                self.term(&head.1, 9);
                self.body(" |", body, "}", term.span);
            }
        }
    }

    fn infix(&mut self, infix: Infix, pair: &(Term, Term), level: u8) {
        let own = infix.level();
        // A chain leans to the left: only its right sides are levels for whoever reads it.
        self.open(own < level);
        self.term(&pair.0, own);
        self.put(" ");
        self.put(infix.text());
        self.put(" ");
        self.term(&pair.1, own + 1);
        self.close(own < level);
    }

    fn open(&mut self, needed: bool) {
        if needed {
            self.put("(");
        }
    }

    fn close(&mut self, needed: bool) {
        if needed {
            self.put(")");
        }
    }
}
